"""The one adversarial training core of the family.

It knows a generator, a discriminator and tensors; what is conditional, three-dimensional or
astronomical is supplied by the subclasses. What it shares with other trainings is in
`clumpygan.gan.training`.
"""

import inspect
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build
from clumpygan.gan.gan_settings import AdversarialSettings
from clumpygan.gan.targets import path_of
from clumpygan.gan.training import Batch, Network, TrainingModule, settled
from clumpygan.networks.losses import adversarial_loss, zero_centred_penalty


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

    The contract of the two networks, which is checked as far as it can be before the first step,
    and in it:

    - the generator has what `generator_needs` names, and its `forward` takes what the subclass
      says; it returns images of the shape of the real ones;
    - the discriminator maps images, as `judged` returns them, and the `conditions` to scores of
      shape (B, ...), a row for each image: (B, 1), or a map (B, 1, y, x).

    Parameters
    ----------
    generator, discriminator : nn.Module or mapping
        Networks, or sections from which they are built.
    game : AdversarialSettings or mapping, optional
        By default that of the subclass.
    **core
        As of `TrainingModule`.

    Raises
    ------
    InputError
        If a setting makes no sense, or a network can't be built or misses something.
    """

    generator_needs: tuple[str, ...] = ()
    """Attributes of a generator beside `forward`."""

    arguments: int | None = None
    """Positional arguments of a generator's `forward`, if they are known."""

    standard_game = AdversarialSettings()
    """The game, where no other is given."""

    def __init__(
        self,
        generator: Network | None = None,
        discriminator: Network | None = None,
        *,
        game: AdversarialSettings | Mapping[str, Any] | None = None,
        **core: Any,
    ) -> None:
        super().__init__(generator, **core)
        self.game = settled(AdversarialSettings, game, self.standard_game, "model.game")
        self._remember(game=asdict(self.game))
        self._section("discriminator", discriminator)
        self.discriminator: Any = build(discriminator, "model.discriminator")
        self._store_channels_last()
        self.adversarial = adversarial_loss(self.game.loss)
        self._check_generator()
        if self.total_images:
            self._check_start()

    def _check_generator(self) -> None:
        missing = [name for name in self.generator_needs if not hasattr(self.generator, name)]
        if missing:
            raise InputError(
                f"the generator {path_of(self.generator)} has no {' and no '.join(missing)}: see "
                f"the contract in the documentation of {type(self).__name__}"
            )
        if self.arguments is None:
            return
        try:
            inspect.signature(self.generator.forward).bind(*range(self.arguments))
        except TypeError as error:
            raise InputError(
                f"forward of the generator {path_of(self.generator)}: {error}; it is called with "
                f"{self.arguments} arguments, see the documentation of {type(self).__name__}"
            ) from error

    def _check_start(self) -> None:
        if self.game.start >= self.total_images:
            raise InputError(
                f"`model.game.start` is {self.game.start}: the discriminator would never join in "
                f"a training of {self.total_images} images; lower it, or raise `total_images`"
            )

    def on_fit_start(self) -> None:
        """See to it that the discriminator joins before the end."""
        super().on_fit_start()
        self._check_start()

    @property
    def playing(self) -> bool:
        """Whether the discriminator takes part by now."""
        return bool(self.images_seen >= self.game.start)

    def prepared(self, batch: Batch, noise: torch.Generator) -> Batch:
        """Return the batch with what a step draws for all of its parts, if anything."""
        return batch

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
        self.check_batch(batch, "the data")
        noise = self.random_input()
        batch = self.prepared(batch, noise)
        samples = self.sample(batch, noise)
        self.check_images(samples[0], self.truth(batch))
        logs: dict[str, Tensor | float] = {}
        if self.playing:
            logs |= self._discriminator_step(samples[0].detach(), batch, discriminator_optimiser)
        logs |= self._generator_step(samples, batch, generator_optimiser)
        self.finish_step(len(samples[0]), logs, batch_index)

    def check_images(self, images: Tensor, truth: Tensor) -> None:
        """Refuse images of a generator that have another shape than the real ones.

        Raises
        ------
        InputError
            If they have.
        """
        if images.shape != truth.shape:
            raise InputError(
                f"the generator {path_of(self.generator)} returns images of shape "
                f"{tuple(images.shape)}: expected {tuple(truth.shape)}, as of the real ones"
            )

    def _check_scores(self, scores: Tensor, count: int) -> None:
        if scores.ndim < 2 or len(scores) != count:
            raise InputError(
                f"the discriminator {path_of(self.discriminator)} returns scores of shape "
                f"{tuple(scores.shape)} for {count} images: expected ({count}, 1), or a map "
                f"({count}, 1, y, x)"
            )

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
        self._check_scores(real_scores, len(real))
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
        return logs | self._scheduled_step(total, optimiser, self.game.start)

    def _adversarial_weight(self) -> float:
        since = self.images_seen - self.game.start
        return float(self.game.weight * min(1.0, (since + 1) / max(self.game.ramp, 1)))
