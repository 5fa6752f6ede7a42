"""Split an image into the two parts into which it falls most evenly, level by level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.rendering.compiled import njit

FLOAT = NDArray[np.float64]


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
