"""Pairs of grids: exact ratios, the nearest one where there is none, and what is refused."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.instruments import DEFAULT_GRID, GridPair, ObservationOperator


@pytest.mark.parametrize(
    ("observed", "target", "blocks"),
    [(0.168, 0.06, (14, 5)), (0.2, 0.06, (10, 3)), (0.168, 0.03, (28, 5)), (0.2, 0.1, (2, 1))],
)
def test_ratios_are_found_from_the_scales(
    observed: float, target: float, blocks: tuple[int, int]
) -> None:
    grid = GridPair(target, observed)
    assert (grid.fine_block, grid.coarse_block) == blocks
    assert grid.ratio == pytest.approx(observed / target)
    assert grid.area_ratio == pytest.approx((observed / target) ** 2)
    assert GridPair.nearest(target, observed) == grid


def test_hsc_and_hst_are_the_default_pair() -> None:
    assert GridPair(0.06, 0.168) == DEFAULT_GRID
    assert DEFAULT_GRID.stamp == 112
    assert DEFAULT_GRID.area_ratio == (14 / 5) ** 2
    assert str(DEFAULT_GRID) == '0.168" to 0.06"'


def test_the_target_gives_way_where_the_ratio_is_not_small() -> None:
    with pytest.raises(InputError, match=r"ratio, 4\.383, is none of small whole numbers"):
        GridPair(0.06, 0.263)
    grid = GridPair.nearest(0.06, 0.263)
    assert (grid.fine_block, grid.coarse_block) == (13, 3)
    assert grid.observed_scale == 0.263
    assert grid.target_scale == pytest.approx(0.263 * 3 / 13)
    assert abs(grid.target_scale / 0.06 - 1) < 0.015


@pytest.mark.parametrize(("target", "observed"), [(0.2, 0.06), (0.06, 0.06), (0.0, 0.2)])
def test_pixels_that_are_not_finer_are_refused(target: float, observed: float) -> None:
    with pytest.raises(InputError, match="smaller than the observed ones"):
        GridPair.nearest(target, observed)


def test_a_place_on_one_grid_is_told_on_the_other() -> None:
    edges = np.array([-0.5, 13.5, 111.5])  # of the first pixel, the first block and the stamp
    assert DEFAULT_GRID.observed_place(edges) == pytest.approx([-0.5, 4.5, 39.5])
    assert DEFAULT_GRID.observed_place(55.5) == pytest.approx(19.5)


def test_pixels_that_are_far_too_fine_are_refused() -> None:
    with pytest.raises(InputError, match="none of small whole numbers"):
        GridPair.nearest(0.001, 0.168)


def test_shapes_go_from_one_grid_to_the_other_in_whole_blocks() -> None:
    grid = GridPair(0.06, 0.2)
    assert grid.fine_shape((36, 30)) == (120, 100)
    assert grid.coarse_shape((120, 100)) == (36, 30)
    with pytest.raises(ValueError, match=r"37 observed pixels .* multiple of 3"):
        grid.fine_shape((36, 37))
    assert ObservationOperator(grid=grid).margin == 18
    with pytest.raises(ValueError, match="multiple of 3 >= 0, got 20"):
        ObservationOperator(20, grid)
