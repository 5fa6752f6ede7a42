"""Velocity cubes of thick, rotating, clumpy disks, compiled: for data sets and benchmarks.

The definition, which `cube_torch` and the reference of the tests share. In the plane of the disk,
with R and phi polar coordinates (phi = 0 on the receding side of the major axis, growing with the
rotation):

- light: S(R, phi) = (1 - B) D(R) [1 + A t(R) cos(m (phi - phi_A(R)))] [1 + L l(R) cos(phi - phi_L)]
  + B D_B(R), with Sersic profiles (or a Gaussian annulus) of unit flux, logarithmic trailing arms
  phi_A = phase - cot(pitch) ln(R / R_h), t = R^2 / (R^2 + (0.3 R_h)^2), l = R^2 / (R^2 + R_h^2);
  times a map in the plane, if there is one; and Gaussian clumps, with their share of the flux;
- above the plane: exp(-z^2 / 2 h^2), exp(-|z| / h) or sech^2(z / h);
- velocity: [V(R) cos(phi) + V_r(R) sin(phi)] sin(i), the same at all heights, V_r outwards;
  dispersion sigma(R), a clump's its own;
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
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import DiskModel, DiskParameters, stack
from clumpygan.galaxies.gas.clouds import Cloud
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.fourier import FourierGrid, Optics, Transfer
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.galaxies.rendering.light import line_profile, line_width
from clumpygan.galaxies.rendering.points import sky_axes
from clumpygan.galaxies.rendering.sampling import Sampling
from clumpygan.galaxies.rendering.sharpness import vertical_transform
from clumpygan.galaxies.rendering.spreading import is_inside, kernel_polynomials, spread

FloatArray = NDArray[np.float64]
Cube = NDArray[np.float32]

_MODEL = DiskModel()
_HEIGHT = _MODEL.index("scale_height")
_CONTINUUM = _MODEL.index("continuum")
_CONTINUUM_SLOPE = _MODEL.index("continuum_slope")


@njit
def _spread_points(grid, points, scale, origin, lines, coefficients, continuum):  # type: ignore[no-untyped-def]
    """Spread points onto the grid (Y, X, C), with a last channel for all their light if asked.

    The shares of the lines are those of each point (G, lines), or the same for all (1, lines).
    """
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
                    velocity[g], sigma[g], edges, line_fluxes[min(g, line_fluxes.shape[0] - 1)],
                    spreads, narrowest, integrate, reach, profile,
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


@njit(fastmath={"contract", "reassoc"})
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


@njit
def _reached(velocity, sigma, edges, spreads, narrowest, reach):  # type: ignore[no-untyped-def]
    """Return the first channel, and the one after the last, that light of points can reach."""
    slowest, fastest, widest = velocity.min(), velocity.max(), sigma.max()
    low, high = edges.shape[1] - 1, 0
    for line in range(edges.shape[0]):
        away = reach * line_width(widest, spreads[line], narrowest)
        low = min(low, np.searchsorted(edges[line], slowest - away, side="right") - 1)
        high = max(high, np.searchsorted(edges[line], fastest + away, side="left"))
    return low, high


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

    Examples
    --------
    >>> renderer = CubeRenderer(CubeGrid.velocities((20, 24, 24), 0.2, 40.0))
    >>> vectors = [DiskParameters(inclination=i).to_vector() for i in (30, 60)]
    >>> renderer(vectors).shape
    (2, 20, 24, 24)
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
        if self.model.extra_lines and self.model.extra_lines != len(grid.edges) - 2:
            raise InputError(
                f"a model with ratios of {self.model.extra_lines + 2} lines and a grid of "
                f"{len(grid.edges)}: expected as many"
            )
        self.optics = Optics(grid, psf, accuracy)
        self.sampling = Sampling(grid, self.model, self.optics, accuracy)
        self._coefficients = kernel_polynomials(self.sampling.width)
        self._complex = np.complex64 if accuracy > 3e-6 else np.complex128
        self.falls = bool(grid.edges[0, 0] > grid.edges[0, -1])
        self._edges = np.ascontiguousarray(grid.edges[:, ::-1] if self.falls else grid.edges)
        self.line_fluxes = np.array(grid.line_fluxes) / sum(grid.line_fluxes)
        self.spreads = np.array(grid.line_spread)
        self.narrowest = self.sampling.resolution[1]
        self._reach = math.sqrt(2 * math.log(10) * (self.sampling.digits + 0.5))
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
        if batch.shape[1] != len(self.model.table):
            raise InputError(
                f"parameter vectors of length {batch.shape[1]}: expected {len(self.model.table)}"
            )
        if not np.isfinite(batch).all():
            raise InputError("parameter vectors with values that aren't finite")
        cubes = np.empty((len(batch), *self.grid.shape), dtype=np.float32)
        if self.threads == 1 or len(batch) == 1:
            for vector, cube in zip(batch, cubes, strict=True):
                cube[...] = self.render_disk(vector)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                for cube, found in zip(cubes, pool.map(self.render_disk, batch), strict=True):
                    cube[...] = found
        return cubes

    def can_render(self, vector: ArrayLike) -> bool:
        """Tell whether a galaxy (P,) needs no finer a sampling than there is."""
        return self.sampling.reaches(np.asarray(vector, dtype=np.float64))

    def render_cloud(self, vector: ArrayLike, cloud: Cloud, blur: float = 0.0) -> Cube:
        """Render points, as thick as a disk and with its continuum.

        Parameters
        ----------
        vector : array_like of shape (P,)
            Of the disk. Its thickness is along the normal in its centre, and its continuum that of
            all points.
        cloud : Cloud
            With a share of each of the lines of the grid.
        blur : float
            Standard deviation in arcsec of a Gaussian by which the PSF is widened.

        Returns
        -------
        ndarray of shape (v, y, x), float32
        """
        cube = np.empty(self.grid.shape, dtype=np.float32)
        columns = (one[:, None] for one in cloud[:3])
        points = (*columns, cloud.velocity, cloud.dispersion)
        told = np.asarray(vector, dtype=np.float64)
        self._assemble(told, self.sampling.sharpest_grid, [points], cloud.shares, cube, blur)
        return cube

    def render_disk(
        self, vector: ArrayLike, blur: float = 0.0, shares: ArrayLike | None = None
    ) -> Cube:
        """Render one disk in a seeing of its own.

        Parameters
        ----------
        vector : array_like of shape (P,)
        blur : float
            Standard deviation in arcsec of a Gaussian by which the PSF is widened.
        shares : array_like of shape (lines,), optional
            Of the lines in the flux; those of the grid or of the vector by default.

        Returns
        -------
        ndarray of shape (v, y, x), float32
        """
        cube = np.empty(self.grid.shape, dtype=np.float32)
        told = np.asarray(vector, dtype=np.float64)
        lines = self.line_shares(told) if shares is None else np.asarray(shares, dtype=np.float64)
        fourier, frequency = self.sampling.plan(told)
        groups = self.sampling.points(told, frequency)
        self._assemble(told, fourier, groups, lines[None], cube, blur)
        return cube

    def _assemble(
        self,
        vector: FloatArray,
        fourier: FourierGrid,
        groups: list[Any],
        shares: FloatArray,
        cube: Cube,
        blur: float = 0.0,
    ) -> None:
        """Spread points, observe them, and write what is seen to the cube."""
        p, _ = self.sampling.split(vector)
        continuum = bool(p[_CONTINUUM])
        multiplier = self.multiplier(fourier)
        # A PSF of every channel sees the continuum in every channel.
        each = multiplier.shape[-1] > 1
        lit = slice(0, self.grid.shape[0]) if continuum and each else self._lit_channels(groups)
        channels = lit.stop - lit.start
        real = np.float32 if self._complex is np.complex64 else np.float64
        spreading = np.zeros((*fourier.points, channels + continuum), dtype=real)
        edges = np.ascontiguousarray(self._edges[:, lit.start : lit.stop + 1])
        lines = (
            edges, shares, self.spreads, self.narrowest, self.grid.channel_response,
            self._reach,
        )  # fmt: skip
        density, middle, scale = fourier.density, fourier.middle, self.grid.pixel_scale
        placement = (
            (density[0] / scale, density[1] / scale),
            (density[0] * middle[0], density[1] * middle[1]),
        )
        for points in groups:
            _spread_points(spreading, points, *placement, lines, self._coefficients, continuum)
        modes = scipy.fft.rfft2(spreading, axes=(0, 1), overwrite_x=True)
        if each and continuum:
            share = self.continuum(p)[:: -1 if self.falls else 1].astype(real)
            modes, continuum = modes[..., :channels] + modes[..., channels:] * share, False
        folded = np.zeros(
            (fourier.period[0], fourier.period[1] // 2 + 1, channels + continuum), self._complex
        )
        *_, normal_x, normal_y, _ = sky_axes(p, 0.0)
        height = 0.0 if self.model.warped else p[_HEIGHT] / scale
        normal = (normal_y * height, normal_x * height)
        if each:
            multiplier = np.ascontiguousarray(multiplier[..., lit])
        if blur:
            ky, kx = (2 * math.pi / scale * k for k in fourier.frequencies())
            wider = np.exp(-0.5 * blur**2 * (ky**2 + kx**2)).astype(real)
            multiplier = multiplier * wider[..., None]
        _observe(modes, multiplier, normal, self.sampling.vertical, fourier.period, folded)
        image = scipy.fft.irfft2(folded, s=fourier.period, axes=(0, 1), overwrite_x=True)
        image = image[: fourier.field[0], : fourier.field[1]]
        rising = cube[::-1] if self.falls else cube
        rising[...] = 0.0
        rising[lit] = image[..., :channels].transpose(2, 0, 1)
        if continuum:
            cube += image[..., channels] * self.continuum(p)[:, None, None]

    def line_shares(self, p: FloatArray) -> FloatArray:
        """Return the shares of the lines in the flux."""
        if len(self.line_fluxes) != 2 + self.model.extra_lines:
            return self.line_fluxes
        fluxes = self.model.line_fluxes(p)
        return np.asarray(fluxes / fluxes.sum())

    def _lit_channels(self, groups: list[Any]) -> slice:
        """Return the channels, in rising order, that light of any line can reach."""
        ends = [
            _reached(velocity, sigma, self._edges, self.spreads, self.narrowest, self._reach)
            for *_, velocity, sigma in groups
        ]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        low = min(max(low, 0), self.grid.shape[0] - 1)
        return slice(low, max(min(high, self.grid.shape[0]), low + 1))

    def continuum(self, p: FloatArray) -> FloatArray:
        """Return the continuum of the channels (v,), as shares of the line flux."""
        centres = self.grid.centres[0] / 1000
        widths = np.abs(np.diff(self.grid.edges[0])) / 1000
        return np.asarray(p[_CONTINUUM] * (1 + p[_CONTINUUM_SLOPE] * centres) * widths)

    def _make_multiplier(self, fourier: FourierGrid) -> NDArray[Any]:
        multiplier = self.optics.multiplier(fourier, self.sampling.width).astype(self._complex)
        if multiplier.ndim == 2:
            return multiplier[..., None]
        return np.ascontiguousarray(multiplier[..., ::-1] if self.falls else multiplier)


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

    Examples
    --------
    >>> grid = CubeGrid.velocities((20, 24, 24), 0.2, 40.0)
    >>> galaxy = DiskParameters(inclination=60, maximum_velocity=200, position_angle=90)
    >>> cube = render_cube(galaxy, grid)
    >>> cube.shape, f"{cube.sum():.2f}"  # of a flux of 1
    ((20, 24, 24), '1.00')
    """
    galaxies = [parameters] if isinstance(parameters, DiskParameters) else list(parameters)
    vectors = stack(galaxies)
    cubes = CubeRenderer(grid, galaxies[0].model, psf, accuracy, threads)(vectors)
    return cubes[0] if isinstance(parameters, DiskParameters) else cubes
