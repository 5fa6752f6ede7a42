"""Light from the data: a map that is integrated over, and competes by its evidence."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, FitSettings, NoiseSettings, SamplerSettings
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.observation import observe
from clumpygan.fitting.structure.light_map import (
    MapLikelihood,
    flat_map,
    map_light,
    map_pixels,
    of_all_light,
)
from clumpygan.galaxies import Clump, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.parameters import LightMap
from tests.fitting.conftest import FRAME, TRUTH, make_mock

LAPLACE = SamplerSettings("laplace")
MAPPED = DiskModel(light="map")


def observed(galaxy, seed=1, signal_to_noise=20.0):
    """Return the cube of a galaxy with noise, and its variance."""
    renderer = CubeRenderer(FRAME.grid, galaxy.model, FRAME.transfer, 1e-4)
    clean = renderer(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / signal_to_noise
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    return clean + sigma * noise, np.full(clean.shape, sigma**2)


def fit(cube, light, *known):
    """Fit with some parameters at the truth, for speed."""
    fixed = {name: TRUTH[name] for name in known}
    return DiskFitter(DiskModel(light=light), FRAME, sampler=LAPLACE, fixed=fixed).fit(*cube)


def test_a_smooth_galaxy_needs_no_map(mock):
    cube = mock.data, np.full(mock.data.shape, mock.sigma**2)
    plain, mapped = fit(cube, "sersic"), fit(cube, "map")
    assert mapped.problems == ()
    # The price of the map, and next to no other errors.
    assert -6 < mapped.log_evidence - plain.log_evidence < 0.5
    np.testing.assert_allclose(mapped.galaxy.light_map.values, 1.0, atol=0.35)
    ratio = mapped.table["deviation"] / plain.table["deviation"]
    assert ratio.min() > 0.9
    assert ratio.max() < 2.0


def test_a_ring_is_mapped_and_its_own_model_is_better_still():
    ring = DiskParameters(**TRUTH, light="ring", ring_width=0.25)
    cube = observed(ring)
    known = "offset_x", "offset_y", "systemic_velocity", "turnover_radius", "velocity_dispersion"
    results = {light: fit(cube, light, *known) for light in ("sersic", "ring", "map")}
    evidence = {light: result.log_evidence for light, result in results.items()}
    assert evidence["sersic"] + 50 < evidence["map"] < evidence["ring"]
    mapped = results["map"]
    assert mapped.reduced_chi_squared == pytest.approx(1.0, abs=0.05)
    assert results["sersic"].reduced_chi_squared > 1.03
    # Dark in the middle, where the Sersic profile is brightest.
    rows = mapped.galaxy.light_map.values
    middle = rows[rows.shape[0] // 2 - 1 : rows.shape[0] // 2 + 1, rows.shape[1] // 2].mean()
    assert middle < 0.6 * rows.max()
    for name, error in (("inclination", 4.0), ("position_angle", 3.0)):
        row = mapped.table[list(mapped.table["name"]).index(name)]
        assert abs(row["median"] - TRUTH[name]) < 3.5 * max(row["deviation"], error / 3.5)


def test_clumps_drive_the_geometry_less():
    clumps = (
        Clump(fraction=0.15, x=1.0, y=0.5, radius=0.1, dispersion=45.0),
        Clump(fraction=0.1, x=-0.5, y=-1.1, radius=0.1, dispersion=45.0),
    )
    cube = observed(DiskParameters(**TRUTH, clumps=clumps))
    plain, mapped = (fit(cube, light, "systemic_velocity") for light in ("sersic", "map"))
    assert mapped.log_evidence > plain.log_evidence + 100
    place = list(plain.table["name"]).index("position_angle")
    errors = [
        abs(result.table["median"][place] - TRUTH["position_angle"]) for result in (plain, mapped)
    ]
    # Clumps drive the optimum without a map; residuals, which say where they are, move its median
    # back.
    driven = abs(plain.values["position_angle"] - TRUTH["position_angle"])
    assert max(errors) < 0.6 * driven
    assert abs(mapped.values["position_angle"] - TRUTH["position_angle"]) < 0.6 * driven
    # What a smooth profile gets wrong counts in the errors with a map as well, which hides it.
    assert plain.verdict.departure > 0.1
    assert mapped.verdict.departure == pytest.approx(plain.verdict.departure, rel=0.05)
    assert mapped.verdict.misfit > 1.2
    assert errors[1] < 2 * mapped.table["deviation"][place]
    # The map has taken what residuals say of each clump: its medians stay at the optimum.
    for row in mapped.table[[place, place + 1]]:
        assert abs(row["median"] - row["best"]) < 0.1 * row["deviation"]


def test_what_a_map_leaves_of_changes_is_what_it_cannot_make():
    cube = observed(DiskParameters(**TRUTH))
    likelihood = Likelihood(observe(*cube, FRAME))
    vector = DiskParameters(**TRUTH).to_vector()
    mapped = map_light(likelihood, MAPPED, vector, flat_map(6), 1e-3)
    own = MapLikelihood(likelihood.observation, mapped=mapped)
    strongest = mapped.directions[[int(np.argmax(mapped.powers))]]
    left = np.linalg.norm(own.left_of(strongest))
    assert left == pytest.approx(1 / np.sqrt(1 + mapped.powers.max()), rel=1e-3)
    assert left < 0.5
    change = np.random.default_rng(1).standard_normal((1, strongest.size)).astype(np.float32)
    aside = change - (change @ mapped.directions.T) @ mapped.directions
    np.testing.assert_allclose(own.left_of(aside), aside, atol=1e-4)
    np.testing.assert_array_equal(likelihood.left_of(change), change)


def _derivatives(likelihood, vector, start, accuracy):
    """Return the derivatives (36, N) of residuals with respect to the pixels of a map."""
    cubes = []
    for k in range(-1, 36):
        values = start.values.ravel().copy()
        if k >= 0:
            values[k] += 0.1
        own = DiskModel(light="map", light_map=LightMap.of(values.reshape(6, 6), start.extent))
        cubes.append(CubeRenderer(FRAME.grid, own, FRAME.transfer, accuracy)(vector[None])[0])
    return np.array([likelihood.response((one - cubes[0]) / 0.1) for one in cubes[1:]], float)


def test_the_map_is_integrated_over_exactly():
    """Against the dense covariance of noise and map, on a few voxels."""
    mock = make_mock(seed=4)
    mask = np.ones(mock.data.shape, dtype=bool)
    mask[8:12, 6:12, 6:12] = False
    observation = observe(mock.data, mock.sigma**2, FRAME, mask=mask)
    base = Likelihood(observation)
    start = flat_map(6)
    mapped = map_light(base, MAPPED, mock.vector, start, 1e-4)
    ours = MapLikelihood(observation, mapped=mapped)
    z = base.residuals(mock.clean)[~mask.ravel()].astype(float)
    jacobian = _derivatives(base, mock.vector, start, 1e-4)[:, ~mask.ravel()]
    places = start.extent * ((2 * np.arange(6) + 1) / 6 - 1)
    one = np.exp(-0.5 * (np.subtract.outer(places, places) / mapped.length) ** 2)
    process = mapped.amplitude**2 * (np.kron(one, one) + 1e-4 * np.eye(36))
    a = mapped.light_map.values.ravel() - 1
    z0 = z - a @ jacobian
    covariance = np.eye(z.size) + jacobian.T @ process @ jacobian
    expected = -0.5 * z0 @ np.linalg.solve(covariance, z0) - 0.5 * np.linalg.slogdet(covariance)[1]
    empty = base.log_likelihood(base.residuals(np.zeros_like(mock.clean)))
    assert empty == pytest.approx(0.0, abs=1e-3)
    start_level = base.log_likelihood(base.residuals(mock.clean)) + 0.5 * z @ z
    found = ours.log_likelihood(ours.residuals(mock.clean)) - start_level
    # Directions without signal are left out: half the sum of their powers, each below 0.02.
    assert found == pytest.approx(expected, abs=0.2)
    assert 0 < base.count - ours.count <= 36


def test_maps_are_drawn_as_their_posterior_is():
    """Against mean and covariance by dense matrices, of parameters at rest and moved."""
    cube = observed(DiskParameters(**TRUTH))
    base = Likelihood(observe(*cube, FRAME))
    vector = DiskParameters(**TRUTH).to_vector()
    mapped = map_light(base, MAPPED, vector, flat_map(6), 1e-3)
    own = MapLikelihood(base.observation, mapped=mapped)
    renderer = CubeRenderer(
        FRAME.grid, DiskModel(light="map", light_map=mapped.light_map), FRAME.transfer, 1e-3
    )
    there = renderer(vector[None])[0]
    moved = base.response(renderer((1.02 * vector)[None])[0] - there)
    jacobian = _derivatives(base, vector, flat_map(6), 1e-3)
    places = flat_map(6).extent * ((2 * np.arange(6) + 1) / 6 - 1)
    one = np.exp(-0.5 * (np.subtract.outer(places, places) / mapped.length) ** 2)
    process = mapped.amplitude**2 * (np.kron(one, one) + 1e-4 * np.eye(36))
    covariance = np.linalg.inv(np.linalg.inv(process) + jacobian @ jacobian.T)
    z = base.residuals(there) - mapped.offset
    for change in (np.zeros_like(moved), moved):
        mean = -covariance @ (jacobian @ (z + change))
        changes = own.along_directions(own.left_of(change[None]))
        maps = own.drawn_maps(
            np.repeat(changes, 4000, axis=0), own.left_of(z[None])[0], np.random.default_rng(5)
        ).reshape(4000, 36)
        sure = 1 + mean > 4 * np.sqrt(np.diag(covariance))
        assert sure.sum() > 10
        error = np.sqrt(np.diag(covariance))[sure]
        np.testing.assert_allclose(maps.mean(0)[sure], (1 + mean)[sure], atol=0.2 * error.max())
        np.testing.assert_allclose(maps.std(0)[sure], error, rtol=0.1)
        assert (maps >= 0).all()
    away = covariance @ (jacobian @ moved)
    assert np.abs(away[sure] / error).max() > 1


def test_the_radius_of_a_mapped_galaxy_is_that_of_half_of_its_light():
    places = 3.0 * ((2 * np.arange(12) + 1) / 12 - 1)
    radius = np.hypot(*np.meshgrid(places, places))
    # Dark in the middle and bright outside: the profile below has 0.5 arcsec.
    light_map = of_all_light(LightMap.of(0.3 + 0.7 * radius, 3.0), 1.0)
    own = 0.5 / light_map.radius
    assert own > 0.6
    galaxy = DiskParameters(**TRUTH | {"half_light_radius": own}, light="map", light_map=light_map)
    known = "offset_x", "offset_y", "systemic_velocity", "turnover_radius", "velocity_dispersion"
    result = fit(observed(galaxy), "map", *known)
    place = list(result.table["name"]).index("half_light_radius")
    row = result.table[place]
    assert abs(row["median"] - own) < 2 * row["deviation"]
    assert row["deviation"] < 0.1
    # Of the most probable galaxy as well, and of the samples.
    found = result.galaxy.light_map
    again = of_all_light(found, result.values["sersic_index"])
    assert found.radius == pytest.approx(again.radius, rel=0.03)
    assert result.values["half_light_radius"] == pytest.approx(own, abs=3 * row["deviation"])
    assert np.std(result.samples["half_light_radius"]) == pytest.approx(row["deviation"], rel=0.1)


def test_a_radius_that_is_fixed_is_that_of_the_profile(mock):
    cube = mock.data, np.full(mock.data.shape, mock.sigma**2)
    known = [name for name in TRUTH if name not in ("flux", "inclination", "scale_height")]
    result = fit(cube, "map", *known)
    assert result.galaxy.light_map.radius == 1.0
    assert "half_light_radius" not in result.table["name"]


def test_lights_and_curves_compete():
    settings = FitSettings(model=("sersic:arctan", "ring:tanh", "map:rings"))
    models = {word: fitter.model for word, fitter in fitters_of(settings).items()}
    assert {word: (one.light, one.curve) for word, one in models.items()} == {
        "sersic:arctan": ("sersic", "arctan"),
        "ring:tanh": ("ring", "tanh"),
        "map:rings": ("map", "rings"),
    }
    (plain,) = fitters_of(FitSettings(model=("tanh",), light="map")).values()
    assert (plain.model.light, plain.model.curve) == ("map", "tanh")


def test_rings_and_a_map_together(mock):
    fitter = DiskFitter(
        DiskModel(light="map", curve="rings", ring_radii=(0.3, 1.0)), FRAME, sampler=LAPLACE
    )
    result = fitter.fit(mock.data, mock.sigma**2)
    assert len(result.rings) == 2
    assert result.galaxy.light_map is not None
    assert abs(result.rings["velocity"][1] - 160) < 30


def test_pixels_are_as_fine_as_the_beam():
    assert map_pixels(20 * 18 * 18, 0.7, 0.7) == 10
    assert map_pixels(20 * 18 * 18, 0.05, 1.0) == 14
    assert map_pixels(20 * 18 * 18, 5.0, 1.0) == 6
    assert map_pixels(10**6, 0.05, 1.0) == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": ("sersic:arctang",)}, r"there is no curve 'arctang'.*did you mean"),
        ({"model": ("sersik:arctan",)}, "there is no light 'sersik'"),
        ({"model": ("ring:tanh",), "light": "map"}, "both name the light"),
        ({"light": "map", "method": "nuts"}, "can't integrate over the map"),
        ({"model": ("tanh", "tanh")}, "names a model twice"),
    ],
)
def test_what_does_not_go_together_is_named(given, words):
    with pytest.raises(InputError, match=words):
        fitters_of(FitSettings(**given))


def test_outliers_are_not_mapped(mock):
    fitter = DiskFitter(MAPPED, FRAME, noise=NoiseSettings(robust="huber"), sampler=LAPLACE)
    with pytest.raises(InputError, match="`light` map and `robust` huber"):
        fitter.fit(mock.data, mock.sigma**2)


@pytest.mark.parametrize(
    ("rows", "extent", "words"),
    [
        (((1.0, 1.0),), 1.0, "1 rows"),
        (((1.0, 1.0), (1.0,)), 1.0, "as long as many"),
        (((1.0, -0.1), (1.0, 1.0)), 1.0, "below 0"),
        (((1.0, 1.0), (1.0, 1.0)), 0.0, "extent 0"),
    ],
)
def test_maps_that_are_none_are_refused(rows, extent, words):
    with pytest.raises(InputError, match=words):
        LightMap(rows, extent)
    with pytest.raises(InputError, match="radius nan"):
        LightMap(((1.0, 1.0), (1.0, 1.0)), 1.0, float("nan"))
