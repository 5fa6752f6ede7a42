"""Rotation curves and velocity dispersions in the plane of a disk, compiled.

`rotation_torch` has the same formulas on tensors. The curves, V in km/s at the radius R:

- arctan: V_max (2 / pi) arctan(R / R_t); tanh: V_max tanh(R / R_t);
  exponential: V_max (1 - exp(-R / R_t)), R_t being the `turnover_radius`.
- courteau: V_max (1 + x)^beta / (1 + x^gamma)^(1 / gamma), x = R_t / R, with beta `curve_slope` and
  gamma `curve_sharpness` (the multi-parameter curve of Courteau 1997).
- freeman: a thin exponential disk, V^2 ~ y^2 [I0(y) K0(y) - I1(y) K1(y)] with y = R / (2 R_d)
  (Freeman 1970); the scale length R_d is the half-light radius over 1.678, whatever the light's
  Sersic index; V_max is the peak, at 2.15 R_d.
- mass_following: V^2 ~ M(<R) / R, the mass following the Sersic profile of the light as if it were
  spherical ("mass" of GalPaK3D); V_max is its largest value.
- nfw: in quadrature, the Freeman disk and a halo (Navarro, Frenk & White 1997) of scale radius
  `halo_radius`, whose largest circular velocity, at 2.163 scale radii, is `halo_velocity`.
- isothermal: in quadrature, the Freeman disk and a pseudo-isothermal halo,
  V^2 = V_h^2 [1 - (R_c / R) arctan(R / R_c)].
- table: linear between the rows of a table, from (0, 0); constant beyond the last.

Asymmetric drift takes 2 sigma^2 R / R_d off V^2 (Burkert et al. 2010: an exponential disk of the
same dispersion everywhere, sigma = `velocity_dispersion`). Where that leaves nothing, V is 0; where
it leaves less than 2 %, V goes to 0 as a cubic that joins smoothly, for fits need its derivative.
"""

import math

from numba import njit

from clumpygan.galaxies.parameters import CURVES, DiskModel
from clumpygan.galaxies.rotation_series import (
    DRIFT_ROUNDING,
    FREEMAN_FAR,
    FREEMAN_LOGARITHM,
    FREEMAN_REST,
    HALF_LIGHT_OVER_SCALE,
    ISOTHERMAL,
    LOG_INDEX_MIDDLE,
    LOG_INDEX_SPAN,
    MASS,
    MASS_PEAK,
    NFW,
    NFW_SCALE,
    SERSIC_B,
    mass_reach,
)

SMALLEST_RADIUS = 1e-20
"""Radii below are taken for this, in arcsec: every curve has a limit there."""

_HALF_LIGHT_RADIUS = DiskModel().index("half_light_radius")
_SERSIC_INDEX = DiskModel().index("sersic_index")
_MAXIMUM_VELOCITY = DiskModel().index("maximum_velocity")
_TURNOVER_RADIUS = DiskModel().index("turnover_radius")
_CURVE_SLOPE = DiskModel().index("curve_slope")
_CURVE_SHARPNESS = DiskModel().index("curve_sharpness")
_HALO_VELOCITY = DiskModel().index("halo_velocity")
_HALO_RADIUS = DiskModel().index("halo_radius")
_VELOCITY_DISPERSION = DiskModel().index("velocity_dispersion")
_THICK_DISPERSION = DiskModel().index("thick_dispersion")
_CENTRAL_DISPERSION = DiskModel().index("central_dispersion")
_DISPERSION_RADIUS = DiskModel().index("dispersion_radius")
_SCALE_HEIGHT = DiskModel().index("scale_height")

_ARCTAN = CURVES.index("arctan")
_TANH = CURVES.index("tanh")
_EXPONENTIAL = CURVES.index("exponential")
_COURTEAU = CURVES.index("courteau")
_FREEMAN = CURVES.index("freeman")
_MASS_FOLLOWING = CURVES.index("mass_following")
_NFW = CURVES.index("nfw")
_ISOTHERMAL = CURVES.index("isothermal")
_TABLE = CURVES.index("table")

_mass_reach = njit(cache=True, nogil=True)(mass_reach)


@njit(cache=True, nogil=True, error_model="numpy")
def _clenshaw(coefficients, t):  # type: ignore[no-untyped-def]
    """Return the sum of Chebyshev polynomials at t in [-1, 1]."""
    first, second = 0.0, 0.0
    for k in range(coefficients.size - 1, 0, -1):
        first, second = 2.0 * t * first - second + coefficients[k], first
    return t * first - second + coefficients[0]


@njit(cache=True, nogil=True, error_model="numpy")
def sersic_b(index):  # type: ignore[no-untyped-def]
    """Return b_n, for which half of a Sersic profile's light is inside its half-light radius.

    Good to 1e-10 from index 0.3 to 6.2, where the table of parameters has its range.
    """
    t = (math.log(index) - LOG_INDEX_MIDDLE) / LOG_INDEX_SPAN
    return index * _clenshaw(SERSIC_B, t)


@njit(cache=True, nogil=True, error_model="numpy")
def _soft_plus(x):  # type: ignore[no-untyped-def]
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@njit(cache=True, nogil=True, error_model="numpy")
def _courteau(ratio, slope, sharpness):  # type: ignore[no-untyped-def]
    """Return the curve at R_t / R; in logarithms, for the powers overflow."""
    x = math.log(ratio)
    return math.exp(slope * _soft_plus(x) - _soft_plus(sharpness * x) / sharpness)


@njit(cache=True, nogil=True, error_model="numpy")
def _freeman(radius, half_light_radius):  # type: ignore[no-untyped-def]
    u = 0.25 * HALF_LIGHT_OVER_SCALE * radius / half_light_radius
    if u < 1.0:
        t = 2.0 * u * u - 1.0
        squared = _clenshaw(FREEMAN_REST, t) - math.log(u) * _clenshaw(FREEMAN_LOGARITHM, t)
        return u * math.sqrt(squared)
    return math.sqrt(_clenshaw(FREEMAN_FAR, 6.0 / (u + 2.0) - 1.0) / u)


@njit(cache=True, nogil=True, error_model="numpy")
def _mass_following(radius, half_light_radius, index):  # type: ignore[no-untyped-def]
    log_radius = math.log(radius / half_light_radius)
    index_t = (math.log(index) - LOG_INDEX_MIDDLE) / LOG_INDEX_SPAN
    log_share = log_radius / index - math.log(_mass_reach(index) / sersic_b(index))
    if log_share >= 0.0:
        return math.exp(-0.5 * log_radius - _clenshaw(MASS_PEAK, index_t))
    t = 2.0 * math.exp(log_share) - 1.0
    first, second = 0.0, 0.0
    for k in range(MASS.shape[0] - 1, 0, -1):
        first, second = 2.0 * t * first - second + _clenshaw(MASS[k], index_t), first
    return math.exp(0.5 * log_radius + t * first - second + _clenshaw(MASS[0], index_t))


@njit(cache=True, nogil=True, error_model="numpy")
def _nfw(x):  # type: ignore[no-untyped-def]
    if x < 1.0:
        return math.sqrt(x * _clenshaw(NFW, 2.0 * x - 1.0))
    return math.sqrt(NFW_SCALE * (math.log1p(x) / x - 1.0 / (1.0 + x)))


@njit(cache=True, nogil=True, error_model="numpy")
def _isothermal(x):  # type: ignore[no-untyped-def]
    if x < 1.0:
        return x * math.sqrt(_clenshaw(ISOTHERMAL, 2.0 * x * x - 1.0))
    return math.sqrt(1.0 - math.atan(x) / x)


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(radius, radii, velocities):  # type: ignore[no-untyped-def]
    last = radii.size - 1
    if radius >= radii[last]:
        return velocities[last]
    inner_radius, inner_velocity = 0.0, 0.0
    for k in range(last + 1):
        if radius < radii[k]:
            share = (radius - inner_radius) / (radii[k] - inner_radius)
            return inner_velocity + share * (velocities[k] - inner_velocity)
        inner_radius, inner_velocity = radii[k], velocities[k]
    return math.nan  # the radius isn't a number


@njit(cache=True, nogil=True, error_model="numpy")
def _after_drift(circular, pressure):  # type: ignore[no-untyped-def]
    """Return sqrt(V_c^2 - pressure), rounded where little is left."""
    squared = max(circular * circular, 0.5 * pressure)
    if squared <= 0.0:
        return 0.0
    left = 1.0 - pressure / squared
    if left <= 0.0:
        return 0.0
    if left < DRIFT_ROUNDING:
        share = left / DRIFT_ROUNDING
        return circular * math.sqrt(DRIFT_ROUNDING) * share * share * (2.5 - 1.5 * share)
    return circular * math.sqrt(left)


@njit(cache=True, nogil=True, error_model="numpy")
def _circular_velocity(curve, radius, p, table_radii, table_velocities):  # type: ignore[no-untyped-def]
    if curve == _TABLE:
        return _interpolate(radius, table_radii, table_velocities)
    maximum = p[_MAXIMUM_VELOCITY]
    ratio = radius / p[_TURNOVER_RADIUS]
    if curve == _ARCTAN:
        return maximum * (2.0 / math.pi) * math.atan(ratio)
    if curve == _TANH:
        return maximum * math.tanh(ratio)
    if curve == _EXPONENTIAL:
        return -maximum * math.expm1(-ratio)
    if curve == _COURTEAU:
        return maximum * _courteau(1.0 / ratio, p[_CURVE_SLOPE], p[_CURVE_SHARPNESS])
    if curve == _MASS_FOLLOWING:
        return maximum * _mass_following(radius, p[_HALF_LIGHT_RADIUS], p[_SERSIC_INDEX])
    disk = maximum * _freeman(radius, p[_HALF_LIGHT_RADIUS])
    if curve == _FREEMAN:
        return disk
    if curve == _NFW:
        return math.hypot(disk, p[_HALO_VELOCITY] * _nfw(radius / p[_HALO_RADIUS]))
    if curve == _ISOTHERMAL:
        return math.hypot(disk, p[_HALO_VELOCITY] * _isothermal(radius / p[_HALO_RADIUS]))
    return math.nan


@njit(cache=True, nogil=True, error_model="numpy")
def rotation_velocity(curve, radius, p, table_radii, table_velocities, drift):  # type: ignore[no-untyped-def]
    """Return the rotation velocity at a radius, in km/s.

    Parameters
    ----------
    curve : int
        Place in `clumpygan.galaxies.parameters.CURVES`; any other gives NaN.
    radius : float
        Arcsec, in the plane of the disk.
    p : ndarray of shape (P,), float64
        Parameter vector of any `DiskModel`.
    table_radii, table_velocities : ndarray of shape (K,), float64
        Arcsec, rising, and km/s; read by the curve "table" alone.
    drift : bool
        Whether asymmetric drift is taken off.
    """
    radius = max(radius, SMALLEST_RADIUS)
    velocity = _circular_velocity(curve, radius, p, table_radii, table_velocities)
    if drift:
        sigma, scale = p[_VELOCITY_DISPERSION], p[_HALF_LIGHT_RADIUS] / HALF_LIGHT_OVER_SCALE
        velocity = _after_drift(velocity, 2.0 * sigma * sigma * radius / scale)
    return velocity


@njit(cache=True, nogil=True, error_model="numpy")
def dispersion(radius, velocity, p):  # type: ignore[no-untyped-def]
    """Return the velocity dispersion in km/s where the rotation velocity is given.

    In quadrature: `velocity_dispersion`, `thick_dispersion` h_z V / R, and `central_dispersion`
    exp(-R / `dispersion_radius`).

    Parameters
    ----------
    radius, velocity : float
        Arcsec and km/s.
    p : ndarray of shape (P,), float64
        Parameter vector of any `DiskModel`.
    """
    shear = velocity / max(radius, SMALLEST_RADIUS)
    thick = p[_THICK_DISPERSION] * p[_SCALE_HEIGHT] * shear
    central = p[_CENTRAL_DISPERSION] * math.exp(-radius / p[_DISPERSION_RADIUS])
    return math.hypot(p[_VELOCITY_DISPERSION], math.hypot(thick, central))
