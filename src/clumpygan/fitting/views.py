"""What the picture of a fit shows: maps, diagrams and spectra of data, model and residual."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.result import FitResult
from clumpygan.galaxies.measured_cube import MeasuredCube
from clumpygan.galaxies.moments import Moments, moments
from clumpygan.galaxies.position_velocity import PositionVelocity, position_velocity
from clumpygan.galaxies.signal_mask import signal_mask
from clumpygan.galaxies.spectrum import Spectrum, spectrum

FloatArray = NDArray[np.float64]

_BRIGHT = 0.15
"""Of the model's peak: voxels that are shown where the data don't stand out of the noise."""

_OF_LINE = 0.02
"""Of the peak of the model's spectrum: channels that are summed in the map of residuals."""

_FEWEST_SPAXELS = 5


@dataclass(frozen=True, eq=False)
class FitViews:
    """All that is drawn of a fit; velocities are relative to the systemic one.

    Attributes
    ----------
    velocities : ndarray (v,)
        Of the channels, km/s.
    data, model : Moments
        Maps of the same voxels.
    galaxy : ndarray (y, x) of bool
        Spaxels that are known in both.
    residual : ndarray (y, x)
        Data minus model, summed over the channels of the line, over its error.
    diagrams : tuple of PositionVelocity
        Of data, model and residual, along the major axis.
    spectra : tuple of Spectrum
        Of data and model, in the spaxels of the galaxy.
    """

    velocities: FloatArray
    data: Moments
    model: Moments
    galaxy: NDArray[np.bool_]
    residual: FloatArray
    diagrams: tuple[PositionVelocity, PositionVelocity, PositionVelocity]
    spectra: tuple[Spectrum, Spectrum]


def views_of(result: FitResult) -> FitViews:
    """Measure all that is drawn of a fit."""
    observation, grid = result.observation, result.observation.frame.grid
    velocities = grid.centres[0] - result.values["systemic_velocity"]
    valid = observation.valid
    cube = np.where(valid, observation.data, np.nan)
    spread = np.where(valid, observation.variance, np.nan)
    fitted = np.where(valid, result.model_cube.astype(np.float64), np.nan)
    data, model = _maps(result, cube, fitted, spread, velocities)
    galaxy = np.asarray(data.mask & model.mask)
    aperture = galaxy if galaxy.any() else valid.any(axis=0)
    width = max(observation.frame.psf_fwhm or 0.0, 3 * grid.pixel_scale)
    diagrams = [
        position_velocity(
            one,
            velocities,
            grid.pixel_scale,
            position_angle=result.values["position_angle"],
            width=width,
            centre=(result.values["offset_x"], result.values["offset_y"]),
            variance=spread,
        )
        for one in (cube, fitted, cube - fitted)
    ]
    return FitViews(
        velocities=velocities,
        data=data,
        model=model,
        galaxy=galaxy,
        residual=_residual(cube, fitted, spread),
        diagrams=(diagrams[0], diagrams[1], diagrams[2]),
        spectra=(
            spectrum(cube, velocities, aperture=aperture, variance=spread),
            spectrum(fitted, velocities, aperture=aperture),
        ),
    )


def _maps(
    result: FitResult,
    cube: FloatArray,
    fitted: FloatArray,
    spread: FloatArray,
    velocities: FloatArray,
) -> tuple[Moments, Moments]:
    """Return the maps of data and model, made from the same voxels: they share what is clipped."""
    grid = result.observation.frame.grid
    ratios = list(grid.line_fluxes)
    if len(ratios) > 1:
        ratios = result.galaxy.model.line_fluxes(result.galaxy.to_vector()).tolist()
    offsets = np.mean(grid.edges[:1] - grid.edges, axis=1)
    lines = [(float(o), float(r)) for o, r in zip(offsets, ratios, strict=True) if r > 0]
    method = "moments" if len(lines) == 1 else "gaussian"
    chosen = signal_mask(MeasuredCube.of(cube, velocities, spread))
    faint = chosen.any(axis=0).sum() < _FEWEST_SPAXELS
    if faint:
        chosen = np.nan_to_num(fitted) > _BRIGHT * np.nanmax(fitted)
    data, model = (
        moments(
            one,
            velocities,
            variance=noise,
            method=method,
            voxels=voxels,
            lines=lines,
            line_spread=grid.line_spread[0],
            channel_response=grid.channel_response,
        )
        # Of the data, where nothing is chosen, small groups of spaxels are left out.
        for one, noise, voxels in (
            (cube, spread, chosen if faint else None),
            (fitted, None, chosen),
        )
    )
    return data, model


def _residual(cube: FloatArray, fitted: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the residual (y, x) of the channels of the line, in units of its error."""
    line = np.nansum(fitted, axis=(1, 2))
    channels = line > _OF_LINE * line.max()
    known = np.isfinite(cube[channels])
    total = np.where(known, cube[channels] - fitted[channels], 0.0).sum(axis=0)
    noise = np.sqrt(np.where(known, spread[channels], 0.0).sum(axis=0))
    blank = np.full_like(total, np.nan)
    return np.asarray(np.divide(total, noise, out=blank, where=noise > 0))
