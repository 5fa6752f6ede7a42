"""Clumps found in an image by their sharpness: how many, how bright, and how many are true."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter
from scipy.optimize import linear_sum_assignment

from clumpygan.instruments.grid_pair import DEFAULT_GRID

INNER_WIDTH, OUTER_WIDTH = 1.0, 4.0
"""Widths in pixels of the two Gaussians whose difference shows what is clumpy."""

NOISE_THRESHOLD, PEAK_THRESHOLD = 5.0, 0.03
"""A peak is above so many sigma and above this fraction of the image's highest peak."""

MATCHING_RADIUS, NUCLEUS_RADIUS = 0.15, 0.18
"""Arcsec within which two peaks are the same, and within which a peak is the nucleus."""


STAMP_NUCLEUS_RADIUS = 3.0
"""Pixels (0.18" on HST's grid) within which a peak of a noisy stamp is the nucleus."""

POINT_SOURCE_SHARE = 0.050
"""Peak of the difference of Gaussians of a point source of unit flux, PSF of FWHM 3.1 pixels."""


@dataclass(frozen=True)
class ClumpCount:
    """Off-nucleus clumps of one galaxy: in the truth, in the recovery, and in both."""

    true: int
    found: int
    matched: int


def find_peaks(
    image: NDArray[np.floating], sigma: float, reach: int | None = None
) -> NDArray[np.float64]:
    """Return the peaks of the difference of Gaussians of 1 and 4 pixels.

    A peak is the highest of its 3 x 3 pixels, above 5 `sigma` and above 3 % of the highest value
    of the difference. The outermost 4 pixels are left out.

    Parameters
    ----------
    image : numpy.ndarray, (y, x)
        In nJy per pixel.
    sigma : float
        Depth of the observation in nJy per pixel (`fidelity.sigma_per_target_pixel`), whatever
        noise `image` has: what is called a clump must not depend on how it was recovered.
    reach : int, optional
        Pixels along both axes within which the highest value counts, in images of many galaxies;
        the whole image by default.

    Returns
    -------
    numpy.ndarray, (N, 2)
        (y, x) in pixels, brightest first.
    """
    return peaks_of(sharpened(image[None]), sigma, reach)[0]


def peaks_of(
    sharp: NDArray[np.float64], sigma: float, reach: int | None = None
) -> list[NDArray[np.float64]]:
    """Return the peaks of each of several images, as `find_peaks` does.

    Parameters
    ----------
    sharp : numpy.ndarray, (N, y, x)
        Their differences of Gaussians, by `sharpened`.
    sigma : float
        Depth of the observation in nJy per pixel.
    reach : int, optional
        As of `find_peaks`.
    """
    found = []
    for image, peaks in zip(sharp, clump_peaks(sharp, sigma, reach), strict=True):
        order = np.argsort(-image[peaks])
        found.append(np.argwhere(peaks)[order].astype(np.float64))
    return found


def clump_peaks(
    sharp: NDArray[np.float64], sigma: float, reach: int | None = None
) -> NDArray[np.bool_]:
    """Return where differences of Gaussians (N, y, x) have the peaks of `find_peaks`."""
    if reach is None:
        highest = sharp.max(axis=(1, 2), keepdims=True)
    else:
        highest = maximum_filter(sharp, (1, 2 * reach + 1, 2 * reach + 1))
    return local_peaks(sharp, np.maximum(NOISE_THRESHOLD * sigma, PEAK_THRESHOLD * highest))


def sharpened(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the difference of Gaussians of 1 and 4 pixels of images (..., y, x), in their unit."""
    return smoothed(image, INNER_WIDTH) - smoothed(image, OUTER_WIDTH)


def smoothed(images: NDArray[np.floating], width: float) -> NDArray[np.float64]:
    """Smooth images (..., y, x) by a Gaussian, as `scipy.ndimage.gaussian_filter` does.

    Along an axis that is a product with a matrix, which for stamps is ten times as fast.

    Parameters
    ----------
    images : ndarray (..., y, x)
    width : float
        Standard deviation in pixels.

    Returns
    -------
    ndarray (..., y, x), float64
    """
    rows, columns = (_matrix(length, width) for length in images.shape[-2:])
    return np.asarray(rows @ images.astype(np.float64) @ columns.T)


@lru_cache(maxsize=16)
def _matrix(length: int, width: float) -> NDArray[np.float64]:
    """Return the matrix (length, length) that smooths an axis, reflected at its ends."""
    matrix = gaussian_filter1d(np.eye(length), width, axis=0)
    matrix.flags.writeable = False
    return np.asarray(matrix)


def local_peaks(
    sharp: NDArray[np.floating], least: float | NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return where images are above `least` and the highest of their 3 x 3 pixels.

    Parameters
    ----------
    sharp : numpy.ndarray, (..., y, x)
        Differences of Gaussians; their outermost 4 pixels are left out.
    least : float or numpy.ndarray
        Broadcast against them.
    """
    padded = np.pad(sharp, [(0, 0)] * (sharp.ndim - 2) + [(1, 1)] * 2, mode="edge")
    rows = np.maximum(np.maximum(padded[..., :-2, :], padded[..., 1:-1, :]), padded[..., 2:, :])
    highest = np.maximum(np.maximum(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
    peaks = np.asarray((sharp >= highest) & (sharp > least))
    border = int(OUTER_WIDTH)
    peaks[..., :border, :] = peaks[..., -border:, :] = False
    peaks[..., :border] = peaks[..., -border:] = False
    return peaks


def clumps_of_stamps(
    sharp: NDArray[np.floating],
    scatter: NDArray[np.floating],
    radius: NDArray[np.floating],
    inside: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count the clumps of many noisy stamps, and their light.

    A clump is a peak of the difference of Gaussians above 5 sigma of its own noise, more than three
    pixels from the centre. Its flux is that of a point source on the middle of a pixel with such a
    peak: a quarter too low for a clump of 0.1" between four pixels.

    Parameters
    ----------
    sharp : numpy.ndarray, (N, y, x)
        Differences of Gaussians of 1 and 4 pixels.
    scatter : numpy.ndarray, (N,)
        Standard deviation of the noise in them.
    radius : numpy.ndarray, (N, y, x)
        Distance of every pixel from the centre of its galaxy.
    inside : numpy.ndarray, (N, y, x)
        Pixels of the galaxy: peaks elsewhere are counted, their light is another's.

    Returns
    -------
    number, light : numpy.ndarray, (N,)
        Peaks in the stamp, and the flux of those inside in the unit of the stamps.
    """
    peaks = local_peaks(sharp, NOISE_THRESHOLD * scatter[:, None, None])
    peaks &= radius > STAMP_NUCLEUS_RADIUS
    light = np.where(peaks & inside, sharp, 0.0).sum(axis=(1, 2), dtype=np.float64)
    return peaks.sum(axis=(1, 2)), light / POINT_SOURCE_SHARE


def count_clumps(
    recovered: NDArray[np.floating],
    truth: NDArray[np.floating],
    sigma: float,
    nucleus: tuple[float, float],
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> ClumpCount:
    """Count the clumps outside 0.18" of the nucleus, and those matched within 0.15".

    True and recovered clumps are paired one to one so that the number of pairs is largest and,
    among those pairings, the total distance smallest. Completeness is matched / true and purity
    matched / found, both over all galaxies of a sample.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in nJy per pixel.
    sigma : float
        Depth of the observation in nJy per pixel.
    nucleus : tuple of float
        (y, x) of the true nucleus in pixels.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    ClumpCount
    """
    true, found = (
        _off_nucleus(find_peaks(image, sigma), nucleus, pixel_scale) for image in (truth, recovered)
    )
    return ClumpCount(
        len(true), len(found), len(matches(true, found, MATCHING_RADIUS / pixel_scale))
    )


def _off_nucleus(
    peaks: NDArray[np.float64], nucleus: tuple[float, float], pixel_scale: float
) -> NDArray[np.float64]:
    distance = np.linalg.norm(peaks - np.asarray(nucleus), axis=1) * pixel_scale
    return np.asarray(peaks[distance > NUCLEUS_RADIUS])


def matches(
    true: NDArray[np.float64], found: NDArray[np.float64], reach: float
) -> NDArray[np.int64]:
    """Pair places one to one within reach: as many, and as near, as can be.

    Parameters
    ----------
    true, found : numpy.ndarray, (N, 2)
        (y, x).
    reach : float
        In their unit.

    Returns
    -------
    numpy.ndarray, (M, 2)
        Which of `true`, and which of `found`.
    """
    distance = np.linalg.norm(true[:, None] - found[None], axis=2)
    near = distance <= reach
    # a forbidden pair costs more than all allowed ones together, so that their number comes first
    cost = np.where(near, distance, (1.0 + distance.size) * reach)
    pairs = np.stack(linear_sum_assignment(cost), 1)
    return np.asarray(pairs[near[pairs[:, 0], pairs[:, 1]]], np.int64)
