"""A generator of cubes that paints in the plane of the disk, and leaves the rest to a renderer."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK, ConditionalResidualBlock, convolution
from clumpygan.networks.cube_conditions import ConditionEncoder, Row

Noise = tuple[Tensor, ...]

Renderer = Callable[..., Tensor]
"""Maps (conditions (B, K), maps (B, 3, N, N)) to noiseless cubes (B, 1, v, y, x)."""

_START = 4
_BRIGHTEST = 6.0
"""Largest natural logarithm of the light over that of the smooth disk."""

_BROADEST = 0.7
_TURBULENT, _STREAMING = 0.3, 0.05
"""Velocities of an output of 1: in velocity dispersions, and in largest velocities of rotation."""


class DiskPainter(nn.Module):
    """Paint the light and the motions of a disk, seen face-on.

    Residual blocks at every resolution, modulated by the style, a function of z and the conditions,
    and by noise of their own; it starts with smooth, regular disks.

    Parameters
    ----------
    conditions : sequence of Row
        See `ConditionEncoder`. How the galaxy lies in the field the painter isn't told.
    latent_dim : int
        Length of z.
    side : int
        Pixels of the maps, 4 times a power of 2.
    channels, largest : int
        Features at full resolution; they double at every halving, up to `largest`.
    """

    def __init__(
        self, conditions: Sequence[Row], latent_dim: int, side: int, channels: int, largest: int
    ) -> None:
        super().__init__()
        self.encoder = ConditionEncoder(conditions)
        self.latent_dim = latent_dim
        self.sides = [_START]
        while self.sides[-1] < side:
            self.sides.append(2 * self.sides[-1])
        if self.sides[-1] != side:
            raise ValueError(f"maps of {side} pixels: expected 4 times a power of 2")
        steps = range(len(self.sides) - 1, -1, -1)
        depths = [min(channels * 2**step, largest) for step in steps]
        self.style = nn.Sequential(
            nn.Linear(latent_dim + self.encoder.intrinsic_count, latent_dim),
            nn.LeakyReLU(LEAK),
            nn.Linear(latent_dim, latent_dim),
            nn.LeakyReLU(LEAK),
        )
        self.enter = nn.Linear(latent_dim, depths[0] * _START**2)
        self.blocks = nn.ModuleList(
            ConditionalResidualBlock(depth, latent_dim, noise_channels=1) for depth in depths
        )
        self.narrow = nn.ModuleList(convolution(a, b, 1) for a, b in pairwise(depths))
        self.leave = convolution(depths[-1], 4)
        with torch.no_grad():
            self.leave.weight.mul_(0.05)

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw the small-scale noise, (count, 1, side, side) for each resolution."""
        return tuple(
            torch.randn((count, 1, side, side), generator=generator, device=generator.device)
            for side in self.sides
        )

    def forward(self, z: Tensor, parameters: Tensor, noise: Noise = ()) -> Tensor:
        """Return maps (B, 3, N, N): factor of the light, km/s, factor of the dispersion.

        Parameters
        ----------
        z : Tensor (B, latent_dim)
            Standard normal.
        parameters : Tensor (B, K)
            Conditions in physical units.
        noise : tuple of Tensor, optional
            From `draw_noise`.
        """
        style = self.style(torch.cat([z, self.encoder.intrinsic(parameters)], 1))
        features = self.enter(style).unflatten(1, (-1, _START, _START))
        for level, block in enumerate(self.blocks):
            if level:
                features = functional.interpolate(
                    self.narrow[level - 1](features),
                    scale_factor=2,
                    mode="bilinear",
                    align_corners=False,
                )
            features = block(features, style, noise[level] if noise else None)
        painted = self.leave(functional.leaky_relu(features, LEAK)).float()
        light, turbulent, streaming, dispersion = painted.unbind(1)
        sigma, rotation = (
            self.encoder.column(name, parameters)[:, None, None]
            for name in ("velocity_dispersion", "maximum_velocity")
        )
        return torch.stack(
            [
                (_BRIGHTEST * torch.tanh(light / _BRIGHTEST)).exp(),
                _TURBULENT * sigma * _soft(turbulent) + _STREAMING * rotation * _soft(streaming),
                (_BROADEST * torch.tanh(dispersion / _BROADEST)).exp(),
            ],
            1,
        )


class PhysicalCubeGenerator(nn.Module):
    """Cubes of galaxies that rotate as asked: ``generator(z, parameters, noise)``.

    A `DiskPainter` paints the light, a velocity field beside the rotation, and the dispersion, in
    the plane of the disk; a differentiable renderer inclines, rotates and observes it, on any grid.
    Inclination, position angle, rotation curve and flux are those of the parameters by
    construction.

    Parameters
    ----------
    conditions : sequence of Row
    latent_dim, side, channels, largest
        Of `DiskPainter`.

    Attributes
    ----------
    renderer : callable
        Has to be set before use: maps (parameters (B, K), maps (B, 3, side, side)) to cubes. It
        isn't part of the weights.
    """

    def __init__(
        self,
        conditions: Sequence[Row],
        latent_dim: int = 64,
        side: int = 32,
        channels: int = 16,
        largest: int = 64,
    ) -> None:
        super().__init__()
        self.painter = DiskPainter(conditions, latent_dim, side, channels, largest)
        self.latent_dim = latent_dim
        self.renderer: Renderer | None = None

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw the small-scale noise of `count` galaxies."""
        return self.painter.draw_noise(count, generator)

    def forward(self, z: Tensor, parameters: Tensor, noise: Noise = ()) -> Tensor:
        """Return noiseless cubes (B, 1, v, y, x) in the unit of the parameter `flux`.

        Parameters
        ----------
        z : Tensor (B, latent_dim)
        parameters : Tensor (B, K)
            Conditions in physical units.
        noise : tuple of Tensor, optional
            From `draw_noise`.
        """
        if self.renderer is None:
            raise RuntimeError("a physical generator without its renderer")
        return self.renderer(parameters, self.paint(z, parameters, noise))

    def paint(self, z: Tensor, parameters: Tensor, noise: Noise) -> Tensor | tuple[Tensor, ...]:
        """Return what galaxies are made of, before they are observed: here maps of their disks."""
        maps: Tensor = self.painter(z, parameters, noise)
        return maps


def _soft(values: Tensor) -> Tensor:
    """Limit values to +- 4."""
    return 4.0 * torch.tanh(values / 4.0)
