"""Which of several lines is which in a spectrum: the velocity that explains it best."""

from dataclasses import dataclass, replace

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

_FINE_STEPS = (-0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4)
"""Channels from the best of these, where more are tried."""

_ONE_LINE = 600.0
"""km/s between lines that rotation and dispersion mix: those of [OII] (225) or CIV (498) count as
one where lines are told apart, those of [SII] (642) and H alpha and [NII] (672, 944) don't."""

_ALIKE = 9.0
"""Chi^2 up to which another velocity explains a spectrum as well."""

_INSIDE, _WING = 0.3, 0.05
"""Shares of a line that are to be in the channels for its flux to be known, and to count at all."""


@dataclass(frozen=True, eq=False)
class Identification:
    """Where lines are.

    Attributes
    ----------
    velocity : float
        km/s, of all lines.
    fluxes : ndarray (lines,)
        0 or more, of each; of one at least above 0.
    width : float
        Standard deviation in km/s.
    gain : float
        Chi^2 of no line minus that of these.
    rival : float or None
        The velocity nearest to 0 at which other lines of them explain the spectrum as well; km/s.
    """

    velocity: float
    fluxes: FloatArray
    width: float
    gain: float = 0.0
    rival: float | None = None


def closest_lines(edges: FloatArray) -> float:
    """Return the smallest distance between lines that can be told apart, km/s; infinite of one.

    Parameters
    ----------
    edges : ndarray (lines, v + 1)
        Of the channels, in km/s from each line.
    """
    offsets = np.sort((edges[0] - edges).mean(axis=1))
    distances = np.diff(offsets)
    return float(distances[distances > _ONE_LINE].min(initial=np.inf))


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
    known = weight > 0

    def fitted(velocity: float, width: float) -> tuple[float, Identification] | None:
        profiles = np.diff(ndtr((edges - velocity) / width), axis=1)
        inside = (profiles * known).sum(axis=1)
        seen = inside > _WING
        if not seen.any():
            return None
        fluxes = np.zeros(len(edges))
        fluxes[seen], left = nnls((profiles[seen] * weight).T, data)
        if not fluxes.any():
            return None
        clear = inside >= _INSIDE
        if not fluxes[clear].any():
            # Of wings alone, the one with the most light is the likeliest to be a line.
            clear = np.arange(len(edges)) == int(np.argmax(fluxes * inside))
        fluxes[~clear] = 0.0
        return left**2, Identification(velocity, fluxes, width)

    # Also where the first line isn't in the channels: others may be.
    low, high = float(edges.min()), float(edges.max())
    velocities = np.arange(low + 0.5 * channel, high, _STEP * channel)
    widths = [w * channel for w in _WIDTHS if w * channel < _WIDEST] or [_WIDTHS[0] * channel]
    best = []
    for velocity in velocities.tolist():
        tried = [one for one in (fitted(velocity, width) for width in widths) if one]
        best += [min(tried, key=lambda one: one[0])] if tried else []
    # A velocity between two that are tried is no less likely than one that is met.
    best += [
        one
        for before, here, after in zip(best[:-2], best[1:-1], best[2:], strict=True)
        if here[0] < min(before[0], after[0])
        for step in _FINE_STEPS
        if (one := fitted(here[1].velocity + step * channel, here[1].width))
    ]
    total = float(np.dot(data, data))
    least = min((chi for chi, _ in best), default=total)
    if not total - least > _ALIKE:
        return None
    # Where Gaussians leave more than noise, chi^2 counts less.
    alike = _ALIKE * max(least / max(int((weight > 0).sum()), 1), 1.0)
    near = [one for one in best if one[0] < least + alike]
    middle = min(near, key=lambda one: abs(one[1].velocity))[1].velocity
    apart = 0.5 * closest_lines(edges)
    own = [one for one in near if abs(one[1].velocity - middle) < apart]
    chi, found = min(own, key=lambda one: one[0])
    others = [one.velocity for _, one in near if abs(one.velocity - middle) >= apart]
    rival = min(others, key=abs) if others else None
    return replace(found, gain=total - chi, rival=rival)
