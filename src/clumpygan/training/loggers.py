"""What a training tells: a line after every epoch, and numbers to files, W&B or TensorBoard."""

import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from clumpygan.errors import InputError
from clumpygan.io import atomic_path
from clumpygan.settings import from_mapping
from clumpygan.training.settings import LoggerSettings

SHOWN = ("discriminator", "adversarial", "pixel", "score_gap")
"""Losses beside the bar, those that the training has."""

WANDB_RUN = "wandb_run.txt"
"""File of the output folder that keeps the id of the run, so that a resumed training joins it."""

_log = logging.getLogger(__name__)


def build_loggers(settings: dict[str, Any], plain: dict[str, Any], output: Path) -> list[Logger]:
    """Return the CSV logger, and the one beside it that was asked for.

    Parameters
    ----------
    settings : dict
        The section `logger` of the configuration.
    plain : dict
        All of it.
    output : Path
        Folder of the run.

    Raises
    ------
    InputError
        If there is no such logger, or it can't be used here.
    """
    chosen = from_mapping(LoggerSettings, settings, "logger")
    # Rows are few: each is worth having if the next step fails.
    loggers: list[Logger] = [CSVLogger(str(output), name="logs", flush_logs_every_n_steps=1)]
    further = LOGGERS[chosen.name]
    return loggers if further is None else [*loggers, further(chosen, plain, output)]


def wandb_logger(settings: LoggerSettings, plain: dict[str, Any], output: Path) -> WandbLogger:
    """Return a logger that writes to the user's account, or to a folder without one.

    Parameters
    ----------
    settings : LoggerSettings
    plain : dict
        The whole configuration, kept with the run.
    output : Path
        Where offline runs are written, to be sent later with ``wandb sync``.

    Raises
    ------
    InputError
        If wandb isn't installed, or online logging is demanded without a key.
    """
    try:
        import wandb  # noqa: F401 - takes a second, so only when used
    except ImportError as error:
        raise InputError(
            'logger=wandb needs Weights & Biases: pip install "clumpygan[wandb]"'
        ) from error
    has_key = bool(os.environ.get("WANDB_API_KEY"))
    mode = os.environ.get("WANDB_MODE")
    offline = settings.offline if settings.offline is not None else not has_key
    offline = offline or mode in ("offline", "disabled", "dryrun")
    if not offline and not has_key:
        raise InputError(
            "logger.offline=false needs the environment variable WANDB_API_KEY: set it, "
            "or leave logger.offline unset to log into a folder"
        )
    logger = WandbLogger(
        name=plain["name"],
        project=settings.project,
        entity=settings.entity,
        offline=offline,
        save_dir=str(output),
        id=_wandb_run(output, anew=not plain["ckpt_path"]),
        config=plain,
        settings={"silent": True},
    )
    # Lightning hands on an argument that Weights & Biases warns of.
    logger._wandb_init.pop("anonymous", None)
    return logger


def _wandb_run(output: Path, anew: bool) -> str:
    """Return the id of the run of an output folder, a new one if the training is."""
    if name := os.environ.get("WANDB_RUN_ID"):
        # Of an agent of a sweep, for one.
        return name
    file = output / WANDB_RUN
    if file.exists() and (output / "last.ckpt").exists() and not anew:
        return file.read_text().strip()
    name = uuid.uuid4().hex[:8]
    output.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary:
        temporary.write_text(name + "\n")
    return name


def tensorboard_logger(
    settings: LoggerSettings, plain: dict[str, Any], output: Path
) -> TensorBoardLogger:
    """Return a logger that writes into the folder `tensorboard` of the run; as `wandb_logger`."""
    try:
        import tensorboard  # noqa: F401 - Lightning would take another package for it
    except ImportError as error:
        raise InputError(
            'logger=tensorboard needs TensorBoard: pip install "clumpygan[tensorboard]"'
        ) from error
    logger = TensorBoardLogger(str(output), name="tensorboard", version="")
    text = yaml.safe_dump(plain, sort_keys=False)
    logger.experiment.add_text("configuration", "    " + text.replace("\n", "\n    "))
    return logger


LOGGERS: Mapping[str, Callable[..., Logger] | None] = {
    "csv": None,
    "wandb": wandb_logger,
    "tensorboard": tensorboard_logger,
}
"""Loggers beside the CSV files, by `logger.name`."""


def log_network(loggers: Sequence[Logger], stem: Path, card: dict[str, Any]) -> None:
    """Give the trained network, its card, and its curve to the loggers that keep such things.

    Parameters
    ----------
    loggers : sequence of Logger
    stem : Path
        Of the network's files.
    card : dict
        Of the network.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            columns = list(card["held_out"])
            rows = [[point.get(name) for name in columns] for point in card["curve"]]
            logger.log_table("held_out", columns=columns, data=rows)
            artifact = wandb.Artifact(f"{stem.name}-network", type="model", metadata=card)
            for ending in (".safetensors", ".yaml"):
                artifact.add_file(str(stem.with_name(stem.name + ending)))
            logger.experiment.log_artifact(artifact)


def close_loggers(loggers: Sequence[Logger]) -> None:
    """End the runs of loggers that would go on until the process ends."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and logger._experiment is not None:
            logger.experiment.finish()
            if logger._offline and rank_zero_only.rank == 0:
                _log.info("to send it later: wandb sync %s/wandb/offline-run-*", logger.save_dir)


class ProgressLine(pl.Callback):
    """Log a line after every epoch: images seen, speed, time left, metrics if just measured.

    The seconds of training, validation included, are summed in the module, over resumed runs too.

    Parameters
    ----------
    bar : bool
        Draw a bar on standard error too: images seen, time left, images/s, and losses.
    """

    def __init__(self, bar: bool = False) -> None:
        self._wanted = bar
        self._bar: Any = None
        self._redirected = ExitStack()
        self._last = time.monotonic()
        self._images = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._last = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note where a resumed run begins."""
        self._images = pl_module.images_seen
        if self._wanted and trainer.is_global_zero:
            # Lines come above the bar, not into it.
            self._redirected.enter_context(logging_redirect_tqdm())
            self._bar = tqdm(
                total=pl_module.total_images,
                initial=self._images,
                unit=" images",
                dynamic_ncols=True,
                smoothing=0.05,
            )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            losses = {name: pl_module.losses[name] for name in SHOWN if name in pl_module.losses}
            self._bar.set_postfix(losses, refresh=False)
            self._bar.update(pl_module.images_seen - self._bar.n)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Stop the clock of this epoch and log the line."""
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        images = pl_module.images_seen
        seen, self._images = images - self._images, images
        pl_module.seconds += elapsed
        # An epoch that was whole when its training was interrupted has nothing to say.
        if not trainer.is_global_zero or not seen:
            return
        speed = seen / max(elapsed, 1e-9)
        left = (pl_module.total_images - images) / max(speed, 1e-9) / 3600
        measured = pl_module.curve[-1] if pl_module.curve else {}
        shown = "".join(
            f"  {name} {value:.4g}"
            for name, value in measured.items()
            if name != "images" and measured["images"] == images
        )
        _log.info(
            f"{images:>9} of {pl_module.total_images} images  {speed:.1f} images/s"
            f"  {left:.2f} h left{shown}"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Leave the bar as it is."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Leave the bar, so that what is wrong has a line of its own."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            self._redirected.close()
