"""Chebyshev series of the functions that rotation curves are made of.

Neither numba nor torch has all of them with all their derivatives. A series fitted to SciPy's at
import is the same for both, good to 1e-7 or better, cheap, and differentiable in every argument,
in any order and on any device. Each maps its argument onto t in [-1, 1] as its comment says.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammainc, gammaincc, gammaincinv, i0, i0e, i1, i1e, k0e, k1e

from clumpygan.galaxies.images.profiles import MAXIMUM_SERSIC_INDEX, MINIMUM_SERSIC_INDEX

FloatArray = NDArray[np.float64]

HALF_LIGHT_OVER_SCALE = float(gammaincinv(2.0, 0.5))
"""Half-light radius of an exponential disk in scale lengths: 1.67834699."""

LOG_INDEX_MIDDLE = 0.5 * math.log(MAXIMUM_SERSIC_INDEX * MINIMUM_SERSIC_INDEX)
LOG_INDEX_SPAN = 0.5 * math.log(MAXIMUM_SERSIC_INDEX / MINIMUM_SERSIC_INDEX)
"""Series in the Sersic index take t = (ln n - middle) / span."""


def _nodes(degree: int) -> FloatArray:
    return np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))


def _fit(function: Callable[[FloatArray], FloatArray], degree: int) -> FloatArray:
    """Return the coefficients that interpolate a function of t in [-1, 1]."""
    t = _nodes(degree)
    return np.asarray(chebyshev.chebfit(t, function(t), degree))


def _unit(t: FloatArray) -> FloatArray:
    return 0.5 * (t + 1.0)


def _index(t: FloatArray) -> FloatArray:
    return np.exp(LOG_INDEX_MIDDLE + LOG_INDEX_SPAN * t)


# --- Sersic profiles ------------------------------------------------------------------------------

SERSIC_B = _fit(lambda t: gammaincinv(2.0 * _index(t), 0.5) / _index(t), 16)
"""b_n / n, t from the index."""


def mass_reach(index: Any) -> Any:
    """Return the z = b (R / R_e)^(1/n) beyond which lies less than 3e-8 of the light.

    `index` may be whatever knows powers: a float, compiled or not, an array or a tensor.
    """
    return 2.0 * index + 5.0 * (2.0 * index) ** 0.5 + 12.0


def _log_enclosed(z: FloatArray, index: float) -> FloatArray:
    inside = gammainc(2.0 * index, z)
    outside = gammaincc(2.0 * index, z)
    return np.asarray(np.where(inside < 0.5, np.log(inside), np.log1p(-np.minimum(outside, 0.9))))


def _log_mass_peak(index: float) -> float:
    """Return ln of the largest sqrt(M(<R) / R), of unit mass and unit half-light radius."""
    b = float(gammaincinv(2.0 * index, 0.5))

    def fall(log_radius: float) -> float:
        inside = float(gammainc(2.0 * index, b * math.exp(log_radius / index)))
        return 0.5 * (log_radius - math.log(inside))

    return -float(minimize_scalar(fall, bounds=(-4.0, 2.0), options={"xatol": 1e-8}).fun)


def _mass_series(order_z: int, order_index: int) -> FloatArray:
    """Return coefficients (order_z + 1, order_index + 1) of ln V - 0.5 ln R, peak velocity 1."""
    rows = []
    for index in _index(_nodes(order_index)):
        b = gammaincinv(2.0 * index, 0.5)
        z = mass_reach(index) * _unit(_nodes(order_z))
        rows.append(0.5 * _log_enclosed(z, index) - index * np.log(z / b) - _log_mass_peak(index))
    over_z = chebyshev.chebfit(_nodes(order_z), np.array(rows).T, order_z)
    return np.ascontiguousarray(chebyshev.chebfit(_nodes(order_index), over_z.T, order_index).T)


MASS = _mass_series(26, 14)
"""ln V - 0.5 ln(R / R_e) of `mass_following`; t = 2 z / mass_reach - 1, and t from the index."""

MASS_PEAK = _fit(lambda t: np.array([_log_mass_peak(index) for index in _index(t)]), 16)
"""ln of the peak of sqrt(M / R) of unit mass and half-light radius, t from the index."""

# --- The exponential disk -------------------------------------------------------------------------
# Freeman (1970): V^2 ~ f(y) = y^2 [I0(y) K0(y) - I1(y) K1(y)], y = R / (2 R_d). With u = y / 2:
# f = 4 u^2 [A(u^2) - ln(u) B(u^2)] for u < 1, and C / (8 u) for u > 1, A, B and C being smooth.


def _bessel_difference(y: FloatArray) -> FloatArray:
    return np.asarray(i0e(y) * k0e(y) - i1e(y) * k1e(y))


def _freeman_squares(u: FloatArray) -> FloatArray:
    return np.asarray(i0(2.0 * u) ** 2 + i1(2.0 * u) ** 2)


def _freeman_rest(u: FloatArray) -> FloatArray:
    return _bessel_difference(2.0 * u) + np.log(u) * _freeman_squares(u)


_FREEMAN_PEAK = -float(
    minimize_scalar(lambda y: -(y**2) * _bessel_difference(y), bounds=(0.5, 2.0)).fun
)

FREEMAN_REST = _fit(lambda t: 4.0 / _FREEMAN_PEAK * _freeman_rest(np.sqrt(_unit(t))), 10)
FREEMAN_LOGARITHM = _fit(lambda t: 4.0 / _FREEMAN_PEAK * _freeman_squares(np.sqrt(_unit(t))), 10)
"""4 A and 4 B over the largest f, t = 2 u^2 - 1."""


def _freeman_far(t: FloatArray) -> FloatArray:
    u = 3.0 / _unit(t) - 2.0
    return np.asarray(4.0 * u**3 * _bessel_difference(2.0 * u) / _FREEMAN_PEAK)


FREEMAN_FAR = _fit(_freeman_far, 20)
"""C / 8 over the largest f, t = 6 / (u + 2) - 1."""

# --- Halos: where the closed forms cancel, in the inner part --------------------------------------

NFW_PEAK_RADIUS = 2.16258
_NFW_PEAK = math.log1p(NFW_PEAK_RADIUS) / NFW_PEAK_RADIUS - 1.0 / (1.0 + NFW_PEAK_RADIUS)
NFW_SCALE = 1.0 / _NFW_PEAK
"""V^2 of an NFW halo of peak velocity 1 is this times ln(1 + x) / x - 1 / (1 + x), x = R / R_s."""


def _nfw(x: FloatArray) -> FloatArray:
    return np.asarray(NFW_SCALE * (np.log1p(x) - x / (1.0 + x)) / x**2)


def _burkert_mass(x: Any) -> Any:
    """Return m(x) = ln(1 + x^2) / 2 + ln(1 + x) - arctan(x), as the mass within R = x R_core."""
    return 0.5 * np.log1p(x * x) + np.log1p(x) - np.arctan(x)


def _isothermal(x: FloatArray) -> FloatArray:
    return np.asarray((1.0 - np.arctan(x) / x) / x**2)


BURKERT_PEAK_RADIUS = 3.24463
_BURKERT_PEAK = _burkert_mass(BURKERT_PEAK_RADIUS) / BURKERT_PEAK_RADIUS
BURKERT_SCALE = 1.0 / _BURKERT_PEAK
"""V^2 of a Burkert halo of peak velocity 1 is this times m(x) / x."""

BURKERT_SLOPE_RADIUS = 1.5213797068045676
"""R / R_core where the density of a Burkert halo falls as R^-2: the root of x^3 - x - 2."""

BURKERT = _fit(lambda t: BURKERT_SCALE * _burkert_mass(_unit(t)) / _unit(t) ** 3, 14)
"""V^2 / x^2 at x = R / R_core < 1, t = 2 x - 1."""

NFW = _fit(lambda t: _nfw(_unit(t)), 14)
"""V^2 / x at x < 1, t = 2 x - 1."""

ISOTHERMAL = _fit(lambda t: _isothermal(np.sqrt(_unit(t))), 12)
"""V^2 / x^2 = (1 - arctan(x) / x) / x^2 at x = R / R_core < 1, t = 2 x^2 - 1."""

# --- Asymmetric drift -----------------------------------------------------------------------------

DRIFT_ROUNDING = 0.02
"""Where V^2 is less than this share of V_c^2, the square root goes to 0 as a smooth cubic does."""
