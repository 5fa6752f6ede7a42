"""Recover sharp images with a trained network: samples of the posterior, their mean and spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.baselines import richardson_lucy
from clumpygan.evaluation.recovery.blends import contrast_from_card
from clumpygan.evaluation.recovery.intervals import Crowding, Widening, predict
from clumpygan.evaluation.recovery.out_of_distribution import TrainingPopulation
from clumpygan.evaluation.recovery.sources import ClumpProbability
from clumpygan.evaluation.recovery.spread import SampleSpread
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.instruments import GridPair, ObservationOperator, SurveyPair, within_band
from clumpygan.networks.sampling import Sampler
from clumpygan.networks.super_resolution import Crop
from clumpygan.recovery.bad_pixels import fill_masked
from clumpygan.recovery.scene import smallest_stamp

Frequencies = tuple[Tensor, Tensor]
Transfer = Callable[[Frequencies], Tensor]
"""Maps (ky, kx) of the operator's grid to the ratio of the transfer functions, observed over sharp,
of shape (B, Ky, Kx) or, the same for the whole batch, (Ky, Kx)."""

MISFIT = 1.2
"""chi^2 per pixel from which on a recovery is made consistent with its data."""

ITERATIONS = 50
"""Richardson-Lucy iterations that do it."""

UNEVEN = 2.0
"""Ratio of the variances of pixels (95th over 5th percentile) from which on a map varies."""

REPEATS = 4
"""Runs of the network that follow the first where pixels differ in noise, or hide light."""

HIDDEN = 2.0
"""Light in units of the noise, from which on in a masked pixel it is hidden by the mask."""

_NOTHING_KNOWN = 1e3
"""Noise of a masked pixel in units of that of the others."""

SKY_CELL = 5.0
"""Arcsec: what is smoother than this is sky, of which the data know more than any network."""

LARGEST_SKY = 3.0
"""In units of the noise: a pixel that is missed by more is missed in a source."""


def _generator(seed: int, number: int) -> torch.Generator:
    """Return the generator of an image of a batch."""
    return torch.Generator().manual_seed(seed * 65537 + number)


@dataclass(frozen=True)
class Recovered:
    """What was recovered, in nJy per target pixel.

    Attributes
    ----------
    best : Tensor (B, 1, Y, X)
        Mean over the samples.
    samples : Tensor (S, B, 1, Y, X)
    """

    best: Tensor
    samples: Tensor

    @cached_property
    def error(self) -> Tensor:
        """Half of the interval about the mean that holds 68.3 % of the truths, (B, 1, Y, X).

        The 1-sigma error map makes up for the number of samples, see
        `evaluation.recovery.intervals.predict`.
        """
        error = predict(self.samples.numpy()).half_width()
        return torch.from_numpy(error).to(self.samples.dtype)


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

    def __init__(self, network: Any, card: dict[str, Any], device: str = "cpu") -> None:
        self.network = network.to(device)
        self.card, self.device = card, torch.device(device)
        self.pair = SurveyPair.from_card(card.get("network", {}).get("observation"))
        self.operator = ObservationOperator(grid=self.grid)
        self.target_psf = self.pair.target.psf()
        self.sampler = Sampler(self.network, self.operator, self.device)
        self.spread = SampleSpread.from_card(card)
        self.widening = Widening.from_card(card)
        # Galaxies of a survey have all their neighbours, and PSFs that were measured.
        self.survey_widening = self.widening.replaced_by(
            Widening.from_card(card, "survey_widening")
        )
        self.survey_crowding = Crowding.from_card(card)
        self.clump_probability = ClumpProbability.from_card(card)
        self.population = TrainingPopulation.from_card(card)
        self.blend_contrast = contrast_from_card(card)

    @property
    def grid(self) -> GridPair:
        """Return the pixels that the network observes and recovers."""
        return self.pair.grid

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
        noise: Tensor | None = None,
        window: int | None = None,
    ) -> Recovered:
        """Sample the sharp images behind observed ones.

        Samples come in antithetic pairs (random input z and -z), whose mean scatters less than
        that of independent ones. Each pair is recovered in another of the eight orientations of the
        image, which averages out what a network, other than the sky, knows of up and down. The
        result depends on the seed, not on the size of the batch.
        Recoveries that contradict the data (chi^2 above 1.2) end with Richardson-Lucy iterations.
        What is finer than the target's PSF lets through is taken out, see `within_band`.
        Where the network's card says so (`spread`), samples are then taken farther from their mean,
        or nearer to it, by scale and brightness, so that they scatter as far as truths do.

        The network, and the step in Fourier space with which it ends, know one sigma for all
        pixels. Where `noise` differs by more than `UNEVEN`, or a mask lies on light, the network
        is run `REPEATS` times more, on what pixels of that one sigma would have shown in place of
        noisier or masked ones: drawn from what the last sample and the pixel say together, which
        is Gibbs sampling (Tanner & Wong 1987, JASA 82, 528). Of half a field of four times the
        noise, the error of the recovered image falls by a fifth by that; where nine pixels of a
        galaxy's core and a column beside it are masked it falls from 1.16 times that without a
        mask to 1.05, and truths behind the mask lie within the errors as often as elsewhere.

        Parameters
        ----------
        observed : Tensor (B, 1, y, x)
            nJy per pixel, background subtracted; at least 4.2" (25 pixels of HSC) on each side.
        sigma : Tensor (B,)
            Noise per observed pixel, nJy.
        transfer : callable
            Gives the ratio of the transfer functions on a frequency grid.
        samples : int
            At least 2; odd numbers are rounded up to whole pairs.
        seed : int
        mask : Tensor (B, 1, y, x) of bool, optional
            True where there are no data; what `observed` has there doesn't matter.
        noise : Tensor (B, 1, y, x), optional
            Noise of each observed pixel, nJy, where it isn't `sigma`.
        window : int, optional
            Blocks of the grid on a side of the square, in the middle of square stamps, in which
            the convolutions of the network run: the rest of the stamp is its base, made consistent
            with the data. It saves time, and is for the galaxies within.

        Returns
        -------
        Recovered
            Y = ceil(ratio y), 14 y / 5 from HSC to HST.

        Raises
        ------
        InputError
            If the image is too small, or not finite outside the mask, or sigma isn't positive.
        """
        rows, columns, least = *observed.shape[-2:], smallest_stamp(self.grid)
        fine, coarse = self.grid.fine_block, self.grid.coarse_block
        if min(rows, columns) < least:
            raise InputError(
                f"a stamp of {rows}x{columns} observed pixels: expected at least {least}x{least}"
            )
        generators = [_generator(seed, i) for i in range(len(observed))]
        if mask is not None:
            observed = fill_masked(observed.cpu(), sigma.cpu(), mask.cpu(), generators)
        if not torch.isfinite(observed).all():
            raise InputError("the observed image has values that aren't finite: mask them")
        if not bool((sigma > 0).all()):
            raise InputError(
                f"the observed noise is {float(sigma.min())} nJy per pixel: expected > 0"
            )
        if noise is not None:
            level = sigma[:, None, None, None].to(noise)
            noise = noise if mask is None else torch.where(mask.to(noise.device), level, noise)
            if not bool(((noise > 0) & torch.isfinite(noise)).all()):
                raise InputError(
                    f"the noise of an observed pixel is {float(noise.min())} nJy: expected > 0"
                )
        padding = (0, -columns % coarse, 0, -rows % coarse)
        filled = functional.pad(observed, padding)
        shape = (filled.shape[-2], filled.shape[-1])
        response = transfer(self.operator.frequencies(shape, self.device))
        response = response.expand(len(observed), *response.shape[-2:])
        data, level, response = (
            tensor.to(self.device) for tensor in (filled.float(), sigma.float(), response)
        )
        crop = self._middle(shape, window)
        images = self.sampler.draw(data[None], level, response, generators, samples, crop)
        valid, each = torch.ones_like(data, dtype=torch.bool), None
        within = valid
        if crop is not None:
            # Beyond, neighbours are as the base has them.
            within = torch.zeros_like(valid)
            crop.of(within, self.grid.coarse_block)[...] = True
        if mask is not None:
            valid = valid.clone()
            valid[..., :rows, :columns] = ~mask.to(self.device)
        if noise is not None:
            each = functional.pad(noise.float(), padding, mode="replicate").to(self.device)
        unlike: list[int] = []
        if mask is not None or noise is not None:
            unlike = self._unlike(images, level, response, valid | ~within, each)
        if unlike:
            known = level[:, None, None, None] if each is None else each
            said = torch.where(valid, known, _NOTHING_KNOWN * level[:, None, None, None])
            part = (data[unlike], said[unlike], level[unlike], response[unlike])
            own = [generators[i] for i in unlike]
            drawn = images[::2, unlike]
            for left in reversed(range(REPEATS)):
                shown = self._shown(drawn, *part, own)
                # Only the last run's are wanted; before it the first of each pair is enough.
                drawn = self.sampler.draw(shown, *part[2:], own, samples, crop, pairs=not left)
            images[:, unlike] = drawn
        if self.card.get("network", {}).get("name") == "super_resolution":
            valid = valid & within
            images = self._made_consistent(images, data, level, response, valid, each)
            images = images + self._missing_sky(images.mean(0), data, level, response, valid, each)
            images = within_band(images, self.target_psf, self.grid.target_scale)
        images = self.spread.corrected(images, level / self.grid.area_ratio, self.grid.target_scale)
        height, width = (-(-n * fine // coarse) for n in (rows, columns))
        images = images[..., :height, :width].cpu()
        return Recovered(images.mean(0), images)

    def _unlike(
        self, images: Tensor, sigma: Tensor, transfer: Tensor, valid: Tensor, noise: Tensor | None
    ) -> list[int]:
        """Return the numbers of the images whose pixels aren't what the network takes them for.

        Their noises differ, or masked ones hide light: what samples (S, B, 1, Y, X) expect there.
        """
        again = self.operator(images.mean(0), transfer) / sigma[:, None, None, None]
        unlike = (again > HIDDEN).logical_and(~valid).flatten(1).any(1)
        for i in range(len(unlike)) if noise is not None else ():
            assert noise is not None
            known = noise[i][valid[i]].square() if valid[i].any() else noise[i].square()
            low, high = (float(known.quantile(share)) for share in (0.05, 0.95))
            unlike[i] |= high > UNEVEN * low
        return [int(i) for i in torch.nonzero(unlike).flatten()]

    def _shown(
        self,
        images: Tensor,
        observed: Tensor,
        noise: Tensor,
        sigma: Tensor,
        transfer: Tensor,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Draw what pixels of noise sigma would have shown, (P, B, 1, y, x), where theirs is more.

        Given a sample x, such a pixel y* has the mean A x and the variance sigma^2; the pixel y is
        y* plus the rest of its noise. Each image has a generator of its own.
        """
        level = sigma[:, None, None, None]
        share = (level / noise).square().clamp(max=1)
        again = torch.stack([self.operator(image, transfer) for image in images])
        shape = (len(images), *observed.shape[1:])
        drawn = torch.stack([torch.randn(shape, generator=one) for one in generators], dim=1).to(
            self.device
        )
        return again + share * (observed - again) + level * (1 - share).sqrt() * drawn

    def _made_consistent(
        self,
        images: Tensor,
        observed: Tensor,
        sigma: Tensor,
        transfer: Tensor,
        valid: Tensor,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Mend the recoveries that contradict their data, brighter galaxies than any trained on.

        Where the mean of the samples (S, B, 1, Y, X) misses the data by more than `MISFIT`, every
        sample is taken as the start of a few Richardson-Lucy iterations, if these bring the mean
        nearer to the data.
        """
        level = sigma[:, None, None, None]
        each = level if noise is None else noise
        weight = (level / each).square().expand_as(observed)

        def misfit(again: Tensor, rows: slice = slice(None)) -> Tensor:
            known = valid[rows]
            residual = (again - observed[rows]) / each[rows] * known
            return residual.square().flatten(1).sum(1) / known.flatten(1).sum(1).clamp_min(1)

        again = self.operator(images.mean(0), transfer)
        missed = misfit(again)
        for i in torch.nonzero(missed > MISFIT).flatten().tolist():
            # What is masked says nothing: there the data are what is expected.
            data = torch.where(valid[i], observed[i], again[i])
            count, row = len(images), slice(i, i + 1)
            mended = richardson_lucy(
                data.expand(count, *data.shape),
                sigma[i].expand(count),
                transfer[i].expand(count, *transfer[i].shape),
                self.operator,
                iterations=(ITERATIONS,),
                start=images[:, i],
                weight=weight[i].expand(count, *data.shape),
            )[ITERATIONS]
            again_mended = self.operator(mended.mean(0, keepdim=True), transfer[row])
            if misfit(again_mended, row) < missed[row]:
                images[:, i] = mended
        return images

    def _missing_sky(
        self,
        image: Tensor,
        observed: Tensor,
        sigma: Tensor,
        transfer: Tensor,
        valid: Tensor,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Return the smooth light (B, 1, Y, X) that the data have and a recovered image lacks.

        A network that raises the sky by a tenth of the noise is right to a tenth in every pixel,
        and may be wrong by a third in the sum of a field. It is the mean of what is left over, of
        the whole image and then of cells of `SKY_CELL`, interpolated; each shrunk by what noise
        does to it (James & Stein 1961): of one stamp the network knows as much as the data do.
        """
        # In float64: sums over an image are the same, then, in any number of threads.
        each = (sigma[:, None, None, None] if noise is None else noise).double()
        weight = valid / each.square()
        left = (observed - self.operator(image, transfer)) / each
        left = left.clamp(-LARGEST_SKY, LARGEST_SKY) * each
        most = each.square().reciprocal().expand_as(weight)
        sky = torch.zeros_like(left)
        scale = self.grid.observed_scale / SKY_CELL
        finest = [max(1, round(n * scale)) for n in observed.shape[-2:]]
        for rows, columns in ((1, 1), finest):
            known, full, total = (
                functional.adaptive_avg_pool2d(one, (rows, columns))
                for one in (weight, most, (left - sky) * weight)
            )
            # Where little of a cell is known, little is said of its sky.
            cells = total / torch.maximum(known, full / 2)
            pixels = observed.shape[-2] * observed.shape[-1] / (rows * columns)
            variance = 1 / (torch.maximum(known, full / 2) * pixels)
            cells = cells * (1 - variance / cells.square()).nan_to_num(0).clamp_min(0)
            sky = sky + functional.interpolate(cells, observed.shape[-2:], mode="bilinear")
        found = functional.interpolate(sky, image.shape[-2:], mode="bilinear")
        return (found / self.grid.area_ratio).to(image.dtype)

    def _middle(self, shape: tuple[int, int], window: int | None) -> Crop | None:
        """Return the square of so many blocks in the middle of a stamp; None for all of it.

        Raises
        ------
        InputError
            If it has no middle of that size.
        """
        blocks = shape[0] // self.grid.coarse_block
        if window is None or window == blocks:
            return None
        if shape[0] != shape[1] or not 1 <= window <= blocks or (blocks - window) % 2:
            raise InputError(
                f"`window` is {window}: a stamp of {shape[1]} x {shape[0]} pixels is {blocks}"
                " blocks wide; expected a square stamp, and as many blocks less an even number"
            )
        first = (blocks - window) // 2
        return Crop(first, first, window, window)
