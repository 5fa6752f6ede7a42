"""Output files that are either whole or absent, in folders with one writer at a time."""

import errno
import fcntl
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError

_Files = dict[tuple[int, int], Path]
"""Files by what they are, device and inode, whatever name leads to them."""

_inputs: ContextVar[_Files | None] = ContextVar("inputs", default=None)


def check_output_path(
    path: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str] | None] = ()
) -> Path:
    """Check that a file could be written at `path`, before any work is spent on it.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    inputs : iterable of path-like, optional
        Files that are read, none of which an output may replace, beside those that are
        `protected`; None counts for nothing.

    Returns
    -------
    pathlib.Path
        The file itself, where `path` is a link to it.

    Raises
    ------
    InputError
        If its folder doesn't exist or isn't writable, if `path` is a folder, a device or the like,
        or if it is one of the inputs.
    """
    given, path = path, Path(os.path.realpath(path))
    if path.is_symlink():
        raise InputError(f"{given}: is a link that leads to itself; expected the name of a file")
    folder = path.parent if Path(given).is_symlink() else Path(given).parent
    if not folder.is_dir():
        raise InputError(f"{given}: the folder {folder} doesn't exist; make it first")
    if path.is_dir():
        raise InputError(f"{given}: is a folder; expected the name of a file")
    if path.exists() and not path.is_file():
        raise InputError(f"{given}: is a device or pipe; expected the name of a file")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{given}: the folder {folder} isn't writable")
    if path.exists():
        kept = _identified(one for one in inputs if one is not None) | (_inputs.get() or {})
        for one in (kept[own] for own in _identified([path]) if own in kept):
            raise InputError(f"{given} is an input, {one}; expected another name to write to")
    return path


def _identified(paths: Iterable[str | os.PathLike[str]]) -> _Files:
    """Return those of some files that exist."""
    found = {}
    for path in paths:
        with suppress(OSError, ValueError):  # names that are too long, or hold a NUL
            status = Path(path).stat()
            found[status.st_dev, status.st_ino] = Path(path)
    return found


def check_output_folder(folder: Path, name: str = "output") -> None:
    """Check that a folder could be made, or is there, before any work is spent on it.

    Parameters
    ----------
    folder : Path
    name : str
        Of the setting, for messages.

    Raises
    ------
    InputError
        If it is a file or a link to nowhere, or would be in a folder that doesn't exist.
    """
    if folder.is_dir():
        return
    if folder.exists() or folder.is_symlink():
        raise InputError(f"`{name}` {folder} is a file; expected the name of a folder")
    if not folder.absolute().parent.is_dir():
        raise InputError(
            f"`{name}` {folder}: the folder {folder.parent} doesn't exist; make it first"
        )


@contextmanager
def protected(paths: Iterable[str | os.PathLike[str]]) -> Iterator[None]:
    """Let nothing that is written in the block replace one of these files.

    Parameters
    ----------
    paths : iterable of path-like
        Inputs of a program, those that exist.
    """
    token = _inputs.set((_inputs.get() or {}) | _identified(paths))
    try:
        yield
    finally:
        _inputs.reset(token)


def keep(path: str | os.PathLike[str]) -> None:
    """Let nothing that a program writes from now on replace a file that it reads.

    For those that no flag names, as the stamps of a catalogue. Outside of a block of `protected`,
    in a session of Python, nothing is kept.
    """
    kept = _inputs.get()
    if kept is not None:
        kept.update(_identified([path]))


def kept_inputs() -> tuple[Path, ...]:
    """Return the files that are `protected` here, for those who write elsewhere."""
    return tuple((_inputs.get() or {}).values())


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file elsewhere in its folder and move it into place once it is complete.

    A reader sees the old file or the new one, never half of it, and a failure leaves what was
    there before. The temporary name ends as `path` does, so that writers which choose a format by
    the extension choose the same. A link stays, and what it leads to is replaced.

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
    OSError
        If the disk is full or the like; it names the file.
    """
    path = check_output_path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        with naming(path, temporary):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Let the error of a full disk, or of a limit, name the file that is written in the block.

    Parameters
    ----------
    path : Path
    temporary : Path, optional
        Another name that the error isn't to give.

    Raises
    ------
    OSError
        With the name.
    """
    try:
        yield
    except OSError as problem:
        # That of a write names no file, that of an open the temporary one; of a full disk astropy
        # makes one without a number.
        if problem.filename not in (None, str(temporary)):
            raise
        number = problem.errno or (errno.ENOSPC if "space" in str(problem) else errno.EIO)
        words = problem.strerror or str(problem).partition(". ")[0]
        raise OSError(number, words, str(path)) from problem


def write_json(path: str | os.PathLike[str], report: Mapping[str, Any]) -> None:
    """Write numbers and words as JSON, whole or not at all.

    Parameters
    ----------
    path : str or path-like
    report : mapping
        Paths are written as text, tuples as lists.

    Raises
    ------
    InputError
        If the file couldn't be written there.
    ValueError
        For infinity and NaN, which JSON doesn't know.
    """
    with atomic_path(path) as temporary:
        text = json.dumps(report, indent=1, allow_nan=False, default=_plain)
        temporary.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return what JSON doesn't know as what it knows."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


@contextmanager
def only_one(home: Path, *, wait: bool = True) -> Iterator[None]:
    """Let one process at a time write into a folder, also on several machines with a shared disk.

    Parameters
    ----------
    home : Path
    wait : bool
        Whether to wait for another process.

    Raises
    ------
    InputError
        If another process is writing there, and it isn't waited for.
    """
    # For reading too: a pipe of that name would keep who only writes waiting for a reader.
    handle = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise InputError(
                f"another process is writing into {home}; wait until it ends"
            ) from None
        yield
    finally:
        os.close(handle)
