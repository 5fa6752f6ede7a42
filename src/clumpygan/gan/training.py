"""What all trainings of the family share: counts, curve, logs, steps, and averaged weights.

Progress, schedules and logs count images seen, never Lightning's `global_step`, which counts all
optimisers (edm2 counts images too: Karras et al. 2024).
"""

import copy
import dataclasses
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build, network_section, start_from
from clumpygan.gan.gan_settings import CoreSettings, Schedule
from clumpygan.gan.targets import completed, parameters_of, path_of, plain_lists, trusting
from clumpygan.settings import did_you_mean, from_mapping

Batch = dict[str, Any]
"""Tensors by name, and what a step notes beside them."""

Network = nn.Module | Mapping[str, Any]
"""A network, or a section with its `_target_` and arguments."""

PATIENCE = 50
"""Steps in a row that may be skipped before the training gives up."""

EXPLODED = 1e8
"""Norm of a gradient from which on the step is skipped, as if it were infinite."""

LOG_EVERY = 20
"""Steps over which the losses are averaged in logs."""


class TrainingModule(pl.LightningModule):
    """Train a network by steps of its subclass, and keep an average of its weights.

    Parameters
    ----------
    generator : nn.Module or mapping
        What is trained, or a section from which it is built (`clumpygan.gan.targets`). A state of
        the trainer holds the section: `load_from_checkpoint` needs no network then.
    schedule : Schedule or mapping, optional
        By default that of the subclass.
    initial : str or sequence of str, optional
        Checkpoints of the same network, by name or path: the generator starts with the mean of
        their weights.
    **core
        Fields of `CoreSettings`; by default those of the subclass.

    Raises
    ------
    InputError
        If a setting is unknown or out of range, or the network can't be built.
    """

    criterion = "loss"
    """Name of the held-out metric, lower is better, by which trainings are compared."""

    task = ""
    """What its networks do; the card says so."""

    needs: tuple[str, ...] = ()
    """What a batch of its data has to hold."""

    standard_schedule, standard_core = Schedule(), CoreSettings()
    """Settings, where no others are given."""

    def __init__(
        self,
        generator: Network | None = None,
        *,
        schedule: Schedule | Mapping[str, Any] | None = None,
        initial: str | Sequence[str] | None = None,
        **core: Any,
    ) -> None:
        super().__init__()
        self._refuse_unknown(core)
        self.core = settled(CoreSettings, core, self.standard_core, "model")
        self.schedule = settled(Schedule, schedule, self.standard_schedule, "model.schedule")
        self.automatic_optimization = False
        self.network = self._section("generator", generator)
        self.generator: Any = build(generator, "model.generator")
        if initial:
            start_from(self.generator, self.network, initial)
        self.average: Any = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.total_images = self.core.total_images or 0
        self.seed = self.core.seed
        self.curve: list[dict[str, float]] = []
        # Counted for each network: the steps of one say nothing about the other.
        self._skipped: Counter[nn.Module] = Counter()
        # Plain numbers: reading a tensor would make the CPU wait for a GPU at every step.
        self.images_seen = 0
        self.seconds = 0.0
        self.losses: dict[str, float] = {}
        self._pending: dict[str, list[Tensor | float]] = {}
        self._remember(**asdict(self.core), schedule=asdict(self.schedule))

    @classmethod
    def _refuse_unknown(cls, core: Mapping[str, Any]) -> None:
        fields = [one.name for one in dataclasses.fields(CoreSettings)]
        own = [name for kind in cls.__mro__[::-1] if issubclass(kind, TrainingModule)
               for name in parameters_of(kind) if name != "core"]  # fmt: skip
        for name in core:
            if name not in fields:
                known = list(dict.fromkeys([*own, *fields]))
                raise InputError(
                    f"`model.{name}`: there is no such setting{did_you_mean(name, known)}; "
                    f"expected {', '.join(known)}"
                )

    @classmethod
    def told(cls, data: Any) -> dict[str, Any]:
        """Return what its networks may be told of a data module, by the name of the argument."""
        return {}

    @classmethod
    def seen(cls, data: Any) -> dict[str, Any]:
        """Return arguments of the class that follow from a data module."""
        return {}

    @classmethod
    def for_data(cls, data: Any, **settings: Any) -> Self:
        """Build it with networks whose sections are completed by what is known of the data.

        Parameters
        ----------
        data : LightningDataModule
        **settings
            Arguments of the class; networks are best given as sections.

        Raises
        ------
        InputError
            If it doesn't train on such data, or a setting makes no sense.
        """
        try:
            settings, known = {**cls.seen(data), **settings}, cls.told(data)
        except AttributeError as error:
            raise InputError(
                f"{cls.__name__} doesn't train on a {type(data).__name__}, which has no "
                f"{error.name}: choose other data"
            ) from error
        for name in ("generator", "discriminator"):
            section = settings.get(name)
            if isinstance(section, Mapping):
                settings[name] = completed(section, f"model.{name}", known)
        return cls(**settings)

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: Any, *args: Any, allow: tuple[str, ...] = (), **kwargs: Any
    ) -> Self:
        """Rebuild a module from a state that a trainer has saved; nothing is unpickled.

        Parameters
        ----------
        checkpoint_path : path
        allow : tuple of str
            Packages, beside clumpygan, whose networks may be built: a state may come from
            strangers.
        *args, **kwargs
            As of Lightning: arguments of the class, which come before the saved ones.

        Raises
        ------
        InputError
            If its networks aren't trusted, or were handed over as objects and aren't again, or the
            file holds what only unpickling would make.
        """
        try:
            with trusting(*allow):
                loaded: Self = super().load_from_checkpoint(
                    checkpoint_path, *args, weights_only=True, **kwargs
                )
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{checkpoint_path} is refused: it holds objects that come into being by running "
                "code of the file, or is damaged; expected a state that a trainer has saved"
            ) from error
        return loaded

    @classmethod
    def check_batch(cls, names: Any, source: str) -> None:
        """Refuse batches without something that is needed.

        Raises
        ------
        InputError
            If one of `needs` isn't among the names.
        """
        missing = [name for name in cls.needs if name not in names]
        if missing:
            raise InputError(
                f"{cls.__name__} needs {', '.join(missing)} in a batch, and {source} gives "
                f"{', '.join(names)}: choose other data"
            )

    def _section(self, name: str, network: Network | None) -> dict[str, Any]:
        """Return the card's section of a network, and remember its own."""
        if network is None:
            raise InputError(
                f"`{name}` is missing: give a network, or a section with its _target_ (of a saved "
                f"state: it was handed over as an object, load_from_checkpoint(..., {name}=...))"
            )
        if isinstance(network, Mapping):
            self._remember(**{name: network})
            return network_section(network, self.task)
        return {"name": path_of(network), "target": path_of(network), "arguments": {},
                "task": self.task}  # fmt: skip

    def _remember(self, **settings: Any) -> None:
        """Keep arguments in the states of the trainer, as plain values: no networks."""
        self.save_hyperparameters({**self.hparams, **plain_lists(settings)}, logger=False)

    def _store_channels_last(self) -> None:
        """Store the weights of convolutions with their channels last: their output is so, too."""
        for part in self.modules() if self.core.channels_last else ():
            if isinstance(part, nn.Conv2d | nn.Conv3d):
                flat = isinstance(part, nn.Conv2d)
                layout = torch.channels_last if flat else torch.channels_last_3d
                nn.Module.to(part, memory_format=layout)  # type: ignore[call-overload]

    def on_fit_start(self) -> None:
        """See to it that the length of the training is known.

        Raises
        ------
        InputError
            If it isn't, because the trainer's is unlimited.
        """
        if not self.total_images:
            epochs = self.trainer.max_epochs or 0
            per_epoch = getattr(self.trainer.datamodule, "images_per_epoch", None)
            if epochs < 1:
                raise InputError("`total_images` is missing: the trainer has no max_epochs")
            self.total_images = epochs * (per_epoch or self._images_per_epoch())

    def _images_per_epoch(self) -> int:
        """Return the images of an epoch of loaders that don't tell."""
        self.trainer.fit_loop.setup_data()
        size = self.trainer.train_dataloader.batch_size or 1
        return int(self.trainer.num_training_batches) * size * self.processes

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
        """Log held-out metrics as val/NAME and add them to the curve; of a test, as test/NAME."""
        stage = "test" if self.trainer.testing else "val"
        logs = {f"{stage}/{name}": value for name, value in metrics.items()}
        # Lightning takes "step" as the place on the axis of its loggers.
        self.log_dict({**logs, "step": float(self.images_seen)}, sync_dist=True)
        if stage == "val":
            self.curve.append({"images": self.images_seen, **metrics})

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Measure as in validation."""
        self.validation_step(batch, batch_index)

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the test set as test/NAME."""
        self.on_validation_epoch_end()

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

    def finish_step(self, count: int, logs: dict[str, Tensor | float], batch_index: int) -> None:
        """Count the images of a step, average the weights, and log now and then.

        Parameters
        ----------
        count : int
            Images of this process.
        logs : dict
            Losses of the step, by name.
        batch_index : int
        """
        logs["skipped"] = float(self._skipped.total())
        self.images_seen += count * self.processes
        self._update_average(count * self.processes)
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

    def _scheduled_step(
        self, loss: Tensor, optimiser: Any, game: int = 0
    ) -> dict[str, Tensor | float]:
        """Take a step of the generator at the rate of its schedule; return what is logged of it.

        Where there is a game, it begins after so many images.
        """
        rate = self.schedule.generator(self.images_seen, game, self.total_images)
        for group in optimiser.param_groups:
            group["lr"] = rate
        norm = self._step(loss, optimiser, self.generator)
        return {"gradient_norm": norm, "learning_rate": rate}

    def _step(self, loss: Tensor, optimiser: Any, network: nn.Module) -> Tensor:
        """Take a step down the gradient of a loss; return its norm before it was clipped."""
        optimiser.zero_grad()
        self.manual_backward(loss)
        # Of the gradient over all processes, so that all of them decide alike.
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.core.gradient_clip)
        # Not "norm > EXPLODED": a NaN is no step either.
        if norm < EXPLODED:
            optimiser.step()
            self._skipped[network] = 0
        else:
            self._skipped[network] += 1
        if self._skipped[network] > PATIENCE:
            raise InputError(
                f"the losses exploded: for {PATIENCE} steps the gradient has not been finite, or "
                f"above {EXPLODED:g}, at {self.images_seen} images; lower `model.schedule.peak`, "
                "`model.schedule.discriminator` or `model.game.weight`, or look at the data"
            )
        return norm.detach()

    @torch.no_grad()
    def _update_average(self, count: int) -> None:
        # The half-life grows with the training at first: an average over the random start would
        # lag far behind (Karras et al. 2024, edm2).
        half_life = min(self.core.ema_half_life, 0.1 * self.images_seen)
        keep = 0.5 ** (count / max(half_life, 1e-8))
        averaged, current = self.average, self.generator
        torch._foreach_lerp_(list(averaged.parameters()), list(current.parameters()), 1 - keep)
        if buffers := list(averaged.buffers()):
            torch._foreach_copy_(buffers, list(current.buffers()))


def settled(kind: type, given: Any, standard: Any, where: str) -> Any:
    """Return settings: those that are given, or a section of them over the standard ones.

    Raises
    ------
    InputError
        If one is unknown or out of range.
    """
    if isinstance(given, kind):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"`{where}` is {given!r}: expected a section of settings")
    return from_mapping(kind, {**asdict(standard), **(given or {})}, where)
