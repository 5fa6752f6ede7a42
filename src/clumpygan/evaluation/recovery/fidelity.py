"""How near a recovered image comes to the truth: arrays in, numbers out.

Every function takes square or rectangular images `(y, x)` in nJy per pixel on the same grid.
Lengths are arcsec, pixels those of CANDELS where no scale is given. `sigma` is the depth of the
observation per pixel of the sharp image (`sigma_per_target_pixel`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from clumpygan.instruments.grid_pair import DEFAULT_GRID, GridPair

PHOTOMETRY_RADIUS = 1.0
"""Radius in arcsec of the aperture for magnitudes and centroids."""

GROWTH_RADIUS = 1.5
"""Radius in arcsec to which growth curves run; half of the flux in it defines half-light radii."""

STRUCTURE_WIDTH = 4.2
"""Side in arcsec of the central field in which the structural similarity is taken: 70 pixels."""

CHI_SQUARED_WIDTH = 4.032
"""Side in arcsec of the central field in which methods are compared by chi^2: 24 HSC pixels."""

COVERAGE_THRESHOLD = 1.0
"""Sigma above which truth or recovery must be for a pixel to count in coverages."""

_FAINTEST_RATIO = 0.01  # a recovery that lost the galaxy counts as 5 mag too faint, not as infinite

FloatImage = NDArray[np.floating]
Position = tuple[float, float]


def sigma_per_target_pixel(sigma: float, grid: GridPair) -> float:
    """Return the noise that an observed pixel's would be in the smaller pixels of the target.

    White noise of `sigma` per observed pixel, spread evenly over its area, is as deep.

    Parameters
    ----------
    sigma : float
        Sky noise per observed pixel.
    grid : GridPair
        Pixels of the target and of the observed image.

    Returns
    -------
    float
        In the same unit, per target pixel.
    """
    return sigma * grid.target_scale / grid.observed_scale


def psnr(recovered: FloatImage, truth: FloatImage) -> float:
    """Return the peak signal-to-noise ratio in dB, 10 log10(max(t)^2 / mean((r - t)^2)).

    The truth's maximum is the range, so a bright and a faint galaxy with the same relative error
    have the same value.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in the same unit.

    Returns
    -------
    float
        In dB; infinite for a perfect recovery.

    References
    ----------
    Huynh-Thu & Ghanbari 2008, Electronics Letters 44, 800, with the truth's maximum as range.
    """
    error = np.mean(np.square(recovered - truth), dtype=np.float64)
    peak = float(truth.max())
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def nrmse(
    recovered: FloatImage,
    truth: FloatImage,
    sigma: float = 0.0,
    valid: NDArray[np.bool_] | None = None,
) -> float:
    """Return the relative error |r - t| / |t|, with |.| the Euclidean norm over all pixels.

    What noise of the truth adds to both norms is taken out, on average: the noise has to be
    independent of the recovery.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in the same unit.
    sigma : float
        Noise of a pixel of `truth`.
    valid : numpy.ndarray, (y, x) of bool, optional
        Pixels with data; all by default.

    Returns
    -------
    float
        0 is perfect; 1 is what an empty image has. NaN where the truth is nothing but noise.
    """
    light = truth.astype(np.float64)
    difference = recovered.astype(np.float64) - light
    if valid is not None:
        light, difference = light[valid], difference[valid]
    noise = light.size * sigma**2
    power = float(np.square(light).sum()) - noise
    if power <= 0:
        return float("nan")
    return float(np.sqrt(max(float(np.square(difference).sum()) - noise, 0.0) / power))


def chi_squared_size(observed_scale: float) -> int:
    """Return the side, in pixels of so many arcsec, of the field in which chi^2 is taken."""
    return round(CHI_SQUARED_WIDTH / observed_scale)


def central(image: FloatImage, size: int) -> FloatImage:
    """Return the central `size` x `size` pixels of `image` (all of an axis that is shorter)."""
    rows, columns = (max((length - size) // 2, 0) for length in image.shape)
    height, width = image.shape
    return image[rows : height - rows, columns : width - columns]


def ssim_asinh(
    recovered: FloatImage,
    truth: FloatImage,
    sigma: float,
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> float:
    """Return the structural similarity of asinh(x / 2 sigma) in the central 4.2" x 4.2".

    The stretch is linear in the sky and logarithmic in the galaxy, so that faint structure counts;
    the range is that of the stretched truth, the window 7 x 7 pixels.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in nJy per pixel.
    sigma : float
        Noise scale in nJy per pixel (`sigma_per_target_pixel`).
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    float
        At most 1, for identical images.

    References
    ----------
    Wang et al. 2004, IEEE Trans. Image Processing 13, 600, equation 13.
    """
    size = round(STRUCTURE_WIDTH / pixel_scale)
    stretched = [
        np.arcsinh(central(image, size).astype(np.float64) / (2 * sigma))
        for image in (recovered, truth)
    ]
    span = float(np.ptp(stretched[1]))
    return float(structural_similarity(*stretched, data_range=span))


def nucleus_of(truth: FloatImage, pixel_scale: float = DEFAULT_GRID.target_scale) -> Position:
    """Return where the galaxy's nucleus is: its brightest pixel after a Gaussian of 1 pixel.

    Only pixels within 1" of the stamp's centre count, so that a bright neighbour at the edge of a
    real stamp is not taken for the galaxy.

    Parameters
    ----------
    truth : numpy.ndarray, (y, x)
        The true image.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    tuple of float
        (y, x) in pixels, the centre of the first pixel being 0.
    """
    smooth = gaussian_filter(truth.astype(np.float64), 1.0)
    middle = ((truth.shape[0] - 1) / 2, (truth.shape[1] - 1) / 2)
    inside = _distances(truth.shape, middle, pixel_scale) <= PHOTOMETRY_RADIUS
    peak = int(np.argmax(np.where(inside, smooth, -np.inf)))
    row, column = divmod(peak, truth.shape[1])
    return float(row), float(column)


def aperture_flux(
    image: FloatImage,
    centre: Position,
    radius: float | NDArray[np.floating],
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> NDArray[np.float64]:
    """Return the flux inside circular apertures whose edge is one pixel soft.

    A pixel at distance d counts with the weight clip(1/2 + (radius - d) / pixel, 0, 1), a close
    approximation of the area of the pixel inside the circle.

    Parameters
    ----------
    image : numpy.ndarray, (y, x)
        In nJy per pixel.
    centre : tuple of float
        (y, x) in pixels.
    radius : float or numpy.ndarray
        Radius or radii in arcsec.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    numpy.ndarray
        Flux in nJy, of the shape of `radius`.
    """
    radii = np.asarray(radius, dtype=np.float64)
    distance = _distances(image.shape, centre, pixel_scale)
    near = distance <= radii.max() + pixel_scale
    reach = (radii[..., None] - distance[near]) / pixel_scale
    return np.asarray(np.clip(reach + 0.5, 0.0, 1.0) @ image[near].astype(np.float64))


def magnitude_difference(
    recovered: FloatImage,
    truth: FloatImage,
    centre: Position,
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> float:
    """Return dm = -2.5 log10(F_r / F_t) with the fluxes in r = 1.0" around `centre`.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in nJy per pixel.
    centre : tuple of float
        (y, x) in pixels: the truth's nucleus, so that both see the same sky.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    float
        In mag, positive when the recovery is too faint; 5 at most, for a recovery that has less
        than 1 % of the flux.
    """
    true_flux = float(aperture_flux(truth, centre, PHOTOMETRY_RADIUS, pixel_scale))
    flux = float(aperture_flux(recovered, centre, PHOTOMETRY_RADIUS, pixel_scale))
    return float(-2.5 * np.log10(max(flux / true_flux, _FAINTEST_RATIO)))


def half_light_radius(
    image: FloatImage, centre: Position, pixel_scale: float = DEFAULT_GRID.target_scale
) -> float:
    """Return the radius of the circle with half of the flux that lies within 1.5" of `centre`.

    The radius is where the growth curve, in steps of half a pixel, first crosses one half.

    Parameters
    ----------
    image : numpy.ndarray, (y, x)
        In nJy per pixel.
    centre : tuple of float
        (y, x) in pixels.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    float
        In arcsec; NaN when there is no positive flux within 1.5".
    """
    return radii_of_light(image, centre, (0.5,), pixel_scale)[0]


def radii_of_light(
    image: FloatImage,
    centre: Position,
    shares: Sequence[float],
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> list[float]:
    """Return the radii, in arcsec, of the circles with shares of the flux within 1.5".

    As `half_light_radius`, whose share is one half.
    """
    radii = np.arange(0, GROWTH_RADIUS + pixel_scale / 4, pixel_scale / 2)
    growth = aperture_flux(image, centre, radii, pixel_scale)
    growth[0] = 0.0  # the soft edge of an aperture of no size would count half a pixel
    if growth[-1] <= 0:
        return [float("nan")] * len(shares)
    inside = growth / growth[-1]
    after = [int(np.argmax(inside >= share)) for share in shares]
    return [
        float(np.interp(share, inside[i - 1 : i + 1], radii[i - 1 : i + 1]))
        for share, i in zip(shares, after, strict=True)
    ]


def half_light_radius_error(
    recovered: FloatImage,
    truth: FloatImage,
    centre: Position,
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> float:
    """Return R_r / R_t - 1 of the half-light radii around `centre` (-1 where R_r is undefined)."""
    radius = half_light_radius(recovered, centre, pixel_scale)
    true_radius = half_light_radius(truth, centre, pixel_scale)
    return -1.0 if np.isnan(radius) else radius / true_radius - 1


def centroid_shift(
    recovered: FloatImage,
    truth: FloatImage,
    centre: Position,
    pixel_scale: float = DEFAULT_GRID.target_scale,
) -> float:
    """Return the distance of the two flux-weighted centroids in r = 1.0" around `centre`.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in nJy per pixel.
    centre : tuple of float
        (y, x) in pixels.
    pixel_scale : float, default: 0.06
        In arcsec.

    Returns
    -------
    float
        In arcsec, at most 1.0 (a recovery without flux in the aperture has that).
    """
    first = centroid(recovered, centre, pixel_scale)
    second = centroid(truth, centre, pixel_scale)
    shift = float(np.hypot(first[0] - second[0], first[1] - second[1])) * pixel_scale
    return min(shift, PHOTOMETRY_RADIUS) if np.isfinite(shift) else PHOTOMETRY_RADIUS


def residual_of(model: FloatImage, observed: FloatImage, sigma: float, size: int) -> FloatImage:
    """Return (model - observed) / sigma in the central `size` x `size` pixels.

    Parameters
    ----------
    model : numpy.ndarray, (y, x)
        The recovered image, observed again: A r, in nJy per observed pixel.
    observed : numpy.ndarray, (y, x)
        The image from which it was recovered.
    sigma : float
        The sky noise per observed pixel, in nJy.
    size : int
        Side of the central field in pixels, as `chi_squared_size`; the margin suffers from what
        lies outside.
    """
    difference = central(model, size).astype(np.float64) - central(observed, size)
    return np.asarray(difference / sigma)


def chi_squared(residual: FloatImage) -> float:
    """Return chi^2 per pixel: the mean square of residuals in units of the noise.

    1 for the truth itself; below 1 the noise was fitted, above it the data are contradicted.

    Parameters
    ----------
    residual : numpy.ndarray
        In the pixels that are judged; see `residual_of`.
    """
    return float(np.mean(np.square(residual)))


def coverage(
    image: FloatImage, truth: FloatImage, error: FloatImage, sigma: float
) -> tuple[float, float]:
    """Return the fractions of pixels with the truth within 1 and 1.96 standard errors.

    Only pixels count in which the truth or the recovery is above one sigma, so that the empty sky,
    of which all is known, doesn't hide what happens in the galaxy.

    Parameters
    ----------
    image, truth, error : numpy.ndarray, (Y, X)
        In nJy per pixel.
    sigma : float
        Depth of the observation in nJy per pixel of them.

    Returns
    -------
    tuple of float
        0.683 and 0.950 for perfectly calibrated Gaussian errors; NaN without any such pixel.
    """
    bright = np.maximum(image, truth) > COVERAGE_THRESHOLD * sigma
    if not bright.any():
        return float("nan"), float("nan")
    deviation = np.abs(image - truth)[bright]
    first, second = (float(np.mean(deviation <= f * error[bright])) for f in (1.0, 1.96))
    return first, second


def _distances(shape: tuple[int, ...], centre: Position, pixel_scale: float) -> NDArray[np.float64]:
    rows = np.arange(shape[0])[:, None] - centre[0]
    columns = np.arange(shape[1])[None, :] - centre[1]
    return np.asarray(np.hypot(rows, columns) * pixel_scale)


def centroid(image: FloatImage, centre: Position, pixel_scale: float) -> Position:
    """Return the middle (y, x) in pixels of the light within r = 1.0" of `centre`, or NaN."""
    distance = _distances(image.shape, centre, pixel_scale)
    weight = np.clip(0.5 + (PHOTOMETRY_RADIUS - distance) / pixel_scale, 0, 1) * image
    total = weight.sum(dtype=np.float64)
    if total <= 0:
        return float("nan"), float("nan")
    rows, columns = np.indices(image.shape)
    return float((weight * rows).sum() / total), float((weight * columns).sum() / total)
