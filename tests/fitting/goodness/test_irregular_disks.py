"""Changes of cubes with the irregularities of disks are those that the renderer makes."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from clumpygan.fitting import ObservedFrame
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.goodness import irregular_disks
from clumpygan.fitting.goodness.irregular_disks import irregularities
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.observation import observe
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.fitting.target import Target
from clumpygan.galaxies import CubeRenderer, DiskModel
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks
from clumpygan.galaxies.disks.light_map import LightMap
from clumpygan.galaxies.disks.light_radius import growth_curves, radii_of, sersic_indices
from clumpygan.instruments.spread import GaussianPSF
from tests.fitting.conftest import GRID, MODEL, PSF_FWHM, make_mock

FRAME = ObservedFrame(GRID, partial(GaussianPSF(PSF_FWHM).transfer, wavelength=7000.0), PSF_FWHM)

WHOLE = tuple(slice(0, side) for side in GRID.shape)
LIGHT, STREAM, HEAT = 24, 14, 8


@pytest.fixture(scope="module")
def scene():
    """A target, its galaxy's coordinates and vector, sigma, and the irregularities."""
    mock = make_mock(3, frame=FRAME)
    observation = observe(mock.data, np.full(GRID.shape, mock.sigma**2), FRAME)
    coordinates = Coordinates.of(MODEL, ParameterChoices(), GRID, 3.0)
    coordinates = coordinates.centred(mock.vector)
    renderer = CubeRenderer(GRID, MODEL, FRAME.transfer, 1e-4)
    target = Target(coordinates, Likelihood(observation), renderer)
    place = coordinates.coordinates(mock.vector)
    return target, place, mock, irregularities(target, place, WHOLE)


def rendered(model, vector):
    return CubeRenderer(GRID, model, FRAME.transfer, 1e-4)(vector[None])[0]


def assert_alike(found, change, worst):
    """Assert that a change is found, but for a share of its size."""
    assert np.linalg.norm(found - change.ravel()) < worst * np.linalg.norm(change)


def test_lumps_are_those_of_a_map_of_light(scene):
    _, _, mock, found = scene
    modes = irregular_disks._fields()[0]
    for place in (0, 1, 4, 9):
        factors = [1 + sign * 0.1 * modes[place] for sign in (1, -1)]
        maps = [LightMap.of(one, irregular_disks._EXTENT) for one in factors]
        up, down = (rendered(replace(MODEL, light="map", light_map=one), mock.vector)
                    for one in maps)  # fmt: skip
        assert_alike(found.cubes[place], (up - down) / 0.2 / mock.sigma, 0.15)
        curves = growth_curves(np.stack(factors), [1.0, 1.0], irregular_disks._EXTENT)
        for own, changes in ((radii_of, found.radii), (sersic_indices, found.indices)):
            more, less = own(curves)
            assert changes[place] == pytest.approx(np.log(more / less) / 0.2, abs=0.01)
    assert np.abs(found.indices).max() > 0.1
    assert not found.radii[LIGHT:].any()
    assert not found.indices[LIGHT:].any()


def test_warps_are_those_of_warped_disks(scene):
    _, _, mock, found = scene
    warped, disks = DiskModel(warped=True), ClumpyDisks()
    vector = warped.defaults()
    for name in MODEL.names:
        vector[warped.index(name)] = mock.vector[MODEL.index(name)]
    for place, name in ((-2, "warp_position_angle"), (-1, "warp_inclination")):
        ends = []
        for sign in (1, -1):
            turned = vector.copy()
            turned[warped.index(name)] = sign
            ends.append(rendered(warped, turned))
        unit = getattr(disks, name) / disks.turbulence.light
        change = unit * (ends[0] - ends[1]) / 2 / mock.sigma
        # The modes go on beyond where warped disks in cubes do, and are linear.
        assert_alike(found.cubes[place] * np.sign(found.cubes[place] @ change.ravel()), change, 0.2)


def test_motions_move_and_widen_the_line(scene):
    """A field that is the same everywhere is a systemic velocity, or a dispersion."""
    target, place, mock, _ = scene
    points = irregular_disks._Points.of(target, place, WHOLE)
    even = np.ones_like(points.flux)
    for name, change, order in (
        ("systemic_velocity", -even / GRID.channel_width, (1, 0, 0)),
        ("velocity_dispersion", points.dispersion / GRID.channel_width, (2, 0, 0)),
    ):
        ends = []
        for sign in (1, -1):
            moved = mock.vector.copy()
            moved[MODEL.index(name)] += sign
            ends.append(rendered(MODEL, moved))
        assert_alike(points.seen(change, order).ravel(), (ends[0] - ends[1]) / 2, 0.15)


def test_disks_seen_edge_on_have_a_plane(scene):
    target, _, mock, _ = scene
    vector = mock.vector.copy()
    vector[MODEL.index("inclination")] = 89.9
    found = irregularities(target, target.coordinates.coordinates(vector), WHOLE)
    assert np.isfinite(found.cubes).all()
    assert np.isfinite(found.radii).all()
    sizes = np.linalg.norm(found.cubes, axis=1)
    assert sizes[:-1].max() < 3 * np.linalg.norm(rendered(MODEL, vector)) / mock.sigma


def test_a_part_of_the_cube_has_the_same_changes(scene):
    target, place, _, found = scene
    part = (slice(4, 15), slice(3, 16), slice(2, 17))
    inside = irregularities(target, place, part).cubes
    whole = found.cubes.reshape(-1, *GRID.shape)[:, *part].reshape(len(inside), -1)
    assert np.linalg.norm(inside - whole) < 0.1 * np.linalg.norm(whole)
