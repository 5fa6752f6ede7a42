"""A generator of cubes by 3-D convolutions: geometry and rotation have to be learnt."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK, unstretch
from clumpygan.networks.blocks_3d import ConditionalResidualBlock3d, convolution_3d
from clumpygan.networks.cube_conditions import ConditionEncoder, Row

_FAINT = 5e-4
"""Share of the flux up to which the light of a voxel is linear in the network's last features; they
are its logarithm above. About the noise of a voxel, as its flux is hundreds or thousands of it."""

Noise = tuple[Tensor, ...]
Shape = tuple[int, int, int]


class Conv3dCubeGenerator(nn.Module):
    """Cubes by residual 3-D convolutions, modulated by style and conditions at every scale.

    The signature is that of `PhysicalCubeGenerator`. The light is nowhere negative, and in the unit
    of the flux of the parameters; how much of that flux there is has to be learnt.

    Parameters
    ----------
    conditions : sequence of Row
        See `ConditionEncoder`.
    shape : tuple of int
        (v, y, x) of the cubes, each a multiple of 8.
    latent_dim : int
        Length of z.
    channels, largest : int
        Features at full resolution; they double at every halving, up to `largest`.

    Raises
    ------
    ValueError
        If a side isn't a multiple of 8.
    """

    def __init__(
        self,
        conditions: Sequence[Row],
        shape: Shape = (24, 24, 24),
        latent_dim: int = 64,
        channels: int = 12,
        largest: int = 96,
    ) -> None:
        super().__init__()
        if any(side % 8 or side < 8 for side in shape):
            raise ValueError(f"cubes of shape {tuple(shape)}: expected multiples of 8")
        self.encoder = ConditionEncoder(conditions)
        self.latent_dim = latent_dim
        self.shapes: list[Shape] = [
            (shape[0] // step, shape[1] // step, shape[2] // step) for step in (8, 4, 2, 1)
        ]
        depths = [min(channels * step, largest) for step in (8, 4, 2, 1)]
        width = 2 * latent_dim
        self.style = nn.Sequential(
            nn.Linear(latent_dim + self.encoder.count, width),
            nn.LeakyReLU(LEAK),
            nn.Linear(width, width),
            nn.LeakyReLU(LEAK),
        )
        first = self.shapes[0]
        self.enter = nn.Linear(width, depths[0] * first[0] * first[1] * first[2])
        self.start = (depths[0], *first)
        self.blocks = nn.ModuleList(ConditionalResidualBlock3d(depth, width) for depth in depths)
        self.narrow = nn.ModuleList(convolution_3d(a, b, 1) for a, b in pairwise(depths))
        self.leave = convolution_3d(depths[-1], 1)
        self.where = nn.ModuleList(convolution_3d(3, depth, 1) for depth in depths)

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw the small-scale noise, (count, 1, v, y, x) for each resolution."""
        return tuple(
            torch.randn((count, 1, *shape), generator=generator, device=generator.device)
            for shape in self.shapes
        )

    def forward(self, z: Tensor, parameters: Tensor, noise: Noise = ()) -> Tensor:
        """Return noiseless cubes (B, 1, v, y, x) in the unit of the parameter `flux`.

        Parameters
        ----------
        z : Tensor (B, latent_dim)
            Standard normal.
        parameters : Tensor (B, K)
            Conditions in physical units.
        noise : tuple of Tensor, optional
            From `draw_noise`.
        """
        style = self.style(torch.cat([z, self.encoder(parameters)], 1))
        features = self.enter(style).unflatten(1, self.start)
        for level, block in enumerate(self.blocks):
            if level:
                features = functional.interpolate(
                    self.narrow[level - 1](features),
                    size=self.shapes[level],
                    mode="trilinear",
                    align_corners=False,
                )
            features = features + self.where[level](_coordinates(features))
            features = block(features, style, noise[level] if noise else None)
        # The exponential range of the stretch overflows half precision.
        stretched = functional.softplus(
            self.leave(functional.leaky_relu(features, LEAK)).float() - 2
        )
        flux = self.encoder.column("flux", parameters)[:, None, None, None, None]
        return _FAINT * flux * unstretch(stretched.clamp_max(10.0))


def _coordinates(features: Tensor) -> Tensor:
    """Return where voxels are (1, 3, v, y, x), each axis from -1 to 1 (Liu et al. 2018)."""
    axes = (
        torch.linspace(-1, 1, side, device=features.device, dtype=features.dtype)
        for side in features.shape[2:]
    )
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
