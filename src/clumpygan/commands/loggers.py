"""Where the numbers of a training go: CSV files always, W&B or TensorBoard when asked for."""

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from clumpygan.errors import InputError
from clumpygan.io import atomic_path

WANDB_RUN = "wandb_run.txt"
"""File of the output folder that keeps the id of the run, so that a resumed training joins it."""


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
    if settings["name"] not in LOGGERS:
        raise InputError(f"logger.name={settings['name']}: expected {' or '.join(LOGGERS)}")
    # Rows are few: each is worth having if the next step fails.
    loggers: list[Logger] = [CSVLogger(str(output), name="logs", flush_logs_every_n_steps=1)]
    further = LOGGERS[settings["name"]]
    return loggers if further is None else [*loggers, further(settings, plain, output)]


def wandb_logger(settings: dict[str, Any], plain: dict[str, Any], output: Path) -> WandbLogger:
    """Return a logger that writes to the user's account, or to a folder without one.

    Parameters
    ----------
    settings : dict
        `project`, `entity`, and `offline`: true, false, or None for offline without a key.
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
    offline = settings["offline"] if settings["offline"] is not None else not has_key
    offline = offline or mode in ("offline", "disabled", "dryrun")
    if not offline and not has_key:
        raise InputError(
            "logger.offline=false needs the environment variable WANDB_API_KEY: set it, "
            "or leave logger.offline unset to log into a folder"
        )
    logger = WandbLogger(
        name=plain["name"],
        project=settings["project"],
        entity=settings["entity"],
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
    settings: dict[str, Any], plain: dict[str, Any], output: Path
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
                print(f"to send it later: wandb sync {logger.save_dir}/wandb/offline-run-*")
