"""Maps of a fit: the lines of data and model, fitted alike in every spaxel, and what is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.emission_lines import ion_of, rest_wavelengths
from clumpygan.galaxies.measuring.line_maps import LineMaps, line_maps, nearest_known
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.moments import Moments, moments
from clumpygan.galaxies.measuring.signal_mask import signal_mask

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_KNOWN = 0.02
"""Of the model's peak: the brightest voxel of spaxels in which its own lines are fitted."""

_BRIGHT = 0.15
"""The same, of spaxels whose data are shown where they don't stand out of the noise."""

_SIGNAL = 3.0
"""S/N of a line to be in a map."""

_FEWEST_SPAXELS = 5

_SPARE = 2.0
"""Channels beyond the range of the model's velocities, in which the lines of the data may be."""

_ROTATION = 0.5
"""Of the range of the model's velocities: as far from the model the data's may be."""


@dataclass(frozen=True, eq=False)
class FitMaps:
    """Maps of data and model.

    Attributes
    ----------
    data, model : LineMaps
        From fits of the same lines to the same channels with the same weights; velocities are
        those of the cube.
    names : tuple of str
        Of the groups of lines that have a flux map each.
    """

    data: LineMaps
    model: LineMaps
    names: tuple[str, ...]

    @property
    def galaxy(self) -> BoolArray:
        """Spaxels (y, x) in which both are known."""
        return np.asarray(self.data.maps.mask & self.model.maps.mask)


@dataclass(frozen=True, eq=False)
class LineSet:
    """The lines of a fit, as they are fitted to spectra.

    Attributes
    ----------
    lines : tuple of (float, float)
        Offset in km/s from the first, and relative flux.
    groups : tuple of int
        Lines of one ion have one, and the ratio of the best model.
    names : tuple of str
        Of the groups.
    """

    lines: tuple[tuple[float, float], ...]
    groups: tuple[int, ...]
    names: tuple[str, ...]


def lines_of(result: "FitResult") -> LineSet:
    """Return the lines of a fit that have flux."""
    grid = result.observation.frame.grid
    ratios: Sequence[float] = grid.line_fluxes
    if len(ratios) > 1:
        ratios = result.galaxy.model.line_fluxes(result.galaxy.to_vector()).tolist()
    offsets = grid.line_offsets
    named = result.settings.get("lines")
    waves = rest_wavelengths(named) if named else ()
    if len(waves) == len(offsets) > 1:
        ions = [ion_of(wave) for wave in waves]
    else:
        ions = ["line"] * len(offsets)
    shining = [k for k, ratio in enumerate(ratios) if ratio > 0]
    names = tuple(dict.fromkeys(ions[k] for k in shining))
    return LineSet(
        tuple((float(offsets[k]), float(ratios[k])) for k in shining),
        tuple(names.index(ions[k]) for k in shining),
        names,
    )


def maps_of(result: "FitResult") -> FitMaps:
    """Fit the lines in every spaxel of data and model.

    The data's start at the model's velocity and width, and stay within reach of it, so that nothing
    else in the spectra is taken for them. A spaxel is kept where flux is `3 sigma`, and where
    either the smoothed data or the model stand out of the noise.

    Parameters
    ----------
    result : FitResult
    """
    valid = result.observation.valid
    return fit_alike(
        result,
        np.where(valid, result.observation.data, np.nan),
        np.where(valid, result.model_cube.astype(np.float64), np.nan),
        np.where(valid, result.observation.variance, np.nan),
        result.observation.frame.grid.centres[0],
    )


def fit_alike(
    result: "FitResult",
    cube: FloatArray,
    fitted: FloatArray,
    variance: FloatArray,
    velocities: FloatArray,
) -> FitMaps:
    """Fit the lines of a fit in every spaxel of two cubes (v, y, x); see `maps_of`.

    Parameters
    ----------
    result : FitResult
    cube, fitted : ndarray (v, y, x)
        Data and model, in whatever spaxels: of the sky, or of a slit.
    variance : ndarray (v, y, x)
        Of the data.
    velocities : ndarray (v,)
        Of the first line, km/s.
    """
    grid, chosen = result.observation.frame.grid, lines_of(result)
    peaks = np.nan_to_num(fitted).max(axis=0)
    known = peaks > _KNOWN * peaks.max()
    spread, response = grid.line_spread[0], grid.channel_response
    first = moments(
        fitted,
        velocities,
        method="gaussian",
        voxels=known,
        lines=chosen.lines,
        line_spread=spread,
        channel_response=response,
    )
    start = nearest_known(np.stack([first.velocity, first.dispersion]))
    reach = _reach(first, grid.channel_width)

    def fit(values: FloatArray, signal: float, spaxels: BoolArray) -> LineMaps:
        return line_maps(
            values,
            velocities,
            start=start,
            reach=reach,
            variance=variance,
            lines=chosen.lines,
            groups=chosen.groups,
            line_spread=spread,
            channel_response=response,
            signal_to_noise=signal,
            spaxels=spaxels,
        )

    model = fit(fitted, 0.0, known)
    # Where the data stand out near the model's line, or where it says that they do.
    width = 3 * np.hypot(start[1], spread)
    near = np.abs(velocities[:, None, None] - start[0]) < reach + width
    seen = signal_mask(MeasuredCube.of(cube, velocities, variance))
    seen = seen[:: -1 if velocities[0] > velocities[-1] else 1]
    expected = model.maps.mask & (model.maps.flux > _SIGNAL * model.maps.flux_error)
    data = fit(cube, _SIGNAL, (seen & near).any(axis=0) | expected)
    if data.maps.mask.sum() < _FEWEST_SPAXELS:
        data = fit(cube, -np.inf, peaks > _BRIGHT * peaks.max())
    return FitMaps(data, model, chosen.names)


def _reach(model: Moments, channel_width: float) -> float:
    """Return how far from the model's velocity the data's may be, km/s."""
    known = model.velocity[np.isfinite(model.velocity)]
    rotation = float(np.ptp(known)) if known.size else 0.0
    widths = model.dispersion[np.isfinite(model.dispersion)]
    turbulence = float(np.median(widths)) if widths.size else 0.0
    return max(_ROTATION * rotation, turbulence) + _SPARE * channel_width
