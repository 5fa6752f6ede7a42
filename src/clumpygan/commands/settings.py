"""Sections of the configuration: checked, compared, and turned into what they describe."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from clumpygan.errors import InputError


def positive(name: str, value: Any) -> int:
    """Return a whole number of at least 1, or say which setting isn't one.

    Raises
    ------
    InputError
        If it isn't.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value}: expected a whole number of at least 1")
    return value


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" with the known name that is nearest, nothing if none is."""
    near = get_close_matches(name, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def differences(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of the settings that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(set(before) | set(after))
        return [
            name
            for key in names
            for name in differences(before.get(key), after.get(key), f"{prefix}{key}.")
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
            f"unknown setting {', '.join(unknown)}{did_you_mean(unknown[0], known)}: "
            f"{kind.__name__} has {', '.join(known)}"
        )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
