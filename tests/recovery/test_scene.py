"""Grids of a scene: padding, embedding, masks from one grid to the other."""

import numpy as np
import pytest

from clumpygan.instruments import DEFAULT_GRID
from clumpygan.recovery.scene import coarse_mask, embed, fine_mask, padded_shape


def test_stamps_are_filled_up_to_whole_blocks_and_25_hsc_pixels() -> None:
    assert padded_shape((54, 25), 5, DEFAULT_GRID) == (55, 25)
    assert padded_shape((10, 113), 14, DEFAULT_GRID) == (70, 126)
    larger = embed(np.ones((2, 3)), (4, 6), 0)
    assert larger.sum() == 6
    assert larger[1:3, 1:4].all()


def test_masks_go_from_one_grid_to_the_other_and_back() -> None:
    mask = np.zeros((25, 30), dtype=bool)
    mask[3:5, 7] = True
    mask[20:] = True
    fine = fine_mask(mask, DEFAULT_GRID)
    assert fine.shape == (70, 84)
    assert fine.mean() == pytest.approx(mask.mean(), rel=0.05)
    assert (coarse_mask(fine, DEFAULT_GRID) == mask).all()
