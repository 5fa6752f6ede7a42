"""The settings of a run: how long, where, from what, and what is said and kept of it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any, TypeGuard

from clumpygan.errors import InputError
from clumpygan.instruments.presets import DEFAULT_SURVEY, DEFAULT_TARGET
from clumpygan.settings import (
    check,
    did_you_mean,
    from_mapping,
    seed_setting,
    setting,
    shown,
)

PRECISIONS = ("32-true", "bf16-mixed")
"""Half precision with a loss scale is not among them: gradients are clipped unscaled."""

COUNTED = (
    "total_images",
    "model.game.start",
    "model.game.ramp",
    "model.schedule.warm_up",
    "model.weights.flux_start",
    "model.ema_half_life",
)
"""Settings, of those that a model has, that count images of the training."""


_MOST_IMAGES = 10**15
"""No training is as long."""


@dataclass(frozen=True)
class EarlyStoppingSettings:
    """When a training ends before its time."""

    patience: int | None = setting(
        None, "validations without improvement of the criterion after which it ends", least=1
    )
    min_delta: float = setting(0.0, "what counts as an improvement is more than this", least=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class CallbackSettings:
    """What happens beside a training."""

    validate_every: int = setting(2, "epochs between two validations", least=1)
    pictures: int = setting(6, "held-out galaxies in the picture of each validation", least=0)
    progress_bar: bool | None = setting(None, "a live bar; null: on a terminal")
    early_stopping: EarlyStoppingSettings = field(default_factory=EarlyStoppingSettings)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class LoggerSettings:
    """Where the numbers of a training go beside its CSV files."""

    name: str = setting("csv", "of what takes them", choices=("csv", "wandb", "tensorboard"))
    project: str = setting("clumpygan", "of Weights & Biases")
    entity: str | None = setting(None, "user or team of Weights & Biases")
    offline: bool | None = setting(None, "of Weights & Biases; null: where there is no key")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class RunSettings:
    """One training, beside its sections `model`, `data`, `trainer` and `logger`."""

    name: str = setting("run", "of the run, and of the file of its network")
    output: str = setting("outputs/run", "folder of its states, logs and pictures")
    seed: int = seed_setting()
    ckpt_path: str | None = setting("last", "state to start from: last, best, a path; null: anew")
    initial: str | tuple[str, ...] | None = setting(
        None, "checkpoint, or several, whose weights, or their mean, the generator starts with"
    )
    total_images: int = setting(98304, "length of the training", "images", least=1)
    shorten_to: int | None = setting(None, "a shorter one, in proportion", "images", least=1)
    overfit: bool = setting(False, "one batch over and over, which is the held-out set too")
    checkpoint: str | None = setting(None, "also write the network here, unless a better one is")
    threads: int | None = setting(None, "CPU threads of each process; null: as torch says", least=1)
    callbacks: CallbackSettings = field(default_factory=CallbackSettings)

    def __post_init__(self) -> None:
        check(self)
        check_name(self.name)


_SECTIONS = ("model", "data", "trainer", "logger", "callbacks")

_MEANT_FOR_OTHERS = ("sweep", "survey", "target", "debug_name")
"""Settings that the composition, and searches, refer to."""


def check_sections(plain: Mapping[str, Any]) -> None:
    """Refuse a configuration with settings that nothing reads, or sections that are none.

    Raises
    ------
    InputError
        For the first of them.
    """
    known = (*(one.name for one in fields(RunSettings)), *_SECTIONS, *_MEANT_FOR_OTHERS)
    for name in plain:
        if name not in known:
            raise InputError(
                f"`{name}`: there is no such setting{did_you_mean(name, known)}; expected one "
                "of configs/train.yaml"
            )
    for name in _SECTIONS:
        if not isinstance(plain.get(name), Mapping):
            raise InputError(
                f"`{name}` is {shown(plain.get(name))}: expected one of the choices of "
                f"configs/{name}"
            )


def run_settings(plain: Mapping[str, Any]) -> RunSettings:
    """Return the settings of the run of a whole configuration.

    Raises
    ------
    InputError
        If one is out of range.
    """
    return from_mapping(
        RunSettings, {one.name: plain[one.name] for one in fields(RunSettings) if one.name in plain}
    )


def check_name(name: str, where: str = "name") -> str:
    """Return the name of a run, or a part of it, which is that of a file.

    Raises
    ------
    InputError
        If it leads into another folder.
    """
    if not name or PurePath(name).name != name or name.startswith("."):
        raise InputError(f"`{where}` is {name!r}: expected the name of a file, without folders")
    return name


def check_folder_name(output: Any) -> str:
    """Return the folder of a run, before Hydra writes what it was told into it.

    Raises
    ------
    InputError
        If it is no text, or an empty one.
    """
    if not isinstance(output, str) or not output.strip():
        raise InputError(f"`output` is {shown(output)}: expected the name of a folder")
    return output


def run_folder(config: Mapping[str, Any]) -> str:
    """Return the name of the folder of a run: its own name, and what sets it apart.

    Short runs of a try (`debug`), and runs on other data than those that the model is made for,
    don't go on where the others are.

    Parameters
    ----------
    config : mapping
        With `name`, `debug_name`, `model.data` and `data`.
    """
    data, model = config.get("data") or {}, config.get("model") or {}
    words = [check_name(str(config["name"]))]
    if model.get("data") not in (None, data.get("name")):
        words.append(check_name(str(data.get("name")), "data.name"))
    for key in ("root", "images", "stamps", "survey", "target"):
        given = data.get(key) if key in data else None
        if given not in (None, DEFAULT_SURVEY, DEFAULT_TARGET):
            words.append(PurePath(str(given)).name.partition(".")[0])
    if config.get("debug_name"):
        words.append(check_name(str(config["debug_name"]), "debug_name"))
    return "_".join(word for word in words if word)


def positive(name: str, value: Any) -> int:
    """Return a whole number of at least 1, or say which setting isn't one.

    Raises
    ------
    InputError
        If it isn't.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"`{name}` is {value}: expected an integer >= 1")
    return value


def plain_config(config: Any) -> dict[str, Any]:
    """Return a composed configuration as nested dicts, with what refers to others resolved."""
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config, resolve=True)
    return dict(plain)


def _counts(value: Any) -> TypeGuard[float]:
    """Whether a value is a number of images, 5000 or 5e3, that there can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < _MOST_IMAGES and float(value).is_integer()


def shortened(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration, made shorter in proportion if `shorten_to` says so.

    Everything that happens at some number of images then happens at the same part of the training.

    Parameters
    ----------
    plain : dict
        The whole configuration; a copy is returned.

    Raises
    ------
    InputError
        If a length isn't a whole number of at least 1.
    """
    plain = copy.deepcopy(plain)
    total = positive("total_images", plain["total_images"])
    if plain["shorten_to"] is None:
        return plain
    wanted = positive("shorten_to", plain["shorten_to"])
    for name in COUNTED:
        *sections, key = name.split(".")
        section: Any = plain
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        value = section.get(key) if isinstance(section, dict) else None
        # What makes no sense is left as it is, to be refused.
        if _counts(value):
            section[key] = round(value * wanted / total)
    return plain
