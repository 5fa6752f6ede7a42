"""Galaxies from a trained generator of stamps."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.galaxies.images.stamp_conditions import standardised_conditions
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.instruments import NoiseModel

BATCH = 64
"""Stamps generated at once."""


class GalaxyGenerator:
    """Noiseless stamps of galaxies, from a checkpoint of `clumpygan.networks.dcgan`.

    `size` is that of its stamps in pixels, `conditions` what it is told, `noise` the noise of the
    images it was trained on, `magnitudes` the range of their AB magnitudes, where it is known.

    Parameters
    ----------
    network : nn.Module
    card : mapping
        Of the checkpoint; its section `images` tells pixel scale and noise.
    name : str
        For messages.

    Raises
    ------
    InputError
        If the network wasn't trained on stamps of galaxies.
    """

    def __init__(self, network: nn.Module, card: Mapping[str, Any], name: str) -> None:
        images = card.get("images") or {}
        # A network of the user's own is told what its data have, whatever it was built with.
        told = {**(card.get("data") or {}), **card["network"]["arguments"]}
        if "sigma" not in images or "signal" not in (told.get("conditions") or ()):
            raise InputError(
                f"checkpoint {name} doesn't know the fluxes of what it makes: expected one trained "
                "on galaxies (train.py model=dcgan data=candels)"
            )
        self.network = network
        self.size: int = told["size"]
        self.conditions: tuple[str, ...] = tuple(told["conditions"])
        self.noise = NoiseModel(
            images["sigma"], images["pixel_scale"], np.array(images["correlation"])
        )
        self.magnitudes: tuple[float, float] = tuple(images.get("magnitudes", (-np.inf, np.inf)))

    @classmethod
    def load(cls, name: str = "dcgan", device: str = "cpu") -> "GalaxyGenerator":
        """Load a checkpoint by its name or path.

        Raises
        ------
        InputError
            If there is none, or it is of another network.
        """
        network, card = load_checkpoint(name, ("dcgan",))
        return cls(network.to(device), card, name)

    @torch.no_grad()
    def stamps(
        self,
        known: Mapping[str, ArrayLike],
        seed: int,
        first: int = 0,
        progress: Callable[[int], object] = lambda done: None,
    ) -> NDArray[np.float32]:
        """Generate a noiseless stamp for each galaxy.

        Parameters
        ----------
        known : mapping
            `flux` in nJy, and what else the generator is told (`conditions`: "half_light_radius"
            in arcsec, "redshift", "sersic_index"), each of length N.
        seed : int
            Galaxy i depends on (seed, first + i) and its own conditions alone.
        first : int
        progress : callable, optional
            Called with the number of stamps of each batch.

        Returns
        -------
        ndarray of shape (N, size, size), float32, nJy per pixel
        """
        signal = np.asarray(known["flux"], dtype=np.float64) / self.noise.sigma
        told = standardised_conditions(self.conditions, {**known, "signal": signal})
        device = next(self.network.parameters()).device
        stamps = np.empty((len(told), self.size, self.size), dtype=np.float32)
        for begin in range(0, len(told), BATCH):
            rows, start = torch.from_numpy(told[begin : begin + BATCH]), first + begin
            z, noise = random_input(self.network, seed, range(start, start + len(rows)))
            images = self.network(
                z.to(device), rows.to(device), tuple(one.to(device) for one in noise)
            )
            stamps[begin : begin + BATCH] = images[:, 0].cpu().numpy()
            progress(len(rows))
        stamps *= np.float32(self.noise.sigma)
        return stamps

    def sky_noise(self, count: int, seed: int, first: int = 0) -> NDArray[np.float32]:
        """Draw noise like that of the images it was trained on, for each galaxy its own.

        Parameters
        ----------
        count, seed, first : int
            Noise i depends on (seed, first + i) alone.

        Returns
        -------
        ndarray of shape (count, size, size), float32, nJy per pixel
        """
        noise = np.empty((count, self.size, self.size), dtype=np.float32)
        for place in range(count):
            generator = stream(seed, first + place, "noise")
            noise[place] = self.noise.draw((self.size, self.size), generator).numpy()
        return noise

    def between(
        self, known: Mapping[str, ArrayLike], seed: int, steps: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the stamps on the way from one galaxy to another, conditions and all.

        The latent vectors are interpolated on the sphere (White 2016, arXiv:1609.04468), the inner
        noise is left out.

        Parameters
        ----------
        known : mapping
            As for `stamps`, of length 2: where the way begins and ends.
        seed, steps : int
        """
        signal = np.asarray(known["flux"], dtype=np.float64) / self.noise.sigma
        ends = torch.from_numpy(
            standardised_conditions(self.conditions, {**known, "signal": signal})
        )
        z, _ = random_input(self.network, seed, range(2))
        angle = torch.arccos(torch.cosine_similarity(z[0], z[1], dim=0))
        device = next(self.network.parameters()).device
        for share in torch.linspace(0, 1, steps):
            turned = (torch.sin((1 - share) * angle) * z[0] + torch.sin(share * angle) * z[1]) / (
                torch.sin(angle)
            )
            told = torch.lerp(ends[0], ends[1], share)
            with torch.no_grad():
                image = self.network(turned[None].to(device), told[None].to(device))[0, 0]
            yield image.cpu().numpy() * np.float32(self.noise.sigma)


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
