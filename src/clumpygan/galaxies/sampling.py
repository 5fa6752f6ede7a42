"""The sampling of galaxies of one model, so that cubes on one grid are as accurate as asked for."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.fourier import FourierGrid, Optics
from clumpygan.galaxies.grid import CubeGrid
from clumpygan.galaxies.parameters import CURVES, VERTICALS, DiskModel
from clumpygan.galaxies.points import clump_points, clump_scales, disk_points, ring_counts
from clumpygan.galaxies.quadrature import (
    CLUMP_LENGTH,
    FIRST_CLUMP,
    HEIGHT,
    MAXIMUM_RINGS,
    RADIUS,
    broken_rule,
    clump_rule,
    extents,
    farthest_radius,
    height_count,
    legendre_rule,
    radial_range,
    ring_rule,
    stretch_of,
    vertical_rule,
)
from clumpygan.galaxies.sharpness import highest_frequency
from clumpygan.galaxies.spreading import OVERSAMPLING, kernel_width

FloatArray = NDArray[np.float64]

Span = tuple[float, float, float]
"""Lowest and highest radius in arcsec, and the power of the mapping from [0, 1] to the radius."""

NARROWEST_LINE = 0.1
"""Lines narrower than this share of a channel are made as wide: a step can't be integrated."""

_FLAT = np.zeros(1), np.ones(1)

_TALLEST = (1.5, 2.5, 1.5)
"""Scale heights per digit of the accuracy, beyond which vertical profiles have no light."""

_SEA = 0.25
"""Half-light radii, over the field, above which there is light all around it: it ends abruptly."""

_SHORE = 2 * math.pi / OVERSAMPLING
"""Frequency in rad/pixel up to which such ends are followed, if PSF and pixel pass it."""


class Sampling:
    """Choose the Fourier grid of galaxies, and the points by which they are represented.

    Parameters
    ----------
    grid : CubeGrid
    model : DiskModel
    optics : Optics
    accuracy : float

    Attributes
    ----------
    width : int
        Of the spreading kernel.
    digits : float
        -log10 of the accuracy.
    choices : tuple of (ring, curve, drift, arms, warped)
        Of the model, for compiled functions.
    table : tuple of ndarray
        Radii and velocities of the rotation table.
    vertical : int
        Place of the vertical profile in `VERTICALS`.
    tallest : float
        Scale heights beyond which there is no light.
    resolution : tuple of float
        Smallest standard deviations of the LSF and of a line in km/s.
    """

    def __init__(self, grid: CubeGrid, model: DiskModel, optics: Optics, accuracy: float) -> None:
        self.grid, self.model, self.optics, self.accuracy = grid, model, optics, accuracy
        self.width = kernel_width(accuracy)
        self.digits = -math.log10(accuracy)
        table = np.array(model.rotation_table or [(0.0, 0.0), (1.0, 0.0)], dtype=np.float64)
        self.table = (np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]))
        curve = CURVES.index(model.curve)
        self.choices = (
            model.light == "ring", curve, model.asymmetric_drift, model.arms, model.warped,
        )  # fmt: skip
        self.vertical = VERTICALS.index(model.vertical)
        self.tallest = _TALLEST[self.vertical] * self.digits
        self.resolution = min(grid.line_spread), NARROWEST_LINE * grid.channel_width

    def plan(self, p: FloatArray) -> tuple[FourierGrid, float]:
        """Choose the grid, and the highest frequency that points must follow.

        The frequency is in rad/arcsec in the plane of the disk.

        Raises
        ------
        InputError
            If the grid would be too large.
        """
        optics, scale = self.optics, self.grid.pixel_scale
        highest = highest_frequency(
            p, self.choices, self.table, self.vertical, self.resolution, *optics.profile,
            self.accuracy,
        )  # fmt: skip
        field, margin = (self.grid.shape[1], self.grid.shape[2]), optics.margin
        if p[RADIUS] * stretch_of(p) > _SEA * scale * max(field):
            margin = optics.edge_margin
            highest = max(highest, min(optics.passed, _SHORE / scale))
        fourier = FourierGrid.of(field, margin, highest * scale, self.width)
        # Without a PSF the corners of the grid count, too.
        corner = math.sqrt(2) * math.pi * max(fourier.density) / scale
        return fourier, min(optics.passed, corner) * stretch_of(p)

    def points(self, p: FloatArray, frequency: float) -> list[Any]:
        """Return the points of the disk and of each clump (see `clumpygan.galaxies.points`).

        Parameters
        ----------
        p : ndarray of shape (P,)
        frequency : float
            Of `plan`.

        Raises
        ------
        InputError
            If there would be too many.
        """
        span = self.span(p)
        rule = self.radial_rule(self.ring_row(p, span, frequency), span, self.table[0])
        heights = self.heights(p, frequency)
        disk = disk_points(
            p, self.choices, self.table, rule, span, heights, frequency, self.digits,
            self.resolution,
        )  # fmt: skip
        clumps = []
        for first in range(FIRST_CLUMP, p.size, CLUMP_LENGTH):
            row, count, reach = self.clump_rule(p, first, frequency)
            clump = p, first, self.choices, self.table, legendre_rule(row), count, reach, heights
            clumps.append(clump_points(*clump))
        return [disk, *clumps]

    def span(self, p: FloatArray) -> Span:
        """Return the radii between which there is light in the field."""
        low, high, power = radial_range(p, self.choices[0], extents(self.accuracy))
        if not self.model.warped:
            scale, margin = self.grid.pixel_scale, self.optics.edge_margin + self.width
            half_field = [scale * (0.5 * n + margin) for n in self.grid.shape[1:]]
            farthest = farthest_radius(p, half_field[0], half_field[1], self.tallest)
            # Something is left of a ring that is nowhere in the field.
            high = min(high, max(farthest, low + 0.01 * (high - low)))
        return low, high, power

    def heights(self, p: FloatArray, frequency: float) -> tuple[FloatArray, FloatArray]:
        """Return the heights that are summed over, in scale heights, and their shares.

        Only warped disks need any: else the thickness multiplies the Fourier transform.
        """
        if not self.model.warped:
            return _FLAT
        wave = frequency * p[HEIGHT]
        count = height_count(self.model.vertical, wave, self.tallest, self.digits)
        return vertical_rule(self.model.vertical, count, self.tallest)

    def ring_row(self, p: FloatArray, span: Span, frequency: float) -> int:
        """Return the row of `legendre_rule` for radii, at a frequency of `plan`."""
        row = ring_rule(p, self.choices, self.table, span, frequency, self.resolution, self.digits)
        return self._checked(row)

    def radial_rule(self, row: int, span: Span, kinks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return nodes and weights on [0, 1] over the radius.

        Parameters
        ----------
        row : int
            Of `ring_row`.
        span : Span
        kinks : ndarray
            Radii of a rotation table, in the unit of the span.
        """
        if self.model.curve != "table":
            return legendre_rule(row)
        low, high, power = span
        breaks = np.clip((kinks - low) / (high - low), 0.0, 1.0) ** (1 / power)
        return broken_rule(row, breaks, self.digits)

    def ring_counts(self, p: FloatArray, radii: FloatArray, frequency: float) -> NDArray[np.int64]:
        """Return how many azimuths rings need, at a frequency of `plan`."""
        counts, _, _ = ring_counts(
            p, self.choices, self.table, radii, frequency, self.digits, self.resolution
        )
        return np.asarray(counts)

    def clump_rule(self, p: FloatArray, first: int, frequency: float) -> tuple[int, int, float]:
        """Return row, azimuths and reach of the clump whose parameters begin at `first`."""
        scales = clump_scales(p, first, self.choices, self.table, self.resolution)
        row, count, reach = clump_rule(*scales, frequency, self.digits)
        return self._checked(row), count, reach

    def _checked(self, row: int) -> int:
        if row >= MAXIMUM_RINGS // 4:
            raise InputError(
                f"{4 * (row + 1)} rings would be needed for an accuracy of {self.accuracy:g}, at "
                f"most {MAXIMUM_RINGS} are made; give a PSF, wider lines, a smaller galaxy or a "
                "larger accuracy"
            )
        return row
