"""YAML and JSON files: settings, cards, recipes, notes. Any file is read, or refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError

_LARGEST = 4 * 2**20  # bytes; the largest card has 12,000, and /dev/zero ends nowhere
_MOST_VALUES = 1_000_000
_REASON = 120  # letters


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
        all aliases written out, are more than a million.
    """
    import yaml

    return _read(path, yaml.safe_load, "YAML", what_to_do, name)


def read_json(path: Path, what_to_do: str, name: str | None = None) -> Any:
    """Return what a JSON file holds, as `read_yaml` does."""
    return _read(path, json.loads, "JSON", what_to_do, name)


def _read(
    path: Path, parse: Callable[[str], Any], kind: str, what_to_do: str, name: str | None
) -> Any:
    called = name or str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError("more than 4 MB")
        found = parse(content.decode("utf-8"))
        if _is_endless(found):
            raise ValueError("more than a million values")
    except OSError as problem:
        raise InputError(
            f"{called} can't be read: {problem.strerror or problem}; {what_to_do}"
        ) from problem
    except RecursionError as problem:
        raise InputError(
            f"{called} can't be read as {kind}: it is nested too deeply; {what_to_do}"
        ) from problem
    except Exception as problem:  # constructors of YAML raise anything: !!int "", 2020-13-45
        reason = " ".join(str(problem).split())[:_REASON] or type(problem).__name__
        raise InputError(f"{called} can't be read as {kind} ({reason}); {what_to_do}") from problem
    return found


def _is_endless(document: Any) -> bool:
    """Whether a document, written out, has too many values: aliases of aliases, or of itself."""
    seen, waiting = 0, [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple, set)):
            waiting.extend(one)
        seen += 1
        if seen + len(waiting) > _MOST_VALUES:
            return True
    return False
