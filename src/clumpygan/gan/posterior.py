"""Training of the network that draws from posteriors: maximum likelihood on simulated cubes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from clumpygan.evaluation.calibration import coverage, ranks
from clumpygan.gan.training import Batch, TrainingModule

_DRAWS = 100
"""From the posterior of each held-out cube."""

_SHARE = 0.68


class PosteriorModule(TrainingModule):
    """Train a `networks.posterior.PosteriorNetwork`.

    Batches are dicts: `cube` (B, v, y, x) in units of its noise, `coordinates` (B, n), standard
    normal a priori, and `conditions` (B, c). Held-out metrics: `loss`, the mean of minus the log
    density of the true coordinates; `information`, how much better that is than the prior's, in
    nats; `coverage`, how often central intervals of 68 % hold the truth, over all parameters, and
    `rank_distance`, the largest Kolmogorov-Smirnov distance of the ranks of any parameter from the
    uniform distribution.
    """

    criterion = "loss"

    def __init__(self, *arguments: Any, **core: Any) -> None:
        super().__init__(*arguments, **core)
        self._held_out: list[tuple[np.ndarray, np.ndarray]] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.generator.parameters(), lr=self.schedule.peak)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Take one step towards a higher density of the true coordinates."""
        optimiser = self.optimizers()
        rate = self.schedule.generator(self.images_seen, 0, self.total_images)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = -self._log_density(self.generator, batch).mean()
        logs: dict[str, Tensor | float] = {"loss": loss.detach(), "learning_rate": rate}
        logs["gradient_norm"] = self._step(loss, optimiser, self.generator)
        self.finish_step(len(batch["cube"]), logs, batch_index)

    @torch.no_grad()
    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Look up the density of the true coordinates, and their ranks among draws."""
        density = self._log_density(self.average, batch)
        normal = torch.distributions.Normal(0.0, 1.0)
        prior = normal.log_prob(batch["coordinates"]).sum(1)
        noise = torch.Generator(self.device).manual_seed(batch_index)
        draws, _ = self.average.draw(batch["cube"], batch["conditions"], _DRAWS, noise)
        generator = np.random.default_rng(batch_index)
        truth = batch["coordinates"].double().cpu().numpy()
        ranked = [
            ranks(one, true, generator=generator)
            for one, true in zip(draws.double().cpu().numpy(), truth, strict=True)
        ]
        densities = torch.stack([density, prior], dim=1).double().cpu().numpy()
        self._held_out.append((densities, np.array(ranked)))

    def on_validation_epoch_end(self) -> None:
        """Sum up what the held-out cubes say."""
        if not self.trainer.sanity_checking and self._held_out:
            densities, ranked = (np.concatenate(part) for part in zip(*self._held_out, strict=True))
            ordered = np.sort(ranked, axis=0)
            steps = np.arange(len(ordered) + 1)[:, None] / len(ordered)
            distance = np.maximum(steps[1:] - ordered, ordered - steps[:-1]).max()
            self.record(
                {
                    "loss": float(-densities[:, 0].mean()),
                    "information": float((densities[:, 0] - densities[:, 1]).mean()),
                    "coverage": float(coverage(ranked, (_SHARE,))[0].mean()),
                    "rank_distance": float(distance),
                }
            )
        self._held_out.clear()

    @staticmethod
    def _log_density(network: Any, batch: Batch) -> Tensor:
        density: Tensor = network.log_density(
            batch["coordinates"], batch["cube"], batch["conditions"]
        )
        return density
