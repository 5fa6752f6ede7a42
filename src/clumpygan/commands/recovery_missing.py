"""Pixels that show no sky: how they are found in an HST image, and what stands in for them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

_BELOW_SKY = 8.0  # sigma: no source is negative
_ABOVE_SKY = 10.0  # sigma from which on a pixel can be called too sharp
_NEIGHBOUR_SHARE = 0.3
_SMALLEST_FWHM = 2.5  # pixels
_ROUNDS = 3
_REACH = 1.5  # pixels over which the surroundings are carried into a gap
_LEAST_WEIGHT = 0.05


def find_blemishes(data: np.ndarray, mask: np.ndarray, sigma: float, psf_fwhm: float) -> np.ndarray:
    """Return the pixels that are neither sky nor galaxy: dead ones, hot ones, cosmic rays.

    Dead is what lies 8 sigma below the median. Hot is what lies 10 sigma above it while the median
    of its eight neighbours reaches less than 0.3 of it: through a PSF at least 2.5 pixels wide
    (0.19" in pixels of 0.06": 3.2) even a star's neighbours reach 0.6. Three rounds find clusters.

    Parameters
    ----------
    data : numpy.ndarray
        (y, x).
    mask : numpy.ndarray
        (y, x) bool, True where there are no data.
    sigma : float
        Noise per pixel.
    psf_fwhm : float
        In pixels; below 2.5 no pixel is called hot.

    Returns
    -------
    numpy.ndarray
        (y, x) bool, without the pixels of `mask`.
    """
    level = float(np.median(data[~mask]))
    height = np.where(mask, np.nan, data.astype(np.float64) - level)
    height[height < -_BELOW_SKY * sigma] = np.nan
    for _ in range(_ROUNDS if psf_fwhm >= _SMALLEST_FWHM else 0):
        around = _median_of_neighbours(height)
        hot = (height > _ABOVE_SKY * sigma) & (around < _NEIGHBOUR_SHARE * height)
        if not hot.any():
            break
        height[hot] = np.nan
    return np.isnan(height) & ~mask


def bridged(data: np.ndarray, mask: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return `data` with what surrounds them in the masked pixels, fading into sky, plus `noise`.

    The surroundings are averaged with a Gaussian of 1.5 pixels over the pixels with data; far from
    those, where the weights sum to less than 0.05, nothing but noise is left.
    """
    known = np.where(mask, 0.0, data)
    weight = gaussian_filter((~mask).astype(np.float64), _REACH)
    around = gaussian_filter(known.astype(np.float64), _REACH) / np.maximum(weight, _LEAST_WEIGHT)
    return np.where(mask, around + noise, data).astype(np.float32)


def _median_of_neighbours(image: np.ndarray) -> np.ndarray:
    """Return the (lower) median of the up to eight known neighbours; infinite where none is."""
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
    return np.take_along_axis(ordered, middle[None], axis=0)[0]
