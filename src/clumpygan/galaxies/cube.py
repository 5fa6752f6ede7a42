"""Velocity cubes of thick, rotating, clumpy disks, compiled: for data sets and benchmarks.

The definition, which `cube_torch` and the reference of the tests share. In the plane of the disk,
with R and phi polar coordinates (phi = 0 on the receding side of the major axis, growing with the
rotation):

- light: S(R, phi) = (1 - B) D(R) [1 + A t(R) cos(m (phi - phi_A(R)))] [1 + L l(R) cos(phi - phi_L)]
  + B D_B(R), with Sersic profiles (or a Gaussian annulus) of unit flux, logarithmic trailing arms
  phi_A = phase - cot(pitch) ln(R / R_h), t = R^2 / (R^2 + (0.3 R_h)^2), l = R^2 / (R^2 + R_h^2);
  and Gaussian clumps, which have their share of the flux;
- above the plane: exp(-z^2 / 2 h^2), exp(-|z| / h) or sech^2(z / h);
- velocity: V(R) cos(phi) sin(i), the same at all heights; dispersion sigma(R), a clump's its own;
- on the sky: rotated to the position angle, inclined, sheared, magnified, moved;
- each line: the Gaussian of the dispersion and of the LSF, integrated over the channels;
- the continuum: the light of the galaxy, linear in velocity;
- the PSF, and the integral over the pixels.

At one radius and azimuth the profile along the line is the same at all heights, so the thickness is
a convolution along the projected normal of the disk, and multiplies the Fourier transform. What
remains is a sum over points in the plane, each spread with its line profile (`spreading`), and one
FFT. A warped disk has no single normal: there, heights are summed over.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.fourier import FourierGrid, Optics, Transfer
from clumpygan.galaxies.grid import CubeGrid
from clumpygan.galaxies.light import line_profile, line_width
from clumpygan.galaxies.parameters import (
    CURVES,
    VERTICALS,
    DiskModel,
    DiskParameters,
    stack,
)
from clumpygan.galaxies.points import clump_points, disk_points, sky_axes
from clumpygan.galaxies.quadrature import (
    CLUMP_LENGTH,
    FIRST_CLUMP,
    extents,
    highest_frequency,
    legendre_rules,
    radial_range,
    ring_rule,
    stretch_of,
    vertical_rule,
    vertical_transform,
)
from clumpygan.galaxies.spreading import is_inside, kernel_polynomials, kernel_width, spread

FloatArray = NDArray[np.float64]
Cube = NDArray[np.float32]

_MODEL = DiskModel()
_HEIGHT = _MODEL.index("scale_height")
_DOUBLET = _MODEL.index("doublet_ratio")
_CONTINUUM = _MODEL.index("continuum")
_CONTINUUM_SLOPE = _MODEL.index("continuum_slope")

NARROWEST_LINE = 0.1
"""Lines narrower than this share of a channel are made as wide: a step can't be integrated."""

WARPED_HEIGHTS = 9
"""Heights that are summed over in a warped disk."""


@njit(cache=True, nogil=True)
def _spread_points(grid, points, scale, origin, lines, coefficients, continuum):  # type: ignore[no-untyped-def]
    """Spread points onto the grid (Y, X, C), with a last channel for all their light if asked."""
    x, y, flux, velocity, sigma = points
    edges, line_fluxes, spreads, narrowest, integrate, reach = lines
    profile = np.zeros(grid.shape[2], dtype=grid.dtype)
    channels = edges.shape[1] - 1
    row = np.empty(coefficients.shape[1], dtype=grid.dtype)
    column = np.empty(coefficients.shape[1], dtype=grid.dtype)
    for g in range(velocity.size):
        low, high = -1, -1
        for m in range(x.shape[1]):
            place_y, place_x = y[g, m] * scale[0] + origin[0], x[g, m] * scale[1] + origin[1]
            if flux[g, m] == 0.0 or not is_inside(place_y, place_x, grid.shape):
                continue
            if low < 0:
                low, high = line_profile(
                    velocity[g], sigma[g], edges, line_fluxes, spreads, narrowest, integrate, reach,
                    profile,
                )  # fmt: skip
            spread(
                grid, place_y, place_x, flux[g, m], profile, low, high, coefficients, row, column
            )
            if continuum:
                profile[channels] = 1.0
                spread(
                    grid, place_y, place_x, flux[g, m], profile, channels, channels + 1,
                    coefficients, row, column,
                )  # fmt: skip
                profile[channels] = 0.0


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _observe(modes, multiplier, normal, vertical, period, out):  # type: ignore[no-untyped-def]
    """Multiply modes (M, M / 2 + 1, C) with what is observed, and fold them onto those of pixels.

    Parameters
    ----------
    modes : ndarray of complex
    multiplier : ndarray of shape (M, M / 2 + 1, C or 1), complex
    normal : tuple of float
        Scale height along the projected normal, (y, x) in pixels.
    vertical : int
    period : tuple of int
        L.
    out : ndarray of shape (L, L / 2 + 1, C), complex
        To be added to.
    """
    rows, columns, channels = modes.shape
    long, wide = period
    single = multiplier.shape[2] == 1
    factor = np.empty(channels, dtype=modes.dtype)
    for i in range(rows):
        ky = i if i <= rows // 2 else i - rows
        for j in range(columns):
            if multiplier[i, j, 0] == 0.0:
                continue
            wave = 2.0 * math.pi * (ky * normal[0] / long + j * normal[1] / wide)
            thick = vertical_transform(wave, vertical)
            if thick < 1e-12:
                continue
            for c in range(channels):
                factor[c] = modes[i, j, c] * multiplier[i, j, 0 if single else c] * thick
            place = j % wide
            if place <= wide // 2:
                target = out[ky % long, place]
                for c in range(channels):
                    target[c] += factor[c]
            if j > 0 and (wide - place) % wide <= wide // 2:
                target = out[-ky % long, (wide - place) % wide]
                for c in range(channels):
                    target[c] += factor[c].conjugate()


class CubeRenderer:
    """Render cubes of one grid and one model.

    Parameters
    ----------
    grid : CubeGrid
    model : DiskModel
    psf : Transfer, optional
        Optical transfer function: maps (ky, kx) in cycles/arcsec to (Ky, Kx), or to (C, Ky, Kx) if
        it changes along the cube.
    accuracy : float
        Largest error of a voxel over the largest voxel, between 1e-7 and 0.03.
    threads : int
        Cubes that are rendered at the same time.

    Raises
    ------
    InputError
        If the accuracy is out of its range, or the PSF's transfer function of the wrong shape.
    """

    def __init__(
        self,
        grid: CubeGrid,
        model: DiskModel | None = None,
        psf: Transfer | None = None,
        accuracy: float = 1e-3,
        threads: int = 1,
    ) -> None:
        if not 1e-7 <= accuracy <= 0.03:
            raise InputError(f"accuracy is {accuracy:g}; expected 1e-7 to 0.03 of the peak")
        self.grid, self.accuracy, self.threads = grid, accuracy, threads
        self.model = model or DiskModel()
        self.optics = Optics(grid, psf, accuracy)
        self.digits = -math.log10(accuracy)
        self.width = kernel_width(accuracy)
        self._coefficients = kernel_polynomials(self.width)
        self._complex = np.complex64 if accuracy > 3e-6 else np.complex128
        self.falls = bool(grid.edges[0, 0] > grid.edges[0, -1])
        self._edges = np.ascontiguousarray(grid.edges[:, ::-1] if self.falls else grid.edges)
        self.line_fluxes = np.array(grid.line_fluxes) / sum(grid.line_fluxes)
        self.spreads = np.array(grid.line_spread)
        self.narrowest = NARROWEST_LINE * grid.channel_width
        self.resolution = float(self.spreads.min()), self.narrowest
        table = np.array(self.model.rotation_table or [(0.0, 0.0), (1.0, 0.0)], dtype=np.float64)
        self.table = (np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]))
        model = self.model
        self.choices = (
            model.light == "ring",
            CURVES.index(model.curve),
            model.asymmetric_drift,
            model.arms,
            model.warped,
        )
        self._vertical = VERTICALS.index(model.vertical)
        flat = (np.zeros(1), np.ones(1))
        self.heights = vertical_rule(model.vertical, WARPED_HEIGHTS) if model.warped else flat
        self._reach = math.sqrt(2 * math.log(10) * (self.digits + 0.5))
        self.multiplier = lru_cache(maxsize=16)(self._make_multiplier)

    def __call__(self, vectors: ArrayLike) -> Cube:
        """Render a batch.

        Parameters
        ----------
        vectors : array_like of shape (B, P)
            In the order of `model.names`.

        Returns
        -------
        ndarray of shape (B, v, y, x), float32
            Flux per voxel, in the unit of the parameter `flux`.
        """
        batch = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
        if batch.shape[1] != len(self.model.names):
            raise InputError(
                f"parameter vectors of length {batch.shape[1]}: expected {len(self.model.names)}"
            )
        if not np.isfinite(batch).all():
            raise InputError("parameter vectors with values that aren't finite")
        cubes = np.empty((len(batch), *self.grid.shape), dtype=np.float32)
        if self.threads == 1 or len(batch) == 1:
            for vector, cube in zip(batch, cubes, strict=True):
                self._render(vector, cube)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(self._render, batch, cubes))
        return cubes

    def _render(self, p: FloatArray, cube: Cube) -> None:
        fourier, frequency = self.plan(p)
        groups = self.points(p, frequency)
        lit = self._lit_channels(groups)
        channels = lit.stop - lit.start
        continuum = bool(p[_CONTINUUM])
        real = np.float32 if self._complex is np.complex64 else np.float64
        spreading = np.zeros((*fourier.points, channels + continuum), dtype=real)
        edges = np.ascontiguousarray(self._edges[:, lit.start : lit.stop + 1])
        lines = (
            edges, self._shares(p), self.spreads, self.narrowest, self.grid.channel_response,
            self._reach,
        )  # fmt: skip
        density, scale = fourier.density, self.grid.pixel_scale
        middle = [(n - 1) / 2 + m for n, m in zip(fourier.field, fourier.margin, strict=True)]
        placement = (
            (density[0] / scale, density[1] / scale),
            (density[0] * middle[0], density[1] * middle[1]),
        )
        for points in groups:
            _spread_points(spreading, points, *placement, lines, self._coefficients, continuum)
        modes = scipy.fft.rfft2(spreading, axes=(0, 1), overwrite_x=True)
        folded = np.zeros(
            (fourier.period[0], fourier.period[1] // 2 + 1, channels + continuum), self._complex
        )
        *_, normal_x, normal_y, _ = sky_axes(p, 0.0)
        height = 0.0 if self.model.warped else p[_HEIGHT] / scale
        normal = (normal_y * height, normal_x * height)
        multiplier = self.multiplier(fourier, continuum)
        if multiplier.shape[-1] > 1:
            wanted = [*range(lit.start, lit.stop), -1][: channels + continuum]
            multiplier = np.ascontiguousarray(multiplier[..., wanted])
        _observe(modes, multiplier, normal, self._vertical, fourier.period, folded)
        image = scipy.fft.irfft2(folded, s=fourier.period, axes=(0, 1), overwrite_x=True)
        image = image[: fourier.field[0], : fourier.field[1]]
        rising = cube[::-1] if self.falls else cube
        rising[...] = 0.0
        rising[lit] = np.moveaxis(image[..., :channels], -1, 0)
        if continuum:
            cube += image[..., channels] * self.continuum(p)[:, None, None]

    def _shares(self, p: FloatArray) -> FloatArray:
        """Return the shares of the lines in the flux."""
        if len(self.line_fluxes) != 2:
            return self.line_fluxes
        ratio = p[_DOUBLET]
        return np.array([ratio / (1 + ratio), 1 / (1 + ratio)])

    def _lit_channels(self, groups: list[Any]) -> slice:
        """Return the channels, in rising order, that light of any line can reach."""
        low, high = self.grid.shape[0], 0
        slowest = min(velocity.min() for *_, velocity, _ in groups)
        fastest = max(velocity.max() for *_, velocity, _ in groups)
        widest = max(sigma.max() for *_, sigma in groups)
        for edges, spread_ in zip(self._edges, self.spreads, strict=True):
            reach = self._reach * line_width(widest, spread_, self.narrowest)
            low = min(low, int(np.searchsorted(edges, slowest - reach, side="right")) - 1)
            high = max(high, int(np.searchsorted(edges, fastest + reach, side="left")))
        low = min(max(low, 0), self.grid.shape[0] - 1)
        return slice(low, max(min(high, self.grid.shape[0]), low + 1))

    def points(self, p: FloatArray, frequency: float) -> list[Any]:
        """Return the points of the disk and of each clump (see `clumpygan.galaxies.points`).

        Parameters
        ----------
        p : ndarray of shape (P,)
        frequency : float
            Highest spatial frequency on the sky in rad/arcsec.
        """
        ring, _, _, arms, _ = self.choices
        in_plane = frequency * stretch_of(p)
        low, high, power = radial_range(p, ring, extents(self.accuracy))
        row = ring_rule(p, arms, low, high, power, in_plane, self.digits)
        nodes, weights = legendre_rules()
        count = 4 * (row + 1)
        shared = (self.heights, in_plane, self.digits, self.resolution)
        rule = (nodes[row, :count], weights[row, :count])
        disk = disk_points(p, self.choices, self.table, rule, (low, high, power), *shared)
        clumps = [
            clump_points(p, first, self.choices, self.table, legendre_rules(), *shared)
            for first in range(FIRST_CLUMP, p.size, CLUMP_LENGTH)
        ]
        return [disk, *clumps]

    def continuum(self, p: FloatArray) -> FloatArray:
        """Return the continuum of the channels (v,), as shares of the line flux."""
        centres = self.grid.centres[0] / 1000
        widths = np.abs(np.diff(self.grid.edges[0])) / 1000
        return np.asarray(p[_CONTINUUM] * (1 + p[_CONTINUUM_SLOPE] * centres) * widths)

    def plan(self, p: FloatArray) -> tuple[FourierGrid, float]:
        """Choose the grid, and the highest frequency in rad/arcsec that points must follow."""
        optics, scale = self.optics, self.grid.pixel_scale
        highest = highest_frequency(
            p, self.model.clumps, self.choices[0], self._vertical, *optics.profile,
            0.5 * self.accuracy,
        )  # fmt: skip
        field = self.grid.shape[1], self.grid.shape[2]
        fourier = FourierGrid.of(field, optics.margin, highest * scale, self.width)
        passed = min(optics.passed, math.pi * max(fourier.density) / scale)
        return fourier, passed

    def _make_multiplier(self, fourier: FourierGrid, continuum: bool) -> NDArray[Any]:
        multiplier = self.optics.multiplier(fourier, self.width).astype(self._complex)
        if multiplier.ndim == 2:
            return multiplier[..., None]
        if self.falls:
            multiplier = multiplier[..., ::-1]
        if continuum:
            # The light of all channels is seen as in the middle one.
            middle = multiplier[..., [multiplier.shape[-1] // 2]]
            multiplier = np.concatenate([multiplier, middle], axis=-1)
        return np.ascontiguousarray(multiplier)


def render_cube(
    parameters: DiskParameters | Sequence[DiskParameters],
    grid: CubeGrid,
    *,
    psf: Transfer | None = None,
    accuracy: float = 1e-3,
    threads: int = 1,
) -> Cube:
    """Render the cube of a galaxy, or of several of one model.

    Parameters
    ----------
    parameters : DiskParameters, or a sequence of them
    grid : CubeGrid
    psf : Transfer, optional
        Maps (ky, kx) in cycles/arcsec to the optical transfer function.
    accuracy : float
        Largest error over the largest voxel.
    threads : int

    Returns
    -------
    ndarray of shape (v, y, x), or (B, v, y, x) for a sequence, float32
        Flux per voxel, in the unit of the parameter `flux`.

    Raises
    ------
    InputError
        If the galaxies are of different models, or the accuracy can't be reached.
    """
    galaxies = [parameters] if isinstance(parameters, DiskParameters) else list(parameters)
    vectors = stack(galaxies)
    cubes = CubeRenderer(grid, galaxies[0].model, psf, accuracy, threads)(vectors)
    return cubes[0] if isinstance(parameters, DiskParameters) else cubes
