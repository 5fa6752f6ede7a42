"""Arrays of NumPy's own format: read without pickles, written into space that is reserved."""

import errno
import os
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from clumpygan.errors import InputError, reason


def load_array(
    path: str | os.PathLike[str], mode: Literal["r", "r+"] | None = "r"
) -> NDArray[np.generic]:
    """Read or map one array.

    Parameters
    ----------
    path : str or path-like
        A .npy file.
    mode : {"r", "r+"}, optional
        How it is mapped into memory; None reads it.

    Raises
    ------
    InputError
        If the file is missing, damaged, truncated, an archive, or holds Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a NumPy array")
    if zipfile.is_zipfile(path):
        raise InputError(f"{path}: is an archive; expected one NumPy array, a .npy file")
    try:
        loaded = np.load(path, mmap_mode=mode, allow_pickle=False)
    except Exception as problem:  # of damaged headers NumPy raises half a dozen kinds
        raise InputError(f"{path}: can't be read as a NumPy array ({reason(problem)})") from problem
    return np.asanyarray(loaded)


def allocate_array(
    path: str | os.PathLike[str], dtype: DTypeLike, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Make an array of zeros on disk, and map it for writing.

    The blocks of the file are reserved: a map of a sparse file ends the process with SIGBUS, and no
    word, when the disk is full.

    Parameters
    ----------
    path : str or path-like
        A .npy file; replaced if it exists.
    dtype : dtype
    shape : tuple of int

    Raises
    ------
    OSError
        If the disk hasn't so much space; no file is left then.
    """
    path = Path(path)
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    try:
        with path.open("r+b") as stream:
            _reserve(stream.fileno(), path.stat().st_size)
    except OSError as problem:
        del mapped
        path.unlink(missing_ok=True)
        raise OSError(problem.errno, problem.strerror, str(path)) from problem
    return mapped


def _reserve(descriptor: int, size: int) -> None:
    """Reserve the blocks of a file; where the system can't, the file stays sparse."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as problem:
        if problem.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
