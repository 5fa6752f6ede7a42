"""Recover HST images with a trained network: samples of the posterior, their mean and spread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK
from clumpygan.errors import InputError
from clumpygan.evaluation.baselines import richardson_lucy
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.instruments import ObservationOperator
from clumpygan.networks.super_resolution import SampleNoise

Frequencies = tuple[Tensor, Tensor]
Transfer = Callable[[Frequencies], Tensor]
"""Maps (ky, kx) of the operator's grid to the ratio of the transfer functions of HSC and HST, of
shape (B, Ky, Kx) or, the same for the whole batch, (Ky, Kx)."""


MISFIT = 1.2
"""chi^2 per pixel from which on a recovery is made consistent with its data."""

ITERATIONS = 50
"""Richardson-Lucy iterations that do it."""


@dataclass(frozen=True)
class Recovered:
    """What was recovered, in nJy per HST pixel.

    Attributes
    ----------
    best : Tensor (B, 1, Y, X)
        Mean over the samples.
    error : Tensor (B, 1, Y, X)
        Root mean square deviation of the samples from their mean: the 1-sigma error map. Samples
        come in antithetic pairs, so that the mean costs no degree of freedom (to first order).
    samples : Tensor (S, B, 1, Y, X)
    """

    best: Tensor
    error: Tensor
    samples: Tensor


class SuperResolver:
    """A trained super-resolution network, ready to be used.

    Parameters
    ----------
    network : nn.Module
        A generator with the signature of `SuperResolutionGenerator`.
    card : dict
        Its card.
    device : str
    """

    def __init__(self, network: nn.Module, card: dict[str, Any], device: str = "cpu") -> None:
        self.network = network.to(device)
        self.card = card
        self.device = torch.device(device)
        self.operator = ObservationOperator()

    @classmethod
    def from_checkpoint(
        cls, name: str = "super_resolution", device: str = "cpu"
    ) -> "SuperResolver":
        """Load a checkpoint by its name or path.

        Raises
        ------
        InputError
            If it is missing, truncated, or of a network that doesn't recover images.
        """
        network, card = load_checkpoint(name, ("super_resolution", "ancestor"))
        return cls(network, card, device)

    @torch.no_grad()
    def recover(
        self,
        observed: Tensor,
        sigma: Tensor,
        transfer: Transfer,
        *,
        samples: int = 16,
        seed: int = 0,
        mask: Tensor | None = None,
    ) -> Recovered:
        """Sample the HST images behind HSC images.

        Samples come in antithetic pairs (random input z and -z), whose mean scatters less than
        that of independent ones. The result depends on the seed, not on the size of the batch.
        Recoveries that contradict the data (chi^2 above 1.2) end with Richardson-Lucy iterations.

        Parameters
        ----------
        observed : Tensor (B, 1, y, x)
            nJy per HSC pixel, background subtracted; at least 25 pixels on each side.
        sigma : Tensor (B,)
            Noise per HSC pixel, nJy.
        transfer : callable
            Gives the ratio of the HSC and HST transfer functions on a frequency grid.
        samples : int
            At least 2; odd numbers are rounded up to whole pairs.
        seed : int
        mask : Tensor (B, 1, y, x) of bool, optional
            True where there are no data; taken as empty sky.

        Returns
        -------
        Recovered
            Y = ceil(14 y / 5).

        Raises
        ------
        InputError
            If the image is too small, or not finite outside the mask, or sigma isn't positive.
        """
        rows, columns = observed.shape[-2:]
        if min(rows, columns) < 25:
            raise InputError(f"a stamp of {rows}x{columns} HSC pixels: expected at least 25x25")
        if mask is not None:
            observed = observed.masked_fill(mask, 0.0)
        if not torch.isfinite(observed).all():
            raise InputError("the HSC image has values that aren't finite: mask them")
        if not bool((sigma > 0).all()):
            raise InputError(f"the HSC noise is {float(sigma.min())} nJy per pixel: expected > 0")
        filled = functional.pad(observed, (0, -columns % COARSE_BLOCK, 0, -rows % COARSE_BLOCK))
        shape = (filled.shape[-2], filled.shape[-1])
        response = transfer(self.operator.frequencies(shape, self.device))
        response = response.expand(len(observed), *response.shape[-2:])
        noises = self._noises(len(observed), shape, samples, seed)
        arguments = [t.to(self.device) for t in (filled.float(), sigma.float(), response)]
        images = torch.stack(self.network(*arguments, noises))
        if self.card.get("network", {}).get("name") == "super_resolution":
            valid = torch.ones_like(arguments[0], dtype=torch.bool)
            if mask is not None:
                valid[..., :rows, :columns] = ~mask.to(self.device)
            images = self._made_consistent(images, *arguments, valid)
        height, width = (-(-n * FINE_BLOCK // COARSE_BLOCK) for n in (rows, columns))
        images = images[..., :height, :width].cpu()
        return Recovered(images.mean(0), images.std(0, correction=0), images)

    def _made_consistent(
        self, images: Tensor, observed: Tensor, sigma: Tensor, transfer: Tensor, valid: Tensor
    ) -> Tensor:
        """Mend the recoveries that contradict their data, brighter galaxies than any trained on.

        Where the mean of the samples (S, B, 1, Y, X) misses the data by more than `MISFIT`, every
        sample is taken as the start of a few Richardson-Lucy iterations.
        """
        again = self.operator(images.mean(0), transfer)
        residual = (again - observed) / sigma[:, None, None, None] * valid
        misfit = residual.square().flatten(1).sum(1) / valid.flatten(1).sum(1).clamp_min(1)
        for i in torch.nonzero(misfit > MISFIT).flatten().tolist():
            # What is masked says nothing: there the data are what is expected.
            data = torch.where(valid[i], observed[i], again[i])
            count = len(images)
            images[:, i] = richardson_lucy(
                data.expand(count, *data.shape),
                sigma[i].expand(count),
                transfer[i].expand(count, *transfer[i].shape),
                self.operator,
                iterations=(ITERATIONS,),
                start=images[:, i],
            )[ITERATIONS]
        return images

    def _noises(
        self, batch: int, shape: tuple[int, int], samples: int, seed: int
    ) -> tuple[SampleNoise | None, ...]:
        """Draw antithetic pairs, each image of the batch from a generator of its own."""
        generators = [torch.Generator().manual_seed(seed * 65537 + i) for i in range(batch)]
        noises: list[SampleNoise | None] = []
        for _ in range((samples + 1) // 2):
            drawn = [self.network.draw_noise(1, shape, generator) for generator in generators]
            if drawn[0] is None:
                noises += [None, None]
                continue
            coarse = torch.cat([noise.coarse for noise in drawn]).to(self.device)
            fine = torch.cat([noise.fine for noise in drawn]).to(self.device)
            pair = SampleNoise(coarse, fine)
            noises += [pair, pair.opposite()]
        return tuple(noises)
