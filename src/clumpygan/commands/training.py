"""From a composed configuration to a trained network: what train.py does for one run."""

import json
import platform
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger, Logger

import clumpygan
from clumpygan.commands.logging import wandb_logger
from clumpygan.data.pairs import PairDataModule
from clumpygan.data.store import SampleSettings
from clumpygan.data.views import Conditions
from clumpygan.errors import InputError
from clumpygan.gan.adversarial import Game, Schedule
from clumpygan.gan.callbacks import ProgressLine, RecoveryPictures
from clumpygan.gan.checkpoint import build_network, read_card, save_checkpoint
from clumpygan.gan.super_resolution import SuperResolutionModule, Weights
from clumpygan.networks.super_resolution import SuperResolutionDiscriminator

STATE = "last.ckpt"
"""Name of the state in the output folder from which a run goes on."""


def build_data(settings: dict[str, Any]) -> PairDataModule:
    """Build the data module of a configuration's section `data`.

    Raises
    ------
    InputError
        If a value is out of range or unknown.
    """
    for name in ("train_size", "val_size", "batch_size", "images_per_epoch"):
        _positive(f"data.{name}", settings[name])
    if settings["batch_size"] > settings["images_per_epoch"]:
        raise InputError("data.batch_size is larger than data.images_per_epoch: lower it")
    conditions = dataclass_from(Conditions, settings["conditions"])
    dataclass_from(SampleSettings, {"size": 1, "split": "val", "seed": 0, **settings["sample"]})
    return PairDataModule(**(settings | {"conditions": conditions}))


def build_module(settings: dict[str, Any], total_images: int, seed: int) -> SuperResolutionModule:
    """Build generator, discriminator and their training from the section `model`.

    Raises
    ------
    InputError
        If a value is out of range or unknown.
    """
    torch.manual_seed(seed)
    network = settings["network"]
    generator = build_network(network["name"], network["arguments"])
    discriminator: torch.nn.Module = SuperResolutionDiscriminator(**settings["discriminator"])
    if settings["channels_last"]:
        generator = generator.to(memory_format=torch.channels_last)
        discriminator = discriminator.to(memory_format=torch.channels_last)
    try:
        return SuperResolutionModule(
            generator,
            discriminator,
            weights=dataclass_from(Weights, settings["weights"]),
            crop_blocks=settings["crop_blocks"],
            validation_samples=settings["validation_samples"],
            total_images=total_images,
            seed=seed,
            game=dataclass_from(Game, settings["game"]),
            schedule=dataclass_from(Schedule, settings["schedule"]),
            ema_half_life=settings["ema_half_life"],
            gradient_clip=settings["gradient_clip"],
        )
    except ValueError as error:
        raise InputError(f"model: {error}") from error


def build_loggers(settings: dict[str, Any], config: DictConfig, output: Path) -> list[Logger]:
    """Return the CSV logger, and Weights & Biases' beside it if asked for."""
    loggers: list[Logger] = [CSVLogger(str(output), name="logs")]
    if settings["name"] == "wandb":
        loggers.append(wandb_logger(settings, config, output))
    elif settings["name"] != "csv":
        raise InputError(f"logger.name={settings['name']}: expected csv or wandb")
    return loggers


def train(config: DictConfig) -> dict[str, float]:
    """Run one training to its end.

    Parameters
    ----------
    config : DictConfig
        Composed from configs/train.yaml.

    Returns
    -------
    dict
        The last held-out metrics.

    Raises
    ------
    InputError
        If the configuration can't be run, or the output folder holds another training.
    """
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    output, images = Path(plain["output"]), _positive("total_images", plain["total_images"])
    if plain["threads"] is not None:
        torch.set_num_threads(_positive("threads", plain["threads"]))
    data = build_data(plain["data"])
    module = build_module(plain["model"], images, int(plain["seed"]))
    state = _state_to_resume(plain, output)
    callbacks = plain["callbacks"]
    trainer = _trainer(plain, config, output)
    if callbacks["pictures"]:
        trainer.callbacks.append(RecoveryPictures(output / "pictures", callbacks["pictures"]))
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
            print(f"stopped: the same command goes on from {output / STATE}", flush=True)
            raise KeyboardInterrupt from stop
    if trainer.is_global_zero:
        card = make_card(plain, module)
        save_checkpoint(output / plain["name"], module.average, card)
        if plain["checkpoint"]:
            ship(Path(plain["checkpoint"]), module.average, card)
    return {k: v for k, v in (module.curve[-1] if module.curve else {}).items() if k != "images"}


def _positive(name: str, value: Any) -> int:
    """Return a whole number of at least 1, or say which setting isn't one."""
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{name}={value}: expected a whole number of at least 1")
    return value


def _trainer(plain: dict[str, Any], config: DictConfig, output: Path) -> pl.Trainer:
    epochs, rest = divmod(int(plain["total_images"]), int(plain["data"]["images_per_epoch"]))
    keep = ModelCheckpoint(
        output,
        filename=STATE.removesuffix(".ckpt"),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    shown = [TQDMProgressBar()] if plain["callbacks"]["progress_bar"] else []
    return pl.Trainer(
        max_epochs=epochs + (rest > 0),
        check_val_every_n_epoch=plain["callbacks"]["validate_every"],
        logger=build_loggers(plain["logger"], config, output),
        callbacks=[keep, ProgressLine(), *shown],
        enable_progress_bar=bool(shown),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=20,
        default_root_dir=output,
        **plain["trainer"],
    )


def _state_to_resume(plain: dict[str, Any], output: Path) -> Path | None:
    """Return the state to go on from, after checking that it is of the same training."""
    state, notes = output / STATE, output / "settings.json"
    kept = {key: plain[key] for key in ("model", "data", "seed", "total_images")}
    if plain["resume"] and state.exists() and notes.exists():
        before = json.loads(notes.read_text())
        if (before := json.loads(json.dumps(before))) != json.loads(json.dumps(kept)):
            changed = ", ".join(_differences(before, kept))
            raise InputError(
                f"{output} holds a training with other settings ({changed}): "
                "choose another name=..., or resume=false to start anew"
            )
        return state
    output.mkdir(parents=True, exist_ok=True)
    state.unlink(missing_ok=True)
    notes.write_text(json.dumps(kept, indent=1))
    return None


def _differences(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of the settings that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(set(before) | set(after))
        return [
            name
            for key in names
            for name in _differences(before.get(key), after.get(key), f"{prefix}{key}.")
        ]
    return [] if before == after else [prefix.rstrip(".")]


def make_card(plain: dict[str, Any], module: SuperResolutionModule) -> dict[str, Any]:
    """Return the card of a trained network: how it was made and how good it is."""
    return {
        "network": plain["model"]["network"],
        "clumpygan": clumpygan.__version__,
        "commit": _commit(),
        "images_seen": int(module.images_seen),
        "hours": round(float(module.seconds) / 3600, 3),
        "hardware": f"{torch.get_num_threads()} thread(s), {platform.machine()}, {module.device}",
        "versions": {n: version(n) for n in ("torch", "pytorch-lightning", "galsim", "numpy")},
        "seed": plain["seed"],
        "data": plain["data"],
        "model": {key: value for key, value in plain["model"].items() if key != "network"},
        "total_images": plain["total_images"],
        "held_out": module.curve[-1] if module.curve else {},
        "curve": module.curve,
    }


def ship(stem: Path, network: torch.nn.Module, card: dict[str, Any]) -> None:
    """Write a checkpoint unless a better one (lower held-out NRMSE) is there already.

    Raises
    ------
    InputError
        If the one that is there is better.
    """
    existing = stem.with_name(f"{stem.name}.yaml")
    if existing.exists():
        old = read_card(existing).get("held_out", {}).get("nrmse", float("inf"))
        new = card["held_out"].get("nrmse", float("inf"))
        if new > old:
            raise InputError(
                f"{stem} is kept: its held-out NRMSE of {old:.4f} is better than {new:.4f}"
            )
    save_checkpoint(stem, network, card)


def dataclass_from(kind: Any, fields: dict[str, Any]) -> Any:
    """Build a dataclass from a section of the configuration.

    Raises
    ------
    InputError
        If the section has a field that the dataclass doesn't.
    """
    known = kind.__dataclass_fields__
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise InputError(
            f"unknown setting {', '.join(unknown)}: {kind.__name__} has {', '.join(known)}"
        )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def _commit() -> str:
    """Return the commit of the checkout, or 'unknown' outside one."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
