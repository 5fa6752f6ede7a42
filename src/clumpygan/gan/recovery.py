"""Recover HST images with a trained network: samples of the posterior, their mean and spread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Orientation(NamedTuple):
    """One of the eight ways to turn and mirror an image: flips, then a transposition."""

    flip_y: bool
    flip_x: bool
    transpose: bool

    def of(self, image: Tensor) -> Tensor:
        """Return images (..., y, x) in this orientation."""
        flipped = image.flip(
            [axis for axis, flip in ((-2, self.flip_y), (-1, self.flip_x)) if flip]
        )
        return flipped.mT if self.transpose else flipped

    def undo(self, image: Tensor) -> Tensor:
        """Return images in this orientation as they were."""
        upright = image.mT if self.transpose else image
        return upright.flip([axis for axis, flip in ((-2, self.flip_y), (-1, self.flip_x)) if flip])

    def transfer(self, transfer: Tensor, width: int) -> Tensor:
        """Return the transfer function of a PSF in this orientation.

        Parameters
        ----------
        transfer : Tensor (..., Ky, Kx)
            On the modes of an `rfft2`.
        width : int
            Length of the image along x; Kx = width // 2 + 1.
        """
        # The other half of the modes, kx < 0, holds the complex conjugates.
        half = transfer.shape[-1]
        negative = _opposite(transfer, -2).conj()[..., 1 : width - half + 1].flip(-1)
        full = torch.cat([transfer, negative], -1)
        for axis, flip in ((-2, self.flip_y), (-1, self.flip_x)):
            full = _opposite(full, axis) if flip else full
        full = full.mT if self.transpose else full
        return full[..., : full.shape[-1] // 2 + 1]


def _opposite(modes: Tensor, axis: int) -> Tensor:
    """Return the modes at the opposite frequencies along an axis."""
    return modes.flip(axis).roll(1, axis)


ORIENTATIONS = tuple(
    Orientation(y, x, t) for t in (False, True) for y in (False, True) for x in (False, True)
)


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
        that of independent ones. Each pair is recovered in another of the eight orientations of the
        image, which averages out what a network, other than the sky, knows of up and down. The
        result depends on the seed, not on the size of the batch.
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
        arguments = [t.to(self.device) for t in (filled.float(), sigma.float(), response)]
        images = self._samples(*arguments, samples, seed)
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

    def _samples(
        self, observed: Tensor, sigma: Tensor, transfer: Tensor, samples: int, seed: int
    ) -> Tensor:
        """Return samples (S, B, 1, Y, X) of padded images, a pair in each orientation by turns."""
        # Each image of the batch has a generator of its own.
        generators = [torch.Generator().manual_seed(seed * 65537 + i) for i in range(len(observed))]
        pairs: dict[Orientation, list[SampleNoise | None]] = {}
        for i in range((samples + 1) // 2):
            orientation = ORIENTATIONS[i % len(ORIENTATIONS)]
            rows, columns = observed.shape[-2:]
            shape = (columns, rows) if orientation.transpose else (rows, columns)
            pairs.setdefault(orientation, []).extend(self._pair(generators, shape))
        width = self.operator.frequencies(observed.shape[-2:][::-1])[0].shape[0]
        images = []
        for orientation, noises in pairs.items():
            turned = orientation.of(observed).contiguous()
            response = orientation.transfer(transfer, width).contiguous()
            images += [
                orientation.undo(image)
                for image in self.network(turned, sigma, response, tuple(noises))
            ]
        return torch.stack(images)

    def _pair(
        self, generators: list[torch.Generator], shape: tuple[int, int]
    ) -> tuple[SampleNoise | None, SampleNoise | None]:
        """Draw an antithetic pair of random inputs."""
        drawn = [self.network.draw_noise(1, shape, generator) for generator in generators]
        if drawn[0] is None:
            return None, None
        coarse = torch.cat([noise.coarse for noise in drawn]).to(self.device)
        fine = torch.cat([noise.fine for noise in drawn]).to(self.device)
        noise = SampleNoise(coarse, fine)
        return noise, noise.opposite()
