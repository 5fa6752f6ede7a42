"""From a composed configuration to a trained network: what train.py does for one run."""

import copy
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from clumpygan.commands.datasets import build_data, check_batches
from clumpygan.commands.interruption import Interrupted, Interruption
from clumpygan.commands.lengths import shortened
from clumpygan.commands.loggers import build_loggers, close_loggers, log_network
from clumpygan.commands.models import build_module, model_of
from clumpygan.commands.settings import positive
from clumpygan.commands.training_card import make_card, ship
from clumpygan.commands.training_states import (
    LAST,
    States,
    WholeFiles,
    best_network,
    state_to_resume,
)
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import save_checkpoint
from clumpygan.gan.progress import ProgressLine
from clumpygan.gan.stopping import EarlyStopping
from clumpygan.gan.training import TrainingModule

PRECISIONS = ("32-true", "bf16-mixed")
"""Half precision with a loss scale is not among them: gradients are clipped unscaled."""

TERMINATED = 128 + signal.SIGTERM
"""Exit code after a signal other than that of Ctrl-C."""


def train(config: DictConfig, extra_callbacks: Sequence[pl.Callback] = ()) -> dict[str, float]:
    """Run one training to its end.

    Parameters
    ----------
    config : DictConfig
        Composed from configs/train.yaml.
    extra_callbacks : sequence of pytorch_lightning.Callback
        Called beside those of the configuration. At each ``on_validation_end``
        ``module.curve[-1]`` holds the held-out metrics with the `images` seen, and
        ``module.criterion`` names the one that decides; ``trainer.should_stop = True`` ends the
        training.

    Returns
    -------
    dict
        The held-out metrics where the criterion was best.

    Raises
    ------
    InputError
        If the configuration can't be run, the output folder holds another training, or the
        losses explode.
    KeyboardInterrupt
        If it was interrupted; the same command goes on.
    SystemExit
        With code 143, if it was told to terminate; the same command goes on.
    """
    # What Lightning tells of its own doings would hide what the training says.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    plain: dict[str, Any] = shortened(OmegaConf.to_container(config, resolve=True))
    output = Path(plain["output"])
    if plain["threads"] is not None:
        torch.set_num_threads(positive("threads", plain["threads"]))
    model = model_of(plain["model"], plain["data"])
    data = build_data(plain["data"])
    data.overfit = bool(plain["overfit"])
    epochs = -(-plain["total_images"] // data.images_per_epoch)
    module = build_module(
        plain["model"], data, epochs * data.images_per_epoch, int(plain["seed"]), plain["initial"]
    )
    callbacks = _callbacks(plain, output)
    if plain["callbacks"]["pictures"]:
        callbacks.append(model.pictures(output / "pictures", plain["callbacks"]["pictures"]))

    def publish(held_out: dict[str, float]) -> None:
        """Write the best network so far."""
        card = make_card(plain, module, trainer, held_out)
        save_checkpoint(output / plain["name"], module.average, card)

    states = States(output, publish)
    trainer = _trainer(plain, epochs, [states, *callbacks, *extra_callbacks])
    check_batches(data, trainer.world_size)
    state = state_to_resume(plain, output)
    try:
        _fit(trainer, module, data, state)
        if trainer.is_global_zero:
            network = copy.deepcopy(module.average)
            weights, held_out = best_network(output)
            network.load_state_dict(weights)
            card = make_card(plain, module, trainer, held_out)
            save_checkpoint(output / plain["name"], network, card)
            log_network(trainer.loggers, output / plain["name"], card)
            print(
                f"{output / plain['name']}.safetensors: {card['criterion']} "
                f"{held_out[card['criterion']]:.4g} at {held_out['images']} images",
                flush=True,
            )
            if plain["checkpoint"]:
                ship(Path(plain["checkpoint"]), network, card)
    finally:
        close_loggers(trainer.loggers)
    return {name: value for name, value in states.best.items() if name != "images"}


def _fit(
    trainer: pl.Trainer, module: TrainingModule, data: StreamDataModule, state: Path | None
) -> None:
    """Train; say so if a signal ends it, or if the state is of other networks."""
    with warnings.catch_warnings():
        # Lightning's own affair, and its advice on a loader that is fast enough.
        warnings.filterwarnings("ignore", message=".*LeafSpec")
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        # The averaged generator is never trained: it is in evaluation mode on purpose.
        warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
        # Which images come next is known from their count.
        warnings.filterwarnings("ignore", message=r"You're resuming from a checkpoint that ended")
        try:
            trainer.fit(module, data, ckpt_path=state, weights_only=True)
        except Interrupted as stop:
            if trainer.is_global_zero:
                print(f"saved at {stop.images} images: the same command goes on", flush=True)
            if stop.signal_number == signal.SIGINT:
                raise KeyboardInterrupt from stop
            sys.exit(TERMINATED)
        except SystemExit as stop:
            # Lightning turns a second Ctrl-C into an exit with code 1; a launcher that has queued
            # the job again exits with a code of its own.
            if not trainer.interrupted or stop.code != 1:
                raise
            if trainer.is_global_zero:
                print("stopped: the same command goes on from the last saved state", flush=True)
            raise KeyboardInterrupt from stop
        except RuntimeError as error:
            if "loading state_dict" not in str(error):
                raise
            first = " ".join(str(error).split())[:160]
            raise InputError(f"{state} is a state of other networks: {first}") from error


def _callbacks(plain: dict[str, Any], output: Path) -> list[pl.Callback]:
    settings = plain["callbacks"]
    bar = settings["progress_bar"]
    chosen: list[pl.Callback] = [
        Interruption(output / LAST),
        ProgressLine(bar=sys.stderr.isatty() if bar is None else bool(bar)),
    ]
    stopping = settings["early_stopping"]
    if stopping["patience"] is not None:
        patience = positive("callbacks.early_stopping.patience", stopping["patience"])
        chosen.append(EarlyStopping(patience, float(stopping["min_delta"])))
    return chosen


def _trainer(plain: dict[str, Any], epochs: int, callbacks: list[pl.Callback]) -> pl.Trainer:
    output = Path(plain["output"])
    precision = plain["trainer"].get("precision", "32-true")
    if precision not in PRECISIONS:
        raise InputError(f"trainer.precision={precision}: expected {' or '.join(PRECISIONS)}")
    every = positive("callbacks.validate_every", plain["callbacks"]["validate_every"])
    loggers = build_loggers(plain["logger"], plain, output)
    try:
        return pl.Trainer(
            max_epochs=epochs,
            check_val_every_n_epoch=every,
            logger=loggers,
            callbacks=callbacks,
            plugins=[WholeFiles()],
            enable_checkpointing=True,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            # The training logs on its own, by images.
            log_every_n_steps=1,
            default_root_dir=output,
            **_started_processes(plain["trainer"]),
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error


def _started_processes(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the trainer's settings, where `auto` means the processes that torchrun has started.

    Lightning counts devices, and takes a machine without GPUs for one.
    """
    here = os.environ.get("LOCAL_WORLD_SIZE")
    if here is None or settings.get("devices") != "auto":
        return settings
    nodes = int(os.environ["WORLD_SIZE"]) // int(here)
    return settings | {"devices": int(here), "num_nodes": nodes}
