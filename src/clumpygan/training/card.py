"""The card of a trained network, and the decision whether it is shipped."""

import platform
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

import clumpygan
from clumpygan.errors import InputWarning
from clumpygan.gan.checkpoint import checkpoints_of, find_checkpoint, read_card, save_checkpoint
from clumpygan.gan.training import TrainingModule
from clumpygan.training.provenance import commit

_BEFORE = ("commit", "images_seen", "hours", "initial", "notes")
_PLACES = ("root", "table", "cache", "stamps", "psf")


def make_card(
    plain: dict[str, Any],
    module: TrainingModule,
    trainer: pl.Trainer,
    held_out: dict[str, float],
) -> dict[str, Any]:
    """Return the card of a trained network: how it was made and how good it is.

    Parameters
    ----------
    plain : dict
        The whole configuration.
    module : AdversarialModule
    trainer : Trainer
        That trained it.
    held_out : dict
        The point of the curve that the network is of: `images`, seen by then, and metrics.
    """
    starts = [
        read_card(find_checkpoint(name).with_suffix(".yaml"))
        for name in checkpoints_of(plain["initial"])
    ]
    before = [{key: card.get(key) for key in _BEFORE} for card in starts]
    data = {key: value for key, value in plain["data"].items() if key not in _PLACES}
    return {
        "network": dict(module.network),
        "clumpygan": clumpygan.__version__,
        "commit": commit(),
        # A training that started from trained weights: what had gone into those comes on top.
        "initial": before if len(before) > 1 else next(iter(before), None),
        "images_seen": held_out["images"],
        # The curve may go on after the best point.
        "images_trained": module.images_seen,
        "hours": round(module.seconds / 3600, 3),
        "hardware": _hardware(trainer),
        "versions": {n: version(n) for n in ("torch", "pytorch-lightning", "galsim", "numpy")},
        "seed": plain["seed"],
        "data": data,
        "images": trainer.datamodule.describe(),
        "model": {key: value for key, value in plain["model"].items() if key != "pictures"},
        "criterion": module.criterion,
        "total_images": plain["total_images"],
        "held_out": held_out,
        "curve": module.curve,
    }


def ship(stem: Path, network: torch.nn.Module, card: dict[str, Any]) -> None:
    """Write a checkpoint unless a better one of the same network is there already.

    Parameters
    ----------
    stem : Path
        Where to, without an ending.
    network : torch.nn.Module
    card : dict
        Its `criterion` decides.

    Warns
    -----
    InputWarning
        If the one that is there is better, and is kept.
    """
    existing = stem.with_name(f"{stem.name}.yaml")
    if existing.exists():
        old = read_card(existing).get("held_out", {}).get(card["criterion"], float("inf"))
        new = card["held_out"].get(card["criterion"], float("nan"))
        # Not "new > old": a NaN is no improvement.
        if not new <= old:
            warnings.warn(
                f"{stem} is kept: its held-out {card['criterion']} of {old:.4f} is better than "
                f"{new:.4f}",
                InputWarning,
                stacklevel=2,
            )
            return
    save_checkpoint(stem, network, card)


def _hardware(trainer: pl.Trainer) -> str:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        return f"{trainer.world_size} x {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"{trainer.world_size} process(es) of {threads} CPU thread(s), {platform.machine()}"
