"""From a composed configuration to a trained network: what train.py does for one run."""

import json
import math
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from clumpygan.commands.datasets import build_data, check_batches
from clumpygan.commands.loggers import build_loggers
from clumpygan.commands.models import Model, build_module, model_of
from clumpygan.commands.settings import differences, positive
from clumpygan.commands.training_card import make_card, ship
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.gan.adversarial import AdversarialModule
from clumpygan.gan.callbacks import ProgressLine
from clumpygan.gan.checkpoint import save_checkpoint
from clumpygan.io import atomic_path

STATE = "last.ckpt"
"""Name of the state in the output folder from which a run goes on."""

PRECISIONS = ("32-true", "bf16-mixed")
"""Half precision with a loss scale is not among them: gradients are clipped unscaled."""


def train(config: DictConfig, extra_callbacks: Sequence[pl.Callback] = ()) -> dict[str, float]:
    """Run one training to its end.

    Parameters
    ----------
    config : DictConfig
        Composed from configs/train.yaml.
    extra_callbacks : sequence of pytorch_lightning.Callback
        Called after those of the configuration. After each validation
        ``trainer.callback_metrics["val/NAME"]`` holds the held-out metrics, ``module.curve[-1]``
        all of them with the images seen, and ``module.criterion`` names the one that decides;
        ``trainer.should_stop = True`` ends the training.

    Returns
    -------
    dict
        The held-out metrics where the criterion was best.

    Raises
    ------
    InputError
        If the configuration can't be run, or the output folder holds another training.
    KeyboardInterrupt
        If it was interrupted; the same command goes on.
    """
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    output = Path(plain["output"])
    if plain["threads"] is not None:
        torch.set_num_threads(positive("threads", plain["threads"]))
    model = model_of(plain["model"], plain["data"])
    data = build_data(plain["data"])
    epochs = -(-positive("total_images", plain["total_images"]) // data.images_per_epoch)
    module = build_module(
        plain["model"], data, epochs * data.images_per_epoch, int(plain["seed"]), plain["initial"]
    )
    trainer = _trainer(plain, config, epochs, model, extra_callbacks)
    check_batches(data, trainer.world_size)
    state = _state_to_resume(plain, output)
    _fit(trainer, module, data, state)
    if trainer.is_global_zero:
        card = make_card(plain, module, trainer)
        save_checkpoint(output / plain["name"], module.average, card)
        if plain["checkpoint"]:
            ship(Path(plain["checkpoint"]), module, card)
    best = min(module.curve, key=lambda point: _order(point[module.criterion]), default={})
    return {name: value for name, value in best.items() if name != "images"}


def _order(value: float) -> float:
    """Return the value by which the best is found: what isn't finite is worst."""
    return value if math.isfinite(value) else math.inf


def _fit(
    trainer: pl.Trainer, module: AdversarialModule, data: StreamDataModule, state: Path | None
) -> None:
    """Train, and measure the end if the last epoch wasn't one with a validation."""
    with warnings.catch_warnings():
        # The averaged generator is never trained: it is in evaluation mode on purpose.
        warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
        # The output folder holds the settings before it holds a state.
        warnings.filterwarnings("ignore", message=r"Checkpoint directory .* is not empty")
        try:
            trainer.fit(module, data, ckpt_path=state, weights_only=True)
        except SystemExit as stop:
            # Lightning turns Ctrl-C into an exit with code 1.
            if not trainer.interrupted:
                raise
            if trainer.is_global_zero:
                print("stopped: the same command goes on from the last full epoch", flush=True)
            raise KeyboardInterrupt from stop
        measured = module.curve[-1]["images"] if module.curve else 0
        if measured != int(module.images_seen):
            trainer.validate(module, data, verbose=False)


def _trainer(
    plain: dict[str, Any],
    config: DictConfig,
    epochs: int,
    model: Model,
    extra_callbacks: Sequence[pl.Callback],
) -> pl.Trainer:
    output, callbacks = Path(plain["output"]), plain["callbacks"]
    precision = plain["trainer"].get("precision", "32-true")
    if precision not in PRECISIONS:
        raise InputError(f"trainer.precision={precision}: expected {' or '.join(PRECISIONS)}")
    keep = ModelCheckpoint(
        output,
        filename=STATE.removesuffix(".ckpt"),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    shown: list[pl.Callback] = [TQDMProgressBar()] if callbacks["progress_bar"] else []
    if callbacks["pictures"]:
        shown.append(model.pictures(output / "pictures", callbacks["pictures"]))
    loggers = build_loggers(plain["logger"], config, output)
    try:
        return pl.Trainer(
            max_epochs=epochs,
            check_val_every_n_epoch=positive(
                "callbacks.validate_every", callbacks["validate_every"]
            ),
            logger=loggers,
            callbacks=[keep, ProgressLine(), *shown, *extra_callbacks],
            enable_progress_bar=bool(callbacks["progress_bar"]),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            log_every_n_steps=20,
            default_root_dir=output,
            **plain["trainer"],
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise InputError(f"trainer: {' '.join(str(error).split())}") from error


def _state_to_resume(plain: dict[str, Any], output: Path) -> Path | None:
    """Return the state to go on from, after checking that it is of the same training."""
    state, notes = output / STATE, output / "settings.json"
    kept = {key: plain[key] for key in ("model", "data", "seed", "initial", "total_images")}
    if plain["resume"] and state.exists():
        changed = ", ".join(differences(_read_settings(notes), kept))
        if changed:
            raise InputError(
                f"{output} holds a training with other settings ({changed}): "
                "choose another name=..., or resume=false to start anew"
            )
        if not zipfile.is_zipfile(state):
            raise InputError(f"{state} is truncated: resume=false starts anew")
        return state
    output.mkdir(parents=True, exist_ok=True)
    state.unlink(missing_ok=True)
    with atomic_path(notes) as temporary:
        temporary.write_text(json.dumps(kept, indent=1))
    return None


def _read_settings(notes: Path) -> Any:
    """Return the settings of the training that an output folder holds."""
    try:
        return json.loads(notes.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{notes} can't be read, so nobody knows of which training {STATE} is: "
            "choose another name=..., or resume=false to start anew"
        ) from error
