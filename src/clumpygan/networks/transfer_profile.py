"""The point spread function as networks are told it: a transfer function in rings."""

import torch
from torch import Tensor

PROFILE_FREQUENCIES = (0.4, 0.8, 1.2, 1.6, 2.0, 2.6)
"""Frequencies in cycles/arcsec at which a network is told the transfer function."""

_RING_WIDTH = 0.15
"""Standard deviation of a ring, cycles/arcsec."""


def transfer_profile(transfer: Tensor, frequency: Tensor) -> list[Tensor]:
    """Return log10 of the mean of a transfer function in each ring, plus 1, (B,) each.

    Parameters
    ----------
    transfer : Tensor (B, Ky, Kx)
        Its modulus counts.
    frequency : Tensor (Ky, Kx)
        Cycles/arcsec.
    """
    magnitude = transfer.abs()
    rings = []
    for middle in PROFILE_FREQUENCIES:
        weight = torch.exp(-0.5 * ((frequency - middle) / _RING_WIDTH) ** 2)
        mean = (magnitude * weight).flatten(1).sum(1) / weight.sum().clamp_min(1e-30)
        rings.append(mean.clamp_min(1e-6).log10() + 1)
    return rings
