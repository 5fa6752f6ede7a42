"""Images of galaxies: a fast Fourier-space renderer, and the same model in GalSim objects."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import galsim
import numpy as np
import scipy.fft
from astropy.table import Row, Table
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.clumps import ARM_WIDTH, arm_points
from clumpygan.galaxies.geometry import Matrix, disk_to_sky, shear_matrix
from clumpygan.galaxies.profiles import (
    sersic_enclosed,
    sersic_surface_brightness,
    sersic_transform,
)

Galaxy = Mapping[str, Any] | Row

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))

_PADDINGS = (1.5, 2.0, 3.0, 4.0)
_WRAPPED_LIGHT = 1e-5
_CORE_RADIUS = 0.1


class SersicBody(NamedTuple):
    """One elliptical Sersic body on the sky: nJy, index, and arcsec after shear."""

    flux: float
    sersic_index: float
    half_light_radius: float
    matrix: Matrix
    x: float
    y: float


class _Grid(NamedTuple):
    """Wave numbers (rad/arcsec) that the PSF passes, on a padded grid, and its transfer there."""

    size: int
    kx: NDArray[np.float64]
    ky: NDArray[np.float64]
    transfer: NDArray[np.complex128]


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
        galaxy = _as_mapping(galaxy)
        shear = shear_matrix(galaxy["g1"], galaxy["g2"])
        bodies = sersic_bodies(galaxy, shear)
        grid = self._grid(self._padding(bodies))
        spectrum = _lumps(grid, galaxy, shear)
        for body in bodies:
            moved = _sersic(grid, body) * _phase(grid, body.x, body.y)
            spectrum = moved if spectrum is None else np.add(spectrum, moved, out=spectrum)
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
        return _Grid(size, kx, ky, transfer)

    def _to_pixels(self, grid: _Grid, spectrum: NDArray[np.complex128]) -> NDArray[np.float32]:
        """Inverse transform of the passed modes, only for the rows of the stamp."""
        columns = np.zeros((grid.size, grid.kx.size), dtype=np.complex128)
        kept = grid.kx.size
        columns[:kept] = spectrum[:kept]
        columns[-(kept - 1) :] = spectrum[kept:]
        step = self._oversampling
        rows = scipy.fft.ifft(columns, axis=0, overwrite_x=True)[: self.size * step : step]
        image = scipy.fft.irfft(rows, n=grid.size, axis=1)[:, : self.size * step : step]
        return image.astype(np.float32)


def sersic_bodies(galaxy: Galaxy, shear: Matrix) -> list[SersicBody]:
    """Main body, bulge and companion as they lie on the sky; those without light are left out."""
    rest = 1.0 - galaxy["bulge_fraction"] - galaxy["clump_fraction"] - galaxy["arm_fraction"]
    if rest < -1e-9:
        raise InputError(
            "bulge_fraction + arm_fraction + clump_fraction is "
            f"{1.0 - rest:.3f}; expected at most 1"
        )
    x, y = galaxy["offset_x"], galaxy["offset_y"]
    companion = shear @ np.array([galaxy["companion_x"], galaxy["companion_y"]])
    parts = [
        ("", rest * galaxy["flux"], galaxy["position_angle"], x, y),
        ("bulge_", galaxy["bulge_fraction"] * galaxy["flux"], galaxy["position_angle"], x, y),
        (
            "companion_",
            galaxy["companion_flux"],
            galaxy["companion_position_angle"],
            x + companion[0],
            y + companion[1],
        ),
    ]
    return [
        SersicBody(
            flux,
            galaxy[f"{name}sersic_index"],
            galaxy[f"{name}half_light_radius"],
            shear @ disk_to_sky(angle, galaxy[f"{name}axis_ratio"]),
            px,
            py,
        )
        for name, flux, angle, px, py in parts
        if flux > 0.0
    ]


def _as_mapping(galaxy: Galaxy) -> Mapping[str, Any]:
    if isinstance(galaxy, Row):
        return dict(zip(galaxy.colnames, galaxy, strict=True))
    return galaxy


def _core_brightness(body: SersicBody) -> float:
    """Mean surface brightness inside about one PSF, a floor to the body's peak."""
    area = np.pi * _CORE_RADIUS**2
    return float(
        body.flux * sersic_enclosed(_CORE_RADIUS / body.half_light_radius, body.sersic_index) / area
    )


def _wing_brightness(body: SersicBody, distance: float) -> float:
    """Surface brightness at a distance along the major axis."""
    radius = body.half_light_radius
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


def _phase(grid: _Grid, x: float, y: float) -> NDArray[np.complex128]:
    return np.exp(-1j * y * grid.ky)[:, None] * np.exp(-1j * x * grid.kx)


def _quadratic(grid: _Grid, matrix: Matrix, scale: float) -> NDArray[np.float64]:
    """|scale matrix^T k|^2 on the grid: the wave number in the frame before `matrix` acted."""
    form = scale**2 * (matrix @ matrix.T)
    result = np.multiply.outer(2.0 * form[0, 1] * grid.ky, grid.kx)
    result += (form[1, 1] * grid.ky**2)[:, None]
    result += form[0, 0] * grid.kx**2
    return result


def _sersic(grid: _Grid, body: SersicBody) -> NDArray[np.float64]:
    transform = sersic_transform(body.sersic_index)
    return body.flux * transform(_quadratic(grid, body.matrix, body.half_light_radius))


def _gaussian(grid: _Grid, matrix: Matrix, sigma: float) -> NDArray[np.float64]:
    exponent = _quadratic(grid, matrix, sigma)
    exponent *= -0.5
    return np.exp(exponent, out=exponent)


def _lumps(grid: _Grid, galaxy: Mapping[str, Any], shear: Matrix) -> Any:
    """Transform of arms and clumps, or None where there are none.

    Arms share one Gaussian, so their points are one matrix product.
    """
    to_sky = shear @ disk_to_sky(galaxy["position_angle"], galaxy["axis_ratio"])
    radius, flux = galaxy["half_light_radius"], galaxy["flux"]
    centre = np.array([[galaxy["offset_x"]], [galaxy["offset_y"]]])
    total = None
    if galaxy["arm_count"]:
        share, *plane = arm_points(
            int(galaxy["arm_count"]), galaxy["arm_pitch_angle"], galaxy["arm_phase"]
        )
        x, y = centre + radius * (to_sky @ np.array(plane))
        rows = np.exp(-1j * np.multiply.outer(grid.ky, y)) * (flux * galaxy["arm_fraction"] * share)
        total = rows @ np.exp(-1j * np.multiply.outer(x, grid.kx))
        total *= _gaussian(grid, to_sky, ARM_WIDTH * radius)
    count = int(galaxy["clump_count"])
    plane = [galaxy["clump_x"][:count], galaxy["clump_y"][:count]]
    x, y = centre + radius * (to_sky @ np.array(plane))
    for i in range(count):
        clump = _phase(grid, x[i], y[i])
        clump *= _gaussian(grid, shear, galaxy["clump_size"][i] / FWHM_PER_SIGMA)
        clump *= flux * galaxy["clump_flux"][i]
        total = clump if total is None else np.add(total, clump, out=total)
    return total


def galsim_galaxy(galaxy: Galaxy) -> galsim.GSObject:
    """Build the same model from GalSim objects; the judge of `StampRenderer`.

    Draw it convolved with the PSF by `drawImage(..., method="no_pixel")`.

    Parameters
    ----------
    galaxy : mapping or table row

    Returns
    -------
    galsim.GSObject
        Flux in nJy, positions in arcsec from the centre of the stamp.
    """
    row = _as_mapping(galaxy)
    flux, radius = row["flux"], row["half_light_radius"]
    beta = (90.0 + row["position_angle"]) * galsim.degrees
    smooth = 1.0 - row["bulge_fraction"] - row["arm_fraction"] - row["clump_fraction"]
    parts = [
        _galsim_sersic(row, "", smooth * flux, beta),
        _galsim_sersic(row, "bulge_", row["bulge_fraction"] * flux, beta),
    ]
    if row["arm_count"]:
        points = arm_points(int(row["arm_count"]), row["arm_pitch_angle"], row["arm_phase"])
        blob = galsim.Gaussian(sigma=ARM_WIDTH * radius)
        arms = galsim.Sum(
            [
                blob.withFlux(f).shift(radius * x, radius * y)
                for f, x, y in zip(*points, strict=True)
            ]
        )
        parts.append(
            arms.transform(1.0, 0.0, 0.0, row["axis_ratio"])
            .rotate(beta)
            .withFlux(row["arm_fraction"] * flux)
        )
    angle = beta.rad
    for i in range(int(row["clump_count"])):
        major = radius * row["clump_x"][i]
        minor = radius * row["axis_ratio"] * row["clump_y"][i]
        clump = galsim.Gaussian(fwhm=row["clump_size"][i], flux=row["clump_flux"][i] * flux)
        parts.append(
            clump.shift(
                major * np.cos(angle) - minor * np.sin(angle),
                major * np.sin(angle) + minor * np.cos(angle),
            )
        )
    if row["companion_flux"] > 0.0:
        companion_beta = (90.0 + row["companion_position_angle"]) * galsim.degrees
        companion = _galsim_sersic(row, "companion_", row["companion_flux"], companion_beta)
        parts.append(companion.shift(row["companion_x"], row["companion_y"]))
    scene = galsim.Sum([part for part in parts if part.flux > 0.0])
    return scene.shear(g1=row["g1"], g2=row["g2"]).shift(row["offset_x"], row["offset_y"])


def _galsim_sersic(
    row: Mapping[str, Any], name: str, flux: float, beta: galsim.Angle
) -> galsim.GSObject:
    """A Sersic body whose half-light radius is kept along its major axis."""
    circular = galsim.Sersic(
        n=row[f"{name}sersic_index"], half_light_radius=row[f"{name}half_light_radius"]
    )
    flattened = circular.transform(1.0, 0.0, 0.0, row[f"{name}axis_ratio"]).rotate(beta)
    return flattened.withFlux(flux)
