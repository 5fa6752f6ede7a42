"""Cubes of files made ready to be fitted: lines, velocities, flux per voxel, PSF and LSF."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from astropy import units
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.observation import Observation, ObservedFrame, expanded, observe
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.galaxies.fourier import Transfer
from clumpygan.galaxies.grid import CubeGrid, velocity_of, wavelength_of
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spread import FWHM_PER_SIGMA, GaussianPSF, MeasuredPSF
from clumpygan.io.cubes import Cube
from clumpygan.io.spectral_axis import SpectralAxis, air_of

FloatArray = NDArray[np.float64]

_ANY_WAVELENGTH = 7000.0
_BEAM_REACH = 3.5
_FLUX_DENSITY = units.erg / units.s / units.cm**2 / units.Angstrom


def observe_cube(
    cube: Cube,
    instrument: Spectrograph | None = None,
    *,
    lines: Sequence[str | float] | None = None,
    redshift: float | None = None,
    psf_fwhm: float | None = None,
    line_spread: float | None = None,
    mask: ArrayLike | None = None,
    variance: ArrayLike | None = None,
) -> Observation:
    """Prepare a cube of a file: its velocities about the lines, flux per voxel, PSF and LSF.

    Parameters
    ----------
    cube : Cube
    instrument : Spectrograph, optional
        Whose PSF, LSF and correlation of noise are taken. Without one, the PSF is a Gaussian of
        `psf_fwhm` (or of the radio beam) and includes the pixels' response. Noise of a radio map
        is that of independent pixels seen by the beam.
    lines : sequence of str or float, optional
        Names of `galaxies.emission_lines.LINES`, or rest wavelengths in Angstrom, in vacuum; by
        default that of the axis.
    redshift : float, optional
        Of the velocity 0; by default that of the axis.
    psf_fwhm : float, optional
        Arcsec, in place of the instrument's, at the lines.
    line_spread : float, optional
        Standard deviation of the LSF in km/s, in place of the instrument's.
    mask, variance : array_like, optional
        As for `observe`; by default those of the cube.

    Raises
    ------
    InputError
        If the line isn't in the cube, or something isn't known, or as in `observe`.
    """
    name = str(cube.path) if cube.path.name else "cube"
    grid, observed = _grid_of(cube, instrument, lines, redshift, line_spread, name)
    frame = ObservedFrame(
        grid,
        *_spread_of(cube, instrument, observed, psf_fwhm, name),
        _correlation(cube, instrument),
    )
    factor, unit = flux_per_voxel(cube)
    hidden = (
        cube.mask
        if mask is None
        else cube.mask | expanded(mask, cube.data.shape, "mask", name).astype(bool)
    )
    spread = cube.variance if variance is None else variance
    return observe(
        factor * cube.data.astype(np.float64),
        None if spread is None else factor**2 * np.asarray(spread, dtype=np.float64),
        frame,
        mask=hidden,
        flux_unit=unit,
        name=name,
    )


def _grid_of(
    cube: Cube,
    instrument: Spectrograph | None,
    lines: Sequence[str | float] | None,
    redshift: float | None,
    line_spread: float | None,
    name: str,
) -> tuple[CubeGrid, FloatArray | None]:
    """Return the grid, and the observed wavelengths of the lines, in the medium of the axis."""
    axis, observed = cube.axis, None
    if axis.kind == "velocity":
        edges = axis.velocity_edges(redshift=redshift)[None]
        if lines is not None:
            waves = rest_wavelengths(lines)
            stretch = wavelength_of(edges[0], 1.0, 0.0)
            edges = np.stack([velocity_of(stretch, wave / waves[0], 0.0) for wave in waves])
    else:
        rest = rest_wavelengths(lines) if lines is not None else None
        in_air = axis.kind == "wavelength" and axis.medium == "air"
        own = [None] if rest is None else [air_of(w) if in_air else w for w in rest]
        edges = np.stack(
            [axis.velocity_edges(None if w is None else float(w), redshift) for w in own]
        )
        _check_lines(axis, edges, redshift, name)
        if axis.kind == "wavelength":
            observed = np.array(
                [float(axis.values_at(0.0, None if w is None else float(w), redshift)) for w in own]
            )
    spread = np.zeros(len(edges))
    if line_spread is not None:
        if not 0 <= line_spread < np.inf:
            raise InputError(f"line_spread is {line_spread:g} km/s; expected 0 or more")
        spread[:] = line_spread
    elif instrument is not None and observed is not None:
        spread = instrument.line_spread(observed)
    responses = {}
    if instrument is not None:
        responses = {
            "pixel_response": not instrument.psf_includes_pixel,
            "channel_response": not instrument.lsf_includes_channel,
        }
    else:
        responses = {"pixel_response": False, "channel_response": True}
    grid = CubeGrid(
        cube.data.shape, cube.pixel_scale, edges, (1.0,) * len(edges), tuple(spread), **responses
    )
    return grid, observed


def _check_lines(axis: SpectralAxis, edges: FloatArray, redshift: float | None, name: str) -> None:
    """Refuse channels that the systemic velocity of no line is in."""
    if ((edges.min(1) <= 0) & (edges.max(1) >= 0)).any():
        return
    z = axis.redshift if redshift is None else redshift
    raise InputError(
        f"{name}: at redshift {z or 0:g} the line is at velocities outside the cube, which has "
        f"{edges[0].min():.0f} to {edges[0].max():.0f} km/s; expected 0 among them: give the right "
        "line and redshift"
    )


def _spread_of(
    cube: Cube,
    instrument: Spectrograph | None,
    observed: FloatArray | None,
    psf_fwhm: float | None,
    name: str,
) -> tuple[Transfer | None, float | None]:
    """Return the PSF's transfer function and its FWHM in arcsec."""
    if instrument is not None:
        low, high = instrument.wavelength_range
        where = 0.5 * (low + high) if observed is None else float(observed.mean())
        if psf_fwhm is not None:
            instrument = _with_fwhm(instrument, psf_fwhm, where)
        if isinstance(instrument.psf, MeasuredPSF):
            return instrument.transfer(where), None
        return instrument.transfer(where), float(instrument.psf.width(where))
    if psf_fwhm is None and cube.beam is not None:
        psf_fwhm = float(np.sqrt(cube.beam.major * cube.beam.minor))
        return partial(_beam_transfer, cube.beam.major, cube.beam.minor, cube.beam.angle), psf_fwhm
    if psf_fwhm is None:
        raise InputError(f"{name}: no instrument and no beam; give the PSF's FWHM in arcsec")
    return partial(GaussianPSF(psf_fwhm).transfer, wavelength=_ANY_WAVELENGTH), psf_fwhm


def _with_fwhm(instrument: Spectrograph, fwhm: float, where: float) -> Spectrograph:
    """Return the instrument with a PSF of a FWHM in arcsec at a wavelength."""
    if not 0 < fwhm < np.inf:
        raise InputError(f"psf_fwhm is {fwhm:g} arcsec; expected a number above 0")
    if isinstance(instrument.psf, MeasuredPSF):
        return instrument.with_seeing(fwhm)  # says that an image can't be changed
    psf = instrument.psf
    return instrument.with_seeing(psf.fwhm + fwhm - float(psf.width(where)))


def _correlation(cube: Cube, instrument: Spectrograph | None) -> FloatArray | None:
    """Return the correlation of the noise in neighbouring voxels."""
    if instrument is not None:
        return instrument.noise_correlation
    if cube.beam is None:
        return None
    sigma = np.sqrt(2) * cube.beam.major / FWHM_PER_SIGMA / cube.pixel_scale
    reach = math.ceil(_BEAM_REACH * sigma)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    sine, cosine = np.sin(np.radians(cube.beam.angle)), np.cos(np.radians(cube.beam.angle))
    along, across = cosine * y - sine * x, sine * y + cosine * x
    squared = along**2 + (across * cube.beam.major / cube.beam.minor) ** 2
    return np.asarray(np.exp(-0.5 * squared / sigma**2)[None])


def _beam_transfer(
    major: float, minor: float, angle: float, ky: ArrayLike, kx: ArrayLike
) -> FloatArray:
    """Return the transfer function of an elliptical Gaussian, the angle from +y towards -x."""
    ky, kx = np.asarray(ky, dtype=np.float64), np.asarray(kx, dtype=np.float64)
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    along, across = cosine * ky - sine * kx, sine * ky + cosine * kx
    squared = (major * along) ** 2 + (minor * across) ** 2
    return np.asarray(np.exp(-2 * (np.pi / FWHM_PER_SIGMA) ** 2 * squared))


def flux_per_voxel(cube: Cube) -> tuple[float, str]:
    """Return what the data are multiplied with to be flux per voxel, and the unit of the flux."""
    unit = cube.unit
    if unit is None:
        return 1.0, ""
    for per_voxel in (unit, unit * units.pixel):
        if cube.axis.kind == "wavelength" and per_voxel.is_equivalent(_FLUX_DENSITY):
            total = (per_voxel * units.Angstrom).decompose(bases=[units.erg, units.s, units.cm])
            return cube.axis.step, str(total)
    return 1.0, f"{unit} voxel"
