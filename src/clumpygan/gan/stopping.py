"""When a training ends before its time."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl


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
                print(
                    f"stopped at {module.images_seen} images: {module.criterion} has not improved "
                    f"in {self.patience} validations",
                    flush=True,
                )
