"""Opening FITS files: one plane of one image, or one line saying why not."""

import gzip
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning

from clumpygan.errors import InputError

_HSC_BANDS = "grizy"
_GZIP = b"\x1f\x8b"
_UNREADABLE = (OSError, EOFError, TypeError, ValueError, zlib.error, VerifyError)


@dataclass(frozen=True)
class Plane:
    """One plane of a FITS image: its `(y, x)` values, its header, and those of the other HDUs."""

    data: np.ndarray
    header: Header
    other_headers: list[Header]


@contextmanager
def open_fits(path: str | os.PathLike[str]) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever is wrong with it becomes an `InputError` that names it.

    Raises
    ------
    InputError
        If the file is missing, isn't FITS, is truncated, or can't be read to its end.
    """
    if not Path(path).is_file():
        kind = "is a folder, not a FITS file" if Path(path).is_dir() else "no such file"
        raise InputError(f"{path}: {kind}")
    try:
        with warnings.catch_warnings():
            # Headers of all ages: odd cards don't matter here. Our own warnings do.
            warnings.simplefilter("ignore", AstropyWarning)
            warnings.filterwarnings("error", "File may have been truncated", AstropyUserWarning)
            # The stream is opened here because astropy leaves it open when it gives up on a file.
            with _stream(Path(path)) as stream, fits.open(stream) as hdus:
                yield hdus
    except InputError:
        raise
    except AstropyUserWarning as problem:
        sizes = _first_line(problem).removeprefix("File may have been truncated: ")
        raise InputError(f"{path}: the file is truncated ({sizes}); get it again") from problem
    except _UNREADABLE as problem:
        raise InputError(
            f"{path}: can't be read as FITS, damaged or another format ({_first_line(problem)})"
        ) from problem


def _stream(path: Path) -> BinaryIO:
    """Open a file; a gzipped one is decompressed whole, since astropy takes half of one for all."""
    stream = path.open("rb")
    if stream.read(len(_GZIP)) != _GZIP:
        stream.seek(0)
        return stream
    with stream, gzip.open(path) as content:
        return BytesIO(content.read())


def read_plane(
    path: str | os.PathLike[str], hdu: int | str | None = None, plane: int | str | None = None
) -> Plane:
    """Read one image plane.

    Parameters
    ----------
    path : str or path-like
        A FITS file, compressed or not.
    hdu : int or str, optional
        Number or EXTNAME of the HDU; the default is the first image that isn't blank (the primary
        HDU of a GALFIT block is).
    plane : int or str, optional
        For a 3-D stack: number of the plane from 0, or in a stack of five one of g, r, i, z, y.

    Returns
    -------
    Plane
        With `data` of shape (y, x), in the file's own precision and native byte order.

    Raises
    ------
    InputError
        If the file can't be read, has no such HDU or no image, if the image isn't 2-D and no plane
        is named, or if the plane doesn't exist.
    """
    with open_fits(path) as hdus:
        index = _find_hdu(hdus, hdu, str(path))
        data = _select_plane(np.asarray(hdus[index].data), plane, str(path))
        others = [other.header for number, other in enumerate(hdus) if number != index]
        native = data.astype(data.dtype.newbyteorder("="))
        return Plane(native, hdus[index].header, others)


def _find_hdu(hdus: fits.HDUList, hdu: int | str | None, name: str) -> int:
    """Return the number of the HDU asked for, or of the first image with anything in it."""
    if hdu is not None:
        try:
            index = hdus.index_of(hdu)
            data = hdus[index].data if hdus[index].is_image else None
        except (KeyError, IndexError) as problem:
            raise InputError(f"{name}: has no HDU {hdu!r} (it has {len(hdus)})") from problem
        if data is None:
            raise InputError(f"{name}: HDU {hdu!r} holds no image")
        return int(index)
    images = [i for i, one in enumerate(hdus) if one.is_image and one.data is not None]
    if not images:
        raise InputError(f"{name}: holds no image; expected a 2-D FITS image")
    return next((i for i in images if np.nan_to_num(hdus[i].data).any()), images[0])


def _select_plane(data: np.ndarray, plane: int | str | None, name: str) -> np.ndarray:
    """Return the 2-D plane of an image; axes of length 1 in front don't count."""
    shape = "x".join(str(size) for size in data.shape)
    while data.ndim > 2 and data.shape[0] == 1:
        data = data[0]
    if data.ndim == 2:
        return data
    if data.ndim != 3:
        raise InputError(f"{name}: the image is {data.ndim}-D ({shape}); expected 2-D (y, x)")
    if plane is None:
        raise InputError(
            f"{name}: the image is 3-D ({shape}); expected 2-D (y, x), or say which plane to take"
        )
    if isinstance(plane, str) and not plane.isdigit():
        band = plane.strip().casefold()
        if len(data) != len(_HSC_BANDS) or len(band) != 1 or band not in _HSC_BANDS:
            raise InputError(
                f"{name}: no plane {plane!r}; expected a number from 0 to {len(data) - 1}, "
                "or one of g, r, i, z, y in a stack of five"
            )
        plane = _HSC_BANDS.index(band)
    if not 0 <= int(plane) < len(data):
        raise InputError(f"{name}: no plane {plane}; expected 0 to {len(data) - 1}")
    return np.asarray(data[int(plane)])


def _first_line(problem: BaseException) -> str:
    """Return the first line of an exception's message, or its name."""
    text = str(problem).strip()
    return text.splitlines()[0] if text else type(problem).__name__
