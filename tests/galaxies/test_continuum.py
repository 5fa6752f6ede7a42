"""The continuum under a line, taken off."""

from typing import Any

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.continuum import without_continuum

VELOCITIES = np.linspace(-500.0, 500.0, 41)


def spectra() -> tuple[np.ndarray, np.ndarray]:
    """Return a line (v, 3, 4), and it on top of a continuum of another slope in every spaxel."""
    rng = np.random.default_rng(1)
    line = np.exp(-0.5 * ((VELOCITIES - 40) / 50) ** 2)[:, None, None] * rng.uniform(1, 2, (3, 4))
    level, slope = rng.uniform(1, 5, (3, 4)), rng.normal(0, 0.003, (3, 4))
    return line, line + level + slope * VELOCITIES[:, None, None]


@pytest.mark.parametrize("order", [1, -1])
def test_the_line_is_left(order: int) -> None:
    line, cube = spectra()
    cleaned = without_continuum(cube[::order], VELOCITIES[::order], (-300, 300))
    np.testing.assert_allclose(cleaned, line[::order], atol=1e-6)


def test_a_constant_leaves_the_slope() -> None:
    line, cube = spectra()
    slope = (cube - line)[-1] - (cube - line)[0]
    cleaned = without_continuum(cube, VELOCITIES, (-300, 300), degree=0)
    np.testing.assert_allclose(cleaned[-1] - cleaned[0], slope, atol=1e-6)


def test_noisy_channels_count_by_their_variance() -> None:
    _, cube = spectra()
    variance = np.ones(41)
    variance[[0, 3]] = 1e12
    cube[[0, 3]] += 1e3
    cleaned = without_continuum(cube, VELOCITIES, (-300, 300), variance=variance)
    assert np.abs(cleaned[[1, 2, 4]]).max() < 1e-3


def test_unknown_voxels_stay_unknown_and_do_not_count() -> None:
    line, cube = spectra()
    cube[1, 0, 0] = np.nan
    cube[:9, 1, 1] = cube[-9:, 1, 1] = np.nan
    cleaned = without_continuum(cube, VELOCITIES, (-300, 300))
    assert np.isnan(cleaned[:, 0, 0]).sum() == 1
    np.testing.assert_allclose(cleaned[2:, 0, 0], line[2:, 0, 0], atol=1e-6)
    assert np.isnan(cleaned[:, 1, 1]).all()  # nothing is known beside the line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"line": (-600, 480)}, "1 channels beside the line at -600 to 480 km/s"),
        ({"degree": -1}, "degree -1"),
        ({"cube": np.ones((41, 2))}, "expected .v, y, x."),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"cube": np.ones((41, 2, 2)), "velocities": VELOCITIES}
    with pytest.raises(InputError, match=message):
        without_continuum(**{**good, "line": (-300, 300), **arguments})
