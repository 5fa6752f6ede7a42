"""Harmonics of velocity and dispersion maps along ellipses: how regular a disk rotates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from clumpygan.galaxies.geometry import apparent_axis_ratio

ORDER = 5
"""Highest harmonic."""

THICKNESS = 0.2
"""Edge-on axis ratio of the ellipses: PSF and height of a disk never let it look thinner."""

FIRST_RADIUS, STEP = 1.5, 1.0
"""Pixels along the major axis: the smallest ellipse, and the distance of the next ones."""

LEAST_KNOWN = 0.75
"""Share of an ellipse where the map must be known, as in Krajnovic et al. (2006)."""

_POINTS = 60

FloatArray = NDArray[np.float64]


class Ellipses(NamedTuple):
    """How the disks of N galaxies lie on the sky, arrays (N,).

    Attributes
    ----------
    x, y : numpy.ndarray
        Centre in pixels, the first pixel being 0.
    inclination, position_angle : numpy.ndarray
        Degrees; from +y towards -x, to the receding side.
    """

    x: FloatArray
    y: FloatArray
    inclination: FloatArray
    position_angle: FloatArray


def harmonics(maps: FloatArray, ellipses: Ellipses) -> list[FloatArray]:
    """Expand maps along concentric ellipses in harmonics of the azimuth in the disk.

    K(psi) = A0 + sum_n A_n sin(n psi) + B_n cos(n psi), n up to 5 (Krajnovic et al. 2006, MNRAS
    366, 787, eqs. 5-7), psi counted in the plane of the disk from its receding major axis. Centre,
    inclination and position angle are given, not fitted. The maps are interpolated linearly at 60
    points of each ellipse; ellipses are taken from 1.5 pixels outwards, one each pixel, as long as
    the map is known on three quarters of them.

    Parameters
    ----------
    maps : numpy.ndarray, (N, y, x)
        NaN where unknown.
    ellipses : Ellipses

    Returns
    -------
    list of numpy.ndarray, (R, 2, 6)
        For each map, of each of its R ellipses (none, where too little is known), A0 to A5 (A0
        first, then 0 in the second row's place) and 0, B1 to B5.
    """
    psi = 2.0 * np.pi * np.arange(_POINTS) / _POINTS
    orders = np.arange(1, ORDER + 1)
    sines, cosines = np.sin(np.outer(psi, orders)), np.cos(np.outer(psi, orders))
    design = np.column_stack([np.ones(_POINTS), sines, cosines])
    return [_expand(image, place, psi, design) for image, place in zip(maps, _rows(ellipses),
                                                                       strict=True)]  # fmt: skip


def amplitudes(expansion: FloatArray) -> FloatArray:
    """Return k_n = sqrt(A_n^2 + B_n^2) of each ellipse, (R, 6), from an expansion (R, 2, 6)."""
    return np.hypot(expansion[:, 0], expansion[:, 1])


def _rows(ellipses: Ellipses) -> list[tuple[float, ...]]:
    return list(zip(*(np.asarray(one).tolist() for one in ellipses), strict=True))


def _expand(
    image: FloatArray, place: tuple[float, ...], psi: FloatArray, design: FloatArray
) -> FloatArray:
    x, y, inclination, position_angle = place
    ratio = apparent_axis_ratio(inclination, THICKNESS)
    sine, cosine = np.sin(np.radians(position_angle)), np.cos(np.radians(position_angle))
    along, across = np.cos(psi), ratio * np.sin(psi)
    found = []
    radius = FIRST_RADIUS
    while True:
        rows = y + radius * (cosine * along - sine * across)
        columns = x + radius * (-sine * along - cosine * across)
        values = map_coordinates(image, [rows, columns], order=1, cval=np.nan)
        known = np.isfinite(values)
        if known.mean() < LEAST_KNOWN:
            break
        found.append(np.linalg.lstsq(design[known], values[known], rcond=None)[0])
        radius += STEP
    if not found:
        return np.empty((0, 2, ORDER + 1))
    table = np.array(found)
    zeros = np.zeros((len(table), 1))
    return np.stack([table[:, : ORDER + 1], np.hstack([zeros, table[:, ORDER + 1 :]])], axis=1)
