"""Training of the super-resolution networks: what is special to recovering a known scene."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.fidelity import central, chi_squared_size
from clumpygan.evaluation.recovery.metrics import measure_followed, reduce_followed
from clumpygan.evaluation.recovery.recovered import Recovered
from clumpygan.gan.adversarial import AdversarialModule
from clumpygan.gan.gan_settings import (
    AdversarialSettings,
    CoreSettings,
    Schedule,
    SuperResolutionWeights,
)
from clumpygan.gan.training import Batch, Network, settled
from clumpygan.instruments import GridPair
from clumpygan.networks.blocks import stretch
from clumpygan.networks.losses import (
    aperture_sums,
    energy_score,
    misfit_excess,
    relative_error,
)
from clumpygan.networks.super_resolution import Crop

FLUX_BLOCK = 0.84
"""Width in arcsec of the blocks in which fluxes are compared."""

BLOCKS = (0.42, 0.84, 1.68, 3.36)
"""Widths in arcsec of the blocks whose means are scored, as far as they fit into the crop."""

RADII = (0.18, 0.3, 0.6, 1.0, 1.5)
"""Radii in arcsec of the apertures, around the galaxy, whose fluxes are scored, and the rings
between them."""

PRECISION = 0.01
"""Relative error of a flux below which an error matters less: what a flux is scored in is its noise
and this share of it."""


class SuperResolutionModule(AdversarialModule):
    """Train a generator to sample the sharp images behind observed ones.

    Batches are dicts: `target` (B, 1, Y, X) and `observed` (B, 1, y, x) in nJy per pixel, `sigma`
    (B,) in nJy per observed pixel, `transfer` (B, Ky, Kx); where neighbours share noise, and sigma
    is that of apertures, `shared_noise` (B,), by how much less a pixel scatters. The generator's
    `observation` knows the two grids.

    The generator has `observation`, the operator, which it is handed by that name, and
    `draw_noise(batch, coarse_shape, generator)`, the random input of a sample or None;
    ``generator(observed, sigma, transfer, noises, crop)`` returns a sample (B, 1, Y, X) in nJy for
    each of the noises, of the window if there is a crop. The discriminator maps stretched images
    and stretched observed ones to scores.

    Parameters
    ----------
    generator, discriminator : nn.Module or mapping
    weights : SuperResolutionWeights or mapping, optional
    crop_blocks : int, optional
        Size, in blocks of the two grids, of the window in which the convolutions run while
        training; 0 for whole stamps, by default half of the stamp.
    training_samples : int
        Independent samples of each image, at least 2, once the game is on.
    **core
        As of `AdversarialModule`; `validation_samples` are those whose mean is the best estimate
        while validating, an even number.

    Raises
    ------
    InputError
        If a setting makes no sense.
    """

    criterion = "nrmse"
    task = "super_resolution"
    needs = ("target", "observed", "sigma", "transfer")
    generator_needs, arguments = ("observation", "draw_noise"), 5
    standard_game = AdversarialSettings(weight=0.2, r1=2.0, r2=2.0)
    standard_schedule = Schedule(8e-4, 2e-5, 4e-4, 2e-4)
    standard_core = CoreSettings(validation_samples=4, channels_last=True)
    standard_weights = SuperResolutionWeights(misfit=0.02)

    def __init__(
        self,
        generator: Network | None = None,
        discriminator: Network | None = None,
        *,
        weights: SuperResolutionWeights | Mapping[str, Any] | None = None,
        crop_blocks: int | None = None,
        training_samples: int = 2,
        **core: Any,
    ) -> None:
        super().__init__(generator, discriminator, **core)
        self.weights = settled(
            SuperResolutionWeights, weights, self.standard_weights, "model.weights"
        )
        if crop_blocks is not None and (not isinstance(crop_blocks, int) or crop_blocks < 0):
            raise InputError(
                f"`model.crop_blocks` is {crop_blocks}: expected an integer >= 0 or null"
            )
        if not isinstance(training_samples, int) or training_samples < 2:
            raise InputError(
                f"`model.training_samples` is {training_samples}: expected an integer >= 2"
            )
        if self.core.validation_samples % 2:
            raise InputError(
                f"`model.validation_samples` is {self.core.validation_samples}: expected an even "
                "number"
            )
        self.grid: GridPair = self.generator.observation.grid
        # As near to 0.84" as blocks are: 14 pixels of HST.
        self.flux_pixels = self.grid.fine_block * max(1, round(FLUX_BLOCK / self.grid.block_width))
        self.crop_blocks, self.training_samples = crop_blocks, training_samples
        self._remember(
            weights=asdict(self.weights),
            crop_blocks=crop_blocks,
            training_samples=training_samples,
        )
        self._measured: list[dict[str, Any]] = []

    @classmethod
    def told(cls, data: Any) -> dict[str, Any]:
        """Return the survey, the target, and their pixels."""
        return {"observation": data.pair.to_card()}

    def prepared(self, batch: Batch, noise: torch.Generator) -> Batch:
        """Return the batch with the `crop` of this step."""
        return {**batch, "crop": self._draw_crop(batch["observed"], noise)}

    def sample(self, batch: Batch, noise: torch.Generator) -> tuple[Tensor, ...]:
        """Return one deterministic estimate, or independent samples once the game is on."""
        observed, window = batch["observed"], batch.get("crop")
        noises: tuple[Any, ...] = (None,)
        if self.playing:
            count, shape = observed.shape[0] * self.processes, tuple(observed.shape[-2:])
            drawn = (
                self.generator.draw_noise(count, shape, noise, window)
                for _ in range(self.training_samples)
            )
            noises = tuple(one if one is None else one.mapped(self.own_rows) for one in drawn)
        samples: tuple[Tensor, ...] = self.generator(
            observed, batch["sigma"], batch["transfer"], noises, window
        )
        return samples

    def truth(self, batch: Batch) -> Tensor:
        """Return the sharp image in the crop of the batch."""
        return _cropped(batch["target"], batch, self.grid.fine_block)

    def judged(self, images: Tensor, batch: Batch) -> Tensor:
        """Return sharp images in units of the observed noise, stretched."""
        return stretch(images * (self.grid.area_ratio / batch["sigma"][:, None, None, None]))

    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the observed image in units of its noise, stretched."""
        observed = batch["observed"] / batch["sigma"][:, None, None, None]
        return (stretch(_cropped(observed, batch, self.grid.coarse_block)),)

    def fidelity(self, samples: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Return the pixel, block, aperture, flux and data-consistency losses."""
        unit = (self.grid.area_ratio / batch["sigma"])[:, None, None, None]
        truth = self.truth(batch) * unit
        images = tuple(sample * unit for sample in samples)
        stretched = tuple(stretch(image) for image in images)
        weights, floor = self.weights, 3.0
        losses = {
            "pixel": weights.pixel * energy_score(stretched, stretch(truth)).mean(),
            "relative": weights.relative * relative_error(images, truth, floor=floor).mean(),
        }
        if weights.blocks:
            losses["blocks"] = weights.blocks * self._block_score(images, truth).mean()
        if weights.apertures:
            losses["apertures"] = weights.apertures * self._aperture_score(images, truth).mean()
        if weights.flux and self.images_seen >= weights.flux_start:
            size = self.flux_pixels
            *ours, theirs = (functional.avg_pool2d(image, size) for image in (*images, truth))
            error = relative_error(ours, theirs, floor=floor / size)
            losses["flux"] = weights.flux * error.mean()
        if weights.misfit:
            losses["misfit"] = weights.misfit * self._misfit(samples, batch).mean()
        return losses

    def _block_score(self, images: tuple[Tensor, ...], truth: Tensor) -> Tensor:
        """Return the energy scores (B,) of means over blocks, summed over their widths."""
        scores = truth.new_zeros(len(truth))
        for width in BLOCKS:
            size = max(1, round(width / self.grid.target_scale))
            if size > min(truth.shape[-2:]):
                continue
            *ours, theirs = (functional.avg_pool2d(image, size) for image in (*images, truth))
            noise = self.grid.area_ratio / size**2
            scores = scores + _flux_score(ours, theirs, noise)
        return scores

    def _aperture_score(self, images: tuple[Tensor, ...], truth: Tensor) -> Tensor:
        """Return the energy scores (B,) of fluxes in apertures and rings, summed over them."""
        # The nucleus as it would be found without the truth: of the mean of the samples.
        mean = torch.stack([image.detach() for image in images]).mean(0)
        smooth = functional.avg_pool2d(mean, 5, 1, 2)
        peak = smooth.flatten(1).argmax(1)
        centres = torch.stack([peak // mean.shape[-1], peak % mean.shape[-1]], 1)
        radii = [radius / self.grid.target_scale for radius in RADII]
        # Per coarse pixel of noise 1, as the noise of a sum over so many of them is counted.
        *ours, theirs = (
            aperture_sums(image, centres, radii) / self.grid.area_ratio
            for image in (*images, truth)
        )
        noise = math.pi * truth.new_tensor(radii).square() / self.grid.area_ratio
        scores = len(RADII) * _flux_score(ours, theirs, noise)
        *ours, theirs = (fluxes.diff(dim=1) for fluxes in (*ours, theirs))
        return scores + (len(RADII) - 1) * _flux_score(ours, theirs, noise.diff())

    def _misfit(self, samples: tuple[Tensor, ...], batch: Batch) -> Tensor:
        image = torch.stack(samples).mean(0)
        crop: Crop | None = batch.get("crop")
        # Outside the crop the truth stands in: what is judged there isn't the network's.
        whole = image if crop is None else crop.paste(image, batch["target"], self.grid.fine_block)
        residual = _cropped(self._residual(whole, batch), batch, self.grid.coarse_block)
        return misfit_excess(residual, tolerance=0.05)

    def _residual(self, image: Tensor, batch: Batch) -> Tensor:
        """Return A x - y of whole sharp images over the noise of a pixel, (B, 1, y, x).

        That is sigma, or less where neighbours share noise and sigma is that of apertures.
        """
        again = self.generator.observation(image, batch["transfer"])
        sigma = batch["sigma"]
        if "shared_noise" in batch:
            sigma = sigma / batch["shared_noise"]
        residual: Tensor = (again - batch["observed"]) / sigma[:, None, None, None]
        return residual

    def _draw_crop(self, observed: Tensor, noise: torch.Generator) -> Crop | None:
        """Draw a window around the centre of the stamp or, half of the time, one that touches it.

        So the faint outskirts and the empty sky are trained as well.
        """
        stamp = [side // self.grid.coarse_block for side in observed.shape[-2:]]
        size = min(stamp) // 2 if self.crop_blocks is None else self.crop_blocks
        if not size:
            return None
        spare = [side - size for side in stamp]
        if min(spare) <= 0:
            return None
        far, *shifts = torch.randint(-1, 2, (3,), generator=noise, device=noise.device).tolist()
        shifts = [shift * (size // 2 if far > 0 else 1) for shift in shifts]
        top, left = (
            min(max(free // 2 + shift, 0), free) for free, shift in zip(spare, shifts, strict=True)
        )
        return Crop(top, left, size, size)

    @torch.no_grad()
    def one_sample(self, batch: Batch, noise: torch.Generator) -> Tensor:
        """Return one sample (B, 1, Y, X) of the averaged generator."""
        observed = batch["observed"]
        arguments = (observed, batch["sigma"], batch["transfer"])
        drawn = self.average.draw_noise(len(observed), tuple(observed.shape[-2:]), noise)
        sample: Tensor = self.average(*arguments, (drawn if self.playing else None,))[0]
        return sample

    @torch.no_grad()
    def best_estimate(self, batch: Batch, samples: int, noise: torch.Generator) -> Tensor:
        """Return the mean of antithetic samples (B, 1, Y, X) of the averaged generator."""
        observed = batch["observed"]
        arguments = (observed, batch["sigma"], batch["transfer"])
        noises: list[Any] = []
        if not self.playing:
            noises, samples = [None], 0
        for _ in range(samples // 2):
            drawn = self.average.draw_noise(len(observed), tuple(observed.shape[-2:]), noise)
            noises += [drawn, drawn.opposite() if drawn is not None else None]
        return torch.stack(self.average(*arguments, tuple(noises))).mean(0)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Measure the averaged generator's best estimate on whole stamps."""
        noise = torch.Generator(self.device).manual_seed(batch_index)
        best = self.best_estimate(batch, self.core.validation_samples, noise)
        self.check_images(best, batch["target"])
        arrays = (
            images[:, 0].double().cpu().numpy()
            for images in (best, batch["target"], self._residual(best, batch))
        )
        scales = self.grid.target_scale, self.grid.observed_scale
        for image, truth, residual, sigma in zip(*arrays, batch["sigma"].tolist(), strict=True):
            found = Recovered(
                image,
                sigma * scales[0] / scales[1],
                truth,
                residual=central(residual, chi_squared_size(scales[1])),
                pixel_scale=scales[0],
            )
            self._measured.append(measure_followed(found))

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the best estimates (B, 1, Y, X) of a batch, in nJy."""
        noise = torch.Generator(self.device).manual_seed(batch_index)
        return self.best_estimate(batch, self.core.validation_samples, noise)

    def on_validation_epoch_end(self) -> None:
        """Log the held-out metrics, as the table of methods has them, and add them to the curve."""
        if self.trainer.sanity_checking or not self._measured:
            self._measured.clear()
            return
        metrics = reduce_followed(self._measured)
        self._measured.clear()
        self.record(metrics)


def _flux_score(samples: Sequence[Tensor], truth: Tensor, noise: float | Tensor) -> Tensor:
    """Return the energy scores (B,) of fluxes, in units of their noise (a variance) and precision.

    The unit depends on the samples, not on the truth: or the score would no longer be proper.
    """
    with torch.no_grad():
        mean = torch.stack(list(samples)).mean(0)
        unit = (noise + (PRECISION * mean).square()).sqrt()
    return energy_score([sample / unit for sample in samples], truth / unit)


def _cropped(image: Tensor, batch: Batch, pixels_per_block: int) -> Tensor:
    """Return the part of an image that is in the crop of the batch, if it has one."""
    crop: Crop | None = batch.get("crop")
    return image if crop is None else crop.of(image, pixels_per_block)
