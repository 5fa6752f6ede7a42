"""Split an image into two: by the levels at which it falls apart, or as two Gaussians."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.rendering.compiled import njit

FLOAT = NDArray[np.float64]

_ROUNDS = 40
"""Of expectation and maximisation: what is left to gain is small against what blends gain."""

LEAST_SPREAD = 0.3
"""Square pixels, added to the variances of a Gaussian: it can't shrink onto one pixel."""


@njit
def best_split(light: FLOAT, levels: FLOAT) -> tuple[float, int, int]:
    """Return the largest share of the light in the second brightest part above any level.

    Pixels join their brighter neighbours, the eight around them, from the brightest one down, so
    that all levels are looked at in one pass (the component tree of Najman & Couprie 2006, IEEE
    Trans. Image Process. 15, 3531).

    Parameters
    ----------
    light : ndarray (y, x), float64
    levels : ndarray (n,)
        Rising; light counts above the first one.

    Returns
    -------
    contrast : float
        Of the flux of the second part to all of it above the first level; 0 where there never are
        two.
    first, second : int
        Places of their peaks in the flattened image, the brighter part first; -1 without a second.
    """
    rows, columns = light.shape
    flat = light.ravel()
    above = np.flatnonzero(flat > levels[0])
    order = above[np.argsort(-flat[above], kind="mergesort")]
    total = flat[above].sum()
    parent = np.full(flat.size, -1)
    flux = np.zeros(flat.size)
    peak = np.zeros(flat.size, np.int64)
    contrast, first, second = 0.0, -1, -1
    joined = 0
    for number in range(len(levels) - 1, -1, -1):
        while joined < len(order) and flat[order[joined]] > levels[number]:
            place = order[joined]
            joined += 1
            parent[place], flux[place], peak[place] = place, flat[place], place
            row, column = place // columns, place % columns
            for y in range(max(row - 1, 0), min(row + 2, rows)):
                for x in range(max(column - 1, 0), min(column + 2, columns)):
                    other = y * columns + x
                    if parent[other] < 0 or other == place:
                        continue
                    while parent[other] != other:
                        parent[other] = parent[parent[other]]
                        other = parent[other]
                    root = place
                    while parent[root] != root:
                        parent[root] = parent[parent[root]]
                        root = parent[root]
                    if root != other:
                        # The part of the higher peak is the older one.
                        if flat[peak[root]] > flat[peak[other]]:
                            root, other = other, root
                        parent[root] = other
                        flux[other] += flux[root]
        most, next_one = -1, -1
        for place in order[:joined]:
            if parent[place] != place:
                continue
            if most < 0 or flux[place] > flux[most]:
                most, next_one = place, most
            elif next_one < 0 or flux[place] > flux[next_one]:
                next_one = place
        # Of levels alike the lowest.
        if next_one >= 0 and flux[next_one] / total >= contrast:
            contrast = flux[next_one] / total
            first, second = peak[most], peak[next_one]
    return contrast, first, second


@njit
def fit_gaussians(
    light: FLOAT, places: FLOAT, shares: FLOAT, centres: FLOAT, spreads: FLOAT, held: bool
) -> float:
    """Fit two Gaussians to the light of pixels, by expectation and maximisation.

    Of Dempster, Laird & Rubin (1977, J. R. Stat. Soc. B 39, 1), a pixel counting as often as it has
    light; `_ROUNDS` times. The numbers to start from are overwritten by those found.

    Parameters
    ----------
    light : ndarray (N,)
        Positive, of the sum 1.
    places : ndarray (N, 2)
        (y, x) of the pixels.
    shares : ndarray (2,)
        Of the light.
    centres : ndarray (2, 2)
        (y, x).
    spreads : ndarray (2, 3)
        Variance along y, covariance, variance along x.
    held : bool
        Whether the centres stay where they are.

    Returns
    -------
    float
        Mean of the logarithm of the density in the light.
    """
    sums, density = np.empty((2, 6)), np.empty(2)
    scale, inverse = np.empty(2), np.empty((2, 3))
    likelihood = 0.0
    for turn in range(_ROUNDS + 1):
        for k in range(2):
            yy, yx, xx = spreads[k]
            area = yy * xx - yx * yx
            scale[k] = shares[k] / (2 * np.pi * np.sqrt(area))
            inverse[k] = -0.5 * xx / area, yx / area, -0.5 * yy / area
        sums[:] = 0.0
        for i in range(len(light)):
            for k in range(2):
                y, x = places[i, 0] - centres[k, 0], places[i, 1] - centres[k, 1]
                exponent = inverse[k, 0] * y * y + inverse[k, 1] * y * x + inverse[k, 2] * x * x
                density[k] = scale[k] * np.exp(exponent)
            total = max(density[0] + density[1], 1e-300)
            if turn == _ROUNDS:
                likelihood += light[i] * np.log(total)
                continue
            y, x = places[i, 0], places[i, 1]
            for k in range(2):
                part = light[i] * density[k] / total
                sums[k, 0] += part
                sums[k, 1] += part * y
                sums[k, 2] += part * x
                sums[k, 3] += part * y * y
                sums[k, 4] += part * y * x
                sums[k, 5] += part * x * x
        if turn == _ROUNDS:
            break
        for k in range(2):
            shares[k] = sums[k, 0] + 1e-12
            mean = sums[k] / shares[k]
            if not held:
                centres[k] = mean[1:3]
            y, x = centres[k]
            spreads[k, 0] = mean[3] - 2 * y * mean[1] + y * y + LEAST_SPREAD
            spreads[k, 1] = mean[4] - y * mean[2] - x * mean[1] + y * x
            spreads[k, 2] = mean[5] - 2 * x * mean[2] + x * x + LEAST_SPREAD
    return likelihood
