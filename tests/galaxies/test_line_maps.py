"""Fits of lines that start where a model has them."""

import numpy as np

from clumpygan.galaxies.measuring.line_fitting import LineModel
from clumpygan.galaxies.measuring.line_maps import line_maps, nearest_known
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube

VELOCITIES = np.arange(-800.0, 801.0, 20.0)
LINES, GROUPS = ((0.0, 1.0), (300.0, 3.0), (-300.0, 1.0)), (0, 1, 1)


def cube_of(fluxes, velocity, width, noise=0.0, spaxels=40):
    grid = MeasuredCube.of(np.zeros((len(VELOCITIES), 1, spaxels)), VELOCITIES)
    model = LineModel(grid, LINES, True, GROUPS)
    values = np.broadcast_to(np.array([*fluxes, velocity, width]), (spaxels, 4))
    clean = model(values)[0][:, None]
    rng = np.random.default_rng(1)
    return clean + noise * rng.standard_normal(clean.shape)


def test_derivatives_of_groups():
    grid = MeasuredCube.of(np.zeros((len(VELOCITIES), 1, 1)), VELOCITIES)
    for response in (True, False):
        model = LineModel(grid, LINES, response, GROUPS)
        here = np.array([[4.0, 7.0, 31.0, 45.0]])
        slopes = model(here)[1]
        for k in range(4):
            step = np.zeros_like(here)
            step[0, k] = 1e-4
            finite = (model(here + step)[0] - model(here - step)[0]) / 2e-4
            assert np.abs(finite).max() > 1e-3
            np.testing.assert_allclose(slopes[k], finite, atol=1e-7)


def test_groups_have_fluxes_of_their_own():
    cube = cube_of((5.0, 8.0), 30.0, 40.0)
    start = np.full((2, 1, 40), np.nan)
    start[:, 0, 7] = 0.0, 60.0
    found = line_maps(cube, VELOCITIES, start=start, reach=100.0, lines=LINES, groups=GROUPS)
    np.testing.assert_allclose(found.fluxes[:, 0], [[5.0] * 40, [8.0] * 40], rtol=1e-5)
    np.testing.assert_allclose(found.maps.velocity, 30.0, atol=1e-3)
    np.testing.assert_allclose(found.maps.dispersion, 40.0, atol=1e-3)
    np.testing.assert_allclose(found.maps.flux, 13.0, rtol=1e-5)


def test_errors_are_those_of_the_scatter():
    cube = cube_of((5.0, 8.0), 30.0, 40.0, noise=0.05, spaxels=600)
    start = np.broadcast_to(np.array([30.0, 40.0])[:, None, None], (2, 1, 600))
    found = line_maps(
        cube, VELOCITIES, start=start, reach=100.0, variance=0.05**2, lines=LINES, groups=GROUPS
    )
    for values, errors in (
        (found.maps.velocity, found.maps.velocity_error),
        (found.maps.dispersion, found.maps.dispersion_error),
        (found.maps.flux, found.maps.flux_error),
        (found.fluxes[0], found.flux_errors[0]),
    ):
        assert 0.9 < np.nanstd(values) / np.nanmedian(errors) < 1.1


def test_what_is_far_from_the_start_is_left_alone():
    wrong = cube_of((0.0, 8.0), 0.0, 40.0)
    right = cube_of((5.0, 0.0), 20.0, 40.0)
    start = np.broadcast_to(np.array([0.0, 40.0])[:, None, None], (2, 1, 40))
    found = line_maps(right + wrong, VELOCITIES, start=start, reach=50.0)
    np.testing.assert_allclose(found.maps.velocity, 20.0, atol=3.0)
    np.testing.assert_allclose(found.maps.flux, 5.0, rtol=0.05)


def test_the_nearest_known_value():
    maps = np.array([[[np.nan, 1.0, np.nan, np.nan, 5.0]], [[np.nan] * 5]])
    filled = nearest_known(maps)
    np.testing.assert_array_equal(filled[0], [[1.0, 1.0, 1.0, 5.0, 5.0]])
    assert np.isnan(filled[1]).all()
