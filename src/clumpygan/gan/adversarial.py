"""The one adversarial training core of the family.

It knows a generator, a discriminator and tensors; what is conditional, three-dimensional or
astronomical is supplied by the subclasses. Progress, schedules and logs count images seen, never
Lightning's `global_step`, which counts both optimisers (edm2 counts images too: Karras et al.
2024).
"""

import copy
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.gan.game import Game, Schedule
from clumpygan.networks.losses import adversarial_loss, zero_centred_penalty

Batch = dict[str, Tensor]

PATIENCE = 50
"""Steps in a row that may be skipped before the training gives up."""

EXPLODED = 1e8
"""Norm of a gradient from which on the step is skipped, as if it were infinite."""

LOG_EVERY = 20
"""Steps over which the losses are averaged in logs."""


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Keep gradients from reaching the parameters of a module inside the block."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


class AdversarialModule(pl.LightningModule):
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

    criterion = "loss"
    """Name of the held-out metric, lower is better, by which trainings are compared."""

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
        super().__init__()
        self.network = network
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.game = game
        self.adversarial = adversarial_loss(game.loss)
        self.schedule = schedule
        self.total_images = total_images
        self.seed = seed
        self.ema_half_life = ema_half_life
        self.gradient_clip = gradient_clip
        self.curve: list[dict[str, float]] = []
        # Counted for each network: the steps of one say nothing about the other.
        self._skipped: Counter[nn.Module] = Counter()
        # Plain numbers: reading a tensor would make the CPU wait for a GPU at every step.
        self.images_seen = 0
        self.seconds = 0.0
        self.losses: dict[str, float] = {}
        self._pending: dict[str, list[Tensor | float]] = {}

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

    def random_input(self) -> torch.Generator:
        """Return the generator of this step's random numbers, on the module's device.

        It is the same in all processes: what is drawn for the batches of all of them is shared
        out by `own_rows`, so that N processes do just what one with N times the batch does.
        """
        state = hash((self.seed, self.images_seen)) % 2**63
        return torch.Generator(self.device).manual_seed(state)

    @property
    def processes(self) -> int:
        """Number of processes that train together."""
        return self.trainer.world_size if self._trainer is not None else 1

    def own_rows(self, drawn: Tensor) -> Tensor:
        """Return this process's rows of what was drawn for the batches of all processes.

        `clumpygan.data.splits.StreamSampler` deals its images out in the same way.
        """
        return drawn[self.global_rank :: self.processes] if self.processes > 1 else drawn

    def record(self, metrics: dict[str, float]) -> None:
        """Log held-out metrics as val/NAME and add them to the curve."""
        logs = {f"val/{name}": value for name, value in metrics.items()}
        # Lightning takes "step" as the place on the axis of its loggers.
        self.log_dict({**logs, "step": float(self.images_seen)}, sync_dist=True)
        self.curve.append({"images": self.images_seen, **metrics})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the counts and the curve with the state."""
        checkpoint |= {name: getattr(self, name) for name in ("curve", "images_seen", "seconds")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue counts and curve where the state was saved."""
        self.curve = list(checkpoint["curve"])
        for name, kind in (("images_seen", int), ("seconds", float)):
            # Older states hold them among the weights.
            kept = checkpoint["state_dict"].pop(name, None)
            setattr(self, name, kind(checkpoint[name] if kept is None else kept))

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
        logs["skipped"] = float(self._skipped.total())
        count = len(samples[0]) * self.processes
        self.images_seen += count
        self._update_average(count)
        for name, value in logs.items():
            self._pending.setdefault(name, []).append(value)
        if (batch_index + 1) % LOG_EVERY == 0:
            self._log_losses()

    def on_train_epoch_end(self) -> None:
        """Log what is left of an epoch that isn't a multiple of `LOG_EVERY` steps."""
        self._log_losses()

    def _log_losses(self) -> None:
        """Log the means of the losses since the last time."""
        self.losses = {
            name: float(torch.stack([torch.as_tensor(value).float() for value in values]).mean())
            for name, values in self._pending.items()
        }
        self._pending.clear()
        if self.losses:
            named = {f"train/{name}": value for name, value in self.losses.items()}
            for logger in self.loggers:
                logger.log_metrics(named, step=self.images_seen)

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

    def _step(self, loss: Tensor, optimiser: Any, network: nn.Module) -> Tensor:
        optimiser.zero_grad()
        self.manual_backward(loss)
        # Of the gradient over all processes, so that all of them decide alike.
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.gradient_clip)
        # Not "norm > EXPLODED": a NaN is no step either.
        if norm < EXPLODED:
            optimiser.step()
            self._skipped[network] = 0
        else:
            self._skipped[network] += 1
        if self._skipped[network] > PATIENCE:
            raise InputError(
                f"the losses exploded: for {PATIENCE} steps the gradient has not been finite, or "
                f"above {EXPLODED:g}, at {self.images_seen} images; lower model.schedule.peak, "
                "model.schedule.discriminator or model.game.weight, or look at the data"
            )
        return norm.detach()

    @torch.no_grad()
    def _update_average(self, count: int) -> None:
        # The half-life grows with the training at first: an average over the random start would
        # lag far behind (Karras et al. 2024, edm2).
        half_life = min(self.ema_half_life, 0.1 * self.images_seen)
        keep = 0.5 ** (count / max(half_life, 1e-8))
        averaged, current = self.average, self.generator
        torch._foreach_lerp_(list(averaged.parameters()), list(current.parameters()), 1 - keep)
        if buffers := list(averaged.buffers()):
            torch._foreach_copy_(buffers, list(current.buffers()))
