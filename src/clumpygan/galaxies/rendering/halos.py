"""Dark halos: the circular velocities that they add in quadrature to those of disks.

Halos of a radius `halo_radius` and a velocity `halo_velocity` are said in `rendering.rotation`.
Those of curves that are given by masses have M_200 = 10^`log_halo_mass`, within the radius R_200
inside of which the mean density is 200 times the critical one at the redshift, 3 H^2 / 8 pi G, so
that V_200 = 10 H R_200 = (10 G H M_200)^(1/3), and

    V^2(R) = V_200^2 s(c R / R_200) / s(c),

s being the square of the velocity of the profile with the radius as the unit where the density
falls as R^-2: R_200 is c times that. It is the scale radius of NFW halos, and 1.52138 core radii of
those of Burkert, the root of x^3 - x - 2.
That of Dekel and Zhao (Freundlich et al. 2020, MNRAS 499, 2912) has the density
1 / [x^a (1 + x^(1/2))^(7 - 2 a)] and s = chi^(6 - 2 a) / x with chi = x^(1/2) / (1 + x^(1/2)); a
and its own concentration follow from `halo_slope`, the slope at 0.01 R_200 ("s_1"), and from
`concentration`, R_200 over the radius of the slope 2 ("c_2").

The curve "nfw_fraction" has the NFW halo of which `dark_matter_fraction` is the share in V_c^2 at
the half-light radius.
"""

# Formulas take numbers or tensors.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

import math

from clumpygan.galaxies.disks.halo_relations import (
    HUBBLE_CONSTANT,
    INNER_RADIUS,
    MATTER,
    STEEPEST_TURN,
)
from clumpygan.galaxies.disks.parameters import CURVES, DiskModel
from clumpygan.galaxies.rendering.arithmetic import (
    at_least,
    at_most,
    atan,
    chebyshev,
    choose,
    exp,
    log,
    log1p,
    shared,
    sqrt,
)
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.rotation_series import (
    BURKERT,
    BURKERT_SCALE,
    BURKERT_SLOPE_RADIUS,
    ISOTHERMAL,
    NFW,
    NFW_SCALE,
)
from clumpygan.galaxies.rendering.thick_sersic import GRAVITY, sersic_of_mass

_HALO_VELOCITY = DiskModel().index("halo_velocity")
_HALO_RADIUS = DiskModel().index("halo_radius")
_HALF_LIGHT_RADIUS = DiskModel().index("half_light_radius")
_LOG_HALO_MASS = DiskModel().index("log_halo_mass")
_CONCENTRATION = DiskModel().index("concentration")
_HALO_SLOPE = DiskModel().index("halo_slope")
_FRACTION = DiskModel().index("dark_matter_fraction")
_REDSHIFT = DiskModel().index("galaxy_redshift")
_SCALE = DiskModel().index("angular_scale")

_NFW = CURVES.index("nfw")
_ISOTHERMAL = CURVES.index("isothermal")
_BURKERT = CURVES.index("burkert")
_SERSIC_NFW = CURVES.index("sersic_nfw")
_SERSIC_BURKERT = CURVES.index("sersic_burkert")
_NFW_MASS = CURVES.index("nfw_mass")
_BURKERT_MASS = CURVES.index("burkert_mass")
_DEKEL_ZHAO_MASS = CURVES.index("dekel_zhao_mass")
_NFW_FRACTION = CURVES.index("nfw_fraction")

_nfw_centre = chebyshev(NFW)
_isothermal_centre = chebyshev(ISOTHERMAL)
_burkert_centre = chebyshev(BURKERT)

_TEN = math.log(10.0)

_RATE = 1e-3 * HUBBLE_CONSTANT
"""km/s/kpc today."""

_INNER = math.sqrt(INNER_RADIUS)

_NEWTON_STEPS = 12
"""For the radius R_200 of a share of dark matter; 8 reach double precision from c = 1 to 60."""


@shared
def _nfw_square(x):
    """Return V^2 of an NFW halo of peak velocity 1 at a radius in scale radii."""
    inner, outer = at_most(x, 1.0), at_least(x, 1.0)
    near = inner * _nfw_centre(2.0 * inner - 1.0)
    far = NFW_SCALE * (log1p(outer) / outer - 1.0 / (1.0 + outer))
    return choose(x < 1.0, near, far)


@shared
def _isothermal_halo(radius, p):
    x = radius / p[_HALO_RADIUS]
    inner, outer = at_most(x, 1.0), at_least(x, 1.0)
    near = inner * sqrt(_isothermal_centre(2.0 * inner * inner - 1.0))
    far = sqrt(1.0 - atan(outer) / outer)
    return p[_HALO_VELOCITY] * choose(x < 1.0, near, far)


@shared
def _burkert_speed(x):
    """Return V of a Burkert halo of peak velocity 1 at a radius in core radii."""
    inner, outer = at_most(x, 1.0), at_least(x, 1.0)
    near = inner * sqrt(_burkert_centre(2.0 * inner - 1.0))
    mass = 0.5 * log1p(outer * outer) + log1p(outer) - atan(outer)
    return choose(x < 1.0, near, sqrt(BURKERT_SCALE * mass / outer))


@shared
def _expansion(p):
    """Return 10 H(z) in km/s/kpc."""
    grown = 1.0 + p[_REDSHIFT]
    return 10.0 * _RATE * sqrt(MATTER * grown * grown * grown + (1.0 - MATTER))


@shared
def _dekel_zhao_speed(ratio, p):
    """Return V over V_200 at a radius in units of R_200."""
    slope, root = p[_HALO_SLOPE], _INNER * sqrt(p[_CONCENTRATION])
    turn = at_most((3.5 - slope) * root, STEEPEST_TURN)
    inner = (1.5 * slope - 2.0 * turn) / (1.5 - turn)
    reach = (2.0 - inner) / 1.5
    c = p[_CONCENTRATION] * reach * reach
    rest = 2.0 * log1p(sqrt(c)) - 2.0 * log1p(sqrt(c * ratio))
    return exp(0.5 * ((2.0 - inner) * log(ratio) + (3.0 - inner) * rest))


@shared
def _log_virial_radius(p):
    """Return ln(R_200 / kpc) of the NFW halo of a share of dark matter, by Newton's method.

    With y = R_e / R_200 the share says s(c y) / (s(c) y^2), which falls with y, faster and faster.
    """
    size, c = p[_SCALE] * p[_HALF_LIGHT_RADIUS], p[_CONCENTRATION]
    stars = sersic_of_mass(p[_HALF_LIGHT_RADIUS], p) / (_expansion(p) * size)
    share = at_least(p[_FRACTION], 1e-9)
    wanted = log(share / (1.0 - share)) + 2.0 * log(stars) + log(_nfw_square(c))
    place = -5.0 + 0.0 * wanted
    for _ in range(_NEWTON_STEPS):
        x = c * exp(at_most(at_least(place, -60.0), 60.0))
        square = _nfw_square(x)
        steep = NFW_SCALE * x / ((1.0 + x) * (1.0 + x) * square) - 3.0
        place = place - (log(square) - 2.0 * place - wanted) / steep
    return log(size) - place


@shared
def _mass_halo(curve, radius, p):
    if curve == _NFW_FRACTION:
        reach = exp(_log_virial_radius(p))
        speed = _expansion(p) * reach
    else:
        speed = exp((_TEN * p[_LOG_HALO_MASS] + log(GRAVITY * _expansion(p))) / 3.0)
        reach = speed / _expansion(p)
    ratio = p[_SCALE] * radius / reach
    if curve == _DEKEL_ZHAO_MASS:
        return speed * _dekel_zhao_speed(ratio, p)
    c = p[_CONCENTRATION]
    if curve == _BURKERT_MASS:
        cores = BURKERT_SLOPE_RADIUS * c
        return speed * _burkert_speed(cores * ratio) / _burkert_speed(cores)
    return speed * sqrt(_nfw_square(c * ratio) / _nfw_square(c))


@shared
def has_halo(curve):
    """Tell whether a curve is that of a disk in a halo."""
    return curve in (_NFW, _ISOTHERMAL, _BURKERT, _SERSIC_NFW, _SERSIC_BURKERT)


@shared
def has_sersic_disk(curve):
    """Tell whether a curve is that of a halo and a thick Sersic disk."""
    return curve in (_SERSIC_NFW, _SERSIC_BURKERT)


@shared
def has_masses(curve):
    """Tell whether a curve is that of a halo and a thick Sersic disk which masses give."""
    return curve in (_NFW_MASS, _BURKERT_MASS, _DEKEL_ZHAO_MASS, _NFW_FRACTION)


@shared
def halo(curve, radius, p):
    """Return the circular velocity of the halo alone, 0 without one."""
    if curve in (_NFW, _SERSIC_NFW):
        return p[_HALO_VELOCITY] * sqrt(_nfw_square(radius / p[_HALO_RADIUS]))
    if curve == _ISOTHERMAL:
        return _isothermal_halo(radius, p)
    if curve in (_BURKERT, _SERSIC_BURKERT):
        return p[_HALO_VELOCITY] * _burkert_speed(radius / p[_HALO_RADIUS])
    if has_masses(curve):
        return _mass_halo(curve, radius, p)
    return 0.0 * radius


@njit(error_model="numpy")
def halo_velocity(curve, radius, p):
    """Return the circular velocity of the dark halo at a radius, in km/s; 0 without one; compiled.

    Parameters
    ----------
    curve : int
        Place in `clumpygan.galaxies.disks.parameters.CURVES`.
    radius : float
        Arcsec.
    p : ndarray of shape (P,), float64
        Parameter vector of any `DiskModel`.
    """
    return halo(curve, max(radius, 1e-20), p)


@njit(error_model="numpy")
def log_halo_mass(p):
    """Return log10 of M_200 in solar masses of the halo of the curve "nfw_fraction"; compiled."""
    rate = _expansion(p)
    return (3.0 * _log_virial_radius(p) + 2.0 * log(rate) - log(GRAVITY)) / _TEN
