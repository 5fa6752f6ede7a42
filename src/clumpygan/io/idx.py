"""IDX files, the format of MNIST: read and written, plain or gzipped.

The format (LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist): two zero bytes, one byte for
the type of the values, one for the number of axes; the length of each axis as a big-endian uint32;
then the values, big-endian, the last axis fastest. Images are (N, y, x): 0x00000803 in uint8.
Nothing in it says what a value means: see `clumpygan.io.idx_card`.
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from clumpygan.errors import InputError
from clumpygan.io.atomic import atomic_path

TYPES = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(np.int16),
    0x0C: np.dtype(np.int32),
    0x0D: np.dtype(np.float32),
    0x0E: np.dtype(np.float64),
}
"""Type of the values by the third byte of a file."""

WRITABLE = {np.dtype(np.uint8): 0x08, np.dtype(np.float32): 0x0D}
"""What is written: other programs read little else."""

_GZIP = b"\x1f\x8b"
_BROKEN = (EOFError, gzip.BadGzipFile, zlib.error)
_MOST_AXES = 8
_BLOCK_BYTES = 2**24
_DEFLATE_LIMIT = 1032
"""Deflate never packs more bytes than this into one (zlib's technical notes)."""


@dataclass(frozen=True)
class IdxHeader:
    """What an IDX file says about itself.

    Attributes
    ----------
    shape : tuple of int
        Images are (N, y, x), labels (N,).
    dtype : numpy.dtype
        Of the values, in the byte order of this machine.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def offset(self) -> int:
        """Bytes before the first value."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_idx_header(path: str | os.PathLike[str]) -> IdxHeader:
    """Read what an IDX file says about itself, and hold it against the file's length.

    Parameters
    ----------
    path : str or path-like
        Plain or gzipped, whatever its name. What is in a gzipped one is only known at its end.

    Returns
    -------
    IdxHeader

    Raises
    ------
    InputError
        If there is no such file, it isn't IDX, is empty, or is shorter or longer than it says.
    """
    with _opened(path) as stream:
        return _read_header(stream, path)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the values of an IDX file.

    Parameters
    ----------
    path : str or path-like
        Plain or gzipped, whatever its name.

    Returns
    -------
    numpy.ndarray
        Of the shape and type in the file. A plain file is memory-mapped, read-only and
        big-endian; a gzipped one is in memory.

    Raises
    ------
    InputError
        As for `read_idx_header`, and if a gzipped file is broken.
    """
    header = read_idx_header(path)
    if not _is_gzipped(Path(path)):
        return np.memmap(path, header.dtype.newbyteorder(">"), "r", header.offset, header.shape)
    values = np.empty(header.shape, header.dtype)
    first = 0
    for block in idx_blocks(path):
        values[first : first + len(block)] = block
        first += len(block)
    return values


def idx_blocks(path: str | os.PathLike[str]) -> Iterator[np.ndarray]:
    """Yield the values of an IDX file in blocks along the first axis, about 16 MB at a time.

    Parameters
    ----------
    path : str or path-like
        Plain or gzipped, whatever its name.

    Yields
    ------
    numpy.ndarray
        (n, ...), in the byte order of this machine.

    Raises
    ------
    InputError
        As for `read_idx`; a broken end is noticed only there.
    """
    with _opened(path) as stream:
        header = _read_header(stream, path)
        for count in _block_lengths(header):
            wanted = header.size // header.shape[0] * count
            content = stream.read(wanted)
            if len(content) < wanted:
                raise InputError(
                    f"{path}: ends before the {header.size} bytes of {_words(header)} that its "
                    "header announces; get it again"
                )
            block = np.frombuffer(content, header.dtype.newbyteorder(">"))
            yield block.reshape(count, *header.shape[1:]).astype(header.dtype)
        if stream.read(1):
            raise InputError(
                f"{path}: goes on after the {header.size} bytes of {_words(header)} that its "
                "header announces; get it again"
            )


def write_idx(path: str | os.PathLike[str], values: np.ndarray) -> None:
    """Write an array as an IDX file, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        Gzipped if it ends in .gz; replaced if it exists.
    values : numpy.ndarray
        (N, ...), uint8 or float32; it may be memory-mapped.

    Raises
    ------
    InputError
        As for `write_idx_blocks`.
    """
    shape, dtype = values.shape, values.dtype.newbyteorder("=")
    header = IdxHeader(shape, dtype)
    ends = np.cumsum(list(_block_lengths(header)) if header.size else [], dtype=int)
    blocks = (values[first:last] for first, last in zip([0, *ends], ends, strict=False))
    write_idx_blocks(path, blocks, shape, dtype)


def write_idx_blocks(
    path: str | os.PathLike[str],
    blocks: Iterable[np.ndarray],
    shape: tuple[int, ...],
    dtype: np.dtype | type,
) -> None:
    """Write an IDX file block by block, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        Gzipped if it ends in .gz; replaced if it exists.
    blocks : iterable of numpy.ndarray
        (n, ...), one after the other along the first axis.
    shape : tuple of int
        Of all of them together.
    dtype : numpy.dtype
        uint8 or float32.

    Raises
    ------
    InputError
        If there is nothing to write, the type is another one, or the file can't be written there.
    ValueError
        If the blocks aren't of that shape and type.
    """
    dtype = np.dtype(dtype)
    header = IdxHeader(tuple(shape), dtype)
    if dtype not in WRITABLE:
        raise InputError(f"{path}: values of {dtype}; IDX files are written as uint8 or float32")
    if not header.shape or not header.size:
        raise InputError(f"{path}: nothing to write, the array has shape {header.shape}")
    with atomic_path(path) as temporary, _created(temporary) as stream:
        stream.write(struct.pack(">BBBB", 0, 0, WRITABLE[dtype], len(shape)))
        stream.write(struct.pack(f">{len(shape)}I", *shape))
        written = 0
        for block in blocks:
            if block.shape[1:] != header.shape[1:] or block.dtype.newbyteorder("=") != dtype:
                raise ValueError(f"a block of {block.shape} {block.dtype} in {shape} {dtype}")
            stream.write(np.ascontiguousarray(block, dtype.newbyteorder(">")).tobytes())
            written += len(block)
        if written != shape[0]:
            raise ValueError(f"{written} rows in the blocks of {shape}")


def _is_gzipped(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_GZIP)) == _GZIP


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for reading its content; whatever is wrong with the gzip becomes an error."""
    path = Path(path)
    if not path.is_file():
        kind = "is a folder, not an IDX file" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {kind}")
    try:
        with gzip.open(path) if _is_gzipped(path) else path.open("rb") as stream:
            yield stream
    except _BROKEN as problem:
        raise InputError(f"{path}: broken gzip file ({problem}); get it again") from problem


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; the same content gives the same bytes, gzipped too."""
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            yield raw
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
            yield packed


def _read_header(stream: BinaryIO, path: str | os.PathLike[str]) -> IdxHeader:
    magic = stream.read(4)
    if not magic:
        raise InputError(f"{path}: the file is empty; expected an IDX file")
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise InputError(
            f"{path}: begins with 0x{magic.hex()}; expected an IDX file, which begins with 0x0000 "
            "(0x00000803: images, uint8)"
        )
    kind, axes = magic[2], magic[3]
    if kind not in TYPES:
        known = ", ".join(f"0x{code:02x} {dtype}" for code, dtype in TYPES.items())
        raise InputError(f"{path}: unknown type of values 0x{kind:02x}; expected one of {known}")
    if not 1 <= axes <= _MOST_AXES:
        raise InputError(f"{path}: {axes} axes; expected 1 to {_MOST_AXES}, images have 3")
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise InputError(f"{path}: ends within its header; get it again")
    header = IdxHeader(struct.unpack(f">{axes}I", lengths), TYPES[kind])
    if not header.size:
        raise InputError(f"{path}: holds no images, its shape is {_words(header)}")
    _check_length(header, Path(path))
    return header


def _check_length(header: IdxHeader, path: Path) -> None:
    """Compare the length of a file with what its header says, as far as it is known."""
    found, expected = path.stat().st_size, header.offset + header.size
    # No memory shall be taken for what can't be in a gzipped file.
    impossible = expected > _DEFLATE_LIMIT * found
    if impossible if _is_gzipped(path) else expected != found:
        raise InputError(
            f"{path}: {found} bytes, {'more' if found > expected else 'fewer'} than the {expected} "
            f"of {_words(header)}; get it again"
        )


def _block_lengths(header: IdxHeader) -> Iterator[int]:
    """Yield how many rows are read or written at a time."""
    length = max(1, _BLOCK_BYTES * header.shape[0] // header.size)
    for first in range(0, header.shape[0], length):
        yield min(length, header.shape[0] - first)


def _words(header: IdxHeader) -> str:
    return f"{' x '.join(map(str, header.shape))} {header.dtype}"
