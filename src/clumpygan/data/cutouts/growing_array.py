"""A .npy file that grows row by row: its length is written into its header when it is known."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from clumpygan.errors import InputError
from clumpygan.io.atomic import naming

_HEADER_BYTES = 256


class GrowingArray:
    """Rows appended to a file, of which a part survives whatever interrupts the writing.

    Nothing is reserved: on a full disk appending raises an OSError, and the rows before are there.

    Parameters
    ----------
    path : Path
        Continued if it exists.
    shape : tuple of int
        Of a row.
    dtype : dtype
    rows : int
        How many rows of an existing file are good; what follows is cut off.

    Raises
    ------
    InputError
        If the file holds fewer rows.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike, rows: int = 0) -> None:
        self.path, self.shape, self.dtype, self.rows = path, shape, np.dtype(dtype), rows
        self._row_bytes = self.dtype.itemsize * int(np.prod(shape))
        length = _HEADER_BYTES + rows * self._row_bytes
        held = path.stat().st_size if path.exists() else 0
        if rows and held < length:
            raise InputError(
                f"{path} holds fewer than {rows} rows: delete the folder {path.parent}"
            )
        self._file = path.open("r+b" if path.exists() else "w+b")
        with naming(path):
            self._file.truncate(length)
            self._write_header()

    def append(self, rows: np.ndarray) -> None:
        """Append rows (n, ...), and wait until they are on the disk."""
        with naming(self.path):
            self._file.seek(0, os.SEEK_END)
            self._file.write(np.ascontiguousarray(rows, self.dtype).data)
            self._file.flush()
            os.fsync(self._file.fileno())
        self.rows += len(rows)

    def close(self) -> None:
        """Write the length into the header."""
        with naming(self.path):
            self._write_header()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def _write_header(self) -> None:
        """Write a header of the .npy format 1.0, of constant length (numpy.lib.format)."""
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.shape),
        }
        magic = np.lib.format.magic(1, 0)
        length = _HEADER_BYTES - len(magic) - 2
        text = repr(header).encode("latin1").ljust(length - 1) + b"\n"
        self._file.seek(0)
        self._file.write(magic + length.to_bytes(2, "little") + text)


def read_rows(path: Path, rows: np.ndarray) -> np.ndarray:
    """Read some rows of a .npy file, without mapping it: pages around them would fill the memory.

    Parameters
    ----------
    path : Path
    rows : numpy.ndarray
        Shape (n,), int.

    Returns
    -------
    numpy.ndarray
        Shape (n, ...).
    """
    with path.open("rb") as stream:
        np.lib.format.read_magic(stream)
        (_, *shape), _, dtype = np.lib.format.read_array_header_1_0(stream)
        begin, length = stream.tell(), int(np.prod(shape))
        found = np.empty((len(rows), *shape), dtype)
        for one, row in zip(found, rows.tolist(), strict=True):
            stream.seek(begin + row * length * dtype.itemsize)
            one[...] = np.fromfile(stream, dtype, length).reshape(shape)
    return found
