"""What all trainings of the family share: counts, curve, logs, steps, and averaged weights.

Progress, schedules and logs count images seen, never Lightning's `global_step`, which counts all
optimisers (edm2 counts images too: Karras et al. 2024).
"""

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.gan.game import Schedule

Batch = dict[str, Tensor]

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
    generator : nn.Module
        What is trained.
    network : mapping
        `name` and `arguments` from which `gan.checkpoint.build_network` builds it.
    total_images : int
        Length of the whole training; the schedules depend on it.
    seed : int
        Random inputs depend on (seed, images seen) alone, so that resuming is exact.
    schedule : Schedule
    ema_half_life : int
        Images after which an old state counts half in the averaged network.
    gradient_clip : float
        Largest norm of the gradient.
    """

    criterion = "loss"
    """Name of the held-out metric, lower is better, by which trainings are compared."""

    def __init__(
        self,
        generator: nn.Module,
        *,
        network: Mapping[str, Any],
        total_images: int,
        seed: int,
        schedule: Schedule,
        ema_half_life: int = 5000,
        gradient_clip: float = 1.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.automatic_optimization = False
        self.generator = generator
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
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

    def _step(self, loss: Tensor, optimiser: Any, network: nn.Module) -> Tensor:
        """Take a step down the gradient of a loss; return its norm before it was clipped."""
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
                f"above {EXPLODED:g}, at {self.images_seen} images; lower {self._too_high()}, or "
                "look at the data"
            )
        return norm.detach()

    def _too_high(self) -> str:
        """Return the settings that make losses explode."""
        return "model.schedule.peak"

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
