"""What ends a training before its time: signals, whose state is saved, and no improvement."""

import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import SLURMEnvironment

_log = logging.getLogger(__name__)


class Interrupted(BaseException):
    """A training was stopped by a signal, after its state was saved.

    Parameters
    ----------
    signal_number : int
    images : int
        Seen by then.
    """

    def __init__(self, signal_number: int, images: int) -> None:
        super().__init__(signal_number, images)
        self.signal_number, self.images = signal_number, images


class Interruption(pl.Callback):
    """Save the state and stop as soon as the step, or the validation, under way is complete.

    In mid-step the two networks don't fit each other. So the signal is only noted when it comes,
    and the processes of a distributed training agree on the step after which they stop. A second
    Ctrl-C stops at once, with the state that was saved before. Where SLURM asks to leave
    (Lightning's requeue signal, SIGUSR1), the state is saved and the job requeued.

    Parameters
    ----------
    state : Path
        Where the state is saved.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self._received: int | None = None
        self._requeue: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Take the signals over from Lightning, which would save or stop in mid-step."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        environment = trainer._accelerator_connector.cluster_environment
        if isinstance(environment, SLURMEnvironment) and environment.auto_requeue:
            numbers.append(environment.requeue_signal or signal.SIGUSR1)
        try:
            for number in numbers:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            # Not the main thread: signals go elsewhere.
            self._before.clear()
        if len(self._before) > 2:
            number = numbers[-1]
            handler = self._before[number]
            self._requeue = lambda: handler(number, None)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_index: int
    ) -> None:
        """Stop between two steps; at the start of an epoch its state has just been saved."""
        number = self._agreed(trainer)
        if number is None:
            return
        if batch_index or not self.state.exists():
            trainer.save_checkpoint(self.state)
        self._leave(number, trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Give the signals back."""
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back."""
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            _log.info("stopping after this step (Ctrl-C again: at once)")
            signal.signal(number, signal.default_int_handler)
        self._received = number

    def _agreed(self, trainer: pl.Trainer) -> int | None:
        """Return the signal that one of the processes has received, or None."""
        if trainer.world_size == 1:
            return self._received
        anyone = trainer.strategy.reduce_boolean_decision(self._received is not None, all=False)
        return (self._received or signal.SIGTERM) if anyone else None

    def _leave(self, number: int, trainer: pl.Trainer, module: Any) -> None:
        if self._requeue is not None and number not in (signal.SIGINT, signal.SIGTERM):
            # Lightning's own: it requeues the job, which SLURM ends then. Its state isn't needed.
            self._requeue()
            for path in Path(trainer.default_root_dir).glob("hpc_ckpt_*.ckpt"):
                path.unlink(missing_ok=True)
        raise Interrupted(number, module.images_seen)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


def stalled(values: Sequence[float], patience: int, min_delta: float) -> bool:
    """Whether the last `patience` of some values, the lower the better, brought nothing.

    Parameters
    ----------
    values : sequence of float
        Of the criterion, one for each validation; NaN is no improvement.
    patience : int
        At least 1.
    min_delta : float
        An improvement is smaller than the best before it by more than this.
    """
    best, since = float("inf"), 0
    for value in values:
        improved = value < best - min_delta
        best, since = (value, 0) if improved else (best, since + 1)
    return since >= patience


class EarlyStopping(pl.Callback):
    """End a training whose held-out criterion has not improved for a number of validations.

    It looks at the whole curve, so that a resumed training stops where an uninterrupted one does,
    and one that has stopped doesn't go on.

    Parameters
    ----------
    patience : int
        Validations.
    min_delta : float
        Least improvement of the criterion.
    """

    def __init__(self, patience: int, min_delta: float) -> None:
        self.patience, self.min_delta = patience, min_delta

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Stop at once if the curve says so."""
        self._look_at(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Look at the curve with its newest point."""
        self._look_at(trainer, pl_module)

    def _look_at(self, trainer: pl.Trainer, module: Any) -> None:
        values = [point[module.criterion] for point in module.curve]
        if not trainer.should_stop and stalled(values, self.patience, self.min_delta):
            trainer.should_stop = True
            if trainer.is_global_zero:
                _log.info(
                    "stopped at %d images: %s has not improved in %d validations",
                    *(module.images_seen, module.criterion, self.patience),
                )
