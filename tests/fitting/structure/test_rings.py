"""Rotation and dispersion ring by ring."""

import numpy as np
import pytest
from astropy.table import Table

from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, FitResult, FitSettings, ParameterChoices, SamplerSettings
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.structure.rings import ring_mixing
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.measuring.profiles import profiles_of
from tests.fitting.conftest import FRAME, GRID, PSF_FWHM, make_mock

RINGS = DiskModel(curve="rings", ring_radii=(0.2, 0.7, 1.2))
LAPLACE = SamplerSettings("laplace")


def coordinates(**choices):
    return Coordinates.of(RINGS, ParameterChoices(**choices), GRID, 1.0)


@pytest.fixture(scope="module")
def fitted():
    """A curve that is steep within a third of the beam, and the fit of it."""
    mock = make_mock(seed=8, signal_to_noise=30.0, turnover_radius=0.08)
    fitter = DiskFitter(DiskModel(curve="rings"), FRAME, sampler=LAPLACE)
    return mock, fitter.fit(mock.data, mock.sigma**2)


def test_each_ring_has_a_velocity_and_a_dispersion():
    names = coordinates(fixed={"ring_2_velocity": 120.0}).names
    rings = [name for name in names if name.startswith("ring_")]
    assert rings == [
        "ring_1_velocity", "ring_1_dispersion", "ring_2_dispersion", "ring_3_velocity",
        "ring_3_dispersion",
    ]  # fmt: skip
    assert "turnover_radius" in names
    assert not {"maximum_velocity", "velocity_dispersion"} & set(names)


def test_neighbours_are_alike_beforehand_and_each_has_its_own_prior():
    chosen = coordinates()
    u = np.random.default_rng(2).standard_normal((20000, chosen.count))
    values = dict(zip(chosen.names, chosen.values(u).T, strict=True))
    first, second, third = (values[f"ring_{k}_velocity"] for k in (1, 2, 3))
    # Uniform from 0 to 1000 km/s.
    for one in (first, second, third):
        np.testing.assert_allclose(np.quantile(one, [0.1, 0.5, 0.9]), [100, 500, 900], atol=20)
    near, far = (np.corrcoef(first, other)[0, 1] for other in (second, third))
    assert 0.75 < far < near < 0.99
    assert abs(np.corrcoef(first, values["ring_1_dispersion"])[0, 1]) < 0.03
    assert abs(np.corrcoef(first, values["inclination"])[0, 1]) < 0.03


def test_coordinates_of_rings_go_forth_and_back():
    chosen = coordinates()
    u = np.random.default_rng(3).standard_normal((4, chosen.count))
    np.testing.assert_allclose(chosen.coordinates(chosen.vectors(u)), u, atol=1e-6)
    weights = np.random.default_rng(4).standard_normal(len(RINGS.names))
    steps = 1e-6 * np.eye(chosen.count)
    slopes = (chosen.vectors(u[0] + steps) - chosen.vectors(u[0] - steps)) @ weights / 2e-6
    np.testing.assert_allclose(chosen.gradient(u[0], weights), slopes, rtol=1e-5, atol=1e-5)
    assert ring_mixing(DiskModel(), DiskModel().names) is None


def test_a_steep_centre_comes_out_of_the_beam(fitted):
    mock, result = fitted
    rings = result.rings
    assert result.problems == ()
    radii = np.array(rings["radius"])
    assert radii[0] < 0.5 * PSF_FWHM
    assert radii[-1] > mock.galaxy.half_light_radius
    for name, truth in zip(("velocity", "dispersion"), profiles_of(mock.galaxy, radii),
                           strict=True):  # fmt: skip
        width = 0.5 * (rings[f"{name}_upper"] - rings[f"{name}_lower"])
        pulls = (rings[name] - truth) / width
        assert np.abs(pulls).max() < 3.5
        assert (width > 0).all()
    assert abs(rings["velocity"][0] - profiles_of(mock.galaxy, radii)[0][0]) < 15
    # Smeared as it is, the map of velocities has far less than the curve there.
    assert rings["parametric_velocity"][0] == pytest.approx(rings["velocity"][0], rel=0.2)
    assert rings["radius"].unit == "arcsec"
    assert rings.meta["parametric_curve"] == "arctan"


def test_rings_are_written_and_drawn(fitted, tmp_path, monkeypatch):
    _, result = fitted
    # The other picture takes seconds, and has tests of its own.
    monkeypatch.setattr(FitResult, "plot", lambda result, title, wcs: result.plot_rings(title))
    result.write(tmp_path, "one", model_cubes=False)
    written = Table.read(tmp_path / "one_rings.ecsv")
    np.testing.assert_allclose(written["velocity"], result.rings["velocity"])
    assert (tmp_path / "one_rings.png").stat().st_size > 10_000
    points, spread = (axis.containers[0].lines[0] for axis in result.plot_rings().axes)
    np.testing.assert_allclose(points.get_ydata(), result.rings["velocity"])
    np.testing.assert_allclose(spread.get_ydata(), result.rings["dispersion"])
    result.write(tmp_path, "one", model_cubes=False, picture=False)
    assert not (tmp_path / "one_rings.png").exists()


def test_the_radii_may_be_given(mock):
    fitter = DiskFitter(
        RINGS, FRAME, fixed={"inclination": 55.0, "ring_3_velocity": 180.0}, sampler=LAPLACE,
        priors={"maximum_velocity": "normal:190:40"},
    )  # fmt: skip
    result = fitter.fit(mock.data, mock.sigma**2)
    assert result.rings["radius"].tolist() == [0.2, 0.7, 1.2]
    assert [result.rings[name][2] for name in ("velocity_lower", "velocity_upper")] == [180, 180]
    assert "maximum_velocity" not in result.table["name"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ring_radii": (0.5, 1.0)}, "`ring_radii` are those of `curve` rings"),
        (
            {"curve": ("rings",), "ring_radii": (0.5, 0.5)},
            r"`ring_radii` 0.5,0.5: expected 2 to 24",
        ),
        ({"curve": ("rings",), "asymmetric_drift": True}, "the curve 'rings' is what rotates"),
        ({"curve": ("rings",), "fix": {"ring_2_velocity": 9}}, "give `ring_radii`"),
    ],
)
def test_what_does_not_go_together_is_named(given, words):
    with pytest.raises(InputError, match=words):
        fitters_of(FitSettings(**given))


def test_a_fit_without_rings_has_none_to_draw(mock):
    result = DiskFitter(instrument=FRAME, sampler=LAPLACE).fit(mock.data, mock.sigma**2)
    with pytest.raises(InputError, match="the curve 'arctan' has no rings"):
        result.plot_rings()
