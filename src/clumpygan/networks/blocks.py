"""Building blocks that the networks of the family share."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.2
"""Slope of every leaky rectifier below zero."""

PROFILE_FREQUENCIES = (0.4, 0.8, 1.2, 1.6, 2.0, 2.6)
"""Frequencies in cycles/arcsec at which a network is told the transfer function."""

_RING_WIDTH = 0.15
"""Standard deviation of a ring, cycles/arcsec."""


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps the size (up to its stride), He-initialised."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_normal_(layer.weight, a=LEAK)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def silent_convolution(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    """Return a convolution whose output is zero until it has been trained."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class ConditionalResidualBlock(nn.Module):
    """Two convolutions beside a skip, modulated by a condition and, at will, by noise.

    The block computes ``x + W2 act(a(c) * W1 x + b(c) + N z)``: a feature-wise linear modulation
    (Perez et al. 2018, FiLM) of the hidden features by the condition c, plus injected noise z
    (Karras et al. 2019). W2, the modulation and N start at zero, so that a deep stack starts as
    the identity (Zhang et al. 2019, Fixup) and learns to use its noise only where it helps.

    Parameters
    ----------
    channels : int
        Channels in and out.
    conditions : int
        Length of the condition vector; 0 for none.
    noise_channels : int
        Channels of the injected noise; 0 for none.
    """

    def __init__(self, channels: int, conditions: int = 0, noise_channels: int = 0) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = silent_convolution(channels, channels)
        self.modulation = nn.Linear(conditions, 2 * channels) if conditions else None
        if self.modulation is not None:
            nn.init.zeros_(self.modulation.weight)
            nn.init.zeros_(self.modulation.bias)
        self.noise = silent_convolution(noise_channels, channels, 1) if noise_channels else None

    def forward(
        self, features: Tensor, condition: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Return the features (B, C, y, x) after the block.

        Parameters
        ----------
        features : Tensor (B, C, y, x)
        condition : Tensor (B, conditions), optional
        noise : Tensor (B, noise_channels, y, x), optional
            White noise; without it the block is deterministic.
        """
        hidden = self.first(features)
        if self.modulation is not None:
            if condition is None:
                raise ValueError("this block was built with conditions: pass the condition")
            scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, dim=1)
            # What nobody needs again is overwritten: on CPUs new memory costs as much as the sums.
            hidden = hidden.mul_(1 + scale).add_(shift)
        if self.noise is not None and noise is not None:
            hidden = hidden.add_(self.noise(noise))
        hidden = functional.leaky_relu(hidden, LEAK, inplace=True)
        result: Tensor = self.second(hidden).add_(features)
        return result


class DownsamplingBlock(nn.Module):
    """A residual block that halves the image: the unit of the discriminators.

    No normalisation, as in R3GAN (Huang et al. 2024): the zero-centred gradient penalties assume
    that the score of one image doesn't depend on the others in its batch.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = convolution(inputs, inputs)
        self.second = convolution(inputs, outputs)
        self.skip = convolution(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (B, outputs, y / 2, x / 2) of features (B, inputs, y, x)."""
        hidden = functional.leaky_relu(self.first(functional.leaky_relu(features, LEAK)), LEAK)
        # A convolution of one pixel commutes with the mean, and costs a quarter after it.
        beside = self.skip(functional.avg_pool2d(features, 2))
        halved: Tensor = (functional.avg_pool2d(self.second(hidden), 2) + beside) * 0.5**0.5
        return halved


def widened(network: nn.Module, narrow: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a network that makes what one with fewer features makes.

    Old features see nothing of new ones, which look at the image as those of an untrained network
    do: weights that lead from them begin to count as soon as a training moves them from zero
    (Chen, Goodfellow & Shlens 2016, ICLR, arXiv:1511.05641, whose new features are copies).

    Parameters
    ----------
    network : nn.Module
        Untrained, of convolutions, linear layers and the blocks of this module. What has new
        features among its inputs has them behind the old ones.
    narrow : mapping
        Weights of the other one, by the same names.

    Returns
    -------
    dict of Tensor
        By the same names, of the shapes of `network`.
    """
    pairs = {
        f"{name}.modulation."
        for name, block in network.named_modules()
        if isinstance(block, ConditionalResidualBlock)
    }
    weights = {}
    for name, fresh in network.state_dict().items():
        old, new = narrow[name], fresh.clone()
        # A modulation is two layers in one: of the scales, and of the shifts.
        halves = 2 if name.rpartition(".")[0] + "." in pairs else 1
        for known, part in zip(old.chunk(halves), new.chunk(halves), strict=True):
            part[: len(known)] = 0
            part[tuple(slice(size) for size in known.shape)] = known
        weights[name] = new
    return weights


def resample(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resample bilinearly to `shape`, the two fields of view sharing their edges.

    Parameters
    ----------
    image : Tensor (B, C, y, x)
    shape : tuple of int
        New (y, x).

    Returns
    -------
    Tensor (B, C, *shape)
    """
    if tuple(image.shape[-2:]) == tuple(shape):
        return image
    return functional.interpolate(image, shape, mode="bilinear", align_corners=False)


def stretch(image: Tensor) -> Tensor:
    """Compress an image in noise units: asinh, linear in the noise, logarithmic above it."""
    return torch.asinh(image)


def unstretch(image: Tensor) -> Tensor:
    """Undo `stretch` exactly (up to rounding)."""
    return torch.sinh(image)


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
