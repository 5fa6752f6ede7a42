"""The sampling of galaxies of one model, so that cubes on one grid are as accurate as asked for."""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import CURVES, VERTICALS, DiskModel
from clumpygan.galaxies.rendering.curve_tables import CurveTable, table_of
from clumpygan.galaxies.rendering.fourier import FourierGrid, Optics
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.galaxies.rendering.points import (
    clump_points,
    clump_scales,
    disk_points,
    profile_of,
    ring_counts,
)
from clumpygan.galaxies.rendering.quadrature import (
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
from clumpygan.galaxies.rendering.sharpness import highest_frequency
from clumpygan.galaxies.rendering.spreading import OVERSAMPLING, kernel_width

FloatArray = NDArray[np.float64]

Span = tuple[float, float, float]
"""Lowest and highest radius in arcsec, and the power of the mapping from [0, 1] to the radius."""

NARROWEST_LINE = 0.1
"""Lines narrower than this share of a channel are made as wide: a step can't be integrated."""

_FINEST = 8
"""Samples of a pixel at which points are followed where there is no PSF."""

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
    choices : tuple of (ring, curve, drift, arms, warped, flows)
        Of the model, for compiled functions.
    kinks : ndarray
        Radii in arcsec at which the slope of the rotation curve jumps.
    sheet : tuple of ndarray (N, N), float and float
        Factors of the light, their extent, and the radius of the profile, as of a `LightMap`.
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
        first = table_of(model, model.defaults())
        self._table = None if model.curve == "rings" else first
        kinks = {"table": first[0], "rings": first[0][-1:]}
        self.kinks = kinks.get(model.curve, np.empty(0))
        curve = CURVES.index(model.curve)
        self.choices = (
            model.light == "ring", curve, model.asymmetric_drift, model.arms, model.warped,
            model.radial_flow,
        )  # fmt: skip
        self.sheet = (np.empty((0, 0)), 1.0, 1.0)
        if model.light_map is not None:
            light = model.light_map
            self.sheet = (light.values, light.extent, light.radius)
        elif model.light == "map":
            raise InputError("the light 'map' has no map: expected `light_map`")
        self.vertical = VERTICALS.index(model.vertical)
        self.tallest = _TALLEST[self.vertical] * self.digits
        self.resolution = min(grid.line_spread), NARROWEST_LINE * grid.channel_width

    def split(self, vector: FloatArray) -> tuple[FloatArray, CurveTable]:
        """Return light and motion of a vector (P,), as kernels take them, and the curve's table."""
        table = table_of(self.model, vector) if self._table is None else self._table
        return vector[: self.model.first_ratio], table

    def plan(self, vector: FloatArray) -> tuple[FourierGrid, float]:
        """Choose the grid, and the highest frequency that points must follow.

        The frequency is in rad/arcsec in the plane of the disk.

        Raises
        ------
        InputError
            If the grid would be too large.
        """
        optics, scale = self.optics, self.grid.pixel_scale
        p, table = self.split(vector)
        highest = highest_frequency(
            profile_of(p, self.sheet), self.choices, table, self.vertical, self.resolution,
            *optics.profile, self.accuracy,
        )  # fmt: skip
        field, margin = (self.grid.shape[1], self.grid.shape[2]), optics.margin
        if p[RADIUS] * stretch_of(p) > _SEA * scale * max(field):
            margin = optics.edge_margin
            highest = max(highest, min(optics.passed, _SHORE / scale))
        fourier = FourierGrid.of(field, margin, highest * scale, self.width)
        # Without a PSF the corners of the grid count, too.
        corner = math.sqrt(2) * math.pi * max(fourier.density) / scale
        return fourier, min(optics.passed, corner) * stretch_of(p)

    @cached_property
    def sharpest_grid(self) -> FourierGrid:
        """The grid of points, which are as sharp as can be: what the PSF passes is the limit."""
        scale, optics = self.grid.pixel_scale, self.optics
        passed = min(optics.passed, math.sqrt(2) * math.pi * _FINEST / scale)
        field = (self.grid.shape[1], self.grid.shape[2])
        return FourierGrid.of(field, optics.margin, passed * scale, self.width)

    def reaches(self, vector: FloatArray) -> bool:
        """Tell whether a galaxy can be represented: whether `plan` and `points` don't raise."""
        p, _ = self.split(vector)
        # What the PSF passes bounds the frequency, and is known without a plan.
        if self._always_fits and self._has_points(vector, self.optics.passed * stretch_of(p)):
            return True
        try:
            return self._has_points(vector, self.plan(vector)[1])
        except InputError:
            return False

    @cached_property
    def _always_fits(self) -> bool:
        """Whether the grid would be small enough for twice the frequencies that the PSF passes."""
        optics, field = self.optics, (self.grid.shape[1], self.grid.shape[2])
        margin, highest = max(optics.margin, optics.edge_margin), 2 * optics.passed
        if not math.isfinite(highest):
            return False
        try:
            FourierGrid.of(field, margin, highest * self.grid.pixel_scale, self.width)
        except InputError:
            return False
        return True

    def _has_points(self, vector: FloatArray, frequency: float) -> bool:
        try:
            self.ring_row(vector, self.span(vector), frequency)
            for first in range(FIRST_CLUMP, self.model.first_ratio, CLUMP_LENGTH):
                self.clump_rule(vector, first, frequency)
        except InputError:
            return False
        return True

    def points(self, vector: FloatArray, frequency: float) -> list[Any]:
        """Return the points of the disk and of each clump (see `rendering.points`).

        Parameters
        ----------
        vector : ndarray of shape (P,)
        frequency : float
            Of `plan`.

        Raises
        ------
        InputError
            If there would be too many.
        """
        p, table = self.split(vector)
        span = self.span(p)
        rule = self.radial_rule(self.ring_row(vector, span, frequency), span, self.kinks)
        heights = self.heights(p, frequency)
        disk = disk_points(
            p, self.choices, table, rule, span, heights, self.sheet, frequency,
            self.digits, self.resolution,
        )  # fmt: skip
        clumps = []
        for first in range(FIRST_CLUMP, p.size, CLUMP_LENGTH):
            row, count, reach = self.clump_rule(vector, first, frequency)
            clump = p, first, self.choices, table, legendre_rule(row), count, reach, heights
            clumps.append(clump_points(*clump))
        return [disk, *clumps]

    def span(self, p: FloatArray) -> Span:
        """Return the radii between which there is light in the field."""
        shining = profile_of(p, self.sheet)
        low, high, power = radial_range(shining, self.choices[0], extents(self.accuracy))
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

    def ring_row(self, vector: FloatArray, span: Span, frequency: float) -> int:
        """Return the row of `legendre_rule` for radii, at a frequency of `plan`."""
        p, table = self.split(vector)
        row = ring_rule(p, self.choices, table, span, frequency, self.resolution, self.digits)
        return self._checked(row)

    def radial_rule(self, row: int, span: Span, kinks: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return nodes and weights on [0, 1] over the radius.

        Parameters
        ----------
        row : int
            Of `ring_row`.
        span : Span
        kinks : ndarray
            Radii at which the slope of the curve jumps, in the unit of the span.
        """
        if not kinks.size:
            return legendre_rule(row)
        low, high, power = span
        breaks = np.clip((kinks - low) / (high - low), 0.0, 1.0) ** (1 / power)
        return broken_rule(row, breaks, self.digits)

    def ring_counts(
        self, vector: FloatArray, radii: FloatArray, frequency: float
    ) -> NDArray[np.int64]:
        """Return how many azimuths rings need, at a frequency of `plan`."""
        p, table = self.split(vector)
        counts, _, _ = ring_counts(
            p, self.choices, table, radii, frequency, self.digits, self.resolution
        )
        return np.asarray(counts)

    def clump_rule(
        self, vector: FloatArray, first: int, frequency: float
    ) -> tuple[int, int, float]:
        """Return row, azimuths and reach of the clump whose parameters begin at `first`."""
        p, table = self.split(vector)
        scales = clump_scales(p, first, self.choices, table, self.resolution)
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
