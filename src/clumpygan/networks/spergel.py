"""Smooth light in Fourier space: Spergel's profiles, partly softened, which look like Sersic's."""

from typing import NamedTuple

import torch
from torch import Tensor

INDICES = (0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0, 6.0)
"""Sersic indices of the tables below."""

NU = (3.99, 1.3475, 0.5, -0.1365, -0.4096, -0.5557, -0.6634, -0.7287, -0.7905)
"""Spergel's index nu for each of `INDICES`: the growth curve from 0.05 to 4 half-light radii is the
nearest, to 0.015 of the light. Without softening it would be too steep in the middle of
galaxies above n = 1, by up to 0.04 at a tenth of the half-light radius."""

RADII = (3.49056, 2.24163, 1.67835, 1.16407, 0.84835, 0.64009, 0.46256, 0.34402, 0.22567)
"""Half-light radius of the light, softened as it is, in units of Spergel's scale radius."""

SHARP = (1.0, 1.0, 1.0, 0.415, 0.329, 0.32, 0.347, 0.393, 0.48)
"""Share of the light that isn't softened."""

SOFTENING = (0.26, 0.26, 0.26, 0.2605, 0.2623, 0.255, 0.2419, 0.2289, 0.212)
"""Standard deviation of the Gaussian that softens the rest, in half-light radii."""


class Profile(NamedTuple):
    """Smooth profiles of some Sersic indices: see the tables."""

    nu: Tensor
    radius: Tensor
    sharp: Tensor
    softening: Tensor


def spergel_profile(sersic_index: Tensor) -> Profile:
    """Return the profiles that look like those of Sersic indices.

    Linear in the logarithm of the Sersic index between `INDICES`, constant beyond.

    Parameters
    ----------
    sersic_index : Tensor
        Of any shape; above 0.

    Returns
    -------
    Profile
        Of tensors of that shape, differentiable.
    """
    knots = torch.tensor(INDICES, device=sersic_index.device).log()
    place = sersic_index.log().clamp(knots[0], knots[-1])
    right = torch.searchsorted(knots, place.detach().contiguous()).clamp(1, len(INDICES) - 1)
    share = (place - knots[right - 1]) / (knots[right] - knots[right - 1])
    tables = (torch.tensor(one, device=place.device) for one in (NU, RADII, SHARP, SOFTENING))
    return Profile(*(torch.lerp(one[right - 1], one[right], share) for one in tables))


def spergel_transform(k_squared: Tensor, half_light_radius: Tensor, sersic_index: Tensor) -> Tensor:
    """Return the Fourier transform of round profiles of unit flux.

    ``(1 + k^2 r^2)^-(1 + nu)`` with the scale radius r (Spergel 2010, ApJS 191, 58, equation 3),
    for which nu = 1/2 is the exponential disk and nu = -0.6 resembles de Vaucouleurs' profile;
    times ``w + (1 - w) exp(-k^2 s^2 / 2)`` with the share w of `SHARP` and s of `SOFTENING`.

    Parameters
    ----------
    k_squared : Tensor (..., Ky, Kx)
        Squares of wave numbers, in radians per unit of the radius.
    half_light_radius, sersic_index : Tensor (...)
    """
    profile = spergel_profile(sersic_index)
    scale, width = (
        (half_light_radius * one).square()[..., None, None]
        for one in (1 / profile.radius, profile.softening)
    )
    sharp = profile.sharp[..., None, None]
    cusped = (-(1 + profile.nu)[..., None, None] * torch.log1p(k_squared * scale)).exp()
    return cusped * (sharp + (1 - sharp) * torch.exp(-0.5 * k_squared * width))
