"""Settings and the nested mappings of YAML and JSON: made, written and compared."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from clumpygan.errors import InputError
from clumpygan.settings.conversion import alternatives, converted, shown
from clumpygan.settings.declaration import KEY, declared, default_of

T = TypeVar("T")


def from_mapping(kind: type[T], section: Mapping[str, Any], prefix: str = "") -> T:
    """Build a settings object from a section of YAML or JSON.

    Parameters
    ----------
    kind : type
        A settings class; a field whose type is another settings class is built from a section of
        its own, and what that leaves out is as in the default of the field.
    section : mapping
    prefix : str
        Dotted name of the section, for messages.

    Raises
    ------
    InputError
        For an unknown name (with the nearest one that is known), a missing one, or a bad value.
    """
    if not isinstance(section, Mapping):
        raise InputError(f"`{prefix}` is {shown(section)}: expected a section of settings")
    types_ = typing.get_type_hints(kind)
    dot = f"{prefix}." if prefix else ""
    known = {one.name: one for one in fields(kind) if one.init}  # type: ignore[arg-type]
    for name in section:
        if name not in known:
            raise InputError(
                f"`{dot}{name}`: there is no such setting{did_you_mean(name, known)}; "
                f"expected {', '.join(known)}"
            )
    values = {}
    for name, one in known.items():
        if name not in section:
            if one.default is MISSING and one.default_factory is MISSING:
                raise InputError(f"`{dot}{name}` is missing: give it")
            continue
        value = section[name]
        inner = next((t for t in alternatives(types_[name]) if dataclasses.is_dataclass(t)), None)
        if inner is not None and isinstance(value, Mapping):
            own = _changed(typing.cast(type, inner), default_of(kind, name))
            value = from_mapping(typing.cast(type, inner), {**own, **value}, f"{dot}{name}")
        elif KEY in one.metadata:
            try:
                value = converted(value, types_[name], declared(one))
            except ValueError as expected:
                words = f"`{dot}{name}` is {shown(value)}: expected {expected}"
                raise InputError(words) from None
        elif inner is not None and not isinstance(value, _classes(types_[name])):
            raise InputError(f"`{dot}{name}` is {shown(value)}: expected a section of settings")
        elif isinstance(value, list):
            value = tuple(value)
        values[name] = value
    return kind(**values)


def _classes(kind: Any) -> tuple[type, ...]:
    """Return the classes of which a value of that type is an instance."""
    origins = (typing.get_origin(one) or one for one in alternatives(kind))
    return tuple(one for one in origins if isinstance(one, type))


def plain(value: Any) -> Any:
    """Return a value as JSON and YAML have it: lists for tuples, words for paths, None for NaN.

    What is masked in a table is None as well: its number would be 0.
    """
    # That is `numpy.ma.masked`; this module is imported for every `--help`, without numpy.
    if type(value).__name__ == "MaskedConstant":
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    found = value.item() if hasattr(value, "item") else value
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    return found if isinstance(found, str | int | type(None)) else str(found)


def _changed(kind: type, default: Any) -> dict[str, Any]:
    """Return in what the default of a field differs from the defaults of its class."""
    if default is None:
        return {}
    names = [one.name for one in fields(kind) if one.init]
    found = {name: getattr(default, name) for name in names}
    return {name: value for name, value in found.items() if value != default_of(kind, name)}


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" with the known name that is nearest, nothing if none is.

    Names of settings that a file has may be numbers.
    """
    near = difflib.get_close_matches(str(name), list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def differences(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of the settings in which two nested mappings differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = sorted(set(before) | set(after), key=str)
        return [
            name
            for key in names
            for name in differences(before.get(key), after.get(key), f"{prefix}{key}.")
        ]
    return [] if before == after else [prefix.rstrip(".")]
