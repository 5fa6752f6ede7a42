"""A discriminator of velocity cubes that knows the parameters of the galaxy."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK, DownsamplingBlock, convolution, stretch
from clumpygan.networks.blocks_3d import DownsamplingBlock3d, convolution_3d
from clumpygan.networks.cube_conditions import ConditionEncoder, Row
from clumpygan.networks.expected_moments import expected_moments, turned_to_axis


class CubeDiscriminator(nn.Module):
    """Score cubes: 3-D residual blocks on the cube, 2-D ones on its moment maps.

    Both look at what is beside the smooth disk of the same parameters, and at that disk. The moment
    maps are `expected_moments`, turned so that the major axis lies along x. The score is
    ``psi(h) + <embedding(c), h>`` (Miyato & Koyama 2018, eq. 3).

    Parameters
    ----------
    conditions : sequence of Row
        See `ConditionEncoder`.
    shape : tuple of int
        (v, y, x) of the cubes, each a multiple of 8.
    pixel_scale : float
        Arcsec.
    channels, largest : int
        Features of the 3-D blocks at half resolution; they double at every halving, up to
        `largest`.
    map_channels : int
        Features of the 2-D blocks at full resolution.

    Raises
    ------
    ValueError
        If a side isn't a multiple of 8.
    """

    def __init__(
        self,
        conditions: Sequence[Row],
        shape: tuple[int, int, int],
        pixel_scale: float,
        channels: int = 24,
        largest: int = 64,
        map_channels: int = 24,
    ) -> None:
        super().__init__()
        if any(side % 8 or side < 8 for side in shape):
            raise ValueError(f"cubes of shape {tuple(shape)}: expected multiples of 8")
        self.encoder = ConditionEncoder(conditions)
        self.pixel_scale = pixel_scale
        wide = [min(channels * step, largest) for step in (1, 2, 4)]
        self.enter = convolution_3d(2, wide[0], 4, 2)
        self.blocks = nn.Sequential(
            DownsamplingBlock3d(wide[0], wide[1]), DownsamplingBlock3d(wide[1], wide[2])
        )
        flat = [map_channels * step for step in (1, 2, 3, 4)]
        self.enter_maps = convolution(5, flat[0])
        self.map_blocks = nn.Sequential(*(DownsamplingBlock(a, b) for a, b in pairwise(flat)))
        rest = [side // 8 for side in shape]
        size = wide[2] * rest[0] * rest[1] * rest[2] + flat[3] * rest[1] * rest[2]
        width = 2 * largest
        self.features = nn.Linear(size, width)
        self.leave = nn.Linear(width, 1)
        self.embedding = nn.Sequential(
            nn.Linear(self.encoder.intrinsic_count, width),
            nn.LeakyReLU(LEAK),
            nn.Linear(width, width),
        )

    def forward(self, cube: Tensor, smooth: Tensor, parameters: Tensor) -> Tensor:
        """Return the scores (B, 1).

        Parameters
        ----------
        cube : Tensor (B, 1, v, y, x)
            With noise, in units of it.
        smooth : Tensor (B, 1, v, y, x)
            The smooth disk of the same parameters, without noise, in the same unit.
        parameters : Tensor (B, K)
            In physical units.
        """
        seen = torch.cat([stretch(cube - smooth), stretch(smooth)], 1)
        features = functional.leaky_relu(self.blocks(self.enter(seen)), LEAK)
        maps = functional.leaky_relu(
            self.map_blocks(self.enter_maps(self._maps(cube, smooth, parameters))), LEAK
        )
        joined = torch.cat([features.flatten(1), maps.flatten(1)], 1)
        hidden = functional.leaky_relu(self.features(joined), LEAK)
        projected = (self.embedding(self.encoder.intrinsic(parameters)) * hidden).sum(1)
        score: Tensor = self.leave(hidden)[:, 0] + projected / hidden.shape[1] ** 0.5
        # Scores are compared and averaged: in single precision also under autocast.
        return score[:, None].float()

    def _maps(self, cube: Tensor, smooth: Tensor, parameters: Tensor) -> Tensor:
        """Return moment maps (B, 5, y, x), stretched and turned.

        Light, shift and broadening beside those of the smooth disk, its light, and what is sharp of
        the light.
        """
        departures = expected_moments(cube - smooth, smooth)
        expected = expected_moments(smooth, smooth)[:, :1]
        column = self.encoder.column
        turned = turned_to_axis(
            torch.cat([departures, expected], 1),
            column("position_angle", parameters),
            column("offset_x", parameters) / self.pixel_scale,
            column("offset_y", parameters) / self.pixel_scale,
        )
        light = turned[:, :1]
        sharp = light - functional.avg_pool2d(light, 5, 1, 2, count_include_pad=False)
        return stretch(torch.cat([turned, sharp], 1))
