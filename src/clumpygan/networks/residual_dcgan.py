"""A generator and a discriminator of stamps in the spirit of R3GAN (Huang et al. 2024)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import (
    LEAK,
    ConditionalResidualBlock,
    DownsamplingBlock,
    convolution,
    unstretch,
)
from clumpygan.networks.orientations import draw_placements, place
from clumpygan.networks.stamp_shapes import Noise, resolutions, widths


class LightHead(nn.Module):
    """Turn features into light: nowhere negative, and with the flux that was asked for.

    The stretched light is ``softplus(v)``; its inverse is normalised to the flux of the condition
    `signal`, times exp(g) for what lies outside the stamp or comes from a neighbour. Both v and g
    are learnt.

    Parameters
    ----------
    channels, latent_dim : int
        Features, and the length of the style vector.
    centre, scale : float
        Of the condition `signal`: log10 of the flux is centre + scale x condition.
    """

    def __init__(self, channels: int, latent_dim: int, centre: float, scale: float) -> None:
        super().__init__()
        self.leave = convolution(channels, 1)
        self.correction = nn.Linear(latent_dim, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)
        self.centre, self.scale = centre, scale

    def forward(
        self,
        features: Tensor,
        style: Tensor,
        signal: Tensor,
        placement: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return images (B, 1, N, N) in units of the noise.

        Parameters
        ----------
        features : Tensor (B, C, N, N)
        style : Tensor (B, latent_dim)
        signal : Tensor (B,)
            Standardised logarithm of the flux.
        placement : tuple of Tensor, optional
            Of `draw_placements`: how the light is turned and shifted.
        """
        # The exponential range of the stretch overflows half precision.
        stretched = functional.softplus(self.leave(features).float() - 2.0)
        if placement is not None:
            stretched = place(stretched, *placement).clamp_min(0)
        light = unstretch(stretched.clamp_max(15.0))
        flux = 10 ** (self.centre + self.scale * signal.float())
        flux = flux * self.correction(style).float()[:, 0].clamp(-2, 2).exp()
        total = light.flatten(1).sum(1).clamp_min(1e-6)
        image: Tensor = light * (flux / total)[:, None, None, None]
        return image


class ResidualGenerator(nn.Module):
    """Residual blocks at every resolution, modulated by the style and by noise of their own.

    In the spirit of R3GAN (Huang et al. 2024): no normalisation, residual branches that start
    silent, bilinear resampling. The style is a learnt function of z and the conditions (Karras et
    al. 2019).

    Parameters
    ----------
    size : int
        Pixels per side of the stamps, a multiple of 8.
    latent_dim : int
        Length of z.
    channels, largest : int
        Features at full resolution; they double at every halving, up to `largest`.
    conditions : int
        Length of the condition vector.
    signal : tuple, optional
        Place of the condition `signal`, its centre and scale: then the flux is as asked for.
    offset : float
        With `signal`: largest shift of a galaxy along each axis, in pixels. The network paints it
        in the middle, one way round; where it lies on the stamp, and which of the eight ways
        round, is drawn.
    """

    def __init__(
        self,
        size: int,
        latent_dim: int,
        channels: int,
        largest: int,
        conditions: int,
        signal: tuple[int, float, float] | None,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.sides = sides = resolutions(size)
        depths = widths(len(sides), channels, largest)
        self.latent_dim = latent_dim
        self.style = nn.Sequential(
            nn.Linear(latent_dim + conditions, latent_dim),
            nn.LeakyReLU(LEAK),
            nn.Linear(latent_dim, latent_dim),
            nn.LeakyReLU(LEAK),
        )
        self.enter = nn.Linear(latent_dim, depths[0] * sides[0] ** 2)
        self.start = (depths[0], sides[0], sides[0])
        self.blocks = nn.ModuleList(
            ConditionalResidualBlock(depth, latent_dim, noise_channels=1) for depth in depths
        )
        self.narrow = nn.ModuleList(convolution(a, b, 1) for a, b in pairwise(depths))
        self.signal = signal[0] if signal else None
        self.offset = offset
        self.head: nn.Module = (
            LightHead(depths[-1], latent_dim, signal[1], signal[2])
            if signal
            else convolution(depths[-1], 1)
        )

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw what else is random in `count` images.

        The small-scale noise inside the network, (count, 1, side, side) for each resolution, and
        of galaxies also how they are placed (`draw_placements`).
        """
        planes = tuple(
            torch.randn((count, 1, side, side), generator=generator, device=generator.device)
            for side in self.sides
        )
        if self.signal is None:
            return planes
        return (*planes, *draw_placements(count, self.offset, generator))

    def forward(self, z: Tensor, conditions: Tensor | None = None, noise: Noise = ()) -> Tensor:
        """Return images (B, 1, N, N) in units of the noise.

        Parameters
        ----------
        z : Tensor (B, latent_dim)
            Standard normal.
        conditions : Tensor (B, K), optional
            Standardised.
        noise : tuple of Tensor, optional
            From `draw_noise`; without it the image depends on z and the conditions alone.
        """
        told = [z] if conditions is None else [z, conditions]
        style = self.style(torch.cat(told, 1))
        features = self.enter(style).unflatten(1, self.start)
        for level, block in enumerate(self.blocks):
            if level:
                # Narrowing first: a convolution of one pixel commutes with interpolation.
                features = functional.interpolate(
                    self.narrow[level - 1](features),
                    scale_factor=2,
                    mode="bilinear",
                    align_corners=False,
                )
            features = block(features, style, noise[level] if noise else None)
        features = functional.leaky_relu(features, LEAK)
        if self.signal is None or conditions is None:
            return unstretch(self.head(features).float())
        placement = (noise[-2], noise[-1]) if noise else None
        image: Tensor = self.head(features, style, conditions[:, self.signal], placement)
        return image


class ResidualDiscriminator(nn.Module):
    """Residual blocks down to a few pixels, and a projection on the conditions.

    It sees the stretched image and its unsharp mask. The score is ``psi(h) + <embedding(c), h>``
    (Miyato & Koyama 2018, eq. 3).

    Parameters
    ----------
    size, channels, largest, conditions : int
        As for the generator.
    """

    def __init__(self, size: int, channels: int, largest: int, conditions: int) -> None:
        super().__init__()
        sides = resolutions(size)
        depths = widths(len(sides), channels, largest)[::-1]
        self.enter = convolution(2, depths[0])
        self.blocks = nn.Sequential(*(DownsamplingBlock(a, b) for a, b in pairwise(depths)))
        self.last = convolution(depths[-1], depths[-1])
        self.features = nn.Linear(depths[-1] * sides[0] ** 2, depths[-1])
        self.leave = nn.Linear(depths[-1], 1)
        self.embedding = (
            nn.Sequential(
                nn.Linear(conditions, depths[-1]),
                nn.LeakyReLU(LEAK),
                nn.Linear(depths[-1], depths[-1]),
            )
            if conditions
            else None
        )

    def forward(self, stretched: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return the scores (B, 1).

        Parameters
        ----------
        stretched : Tensor (B, 1, N, N)
            Images in units of the noise, stretched.
        conditions : Tensor (B, K), optional
            Standardised.
        """
        sharp = stretched - functional.avg_pool2d(stretched, 5, 1, 2, count_include_pad=False)
        features = self.blocks(self.enter(torch.cat([stretched, 2 * sharp], 1)))
        features = functional.leaky_relu(self.last(features), LEAK)
        features = functional.leaky_relu(self.features(features.flatten(1)), LEAK)
        scores: Tensor = self.leave(features)
        if self.embedding is not None and conditions is not None:
            projected = (self.embedding(conditions) * features).sum(1, keepdim=True)
            scores = scores + projected / features.shape[1] ** 0.5
        # Scores are compared and averaged: in single precision also under autocast.
        return scores.float()
