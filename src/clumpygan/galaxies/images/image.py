"""Images of galaxies, drawn in Fourier space."""

from collections.abc import Mapping
from functools import reduce
from itertools import groupby
from typing import Any, NamedTuple

import galsim
import numpy as np
import scipy.fft
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.geometry import Matrix, disk_to_sky, shear_matrix
from clumpygan.galaxies.images.profiles import (
    sersic_enclosed,
    sersic_surface_brightness,
    sersic_transform,
)
from clumpygan.galaxies.images.scene import (
    Galaxy,
    SersicBody,
    as_mapping,
    disk_fraction,
    sersic_bodies,
)
from clumpygan.galaxies.images.streams import Points, streams
from clumpygan.galaxies.images.texture import Map, is_textured, texture_map

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))

_PADDINGS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
_WRAPPED_LIGHT = 1e-5
_CORE_RADIUS = 0.1

_TEXTURE_STEP = 0.6
"""Samples of uneven light over the widest ones that show all that the PSF passes."""


class _Grid(NamedTuple):
    """Wave numbers (rad/arcsec) that the PSF passes, on a padded grid, and its transfer there."""

    size: int
    kx: NDArray[np.float64]
    ky: NDArray[np.float64]
    transfer: NDArray[np.complex64]


class StampRenderer:
    """Draws noiseless stamps of galaxies through one PSF.

    The transform of the model (tabulated Sersic transforms, Gaussians for arms and clumps) times
    that of the PSF is sampled on a zero-padded grid and transformed back once. The galaxy sits at
    the centre of the stamp, pixel (size - 1) / 2, plus its own offset. Padding grows with the
    galaxy's wings until what wraps around is below 1e-5 of the peak.

    Parameters
    ----------
    size : int
        Pixels on a side.
    pixel_scale : float
        Arcsec.
    psf : galsim.GSObject
        Effective PSF: it includes the response of the pixel.

    Raises
    ------
    InputError
        If size or scale aren't positive.

    Examples
    --------
    >>> from clumpygan.instruments import HST_WFC3_F160W
    >>> renderer = StampRenderer(psf=HST_WFC3_F160W.psf())
    >>> renderer.render(draw_population(1, seed=0)[0]).shape  # nJy per pixel of 0.06"
    (112, 112)
    """

    def __init__(self, size: int = 112, pixel_scale: float = 0.06, *, psf: galsim.GSObject) -> None:
        if size < 1 or not pixel_scale > 0.0:
            raise InputError(f"stamps of {size} pixels of {pixel_scale} arcsec can't be drawn")
        self.size = size
        self.pixel_scale = pixel_scale
        self.psf = psf.withFlux(1.0)
        self._cutoff = _cutoff(self.psf)
        # a PSF that passes more than the pixels can hold is drawn on finer pixels and subsampled
        self._oversampling = max(1, int(np.ceil(self._cutoff * pixel_scale / np.pi - 1e-9)))
        self._grids: dict[float, _Grid] = {}

    def render(self, galaxy: Galaxy) -> NDArray[np.float32]:
        """Draw one galaxy.

        Parameters
        ----------
        galaxy : mapping or table row
            The columns of `clumpygan.galaxies.COLUMNS`.

        Returns
        -------
        ndarray of shape (size, size), float32, nJy per pixel, axes (y, x)
        """
        galaxy = as_mapping(galaxy)
        shear = shear_matrix(galaxy["g1"], galaxy["g2"])
        bodies = sersic_bodies(galaxy, shear)
        grid = self._grid(self._padding(bodies))
        spectrum = _lumps(grid, galaxy, shear)
        if is_textured(galaxy):
            spectrum += self._texture(grid, galaxy)
        for (x, y), together in groupby(bodies, key=lambda body: (body.x, body.y)):
            light = reduce(np.add, (_sersic(grid, body) for body in together))
            spectrum += light * _phase(grid, x, y)
        spectrum *= grid.transfer
        return self._to_pixels(grid, spectrum)

    def render_table(
        self, table: Table, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Draw every galaxy of a table.

        Parameters
        ----------
        table : astropy.table.Table
        out : ndarray of shape (N, size, size), float32, optional
            Where to draw, for example a memory map.

        Returns
        -------
        ndarray of shape (N, size, size), float32, nJy per pixel
        """
        if out is None:
            out = np.empty((len(table), self.size, self.size), dtype=np.float32)
        for stamp, row in zip(out, table, strict=True):
            stamp[:] = self.render(row)
        return out

    def texture(self, galaxy: Galaxy) -> Map:
        """Sample what structure adds to the disk of a galaxy, as finely as the PSF needs it.

        Parameters
        ----------
        galaxy : mapping or table row

        Returns
        -------
        Map
            nJy, and arcsec from the centre of the galaxy.
        """
        row = as_mapping(galaxy)
        to_sky = shear_matrix(row["g1"], row["g2"]) @ disk_to_sky(
            row["position_angle"], row["axis_ratio"]
        )
        to_sky *= row["disk_half_light_radius"]
        light = disk_fraction(row) * row["flux"]
        return texture_map(row, to_sky, light, _TEXTURE_STEP * np.pi / self._cutoff)

    def _texture(self, grid: _Grid, galaxy: Mapping[str, Any]) -> NDArray[np.complex64]:
        """Transform of the uneven light, by two matrix products."""
        values, x, y = self.texture(galaxy)
        rows = _waves(grid.ky, y + galaxy["offset_y"])
        columns = _waves(grid.kx, x + galaxy["offset_x"])
        # there are half as many columns as rows in the result
        across = values.astype(np.complex64) @ columns.T
        transform: NDArray[np.complex64] = rows @ across
        return transform

    def _padding(self, bodies: list[SersicBody]) -> float:
        """Smallest padding that keeps the wrapped wings below `_WRAPPED_LIGHT` of the peak."""
        peak = sum(_core_brightness(body) for body in bodies)
        for padding in _PADDINGS[:-1]:
            nearest = (padding - 0.5) * self.size * self.pixel_scale
            if sum(_wing_brightness(body, nearest) for body in bodies) < _WRAPPED_LIGHT * peak:
                return padding
        return _PADDINGS[-1]

    def _grid(self, padding: float) -> _Grid:
        """Grid of a padding, made at first use."""
        if padding not in self._grids:
            self._grids[padding] = self._make_grid(padding)
        return self._grids[padding]

    def _make_grid(self, padding: float) -> _Grid:
        fine_scale = self.pixel_scale / self._oversampling
        size = scipy.fft.next_fast_len(int(np.ceil(padding * self.size)), real=True)
        size = (size + size % 2) * self._oversampling
        step = 2.0 * np.pi / (size * fine_scale)
        highest = min(size // 2 - 1, int(self._cutoff / step))
        kx = step * np.arange(highest + 1)
        ky = step * np.concatenate([np.arange(highest + 1), np.arange(-highest, 0)])
        transfer = _psf_transfer(self.psf, highest, step)
        centre = 0.5 * (self.size - 1) * self.pixel_scale
        transfer *= np.exp(-1j * centre * ky)[:, None] * np.exp(-1j * centre * kx)
        # values are flux per pixel of the stamp, not of the finer pixels
        transfer *= self._oversampling**2
        return _Grid(size, kx, ky, transfer.astype(np.complex64))

    def _to_pixels(self, grid: _Grid, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Inverse transform of the passed modes, only for the rows of the stamp."""
        columns = np.zeros((grid.size, grid.kx.size), dtype=np.complex64)
        kept = grid.kx.size
        columns[:kept] = spectrum[:kept]
        columns[-(kept - 1) :] = spectrum[kept:]
        step = self._oversampling
        rows = scipy.fft.ifft(columns, axis=0, overwrite_x=True)[: self.size * step : step]
        fine = scipy.fft.irfft(rows, n=grid.size, axis=1)
        image: NDArray[np.float32] = fine[:, : self.size * step : step].astype(np.float32)
        return image


def _core_brightness(body: SersicBody) -> float:
    """Mean surface brightness inside about one PSF, a floor to the body's peak."""
    area = np.pi * _CORE_RADIUS**2
    return float(
        body.flux * sersic_enclosed(_CORE_RADIUS / body.half_light_radius, body.sersic_index) / area
    )


def _wing_brightness(body: SersicBody, distance: float) -> float:
    """Surface brightness along the major axis, so far from the centre of the stamp."""
    radius = body.half_light_radius
    distance = max(distance - max(abs(body.x), abs(body.y)), 0.0)
    area = radius**2 * abs(np.linalg.det(body.matrix))
    return float(body.flux / area * sersic_surface_brightness(distance / radius, body.sersic_index))


def _cutoff(psf: galsim.GSObject) -> float:
    """Wave number in rad/arcsec beyond which the PSF passes less than 1e-5."""
    k = np.linspace(0.0, psf.withGSParams(maxk_threshold=1e-5).maxk, 400)
    transfer = np.array([[abs(psf.kValue(one, 0.0)), abs(psf.kValue(0.0, one))] for one in k])
    passed = np.flatnonzero(transfer.max(axis=1) > 1e-5)
    return float(k[min(passed[-1] + 1, k.size - 1)])


def _psf_transfer(psf: galsim.GSObject, highest: int, step: float) -> NDArray[np.complex128]:
    """Transform of the PSF at kx = 0..highest and ky = 0..highest, -highest..-1 steps."""
    side = 2 * highest + 1
    image = psf.drawKImage(nx=side, ny=side, scale=step)
    values = np.fft.ifftshift(image.array, axes=(0, 1))
    return np.array(values[:, : highest + 1], dtype=np.complex128)


def _waves(k: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.complex64]:
    """exp(-i k x) for all pairs, single precision: 1e-6 of what they are summed over."""
    phase = np.multiply.outer(k, x).astype(np.float32)
    waves = np.empty(phase.shape, dtype=np.complex64)
    np.cos(phase, out=waves.real)
    np.sin(np.negative(phase, out=phase), out=waves.imag)
    return waves


def _phase(grid: _Grid, x: float, y: float) -> NDArray[np.complex64]:
    """Transform of a shift by (x, y) arcsec."""
    rows, columns = np.exp(-1j * y * grid.ky), np.exp(-1j * x * grid.kx)
    phase: NDArray[np.complex64] = np.multiply.outer(
        rows.astype(np.complex64), columns.astype(np.complex64)
    )
    return phase


def _quadratic(grid: _Grid, matrix: Matrix, scale: float) -> NDArray[np.float32]:
    """|scale matrix^T k|^2 on the grid: the wave number in the frame before `matrix` acted."""
    # a sum of two squares: nothing cancels, however thin the body
    u, v = scale * matrix.T
    result: NDArray[np.float32] = np.add.outer(
        (u[1] * grid.ky).astype(np.float32), (u[0] * grid.kx).astype(np.float32)
    )
    other: NDArray[np.float32] = np.add.outer(
        (v[1] * grid.ky).astype(np.float32), (v[0] * grid.kx).astype(np.float32)
    )
    np.square(result, out=result)
    result += np.square(other, out=other)
    return result


def _sersic(grid: _Grid, body: SersicBody) -> NDArray[np.float32]:
    transform = sersic_transform(body.sersic_index)
    light = transform(_quadratic(grid, body.matrix, body.half_light_radius))
    light *= np.float32(body.flux)
    return light


def _gaussian(grid: _Grid, matrix: Matrix, sigma: float) -> NDArray[np.float32]:
    exponent = _quadratic(grid, matrix, sigma)
    exponent *= np.float32(-0.5)
    return np.exp(exponent, out=exponent)


def _lumps(grid: _Grid, galaxy: Mapping[str, Any], shear: Matrix) -> NDArray[np.complex64]:
    """Transform of the arms and clumps; zero where there are none."""
    to_sky = shear @ disk_to_sky(galaxy["position_angle"], galaxy["axis_ratio"])
    to_sky *= galaxy["disk_half_light_radius"]
    centre = np.array([[galaxy["offset_x"]], [galaxy["offset_y"]]])
    total = np.zeros((grid.ky.size, grid.kx.size), dtype=np.complex64)
    for light, points, width in streams(galaxy):
        total += _stream(grid, light, points, to_sky, centre, width)
    count = int(galaxy["clump_count"])
    x, y = centre + to_sky @ np.array([galaxy["clump_x"][:count], galaxy["clump_y"][:count]])
    for i in range(count):
        clump = _phase(grid, x[i], y[i])
        clump *= _gaussian(grid, shear, galaxy["clump_size"][i] / FWHM_PER_SIGMA)
        clump *= np.float32(galaxy["flux"] * galaxy["clump_flux"][i])
        total += clump
    return total


def _stream(
    grid: _Grid,
    light: float,
    points: Points,
    to_sky: Matrix,
    centre: NDArray[np.float64],
    width: float,
) -> NDArray[np.complex64]:
    """Transform of points that share one Gaussian: one matrix product."""
    share, *plane = points
    x, y = centre + to_sky @ np.array(plane)
    rows = _waves(grid.ky, y)
    rows *= (light * share).astype(np.float32)
    stream: NDArray[np.complex64] = rows @ _waves(grid.kx, x).T
    stream *= _gaussian(grid, to_sky, width)
    return stream
