"""Samples of sharp images by a network, in all orientations, as many at a time as are quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clumpygan.networks.orientations import ORIENTATIONS, Orientation
from clumpygan.networks.super_resolution import Crop, Observation, SampleNoise

_PIXELS_AT_ONCE = {"cpu": 3200}
"""Observed pixels in which the network works at a time: as many as stay in the cache of a core."""

_PIXELS_ON_CARDS = 2**18
"""The same on other devices."""


class _Drawn(NamedTuple):
    """What samples are made of: images (B, 1, y, x) in one orientation, and a random input."""

    orientation: Orientation
    observed: Tensor
    transfer: Tensor
    noise: SampleNoise | None


@dataclass(frozen=True)
class Sampler:
    """Draws samples of the posterior.

    Attributes
    ----------
    network : nn.Module
        With the signature of `SuperResolutionGenerator`.
    operator : Observation
    device : torch.device
    """

    network: Any
    operator: Observation
    device: torch.device

    def draw(
        self,
        observed: Tensor,
        sigma: Tensor,
        transfer: Tensor,
        generators: Sequence[torch.Generator],
        samples: int,
        crop: Crop | None = None,
        *,
        pairs: bool = True,
    ) -> Tensor:
        """Draw samples of padded images, an antithetic pair in each orientation by turns.

        Parameters
        ----------
        observed : Tensor (1, B, 1, y, x) or (P, B, 1, y, x)
            One image for all pairs, or one for each.
        sigma : Tensor (B,)
        transfer : Tensor (B, Ky, Kx)
        generators : sequence of torch.Generator
            One for each image.
        samples : int
            Odd numbers are rounded up to whole pairs.
        crop : Crop, optional
            Window in which the convolutions run.
        pairs : bool
            Without it only the first of each pair is drawn.

        Returns
        -------
        Tensor (S, B, 1, Y, X) or (P, B, 1, Y, X)
        """
        rows, columns = observed.shape[-2:]
        width = self.operator.frequencies((columns, rows))[0].shape[0]
        drawn: list[_Drawn] = []
        alike: dict[tuple[int, int], list[int]] = {}
        for i in range((samples + 1) // 2):
            orientation = ORIENTATIONS[i % len(ORIENTATIONS)]
            shape = (columns, rows) if orientation.transpose else (rows, columns)
            turned = orientation.of(observed[i if len(observed) > 1 else 0])
            response = orientation.transfer(transfer, width)
            noise = self._draw_noise(generators, shape, crop)
            alike.setdefault(shape, []).append(i)
            drawn.append(_Drawn(orientation, turned, response, noise))
        images: dict[int, Tensor] = {}
        for numbers in alike.values():
            found = self._sampled([drawn[i] for i in numbers], sigma, crop, pairs)
            images |= zip(numbers, found, strict=True)
        return torch.cat([images[i] for i in range(len(drawn))])

    def _sampled(
        self, drawn: list[_Drawn], sigma: Tensor, crop: Crop | None, pairs: bool
    ) -> list[Tensor]:
        """Return one sample or two, (2, B, 1, Y, X), of what was drawn; all have one shape."""
        where: dict[str, Any] = {} if crop is None else {"crop": crop, "whole": True}
        observed = torch.cat([one.observed for one in drawn])
        transfer = torch.cat([one.transfer for one in drawn])
        level = sigma.repeat(len(drawn))
        noise = None
        if drawn[0].noise is not None:
            known = [one.noise for one in drawn if one.noise is not None]
            noise = SampleNoise(*map(torch.cat, zip(*known, strict=True)))
        height, width = observed.shape[-2:]
        if crop is not None:
            height, width = (n * self.operator.grid.coarse_block for n in (crop.height, crop.width))
        most = _PIXELS_AT_ONCE.get(self.device.type, _PIXELS_ON_CARDS)
        rows = max(1, most // (height * width))
        parts = []
        for first in range(0, len(observed), rows):
            part = slice(first, first + rows)
            one = None if noise is None else noise.mapped(itemgetter(part))
            both = (one, None if one is None else one.opposite())
            noises = both if pairs else both[:1]
            found = self.network(observed[part], level[part], transfer[part], noises, **where)
            parts.append(torch.stack(found))
        images = torch.cat(parts, dim=1).chunk(len(drawn), dim=1)
        return [one.orientation.undo(found) for one, found in zip(drawn, images, strict=True)]

    def _draw_noise(
        self, generators: Sequence[torch.Generator], shape: tuple[int, int], crop: Crop | None
    ) -> SampleNoise | None:
        """Draw the random input of the first of a pair; None of networks that take none."""
        where: dict[str, Any] = {} if crop is None else {"crop": crop}
        drawn = [self.network.draw_noise(1, shape, one, **where) for one in generators]
        if drawn[0] is None:
            return None
        return SampleNoise(
            *(torch.cat(images).to(self.device) for images in zip(*drawn, strict=True))
        )
