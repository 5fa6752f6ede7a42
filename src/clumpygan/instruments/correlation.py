"""How the noise of neighbouring pixels is correlated: by drizzling, in COSMOS, in a given image."""

import galsim
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from clumpygan.errors import InputError
from clumpygan.instruments.noise import NoiseModel

DRIZZLE_PIXFRAC = 0.8
"""Drop size of the CANDELS WFC3/IR mosaics, in detector pixels (Koekemoer et al. 2011, sect. 5)."""

_LAGS = 5
_COSMOS_LAGS = 10
_FEWEST_PIXELS = 400
_LEAST_CORRELATION = 0.05
_LIGHT_ALONE = 4  # pixels apart from which on no noise is shared
_MOST_LIGHT = 0.9  # of the variance; where there is more, there is no noise to be measured
_MAD_TO_SIGMA = 1.4826
_NEARBY = 5.0  # pixels, sigma of the Gaussian within which noise is taken to be the same
_SAME_EVERYWHERE = 1.4  # 0.9 over 0.1 quantile of the scatter nearby, 1.26 at most of even drizzle
_OUTLIER = 5.0  # sigma
_ROUNDS = 3
_USUAL_NEARBY = 0.05  # share that the image's own scatter counts for, or more where sky is rare


def drizzled_correlation(
    pixel_scale: float, detector_pixel_scale: float, pixfrac: float = DRIZZLE_PIXFRAC
) -> NDArray[np.float64]:
    """Correlation of the pixels of a drizzled mosaic of many dithers.

    White noise of the detector, spread by square drops and collected in square pixels (Casertano
    et al. 2000, AJ 120, 2747, appendix A): along each axis the covariance is the autocorrelation
    of a box of the drop's width convolved with a box of the pixel's width.

    Parameters
    ----------
    pixel_scale, detector_pixel_scale : float
        arcsec per pixel of the mosaic and of the detector.
    pixfrac : float
        Side of a drop in detector pixels.

    Returns
    -------
    numpy.ndarray
        Shape (2 n + 1, 2 n + 1), 1 in the middle.
    """
    drop = pixfrac * detector_pixel_scale / pixel_scale
    reach = int(np.ceil(drop + 1)) - 1
    fine = np.linspace(-1, 1, 2001)
    lags = np.arange(-reach, reach + 1)[:, None]
    # Triangle of the pixel times triangle of the drop, integrated over the offset in the pixel.
    overlap = np.maximum(1 - np.abs(lags - fine) / drop, 0) * (1 - np.abs(fine))
    axis = overlap.sum(axis=1)
    table: NDArray[np.float64] = np.outer(axis, axis) / axis.max() ** 2
    return table


def cosmos_noise(nanojansky_per_count: float, pixel_scale: float = 0.03) -> NoiseModel:
    """Noise measured in blank sky of the COSMOS F814W mosaics, as it ships with GalSim.

    Parameters
    ----------
    nanojansky_per_count : float
        Flux of one count per second.
    pixel_scale : float
        arcsec per pixel of the drizzled image, 0.03 in COSMOS.

    Returns
    -------
    NoiseModel
        Variance and correlation up to 10 pixels (Leauthaud et al. 2007; Rowe et al. 2015,
        Astronomy and Computing 10, 121, section 5).
    """
    measured = galsim.getCOSMOSNoise(cosmos_scale=pixel_scale)
    side = 2 * _COSMOS_LAGS + 1
    image = galsim.ImageD(side, side, scale=pixel_scale)
    measured.drawImage(image)
    correlation = image.array / image.array[_COSMOS_LAGS, _COSMOS_LAGS]
    sigma = float(measured.getVariance()) ** 0.5 * nanojansky_per_count
    return NoiseModel(sigma, pixel_scale, correlation)


def estimate_noise(
    image: ArrayLike, pixel_scale: float, mask: NDArray[np.bool_] | None = None
) -> NoiseModel:
    """Measure the noise of a real image in its source-free pixels.

    Sources are what stands out by 2.5 sigma after smoothing, grown by a few pixels; sigma is from
    the median absolute deviation, the correlation from pairs of source-free pixels up to 5 apart.
    Noise that differs from place to place, as at the edge of a mosaic, is divided by how much it
    scatters within some 5 pixels, and sources are told by that; sigma is then that of a typical
    pixel, the median.

    Parameters
    ----------
    image : array_like
        Shape (y, x), nJy per pixel.
    pixel_scale : float
        arcsec per pixel.
    mask : numpy.ndarray, optional
        Shape (y, x), True for bad pixels.

    Returns
    -------
    NoiseModel
        Sigma and correlation. Of noise that rises by a factor of up to 4 over the image, sigma is
        within 8 % of the median; of noise that is three times as large beyond an edge, within 15 %
        in 112 x 112 pixels and within 30 % in 64 x 64.

    Raises
    ------
    InputError
        If fewer than 400 pixels are free of sources, or they don't vary.
    """
    data = np.asarray(image, dtype=np.float64)
    bad = ~np.isfinite(data) if mask is None else np.asarray(mask, bool) | ~np.isfinite(data)
    free = source_free(data, bad)
    if free.sum() < _FEWEST_PIXELS:
        raise InputError(
            f"only {int(free.sum())} pixels are free of sources, expected {_FEWEST_PIXELS} or more "
            "to measure the noise: give a larger stamp or the noise level itself"
        )
    background, sigma = _median_and_sigma(data[free])
    if not sigma > 0:
        raise InputError("the source-free pixels are all equal: give the noise level itself")
    even = data
    for _ in range(_ROUNDS):
        scatter = _scatter_nearby(data - background, free, sigma)
        low, typical, high = np.quantile(scatter[free], [0.1, 0.5, 0.9])
        if high < _SAME_EVERYWHERE * low:
            break
        divided = background + (data - background) * (typical / scatter)
        sky = source_free(divided, bad)
        if sky.sum() < _FEWEST_PIXELS:
            break
        even, free = divided, sky
    background, sigma = _median_and_sigma(even[free])
    return NoiseModel(sigma, pixel_scale, pair_correlation(even - background, free, (_LAGS, _LAGS)))


def _scatter_nearby(
    residual: NDArray[np.float64], free: NDArray[np.bool_], sigma: float
) -> NDArray[np.float64]:
    """Return by how much free pixels scatter around their mean within some pixels of each."""
    scatter = np.full(residual.shape, sigma)
    for _ in range(_ROUNDS):
        usual = free & (np.abs(residual) < _OUTLIER * scatter)
        noise = np.where(usual, residual, 0.0)
        share, mean, square = (
            gaussian_filter(values, _NEARBY) for values in (usual.astype(float), noise, noise**2)
        )
        share += _USUAL_NEARBY
        scatter = np.sqrt((square + _USUAL_NEARBY * sigma**2) / share - (mean / share) ** 2)
    return scatter


def _median_and_sigma(values: NDArray[np.float64]) -> tuple[float, float]:
    median = float(np.median(values))
    return median, _MAD_TO_SIGMA * float(np.median(np.abs(values - median)))


def source_free(
    data: NDArray[np.float64], bad: NDArray[np.bool_], *, holes: bool = False
) -> NDArray[np.bool_]:
    """Good pixels far from any source: three rounds of clipping the smoothed image.

    Parameters
    ----------
    data, bad : numpy.ndarray
        Shape (y, x): image, and True where its pixels are bad.
    holes : bool
        Take out what is as far below the sky, too. Of pure noise the peaks alone are a tenth of all
        pixels, and what is left without them has a mean that is 0.03 sigma too low.

    Returns
    -------
    numpy.ndarray
        Shape (y, x), True where there is neither a source nor a bad pixel.
    """
    free = ~bad
    weight = gaussian_filter((~bad).astype(float), 1.5)
    for _ in range(_ROUNDS):
        if free.sum() < _FEWEST_PIXELS:
            break
        background, _sigma = _median_and_sigma(data[free])
        filled = np.where(bad, 0.0, data - background)
        smooth = gaussian_filter(filled, 1.5) / np.maximum(weight, 1e-3)
        centre, scatter = _median_and_sigma(smooth[free])
        beyond = np.abs(smooth - centre) if holes else smooth - centre
        free = ~bad & ~binary_dilation((beyond > 2.5 * scatter) & ~bad, iterations=3)
    return free


def pair_correlation(
    residual: NDArray[np.float64], free: NDArray[np.bool_], lags: tuple[int, ...]
) -> NDArray[np.float64]:
    """Correlation coefficients from all pairs of free pixels, of an image or a cube.

    Parameters
    ----------
    residual : numpy.ndarray
        Noise with mean near 0, any number of dimensions.
    free : numpy.ndarray
        Same shape: True where it is noise alone.
    lags : tuple of int
        Largest lag along each dimension.

    Returns
    -------
    numpy.ndarray
        Shape 2 lag + 1 along each dimension, 1 in the middle.
    """
    shape = [n + lag + 1 for n, lag in zip(residual.shape, lags, strict=True)]
    values = np.where(free, residual, 0.0)
    axes = tuple(range(residual.ndim))
    products, pairs = (
        np.fft.irfftn(np.abs(np.fft.rfftn(a, shape, axes)) ** 2, shape, axes)
        for a in (values - values.sum() / free.sum() * free, free.astype(float))
    )
    around = np.ix_(*(np.arange(-lag, lag + 1) for lag in lags))
    covariance = products[around] / np.maximum(pairs[around], 1.0)
    table: NDArray[np.float64] = covariance / covariance[tuple(lags)]
    return table


def excess_of_apertures(model: NoiseModel) -> float:
    """Return by how much noise in apertures exceeds that of white noise: 1.1 to 1.2 in HSC coadds.

    Warping shares noise among direct neighbours. What pixels four and five apart have in common is
    light that no source was found for, and it is taken out first: (r_1 - r_far) / (1 - r_far) along
    each axis, 1 + 2 r_1 the power of noise that is larger than a few pixels. Of stamps of 40 x 40
    pixels with galaxies the factor is 0.02 too high in the median for white noise, right for 1.1 to
    1.3, and scatters by 0.07.

    Parameters
    ----------
    model : NoiseModel
        As `estimate_noise` measures it.

    Returns
    -------
    float
        At least 1.
    """
    rows, columns = (size // 2 for size in model.correlation.shape)
    power = 1.0
    for along in (model.correlation[rows:, columns], model.correlation[rows, columns:]):
        light = min(float(along[_LIGHT_ALONE:].mean()), _MOST_LIGHT)
        power *= max(1.0, 1 + 2 * (float(along[1]) - light) / (1 - light))
    return float(power**0.5)


def separable(model: NoiseModel) -> NoiseModel:
    """Return noise whose correlation is the product of those along the axes, without their noise.

    Sums over a table that was measured in a few hundred pixels are mostly the scatter of its far
    corners. Along each axis the correlation ends where it first falls below 0.05.

    Parameters
    ----------
    model : NoiseModel
        As `estimate_noise` measures it.

    Returns
    -------
    NoiseModel
        Of the same sigma.
    """
    rows, columns = (size // 2 for size in model.correlation.shape)
    half = (model.correlation[rows:, columns], model.correlation[rows, columns:])
    axes = []
    for along in half:
        end = int(np.argmax(along < _LEAST_CORRELATION)) or len(along)
        axes.append(np.concatenate([along[1:end][::-1], along[:end]]))
    return NoiseModel(model.sigma, model.pixel_scale, np.outer(*axes))
