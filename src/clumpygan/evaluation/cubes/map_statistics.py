"""Two dozen numbers on the moment maps of a galaxy beside those of its smooth disk."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_SEEN = 3.0
"""Noise that the smooth disk has to exceed where departures from it are looked at."""

_FEWEST = 12
"""Brightest pixels of the smooth disk, which are always looked at."""

_NAMES = {
    "signal": "log10 of the peak of the smooth disk",
    "light_rms": "log10 of the rms of the light's residual where the smooth disk is seen, over its "
    "rms there",
    "light_highest": "largest residual of the light over the peak of the smooth disk, asinh",
    "light_lowest": "lowest, likewise",
    "light_skewness": "skewness of the residual of the light, asinh",
    "light_kurtosis": "its kurtosis, asinh",
    "light_neighbour": "correlation of the residual of the light with itself one pixel away",
    "light_farther": "three pixels away",
    "light_outside": "rms of the light where the smooth disk isn't seen, log10",
    "asymmetry": "mean |I - I turned by 180 degrees| over mean I, where the disk is seen",
    "sides": "difference between the receding and the approaching side, over their sum",
    "far_side": "difference between both sides of the major axis, over their sum",
    "inner": "residual of the light in the inner third of the light, over the light there",
    "outer": "in the outer third",
    "shift_mean": "mean shift of the line over the light",
    "shift_rms": "its rms over the rms of the light, log10",
    "shift_neighbour": "correlation of the shift with itself one pixel away",
    "shift_along": "slope of the shift along the major axis, over the light",
    "shift_across": "across it",
    "width_mean": "mean broadening of the line over the light",
    "width_rms": "its rms over the rms of the light, log10",
    "light_and_shift": "correlation of |residual of the light| with |shift|",
    "light_and_width": "correlation of the residual of the light with the broadening",
}

STATISTICS: Mapping[str, str] = MappingProxyType(_NAMES)
"""Name -> definition of the statistics, in the order of their columns."""


def map_statistics(maps: ArrayLike) -> FloatArray:
    """Measure galaxies on their moment maps.

    Parameters
    ----------
    maps : array_like (N, 4, y, x)
        Light, shift and broadening of the line, and light of the smooth disk, as
        `networks.expected_moments` has them, in units of the noise; the major axis along x, the
        galaxy in the middle.

    Returns
    -------
    ndarray of shape (N, F), float64
        The statistics of `STATISTICS`.
    """
    return np.array([_statistics(*one) for one in np.asarray(maps, dtype=np.float64)])


def _statistics(
    light: FloatArray, shift: FloatArray, width: FloatArray, smooth: FloatArray
) -> list[float]:
    # A handful of pixels at least, however faint the galaxy is.
    brightest = np.argsort(smooth, axis=None)[::-1]
    seen = smooth > _SEEN
    seen.flat[brightest[:_FEWEST]] = True
    residual = np.where(seen, light - smooth, 0.0)
    inside, scale = residual[seen], _rms(smooth[seen])
    y, x = np.indices(light.shape, dtype=np.float64)
    y, x = y - (light.shape[0] - 1) / 2, x - (light.shape[1] - 1) / 2
    total = max(float(smooth[seen].sum()), 1e-6)
    order = np.sort(smooth[seen])[::-1]
    thirds = np.searchsorted(np.cumsum(order), [total / 3, 2 * total / 3])
    steps = order[thirds.clip(max=order.size - 1)]
    inner, outer = seen & (smooth >= steps[0]), seen & (smooth < steps[1])
    turned = np.where(seen, np.abs(light - light[::-1, ::-1]), 0.0)
    peak = smooth.max()
    return [
        np.log10(max(peak, 1e-3)),
        np.log10(_rms(inside) / scale),
        np.arcsinh(5 * residual.max() / max(peak, 1e-6)),
        np.arcsinh(5 * residual.min() / max(peak, 1e-6)),
        np.arcsinh(_moment(inside, 3)),
        np.arcsinh(_moment(inside, 4) - 3),
        _neighbours(residual, seen, 1),
        _neighbours(residual, seen, 3),
        np.log10(_rms(light[~seen]) if (~seen).any() else 1.0),
        turned.sum() / total,
        _difference(light, seen & (x > 0), seen & (x < 0)),
        _difference(light, seen & (y > 0), seen & (y < 0)),
        residual[inner].sum() / max(smooth[inner].sum(), 1e-9),
        residual[outer].sum() / max(smooth[outer].sum(), 1e-9),
        shift[seen].sum() / total,
        np.log10(_rms(shift[seen]) / scale),
        _neighbours(np.where(seen, shift, 0.0), seen, 1),
        (shift * x)[seen].sum() / max(np.abs(smooth * x)[seen].sum(), 1e-9),
        (shift * y)[seen].sum() / max(np.abs(smooth * y)[seen].sum(), 1e-9),
        width[seen].sum() / total,
        np.log10(_rms(width[seen]) / scale),
        _correlation(np.abs(inside), np.abs(shift[seen])),
        _correlation(inside, width[seen]),
    ]


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.square(values).mean())) + 1e-6


def _moment(values: FloatArray, power: int) -> float:
    away = values - values.mean()
    return float((away**power).mean() / max(float(np.square(away).mean()), 1e-12) ** (power / 2))


def _difference(light: FloatArray, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    a, b = light[one].sum(), light[other].sum()
    return float((a - b) / max(a + b, 1e-9))


def _neighbours(values: FloatArray, seen: NDArray[np.bool_], distance: int) -> float:
    """Return the correlation of values with those some pixels away, along both axes."""
    pairs = []
    for axis in (0, 1):
        first, second = (np.take(values, _span(values, axis, s, distance), axis) for s in (0, 1))
        both = [np.take(seen, _span(values, axis, s, distance), axis) for s in (0, 1)]
        inside = both[0] & both[1]
        pairs.append((first[inside], second[inside]))
    return _correlation(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))


def _span(values: FloatArray, axis: int, side: int, distance: int) -> NDArray[np.int64]:
    return np.arange(values.shape[axis] - distance) + side * distance


def _correlation(a: FloatArray, b: FloatArray) -> float:
    if a.size < 3:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt(np.square(a).sum() * np.square(b).sum()), 1e-12))
