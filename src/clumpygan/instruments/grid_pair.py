"""The pixels of a sharp image and of an observed one: two grids of one scene, in an exact ratio."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np

from clumpygan.errors import InputError

Place = TypeVar("Place", float, np.ndarray)

LARGEST_COARSE_BLOCK = 6
"""Most pixels of the observed image in a block: stamps are made of whole blocks."""

LARGEST_FINE_BLOCK = 48
"""Most pixels of the target image in a block."""

EXACT = 1e-4
"""Relative error of a ratio that counts as exact: a hundredth of a pixel in a hundred."""

STAMP_WIDTH = 6.72
"""Least width of a standard stamp in arcsec: 112 pixels of HST, 40 of HSC."""

LARGEST_CHANGE = 0.015
"""Share by which `GridPair.nearest` changes the target's pixel scale at most."""


@dataclass(frozen=True)
class GridPair:
    """The grid of the target image and that of the observed one, as wide and of one centre.

    Attributes
    ----------
    target_scale, observed_scale : float
        arcsec per pixel of the sharp and of the observed image.
    fine_block, coarse_block : int
        As many target pixels are as wide as so many observed ones: found from the two scales.

    Raises
    ------
    InputError
        If the observed pixels aren't wider, or the ratio isn't one of small whole numbers.

    Examples
    --------
    >>> pair = GridPair(0.06, 0.168)
    >>> pair.fine_block, pair.coarse_block
    (14, 5)
    """

    target_scale: float
    observed_scale: float
    fine_block: int = field(init=False)
    coarse_block: int = field(init=False)

    def __post_init__(self) -> None:
        ratio = _small_ratio(self.target_scale, self.observed_scale, EXACT)
        if ratio is None:
            raise InputError(
                f'pixels of {self.observed_scale:g}" and {self.target_scale:g}": their ratio, '
                f"{self.observed_scale / self.target_scale:.4g}, is none of small whole numbers; "
                "choose another scale of the target"
            )
        object.__setattr__(self, "fine_block", ratio.numerator)
        object.__setattr__(self, "coarse_block", ratio.denominator)

    @classmethod
    def nearest(cls, target_scale: float, observed_scale: float) -> "GridPair":
        """Return the pair whose target pixels are as nearly as possible of a wanted scale.

        Where the two scales have no small ratio, the target's is changed, by 1.5 % at most, to
        the one with the smallest blocks.

        Parameters
        ----------
        target_scale, observed_scale : float
            arcsec per pixel.

        Raises
        ------
        InputError
            If the observed pixels aren't wider, or no scale so near has a small ratio.

        Examples
        --------
        >>> pair = GridPair.nearest(0.06, 0.263)
        >>> pair.fine_block, pair.coarse_block, round(pair.target_scale, 4)
        (13, 3, 0.0607)
        """
        if _small_ratio(target_scale, observed_scale, EXACT) is None:
            ratio = _small_ratio(target_scale, observed_scale, LARGEST_CHANGE)
            if ratio is not None:
                target_scale = float(Fraction(repr(observed_scale)) / ratio)
        return cls(target_scale, observed_scale)

    @property
    def ratio(self) -> float:
        """Return how many target pixels are as wide as an observed one."""
        return self.fine_block / self.coarse_block

    @property
    def area_ratio(self) -> float:
        """Return how many target pixels are in the area of an observed one."""
        return self.ratio**2

    @property
    def block_width(self) -> float:
        """Return the width of a block in arcsec."""
        return self.coarse_block * self.observed_scale

    @property
    def stamp(self) -> int:
        """Return the side of a standard stamp in target pixels: whole blocks of 6.72" or more."""
        return self.fine_block * self.blocks_in(STAMP_WIDTH)

    def fine_shape(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        """Return the shape (Y, X) of the target stamp that covers an observed one of (y, x).

        Raises
        ------
        ValueError
            If a side isn't a positive multiple of the block of observed pixels.
        """
        height, width = (_blocks(side, self.coarse_block, "observed") for side in coarse_shape)
        return self.fine_block * height, self.fine_block * width

    def coarse_shape(self, fine_shape: tuple[int, int]) -> tuple[int, int]:
        """Return the shape (y, x) of the observed stamp that a target stamp of (Y, X) covers.

        Raises
        ------
        ValueError
            If a side isn't a positive multiple of the block of target pixels.
        """
        height, width = (_blocks(side, self.fine_block, "target") for side in fine_shape)
        return self.coarse_block * height, self.coarse_block * width

    def observed_place(self, target_place: Place) -> Place:
        """Return where a place in target pixels is in observed ones: stamps have the same edges.

        Parameters
        ----------
        target_place : float or numpy.ndarray
            In pixels along an axis, 0 in the middle of the first.
        """
        return (target_place + 0.5) / self.ratio - 0.5

    def blocks_in(self, width: float) -> int:
        """Return how many blocks a stamp of at least so many arcsec has."""
        return max(1, -int(-(width / self.block_width - EXACT) // 1))

    def __str__(self) -> str:
        """Return the two scales, as in 0.168" to 0.06"."""
        return f'{self.observed_scale:.4g}" to {self.target_scale:.4g}"'


def _small_ratio(target_scale: float, observed_scale: float, tolerance: float) -> Fraction | None:
    """Return the ratio of the scales with the smallest denominator within the tolerance."""
    if not 0 < target_scale < observed_scale < float("inf"):
        raise InputError(
            f'pixels of {observed_scale:g}" observed and {target_scale:g}" wanted: expected '
            "arcsec > 0, and wanted pixels that are smaller than the observed ones"
        )
    wanted = Fraction(repr(float(observed_scale))) / Fraction(repr(float(target_scale)))
    for denominator in range(1, LARGEST_COARSE_BLOCK + 1):
        ratio = Fraction(round(wanted * denominator), denominator)
        small = ratio > 1 and ratio.numerator <= LARGEST_FINE_BLOCK
        if small and abs(ratio / wanted - 1) <= tolerance:
            return ratio
    return None


def _blocks(side: int, block: int, grid: str) -> int:
    if side <= 0 or side % block:
        raise ValueError(
            f"a stamp of {side} {grid} pixels can't be resampled exactly: "
            f"crop or pad it to a multiple of {block}"
        )
    return side // block


DEFAULT_GRID = GridPair(target_scale=0.06, observed_scale=0.168)
"""HSC's coadds and the mosaics of CANDELS: 14 pixels of 0.06" are as wide as 5 of 0.168"."""
