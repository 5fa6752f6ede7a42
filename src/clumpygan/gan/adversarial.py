"""The one adversarial training core of the family.

It knows a generator, a discriminator and tensors; what is conditional, three-dimensional or
astronomical is supplied by the subclasses. What it shares with other trainings is in
`clumpygan.gan.training`.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clumpygan.gan.game import Game, Schedule
from clumpygan.gan.training import EXPLODED, LOG_EVERY, PATIENCE, Batch, TrainingModule
from clumpygan.networks.losses import adversarial_loss, zero_centred_penalty

__all__ = [
    "EXPLODED",
    "LOG_EVERY",
    "PATIENCE",
    "AdversarialModule",
    "Batch",
    "Game",
    "Schedule",
    "frozen",
]


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Keep gradients from reaching the parameters of a module inside the block."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


class AdversarialModule(TrainingModule):
    """Train a generator against a discriminator, beside fidelity losses of the subclass.

    Parameters
    ----------
    generator, discriminator : nn.Module
    network : mapping
        `name` and `arguments` from which `gan.checkpoint.build_network` builds the generator.
    total_images : int
        Length of the whole training; the schedules depend on it.
    seed : int
        Random inputs depend on (seed, images seen) alone, so that resuming is exact.
    game : Game
    schedule : Schedule
    ema_half_life : int
        Images after which an old state counts half in the averaged generator.
    gradient_clip : float
        Largest norm of the generator's gradient.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        network: Mapping[str, Any],
        total_images: int,
        seed: int,
        game: Game,
        schedule: Schedule,
        ema_half_life: int = 5000,
        gradient_clip: float = 1.0,
    ) -> None:
        super().__init__(
            generator,
            network=network,
            total_images=total_images,
            seed=seed,
            schedule=schedule,
            ema_half_life=ema_half_life,
            gradient_clip=gradient_clip,
        )
        self.discriminator = discriminator
        self.game = game
        self.adversarial = adversarial_loss(game.loss)

    @property
    def playing(self) -> bool:
        """Whether the discriminator takes part by now."""
        return self.images_seen >= self.game.start

    @abstractmethod
    def sample(self, batch: Batch, noise: torch.Generator) -> tuple[Tensor, ...]:
        """Return generated images of the batch, one tensor for each independent sample."""

    @abstractmethod
    def truth(self, batch: Batch) -> Tensor:
        """Return the real images that the generated ones are compared with."""

    @abstractmethod
    def judged(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the images as the discriminator sees them."""

    @abstractmethod
    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return what the discriminator is told beside the images."""

    @abstractmethod
    def fidelity(self, samples: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Return the weighted non-adversarial losses of the generator, by name."""

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return Adam for both; R3GAN's second-moment decay suits small batches too."""
        betas = (self.game.momentum, 0.99)
        return [
            torch.optim.Adam(self.generator.parameters(), lr=self.schedule.peak, betas=betas),
            torch.optim.Adam(
                self.discriminator.parameters(), lr=self.schedule.discriminator, betas=(0.0, 0.99)
            ),
        ]

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Take one step of the discriminator, if it plays, and one of the generator."""
        generator_optimiser, discriminator_optimiser = self.optimizers()
        samples = self.sample(batch, self.random_input())
        logs: dict[str, Tensor | float] = {}
        if self.playing:
            logs |= self._discriminator_step(samples[0].detach(), batch, discriminator_optimiser)
        logs |= self._generator_step(samples, batch, generator_optimiser)
        self.finish_step(len(samples[0]), logs, batch_index)

    def _discriminator_step(
        self, fake: Tensor, batch: Batch, optimiser: Any
    ) -> dict[str, Tensor | float]:
        interval = self.game.penalty_interval
        step = self.images_seen // (len(fake) * self.processes)
        due = interval if step % interval == 0 else 0
        r1, r2 = due * self.game.r1, due * self.game.r2
        real = self.judged(self.truth(batch), batch).detach().requires_grad_(r1 > 0)
        fake = self.judged(fake, batch).detach().requires_grad_(r2 > 0)
        conditions = self.conditions(batch)
        real_scores = self.discriminator(real, *conditions)
        fake_scores = self.discriminator(fake, *conditions)
        loss = self.adversarial.discriminator(real_scores, fake_scores).mean()
        logs: dict[str, Tensor | float] = {"discriminator": loss.detach()}
        for name, weight, scores, images in (
            ("r1", r1, real_scores, real),
            ("r2", r2, fake_scores, fake),
        ):
            if weight > 0:
                penalty = zero_centred_penalty(scores, images).mean()
                loss = loss + weight * penalty
                logs[name] = penalty.detach()
        logs["score_gap"] = (real_scores.mean() - fake_scores.mean()).detach()
        self._step(loss, optimiser, self.discriminator)
        return logs

    def _generator_step(
        self, samples: tuple[Tensor, ...], batch: Batch, optimiser: Any
    ) -> dict[str, Tensor | float]:
        losses = self.fidelity(samples, batch)
        logs: dict[str, Tensor | float] = {k: v.detach() for k, v in losses.items()}
        total = torch.stack(list(losses.values())).sum() if losses else samples[0].new_zeros(())
        if self.playing:
            with frozen(self.discriminator):
                conditions = self.conditions(batch)
                fake = self.discriminator(self.judged(samples[0], batch), *conditions)
                real = fake
                if self.adversarial.relative:
                    truth = self.judged(self.truth(batch), batch)
                    real = self.discriminator(truth, *conditions)
            loss = self.adversarial.generator(real, fake).mean()
            logs["adversarial"] = loss.detach()
            total = total + self._adversarial_weight() * loss
        rate = self.schedule.generator(self.images_seen, self.game.start, self.total_images)
        for group in optimiser.param_groups:
            group["lr"] = rate
        logs["gradient_norm"] = self._step(total, optimiser, self.generator)
        logs["learning_rate"] = rate
        return logs

    def _adversarial_weight(self) -> float:
        since = self.images_seen - self.game.start
        return self.game.weight * min(1.0, (since + 1) / max(self.game.ramp, 1))

    def _too_high(self) -> str:
        return "model.schedule.peak, model.schedule.discriminator or model.game.weight"
