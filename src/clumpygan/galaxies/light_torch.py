"""Light in the plane of the disk on tensors: the formulas of `clumpygan.galaxies.light`."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from clumpygan.galaxies.light import ARM_CORE
from clumpygan.galaxies.rotation_torch import sersic_b

Columns = Callable[[str], Tensor]
"""Gives a parameter of the batch as a column (B, 1)."""


def sersic(radius: Tensor, index: Tensor, half_light_radius: Tensor) -> Tensor:
    """Return the surface brightness (B, N) of a Sersic profile of unit flux at radii above 0."""
    b = sersic_b(index)
    norm = torch.exp(2 * index * b.log() - torch.lgamma(2 * index + 1)) / math.pi
    ratio = radius / half_light_radius
    return norm / half_light_radius.square() * torch.exp(-b * ratio ** (1 / index))


def annulus(radius: Tensor, centre: Tensor, width: Tensor) -> Tensor:
    """Return the surface brightness (B, N) of a Gaussian annulus of unit flux."""
    ratio = centre / width
    norm = torch.exp(-0.5 * ratio.square())
    norm = norm + ratio * math.sqrt(0.5 * math.pi) * (1 + torch.erf(ratio / math.sqrt(2)))
    inside = torch.exp(-0.5 * ((radius - centre) / width).square())
    return inside / (2 * math.pi * width.square() * norm)


def modulation(radius: Tensor, azimuth: Tensor, p: Columns, arms: int) -> Tensor:
    """Return the factor (B, N) by which arms and lopsidedness change the disk."""
    squared = (radius / p("half_light_radius")).square()
    side = torch.cos(azimuth - torch.deg2rad(p("lopsidedness_phase")))
    factor = 1 + p("lopsidedness") * squared / (squared + 1) * side
    if arms:
        crest = torch.deg2rad(p("arm_phase"))
        crest = crest - 0.5 * squared.log() / torch.deg2rad(p("arm_pitch")).tan()
        wave = torch.cos(arms * (azimuth - crest))
        factor = factor * (1 + p("arm_amplitude") * squared / (squared + ARM_CORE**2) * wave)
    return factor
