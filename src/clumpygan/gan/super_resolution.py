"""Training of the super-resolution networks: what is special to recovering a known scene."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK, PIXEL_AREA_RATIO
from clumpygan.evaluation.fidelity import (
    half_light_radius_error,
    magnitude_difference,
    nrmse,
    nucleus_of,
    psnr,
)
from clumpygan.gan.adversarial import AdversarialModule, Batch
from clumpygan.networks.blocks import stretch
from clumpygan.networks.losses import energy_score, misfit_excess, relative_error
from clumpygan.networks.super_resolution import Crop


@dataclass(frozen=True)
class Weights:
    """Weights of the fidelity losses.

    Attributes
    ----------
    pixel : float
        Energy score in stretched pixels (the absolute error while there is one sample).
    relative : float
        Relative root-mean-square error of the mean image, in flux.
    misfit : float
        |log chi^2| of the recovered image, observed again, against the data.
    flux : float
        Relative error of the mean image in blocks of 14 x 14 HST pixels. Absolute errors of
        pixels favour medians, which are too faint where the noise is skewed by the stretch;
        this term keeps the flux.
    flux_start : int
        Images after which the flux term joins, when the shapes are learnt.
    """

    pixel: float = 1.0
    relative: float = 0.5
    misfit: float = 0.05
    flux: float = 0.5
    flux_start: int = 0


class SuperResolutionModule(AdversarialModule):
    """Train a generator to sample the HST images behind HSC images.

    Batches are dicts: `hst` (B, 1, Y, X) and `observed` (B, 1, y, x) in nJy per pixel, `sigma`
    (B,) in nJy per HSC pixel, `transfer` (B, Ky, Kx).

    Parameters
    ----------
    weights : Weights
    crop_blocks : int
        Size, in blocks of 5 HSC or 14 HST pixels, of the window in which the convolutions run
        while training; 0 for whole stamps.
    validation_samples : int
        Samples whose mean is the best estimate while validating; even.
    """

    criterion = "nrmse"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        weights: Weights,
        crop_blocks: int = 4,
        validation_samples: int = 4,
        **core: Any,
    ) -> None:
        super().__init__(generator, discriminator, **core)
        self.weights = weights
        self.crop_blocks = crop_blocks
        self.validation_samples = validation_samples
        self._measured: list[dict[str, float]] = []
        self._crop: Crop | None = None

    def sample(self, batch: Batch, noise: torch.Generator) -> tuple[Tensor, ...]:
        """Return one deterministic estimate, or two independent samples once the game is on."""
        observed = batch["observed"]
        self._crop = self._draw_crop(observed, noise)
        noises: tuple[Any, ...] = (None,)
        if self.playing:
            window = self._crop
            shape = (
                (window.height * COARSE_BLOCK, window.width * COARSE_BLOCK)
                if window
                else tuple(observed.shape[-2:])
            )
            count = observed.shape[0] * self.processes
            drawn = (self.generator.draw_noise(count, shape, noise) for _ in range(2))
            noises = tuple(one if one is None else one.rows(self.own_rows) for one in drawn)
        return self.generator(observed, batch["sigma"], batch["transfer"], noises, self._crop)

    def truth(self, batch: Batch) -> Tensor:
        """Return the HST image in the present crop."""
        return self._crop.of(batch["hst"], FINE_BLOCK) if self._crop else batch["hst"]

    def judged(self, images: Tensor, batch: Batch) -> Tensor:
        """Return HST images in units of the HSC noise, stretched."""
        return stretch(images * (PIXEL_AREA_RATIO / batch["sigma"][:, None, None, None]))

    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the observed image in units of its noise, stretched."""
        observed = batch["observed"] / batch["sigma"][:, None, None, None]
        return (stretch(self._crop.of(observed, COARSE_BLOCK) if self._crop else observed),)

    def fidelity(self, samples: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Return the pixel, flux and data-consistency losses."""
        truth = self.truth(batch)
        unit = (PIXEL_AREA_RATIO / batch["sigma"])[:, None, None, None]
        pair = (samples[0], samples[-1])
        stretched = (stretch(pair[0] * unit), stretch(pair[1] * unit))
        losses = {
            "pixel": self.weights.pixel * energy_score(stretched, stretch(truth * unit)).mean(),
            "relative": self.weights.relative
            * relative_error((pair[0] * unit, pair[1] * unit), truth * unit, floor=3.0).mean(),
        }
        if self.weights.flux and self.images_seen >= self.weights.flux_start:
            blocks = [functional.avg_pool2d(image * unit, FINE_BLOCK) for image in (*pair, truth)]
            error = relative_error((blocks[0], blocks[1]), blocks[2], floor=3.0 / FINE_BLOCK)
            losses["flux"] = self.weights.flux * error.mean()
        if self.weights.misfit:
            mean = (pair[0] + pair[1]) / 2
            losses["misfit"] = self.weights.misfit * self._misfit(mean, batch).mean()
        return losses

    def _misfit(self, image: Tensor, batch: Batch) -> Tensor:
        whole = image
        if self._crop is not None:
            # Outside the crop the truth stands in: what is judged there isn't the network's.
            whole = self._crop.paste(image, batch["hst"], FINE_BLOCK)
        residual = self._residual(whole, batch)
        if self._crop is not None:
            residual = self._crop.of(residual, COARSE_BLOCK)
        return misfit_excess(residual, tolerance=0.05)

    def _residual(self, image: Tensor, batch: Batch) -> Tensor:
        """Return (A x - y) / sigma of whole HST images, (B, 1, y, x)."""
        again = self.generator.observation(image, batch["transfer"])
        return (again - batch["observed"]) / batch["sigma"][:, None, None, None]

    def _draw_crop(self, observed: Tensor, noise: torch.Generator) -> Crop | None:
        """Draw a window that holds the centre of the stamp."""
        if not self.crop_blocks:
            return None
        spare = [side // COARSE_BLOCK - self.crop_blocks for side in observed.shape[-2:]]
        if min(spare) <= 0:
            return None
        shifts = torch.randint(-1, 2, (2,), generator=noise, device=noise.device).tolist()
        top, left = (
            min(max(free // 2 + shift, 0), free) for free, shift in zip(spare, shifts, strict=True)
        )
        return Crop(top, left, self.crop_blocks, self.crop_blocks)

    @torch.no_grad()
    def one_sample(self, batch: Batch, noise: torch.Generator) -> Tensor:
        """Return one sample (B, 1, Y, X) of the averaged generator."""
        observed = batch["observed"]
        arguments = (observed, batch["sigma"], batch["transfer"])
        drawn = self.average.draw_noise(len(observed), tuple(observed.shape[-2:]), noise)
        return self.average(*arguments, (drawn if self.playing else None,))[0]

    @torch.no_grad()
    def best_estimate(self, batch: Batch, samples: int, noise: torch.Generator) -> Tensor:
        """Return the mean of antithetic samples (B, 1, Y, X) of the averaged generator."""
        observed = batch["observed"]
        arguments = (observed, batch["sigma"], batch["transfer"])
        if not self.playing:
            return self.average(*arguments)[0]
        noises: list[Any] = []
        for _ in range(samples // 2):
            drawn = self.average.draw_noise(len(observed), tuple(observed.shape[-2:]), noise)
            noises += [drawn, drawn.opposite() if drawn is not None else None]
        return torch.stack(self.average(*arguments, tuple(noises))).mean(0)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Measure the averaged generator's best estimate on whole stamps."""
        noise = torch.Generator(self.device).manual_seed(batch_index)
        best = self.best_estimate(batch, self.validation_samples, noise)
        misfit = self._residual(best, batch).square().flatten(1).mean(1)
        images = zip(best[:, 0].double().cpu(), batch["hst"][:, 0].double().cpu(), strict=True)
        for (recovered, truth), chi2 in zip(images, misfit.tolist(), strict=True):
            self._measured.append(_summary(recovered.numpy(), truth.numpy()) | {"chi2": chi2})

    def on_validation_epoch_end(self) -> None:
        """Log medians of the held-out metrics and add them to the curve."""
        if self.trainer.sanity_checking or not self._measured:
            self._measured.clear()
            return
        metrics = {
            name: float(np.nanmedian([row[name] for row in self._measured]))
            for name in self._measured[0]
        }
        self._measured.clear()
        self.record(metrics)


def _summary(recovered: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the metrics that are followed while training (median over galaxies is logged)."""
    centre = nucleus_of(truth)
    shift = magnitude_difference(recovered, truth, centre)
    return {
        "psnr": psnr(recovered, truth),
        "nrmse": nrmse(recovered, truth),
        "dm": shift,
        "abs_dm": abs(shift),
        "half_light_radius_error": half_light_radius_error(recovered, truth, centre),
    }
