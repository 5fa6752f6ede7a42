"""YAML and JSON files: settings, cards, recipes, notes. Any file is read, or refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError, reason

_LARGEST = 4 * 2**20  # bytes; the largest card has 12,000, and /dev/zero ends nowhere
_MOST_VALUES = 1_000_000
_MOST_DIGITS = 100  # of what is counted or measured; Python can't even print 4300
_DEEPEST = 100  # lists within lists; settings have four


def read_yaml(path: Path, what_to_do: str, name: str | None = None) -> Any:
    """Return what a YAML file holds: lists, dicts, numbers, words, dates, or None.

    Parameters
    ----------
    path : Path
        Of a file, pipe or device.
    what_to_do : str
        End of the message: what was expected, or what to do.
    name : str, optional
        How the message begins; by default the path.

    Raises
    ------
    InputError
        If it can't be read, has more than 4 MB, isn't text in UTF-8 or no YAML, or its values, with
        all aliases written out, are more than a million, whole numbers of over 100 digits, or
        nested too deeply.
    """
    from clumpygan.settings.frugal_yaml import FrugalLoader

    def parse(text: str) -> Any:
        loader = FrugalLoader(text, _MOST_DIGITS, _MOST_VALUES, _DEEPEST)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()

    called = name or str(path)
    return _parsed(_content(path, called, "YAML", what_to_do), parse, called, "YAML", what_to_do)


def read_json(path: Path, what_to_do: str, name: str | None = None) -> Any:
    """Return what a JSON file holds, as `read_yaml` does."""
    called = name or str(path)
    return parse_json(_content(path, called, "JSON", what_to_do), called, what_to_do)


def parse_json(text: str, called: str, what_to_do: str) -> Any:
    """Return what a text in JSON says: lists, dicts, numbers, words, or None.

    Parameters
    ----------
    text : str
    called : str
        How the message begins: what the text is.
    what_to_do : str
        How it ends.

    Raises
    ------
    InputError
        If it is no JSON, or holds more values or larger numbers than `read_yaml` takes.
    """
    return _parsed(text, json.loads, called, "JSON", what_to_do)


def _content(path: Path, called: str, kind: str, what_to_do: str) -> str:
    """Return the text of a file, pipe or device."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError("more than 4 MB")
        return content.decode("utf-8")
    except OSError as problem:
        raise InputError(
            f"{called} can't be read: {problem.strerror or problem}; {what_to_do}"
        ) from problem
    except ValueError as problem:
        raise _refused(called, kind, problem, what_to_do) from problem


def _parsed(text: str, parse: Callable[[str], Any], called: str, kind: str, what_to_do: str) -> Any:
    """Return what a text says, if that is something a program can work with."""
    try:
        found = parse(text)
        _check_size(found)
    except RecursionError as problem:
        raise InputError(
            f"{called} can't be read as {kind}: it is nested too deeply; {what_to_do}"
        ) from problem
    except Exception as problem:  # constructors of YAML raise anything: !!int "", 2020-13-45
        raise _refused(called, kind, problem, what_to_do) from problem
    return found


def _refused(called: str, kind: str, problem: Exception, what_to_do: str) -> InputError:
    return InputError(f"{called} can't be read as {kind} ({reason(problem)}); {what_to_do}")


def _check_size(document: Any) -> None:
    """Refuse a document of too many values, written out, or of numbers that are too large.

    Values are too many by aliases of aliases, or of itself.

    Raises
    ------
    ValueError
        If one of them is.
    """
    seen, waiting = 0, [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple, set)):
            waiting.extend(one)
        elif isinstance(one, int) and abs(one) >= 10**_MOST_DIGITS:
            raise ValueError(f"a number of more than {_MOST_DIGITS} digits")
        seen += 1
        if seen + len(waiting) > _MOST_VALUES:
            raise ValueError("more than a million values")
