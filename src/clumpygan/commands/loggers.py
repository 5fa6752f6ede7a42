"""Where the numbers of a training go: CSV files always, Weights & Biases when asked for."""

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from clumpygan.errors import InputError


def build_loggers(settings: dict[str, Any], config: DictConfig, output: Path) -> list[Logger]:
    """Return the CSV logger, and Weights & Biases' beside it if asked for.

    Parameters
    ----------
    settings : dict
        The section `logger` of the configuration.
    config : DictConfig
        All of it.
    output : Path
        Folder of the run.

    Raises
    ------
    InputError
        If there is no such logger, or it can't be used here.
    """
    loggers: list[Logger] = [CSVLogger(str(output), name="logs")]
    if settings["name"] == "wandb":
        loggers.append(wandb_logger(settings, config, output))
    elif settings["name"] != "csv":
        raise InputError(f"logger.name={settings['name']}: expected csv or wandb")
    return loggers


def wandb_logger(settings: dict[str, Any], config: DictConfig, output: Path) -> WandbLogger:
    """Return a logger that writes to the user's account, or to a folder without one.

    Parameters
    ----------
    settings : dict
        `project`, `entity`, and `offline`: true, false, or None for offline without a key.
    config : DictConfig
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
    offline = settings["offline"] if settings["offline"] is not None else not has_key
    if not offline and not has_key:
        raise InputError(
            "logger.offline=false needs the environment variable WANDB_API_KEY: set it, "
            "or leave logger.offline unset to log into a folder"
        )
    return WandbLogger(
        project=settings["project"],
        entity=settings["entity"],
        offline=offline,
        save_dir=str(output),
        config=OmegaConf.to_container(config, resolve=True),
    )
