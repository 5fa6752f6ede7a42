"""The noise of images that light fills: from differences of neighbours, in which light cancels."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.errors import InputError
from clumpygan.instruments.correlation import drizzled_correlation
from clumpygan.instruments.noise import NoiseModel

LARGEST_DROP = 3.0
"""Pixels: beyond, noise looks like light."""

_FIRST, _SECOND, _THIRD = (np.array(taps, float) for taps in ((1, -1), (1, -2, 1), (1, -3, 3, -1)))
_DARKER = 0.4  # share of the pixels, those with the least light, in which differences are taken
_SMOOTHING = 2.0  # pixels, by which they are found
_WHITE_DROP = 0.5  # pixels: below, a drop can't be told from none
_FEWEST = 60  # differences
_MAD_TO_SIGMA = 1.4826
_CLIPPED = 3.5  # sigma, beyond which a difference is light
_CLIPPED_TO_SIGMA = 1.0035  # 1 over the rms that is left of noise of sigma 1
_ROUNDS = 30
_CONVERGED = 1e-3  # relative


def small_scale_noise(
    image: ArrayLike,
    pixel_scale: float,
    mask: NDArray[np.bool_] | None = None,
    largest_drop: float | None = LARGEST_DROP,
    usual_drop: float = 0.0,
) -> NoiseModel:
    """Measure noise from the differences of neighbouring pixels, where these see no sky.

    Second differences along both axes (Immerkaer 1996, Computer Vision and Image Understanding 64,
    300) are free of light that is smooth over three pixels, as behind any PSF that is sampled. What
    they miss of correlated noise is told by third and first differences: their ratio gives the size
    of the drop in `drizzled_correlation`, and that the rest. All are rms in the darkest 0.4 of the
    pixels, where the shot noise of the light is least, without what is beyond 3.5 sigma, and at
    least as large as the median absolute values say. Those alone are too small where a mosaic has
    few exposures, since pixels that one drop covers are equal there: sigma is 0.9 of the true one
    where there are two exposures, 0.94 where there are three. Of a single one it is a quarter.
    Where noise differs over the image, sigma is nearer to its rms than to that of a typical pixel.

    Parameters
    ----------
    image : array_like
        Shape (y, x).
    pixel_scale : float
        arcsec per pixel.
    mask : numpy.ndarray, optional
        Shape (y, x), True for bad pixels.
    largest_drop : float, optional
        Pixels; light that isn't smooth is taken for no more than such a correlation. None: the drop
        isn't measured.
    usual_drop : float
        Pixels; taken where the drop isn't measured, or is too small to be. 0 for white noise.

    Returns
    -------
    NoiseModel
        Of five stamps of the XDF, which are full of light, sigma within 10 % of that of empty sky.

    Raises
    ------
    InputError
        If there are fewer than 60 differences of good pixels, or they don't differ.
    """
    data = np.asarray(image, dtype=np.float64)
    bad = ~np.isfinite(data) if mask is None else np.asarray(mask, bool) | ~np.isfinite(data)
    good = (~bad).astype(float)
    light = gaussian_filter(np.where(bad, 0.0, data), _SMOOTHING)
    light /= np.maximum(gaussian_filter(good, _SMOOTHING), 1e-3)
    known = np.where(bad, np.nan, data)
    first, second, third = (_spread(known, light, taps) for taps in (_FIRST, _SECOND, _THIRD))
    if not min(first, second, third) > 0:
        raise InputError("neighbouring pixels don't differ: give the noise level itself")
    drop = 0.0 if largest_drop is None else _drop(third / first, largest_drop)
    if drop < _WHITE_DROP:
        drop = usual_drop
    if drop == 0:
        return NoiseModel(second / float(np.square(_SECOND).sum()), pixel_scale)
    return NoiseModel(second / _excess(_SECOND, drop), pixel_scale, _correlation(drop))


def _spread(
    known: NDArray[np.float64], light: NDArray[np.float64], taps: NDArray[np.float64]
) -> float:
    """Return sigma of the differences by `taps` along both axes, in the darker pixels."""
    if min(known.shape) < len(taps):
        raise InputError(
            f"no differences of neighbours in {known.shape[0]} x {known.shape[1]} pixels: give a"
            " larger stamp"
        )
    windows = sliding_window_view(known, (len(taps), len(taps)))
    values = np.einsum("yxij,i,j->yx", windows, taps, taps)
    rows, columns = values.shape
    beside = light[len(taps) // 2 :, len(taps) // 2 :][:rows, :columns]
    whole = np.isfinite(values)
    if whole.sum() < _FEWEST:
        raise InputError(f"only {int(whole.sum())} differences of neighbours: give a larger stamp")
    share = max(_DARKER, _FEWEST / float(whole.sum()))
    darker = values[whole & (beside <= np.quantile(beside[whole], share))]
    least = sigma = _MAD_TO_SIGMA * float(np.median(np.abs(darker)))
    for _ in range(_ROUNDS):
        noise = darker[np.abs(darker) < _CLIPPED * sigma]
        if not noise.size:
            break
        before, sigma = sigma, max(least, _CLIPPED_TO_SIGMA * float(np.sqrt(np.mean(noise**2))))
        if abs(sigma - before) < _CONVERGED * before:
            break
    return sigma


def _drop(ratio: float, largest: float) -> float:
    """Return the size of the drop in pixels by the ratio of third to first differences."""
    drops = np.linspace(0.02, max(largest, 0.04), 150)
    ratios = np.array([_excess(_THIRD, drop) / _excess(_FIRST, drop) for drop in drops])
    return float(drops[np.argmin(np.abs(np.log(ratios / ratio)))])


def _correlation(drop: float) -> NDArray[np.float64]:
    return drizzled_correlation(1.0, drop, pixfrac=1.0)


def _excess(taps: NDArray[np.float64], drop: float) -> float:
    """Return sigma of the differences by `taps` along both axes, for noise of sigma 1."""
    table = _correlation(drop)
    along = table[len(table) // 2]
    pairs = np.correlate(taps, taps, "full")
    reach = min(len(pairs) // 2, len(along) // 2)
    middle, centre = len(pairs) // 2, len(along) // 2
    lags = range(-reach, reach + 1)
    # The variance along one axis: that of both is its square.
    return float(sum(pairs[middle + lag] * along[centre + lag] for lag in lags))
