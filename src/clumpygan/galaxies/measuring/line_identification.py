"""Which of several lines is which in a spectrum: the velocity that explains it best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import ndtr

FloatArray = NDArray[np.float64]

_WIDTHS = (0.7, 1.4, 2.8, 5.6, 11.0)
"""Standard deviations of the lines that are tried, in channels."""

_WIDEST = 400.0
"""km/s: no line of a disk, as a whole, is wider."""

_STEP = 0.5
"""Channels between the velocities that are tried."""

_ALIKE = 9.0
"""Chi^2 up to which another velocity explains a spectrum as well."""


@dataclass(frozen=True, eq=False)
class Identification:
    """Where lines are.

    Attributes
    ----------
    velocity : float
        km/s, of all lines.
    fluxes : ndarray (lines,)
        0 or more, of each.
    width : float
        Standard deviation in km/s.
    """

    velocity: float
    fluxes: FloatArray
    width: float


def identify_lines(
    spectrum: FloatArray, variance: FloatArray, edges: FloatArray
) -> Identification | None:
    """Find the velocity at which several lines explain a spectrum, whatever their fluxes.

    At each velocity Gaussians of one width are fitted with fluxes of 0 or more. A velocity that
    puts the brightest line on another one's place leaves the others; where those are too faint to
    tell, the velocity nearest to 0 is taken, which is where a redshift puts the galaxy.

    Parameters
    ----------
    spectrum, variance : ndarray (v,)
        Infinite variance where nothing is known.
    edges : ndarray (lines, v + 1)
        Of the channels, in km/s from each line; rising.

    Returns
    -------
    Identification or None
        None if no line is seen.
    """
    channel = float(np.median(np.diff(edges[0])))
    weight = np.where(np.isfinite(variance), 1 / np.sqrt(variance), 0.0)
    data = np.where(weight > 0, spectrum, 0.0) * weight
    low, high = float(edges[0].min()), float(edges[0].max())
    velocities = np.arange(low + 0.5 * channel, high, _STEP * channel)
    widths = [w * channel for w in _WIDTHS if w * channel < _WIDEST] or [_WIDTHS[0] * channel]
    best: list[tuple[float, Identification]] = []
    for velocity in velocities:
        for width in widths:
            profiles = np.diff(ndtr((edges - velocity) / width), axis=1)
            fluxes, left = nnls((profiles * weight).T, data)
            best.append((left**2, Identification(float(velocity), fluxes, width)))
    least = min(chi for chi, _ in best)
    if not (np.dot(data, data) - least) > _ALIKE:
        return None
    # Where Gaussians leave more than noise, chi^2 counts less.
    alike = _ALIKE * max(least / max(int((weight > 0).sum()), 1), 1.0)
    near = [one for one in best if one[0] < least + alike]
    middle = min(near, key=lambda one: abs(one[1].velocity))[1].velocity
    return min(
        (one for one in near if abs(one[1].velocity - middle) < 2 * max(widths)),
        key=lambda one: one[0],
    )[1]
