"""From a composed configuration to a trained network: what train.py does for one run."""

import copy
import logging
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError, reason
from clumpygan.gan.checkpoint import save_checkpoint
from clumpygan.gan.targets import instantiate, trusting
from clumpygan.gan.training import TrainingModule
from clumpygan.io.atomic import only_one
from clumpygan.training.build import build_data, build_module, check_batches
from clumpygan.training.card import make_card, ship
from clumpygan.training.interruption import EarlyStopping, Interrupted, Interruption
from clumpygan.training.loggers import ProgressLine, build_loggers, close_loggers, log_network
from clumpygan.training.settings import (
    PRECISIONS,
    RunSettings,
    check_sections,
    plain_config,
    run_settings,
    shortened,
)
from clumpygan.training.states import (
    LAST,
    States,
    WholeFiles,
    best_network,
    state_to_resume,
)

TERMINATED = 128 + signal.SIGTERM
"""Exit code after a signal other than that of Ctrl-C."""

_log = logging.getLogger(__name__)


def train(
    config: DictConfig, extra_callbacks: Sequence[pl.Callback] = (), *, lock: bool = True
) -> dict[str, float]:
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
    lock : bool
        Whether to keep other trainings out of the output folder.

    Returns
    -------
    dict
        The held-out metrics where the criterion was best.

    Raises
    ------
    InputError
        If the configuration can't be run, the output folder holds another training or is being
        written to, or the losses explode.
    KeyboardInterrupt
        If it was interrupted; the same command goes on.
    SystemExit
        With code 143, if it was told to terminate; the same command goes on.
    """
    # What Lightning tells of its own doings would hide what the training says.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    plain = plain_config(config)
    check_sections(plain)
    plain = shortened(plain)
    run = run_settings(plain)
    output = Path(run.output)
    output.mkdir(parents=True, exist_ok=True)
    # Several processes that train one network together are led by the first.
    alone = lock and rank_zero_only.rank == 0
    with only_one(output, wait=False) if alone else nullcontext():
        return _train(plain, run, output, extra_callbacks)


def _train(
    plain: dict[str, Any], run: RunSettings, output: Path, extra_callbacks: Sequence[pl.Callback]
) -> dict[str, float]:
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    with trusting(everything=True):
        data = build_data(plain["data"])
    data.overfit = run.overfit
    epochs = -(-plain["total_images"] // data.images_per_epoch)
    module = build_module(
        plain["model"], data, epochs * data.images_per_epoch, run.seed, run.initial
    )
    callbacks = _callbacks(run, plain["model"].get("pictures"), output)

    def publish(held_out: dict[str, float]) -> None:
        """Write the best network so far."""
        save_checkpoint(
            output / run.name, module.average, make_card(plain, module, trainer, held_out)
        )

    states = States(output, publish)
    trainer = _trainer(plain, run, epochs, [states, *callbacks, *extra_callbacks])
    check_batches(data, trainer.world_size)
    state = state_to_resume(plain, output)
    try:
        _fit(trainer, module, data, state)
        if trainer.is_global_zero:
            network = copy.deepcopy(module.average)
            weights, held_out = best_network(output)
            network.load_state_dict(weights)
            card = make_card(plain, module, trainer, held_out)
            save_checkpoint(output / run.name, network, card)
            log_network(trainer.loggers, output / run.name, card)
            _log.info(
                "%s.safetensors: %s %.4g at %d images",
                *(output / run.name, card["criterion"], held_out[card["criterion"]]),
                held_out["images"],
            )
            if run.checkpoint:
                ship(Path(run.checkpoint), network, card)
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
                _log.info("saved at %d images: the same command goes on", stop.images)
            if stop.signal_number == signal.SIGINT:
                raise KeyboardInterrupt from stop
            sys.exit(TERMINATED)
        except SystemExit as stop:
            # Lightning turns a second Ctrl-C into an exit with code 1; a launcher that has queued
            # the job again exits with a code of its own.
            if not trainer.interrupted or stop.code != 1:
                raise
            if trainer.is_global_zero:
                _log.info("stopped: the same command goes on from the last saved state")
            raise KeyboardInterrupt from stop
        except (RuntimeError, ValueError) as error:
            # The networks', and their optimisers'.
            if not any(one in str(error) for one in ("loading state_dict", "loaded state dict")):
                raise
            raise InputError(f"{state} is a state of other networks: {reason(error)}") from error


def _callbacks(run: RunSettings, pictures: Any, output: Path) -> list[pl.Callback]:
    chosen = run.callbacks
    bar = sys.stderr.isatty() if chosen.progress_bar is None else chosen.progress_bar
    callbacks: list[pl.Callback] = [Interruption(output / LAST), ProgressLine(bar=bar)]
    stopping = chosen.early_stopping
    if stopping.patience is not None:
        callbacks.append(EarlyStopping(stopping.patience, stopping.min_delta))
    if chosen.pictures and pictures is not None:
        if not isinstance(pictures, Mapping):
            raise InputError(f"`model.pictures` is {pictures!r}: expected a section, or null")
        spec = {**pictures, "folder": output / "pictures", "count": chosen.pictures}
        with trusting(everything=True):
            callbacks.append(instantiate(spec, "model.pictures", kind=pl.Callback))
    return callbacks


def _trainer(
    plain: dict[str, Any], run: RunSettings, epochs: int, callbacks: list[pl.Callback]
) -> pl.Trainer:
    output = Path(run.output)
    precision = plain["trainer"].get("precision", "32-true")
    if precision not in PRECISIONS:
        raise InputError(f"`trainer.precision` is {precision}: expected {' or '.join(PRECISIONS)}")
    loggers = build_loggers(plain["logger"], plain, output)
    try:
        return pl.Trainer(
            max_epochs=epochs,
            check_val_every_n_epoch=run.callbacks.validate_every,
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
        raise InputError(f"`trainer`: {' '.join(str(error).split())}") from error


def _started_processes(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the trainer's settings, where `auto` means the processes that torchrun has started.

    Lightning counts devices, and takes a machine without GPUs for one.
    """
    here = os.environ.get("LOCAL_WORLD_SIZE")
    if here is None or settings.get("devices") != "auto":
        return settings
    nodes = int(os.environ["WORLD_SIZE"]) // int(here)
    return settings | {"devices": int(here), "num_nodes": nodes}
