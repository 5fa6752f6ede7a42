"""Many images of one size in one file: a NumPy array or a FITS cube (N, y, x)."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from clumpygan.errors import InputError
from clumpygan.io.arrays import load_array
from clumpygan.io.atomic import atomic_path
from clumpygan.io.fits import open_fits

ENDINGS = (".npy", ".fits")
"""Of the files that are written; .fits.gz and the like are read too."""


@dataclass(frozen=True)
class ImageStack:
    """Images of one size.

    Attributes
    ----------
    images : numpy.ndarray
        (N, y, x), integers or floats as in the file; memory-mapped from a .npy.
    unit : str or None
        BUNIT of a FITS file, None where there is none.
    """

    images: np.ndarray
    unit: str | None


def read_stack(path: str | os.PathLike[str]) -> ImageStack:
    """Read a .npy array, or the first FITS image of three axes.

    Parameters
    ----------
    path : str or path-like
        NumPy if it ends in .npy, else FITS. A single image (y, x) is a stack of one.

    Returns
    -------
    ImageStack

    Raises
    ------
    InputError
        If the file can't be read or doesn't hold images of numbers.
    """
    path = Path(path)
    images, unit = (load_array(path), None) if path.suffix == ".npy" else _read_fits(path)
    if images.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {images.dtype}; expected integers or floats")
    if images.ndim == 2:
        images = images[None]
    if images.ndim != 3 or not images.size:
        raise InputError(f"{path}: shape {images.shape}; expected images (N, y, x)")
    return ImageStack(images, unit)


def write_stack(
    path: str | os.PathLike[str],
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    unit: str | None = None,
) -> None:
    """Write images as a .npy array or a FITS cube, block by block, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        Ends in .npy or .fits; replaced if it exists.
    blocks : iterable of numpy.ndarray
        (n, y, x), one after the other.
    shape : tuple of int
        (N, y, x) of all of them.
    dtype : numpy.dtype
        Of the values in the file; int8, which FITS doesn't have, becomes int16 there.
    unit : str, optional
        BUNIT of a FITS file.

    Raises
    ------
    InputError
        If the ending is another one, or the file can't be written.
    """
    ending = Path(path).suffix
    if ending not in ENDINGS:
        raise InputError(f"{path}: expected a name that ends in {' or '.join(ENDINGS)}")
    with atomic_path(path) as temporary:
        if ending == ".npy":
            with temporary.open("wb") as stream:
                descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
                header = {"descr": descr, "fortran_order": False, "shape": tuple(shape)}
                np.lib.format.write_array_header_1_0(stream, header)
                for block in blocks:
                    stream.write(np.ascontiguousarray(block, dtype).tobytes())
        else:
            _write_fits(temporary, blocks, shape, np.dtype(dtype), unit)


def _read_fits(path: Path) -> tuple[np.ndarray, str | None]:
    with open_fits(path) as hdus:
        images = [one for one in hdus if one.is_image and one.data is not None]
        if not images:
            raise InputError(f"{path}: holds no image; expected a FITS cube (N, y, x)")
        chosen = next((one for one in images if one.data.ndim == 3), images[0])
        native = chosen.data.dtype.newbyteorder("=")
        return np.asarray(chosen.data, native), chosen.header.get("BUNIT")


def _write_fits(
    path: Path,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    unit: str | None,
) -> None:
    kind = np.dtype(np.int16) if dtype == np.int8 else dtype
    header = fits.Header()
    header["SIMPLE"] = True
    header["BITPIX"] = fits.hdu.image.DTYPE2BITPIX[kind.name]
    header["NAXIS"] = len(shape)
    for axis, length in enumerate(reversed(shape), 1):
        header[f"NAXIS{axis}"] = length
    if unit is not None:
        header["BUNIT"] = unit
    stream = fits.StreamingHDU(path, header)
    try:
        for block in blocks:
            stream.write(np.ascontiguousarray(block, kind))
    finally:
        stream.close()
