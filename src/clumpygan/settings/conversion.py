"""Values as the types of their fields want them, and words for what a field expects."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal

from clumpygan.settings.declaration import Setting


def converted(value: Any, kind: Any, meant: Setting) -> Any:
    """Return a value of Python or YAML as its type wants it.

    Parameters
    ----------
    value : object
    kind : type
        Annotation of the field.
    meant : Setting

    Raises
    ------
    ValueError
        If it is of another type, out of range, or none of the choices; its message says what was
        expected.
    """
    options = alternatives(kind)
    if value is None and type(None) in options:
        return None
    options = tuple(one for one in options if one is not type(None))
    for one in options:
        found = _as_kind(value, one, meant)
        if found is not MISSING:
            return found
    raise ValueError(
        _expected(options, meant) + (" or null" if type(None) in alternatives(kind) else "")
    )


def words_of(kind: Any, meant: Setting) -> str:
    """Return what a field expects, as "an integer from 2 to 256" or "one of g, r, i"."""
    return _expected(tuple(t for t in alternatives(kind) if t is not type(None)), meant)


def alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union of types; of another type, itself."""
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def _expected(options: tuple[Any, ...], meant: Setting) -> str:
    if meant.choices:
        return f"one of {', '.join(meant.choices)}"
    return " or ".join(dict.fromkeys(_noun(one, meant) for one in options))


def _noun(kind: Any, meant: Setting) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple:
        plural = f"{'' if inner[-1] is Ellipsis else f'{len(inner)} '}values"
        return f"{plural}, each {_noun(inner[0], meant)}"
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return "a section of settings"
    names = {bool: "true or false", str: "a text", Path: "a path"}
    if kind is int:
        return meant.range.words("an integer")
    if kind is float:
        return meant.range.words("a number")
    return names.get(kind, "a mapping" if origin in (dict, Mapping) else "another value")


def _as_kind(value: Any, kind: Any, meant: Setting) -> Any:
    """Return the value as `kind`, MISSING if it isn't one."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is bool:
        return value if isinstance(value, bool) else MISSING
    if kind in (int, float):
        return _number(value, kind, meant)
    if kind is str:
        sound = isinstance(value, str) and value in (meant.choices or (value,))
        # An empty text is a variable of a shell that wasn't set.
        return value if sound and value.strip() else MISSING
    if kind is Path:
        return Path(value) if isinstance(value, str | Path) and str(value) else MISSING
    if origin is Literal:
        return value if value in inner else MISSING
    if origin is tuple:
        return _sequence(value, inner, meant)
    plain = origin or kind
    if isinstance(plain, type) and plain is not Any:
        return value if isinstance(value, plain) else MISSING
    return value


def _number(value: Any, kind: type, meant: Setting) -> Any:
    if isinstance(value, bool):
        return MISSING
    # numpy's and torch's scalars, too.
    plain = value.item() if hasattr(value, "item") and not isinstance(value, str) else value
    if not isinstance(plain, int | float) or (kind is int and not isinstance(plain, int)):
        return MISSING
    try:
        return kind(plain) if meant.range.holds(plain) else MISSING
    except OverflowError:  # an integer that no float holds
        return MISSING


def _sequence(value: Any, inner: tuple[Any, ...], meant: Setting) -> Any:
    if isinstance(value, str) and inner == (str, ...):
        # As on the command line: names, separated by commas.
        value = [part.strip() for part in value.split(",")]
        if not all(value):
            return MISSING
    if isinstance(value, str) or not isinstance(value, Iterable):
        return MISSING
    given = tuple(value)
    kinds = inner[:1] * len(given) if inner[-1] is Ellipsis else inner
    if len(given) != len(kinds):
        return MISSING
    found = tuple(_as_kind(one, kind, meant) for one, kind in zip(given, kinds, strict=True))
    return MISSING if any(one is MISSING for one in found) else found


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, in one line."""
    text = (
        repr(value)
        if not isinstance(value, float | int) or isinstance(value, bool)
        else (f"{value:g}" if isinstance(value, float) else str(value))
    )
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."
