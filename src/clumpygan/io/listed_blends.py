"""Files of blends: an image, its PSF, and the sources that a catalogue lists of it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.io.fits import HSC_BANDS

_NEEDED = ("images", "psfs", "peaks")
_LARGEST = 2**28  # bytes, unpacked; those of HSC have 100,000

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RealBlend:
    """A blend, as a file holds it.

    Attributes
    ----------
    name : str
    image : ndarray (y, x)
        In counts.
    mask : ndarray (y, x) of bool
        Where there are no data.
    variance : ndarray (y, x) or None
        In counts squared, where it is known.
    psf : ndarray
    psf_scale : float or None
        Arcsec, if its pixels aren't those of the image.
    zero_point : float or None
        AB magnitude of a count, where it is known.
    peaks : ndarray (N, 2)
        (y, x) in pixels, of the sources of a catalogue that lie where there are data.
    """

    name: str
    image: FloatArray
    mask: NDArray[np.bool_]
    variance: FloatArray | None
    psf: FloatArray
    psf_scale: float | None
    zero_point: float | None
    peaks: FloatArray


def read_blend(path: Path, band: str) -> RealBlend | None:
    """Read a blend; return None if the file has no PSF.

    Parameters
    ----------
    path : pathlib.Path
        Arrays of NumPy: `images` (y, x), or (5, y, x) in grizy, pixels of the survey; `psfs`;
        `peaks` (N, 2), x and y in pixels from 0. Where they are known also `weights`, inverse
        variances, without which the noise is measured in the image, `zero_point`, AB, and
        `psf_scale`, arcsec.
    band : str
        Which of a stack is taken.

    Raises
    ------
    InputError
        If it can't be read, an array is missing or isn't what it should be.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a blend")
    try:
        # A file with one array, which has no name, isn't a zip file.
        with zipfile.ZipFile(path) as packed:
            if sum(one.file_size for one in packed.infolist()) > _LARGEST:
                raise ValueError("more than 256 MB")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as problem:  # headers of arrays are read as Python
        raise InputError(f"{path}: can't be read as arrays of NumPy; expected a blend") from problem
    if "psfs" not in arrays:
        return None
    missing = next((name for name in _NEEDED if name not in arrays), None)
    if missing is not None:
        raise InputError(f"{path}: has no `{missing}`; expected {', '.join(_NEEDED)}")
    image, psf = (_plane(path, name, arrays[name], band) for name in _NEEDED[:2])
    peaks = arrays["peaks"]
    if peaks.ndim != 2 or peaks.shape[1] != 2:
        raise InputError(f"{path}: `peaks` has shape {peaks.shape}; expected (N, 2), x and y")
    if peaks.dtype.kind not in "fiu" or not np.isfinite(peaks).all():
        raise InputError(f"{path}: `peaks` aren't all numbers; expected x and y in pixels from 0")
    known, variance = np.isfinite(image), None
    if "weights" in arrays:
        weight = _plane(path, "weights", arrays["weights"], band)
        if weight.shape != image.shape:
            raise InputError(f"{path}: `weights` has shape {weight.shape}; expected {image.shape}")
        known &= np.isfinite(weight) & (weight > 0)
        if not known.any():
            raise InputError(f"{path}: no weight is positive; expected inverse variances")
        variance = np.where(known, 1 / np.where(known, weight, 1), 0)
        variance[~known] = np.median(variance[known])
    places = np.asarray(peaks[:, ::-1], np.float64)
    return RealBlend(
        path.stem, np.where(known, image, 0), ~known, variance, psf,
        _number(path, "psf_scale", arrays, positive=True), _number(path, "zero_point", arrays),
        places[has_data(places, known)],
    )  # fmt: skip


def _plane(path: Path, name: str, array: NDArray[Any], band: str) -> FloatArray:
    """Return an image, or the plane of a band of a stack."""
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or not array.size:
        raise InputError(f"{path}: `{name}` has shape {array.shape}; expected an image, or a stack")
    if array.ndim == 3 and len(array) != len(HSC_BANDS):
        raise InputError(
            f"{path}: `{name}` has {len(array)} bands; expected {len(HSC_BANDS)}, {HSC_BANDS}"
        )
    plane = array if array.ndim == 2 else array[HSC_BANDS.index(band)]
    return np.asarray(plane, np.float64)


def _number(
    path: Path, name: str, arrays: dict[str, NDArray[Any]], *, positive: bool = False
) -> float | None:
    """Return a number that a file may hold."""
    if name not in arrays:
        return None
    array, expected = arrays[name], "a number > 0" if positive else "a number"
    if array.dtype.kind not in "fiu" or array.size != 1:
        told = f"of shape {array.shape}" if array.size != 1 else f"{array.item()!r}"
        raise InputError(f"{path}: `{name}` is {told}; expected {expected}")
    number = float(array.item())
    if not np.isfinite(number) or (positive and number <= 0):
        raise InputError(f"{path}: `{name}` is {number:g}; expected {expected}")
    return number


def has_data(places: FloatArray, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which places (N, 2), y and x in pixels, lie on pixels that are `known` (y, x)."""
    rows, columns = np.rint(places).astype(int).reshape(-1, 2).T
    inside = (rows >= 0) & (rows < known.shape[0]) & (columns >= 0) & (columns < known.shape[1])
    found = known[rows.clip(0, known.shape[0] - 1), columns.clip(0, known.shape[1] - 1)]
    return np.asarray(inside & found)
