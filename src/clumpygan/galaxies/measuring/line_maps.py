"""Maps of lines that are fitted in every spaxel, started where a model has them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from clumpygan.galaxies.measuring.line_fitting import follow_lines
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.moments import (
    LineValues,
    Moments,
    moments_of,
    trusted_spaxels,
    without_islands,
)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


_NARROWEST = 0.7
"""Of the line spread function: the width of a line at least."""


@dataclass(frozen=True, eq=False)
class LineMaps:
    """What the lines of a cube look like at every position.

    Attributes
    ----------
    maps : Moments
        Flux of all lines together, velocity, dispersion, and their errors.
    fluxes, flux_errors : ndarray (groups, y, x)
        Of each group of lines; NaN where the maps are.
    """

    maps: Moments
    fluxes: FloatArray
    flux_errors: FloatArray


def line_maps(
    cube: ArrayLike,
    velocities: ArrayLike,
    *,
    start: ArrayLike,
    reach: float,
    variance: ArrayLike | None = None,
    lines: Sequence[tuple[float, float]] = ((0.0, 1.0),),
    groups: Sequence[int] | None = None,
    line_spread: float = 0.0,
    channel_response: bool = True,
    signal_to_noise: float = 3.0,
    spaxels: ArrayLike | None = None,
) -> LineMaps:
    """Fit the lines in every spaxel by least squares, with one velocity and one width.

    Unlike `moments(method="gaussian")`, which looks for the best of all Gaussians in a spectrum,
    each fit starts at what a model says, and sees no channels far from there.

    Parameters
    ----------
    cube : array_like (v, y, x)
        Flux per voxel; NaN where unknown.
    velocities : array_like (v,)
        Centres of the channels in km/s.
    start : array_like (2, y, x)
        Velocity of the first line and its dispersion (without the line spread function) in km/s;
        where NaN, the nearest spaxel's.
    reach : float
        km/s from there, besides three widths of the line, within which it is looked for.
    variance : array_like (v, y, x) or (v,), or float, optional
        Of the flux per voxel; without it all voxels count alike, and there are no errors.
    lines : sequence of (float, float)
        Offset in km/s from the first, and relative flux within its group, of every line.
    groups : sequence of int, optional
        Of which group every line is, counted from 0; each has a flux of its own. All are of one by
        default.
    line_spread, channel_response
        As for `moments`.
    signal_to_noise : float
        Least ratio of flux to its error for a spaxel to be kept, where there is a variance.
    spaxels : array_like (y, x) of bool, optional
        Those that are fitted; by default all.

    Returns
    -------
    LineMaps
        Of groups of fewer than `SMALLEST_ISLAND` spaxels, nothing is kept where there is a
        variance.
    """
    measured = MeasuredCube.of(cube, velocities, variance)
    wanted = measured.covered if spaxels is None else np.asarray(spaxels, bool) & measured.covered
    first = nearest_known(np.asarray(start, dtype=np.float64))
    first[1] = np.hypot(first[1], line_spread)
    fits = follow_lines(
        measured,
        wanted,
        tuple(lines),
        channel_response,
        start=first,
        reach=reach,
        narrowest=_NARROWEST * line_spread,
        groups=groups,
    )
    fluxes, covariance = fits.parameters[:, :-2], fits.covariance
    count = fluxes.shape[1]
    total = covariance[:, :count, :count].sum(axis=(1, 2))
    spread = np.stack([total, covariance[:, -2, -2], covariance[:, -1, -1]])
    width = fits.parameters[:, -1]
    spread[2] *= (2 * width) ** 2
    each = np.einsum("naa->an", covariance)[:count]
    if variance is None:
        spread, each = np.where(np.isfinite(spread), np.nan, spread), np.full_like(each, np.nan)
    shape = wanted.shape
    values = np.full((2, 3, *shape), np.nan)
    values[0][:, wanted] = fluxes.sum(axis=1), fits.parameters[:, -2], width**2
    values[1][:, wanted] = spread
    found = LineValues(values[0], values[1])
    trusted = trusted_spaxels(found, variance is not None, signal_to_noise)
    if variance is not None:
        trusted = without_islands(trusted)
    own = np.full((2, count, *shape), np.nan)
    own[0][:, wanted], own[1][:, wanted] = fluxes.T, np.sqrt(each)
    own = np.where(trusted, own, np.nan)
    return LineMaps(moments_of(found, trusted, line_spread), own[0], own[1])


def nearest_known(maps: FloatArray) -> FloatArray:
    """Return maps (k, y, x) in which every NaN has the value of the nearest spaxel that has one."""
    filled = maps.copy()
    for values in filled:
        unknown = ~np.isfinite(values)
        if unknown.any() and not unknown.all():
            places = ndimage.distance_transform_edt(
                unknown, return_distances=False, return_indices=True
            )
            values[...] = values[tuple(places)]
    return filled
