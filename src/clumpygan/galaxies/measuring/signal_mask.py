"""Where in a noisy cube the line is: the voxels that stand out of the noise once smoothed."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import brentq

from clumpygan.galaxies.measuring.measured_cube import MeasuredCube

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

EDGE = 2.5
"""S/N in the smoothed cube down to which signal is followed from where it is believed."""

FALSE_PEAKS = 0.02
"""How many peaks of noise alone are believed per cube, on average."""

_SMOOTHING = (1.0, 1.0, 1.0)
"""Standard deviations (v, y, x) of the smoothing in channels and pixels."""

_MAD_TO_SIGMA = 1.4826


def noise_level(values: FloatArray) -> float:
    """Return the standard deviation of noise of mean 0, whatever positive signal lies on top.

    From the median of the values below 0 alone; exact zeros, with which some archives fill blank
    voxels, don't count. 0 where nothing is below 0.

    Parameters
    ----------
    values : ndarray
        Any shape; NaN are ignored.
    """
    negative = values[values < 0]
    return _MAD_TO_SIGMA * float(np.median(-negative)) if negative.size else 0.0


def signal_mask(cube: MeasuredCube) -> BoolArray:
    """Find the voxels that hold the line, by a threshold with memory on the smoothed cube.

    As the "strict" masks of PHANGS (Leroy et al. 2021, section 5) and the SMOOTH&SEARCH masks of
    3DBarolo (Di Teodoro & Fraternali 2015): the cube is smoothed by a Gaussian in all three
    directions; peaks so high that `FALSE_PEAKS` of them are expected of noise are believed, and all
    voxels that are connected with them at S/N above `EDGE` join them. The noise of the smoothed
    cube follows from the variance, and is raised to what the negative values show where noise is
    correlated between voxels. In the end, voxels that no neighbouring channel joins are dropped:
    the smoothing spreads even the narrowest line over several.

    Parameters
    ----------
    cube : MeasuredCube
        With variance.

    Returns
    -------
    ndarray (v, y, x) of bool
        Only valid voxels are in it.
    """
    assert cube.variance is not None
    variance = np.where(cube.valid, cube.variance, 0.0)
    smoothed, spread = cube.data, variance
    for axis, sigma in enumerate(_SMOOTHING):
        kernel = _gaussian(sigma)
        smoothed = ndimage.convolve1d(smoothed, kernel, axis, mode="constant")
        spread = ndimage.convolve1d(spread, kernel**2, axis, mode="constant")
    significance = np.divide(
        smoothed, np.sqrt(spread), out=np.zeros_like(smoothed), where=cube.valid
    )
    significance /= max(1.0, noise_level(significance))
    neighbours = ndimage.generate_binary_structure(3, 1)
    labels, count = ndimage.label(significance > EDGE, neighbours)
    peaks = ndimage.maximum(significance, labels, np.arange(count + 1))
    believed = peaks > _believed_peak(int(cube.valid.sum()))
    believed[0] = False
    mask = believed[labels] & cube.valid
    if len(mask) > 1:
        mask = ndimage.binary_opening(mask, np.ones((2, 1, 1), dtype=bool))
    return np.asarray(mask)


def _believed_peak(voxels: int) -> float:
    """Return the S/N above which the smoothed noise of a cube has `FALSE_PEAKS` peaks.

    A smooth Gaussian field has `V |L|^(1/2) (u^2 - 1) exp(-u^2 / 2) / (4 pi^2)` peaks above u
    (Adler 1981, theorem 5.4.1), with L the covariance of its gradient: 1 / (2 sigma^2) for white
    noise that was smoothed by sigma.
    """
    density = np.prod([1 / (np.sqrt(2) * sigma) for sigma in _SMOOTHING]) / (4 * np.pi**2)

    def excess(u: float) -> float:
        return float(voxels * density * (u**2 - 1) * np.exp(-(u**2) / 2) - FALSE_PEAKS)

    # The density of peaks is largest at sqrt(3), below which the formula doesn't count peaks.
    low, high = np.sqrt(3), 12.0
    return float(brentq(excess, low, high)) if excess(low) > 0 > excess(high) else 2 * EDGE


def _gaussian(sigma: float) -> FloatArray:
    """Return a normalised Gaussian kernel out to 3 sigma."""
    reach = np.arange(-np.ceil(3 * sigma), np.ceil(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    return np.asarray(kernel / kernel.sum())
