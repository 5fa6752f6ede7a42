"""IDX files, the format of MNIST: read and written, plain or gzipped.

The format (LeCun, Cortes & Burges, http://yann.lecun.com/exdb/mnist): two zero bytes, one byte for
the type of the values, one for the number of axes; the length of each axis as a big-endian uint32;
then the values, big-endian, the last axis fastest. Images are (N, y, x): 0x00000803 in uint8.
Nothing in it says what a value means; `to_levels` is what we write into uint8.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.io.atomic import atomic_path
from clumpygan.io.header_sizes import LARGEST_RATIO, SMALL_UNPACKED

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
_MOST_AXES, _HIGHEST = 8, 255


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the values of an IDX file, in the byte order of this machine.

    Parameters
    ----------
    path : str or path-like
        Plain or gzipped, whatever its name.

    Raises
    ------
    InputError
        If there is no such file, it isn't IDX, is empty, broken, or is shorter or longer than it
        says.
    """
    path = Path(path)
    if not path.is_file():
        kind = "is a folder, not an IDX file" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {kind}")
    with path.open("rb") as raw:
        packed = raw.read(len(_GZIP)) == _GZIP
    # Nothing shall take memory for more than can be in the file.
    size = path.stat().st_size
    most = max(SMALL_UNPACKED, LARGEST_RATIO * size) if packed else size
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            shape, dtype = _read_header(stream, path)
            size = math.prod(shape) * dtype.itemsize
            content = stream.read(size + 1) if size <= most else b""
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise InputError(f"{path}: broken gzip file ({problem}); get it again") from problem
    if len(content) != size:
        raise InputError(
            f"{path}: {'more' if len(content) > size else 'fewer'} than the {size} bytes of "
            f"{' x '.join(map(str, shape))} {dtype} that its header announces; get it again"
        )
    return np.frombuffer(content, dtype.newbyteorder(">")).reshape(shape).astype(dtype, copy=False)


def write_idx(path: str | os.PathLike[str], values: NDArray[Any]) -> None:
    """Write an array as an IDX file, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        Gzipped if it ends in .gz; replaced if it exists. The same values give the same bytes.
    values : ndarray
        (N, ...), uint8 or float32.

    Raises
    ------
    InputError
        If there is nothing to write, the type is another one, or the file can't be written there.
    """
    dtype = values.dtype.newbyteorder("=")
    if dtype not in WRITABLE:
        raise InputError(f"{path}: values of {dtype}; IDX files are written as uint8 or float32")
    if not values.size:
        raise InputError(f"{path}: nothing to write, the array has shape {values.shape}")
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, WRITABLE[dtype], values.ndim, *values.shape)
    content = header + np.ascontiguousarray(values, dtype.newbyteorder(">")).tobytes()
    with atomic_path(path) as temporary:
        gzipped = temporary.suffix == ".gz"
        temporary.write_bytes(gzip.compress(content, 6, mtime=0) if gzipped else content)


def to_levels(pixels: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    r"""Return the levels 0 to 255 of pixels x in units of their noise.

    .. math:: n = 255 \frac{\mathrm{asinh}(x) - \mathrm{asinh}(low)}
        {\mathrm{asinh}(high) - \mathrm{asinh}(low)}

    rounded and clipped (Lupton, Gunn & Szalay 1999): the error of the rounding is a fraction of
    the noise in the sky, and a fixed percentage of bright pixels.
    """
    start, step = _scale(low, high)
    levels = (np.arcsinh(np.asarray(pixels, np.float64)) - start) / step
    return np.clip(np.rint(levels), 0, _HIGHEST).astype(np.uint8)


def from_levels(levels: NDArray[np.uint8], low: float, high: float) -> NDArray[np.float32]:
    """Return the pixels, in units of their noise, that levels of `to_levels` stand for."""
    start, step = _scale(low, high)
    table = np.sinh(start + step * np.arange(_HIGHEST + 1)).astype(np.float32)
    return np.asarray(table[levels])


def _scale(low: float, high: float) -> tuple[float, float]:
    """Return the stretched value of level 0, and the step from one level to the next."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"a stretch from {low:g} to {high:g} sigma: expected two rising numbers")
    return math.asinh(low), (math.asinh(high) - math.asinh(low)) / _HIGHEST


def _read_header(stream: BinaryIO | gzip.GzipFile, path: Path) -> tuple[tuple[int, ...], Any]:
    """Return the shape and the type of the values."""
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
    shape = struct.unpack(f">{axes}I", lengths)
    if not math.prod(shape):
        raise InputError(f"{path}: holds no images, its shape is {' x '.join(map(str, shape))}")
    return shape, TYPES[kind]
