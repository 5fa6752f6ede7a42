"""Slits across cubes: exact areas, signs and errors."""

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.position_velocity import position_velocity

VELOCITIES = np.linspace(-300.0, 300.0, 31)


def rotating(position_angle: float, count: int = 41) -> np.ndarray:
    """Return a round source that recedes by 30 km/s per pixel towards a position angle."""
    y, x = np.mgrid[:count, :count] - (count - 1) / 2
    angle = np.radians(position_angle)
    velocity = 30.0 * (-x * np.sin(angle) + y * np.cos(angle))
    edges = np.append(VELOCITIES - 10, VELOCITIES[-1] + 10)[:, None, None]
    return np.exp(-np.hypot(x, y) / 3) * np.diff(ndtr((edges - velocity) / 15.0), axis=0)


@pytest.mark.parametrize("position_angle", [0.0, 30.0, 90.0, 202.0, -75.0])
def test_the_receding_side_has_positive_offsets(position_angle: float) -> None:
    result = position_velocity(
        rotating(position_angle), VELOCITIES, 0.2, position_angle=position_angle, width=0.3,
        length=3.0,
    )  # fmt: skip
    assert result.offsets == pytest.approx(0.2 * np.arange(-7, 8))
    mean = (result.diagram * VELOCITIES[:, None]).sum(axis=0) / result.diagram.sum(axis=0)
    np.testing.assert_allclose(mean, 150.0 * result.offsets, atol=8.0)


def test_channels_come_in_rising_order() -> None:
    cube = rotating(0.0)
    options: dict[str, Any] = {"position_angle": 0.0, "width": 0.4}
    rising = position_velocity(cube, VELOCITIES, 0.2, **options)
    falling = position_velocity(cube[::-1], VELOCITIES[::-1], 0.2, **options)
    np.testing.assert_array_equal(falling.velocities, VELOCITIES)
    np.testing.assert_array_equal(falling.diagram, rising.diagram)


@pytest.mark.parametrize("position_angle", [0.0, 90.0, 33.0])
def test_flux_is_neither_lost_nor_counted_twice(position_angle: float) -> None:
    cube = np.zeros((2, 31, 31))
    cube[:, 9:23, 8:21] = np.random.default_rng(1).uniform(size=(2, 14, 13))
    result = position_velocity(
        cube, [0.0, 1.0], 0.2, position_angle=position_angle, width=4.2, length=4.2, step=0.07
    )
    np.testing.assert_allclose(np.nansum(result.diagram, axis=1), cube.sum(axis=(1, 2)), rtol=1e-9)


def test_a_slit_takes_the_shares_of_pixels_that_fine_sampling_finds() -> None:
    rng = np.random.default_rng(2)
    cube = rng.uniform(size=(1, 12, 15))
    result = position_velocity(
        cube, [0.0], 0.5, position_angle=37.0, width=1.3, length=3.9, step=0.3, centre=(0.4, -0.3)
    )
    fine = 40
    y, x = (np.mgrid[: 12 * fine, : 15 * fine] + 0.5) * 0.5 / fine
    x, y = x - 3.75 - 0.4, y - 3.0 + 0.3
    angle = np.radians(37.0)
    along, across = -x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    brightness = np.kron(cube[0], np.ones((fine, fine))) / fine**2
    expected = np.histogram(
        along, np.append(result.offsets - 0.15, result.offsets[-1] + 0.15),
        weights=brightness * (np.abs(across) < 0.65),
    )[0]  # fmt: skip
    np.testing.assert_allclose(result.diagram[0], expected, rtol=0.01)


def test_errors_are_the_scatter() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.3, (2000, 11, 11))
    noise[:, 5, 5] = np.nan
    result = position_velocity(
        noise, np.arange(2000), 0.2, position_angle=25.0, width=0.5, length=1.0, variance=0.09
    )
    assert result.error is not None
    np.testing.assert_allclose(result.error[0], result.diagram.std(axis=0), rtol=0.06)


def test_unknown_voxels_are_filled_by_the_rest_of_their_cell() -> None:
    cube = np.ones((2, 21, 21))
    cube[0, 10, 10] = np.nan
    cube[1, 8:13, 10] = np.nan
    wide = position_velocity(cube, [0.0, 1.0], 1.0, position_angle=0.0, width=5.0)
    assert wide.diagram[0] == pytest.approx(5.0)
    narrow = position_velocity(cube, [0.0, 1.0], 1.0, position_angle=0.0, width=1.0)
    assert np.flatnonzero(np.isnan(narrow.diagram[0])).tolist() == [10]
    assert np.isnan(narrow.diagram[1]).sum() == 5
    cube[0, :, 9:12] = np.nan
    mostly_unknown = position_velocity(cube, [0.0, 1.0], 1.0, position_angle=0.0, width=5.0)
    assert np.isnan(mostly_unknown.diagram[0]).all()


def test_off_the_field_nothing_is_known() -> None:
    result = position_velocity(
        np.ones((1, 9, 9)), [0.0], 1.0, position_angle=90.0, width=2.0, length=15.0
    )
    assert np.isnan(result.diagram[0]).tolist() == [True] * 3 + [False] * 9 + [True] * 3
    whole = position_velocity(np.ones((1, 9, 5)), [0.0], 1.0, position_angle=90.0, width=2.0)
    assert len(whole.offsets) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0.0}, "width is 0.0 arcsec: expected a number above 0"),
        ({"pixel_scale": -0.2}, "pixel_scale is -0.2 arcsec"),
        ({"length": -1.0}, "length is -1.0 arcsec"),
        ({"centre": (50.0, 0.0)}, r"centre is \(50.0, 0.0\) arcsec: the slit lies off the field"),
        ({"position_angle": np.nan}, "position_angle is nan"),
        ({"cube": np.ones((3, 4))}, "expected .v, y, x."),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"cube": np.ones((31, 9, 9)), "pixel_scale": 0.2, "width": 0.5}
    good |= {"position_angle": 0.0, "length": 1.0, **arguments}
    with pytest.raises(InputError, match=message):
        position_velocity(velocities=VELOCITIES, **good)
