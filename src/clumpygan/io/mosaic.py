"""Mosaics far larger than memory: stamps cut from them at many positions, whatever the file."""

import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import ArrayLike, DTypeLike

from clumpygan.errors import InputError
from clumpygan.io.atomic import atomic_path
from clumpygan.io.fits import is_gzipped, open_fits, unpack
from clumpygan.io.wcs import pixel_scale_of, pixels_of, read_wcs

BAND_BYTES = 2**25
"""Of a file that can't be mapped so many rows are read at a time; of one that can, are kept."""

_TYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_EXTENSION = re.compile(r"(.+)\[(\w+)\]")


@dataclass(frozen=True)
class Mosaic:
    """One image of a FITS file, of which only what is asked for is read.

    An image as it is in memory (no tile compression, no scaled integers) is mapped; of any other
    bands of rows are read, those that hold stamps, each once.

    Attributes
    ----------
    name : str
        As the user wrote it.
    file : pathlib.Path
        The uncompressed file.
    index : int
        Number of the HDU.
    shape : tuple of int
        (y, x).
    header : astropy.io.fits.Header
    other_headers : list of Header
        Those of the other HDUs.
    """

    name: str
    file: Path
    index: int
    shape: tuple[int, int]
    header: Header = field(repr=False)
    other_headers: list[Header] = field(repr=False)
    _map: mmap.mmap | None = field(default=None, repr=False)
    _offset: int = 0
    _axes: int = 2

    @cached_property
    def wcs(self) -> WCS:
        """The celestial WCS; an `InputError` if there is none."""
        wcs = read_wcs(self.header)
        if wcs is None:
            raise InputError(
                f"{self.name}: no celestial WCS in the header; expected a mosaic with CTYPE1 such "
                "as RA---TAN, CRVAL1, CRPIX1 and CD1_1"
            )
        return wcs

    @cached_property
    def pixel_scale(self) -> float:
        """Width of a pixel in arcsec; an `InputError` if pixels aren't square to 1 %."""
        return pixel_scale_of(self.wcs, self.name)

    @property
    def mapped(self) -> bool:
        """Whether the pixels are mapped into memory."""
        return self._map is not None

    def positions(self, ra: ArrayLike, dec: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return where sky positions are in pixels, 0 at the centre of the first one.

        Parameters
        ----------
        ra, dec : array_like
            Shape (n,), degrees, ICRS.

        Returns
        -------
        x, y : numpy.ndarray
            Shape (n,), float64; NaN for what is far from the image.
        """
        return pixels_of(self.wcs, self.shape, ra, dec)

    def cut(
        self,
        rows: np.ndarray,
        columns: np.ndarray,
        size: int,
        *,
        dtype: DTypeLike = np.float32,
        outside: float = np.nan,
    ) -> np.ndarray:
        """Cut square stamps.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            Shape (n,), int: first row and column of each; beyond the mosaic too. Sorted by rows
            they are read fastest.
        size : int
            Pixels per side.
        dtype : dtype
            Of the stamps.
        outside : float
            What pixels outside the mosaic hold.

        Returns
        -------
        numpy.ndarray
            Shape (n, size, size).

        Raises
        ------
        InputError
            If the file can't be read there.
        """
        stamps = np.full((len(rows), size, size), outside, dtype=dtype)
        order = np.argsort(rows, kind="stable")
        height, width = self.shape
        for chosen, top, pixels in self._bands(rows, order, size):
            for i in chosen.tolist():
                y, x = int(rows[i]), int(columns[i])
                low, high = max(y, 0), min(y + size, height)
                left, right = max(x, 0), min(x + size, width)
                if low < high and left < right:
                    stamps[i, low - y : high - y, left - x : right - x] = pixels[
                        low - top : high - top, left:right
                    ]
        return stamps

    def _bands(
        self, rows: np.ndarray, order: np.ndarray, size: int
    ) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """Yield (stamps, first row, pixels) of pieces of the mosaic that hold whole stamps."""
        if self._map is not None:
            kind = np.dtype(_TYPES[self.header["BITPIX"]])
            count = self.shape[0] * self.shape[1]
            pixels = np.frombuffer(self._map, kind, count, self._offset).reshape(self.shape)
            band = rows[order] // max(1, BAND_BYTES // pixels[0].nbytes)
            for chosen in np.split(order, np.flatnonzero(np.diff(band)) + 1):
                yield chosen, 0, pixels
                # Else the pages that were read would add up to the whole file.
                if hasattr(mmap, "MADV_DONTNEED"):
                    self._map.madvise(mmap.MADV_DONTNEED)
            return
        most = max(size, BAND_BYTES // (8 * self.shape[1]))
        first = 0
        while first < len(order):
            top = int(rows[order[first]])
            last, end = first, top + size
            # As far as the next stamp overlaps or touches, within the memory for a band.
            while last < len(order) and rows[order[last]] <= end:
                reach = int(rows[order[last]]) + size
                if reach - top > most:
                    break
                last, end = last + 1, reach
            low, high = (int(np.clip(edge, 0, self.shape[0])) for edge in (top, end))
            if low < high:
                yield order[first:last], low, self._read(low, high)
            first = last

    def _read(self, first: int, last: int) -> np.ndarray:
        """Read rows from the file."""
        with open_fits(self.file, self.name) as hdus:
            ahead = (0,) * (self._axes - 2)
            return np.asarray(hdus[self.index].section[(*ahead, slice(first, last), slice(None))])


def open_mosaic(name: str | os.PathLike[str], scratch: Path) -> Mosaic:
    """Open an image without reading it.

    Parameters
    ----------
    name : str or path-like
        FITS file: plain, tile-compressed (.fz), or gzipped. FILE[EXTENSION] names the HDU by
        EXTNAME or number; the default is SCI, else the first 2-D image.
    scratch : pathlib.Path
        Folder where a gzipped file is unpacked to, since only its beginning could be read else.

    Raises
    ------
    InputError
        If the file is missing, isn't FITS, is truncated, or has no such or no 2-D image.
    """
    path, extension = Path(name), None
    found = _EXTENSION.fullmatch(str(name))
    if found and not path.exists():
        path, extension = Path(found[1]), found[2]
    file = _unpacked(path, scratch)
    with open_fits(file, path) as hdus:
        index = _image_index(hdus, extension, str(path))
        hdu = hdus[index]
        lengths = tuple(hdu.shape)
        others = [other.header for number, other in enumerate(hdus) if number != index]
        place = hdu.fileinfo()
        if file.stat().st_size < place["datLoc"] + place["datSpan"]:
            raise InputError(f"{path}: the file is truncated; get it again")
        header = hdu.header.copy()
        plain = not isinstance(hdu, fits.CompImageHDU) and _unscaled(header)
    pixels = None
    if plain:
        with file.open("rb") as handle:
            pixels = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    return Mosaic(
        str(name), file, index, lengths[-2:], header, others, pixels, place["datLoc"], len(lengths)
    )  # fmt: skip


def _image_index(hdus: fits.HDUList, extension: str | None, name: str) -> int:
    """Return the number of the HDU with the image."""
    if extension is not None:
        key = int(extension) if extension.isdigit() else extension
        try:
            index = hdus.index_of(key)
            shape = hdus[index].shape if hdus[index].is_image else ()
        except (KeyError, IndexError) as problem:
            raise InputError(f"{name}: has no HDU {extension} (it has {len(hdus)})") from problem
        candidates = [index]
    else:
        candidates = [i for i, one in enumerate(hdus) if one.is_image and one.shape]
        candidates.sort(key=lambda i: hdus[i].name.upper() != "SCI")
        if not candidates:
            raise InputError(f"{name}: holds no image; expected a 2-D FITS image")
        shape = hdus[candidates[0]].shape
    if len(shape) < 2 or np.prod(shape[:-2]) != 1 or 0 in shape:
        size = " x ".join(map(str, shape[::-1])) or "no image"
        raise InputError(f"{name}: HDU {candidates[0]} is {size}; expected a 2-D image")
    return int(candidates[0])


def _unscaled(header: Header) -> bool:
    """Whether the numbers of the file are the pixels' values."""
    return (
        header.get("BSCALE", 1) == 1
        and header.get("BZERO", 0) == 0
        and (header["BITPIX"] < 0 or "BLANK" not in header)
    )


def _unpacked(path: Path, scratch: Path) -> Path:
    """Return the file itself, or an uncompressed copy of a gzipped one."""
    if not path.is_file():
        kind = "is a folder, not a FITS file" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {kind}")
    if not is_gzipped(path):
        return path
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    copy = scratch / f"{digest[:16]}.fits"
    if not copy.exists():
        with atomic_path(copy) as temporary, temporary.open("wb") as target:
            unpack(path, target)
    return copy
