"""Pixels that show no sky: how they are found in an image, and what stands in for them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from scipy.ndimage import gaussian_filter
from torch import Tensor

from clumpygan.errors import InputWarning

if TYPE_CHECKING:
    from clumpygan.io import Image

_BELOW_SKY = 8.0  # sigma: no source is negative
_ABOVE_SKY = 10.0  # sigma from which on a pixel can be called too sharp
_NEIGHBOUR_SHARE = 0.3
_SMALLEST_FWHM = 2.5  # pixels
_ROUNDS = 3
_REACH = 1.5  # pixels over which the surroundings are carried into a gap
_LEAST_WEIGHT = 0.05
_ENOUGH_KNOWN = 6  # of eight neighbours: what a pixel needs to be compared with the third lowest
_MAD_TO_SIGMA = 1.4826
_LEAST_SCATTER = 0.01  # of the scatter of all pixels: a noise below that isn't the sky's
_FEWEST_EQUAL = 5  # pixels side by side of the largest value: a clipped core
_LARGEST_CORE = 0.1  # of the image
_BRIGHT = 100.0  # sigma: a core, or what surrounds one that is missing, is brighter
_SHINES = 3.0  # sigma of the median of a ring, down to which a star's light is masked
_MIDDLE = 1.0  # arcsec around the middle: there lies what is to be recovered
_EQUAL = 1e-6  # relative
_COARSE = 0.5  # different values a pixel below which an image counts as quantised


def find_bad_pixels(
    data: np.ndarray, mask: np.ndarray, sigma: float | np.ndarray, psf_fwhm: float
) -> np.ndarray:
    """Return the pixels that are neither sky nor galaxy: dead ones, hot ones, cosmic rays.

    Dead is what lies 8 sigma below the median and as far below zero, or below all of its
    neighbours but two: nothing in the wings of a galaxy does. Hot is what lies 10 sigma above the
    median while that of its eight neighbours reaches less than 0.3 of it: through a PSF at least
    2.5 pixels wide (0.19" in pixels of 0.06": 3.2) even a star's neighbours reach 0.6. Three
    rounds find clusters. Where the noise is less than a step of the values, or than 1 % of the
    scatter of all pixels (there is none, then), these stand in for it.

    Parameters
    ----------
    data : numpy.ndarray
        (y, x).
    mask : numpy.ndarray
        (y, x) bool, True where there are no data.
    sigma : float or numpy.ndarray
        Noise per pixel, or (y, x) of each.
    psf_fwhm : float
        In pixels; below 2.5 no pixel is called hot.

    Returns
    -------
    numpy.ndarray
        (y, x) bool, without the pixels of `mask`.
    """
    level = float(np.median(data[~mask]))
    height = np.where(mask, np.nan, data.astype(np.float64) - level)
    scatter = _MAD_TO_SIGMA * float(np.median(np.abs(data[~mask] - level)))
    sigma = np.maximum(sigma, max(_LEAST_SCATTER * scatter, quantisation_step(data[~mask])))
    height[(height < -_BELOW_SKY * sigma) & (data < -_BELOW_SKY * sigma)] = np.nan
    for _ in range(_ROUNDS):
        around, third, contour = _neighbours(height)
        bad = (height < -_BELOW_SKY * sigma) & (third - height > _BELOW_SKY * sigma)
        if psf_fwhm >= _SMALLEST_FWHM:
            hot = (height > _ABOVE_SKY * sigma) & (around < _NEIGHBOUR_SHARE * height)
            # Where light fills the image its median is no sky, and slopes cross it: there a pixel
            # is as bright as those beside it on its contour.
            bad |= hot & (height - contour > _ABOVE_SKY * sigma)
        if not bad.any():
            break
        height[bad] = np.nan
    return np.asarray(np.isnan(height) & ~mask)


def quantisation_step(values: np.ndarray) -> float:
    """Return the distance of the values of an image that has few of them; else 0.

    That of integers, of integers that became fluxes, and of compressed images without dither.
    """
    different = np.unique(values)
    if different.size < 2 or different.size > _COARSE * values.size:
        return 0.0
    steps = np.diff(different[: max(different.size // 2, 2)].astype(np.float64))
    return float(np.median(steps))


def fill_gaps(data: np.ndarray, mask: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return `data` with what surrounds them in the masked pixels, fading into sky, plus `noise`.

    The surroundings are averaged with a Gaussian of 1.5 pixels over the pixels with data; far from
    those, where the weights sum to less than 0.05, nothing but noise is left.
    """
    known = np.where(mask, 0.0, data)
    weight = gaussian_filter((~mask).astype(np.float64), _REACH)
    around = gaussian_filter(known.astype(np.float64), _REACH) / np.maximum(weight, _LEAST_WEIGHT)
    return np.where(mask, around + noise, data).astype(np.float32)


def fill_masked(
    observed: Tensor, sigma: Tensor, mask: Tensor, generators: Sequence[torch.Generator]
) -> Tensor:
    """Return images (B, 1, y, x) with noise about what surrounds them in their masked pixels."""
    images = []
    for image, level, hidden, generator in zip(observed, sigma, mask, generators, strict=True):
        filled = image
        if hidden.any():
            noise = float(level) * torch.randn(image.shape[-2:], generator=generator)
            gaps = fill_gaps(*(one.numpy() for one in (image[0], hidden[0], noise)))
            filled = torch.from_numpy(gaps)[None].to(image)
        images.append(filled)
    return torch.stack(images)


def _neighbours(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (lower) median, third lowest and fourth highest of the up to eight known neighbours.

    The median is infinite where there are none, the fourth highest the lowest of fewer. Where more
    than two are missing, as at the edge, the wings of a galaxy may fall towards a pixel from all of
    them: the third lowest is -infinite there.
    """
    padded = np.pad(image, 1, constant_values=np.nan)
    rows, columns = image.shape
    ring = np.stack(
        [
            padded[y : y + rows, x : x + columns]
            for y in range(3)
            for x in range(3)
            if (y, x) != (1, 1)
        ]
    )
    known = (~np.isnan(ring)).sum(axis=0)
    ordered = np.sort(np.nan_to_num(ring, nan=np.inf, posinf=np.inf, neginf=-np.inf), axis=0)
    middle = np.maximum(known - 1, 0) // 2
    third = np.where(known >= _ENOUGH_KNOWN, ordered[2], -np.inf)
    median, contour = (
        np.take_along_axis(ordered, place[None], axis=0)[0]
        for place in (middle, np.maximum(known - 4, 0))
    )
    return median, third, contour


def mask_saturated_stars(image: Image, sigma: float) -> Image:
    """Return the image with saturated stars masked, out to where they shine by 3 sigma.

    A saturated star is a plateau of equal pixels, the largest of the image, or a hole in it whose
    edge is brighter than 100 sigma. One within 1" of the middle is what is to be recovered, and
    stays as it is.

    Parameters
    ----------
    image : Image
    sigma : float
        Noise of a pixel.

    Warns
    -----
    InputWarning
        If there is any.
    """
    level = float(np.median(image.data[~image.mask]))
    height = (image.data - level) / sigma
    hidden = np.zeros(image.mask.shape, bool)
    count = 0
    for core in (*_clipped(image, height), *_missing(image, height)):
        centre = np.array(ndimage.center_of_mass(core))
        middle = (np.array(core.shape) - 1) / 2
        if np.hypot(*(centre - middle)) * image.pixel_scale < _MIDDLE:
            continue
        hidden |= _shining(height, image.mask | core, centre)
        count += 1
    if not count:
        return image
    warnings.warn(
        f"{image.path}: {count} saturated star{'s' if count > 1 else ''} beside the galaxy, masked"
        f" as far as the light stands out: {int((hidden & ~image.mask).sum())} pixels",
        InputWarning,
        stacklevel=2,
    )
    return replace(
        image, data=np.where(hidden, 0, image.data).astype(np.float32), mask=image.mask | hidden
    )


def _clipped(image: Image, height: np.ndarray) -> list[np.ndarray]:
    """Return the plateaus of the largest value, (y, x) bool each."""
    top = np.where(image.mask, -np.inf, height).max()
    if top < _BRIGHT:
        return []
    return [
        core
        for core in _parts(~image.mask & (height >= top * (1 - _EQUAL)))
        if core.sum() >= _FEWEST_EQUAL
    ]


def _missing(image: Image, height: np.ndarray) -> list[np.ndarray]:
    """Return the holes in the image whose edges are bright, (y, x) bool each."""
    found = []
    for core in _parts(image.mask):
        edge = ndimage.binary_dilation(core) & ~image.mask
        small = core.sum() <= _LARGEST_CORE * core.size and edge.any()
        if small and float(np.median(height[edge])) > _BRIGHT:
            found.append(core)
    return found


def _parts(where: np.ndarray) -> list[np.ndarray]:
    labels, number = ndimage.label(where)
    return [labels == one for one in range(1, number + 1)]


def _shining(height: np.ndarray, missing: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the disk around `centre` in which the median of each ring exceeds 3 sigma."""
    y, x = np.indices(height.shape)
    distance = np.hypot(y - centre[0], x - centre[1])
    radius = 1
    while radius < max(height.shape):
        ring = (distance >= radius) & (distance < radius + 1) & ~missing
        # Of a core nothing is known: the disk reaches beyond it.
        if ring.any() and float(np.median(height[ring])) < _SHINES:
            break
        radius += 1
    return np.asarray(distance < radius)
