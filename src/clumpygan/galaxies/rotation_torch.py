"""Rotation curves and velocity dispersions on tensors: the formulas of `rotation`.

Differentiable in every parameter and in the radius, forwards and backwards, to any order. Branches
are both computed and one is chosen; the other's argument is held where it is harmless, so that no
gradient becomes NaN.
"""

import math
from collections.abc import Callable, Sequence

import torch
from numpy.polynomial import chebyshev
from torch import Tensor
from torch.nn.functional import softplus

from clumpygan.errors import InputError
from clumpygan.galaxies.rotation import SMALLEST_RADIUS
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

Columns = Callable[[str], Tensor]
"""Gives a parameter of the batch as a column (B, 1)."""

_SMALLEST_SQUARE = 1e-20
"""(km/s)^2 below which a square root has no gradient."""

_MASS_PEAK = MASS_PEAK.tolist()
# As plain powers it is one product instead of seventeen steps; its terms are small enough for it.
_SERSIC_B = chebyshev.cheb2poly(SERSIC_B).tolist()
_MASS_BY_INDEX = MASS.T.tolist()
_FREEMAN_REST, _FREEMAN_LOGARITHM = FREEMAN_REST.tolist(), FREEMAN_LOGARITHM.tolist()
_FREEMAN_FAR, _NFW, _ISOTHERMAL = FREEMAN_FAR.tolist(), NFW.tolist(), ISOTHERMAL.tolist()


def _clenshaw(coefficients: Sequence[float | Tensor], t: Tensor) -> Tensor:
    """Return the sum of Chebyshev polynomials at t in [-1, 1]."""
    first, second = torch.zeros_like(t), torch.zeros_like(t)
    for coefficient in reversed(coefficients[1:]):
        first, second = 2 * t * first - second + coefficient, first
    return t * first - second + coefficients[0]


def _index_t(index: Tensor) -> Tensor:
    return (index.log() - LOG_INDEX_MIDDLE) / LOG_INDEX_SPAN


def sersic_b(index: Tensor) -> Tensor:
    """Return b_n, for which half of a Sersic profile's light is inside its half-light radius.

    Good to 1e-10 in float64 from index 0.3 to 6.2, where the table of parameters has its range.
    """
    t = _index_t(index)
    powers = t[..., None] ** torch.arange(len(_SERSIC_B), device=t.device, dtype=t.dtype)
    return index * (powers @ t.new_tensor(_SERSIC_B))


def _arctan(radius: Tensor, p: Columns) -> Tensor:
    return p("maximum_velocity") * (2 / math.pi) * torch.atan(radius / p("turnover_radius"))


def _tanh(radius: Tensor, p: Columns) -> Tensor:
    return p("maximum_velocity") * torch.tanh(radius / p("turnover_radius"))


def _exponential(radius: Tensor, p: Columns) -> Tensor:
    return -p("maximum_velocity") * torch.expm1(-radius / p("turnover_radius"))


def _courteau(radius: Tensor, p: Columns) -> Tensor:
    x, sharpness = (p("turnover_radius") / radius).log(), p("curve_sharpness")
    # softplus is its asymptote beyond 40, where float64 can't tell them apart
    bend = softplus(sharpness * x, threshold=40.0) / sharpness
    shape = torch.exp(p("curve_slope") * softplus(x, threshold=40.0) - bend)
    return p("maximum_velocity") * shape


def _freeman(radius: Tensor, p: Columns) -> Tensor:
    u = 0.25 * HALF_LIGHT_OVER_SCALE * radius / p("half_light_radius")
    inner, outer = u.clamp(max=1.0), u.clamp(min=1.0)
    t = 2 * inner.square() - 1
    squared = _clenshaw(_FREEMAN_REST, t) - inner.log() * _clenshaw(_FREEMAN_LOGARITHM, t)
    far = _clenshaw(_FREEMAN_FAR, 6 / (outer + 2) - 1) / outer
    return p("maximum_velocity") * torch.where(u < 1, inner * squared.sqrt(), far.sqrt())


def _mass_following(radius: Tensor, p: Columns) -> Tensor:
    index, log_radius = p("sersic_index"), (radius / p("half_light_radius")).log()
    index_t = _index_t(index)
    log_share = log_radius / index - (mass_reach(index) / sersic_b(index)).log()
    t = 2 * torch.exp(log_share.clamp(max=0.0)) - 1
    by_index = list(torch.tensor(_MASS_BY_INDEX, dtype=index.dtype, device=index.device))
    series = list(_clenshaw(by_index, index_t).unsqueeze(-1).unbind(1))
    inner = 0.5 * log_radius + _clenshaw(series, t)
    outer = -0.5 * log_radius - _clenshaw(_MASS_PEAK, index_t)
    return p("maximum_velocity") * torch.exp(torch.where(log_share < 0, inner, outer))


def _nfw_halo(radius: Tensor, p: Columns) -> Tensor:
    x = radius / p("halo_radius")
    inner, outer = x.clamp(max=1.0), x.clamp(min=1.0)
    near = inner * _clenshaw(_NFW, 2 * inner - 1)
    far = NFW_SCALE * (torch.log1p(outer) / outer - 1 / (1 + outer))
    return p("halo_velocity") * torch.where(x < 1, near, far).sqrt()


def _isothermal_halo(radius: Tensor, p: Columns) -> Tensor:
    x = radius / p("halo_radius")
    inner, outer = x.clamp(max=1.0), x.clamp(min=1.0)
    near = inner * _clenshaw(_ISOTHERMAL, 2 * inner.square() - 1).sqrt()
    far = (1 - torch.atan(outer) / outer).sqrt()
    return p("halo_velocity") * torch.where(x < 1, near, far)


def _quadrature(*velocities: Tensor) -> Tensor:
    first, *others = (velocity.square() for velocity in velocities)
    return sum(others, start=first).clamp(min=_SMALLEST_SQUARE).sqrt()


def _nfw(radius: Tensor, p: Columns) -> Tensor:
    return _quadrature(_freeman(radius, p), _nfw_halo(radius, p))


def _isothermal(radius: Tensor, p: Columns) -> Tensor:
    return _quadrature(_freeman(radius, p), _isothermal_halo(radius, p))


_CURVES: dict[str, Callable[[Tensor, Columns], Tensor]] = {
    "arctan": _arctan,
    "tanh": _tanh,
    "exponential": _exponential,
    "courteau": _courteau,
    "freeman": _freeman,
    "mass_following": _mass_following,
    "nfw": _nfw,
    "isothermal": _isothermal,
}


def _interpolate(radius: Tensor, radii: Tensor, velocities: Tensor) -> Tensor:
    radii = torch.cat([radii.new_zeros(1), radii])
    velocities = torch.cat([velocities.new_zeros(1), velocities])
    upper = torch.searchsorted(radii, radius.detach().contiguous(), right=True)
    upper = upper.clamp(1, len(radii) - 1)
    inner, width = radii[upper - 1], (radii[upper] - radii[upper - 1]).clamp(min=1e-12)
    share = (radius - inner) / width
    between = velocities[upper - 1] + share * (velocities[upper] - velocities[upper - 1])
    return torch.where(radius < radii[-1], between, velocities[-1])


def _after_drift(circular: Tensor, pressure: Tensor) -> Tensor:
    """Return sqrt(V_c^2 - pressure), rounded where little is left."""
    squared = torch.maximum(circular.square(), 0.5 * pressure).clamp(min=_SMALLEST_SQUARE)
    left = 1 - pressure / squared
    share = (left / DRIFT_ROUNDING).clamp(0.0, 1.0)
    rounded = math.sqrt(DRIFT_ROUNDING) * share.square() * (2.5 - 1.5 * share)
    root = left.clamp(min=DRIFT_ROUNDING).sqrt()
    return circular * torch.where(left < DRIFT_ROUNDING, rounded, root)


def rotation_velocity(
    curve: str,
    radius: Tensor,
    p: Columns,
    table: tuple[Tensor, Tensor] | None = None,
    drift: bool = False,
) -> Tensor:
    """Return the rotation velocities at radii, in km/s.

    Parameters
    ----------
    curve : str
        One of `clumpygan.galaxies.parameters.CURVES`.
    radius : Tensor of shape (B, N)
        Arcsec, in the plane of the disk.
    p : callable
        Gives the parameter of a name as a column (B, 1).
    table : tuple of two Tensors of shape (K,), optional
        Radii in arcsec, rising, and velocities in km/s; for the curve "table" alone.
    drift : bool
        Whether asymmetric drift is taken off.

    Returns
    -------
    Tensor of shape (B, N)

    Raises
    ------
    InputError
        If the curve is unknown, or is "table" and there is none.
    """
    radius = radius.clamp(min=SMALLEST_RADIUS)
    if curve in _CURVES:
        velocity = _CURVES[curve](radius, p)
    elif curve == "table" and table is not None:
        velocity = _interpolate(radius, table[0].to(radius), table[1].to(radius))
    elif curve == "table":
        raise InputError("the curve 'table' has no table: expected radii and velocities")
    else:
        raise InputError(f"curve is {curve!r}; expected one of {', '.join(_CURVES)}, table")
    if drift:
        pressure = 2 * HALF_LIGHT_OVER_SCALE * p("velocity_dispersion").square() * radius
        velocity = _after_drift(velocity, pressure / p("half_light_radius"))
    return velocity


def dispersion(radius: Tensor, velocity: Tensor, p: Columns) -> Tensor:
    """Return the velocity dispersions in km/s where the rotation velocities are given.

    In quadrature: `velocity_dispersion`, `thick_dispersion` h_z V / R, and `central_dispersion`
    exp(-R / `dispersion_radius`); at least 1e-10 km/s.

    Parameters
    ----------
    radius, velocity : Tensor of shape (B, N)
        Arcsec and km/s.
    p : callable
        Gives the parameter of a name as a column (B, 1).

    Returns
    -------
    Tensor of shape (B, N)
    """
    shear = velocity / radius.clamp(min=SMALLEST_RADIUS)
    thick = p("thick_dispersion") * p("scale_height") * shear
    central = p("central_dispersion") * torch.exp(-radius / p("dispersion_radius"))
    return _quadrature(p("velocity_dispersion"), thick, central)
