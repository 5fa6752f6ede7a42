"""From a composed configuration to a trained network: what train.py does for one run."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from clumpygan.commands.loggers import build_loggers
from clumpygan.commands.training_card import make_card, ship
from clumpygan.data.pairs import PairDataModule
from clumpygan.data.store import SampleSettings
from clumpygan.data.views import Conditions
from clumpygan.errors import InputError
from clumpygan.gan.adversarial import Game, Schedule
from clumpygan.gan.callbacks import ProgressLine, RecoveryPictures
from clumpygan.gan.checkpoint import build_network, load_checkpoint, save_checkpoint
from clumpygan.gan.super_resolution import SuperResolutionModule, Weights
from clumpygan.io import atomic_path
from clumpygan.networks.discriminator import SuperResolutionDiscriminator

STATE = "last.ckpt"
"""Name of the state in the output folder from which a run goes on."""

PRECISIONS = ("32-true", "bf16-mixed")
"""Half precision with a loss scale is not among them: gradients are clipped unscaled."""


def build_data(settings: dict[str, Any]) -> PairDataModule:
    """Build the data module of a configuration's section `data`.

    Raises
    ------
    InputError
        If a value is out of range or unknown, or the data are cubes.
    """
    if "cubes" in settings:
        raise InputError("data=cubes: no model trains on cubes yet; expected data=pairs or stamps")
    for name in ("train_size", "val_size", "batch_size", "images_per_epoch"):
        _positive(f"data.{name}", settings[name])
    if settings["batch_size"] > settings["images_per_epoch"]:
        raise InputError("data.batch_size is larger than data.images_per_epoch: lower it")
    conditions = dataclass_from(Conditions, settings["conditions"])
    dataclass_from(SampleSettings, {"size": 1, "split": "val", "seed": 0, **settings["sample"]})
    try:
        return PairDataModule(**(settings | {"conditions": conditions}))
    except TypeError as error:
        raise InputError(f"data: {error}") from error


def build_module(
    settings: dict[str, Any], total_images: int, seed: int, initial: str | None = None
) -> SuperResolutionModule:
    """Build generator, discriminator and their training from the section `model`.

    Parameters
    ----------
    settings : dict
    total_images, seed : int
    initial : str, optional
        Name or path of a checkpoint of the same network: the generator starts with its weights.

    Raises
    ------
    InputError
        If a value is out of range or unknown, or the checkpoint is of another network.
    """
    torch.manual_seed(seed)
    network = settings["network"]
    generator = build_network(network["name"], network["arguments"])
    if initial is not None:
        trained, card = load_checkpoint(initial, (network["name"],))
        changed = ", ".join(_differences(card["network"]["arguments"], network["arguments"]))
        if changed:
            raise InputError(
                f"initial={initial}: its network has other arguments ({changed}); "
                "set them as in its card, or start from initial=null"
            )
        generator.load_state_dict(trained.state_dict())
    game = dataclass_from(Game, settings["game"])
    _positive("model.game.penalty_interval", game.penalty_interval)
    if game.start >= total_images:
        raise InputError(
            f"model.game.start={game.start}: the discriminator would never join in a training of "
            f"{total_images} images; lower it, or raise total_images"
        )
    samples = _positive("model.validation_samples", settings["validation_samples"])
    if samples % 2:
        raise InputError(f"model.validation_samples={samples}: expected an even number")
    try:
        discriminator: torch.nn.Module = SuperResolutionDiscriminator(**settings["discriminator"])
        if settings["channels_last"]:
            generator = generator.to(memory_format=torch.channels_last)
            discriminator = discriminator.to(memory_format=torch.channels_last)
        return SuperResolutionModule(
            generator,
            discriminator,
            weights=dataclass_from(Weights, settings["weights"]),
            crop_blocks=settings["crop_blocks"],
            validation_samples=samples,
            total_images=total_images,
            seed=seed,
            game=game,
            schedule=dataclass_from(Schedule, settings["schedule"]),
            ema_half_life=settings["ema_half_life"],
            gradient_clip=settings["gradient_clip"],
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"model: {error}") from error


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
    KeyboardInterrupt
        If it was interrupted; the same command goes on.
    """
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    output = Path(plain["output"])
    if plain["threads"] is not None:
        torch.set_num_threads(_positive("threads", plain["threads"]))
    data = build_data(plain["data"])
    epochs = -(-_positive("total_images", plain["total_images"]) // data.images_per_epoch)
    module = build_module(
        plain["model"], epochs * data.images_per_epoch, int(plain["seed"]), plain["initial"]
    )
    trainer = _trainer(plain, config, epochs)
    _check_batches(data, trainer.world_size)
    state = _state_to_resume(plain, output)
    _fit(trainer, module, data, state)
    if trainer.is_global_zero:
        card = make_card(plain, module, trainer)
        save_checkpoint(output / plain["name"], module.average, card)
        if plain["checkpoint"]:
            ship(Path(plain["checkpoint"]), module.average, card)
    return {k: v for k, v in (module.curve[-1] if module.curve else {}).items() if k != "images"}


def _fit(
    trainer: pl.Trainer, module: SuperResolutionModule, data: PairDataModule, state: Path | None
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


def _positive(name: str, value: Any) -> int:
    """Return a whole number of at least 1, or say which setting isn't one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value}: expected a whole number of at least 1")
    return value


def _check_batches(data: PairDataModule, processes: int) -> None:
    """Refuse epochs that the processes can't share in whole batches."""
    step = data.batch_size * processes
    if data.images_per_epoch % step:
        raise InputError(
            f"data.images_per_epoch={data.images_per_epoch}: expected a multiple of {step}, "
            f"batches of {data.batch_size} in {processes} process(es)"
        )


def _trainer(plain: dict[str, Any], config: DictConfig, epochs: int) -> pl.Trainer:
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
        shown.append(RecoveryPictures(output / "pictures", callbacks["pictures"]))
    loggers = build_loggers(plain["logger"], config, output)
    try:
        return pl.Trainer(
            max_epochs=epochs,
            check_val_every_n_epoch=_positive(
                "callbacks.validate_every", callbacks["validate_every"]
            ),
            logger=loggers,
            callbacks=[keep, ProgressLine(), *shown],
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
        changed = ", ".join(_differences(_read_settings(notes), kept))
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
