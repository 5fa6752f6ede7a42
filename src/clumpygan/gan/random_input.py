"""The random numbers of generated galaxies: each has its own."""

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


def stream(seed: int, index: int, purpose: str) -> torch.Generator:
    """Return the random numbers of one galaxy for one purpose."""
    entropy = [seed, index, zlib.crc32(purpose.encode())]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)


def random_input(
    network: nn.Module, seed: int, indices: Sequence[int]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Draw z and the inner noise of galaxies.

    Parameters
    ----------
    network : nn.Module
        With `latent_dim` and `draw_noise(count, generator)`.
    seed : int
    indices : sequence of int
        What galaxy i gets depends on (seed, i) alone.

    Returns
    -------
    z : Tensor (N, latent_dim)
    noise : tuple of Tensor
    """
    drawn = []
    for index in indices:
        generator = stream(seed, index, "galaxy")
        z = torch.randn((1, network.latent_dim), generator=generator)  # type: ignore[call-overload]
        drawn.append((z, *network.draw_noise(1, generator)))  # type: ignore[operator]
    z, *noise = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return z, tuple(noise)
