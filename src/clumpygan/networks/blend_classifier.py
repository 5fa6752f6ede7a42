"""Whether one galaxy or two that overlap are seen: a small convolutional network.

It looks at the observed image itself, in units of its noise, and is told the point spread function:
what tells two galaxies from one are differences of a few parts in a hundred from what one galaxy
looks like through it.
"""

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import (
    LEAK,
    PROFILE_FREQUENCIES,
    ConditionalResidualBlock,
    convolution,
    stretch,
    transfer_profile,
)
from clumpygan.networks.orientations import ORIENTATIONS

WINDOW = 4.4
"""Arcsec, of the middle of the stamp that is looked at: blends are up to 1.2" wide."""

FAINTEST_PEAK = 5.0
"""In units of the noise: images are divided by their peaks, and noise isn't blown up."""

_MANY_PEAKS = 3.0
"""What a bright neighbour is cut to, in units of the peak."""


class SurveyGrid(Protocol):
    """The pixels of the survey."""

    @property
    def observed_scale(self) -> float:
        """Return arcsec per observed pixel."""


class Observation(Protocol):
    """What is known of observed images; handed in."""

    @property
    def grid(self) -> SurveyGrid:
        """Return the pixels."""

    def frequencies(
        self, coarse_shape: tuple[int, int], device: torch.device | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return (ky, kx) in cycles/arcsec of the grid on which transfer functions are given."""


class BlendClassifier(nn.Module):
    """Tell two galaxies that overlap from one.

    The natural logarithm of the odds, of as many of either as in its training, is that of the
    Bayes factor: posterior odds are exp of it times those that two galaxies have before.

    Parameters
    ----------
    observation : Observation
        The operator, as a module without weights.
    channels : tuple of int
        Features at the survey's pixels, at half and at a quarter of their resolution.
    blocks : tuple of int
        Residual blocks at each of them.
    conditions : int
        Length of the vector that blocks are told of PSF and brightness.
    """

    observation: Observation

    def __init__(
        self,
        observation: Observation,
        channels: tuple[int, int, int] = (32, 56, 80),
        blocks: tuple[int, int, int] = (3, 3, 2),
        conditions: int = 32,
    ) -> None:
        super().__init__()
        self.observation = observation
        # An even number: stamps have one, and the middle stays in the middle.
        self.window = 2 * round(WINDOW / observation.grid.observed_scale / 2)
        self.embed = nn.Sequential(
            nn.Linear(len(PROFILE_FREQUENCIES) + 1, conditions),
            nn.LeakyReLU(LEAK),
            nn.Linear(conditions, conditions),
        )
        self.enter = nn.ModuleList(
            convolution(inputs, outputs, 3, 1 if place == 0 else 2)
            for place, (inputs, outputs) in enumerate(
                zip((3, *channels[:-1]), channels, strict=True)
            )
        )
        self.levels = nn.ModuleList(
            nn.ModuleList(ConditionalResidualBlock(width, conditions) for _ in range(count))
            for width, count in zip(channels, blocks, strict=True)
        )
        self.leave = nn.Sequential(
            nn.Linear(2 * channels[-1] + conditions, 96), nn.LeakyReLU(LEAK), nn.Linear(96, 1)
        )

    def forward(self, observed: Tensor, sigma: Tensor, transfer: Tensor) -> Tensor:
        """Return the ln of the odds, (B,), of images in the orientation in which they are.

        Parameters
        ----------
        observed : Tensor (B, 1, y, x)
            Flux per pixel, the galaxy in the middle; smaller images are surrounded by zeros.
        sigma : Tensor (B,)
            Noise per pixel, in the same unit.
        transfer : Tensor (B, Ky, Kx)
            Ratio of the optical transfer functions, on the grid of `observation.frequencies`.
        """
        light = self._middle(observed / sigma[:, None, None, None])
        return self._odds(light, self._conditions(light, observed, transfer))

    def log_odds(self, observed: Tensor, sigma: Tensor, transfer: Tensor) -> Tensor:
        """Return the mean of the ln of the odds, (B,), over the eight orientations of images.

        In float32, wherever; see `forward`. Two images of one galaxy that are turned against each
        other get the same number.
        """
        with torch.autocast(observed.device.type, enabled=False):
            light = self._middle(observed.float() / sigma.float()[:, None, None, None])
            conditions = self._conditions(light, observed, transfer)
            turned = torch.cat([one.of(light) for one in ORIENTATIONS])
            odds = self._odds(turned, conditions.repeat(len(ORIENTATIONS), 1))
        return odds.view(len(ORIENTATIONS), -1).mean(0)

    def _middle(self, image: Tensor) -> Tensor:
        """Return the window (B, 1, N, N)."""
        # Negative numbers cut.
        spare = [self.window - size for size in image.shape[-2:]]
        before = [math.floor(one / 2) for one in spare]
        rows, columns = zip(before, [all_ - one for all_, one in zip(spare, before, strict=True)],
                            strict=True)  # fmt: skip
        return functional.pad(image, (*columns, *rows))

    def _peak(self, light: Tensor) -> Tensor:
        """Return the highest pixel (B,) of the middle half: of no neighbour."""
        quarter = self.window // 4
        inner = light[..., quarter:-quarter, quarter:-quarter]
        return inner.flatten(1).amax(1).clamp_min(FAINTEST_PEAK)

    def _conditions(self, light: Tensor, observed: Tensor, transfer: Tensor) -> Tensor:
        """Return what is known of the PSF and of the brightness, each of order one."""
        shape = (observed.shape[-2], observed.shape[-1])
        ky, kx = self.observation.frequencies(shape, observed.device)
        rings = transfer_profile(transfer, (ky**2 + kx**2).sqrt().to(light.dtype))
        return torch.stack([*rings, self._peak(light).log() - 4], 1)

    def _odds(self, light: Tensor, conditions: Tensor) -> Tensor:
        smooth = functional.avg_pool2d(light, 3, 1, 1)
        shape = (light / self._peak(light)[:, None, None, None]).clamp(max=_MANY_PEAKS)
        features = torch.cat([stretch(light) / 3, 3 * shape, stretch(light - smooth) / 2], 1)
        condition = self.embed(conditions)
        for enter, blocks in zip(self.enter, self.levels, strict=True):
            features = enter(features)
            for block in blocks:  # type: ignore[attr-defined]
                features = block(features, condition)
        seen = [features.mean((2, 3)), features.amax((2, 3)), condition]
        odds: Tensor = self.leave(torch.cat(seen, 1))[:, 0]
        return odds.float()
