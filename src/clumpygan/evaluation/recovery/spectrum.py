"""The radial power spectrum of an image, and how far two of them are from each other."""

import numpy as np
from numpy.typing import NDArray

from clumpygan.instruments.grid_pair import DEFAULT_GRID

FREQUENCY_EDGES = np.linspace(0.5, 5.0, 13)
"""Edges of the rings in cycles per arcsec: from the size of a galaxy (2") to below HST's PSF."""

FREQUENCIES = (FREQUENCY_EDGES[1:] + FREQUENCY_EDGES[:-1]) / 2
"""Middles of the rings."""

_FLOOR = 0.1


def radial_power(
    image: NDArray[np.floating], pixel_scale: float = DEFAULT_GRID.target_scale
) -> NDArray[np.float64]:
    """Return the mean power of `image` in rings of spatial frequency.

    Parameters
    ----------
    image : numpy.ndarray, (y, x)
        In nJy per pixel; it is tapered with a Hann window so that its edges add no power.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    numpy.ndarray, (12,)
        Mean of |F(k)|^2 over the rings between `FREQUENCY_EDGES`, in nJy^2.
    """
    power = np.abs(np.fft.fft2(image * _taper(image.shape))) ** 2
    ky, kx = (np.fft.fftfreq(length, pixel_scale) for length in image.shape)
    ring = np.digitize(np.hypot(ky[:, None], kx[None, :]).ravel(), FREQUENCY_EDGES)
    rings = len(FREQUENCY_EDGES) + 1
    total = np.bincount(ring, power.ravel(), rings) / np.maximum(np.bincount(ring, None, rings), 1)
    return total[1:-1]


def log_power_ratio(
    recovered: NDArray[np.floating],
    truth: NDArray[np.floating],
    sigma: float,
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> NDArray[np.float64]:
    """Return log10 of (P_r + N) / (P_t + N) in rings.

    N is the power of white noise of a tenth of `sigma`. It keeps rings in which neither image has
    any power to speak of from counting.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in nJy per pixel.
    sigma : float
        Depth of the observation in nJy per pixel (`fidelity.sigma_per_target_pixel`).
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    numpy.ndarray, (12,)
        In dex: negative where the recovery is too smooth, positive where it is too rough.
    """
    floor = (_FLOOR * sigma) ** 2 * np.square(_taper(truth.shape)).sum()
    ratio = (radial_power(recovered, pixel_scale) + floor) / (
        radial_power(truth, pixel_scale) + floor
    )
    return np.asarray(np.log10(ratio))


def _taper(shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.outer(np.hanning(shape[0]), np.hanning(shape[1]))
