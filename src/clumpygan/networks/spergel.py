"""Smooth light in Fourier space: Spergel's profiles, which look like Sersic's."""

import torch
from torch import Tensor

INDICES = (0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0, 6.0)
"""Sersic indices of `NU`."""

NU = (3.99, 1.3475, 0.5, 0.0299, -0.2376, -0.4037, -0.5413, -0.6325, -0.724)
"""Spergel's index nu for each of `INDICES`: the growth curve from 0.1 to 4 half-light radii is the
nearest, to 0.01 of the light, and above n = 2 to 0.06."""

RADII = (3.49056, 2.24163, 1.67835, 1.28529, 1.01498, 0.81985, 0.63503, 0.49688, 0.34292)
"""Half-light radius of a profile of each `NU`, in units of its scale radius."""


def spergel_index(sersic_index: Tensor) -> tuple[Tensor, Tensor]:
    """Return nu, and the half-light radius over the scale radius, for Sersic indices.

    Linear in the logarithm of the Sersic index between `INDICES`, constant beyond.

    Parameters
    ----------
    sersic_index : Tensor
        Of any shape; above 0.

    Returns
    -------
    nu, radius : Tensor
        Of its shape, differentiable.
    """
    knots = torch.tensor(INDICES, device=sersic_index.device).log()
    place = sersic_index.log().clamp(knots[0], knots[-1])
    right = torch.searchsorted(knots, place.detach().contiguous()).clamp(1, len(INDICES) - 1)
    share = (place - knots[right - 1]) / (knots[right] - knots[right - 1])
    nu, radius = (torch.tensor(one, device=place.device) for one in (NU, RADII))
    return torch.lerp(nu[right - 1], nu[right], share), torch.lerp(
        radius[right - 1], radius[right], share
    )


def spergel_transform(k_squared: Tensor, half_light_radius: Tensor, sersic_index: Tensor) -> Tensor:
    """Return the Fourier transform of round profiles of unit flux.

    ``(1 + k^2 r^2)^-(1 + nu)`` with the scale radius r (Spergel 2010, ApJS 191, 58, equation 3),
    for which nu = 1/2 is the exponential disk and nu = -0.6 resembles de Vaucouleurs' profile.

    Parameters
    ----------
    k_squared : Tensor (..., Ky, Kx)
        Squares of wave numbers, in radians per unit of the radius.
    half_light_radius, sersic_index : Tensor (...)
    """
    nu, radius = spergel_index(sersic_index)
    scale = (half_light_radius / radius).square()[..., None, None]
    return (-(1 + nu)[..., None, None] * torch.log1p(k_squared * scale)).exp()
