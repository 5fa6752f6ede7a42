"""Light in the plane of the disk, of numbers and of tensors, and along the line of sight."""

# Formulas take numbers or tensors.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

import math

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.arithmetic import (
    cos,
    erf,
    exp,
    is_zero,
    lgamma,
    log,
    radians,
    shared,
    tan,
)
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.rotation import sersic_b

_MODEL = DiskModel()
_RADIUS = _MODEL.index("half_light_radius")
_SERSIC = _MODEL.index("sersic_index")
_RING_WIDTH = _MODEL.index("ring_width")
_BULGE = _MODEL.index("bulge_fraction")
_BULGE_RADIUS = _MODEL.index("bulge_radius")
_BULGE_INDEX = _MODEL.index("bulge_index")
_ARM_AMPLITUDE = _MODEL.index("arm_amplitude")
_ARM_PITCH = _MODEL.index("arm_pitch")
_ARM_PHASE = _MODEL.index("arm_phase")
_LOPSIDEDNESS = _MODEL.index("lopsidedness")
_LOPSIDEDNESS_PHASE = _MODEL.index("lopsidedness_phase")

ARM_CORE = 0.3
"""Radius in half-light radii inside which arms fade."""

_STEPS, _END = 512, 8.0


def _normal_distribution() -> NDArray[np.float64]:
    """Tabulate the cumulative normal distribution from -8 to 8, with an entry to spare."""
    x = np.arange(int(2 * _END * _STEPS) + 2) / _STEPS - _END
    return np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in x])


NORMAL_DISTRIBUTION = _normal_distribution()
"""Linear interpolation in it is good to 1.2e-7, the precision of the cubes."""


@shared
def sersic(radius, index, half_light_radius):
    """Return the surface brightness of a Sersic profile of unit flux.

    `b^(2n) / (2 pi n Gamma(2n) R_h^2) exp(-b (R / R_h)^(1 / n))` (Graham & Driver 2005, eq. 1, 4).
    Radii of tensors are above 0.
    """
    b = sersic_b(index)
    norm = exp(2.0 * index * log(b) - lgamma(2.0 * index + 1.0)) / math.pi
    ratio = radius / half_light_radius
    return norm / half_light_radius**2 * exp(-b * ratio ** (1.0 / index))


@shared
def annulus(radius, centre, width):
    """Return the surface brightness of a Gaussian annulus of unit flux."""
    ratio = centre / width
    norm = exp(-0.5 * ratio * ratio)
    norm = norm + ratio * math.sqrt(0.5 * math.pi) * (1.0 + erf(ratio / math.sqrt(2.0)))
    inside = (radius - centre) / width
    return exp(-0.5 * inside * inside) / (2.0 * math.pi * width * width * norm)


@njit
def surface_brightness(radius, p, ring):
    """Return the surface brightness of disk and bulge, which have unit flux together."""
    if ring:
        disk = annulus(radius, p[_RADIUS], p[_RING_WIDTH])
    else:
        disk = sersic(radius, p[_SERSIC], p[_RADIUS])
    bulge = 0.0
    if p[_BULGE] > 0.0:
        bulge = p[_BULGE] * sersic(radius, p[_BULGE_INDEX], p[_BULGE_RADIUS])
    return (1.0 - p[_BULGE]) * disk, bulge


@shared
def modulation(radius, azimuth, p, arms):
    """Return the factor by which arms and lopsidedness change the disk; 1 on average."""
    factor = 1.0
    ratio = radius / p[_RADIUS]
    if arms > 0 and not is_zero(p[_ARM_AMPLITUDE]):
        fade = ratio * ratio / (ratio * ratio + ARM_CORE * ARM_CORE)
        crest = radians(p[_ARM_PHASE]) - log(ratio) / tan(radians(p[_ARM_PITCH]))
        factor = factor + p[_ARM_AMPLITUDE] * fade * cos(arms * (azimuth - crest))
    if not is_zero(p[_LOPSIDEDNESS]):
        rise = ratio * ratio / (ratio * ratio + 1.0)
        side = cos(azimuth - radians(p[_LOPSIDEDNESS_PHASE]))
        factor = factor * (1.0 + p[_LOPSIDEDNESS] * rise * side)
    return factor


@njit
def _cumulative(x):
    if x <= -_END:
        return 0.0
    if x >= _END:
        return 1.0
    place = (x + _END) * _STEPS
    low = int(place)
    value = NORMAL_DISTRIBUTION[low]
    return value + (place - low) * (NORMAL_DISTRIBUTION[low + 1] - value)


@njit
def line_width(dispersion, spread, narrowest):
    """Return the standard deviation of a line: dispersion and LSF, but not below the narrowest.

    Below twice that it comes to it smoothly, for a fit's way would end at a kink.
    """
    square = dispersion * dispersion + spread * spread
    if square < 4 * narrowest * narrowest:
        return narrowest + square / (4 * narrowest)
    return math.sqrt(square)


@njit
def line_profile(
    velocity, dispersion, edges, line_fluxes, spreads, narrowest, integrate, reach, out
):
    """Write the shares of the channels in the light of one point.

    Parameters
    ----------
    velocity, dispersion : float
        km/s.
    edges : ndarray of shape (lines, C + 1)
        Rising, km/s.
    line_fluxes, spreads : ndarray of shape (lines,)
        Shares of the lines, and standard deviations of the LSF in km/s.
    narrowest : float
        Smallest standard deviation of a line in km/s.
    integrate : bool
        Over the channels; else the value at their centre times their width.
    reach : float
        Standard deviations after which a line ends.
    out : ndarray of shape (C,)
        Valid between the returned bounds, 0 outside them where it was 0 before.

    Returns
    -------
    low, high : int
    """
    lines, channels = edges.shape[0], edges.shape[1] - 1
    low, high = channels, 0
    for line in range(lines):
        sigma = line_width(dispersion, spreads[line], narrowest)
        first = np.searchsorted(edges[line], velocity - reach * sigma, side="right") - 1
        last = np.searchsorted(edges[line], velocity + reach * sigma, side="left")
        low, high = min(low, max(first, 0)), max(high, min(last, channels))
    if low >= high:
        return 0, 0
    for c in range(low, high):
        out[c] = 0.0
    for line in range(lines):
        sigma = line_width(dispersion, spreads[line], narrowest)
        share = line_fluxes[line]
        first = max(np.searchsorted(edges[line], velocity - reach * sigma, side="right") - 1, 0)
        last = min(np.searchsorted(edges[line], velocity + reach * sigma, side="left"), channels)
        if integrate:
            before = _cumulative((edges[line, first] - velocity) / sigma) if first < last else 0.0
            for c in range(first, last):
                after = _cumulative((edges[line, c + 1] - velocity) / sigma)
                out[c] += share * (after - before)
                before = after
        else:
            for c in range(first, last):
                width = edges[line, c + 1] - edges[line, c]
                x = (0.5 * (edges[line, c + 1] + edges[line, c]) - velocity) / sigma
                out[c] += share * width * math.exp(-0.5 * x * x) / (sigma * 2.5066282746310002)
    return low, high
