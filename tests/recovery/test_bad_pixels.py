"""Dead and hot pixels, and what stands in for them."""

import numpy as np
import pytest

from clumpygan.instruments import HST_WFC3_F160W
from clumpygan.recovery.bad_pixels import fill_gaps, find_bad_pixels


def test_bad_pixels_are_dead_and_hot_pixels_but_never_a_star() -> None:
    star = HST_WFC3_F160W.psf().drawImage(
        nx=60, ny=60, scale=0.06, method="no_pixel", dtype=float
    )  # fmt: skip
    data = 1000 * star.array + np.random.default_rng(0).normal(size=(60, 60))
    none = np.zeros(data.shape, dtype=bool)
    assert not find_bad_pixels(data, none, 1.0, 3.1).any()
    data[10, 10], data[50, 20], data[50, 21] = -20, 90, 60
    found = np.argwhere(find_bad_pixels(data, none, 1.0, 3.1)).tolist()
    assert found == [[10, 10], [50, 20], [50, 21]]


def test_gaps_are_filled_from_their_surroundings() -> None:
    y, x = np.mgrid[:40, :40]
    data = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 2 / 6**2)
    mask = np.zeros(data.shape, dtype=bool)
    mask[20, 18:21] = True
    mask[:, 35:] = True
    filled = fill_gaps(data, mask, np.zeros(data.shape))
    assert filled[20, 18:21] == pytest.approx(data[20, 18:21], rel=0.08)
    assert abs(filled[:, 39]).max() < 0.3 < data[:, 39].max()
    assert (filled[~mask] == data[~mask].astype(np.float32)).all()


def test_wings_that_fall_to_the_edge_of_a_small_stamp_are_not_dead() -> None:
    # The median of a stamp that a galaxy fills is far above the sky.
    y, x = np.mgrid[-6:6, -6:6] + 0.5
    data = (3000 * np.exp(-np.hypot(x, y) / 1.5)).astype(np.float32)
    assert not find_bad_pixels(data, np.zeros(data.shape, bool), 2.0, 3.6).any()
    data[3, 4] = -500
    assert find_bad_pixels(data, np.zeros(data.shape, bool), 2.0, 3.6).sum() == 1
