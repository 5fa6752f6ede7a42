"""The half-light radius of galaxies that aren't smooth, in the plane of their disks."""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv
from scipy.stats import ncx2

FloatArray = NDArray[np.float64]

RADII = np.geomspace(1e-3, 1e2, 256)
"""Half-light radii of the profile: rings between whose middles the light is summed."""

_AZIMUTHS = 64


def half_light_radii(factors: ArrayLike, indices: ArrayLike, extent: float) -> FloatArray:
    """Return the radii (S,) of half of the light of Sersic profiles times maps, seen face-on.

    From the curve of growth, the light within R,

        L(R) = 2 pi int_0^R S(r) f(r) r dr,  S(r) = exp(-b (r / R_p)^(1 / n)),

    f being the mean of the map on a ring and R_p the half-light radius of the profile.

    Parameters
    ----------
    factors : array_like (S, N, N)
        Of the light, as those of a `LightMap`.
    indices : array_like (S,)
        Sersic indices n of the profiles.
    extent : float
        Half a side of the maps, in half-light radii of the profile.

    Returns
    -------
    ndarray (S,)
        In half-light radii of the profile; 1 where a map leaves no light.
    """
    half = [
        np.interp(0.5, curve, np.log(RADII)) for curve in growth_curves(factors, indices, extent)
    ]
    return np.exp(half)


def growth_curves(factors: ArrayLike, indices: ArrayLike, extent: float) -> FloatArray:
    """Return the shares (S, rings) of the light within `RADII`: see `half_light_radii`."""
    maps, n = np.asarray(factors, dtype=np.float64), np.asarray(indices, dtype=np.float64)
    means = maps.reshape(len(maps), -1) @ _ring_means(maps.shape[1], float(extent)).T
    means = np.where((means > 0).any(axis=1, keepdims=True), means, 1.0)
    b = gammaincinv(2 * n, 0.5)[:, None]
    # Rings are as wide as they are large.
    light = np.exp(-b * RADII ** (1 / n[:, None])) * RADII**2 * means
    grown = np.cumsum(light, axis=1)
    return np.asarray((grown - 0.5 * light) / grown[:, -1:])


def clumps_within(x: FloatArray, y: FloatArray, radii: FloatArray) -> FloatArray:
    """Return the shares (K, rings) of round Gaussian clumps within `RADII`.

    Parameters
    ----------
    x, y : ndarray (K,)
        Of the middles in the plane of the disk, in half-light radii of the disk.
    radii : ndarray (K,)
        Half-light radii of the clumps, in the same unit.
    """
    variance = radii[:, None] ** 2 / (2 * np.log(2))
    squared = (x**2 + y**2)[:, None] / variance
    return np.asarray(ncx2.cdf(RADII**2 / variance, 2, squared))


def weighted_median(radii: FloatArray, flux: FloatArray) -> float:
    """Return the radius within which half of the flux of points (N,) is."""
    order = np.argsort(radii)
    grown = np.cumsum(flux[order])
    return float(np.interp(0.5 * grown[-1], grown - 0.5 * flux[order], radii[order]))


@cache
def _ring_means(size: int, extent: float) -> FloatArray:
    """Return the weights (rings, N N) of a map's pixels in its means on rings.

    Bilinear between the centres of pixels, the outermost going on beyond.
    """
    azimuth = 2 * np.pi * (np.arange(_AZIMUTHS) + 0.5) / _AZIMUTHS
    sides = (np.outer(RADII, np.sin(azimuth)), np.outer(RADII, np.cos(azimuth)))
    places = [np.clip(0.5 * (one / extent + 1) * size - 0.5, 0, size - 1) for one in sides]
    corners = [np.minimum(one.astype(int), size - 2) for one in places]
    weights = np.zeros((len(RADII), size, size))
    ring = np.arange(len(RADII))[:, None]
    for down in (0, 1):
        for right in (0, 1):
            parts = [
                1 - abs(place - corner - step)
                for place, corner, step in zip(places, corners, (down, right), strict=True)
            ]
            where = (ring, corners[0] + down, corners[1] + right)
            np.add.at(weights, where, parts[0] * parts[1] / _AZIMUTHS)
    return weights.reshape(len(RADII), -1)
