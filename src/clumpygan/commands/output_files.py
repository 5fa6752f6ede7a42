"""The files that a program is asked to write, checked before anything is computed."""

from collections.abc import Sequence
from pathlib import Path

from clumpygan.errors import InputError
from clumpygan.io import check_output_path

PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
"""Formats of a picture."""


def check_outputs(files: Sequence[tuple[str, Path | None, tuple[str, ...]]]) -> None:
    """Refuse output paths that can't be written, or that would replace an input.

    Parameters
    ----------
    files : sequence of tuple
        Flag, path (None where none is wanted) and the endings that its name may have (any, if
        there are none).

    Raises
    ------
    InputError
        If a path can't be written, is named twice, has another ending, or is an input.
    """
    seen: set[Path] = set()
    for flag, path, suffixes in files:
        if path is None:
            continue
        check_output_path(path)
        if path.resolve() in seen:
            raise InputError(f"{path} is named twice; expected a file for each output")
        seen.add(path.resolve())
        if suffixes and not path.name.lower().endswith(suffixes):
            raise InputError(f"{flag} {path}: expected a name ending in {', '.join(suffixes)}")
