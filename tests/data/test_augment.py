"""Cropped and padded about the middle; turned in all eight ways."""

import numpy as np
import pytest

from clumpygan.data.augment import centred, turned


@pytest.mark.parametrize("size", [4, 6, 7, 10, 11])
def test_the_middle_stays_in_the_middle(size):
    image = np.zeros((8, 6))
    image[3:5, 2:4] = 1.0
    framed = centred(image, size, fill=-1.0)
    assert framed.shape == (size, size)
    assert framed.dtype == np.float32
    assert framed[framed > 0].sum() == 4
    for axis in (0, 1):
        light = np.clip(framed, 0, None).sum(1 - axis)
        middle = (light * np.arange(size)).sum() / light.sum()
        assert abs(middle - (size - 1) / 2) <= 0.5
    kept = min(size, 8) * min(size, 6)
    assert (framed == -1.0).sum() == size**2 - kept


def test_all_eight_orientations_come_up_equally():
    image = np.array([[0, 1], [3, 2]])
    generator = np.random.default_rng(0)
    seen = [tuple(turned(image, generator).ravel().tolist()) for _ in range(800)]
    counts = {one: seen.count(one) for one in set(seen)}
    assert len(counts) == 8
    assert min(counts.values()) > 60
