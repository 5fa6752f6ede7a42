"""Cubes of files made ready to be fitted: lines, velocities, flux per voxel, PSF and LSF."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from astropy import units
from numpy.typing import ArrayLike, NDArray

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError, InputWarning
from clumpygan.fitting.observation import (
    CubeLayout,
    Observation,
    ObservedFrame,
    expanded,
    observe,
)
from clumpygan.galaxies.emission_lines import are_tied, rest_wavelengths
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.grid import CubeGrid, velocity_of, wavelength_of
from clumpygan.instruments.line_spread import LSF, ResolvingPower, line_width
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spread import FWHM_PER_SIGMA, PSF, GaussianPSF, MeasuredPSF
from clumpygan.io.cubes.hdus import seeing_of
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis, air_of

FloatArray = NDArray[np.float64]

_ANY_WAVELENGTH = 7000.0
_BEAM_REACH = 3.5
_FINER_PIXELS = 0.75
"""Pixels of a PSF image over those of the cube, below which it hasn't their response."""

_NOTABLE_LOSS = 0.005
_FLUX_DENSITY = units.erg / units.s / units.cm**2 / units.Angstrom


def observe_cube(
    cube: Cube,
    instrument: Spectrograph | None = None,
    *,
    lines: Sequence[str | float] | None = None,
    redshift: float | None = None,
    psf_fwhm: float | None = None,
    line_spread: float | None = None,
    psf: PSF | None = None,
    lsf: LSF | None = None,
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
    psf : GaussianPSF, MoffatPSF or MeasuredPSF, optional
        In place of the instrument's, and of `psf_fwhm`. An image whose pixels are as large as the
        cube's includes their response, as stars in the cube do; one of finer pixels hasn't it.
    lsf : GaussianLSF, ResolvingPower, TabulatedLSF or MeasuredLSF, optional
        In place of the instrument's, and of `line_spread`; it includes the channels' response.
    mask, variance : array_like, optional
        As for `observe`; by default those of the cube.

    Raises
    ------
    InputError
        If the line isn't in the cube, or something isn't known, or as in `observe`.
    """
    name = str(cube.path) if cube.path.name else "cube"
    grid, observed = _grid_of(cube, instrument, lines, redshift, line_spread, name)
    if psf is not None:
        reach = _FINER_PIXELS * cube.pixel_scale
        finer = isinstance(psf, MeasuredPSF) and psf.pixel_scale < reach
        beyond = finer or (not isinstance(psf, MeasuredPSF) and grid.pixel_response)
        grid = replace(grid, pixel_response=beyond)
    if lsf is not None:
        widths = line_width(lsf, _wavelengths(cube.axis, grid.edges, lines, redshift, lsf, name))
        grid = replace(grid, line_spread=tuple(widths.tolist()), channel_response=False)
    frame = ObservedFrame(
        grid,
        *_spread_of(cube, instrument, observed, psf_fwhm, psf, name),
        _correlation(cube, instrument),
    )
    factor, unit = flux_per_voxel(cube)
    hidden = (
        cube.mask
        if mask is None
        else cube.mask | expanded(mask, cube.data.shape, "mask", name).astype(bool)
    )
    spread = cube.variance if variance is None else variance
    observation = observe(
        factor * cube.data.astype(np.float64),
        None if spread is None else factor**2 * np.asarray(spread, dtype=np.float64),
        frame,
        mask=hidden,
        flux_unit=unit,
        name=name,
    )
    layout = CubeLayout(cube.axis, cube.pixel_scale, factor, cube.wcs, cube.unit, cube.beam)
    known = {k: float(v) for k, v in cube.parameters.items() if isinstance(v, int | float)}
    return replace(observation, layout=layout, truth=known)


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
    if axis.kind != "wavelength" and redshift is None:
        _warn_of_recession(axis, name)
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
        _check_lines(axis, edges, redshift, lines, name)
        if axis.kind == "wavelength":
            observed = np.array(
                [float(axis.values_at(0.0, None if w is None else float(w), redshift)) for w in own]
            )
    spread, integrates = np.zeros(len(edges)), True
    if instrument is not None:
        integrates = not instrument.lsf_includes_channel
        if observed is not None and line_spread is None:
            spread, integrates = instrument.channel_spread(observed, abs(axis.step))
    if line_spread is not None:
        if not 0 <= line_spread < np.inf:
            raise InputError(f"line_spread is {line_spread:g} km/s; expected 0 or more")
        spread[:] = line_spread
    if instrument is not None:
        beyond = not instrument.psf_includes_pixel
    else:
        # Mocks say whether their PSF is that of the sky alone; measured ones have the pixels in.
        beyond = bool(cube.parameters.get("pixel_response", False))
    grid = CubeGrid(
        cube.data.shape,
        cube.pixel_scale,
        edges,
        (1.0,) * len(edges),
        tuple(spread),
        pixel_response=beyond,
        channel_response=integrates,
    )
    return grid, observed


def _check_lines(
    axis: SpectralAxis,
    edges: FloatArray,
    redshift: float | None,
    lines: Sequence[str | float] | None,
    name: str,
) -> None:
    """Refuse channels that the systemic velocity of a line isn't in.

    Of a line that isn't there the flux would be free to be anything, and another's place its own.

    Frequencies without a redshift are those of a radio telescope, which count velocities from 0.
    """
    z = axis.redshift if redshift is None else redshift
    inside = (edges.min(1) <= 0) & (edges.max(1) >= 0)
    if (axis.kind == "frequency" and z is None) or inside.all():
        return
    if inside.any() and lines is not None:
        waves = rest_wavelengths(lines)
        # The flux of a line that follows another's isn't free.
        missing = np.flatnonzero(~(inside | are_tied(waves)))
        if not missing.size:
            return
        first = int(np.flatnonzero(inside)[0])
        low, high = edges[first][[0, -1]]
        raise InputError(
            f"{name}: the line of {waves[int(missing[0])]:g} Angstrom isn't in the "
            f"channels, which are at {low:.0f} to {high:.0f} km/s from that of "
            f"{waves[first]:g}; leave it out of `line`, or widen `velocity_range`"
        )
    raise InputError(
        f"{name}: at redshift {z or 0:g} the line is at velocities outside the cube, which has "
        f"{edges[0].min():.0f} to {edges[0].max():.0f} km/s; expected 0 among them: give the right "
        "line and redshift"
    )


def _warn_of_recession(axis: SpectralAxis, name: str) -> None:
    """Say where velocities relative to redshift 0 are notably smaller than those in the galaxy.

    Differences dv there are (1 - v^2 / c^2) of those relative to the galaxy's own redshift.
    """
    if axis.redshift is not None or axis.origin:
        return
    middle = float(np.median(axis.velocities()))
    loss = (middle / SPEED_OF_LIGHT) ** 2
    if loss > _NOTABLE_LOSS:
        redshift = float(wavelength_of(middle, 1.0, 0.0)) - 1
        warnings.warn(
            f"{name}: velocities of {middle:.0f} km/s are relative to redshift 0, so that all "
            f"differences come out {100 * loss:.1f} % too small; give `redshift`, about "
            f"{redshift:.4g}",
            InputWarning,
            stacklevel=4,
        )


def _spread_of(
    cube: Cube,
    instrument: Spectrograph | None,
    observed: FloatArray | None,
    psf_fwhm: float | None,
    psf: PSF | None,
    name: str,
) -> tuple[Transfer | None, float | None]:
    """Return the PSF's transfer function and its FWHM in arcsec."""
    if psf is not None:
        at = _ANY_WAVELENGTH if observed is None else float(observed.mean())
        return partial(psf.transfer, wavelength=at), mean_width(psf, at)
    if instrument is not None:
        low, high = instrument.wavelength_range
        where = 0.5 * (low + high) if observed is None else float(observed.mean())
        if psf_fwhm is not None:
            instrument = _with_fwhm(instrument, psf_fwhm, where)
        return instrument.transfer(where), mean_width(instrument.psf, where)
    if psf_fwhm is None and cube.beam is not None:
        beam = cube.beam
        round_or_not = GaussianPSF(
            beam.major, axis_ratio=min(beam.minor / beam.major, 1.0), angle=beam.angle
        )
        return (
            partial(round_or_not.transfer, wavelength=_ANY_WAVELENGTH),
            mean_width(round_or_not, _ANY_WAVELENGTH),
        )
    if psf_fwhm is None:
        psf_fwhm = seeing_of(cube.header, None if observed is None else float(observed.mean()))
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


def mean_width(psf: PSF, wavelength: float) -> float:
    """Return the FWHM of a PSF in arcsec, of an elliptical one the mean of both axes."""
    width = float(psf.width(wavelength))
    return width if isinstance(psf, MeasuredPSF) else width * math.sqrt(psf.axis_ratio)


def _wavelengths(
    axis: SpectralAxis,
    edges: FloatArray,
    lines: Sequence[str | float] | None,
    redshift: float | None,
    lsf: LSF,
    name: str,
) -> FloatArray:
    """Return the observed wavelengths (lines,) at which the LSF is asked for, in Angstrom."""
    rest = axis.rest_wavelength if lines is None else rest_wavelengths(lines)
    if rest is None and isinstance(lsf, ResolvingPower) and len(lsf.coefficients) == 1:
        return np.full(len(edges), _ANY_WAVELENGTH)
    if rest is None:
        raise InputError(f"{name}: the line spread is that at the line: give `line` in Angstrom")
    z = axis.redshift if redshift is None else redshift
    # In the middle of the cube, where 0 may be far away for want of a redshift.
    middle = np.median(edges, axis=1) if z is None else np.zeros(len(edges))
    return np.array(
        [float(wavelength_of(v, w, z or 0.0)) for v, w in
         zip(middle, np.broadcast_to(rest, len(edges)), strict=True)]
    )  # fmt: skip


def flux_per_voxel(cube: Cube) -> tuple[FloatArray, str]:
    """Return what data are multiplied with (v, 1, 1) to be flux per voxel, and the flux's unit."""
    unit, one = cube.unit, np.ones((cube.axis.count, 1, 1))
    if unit is None:
        return one, ""
    for per_voxel in (unit, unit * units.pixel):
        if cube.axis.kind == "wavelength" and per_voxel.is_equivalent(_FLUX_DENSITY):
            total = (per_voxel * units.Angstrom).decompose(bases=[units.erg, units.s, units.cm])
            return cube.axis.widths[:, None, None], str(total)
    return one, f"{unit} voxel"
