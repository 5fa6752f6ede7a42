"""Rotation curves and velocity dispersions in the plane of a disk, of numbers and of tensors.

A new curve is a name in `disks.disk_model.Curve`, and here its formula and a line of
`_circular_velocity`. The curves, V in km/s at the radius R:

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
- burkert: in quadrature, the Freeman disk and a halo with a core (Burkert 1995): with x = R / R_c,
  V^2 ~ [ln(1 + x^2) / 2 + ln(1 + x) - arctan(x)] / x, the largest velocity at x = 3.245.
- sersic_disk: a thick disk and a round bulge whose masses follow their Sersic profiles of light
  (`thick_sersic`); V_max is the peak of the disk alone.
- sersic_nfw, sersic_burkert: these, and a halo, in quadrature.
- nfw_mass, burkert_mass, dekel_zhao_mass, nfw_fraction: the same, given by log10 of the mass of
  disk and bulge and that of the halo, or by the share of dark matter at R_e, and by the
  concentration (see `halos`); masses need `angular_scale` and `galaxy_redshift`.
- table: linear between the rows of a table, from (0, 0); constant beyond the last.
- rings: arctan(R / R_t) times a cubic spline that makes it the velocity of each ring (see
  `curve_tables`); the dispersions of rings stand for `velocity_dispersion`.

Asymmetric drift takes 2 sigma^2 R / R_d off V^2 (Burkert et al. 2010: an exponential disk of the
same dispersion everywhere, sigma = `velocity_dispersion`). Where that leaves nothing, V is 0; where
it leaves less than 2 %, V goes to 0 as a cubic that joins smoothly, for fits need its derivative.

A radial flow has the same velocity at all radii but in the centre, where it goes to 0.

Of tensors all is differentiable in every parameter and in the radius, forwards and backwards, to
any order.
"""

# Formulas take numbers or tensors.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

import math
from typing import TYPE_CHECKING, Protocol

from numpy.polynomial import chebyshev as polynomials

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import CURVES, DiskModel
from clumpygan.galaxies.rendering.arithmetic import (
    at_least,
    at_most,
    atan,
    chebyshev,
    choose,
    double_chebyshev,
    exp,
    expm1,
    in_quadrature,
    log,
    on_numbers,
    shared,
    soft_plus,
    sqrt,
    tanh,
)
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.curve_tables import interpolated, spline
from clumpygan.galaxies.rendering.halos import halo, has_halo, has_masses, has_sersic_disk
from clumpygan.galaxies.rendering.rotation_series import (
    DRIFT_ROUNDING,
    FREEMAN_FAR,
    FREEMAN_LOGARITHM,
    FREEMAN_REST,
    HALF_LIGHT_OVER_SCALE,
    LOG_INDEX_MIDDLE,
    LOG_INDEX_SPAN,
    MASS,
    MASS_PEAK,
    SERSIC_B,
    mass_reach,
)
from clumpygan.galaxies.rendering.thick_sersic import sersic_of_mass, thick_sersic

if TYPE_CHECKING:
    from torch import Tensor


class Columns(Protocol):
    """The parameters of a batch of galaxies."""

    def __getitem__(self, place: int, /) -> "Tensor":
        """Return the parameter of a place in the vector as a column (B, 1)."""


SMALLEST_RADIUS = 1e-20
"""Radii below are taken for this, in arcsec: every curve has a limit there."""

_SMALLEST_SQUARE = 1e-20
"""(km/s)^2, in place of 0 where it divides."""

_HALF_LIGHT_RADIUS = DiskModel().index("half_light_radius")
_SERSIC_INDEX = DiskModel().index("sersic_index")
_MAXIMUM_VELOCITY = DiskModel().index("maximum_velocity")
_TURNOVER_RADIUS = DiskModel().index("turnover_radius")
_CURVE_SLOPE = DiskModel().index("curve_slope")
_CURVE_SHARPNESS = DiskModel().index("curve_sharpness")
_VELOCITY_DISPERSION = DiskModel().index("velocity_dispersion")
_THICK_DISPERSION = DiskModel().index("thick_dispersion")
_CENTRAL_DISPERSION = DiskModel().index("central_dispersion")
_DISPERSION_RADIUS = DiskModel().index("dispersion_radius")
_SCALE_HEIGHT = DiskModel().index("scale_height")
_RADIAL_VELOCITY = DiskModel().index("radial_velocity")

FLOW_CORE = 0.2
"""Half-light radii within which a radial flow vanishes: it goes with R / (R^2 + R_c^2)^(1/2)."""

_ARCTAN = CURVES.index("arctan")
_TANH = CURVES.index("tanh")
_EXPONENTIAL = CURVES.index("exponential")
_COURTEAU = CURVES.index("courteau")
_FREEMAN = CURVES.index("freeman")
_MASS_FOLLOWING = CURVES.index("mass_following")
_SERSIC_DISK = CURVES.index("sersic_disk")
_TABLE = CURVES.index("table")
_RINGS = CURVES.index("rings")

# As plain powers the series is one product of tensors instead of seventeen steps; its terms are
# small enough for it.
_SERSIC_B = polynomials.cheb2poly(SERSIC_B).tolist()

_b_over_index = chebyshev(SERSIC_B)
_freeman_rest = chebyshev(FREEMAN_REST)
_freeman_logarithm = chebyshev(FREEMAN_LOGARITHM)
_freeman_far = chebyshev(FREEMAN_FAR)
_mass_peak = chebyshev(MASS_PEAK)
_mass_reach = shared(mass_reach)
_mass_series = double_chebyshev(MASS)


@shared
def _index_t(index):
    return (log(index) - LOG_INDEX_MIDDLE) / LOG_INDEX_SPAN


@on_numbers(lambda index: index * _b_over_index(_index_t(index)))
def sersic_b(index):
    """Return b_n, for which half of a Sersic profile's light is inside its half-light radius.

    Good to 1e-10 from index 0.3 to 6.2, where the table of parameters has its range.
    """
    import torch

    t = _index_t(index)
    powers = t[..., None] ** torch.arange(len(_SERSIC_B), device=t.device, dtype=t.dtype)
    return index * (powers @ t.new_tensor(_SERSIC_B))


@shared
def _arctan(radius, p):
    return p[_MAXIMUM_VELOCITY] * (2.0 / math.pi) * atan(radius / p[_TURNOVER_RADIUS])


@shared
def _tanh(radius, p):
    return p[_MAXIMUM_VELOCITY] * tanh(radius / p[_TURNOVER_RADIUS])


@shared
def _exponential(radius, p):
    return -p[_MAXIMUM_VELOCITY] * expm1(-radius / p[_TURNOVER_RADIUS])


@shared
def _courteau(radius, p):
    # In logarithms, for the powers overflow.
    x, sharpness = log(p[_TURNOVER_RADIUS] / radius), p[_CURVE_SHARPNESS]
    bend = soft_plus(sharpness * x) / sharpness
    return p[_MAXIMUM_VELOCITY] * exp(p[_CURVE_SLOPE] * soft_plus(x) - bend)


@shared
def _freeman(radius, p):
    u = 0.25 * HALF_LIGHT_OVER_SCALE * radius / p[_HALF_LIGHT_RADIUS]
    inner, outer = at_most(u, 1.0), at_least(u, 1.0)
    t = 2.0 * inner * inner - 1.0
    squared = _freeman_rest(t) - log(inner) * _freeman_logarithm(t)
    far = _freeman_far(6.0 / (outer + 2.0) - 1.0) / outer
    return p[_MAXIMUM_VELOCITY] * choose(u < 1.0, inner * sqrt(squared), sqrt(far))


@shared
def _mass_following(radius, p):
    index, log_radius = p[_SERSIC_INDEX], log(radius / p[_HALF_LIGHT_RADIUS])
    index_t = _index_t(index)
    log_share = log_radius / index - log(_mass_reach(index) / sersic_b(index))
    t = 2.0 * exp(at_most(log_share, 0.0)) - 1.0
    inner = 0.5 * log_radius + _mass_series(t, index_t)
    outer = -0.5 * log_radius - _mass_peak(index_t)
    return p[_MAXIMUM_VELOCITY] * exp(choose(log_share < 0.0, inner, outer))


@shared
def _circular_velocity(curve, radius, p):
    if curve == _ARCTAN:
        return _arctan(radius, p)
    if curve == _TANH:
        return _tanh(radius, p)
    if curve == _EXPONENTIAL:
        return _exponential(radius, p)
    if curve == _COURTEAU:
        return _courteau(radius, p)
    if curve == _FREEMAN:
        return _freeman(radius, p)
    if curve == _MASS_FOLLOWING:
        return _mass_following(radius, p)
    if curve == _SERSIC_DISK:
        return thick_sersic(radius, p)
    if has_masses(curve):
        return in_quadrature(sersic_of_mass(radius, p), halo(curve, radius, p))
    if has_sersic_disk(curve):
        return in_quadrature(thick_sersic(radius, p), halo(curve, radius, p))
    if has_halo(curve):
        return in_quadrature(_freeman(radius, p), halo(curve, radius, p))
    return math.nan * radius


@shared
def _after_drift(circular, pressure):
    """Return sqrt(V_c^2 - pressure), rounded where little is left."""
    squared = at_least(at_least(circular * circular, 0.5 * pressure), _SMALLEST_SQUARE)
    left = 1.0 - pressure / squared
    share = at_most(at_least(left / DRIFT_ROUNDING, 0.0), 1.0)
    rounded = math.sqrt(DRIFT_ROUNDING) * share * share * (2.5 - 1.5 * share)
    root = sqrt(at_least(left, DRIFT_ROUNDING))
    return circular * choose(left < DRIFT_ROUNDING, rounded, root)


@shared
def _rotation_velocity(curve, radius, p, table, drift):
    radius = at_least(radius, SMALLEST_RADIUS)
    if curve == _TABLE:
        velocity = interpolated(radius, table[0], table[1])
    elif curve == _RINGS:
        ratio = spline(radius, table[0], table[1], table[2])
        velocity = atan(radius / p[_TURNOVER_RADIUS]) * ratio
    else:
        velocity = _circular_velocity(curve, radius, p)
    if drift:
        sigma, scale = p[_VELOCITY_DISPERSION], p[_HALF_LIGHT_RADIUS] / HALF_LIGHT_OVER_SCALE
        velocity = _after_drift(velocity, 2.0 * sigma * sigma * radius / scale)
    return velocity


@shared
def _dispersion(curve, radius, velocity, p, table):
    shear = velocity / at_least(radius, SMALLEST_RADIUS)
    thick = p[_THICK_DISPERSION] * p[_SCALE_HEIGHT] * shear
    central = p[_CENTRAL_DISPERSION] * exp(-radius / p[_DISPERSION_RADIUS])
    level = p[_VELOCITY_DISPERSION]
    if curve == _RINGS:
        level = spline(radius, table[0], table[3], table[4])
    return in_quadrature(level, thick, central)


@shared
def radial_velocity(radius, p):
    """Return the outward velocity in the plane at a radius in arcsec, km/s."""
    core = FLOW_CORE * p[_HALF_LIGHT_RADIUS]
    return p[_RADIAL_VELOCITY] * radius / sqrt(radius * radius + core * core)


@njit(error_model="numpy")
def plane_speed(velocity, radius, p, flows):
    """Return the velocity in the plane, km/s: that of rotation, with the radial one; compiled."""
    if flows:
        return math.hypot(velocity, radial_velocity(radius, p))
    return velocity


@njit(error_model="numpy")
def rotation_velocity(curve, radius, p, table, drift):
    """Return the rotation velocity at a radius, in km/s; compiled.

    Parameters
    ----------
    curve : int
        Place in `clumpygan.galaxies.disks.parameters.CURVES`; any other gives NaN.
    radius : float
        Arcsec, in the plane of the disk.
    p : ndarray of shape (P,), float64
        Parameter vector of any `DiskModel`.
    table : CurveTable
        Read by the curves "table" and "rings" alone.
    drift : bool
        Whether asymmetric drift is taken off.
    """
    return _rotation_velocity(curve, radius, p, table, drift)


@njit(error_model="numpy")
def dispersion(curve, radius, velocity, p, table):
    """Return the velocity dispersion in km/s where the rotation velocity is given; compiled.

    In quadrature: `velocity_dispersion`, or that of the rings, `thick_dispersion` h_z V / R, and
    `central_dispersion` exp(-R / `dispersion_radius`).

    Parameters
    ----------
    curve : int
        Place in `clumpygan.galaxies.disks.parameters.CURVES`.
    radius, velocity : float
        Arcsec and km/s.
    p : ndarray of shape (P,), float64
        Parameter vector of any `DiskModel`.
    table : CurveTable
        Read by the curve "rings" alone.
    """
    return _dispersion(curve, radius, velocity, p, table)


def tensor_rotation_velocity(
    curve: str,
    radius: "Tensor",
    p: Columns,
    table: "tuple[Tensor, ...] | None" = None,
    drift: bool = False,
) -> "Tensor":
    """Return the rotation velocities at radii, in km/s.

    Parameters
    ----------
    curve : str
        One of `clumpygan.galaxies.disks.parameters.CURVES`.
    radius : Tensor of shape (B, N)
        Arcsec, in the plane of the disk.
    p : Columns
    table : tuple of Tensors, optional
        For the curve "table" two of shape (K,), radii in arcsec, rising, and velocities in km/s;
        for "rings" a `CurveTable` whose radii are (K + 1,), all else (B, K + 1).
    drift : bool
        Whether asymmetric drift is taken off.

    Returns
    -------
    Tensor of shape (B, N)

    Raises
    ------
    InputError
        If the curve is unknown, or needs a table and there is none.
    """
    if curve not in CURVES:
        raise InputError(f"curve is {curve!r}; expected one of {', '.join(CURVES)}")
    if curve in ("table", "rings") and table is None:
        raise InputError(f"the curve {curve!r} has no table: expected radii and velocities")
    own = None if table is None else tuple(one.to(radius) for one in table)
    number = CURVES.index(curve)
    velocity: Tensor = _rotation_velocity(number, radius, p, own, drift)
    return velocity


def tensor_dispersion(
    curve: str,
    radius: "Tensor",
    velocity: "Tensor",
    p: Columns,
    table: "tuple[Tensor, ...] | None" = None,
) -> "Tensor":
    """Return the velocity dispersions in km/s where the rotation velocities are given.

    As `dispersion`; at least 1e-10 km/s.

    Parameters
    ----------
    curve : str
        One of `clumpygan.galaxies.disks.parameters.CURVES`.
    radius, velocity : Tensor of shape (B, N)
        Arcsec and km/s.
    p : Columns
    table : tuple of Tensors, optional
        As that of `tensor_rotation_velocity`; for the curve "rings" alone.

    Returns
    -------
    Tensor of shape (B, N)
    """
    own = None if table is None else tuple(one.to(radius) for one in table)
    sigma: Tensor = _dispersion(CURVES.index(curve), radius, velocity, p, own)
    return sigma
