"""Pixels of a stamp that don't show its galaxy, without data or of a neighbour; what fills them."""

import numpy as np
from scipy import ndimage

from clumpygan.data.cutouts.background import GROWTH, THRESHOLD, grown

NO_DATA, NEIGHBOUR = 1, 2
"""Values of a mask; 0 is a good pixel. A pixel without data in a neighbour is 1."""

_SMALLEST_BLANK = 9
_SMALLEST_NEIGHBOUR = 5
_REACH = 5


def without_data(images: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return where stamps hold no observation.

    Parameters
    ----------
    images : numpy.ndarray
        Shape (n, y, x).
    weights : numpy.ndarray, optional
        Same shape: 0, negative or NaN where there are no data. Without it pixels of exactly 0 have
        none, where a stamp has nine or more: so drizzled mosaics are beyond the observed field.

    Returns
    -------
    numpy.ndarray
        Shape (n, y, x), bool.
    """
    missing = ~np.isfinite(images)
    if weights is not None:
        return np.asarray(missing | ~(weights > 0))
    blank = images == 0
    blank &= (blank.sum(axis=(1, 2)) >= _SMALLEST_BLANK)[:, None, None]
    return np.asarray(missing | blank)


def detected_neighbours(significance: np.ndarray) -> np.ndarray:
    """Return the pixels of sources that aren't connected with the one in the middle.

    Sources that touch at the threshold aren't separated: a clump would be cut off its galaxy.

    Parameters
    ----------
    significance : numpy.ndarray
        Shape (n, y, x), see `clumpygan.data.cutouts.background.Sky`; 0 where there are no data.

    Returns
    -------
    numpy.ndarray
        Shape (n, y, x), bool.
    """
    above = significance > THRESHOLD
    labels = np.zeros(above.shape, np.int32)
    for i in np.flatnonzero(above.any(axis=(1, 2))):
        found, count = ndimage.label(above[i], np.ones((3, 3)))
        sizes = np.bincount(found.ravel(), minlength=count + 1)
        labels[i] = np.where(sizes[found] >= _SMALLEST_NEIGHBOUR, found, 0)
    return labelled_neighbours(labels)


def labelled_neighbours(labels: np.ndarray) -> np.ndarray:
    """Return the pixels of all labels but that in the middle, grown by three pixels.

    Where the middle has no label, the nearest one within five pixels is the galaxy. Pixels of the
    galaxy itself are never masked.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (n, y, x), int; 0 is sky.

    Returns
    -------
    numpy.ndarray
        Shape (n, y, x), bool.
    """
    size = labels.shape[-1]
    axis = np.arange(size) - (size - 1) / 2
    distance = np.hypot(axis[:, None], axis)
    nearest = np.argsort(distance, axis=None, kind="stable")
    nearest = nearest[distance.ravel()[nearest] <= _REACH]
    middle = labels.reshape(len(labels), size**2)[:, nearest]
    # The first label that isn't the sky, from the middle outwards.
    place = np.argmax(middle != 0, axis=1)[:, None]
    target = np.take_along_axis(middle, place, axis=1)[:, :, None]
    others = (labels != 0) & (labels != target)
    own = (labels == target) & (target != 0)
    marked = others.any(axis=(1, 2))
    others[marked] = grown(others[marked], GROWTH)
    return np.asarray(others & ~own)


class NoiseFill:
    """Noise for the masked pixels of a stamp, correlated as that of the set.

    Zeros would be holes in the sky that a network learns to paint; noise hides them, and the mask
    tells where it is.

    Parameters
    ----------
    size : int
        Pixels per side.
    correlation : numpy.ndarray
        Coefficients at lags in pixels, shape (2 m + 1, 2 m + 1), 1 in the middle.
    seed : int
    """

    def __init__(self, size: int, correlation: np.ndarray, seed: int) -> None:
        lags = correlation.shape[0] // 2
        self.size, self.seed, self.grid = size, seed, size + 2 * lags
        table = np.zeros((self.grid, self.grid))
        reach = np.arange(-lags, lags + 1)
        table[np.ix_(reach, reach)] = correlation
        power = np.fft.rfft2(table).real.clip(min=0)
        # What was clipped is noise of the measured correlation; the variance stays 1.
        whole = np.fft.irfft2(power, s=table.shape)[0, 0]
        self.filter = np.sqrt(power / whole)

    def draw(self, row: int, band: int) -> np.ndarray:
        """Return noise (size, size), float32, of variance 1: always the same for a row and band."""
        generator = np.random.default_rng([self.seed, row, band])
        white = generator.standard_normal((self.grid, self.grid))
        noise = np.fft.irfft2(np.fft.rfft2(white) * self.filter, s=white.shape)
        return noise[: self.size, : self.size].astype(np.float32)
