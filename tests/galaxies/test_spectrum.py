"""Spectra of apertures."""

from typing import Any

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.spectrum import circular_aperture, spectrum

VELOCITIES = np.arange(5.0)


def test_the_flux_of_an_aperture_is_summed() -> None:
    cube = np.arange(5.0)[:, None, None] * np.ones((5, 9, 9))
    aperture = circular_aperture((9, 9), 0.5, 1.0)
    assert aperture.sum() == 13
    result = spectrum(cube, VELOCITIES, aperture=aperture)
    assert result.flux.tolist() == [0, 13, 26, 39, 52]
    assert result.error is None
    assert spectrum(cube, VELOCITIES).flux[1] == 81
    assert spectrum(cube, VELOCITIES, aperture=0.5 * np.ones((9, 9))).flux[1] == 40.5
    falling = spectrum(cube[::-1], VELOCITIES[::-1], aperture=aperture)
    assert falling.flux.tolist() == result.flux.tolist()
    assert falling.velocities.tolist() == VELOCITIES.tolist()


def test_an_aperture_lies_where_it_is_asked_for() -> None:
    aperture = circular_aperture((8, 11), 0.2, 0.25, (0.4, -0.5))
    y, x = np.nonzero(aperture)
    assert ((x.mean() - 5) * 0.2, (y.mean() - 3.5) * 0.2) == pytest.approx((0.4, -0.5))


def test_errors_are_the_scatter_and_grow_with_the_correlation_of_the_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.3, (3000, 6, 6))
    velocities = np.arange(3000.0)
    share = rng.uniform(size=(6, 6))
    result = spectrum(noise, velocities, aperture=share, variance=0.09)
    assert result.error is not None
    assert result.flux.std() == pytest.approx(result.error[0], rel=0.04)
    correlated = spectrum(noise, velocities, aperture=share, variance=0.09, noise_correlation=2)
    assert correlated.error is not None
    assert correlated.error[0] == 2 * result.error[0]


def test_unknown_voxels_are_left_out() -> None:
    cube = np.ones((5, 3, 3))
    cube[0, 1, 1] = np.nan
    cube[1] = np.nan
    result = spectrum(cube, VELOCITIES, variance=1.0)
    assert result.flux[[0, 2]].tolist() == [8, 9]
    assert np.isnan(result.flux[1])
    assert result.error is not None
    assert np.isnan(result.error[1])
    assert result.error[2] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aperture": np.ones((3, 4))}, r"aperture of shape \(3, 4\): expected.*\(3, 3\)"),
        ({"aperture": np.zeros((3, 3))}, "not all of them 0"),
        ({"aperture": 2 * np.ones((3, 3))}, "shares from 0 to 1"),
        ({"noise_correlation": 0.5}, "noise_correlation is 0.5"),
        ({"cube": np.ones((3, 3))}, "expected .v, y, x."),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spectrum(**{"cube": np.ones((5, 3, 3)), "velocities": VELOCITIES, **arguments})


def test_an_aperture_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="no pixel lies there"):
        circular_aperture((9, 9), 0.5, 1.0, (10.0, 0.0))
