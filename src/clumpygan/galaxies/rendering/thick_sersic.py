"""The circular velocity of a thick Sersic disk, and of a round bulge of as much mass for its light.

A face-on surface density S(R) is that of a spheroid of axis ratio q, whose density is stratified on
m^2 = R^2 + z^2 / q^2, with q rho(m) = -1 / pi int_m^inf S'(R) / sqrt(R^2 - m^2) dR; with
e^2 = 1 - q^2 (Binney & Tremaine 2008, equation 2.132; Noordermeer 2008, MNRAS 385, 1359)

    V^2(R) = 4 pi G int_0^R q rho(m) m^2 / sqrt(R^2 - e^2 m^2) dm.

The disk's q is 0.2, the bulge's 1. ln(V^2 R_e / G M) is a Chebyshev series in ln(R / R_e) and in
the logarithm of the index, good to 1e-4 of V from index 0.5 to 6.2, and to 1e-3 at 0.3. Nearer to
the centre than `INNERMOST` half-light radii V is linear, farther out than `OUTERMOST` Kepler's.
"""

# Formulas take numbers or tensors.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

import math
from functools import cache

import numpy as np
from numpy.polynomial import chebyshev as polynomials
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import gammaincinv, gammaln, roots_legendre

from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.arithmetic import (
    at_least,
    at_most,
    chebyshev,
    double_chebyshev,
    exp,
    log,
    shared,
    sqrt,
)
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.rotation_series import LOG_INDEX_MIDDLE, LOG_INDEX_SPAN

FloatArray = NDArray[np.float64]

DISK_AXIS_RATIO = 0.2
"""Intrinsic, as mass models of disks take it (Price et al. 2022)."""

INNERMOST, OUTERMOST = 3e-3, 30.0
"""Half-light radii between which there is a series."""

_ORDER, _ORDER_OF_INDEX, _ORDER_OF_PEAK = 56, 14, 16

_FULLEST = 0.999
"""Largest share of the bulge: the disk is what its velocity is measured by."""

GRAVITY = 4.30091e-6
"""kpc (km/s)^2 per solar mass."""

_TEN = math.log(10.0)

_MAXIMUM_VELOCITY = DiskModel().index("maximum_velocity")
_HALF_LIGHT_RADIUS = DiskModel().index("half_light_radius")
_SERSIC_INDEX = DiskModel().index("sersic_index")
_BULGE = DiskModel().index("bulge_fraction")
_BULGE_RADIUS = DiskModel().index("bulge_radius")
_BULGE_INDEX = DiskModel().index("bulge_index")
_LOG_MASS = DiskModel().index("log_baryonic_mass")
_SCALE = DiskModel().index("angular_scale")


_rule = cache(roots_legendre)


def squared_velocity(radii: FloatArray, index: float, axis_ratio: float) -> FloatArray:
    """Return V^2 R_e / (G M) at radii up to `OUTERMOST` half-light radii, by quadrature."""
    b = float(gammaincinv(2 * index, 0.5))
    log_central = 2 * index * math.log(b) - math.log(2 * math.pi * index) - gammaln(2 * index)
    m = np.geomspace(1e-9, 1.01 * OUTERMOST, 160)
    x, w = _rule(80)
    # Where b R^(1 / n) is 80 there is nothing left.
    longest = np.arccosh(np.maximum((80 / b) ** index / m, 1.1))[:, None]
    out = m[:, None] * np.cosh(0.5 * longest * (x + 1))
    depth = b * out ** (1 / index)
    slope = np.exp(log_central - depth) * depth / index / out
    density = (0.5 * longest * w * slope).sum(axis=1) / math.pi
    log_density = CubicSpline(np.log(m), np.log(np.maximum(density, 1e-300)))
    x, w = _rule(160)
    s = (0.5 * (x + 1)) ** 3
    weight = 1.5 * w * (0.5 * (x + 1)) ** 2 * s**2 / np.sqrt(1 - (1 - axis_ratio**2) * s**2)
    inside = np.log(radii[:, None] * s)
    return np.asarray(4 * math.pi * radii**2 * (np.exp(log_density(inside)) @ weight))


def _nodes(order: int) -> FloatArray:
    return np.cos(np.pi * (np.arange(order + 1) + 0.5) / (order + 1))


_MIDDLE = 0.5 * math.log(OUTERMOST * INNERMOST)
_SPAN = 0.5 * math.log(OUTERMOST / INNERMOST)


def _series(axis_ratio: float) -> FloatArray:
    """Return coefficients (radius, index) of ln(V^2 R_e / G M)."""
    t, radii = _nodes(_ORDER), np.exp(_MIDDLE + _SPAN * _nodes(_ORDER))
    indices = np.exp(LOG_INDEX_MIDDLE + LOG_INDEX_SPAN * _nodes(_ORDER_OF_INDEX))
    rows = np.log([squared_velocity(radii, float(n), axis_ratio) for n in indices])
    over_radius = polynomials.chebfit(t, rows.T, _ORDER)
    by_index = polynomials.chebfit(_nodes(_ORDER_OF_INDEX), over_radius.T, _ORDER_OF_INDEX)
    return np.ascontiguousarray(by_index.T)


def _peaks(series: FloatArray) -> FloatArray:
    """Return the coefficients of the largest ln V^2 over the index."""
    of_radius = polynomials.chebval(_nodes(_ORDER_OF_PEAK), series.T)
    largest = polynomials.chebval(np.linspace(-1, 1, 801), of_radius).max(axis=1)
    return np.asarray(polynomials.chebfit(_nodes(_ORDER_OF_PEAK), largest, _ORDER_OF_PEAK))


_DISK, _ROUND = _series(DISK_AXIS_RATIO), _series(1.0)

_disk_series, _round_series = double_chebyshev(_DISK), double_chebyshev(_ROUND)
_disk_peak = chebyshev(_peaks(_DISK))


@shared
def _index_t(index):
    return (log(index) - LOG_INDEX_MIDDLE) / LOG_INDEX_SPAN


@shared
def _radius_t(ratio):
    return (log(at_most(at_least(ratio, INNERMOST), OUTERMOST)) - _MIDDLE) / _SPAN


@shared
def _beyond(ratio):
    """Return what V^2 is multiplied with where there is no series."""
    inner, outer = at_most(ratio / INNERMOST, 1.0), at_least(ratio / OUTERMOST, 1.0)
    return inner * inner / outer


@shared
def log_peak(index):
    """Return ln of the largest V^2 R_e / (G M) of the thick disk."""
    return _disk_peak(_index_t(index))


@njit(error_model="numpy")
def largest_square(index):
    """Return the largest V^2 R_e / (G M) of the thick disk of a Sersic index; compiled."""
    return exp(log_peak(index))


@shared
def _disk_and_bulge(radius, p, log_unit):
    """Return V^2 of disk and of bulge, of equal masses, over a unit."""
    ratio, inside = radius / p[_HALF_LIGHT_RADIUS], radius / p[_BULGE_RADIUS]
    disk = exp(_disk_series(_radius_t(ratio), _index_t(p[_SERSIC_INDEX])) - log_unit)
    bulge = exp(_round_series(_radius_t(inside), _index_t(p[_BULGE_INDEX])) - log_unit)
    compact = p[_HALF_LIGHT_RADIUS] / p[_BULGE_RADIUS]
    return disk * _beyond(ratio), compact * bulge * _beyond(inside)


@shared
def thick_sersic(radius, p):
    """Return the circular velocity of disk and bulge; the largest of the disk alone is V_max."""
    share = at_most(p[_BULGE], _FULLEST)
    disk, bulge = _disk_and_bulge(radius, p, log_peak(p[_SERSIC_INDEX]))
    return p[_MAXIMUM_VELOCITY] * sqrt(disk + share / (1.0 - share) * bulge)


@shared
def sersic_of_mass(radius, p):
    """Return the circular velocity of disk and bulge of the mass 10^`log_baryonic_mass`, km/s."""
    size = p[_SCALE] * p[_HALF_LIGHT_RADIUS]
    disk, bulge = _disk_and_bulge(radius, p, log(size / GRAVITY) - _TEN * p[_LOG_MASS])
    return sqrt((1.0 - p[_BULGE]) * disk + p[_BULGE] * bulge)
