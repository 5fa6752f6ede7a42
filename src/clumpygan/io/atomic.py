"""Output files that are either whole or absent."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clumpygan.errors import InputError


def check_output_path(path: str | os.PathLike[str]) -> Path:
    """Check that a file could be written at `path`, before any work is spent on it.

    Parameters
    ----------
    path : str or path-like
        The file to be written.

    Returns
    -------
    pathlib.Path
        The same path.

    Raises
    ------
    InputError
        If its folder doesn't exist or isn't writable, or if `path` is itself a folder.
    """
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: the folder {folder} doesn't exist; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected the name of a file")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: the folder {folder} isn't writable")
    return path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file elsewhere in its folder and move it into place once it is complete.

    A reader sees the old file or the new one, never half of it, and a failure leaves what was
    there before. The temporary name ends as `path` does, so that writers which choose a format by
    the extension choose the same.

    Parameters
    ----------
    path : str or path-like
        The file to be written; replaced if it exists.

    Yields
    ------
    pathlib.Path
        The temporary file to write to, in the folder of `path`.

    Raises
    ------
    InputError
        If the file couldn't be written there, see `check_output_path`.
    """
    path = check_output_path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
