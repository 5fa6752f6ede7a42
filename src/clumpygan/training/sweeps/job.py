"""One job of a sweep: trained, resumed or skipped, and what became of it written down."""

import logging
import math
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from clumpygan.errors import InputError
from clumpygan.io.atomic import only_one
from clumpygan.settings import differences
from clumpygan.settings.documents import read_json
from clumpygan.training.run import train
from clumpygan.training.settings import plain_config, shortened
from clumpygan.training.sweeps.results import FAILED, FINISHED, PRUNED, Result, read_result

_log = logging.getLogger(__name__)


class TrialCallback(pl.Callback):
    """Tell a search how a training goes, and stop the training if the search gives it up.

    Without a search it only keeps the module, whose curve is looked at in the end.

    Attributes
    ----------
    module : AdversarialModule or None
        What was trained.
    pruned : bool
        Whether it was stopped before its end.
    """

    def __init__(self) -> None:
        self.module: Any = None
        self.pruned = False

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Keep the module."""
        self.module = pl_module

    def hopeless(self, images: int, metric: float) -> bool:
        """Whether to stop a training with this criterion after so many images."""
        return False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Report the criterion, on all processes the same."""
        if trainer.sanity_checking or not pl_module.curve:
            return
        point = pl_module.curve[-1]
        images, metric = int(point["images"]), float(point[pl_module.criterion])
        stop = self.hopeless(images, metric) if math.isfinite(metric) else False
        if stop and images < pl_module.total_images:
            self.pruned = True
            trainer.should_stop = True


def run_job(config: DictConfig, overrides: Sequence[str], folder: Path) -> Result:
    """Train one configuration of a sweep in its folder, which no other process may use.

    Parameters
    ----------
    config : DictConfig
        Composed from configs/train.yaml.
    overrides : sequence of str
        Which composed it.
    folder : Path
        Becomes its `output`.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted; it goes on when the sweep is started again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Several processes that train one network together are led by the first.
    alone = rank_zero_only.rank == 0
    try:
        with only_one(folder, wait=False) if alone else nullcontext():
            return run_locked(config, overrides, folder, TrialCallback(), write=alone)
    except InputError as problem:
        return _say(Result(folder, tuple(overrides), FAILED, message=str(problem)))


def run_locked(
    config: DictConfig,
    overrides: Sequence[str],
    folder: Path,
    watch: TrialCallback,
    *,
    write: bool = True,
) -> Result:
    """Train one configuration in a folder that is locked, unless it was finished before.

    Nothing that goes wrong with it stops the other jobs: it is shown, and kept in the result.

    Parameters
    ----------
    config, overrides, folder
        As for `run_job`.
    watch : TrialCallback
        The link to a search.
    write : bool
        Whether to keep the result in the folder.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted.
    """
    config.output = str(folder)
    before = read_result(folder)
    if before is not None and _is_done(before, config):
        _log.info("%s: %s before", folder, before.status)
        return before
    result = Result(folder, tuple(overrides))
    if write:
        result.write()
    result = _train(config, result, watch)
    if write:
        result.write()
    return _say(result)


def _say(result: Result) -> Result:
    """Log in one line why a job failed."""
    if result.message:
        _log.error("%s: %s", result.folder, result.message)
    return result


def _train(config: DictConfig, result: Result, watch: TrialCallback) -> Result:
    """Train, and return what became of it."""
    try:
        train(config, [watch], lock=False)
    except (InputError, OSError) as problem:
        return replace(result, status=FAILED, message=" ".join(str(problem).split()))
    except Exception as problem:
        # A mistake of ours, or a GPU without memory: the other jobs may do better.
        _log.exception("the training ended by a mistake")
        message = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        return replace(result, status=FAILED, message=message)
    finally:
        _close_wandb()
    module = watch.module
    points = [p for p in module.curve if math.isfinite(p[module.criterion])]
    result = replace(result, criterion=module.criterion, seconds=round(float(module.seconds), 1))
    if not points:
        return replace(result, status=FAILED, message=f"{module.criterion} was never finite")
    best = min(points, key=lambda point: point[module.criterion])
    return replace(
        result,
        status=PRUNED if watch.pruned else FINISHED,
        best=float(best[module.criterion]),
        images=int(best["images"]),
    )


def _is_done(before: Result, config: DictConfig) -> bool:
    """Whether the folder of a job holds the end of this very training."""
    if before.status not in (FINISHED, PRUNED) or config.ckpt_path != "last":
        return False
    try:
        kept = read_json(before.folder / "settings.json", "")
    except InputError:
        return False
    if not isinstance(kept, dict):
        return False
    plain = shortened(plain_config(config))
    return not differences(kept, {key: plain.get(key) for key in kept})


def _close_wandb() -> None:
    """End the run of Weights & Biases, or the next job of this process would go on in it."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and getattr(wandb, "run", None) is not None:
        wandb.finish()
