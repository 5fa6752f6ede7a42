"""Weights & Biases, imported only when it is asked for."""

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import WandbLogger

from clumpygan.errors import InputError


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
