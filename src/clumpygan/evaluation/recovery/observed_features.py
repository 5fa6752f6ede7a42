"""What is measured of an observed image to say whether it is like others: numbers without units."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

FloatArray = NDArray[np.float64]


class Feature(NamedTuple):
    """What a feature is, and what an image is said to be where it is too high or too low."""

    definition: str
    high: str
    low: str


FEATURES = {
    "concentration": Feature(
        'flux in r = 0.6" over that in 1.5"', "more concentrated", "less concentrated"
    ),
    "surroundings": Feature(
        'flux between r = 1.5" and 3" over that in 1.5"',
        "more light around it",
        "less light around it",
    ),
    "peak": Feature(
        'height of the smoothed image over that of a point source of the flux in r = 0.6"',
        "sharper",
        "blunter",
    ),
    "size": Feature("half-light radius over half of the FWHM of the PSF", "larger", "more compact"),
    "ellipticity": Feature(
        'of the moments, weighted by a Gaussian of 0.6"', "more elongated", "rounder"
    ),
    "asymmetry": Feature(
        'light within 1.5" less the same turned by half a turn, over that light',
        "more asymmetric",
        "more symmetric",
    ),
    "unevenness": Feature(
        'scatter about the smoothed image between r = 0.4" and 1.5", in its noise',
        "clumpier",
        "smoother",
    ),
    "darkest": Feature(
        "lowest point of the smoothed image, downwards, in its noise",
        "a darker spot in the sky",
        "light everywhere",
    ),
    "sky": Feature(
        'median of the pixels beyond 2.5", in its noise', "light up to the edges", "a dark sky"
    ),
    "neighbours": Feature(
        'highest point of the smoothed image beyond 1.5", in its noise',
        "a brighter neighbour",
        "emptier surroundings",
    ),
    "flatness": Feature(
        'pixels within 1" of more than 0.9 of the brightest, over those of the PSF',
        "a flat top, as if saturated",
        "a single bright pixel",
    ),
}
"""Name -> feature."""

FIELD = 3.36
"""Arcsec from the galaxy in x and y: what is beyond isn't looked at, however large an image is."""

_FWHM_TO_SIGMA = 1 / 2.3548
_NOTHING = 3.0
"""Sigma of a flux, at least, that others are divided by."""


def observed_features(
    image: NDArray[np.floating],
    noise: float | NDArray[np.floating],
    fwhm: float,
    pixel_scale: float,
    mask: NDArray[np.bool_] | None = None,
    around: tuple[float, float] | None = None,
) -> tuple[float, FloatArray]:
    """Measure an observed image in units of its noise and its PSF, so that no zero point matters.

    Parameters
    ----------
    image : ndarray (y, x)
        In any unit, background subtracted.
    noise : float or ndarray (y, x)
        Of a pixel, in the same unit.
    fwhm : float
        Of the PSF, arcsec.
    pixel_scale : float
        Arcsec.
    mask : ndarray (y, x) of bool, optional
        Pixels without data, taken as empty sky.
    around : tuple of float, optional
        (y, x) in pixels, within 1" of which the galaxy is; the middle by default.

    Returns
    -------
    brightness : float
        asinh of the S/N of the flux in r = 1".
    features : ndarray (F,)
        Those of `FEATURES`.
    """
    middle = around or ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    reach = FIELD / pixel_scale + 1e-6
    part = tuple(
        slice(max(int(np.ceil(place - reach)), 0), max(int(np.floor(place + reach)) + 1, 1))
        for place in middle
    )
    known = np.ones(image.shape, bool) if mask is None else ~mask
    light = np.where(known, image / noise, 0).astype(np.float64)[part]
    known = known[part]
    width = fwhm * _FWHM_TO_SIGMA / pixel_scale
    # White noise smoothed by a Gaussian of width s has sigma / (2 sqrt(pi) s).
    smooth = gaussian_filter(light, width) * (2 * np.sqrt(np.pi) * width)
    rows, columns = np.indices(light.shape)
    top, left = (one.start for one in part)
    near = np.hypot(rows + top - middle[0], columns + left - middle[1]) * pixel_scale <= 1
    if not near.any():
        near[:] = True
    row, column = np.unravel_index(int(np.argmax(np.where(near, smooth, -np.inf))), light.shape)
    away = np.hypot(rows - row, columns - column) * pixel_scale

    def flux(radius: float) -> float:
        return float((light * np.clip((radius - away) / pixel_scale + 0.5, 0, 1)).sum())

    def sigma(radius: float) -> float:
        return float(np.sqrt(np.pi) * radius / pixel_scale)

    inner, whole, wide = (flux(radius) for radius in (0.6, 1.5, 3.0))
    total = max(whole, _NOTHING * sigma(1.5))
    core = max(inner, _NOTHING * sigma(0.6))
    within, outside = away <= 1.5, (away > 1.5) & known
    features = {
        "concentration": inner / total,
        "surroundings": (wide - whole) / total,
        # A Gaussian of the width of the filter has S/N = flux / (2 sqrt(pi) s) after it.
        "peak": float(smooth[row, column]) * 2 * np.sqrt(np.pi) * width / core,
        "size": _half_light_radius(flux, whole, pixel_scale) / (fwhm / 2),
        "ellipticity": _ellipticity(light, (int(row), int(column)), away),
        "asymmetry": _asymmetry(light, within, int(row), int(column)) / total,
        "unevenness": _unevenness(light, width, (away > 0.4) & within & known),
        "darkest": float(np.arcsinh(-smooth[known].min())) if known.any() else 0.0,
        "sky": _sky(light[(away > 2.5) & known]),
        "neighbours": float(np.arcsinh(smooth[outside].max())) if outside.any() else 0.0,
        "flatness": _flatness(light, away, fwhm, pixel_scale),
    }
    return float(np.arcsinh(flux(1.0) / sigma(1.0))), np.array(
        [features[name] for name in FEATURES]
    )


def _half_light_radius(flux: Callable[[float], float], whole: float, pixel_scale: float) -> float:
    radii = np.arange(0, 1.5 + pixel_scale / 4, pixel_scale / 2)
    growth = np.maximum.accumulate([0.0, *(flux(radius) for radius in radii[1:])])
    return float(np.interp(0.5 * whole, growth, radii)) if whole > 0 else 0.0


def _ellipticity(light: FloatArray, nucleus: tuple[int, int], away: FloatArray) -> float:
    rows, columns = np.indices(light.shape)
    y, x = rows - nucleus[0], columns - nucleus[1]
    weight = light * np.exp(-0.5 * np.square(away / 0.6))
    yy, xx, xy = (float((weight * moment).sum()) for moment in (y * y, x * x, x * y))
    return float(min(np.hypot(xx - yy, 2 * xy) / max(yy + xx, 1e-9), 2))


def _asymmetry(light: FloatArray, within: NDArray[np.bool_], row: int, column: int) -> float:
    rows, columns = np.nonzero(within)
    other = 2 * row - rows, 2 * column - columns
    inside = (
        (other[0] >= 0) & (other[0] < light.shape[0])
        & (other[1] >= 0) & (other[1] < light.shape[1])
    )  # fmt: skip
    here = light[rows[inside], columns[inside]]
    there = light[other[0][inside], other[1][inside]]
    return float(np.abs(here - there).sum() / 2)


def _unevenness(light: FloatArray, width: float, where: NDArray[np.bool_]) -> float:
    rest = (light - gaussian_filter(light, width))[where]
    return float(np.log(np.hypot(rest.std(), 0.1))) if rest.size else 0.0


def _sky(light: FloatArray) -> float:
    # The median of n normal numbers scatters by 1.25 / sqrt(n).
    return float(np.arcsinh(np.median(light) * light.size**0.5 / 1.25)) if light.size else 0.0


def _flatness(light: FloatArray, away: FloatArray, fwhm: float, pixel_scale: float) -> float:
    inside = light[away <= 1]
    # A Gaussian is above 0.9 of its peak within 0.39 of its half-width at half maximum.
    expected = np.pi * (0.195 * fwhm / pixel_scale) ** 2
    return float(np.log((inside > 0.9 * inside.max()).sum() / expected))
