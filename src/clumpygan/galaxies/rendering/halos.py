"""Dark halos: the circular velocities that they add in quadrature to those of disks.

All are of a radius `halo_radius` and a velocity `halo_velocity`; `rendering.rotation` says how.
"""

# Formulas take numbers or tensors.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

from clumpygan.galaxies.disks.parameters import CURVES, DiskModel
from clumpygan.galaxies.rendering.arithmetic import (
    at_least,
    at_most,
    atan,
    chebyshev,
    choose,
    log1p,
    shared,
    sqrt,
)
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.rotation_series import (
    BURKERT,
    BURKERT_SCALE,
    ISOTHERMAL,
    NFW,
    NFW_SCALE,
)

_HALO_VELOCITY = DiskModel().index("halo_velocity")
_HALO_RADIUS = DiskModel().index("halo_radius")

_NFW = CURVES.index("nfw")
_ISOTHERMAL = CURVES.index("isothermal")
_BURKERT = CURVES.index("burkert")
_SERSIC_NFW = CURVES.index("sersic_nfw")
_SERSIC_BURKERT = CURVES.index("sersic_burkert")

_nfw_centre = chebyshev(NFW)
_isothermal_centre = chebyshev(ISOTHERMAL)
_burkert_centre = chebyshev(BURKERT)


@shared
def _nfw_halo(radius, p):
    x = radius / p[_HALO_RADIUS]
    inner, outer = at_most(x, 1.0), at_least(x, 1.0)
    near = inner * _nfw_centre(2.0 * inner - 1.0)
    far = NFW_SCALE * (log1p(outer) / outer - 1.0 / (1.0 + outer))
    return p[_HALO_VELOCITY] * sqrt(choose(x < 1.0, near, far))


@shared
def _isothermal_halo(radius, p):
    x = radius / p[_HALO_RADIUS]
    inner, outer = at_most(x, 1.0), at_least(x, 1.0)
    near = inner * sqrt(_isothermal_centre(2.0 * inner * inner - 1.0))
    far = sqrt(1.0 - atan(outer) / outer)
    return p[_HALO_VELOCITY] * choose(x < 1.0, near, far)


@shared
def _burkert_halo(radius, p):
    x = radius / p[_HALO_RADIUS]
    inner, outer = at_most(x, 1.0), at_least(x, 1.0)
    near = inner * sqrt(_burkert_centre(2.0 * inner - 1.0))
    mass = 0.5 * log1p(outer * outer) + log1p(outer) - atan(outer)
    return p[_HALO_VELOCITY] * choose(x < 1.0, near, sqrt(BURKERT_SCALE * mass / outer))


@shared
def has_halo(curve):
    """Tell whether a curve is that of a disk in a halo."""
    return curve in (_NFW, _ISOTHERMAL, _BURKERT, _SERSIC_NFW, _SERSIC_BURKERT)


@shared
def has_sersic_disk(curve):
    """Tell whether a curve is that of a halo and a thick Sersic disk."""
    return curve in (_SERSIC_NFW, _SERSIC_BURKERT)


@shared
def halo(curve, radius, p):
    """Return the circular velocity of the halo alone, 0 without one."""
    if curve in (_NFW, _SERSIC_NFW):
        return _nfw_halo(radius, p)
    if curve == _ISOTHERMAL:
        return _isothermal_halo(radius, p)
    if curve in (_BURKERT, _SERSIC_BURKERT):
        return _burkert_halo(radius, p)
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
