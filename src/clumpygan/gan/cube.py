"""Training of the generators of velocity cubes: what is special to cubes of given galaxies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clumpygan.evaluation.frechet import frechet_distance
from clumpygan.evaluation.map_statistics import map_statistics
from clumpygan.evaluation.two_sample import largest_departures
from clumpygan.gan.adversarial import AdversarialModule, Batch
from clumpygan.networks.blocks import stretch
from clumpygan.networks.expected_moments import aligned_moments
from clumpygan.networks.losses import energy_score


@dataclass(frozen=True)
class CubeWeights:
    """Weights of the losses beside the adversarial one.

    Attributes
    ----------
    energy : float
        Of the energy score of two samples against the true galaxy of the same parameters, voxel by
        voxel: a proper score, least for the true distribution of each voxel.
    """

    energy: float = 0.0


class CubeGanModule(AdversarialModule):
    """Train a generator of noiseless cubes against noisy ones of the same parameters.

    Batches are dicts, as `data.galaxy_cubes.GalaxyCubeDataset` describes them: `cube`, `smooth`,
    `parameters`, `noise` and `second_noise`. The discriminator sees generated cubes with noise
    added (AmbientGAN, Bora et al. 2018), and is told the smooth disk of the parameters.

    Parameters
    ----------
    weights : CubeWeights
    pixel_scale : float
        Arcsec.
    validation_samples : int
        Largest number of held-out galaxies that are generated.

    Raises
    ------
    ValueError
        If the discriminator joins late and there is no loss before.
    """

    criterion = "frechet"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        weights: CubeWeights,
        pixel_scale: float,
        validation_samples: int,
        **core: Any,
    ) -> None:
        super().__init__(generator, discriminator, **core)
        if self.game.start and not weights.energy:
            raise ValueError("game.start: there is no other loss without weights.energy; use 0")
        self.weights = weights
        self.pixel_scale = pixel_scale
        self.validation_samples = validation_samples
        self._real: list[np.ndarray] = []
        self._generated: list[np.ndarray] = []

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
        return cube

    def truth(self, batch: Batch) -> Tensor:
        """Return the real cubes, with noise."""
        return batch["cube"] + batch["noise"]

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
        return cubes

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Generate as many cubes as there are held-out ones, with their parameters."""
        if len(batch["cube"]) * batch_index >= self.validation_samples:
            return
        noise = torch.Generator(self.device).manual_seed(batch_index)
        fake = self.generated(batch, noise) + batch["second_noise"]
        for kept, cube in ((self._real, self.truth(batch)), (self._generated, fake)):
            kept.append(map_statistics(self._maps(cube, batch).cpu().numpy()))

    def _maps(self, cube: Tensor, batch: Batch) -> Tensor:
        """Return moment maps (B, 4, y, x): light, shift, broadening, light of the smooth disk."""
        column = self.discriminator.encoder.column
        return aligned_moments(
            cube,
            batch["smooth"],
            column("position_angle", batch["parameters"]),
            column("offset_x", batch["parameters"]) / self.pixel_scale,
            column("offset_y", batch["parameters"]) / self.pixel_scale,
        )

    def on_validation_epoch_end(self) -> None:
        """Compare the statistics of generated and held-out cubes."""
        if not self.trainer.sanity_checking and self._real:
            real, fake = np.concatenate(self._real), np.concatenate(self._generated)
            self.record({"frechet": frechet_distance(fake, real), **largest_departures(fake, real)})
        self._real.clear()
        self._generated.clear()
