"""Sky of many stamps at once: background, noise, what is free of sources.

The measurement of `clumpygan.instruments.estimate_noise` for stacks of stamps, each with the same
noise all over, ten times as fast: sources stand out after smoothing, and are grown by three pixels.
Since smoothing is linear it is done once, and its median and scatter are those of every second row
and column, which hold about all of its information. They stand out by 3 sigma, not 2.5: of pure
noise that takes 2 % away instead of 9 %, always its high patches, and half as much of the noise's
power on large scales (11 % for 22 %).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

SMOOTHING, THRESHOLD, GROWTH = 1.5, 3.0, 3
_ROUNDS = 3
_MAD_TO_SIGMA = 1.4826
_FEWEST_PIXELS, _FEWEST_FRACTION = 25, 0.05


@dataclass(frozen=True)
class Sky:
    """The sky of n stamps.

    Attributes
    ----------
    background, sigma : numpy.ndarray
        Shape (n,), float64: median, and standard deviation of a pixel by the median absolute
        deviation; NaN where too few pixels are free of sources, or don't vary.
    free : numpy.ndarray
        Shape (n, y, x), bool: neither bad nor near a source.
    texture : numpy.ndarray
        Shape (n,), float64: scatter of the smoothed sky over sigma; higher than that of noise where
        sources are so many or so large that they pass for sky.
    significance : numpy.ndarray
        Shape (n, y, x), float32: the smoothed stamp over the sky, in units of its own scatter.
    """

    background: np.ndarray
    sigma: np.ndarray
    free: np.ndarray
    texture: np.ndarray
    significance: np.ndarray


def measure_sky(images: np.ndarray, bad: np.ndarray) -> Sky:
    """Measure the sky in each stamp.

    Parameters
    ----------
    images : numpy.ndarray
        Shape (n, y, x), float32.
    bad : numpy.ndarray
        Shape (n, y, x), bool: pixels that don't count.
    """
    good = ~bad
    level = _median(images, good)[:, None, None].astype(np.float32)
    smooth = _smoothed(np.where(good, images - level, np.float32(0)))
    masked = bad.any(axis=(1, 2))
    if masked.any():
        weight = _smoothed(good[masked].astype(np.float32))
        smooth[masked] /= np.maximum(weight, np.float32(1e-3))
    thin = smooth[:, ::2, ::2]
    free = good
    for _ in range(_ROUNDS):
        centre, scatter = _median_and_sigma(thin, free[:, ::2, ::2])
        centre, scatter = (a.astype(np.float32)[:, None, None] for a in (centre, scatter))
        free = good & ~grown((smooth - centre > THRESHOLD * scatter) & good, GROWTH)
    background, sigma = _median_and_sigma(images, free)
    pixels = np.prod(images.shape[1:])
    enough = free.sum(axis=(1, 2)) >= max(_FEWEST_PIXELS, _FEWEST_FRACTION * pixels)
    sure = enough & (sigma > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        significance = np.nan_to_num((smooth - centre) / scatter)
        texture = scatter[:, 0, 0] / sigma
    background, sigma = (np.where(sure, a, np.nan) for a in (background, sigma))
    return Sky(background, sigma, free, texture, significance)


def grown(marked: np.ndarray, steps: int) -> np.ndarray:
    """Grow marked regions by so many pixels along the axes, a diamond.

    Parameters
    ----------
    marked : numpy.ndarray
        Shape (n, y, x), bool.
    steps : int
    """
    for _ in range(steps):
        wider = marked.copy()
        wider[:, 1:] |= marked[:, :-1]
        wider[:, :-1] |= marked[:, 1:]
        wider[..., 1:] |= marked[..., :-1]
        wider[..., :-1] |= marked[..., 1:]
        marked = wider
    return marked


def _smoothed(images: np.ndarray) -> np.ndarray:
    return np.asarray(gaussian_filter(images, (0, SMOOTHING, SMOOTHING)))


def _median_and_sigma(values: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre = _median(values, valid)
    distances = np.abs(values - centre[:, None, None].astype(values.dtype))
    return centre, _MAD_TO_SIGMA * _median(distances, valid)


def _median(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Median of the valid values of each stamp (n,), float64; NaN where there are none."""
    ordered = np.where(valid, values, np.float32(np.inf))
    ordered = ordered.reshape(len(values), np.prod(values.shape[1:]))
    ordered.sort(axis=1)
    count = valid.sum(axis=(1, 2))
    low, high = (np.maximum(k, 0)[:, None] for k in ((count - 1) // 2, count // 2))
    high = np.minimum(high, ordered.shape[1] - 1)
    pair = [np.take_along_axis(ordered, k, axis=1)[:, 0].astype(np.float64) for k in (low, high)]
    return np.where(count > 0, 0.5 * (pair[0] + pair[1]), np.nan)
