"""Training of the generators of velocity cubes: what is special to cubes of given galaxies."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.map_statistics import map_statistics
from clumpygan.evaluation.realism.frechet import frechet_distance
from clumpygan.evaluation.realism.two_sample import largest_departures
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, condition_rows
from clumpygan.gan.adversarial import AdversarialModule
from clumpygan.gan.cube_rendering import ConditionRenderer
from clumpygan.gan.gan_settings import AdversarialSettings, CoreSettings, CubeWeights, Schedule
from clumpygan.gan.training import Batch, Network, settled
from clumpygan.networks.blocks import stretch
from clumpygan.networks.expected_moments import aligned_moments
from clumpygan.networks.losses import energy_score


class CubeGanModule(AdversarialModule):
    """Train a generator of noiseless cubes against noisy ones of the same parameters.

    Batches are dicts, as `data.galaxy_cubes.GalaxyCubeDataset` describes them: `cube`, `smooth`,
    `parameters`, `noise` and `second_noise`. The discriminator sees generated cubes with noise
    added (AmbientGAN, Bora et al. 2018), and is told the smooth disk of the parameters.

    The generator has `latent_dim`, and `draw_noise(count, generator)`, which returns a tuple of
    tensors (count, ...), or (); ``generator(z, parameters, noise)`` maps z (B, latent_dim),
    standard normal, the conditions (B, K) in physical units, and that noise to noiseless cubes
    (B, 1, v, y, x) in units of the noise. If it has a `renderer` that is None, that is set to the
    `ConditionRenderer` of the data. The discriminator maps cubes, smooth disks and parameters to
    scores.

    Parameters
    ----------
    generator, discriminator : nn.Module or mapping
    weights : CubeWeights or mapping, optional
    condition_names : sequence of str
        Of the columns of the parameters.
    pixel_scale : float
        Arcsec.
    **core
        As of `AdversarialModule`.

    Raises
    ------
    InputError
        If the discriminator joins late and there is no loss before.
    """

    criterion = "frechet"
    task = "cube_gan"
    needs = ("cube", "smooth", "parameters", "noise", "second_noise")
    generator_needs, arguments = ("latent_dim", "draw_noise"), 3
    standard_game = AdversarialSettings(r1=3.0, r2=3.0, momentum=0.0, penalty_interval=4)
    standard_schedule = Schedule(2e-4, 2e-5, 3e-4, 4e-4, 1000)
    standard_core = CoreSettings(
        ema_half_life=4000, gradient_clip=10.0, validation_samples=512, channels_last=True
    )

    def __init__(
        self,
        generator: Network | None = None,
        discriminator: Network | None = None,
        *,
        weights: CubeWeights | Mapping[str, Any] | None = None,
        condition_names: Sequence[str] = tuple(CUBE_CONDITIONS),
        pixel_scale: float = 0.2,
        **core: Any,
    ) -> None:
        super().__init__(generator, discriminator, **core)
        self.weights = settled(CubeWeights, weights, CubeWeights(), "model.weights")
        self.condition_names, self.pixel_scale = tuple(condition_names), pixel_scale
        self._remember(
            weights=asdict(self.weights), condition_names=condition_names, pixel_scale=pixel_scale
        )
        if self.game.start and not self.weights.energy:
            raise InputError(
                f"`model.game.start` is {self.game.start}: there is no other loss without "
                "`model.weights.energy`; use 0"
            )
        self._real: list[np.ndarray] = []
        self._generated: list[np.ndarray] = []

    @classmethod
    def told(cls, data: Any) -> dict[str, Any]:
        """Return the conditions, and the shape and the pixels of the cubes."""
        return {
            "conditions": condition_rows(data.condition_names),
            "shape": list(data.shape),
            "pixel_scale": data.frame.grid.pixel_scale,
        }

    @classmethod
    def seen(cls, data: Any) -> dict[str, Any]:
        """Return what its parameters and pixels are."""
        scale = data.frame.grid.pixel_scale
        return {"condition_names": data.condition_names, "pixel_scale": scale}

    @classmethod
    def for_data(cls, data: Any, **settings: Any) -> Self:
        """Build it for the data; a generator with a renderer gets it."""
        module = super().for_data(data, **settings)
        module.render_like(data)
        return module

    def setup(self, stage: str) -> None:
        """Give a generator with a renderer that of the data."""
        if self.trainer.datamodule is not None:
            self.render_like(self.trainer.datamodule)

    def render_like(self, data: Any) -> None:
        """Render what is painted with the conditions and the frame of a data module."""
        for network in (self.generator, self.average):
            if getattr(network, "renderer", self) is None:
                network.renderer = ConditionRenderer(data.condition_names, data.frame)

    def sample(self, batch: Batch, noise: torch.Generator) -> tuple[Tensor, ...]:
        """Return one generated cube, with noise, for each of the batch; two for the energy score.

        The noise of the second is that of another galaxy of the batch.
        """
        first = self._sample(batch, noise) + batch["second_noise"]
        if not self.weights.energy:
            return (first,)
        return first, self._sample(batch, noise) + batch["second_noise"].roll(1, 0)

    def _sample(self, batch: Batch, noise: torch.Generator) -> Tensor:
        count = len(batch["cube"]) * self.processes
        z = torch.randn((count, self.generator.latent_dim), generator=noise, device=noise.device)
        inner = tuple(self.own_rows(one) for one in self.generator.draw_noise(count, noise))
        cube: Tensor = self.generator(self.own_rows(z), batch["parameters"], inner)
        self.check_images(cube, batch["cube"])
        return cube

    def truth(self, batch: Batch) -> Tensor:
        """Return the real cubes, with noise."""
        real: Tensor = batch["cube"] + batch["noise"]
        return real

    def judged(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the cubes in units of their noise, as they are."""
        return images

    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the smooth disks and the parameters."""
        return batch["smooth"], batch["parameters"]

    def fidelity(self, samples: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Return the energy score, if it has a weight."""
        if not self.weights.energy:
            return {}
        first, second = (stretch(one) for one in samples)
        score = energy_score((first, second), stretch(self.truth(batch))).mean()
        return {"energy": self.weights.energy * score}

    @torch.no_grad()
    def generated(self, batch: Batch, noise: torch.Generator) -> Tensor:
        """Return noiseless cubes (B, 1, v, y, x) of the averaged generator, for a batch."""
        count = len(batch["cube"])
        z = torch.randn((count, self.average.latent_dim), generator=noise, device=noise.device)
        cubes: Tensor = self.average(z, batch["parameters"], self.average.draw_noise(count, noise))
        self.check_images(cubes, batch["cube"])
        return cubes

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Generate as many cubes as there are held-out ones, with their parameters."""
        if len(batch["cube"]) * batch_index >= self.core.validation_samples:
            return
        noise = torch.Generator(self.device).manual_seed(batch_index)
        fake = self.generated(batch, noise) + batch["second_noise"]
        for kept, cube in ((self._real, self.truth(batch)), (self._generated, fake)):
            kept.append(map_statistics(self._maps(cube, batch).cpu().numpy()))

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return noiseless cubes (B, 1, v, y, x) for the parameters of a batch."""
        return self.generated(batch, torch.Generator(self.device).manual_seed(batch_index))

    def _maps(self, cube: Tensor, batch: Batch) -> Tensor:
        """Return moment maps (B, 4, y, x): light, shift, broadening, light of the smooth disk."""
        angle, *offsets = (
            batch["parameters"][:, self.condition_names.index(name)]
            for name in ("position_angle", "offset_x", "offset_y")
        )
        x, y = (offset / self.pixel_scale for offset in offsets)
        return aligned_moments(cube, batch["smooth"], angle, x, y)

    def on_validation_epoch_end(self) -> None:
        """Compare the statistics of generated and held-out cubes."""
        if not self.trainer.sanity_checking and self._real:
            real, fake = np.concatenate(self._real), np.concatenate(self._generated)
            self.record({"frechet": frechet_distance(fake, real), **largest_departures(fake, real)})
        self._real.clear()
        self._generated.clear()
