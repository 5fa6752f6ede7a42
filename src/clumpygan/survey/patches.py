"""Patches of a survey: read once by each process that needs them, cut into stamps."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from pathlib import Path

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from clumpygan.errors import InputError, InputWarning
from clumpygan.io import Image, read_image
from clumpygan.io.images import read_variance, read_weight
from clumpygan.io.photometry import nanojansky_per_count
from clumpygan.recovery.observed_noise import (
    IN_SKY,
    USUALLY_SHARED,
    measured_noise,
    shared_noise,
)
from clumpygan.recovery.scene import corner_around, stamp_around

_SCALE = 0.01
"""Relative difference up to which pixels are the network's."""

_BLOCK = 256
"""Pixels on a side of the parts of a patch in which noise that neighbours share is measured."""

_MOST_BLOCKS = 4
"""Parts along each axis, spread over the patch: more say nothing new and cost each worker time."""


@dataclass(frozen=True, eq=False)
class SurveyPatch:
    """A patch.

    Attributes
    ----------
    path : pathlib.Path
    data, sigma : ndarray (y, x), float32
        nJy per pixel, and its noise.
    mask : ndarray (y, x) of bool
        True where nothing was observed.
    wcs : WCS or None
    shared_noise : float
        By how much noise in apertures exceeds that of white noise.
    """

    path: Path
    data: NDArray[np.float32]
    sigma: NDArray[np.float32]
    mask: NDArray[np.bool_]
    wcs: WCS | None
    shared_noise: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.data.shape[0], self.data.shape[1]

    def corner(self, x: float, y: float, size: int) -> tuple[int, int]:
        """Return the first row and column of a stamp around a position."""
        return corner_around(y, x, size)

    def cut(
        self, x: float, y: float, size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Return data, noise and mask (size, size) around a position; masked outside the patch."""
        place, outside = stamp_around(self.shape, y, x, size)
        return self.data[place], self.sigma[place], self.mask[place] | outside


def read_patch(path: Path, pixel_scale: float, weight: Path | None = None) -> SurveyPatch:
    """Read a patch with its mask and its noise: the variance plane, or measured in the empty sky.

    Patches are kept until others are read.

    Parameters
    ----------
    path : pathlib.Path
    pixel_scale : float
        That of the network, arcsec.
    weight : pathlib.Path, optional
        Weight map: without a plane VARIANCE the noise of the empty sky is distributed as it says.

    Raises
    ------
    InputError
        If it or the weight map can't be read, or it has other pixels, or no zero point.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an image of the survey")
    return _read(path, pixel_scale, weight, (version_of(path), version_of(weight)))


def version_of(path: Path | None) -> tuple[Path, int, int] | None:
    """Return what tells a file from others, and from itself before it was written again.

    None where there is no such file.
    """
    if path is None or not path.is_file():
        return None
    status = path.stat()
    return path.resolve(), status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1)
def _read(
    path: Path, pixel_scale: float, weight: Path | None, _versions: tuple[object, object]
) -> SurveyPatch:
    with warnings.catch_warnings():
        # What is masked is in the table of each galaxy.
        warnings.simplefilter("ignore", InputWarning)
        image = read_image(path, expected_scale=pixel_scale, weight=weight)
        variance = _variance(path, image.data.shape)
    if image.zero_point is None:
        raise InputError(
            f"{path}: no zero point known (BUNIT in nJy, MAGZERO, FLUXMAG0); expected one, as"
            " magnitudes are measured"
        )
    mask = image.mask
    if variance is None:
        sigma = np.full(image.data.shape, measured_noise(image)[0], np.float32)
        if weight is not None:
            sigma *= _relative_noise(weight, mask)
    else:
        unit = nanojansky_per_count(image.zero_point)
        known = np.isfinite(variance) & (variance > 0) & ~mask
        if not known.any():
            raise InputError(f"{path}: its variance is nowhere positive; expected a variance > 0")
        mask = mask | ~known
        filled = np.where(known, variance, np.median(variance[known]))
        sigma = (np.sqrt(filled) * unit).astype(np.float32)
    data = np.where(mask, 0, image.data)
    shared = _shared_noise(replace(image, data=data, mask=mask), sigma)
    return SurveyPatch(path, data, sigma, mask, image.wcs, shared)


def _shared_noise(image: Image, sigma: NDArray[np.float32]) -> float:
    """Return by how much noise in apertures exceeds that of white noise, as usual without sky.

    The median of blocks spread over the patch, each in units of the noise of its pixels: halos of
    stars and seams between depths, which look like noise that is shared, are in few of them.
    """
    found = []
    starts = []
    for length in image.data.shape:
        count = min(ceil(length / _BLOCK), _MOST_BLOCKS)
        starts.append(np.linspace(0, max(length - _BLOCK, 0), count).astype(int))
    for top in starts[0]:
        for left in starts[1]:
            block = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            data = image.data[block] / sigma[block]
            one = shared_noise(replace(image, data=data, mask=image.mask[block]))
            found += [one.excess] if one.how == IN_SKY else []
    return float(np.median(found)) if found else USUALLY_SHARED


def _relative_noise(weight: Path, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the noise of pixels by their weights, over its median where there are data."""
    weights = read_weight(weight).astype(np.float64)
    known = ~mask & np.isfinite(weights) & (weights > 0)
    middle = float(np.median(weights[known])) if known.any() else 1.0
    return np.sqrt(middle / np.where(known, weights, middle)).astype(np.float32)


def _variance(path: Path, shape: tuple[int, ...]) -> NDArray[np.floating] | None:
    """Return the plane VARIANCE of the file itself; None where it has none."""
    from clumpygan.io.fits import open_fits

    with open_fits(path) as hdus:
        if "VARIANCE" not in hdus:
            return None
    variance = read_variance(path, name=str(path))
    if variance.shape != shape:
        raise InputError(
            f"{path}: VARIANCE has shape {variance.shape}; expected {shape}, that of the image"
        )
    return np.asarray(variance)
