"""What all prepared sets on disk have in common: a folder of its own, a card, mapped arrays."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import DTypeLike

from clumpygan.errors import InputError
from clumpygan.io import atomic_path

CARD = "card.yaml"


def check_home(home: Path, own: Collection[str], what: str) -> None:
    """Raise InputError if a folder holds anything but a set.

    Parameters
    ----------
    home : Path
        The folder; it needn't exist.
    own : collection of str
        Names that a set that isn't whole may have.
    what : str
        What the set is, as "set of cubes".
    """
    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is a file; expected the name of a folder")
    if home.is_dir() and not (home / CARD).exists():
        foreign = sorted(one.name for one in home.iterdir() if one.name not in own)
        if foreign:
            raise InputError(
                f"{home} holds {foreign[0]} and no {what}; expected a new or empty folder"
            )


def read_card(home: Path, version: int, needed: Collection[str], what: str) -> dict[str, Any]:
    """Read the card of a set, whole or not.

    Parameters
    ----------
    home : Path
    version : int
        The `format` that it must have.
    needed : collection of str
        Its other keys.
    what : str
        What the set is.

    Raises
    ------
    InputError
        If it can't be read or is another kind of card.
    """
    try:
        card = yaml.safe_load((home / CARD).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{home / CARD} can't be read: delete the folder {home}") from error
    if not isinstance(card, dict) or not {"format", *needed} <= set(card):
        raise InputError(f"{home / CARD} is no card of a {what}: choose another folder")
    if card["format"] != version:
        raise InputError(f"{home / CARD} is no card of a {what}: choose another folder")
    return card


def write_card(home: Path, card: dict[str, Any]) -> None:
    """Write the card of a set, or replace it."""
    with atomic_path(home / CARD) as temporary:
        temporary.write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")


def check_same(
    home: Path, before: dict[str, Any], after: dict[str, Any], keys: Sequence[str]
) -> None:
    """Raise InputError if two cards differ in these keys."""
    differing = [
        difference for key in keys for difference in _differences(before[key], after[key], key)
    ]
    if differing:
        raise InputError(
            f"{home} holds another set ({'; '.join(differing[:3])}): choose another folder, or "
            "delete it"
        )


def mapped(path: Path, shape: tuple[int, ...], kind: DTypeLike) -> np.ndarray:
    """Map an array of a set into memory, for reading.

    Raises
    ------
    InputError
        If it can't be read, or isn't of this shape and dtype.
    """
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} can't be read ({error}): delete {path.parent} and prepare it again"
        ) from error
    if array.shape != shape or array.dtype != kind:
        raise InputError(
            f"{path} holds {array.shape} {array.dtype}, expected {shape} {np.dtype(kind)}: delete "
            f"{path.parent} and prepare it again"
        )
    return array


def _differences(before: Any, after: Any, name: str) -> list[str]:
    """Return what differs, as "settings.frame.shape: [8, 8, 8], not [16, 8, 8]"."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            difference
            for key in sorted(set(before) | set(after))
            for difference in _differences(before.get(key), after.get(key), f"{name}.{key}")
        ]
    if _sections(before) and _sections(after) and len(before) == len(after):
        return _differences(dict(enumerate(before)), dict(enumerate(after)), name)
    return [] if before == after else [f"{name}: {before}, not {after}"]


def _sections(value: Any) -> bool:
    """Tell a list of sections from a list of numbers or names."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
