"""How near a recovered image comes to the truth: arrays in, numbers out.

Every function takes square or rectangular images `(y, x)` in nJy per pixel on the same HST grid.
Lengths are arcsec. `sigma` is the depth of the observation per HST pixel (`sigma_per_hst_pixel`).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from clumpygan.constants import HSC_PIXEL_SCALE, HST_PIXEL_SCALE

PHOTOMETRY_RADIUS = 1.0
"""Radius in arcsec of the aperture for magnitudes and centroids."""

GROWTH_RADIUS = 1.5
"""Radius in arcsec to which growth curves run; half of the flux in it defines half-light radii."""

STRUCTURE_SIZE = 70
"""Side in HST pixels (4.2") of the central field in which the structural similarity is taken."""

_FAINTEST_RATIO = 0.01  # a recovery that lost the galaxy counts as 5 mag too faint, not as infinite

FloatImage = NDArray[np.floating]
Position = tuple[float, float]


def sigma_per_hst_pixel(sigma: float) -> float:
    """Return what the sky noise of an HSC image is per HST pixel: sigma / 2.8.

    White noise of this size on the HST grid has the same depth in any aperture as the HSC image.
    It is the scale of what could be seen, in the stretch of the structural similarity and in the
    threshold for clumps.

    Parameters
    ----------
    sigma : float
        White noise per HSC pixel, in any unit.

    Returns
    -------
    float
        In the same unit, per HST pixel.
    """
    return sigma * HST_PIXEL_SCALE / HSC_PIXEL_SCALE


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


def nrmse(recovered: FloatImage, truth: FloatImage) -> float:
    """Return the relative error |r - t| / |t|, with |.| the Euclidean norm over all pixels.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in the same unit.

    Returns
    -------
    float
        0 is perfect; 1 is what an empty image has.
    """
    difference = recovered.astype(np.float64) - truth
    return float(np.linalg.norm(difference) / np.linalg.norm(truth.astype(np.float64)))


def central(image: FloatImage, size: int) -> FloatImage:
    """Return the central `size` x `size` pixels of `image` (all of an axis that is shorter)."""
    rows, columns = (max((length - size) // 2, 0) for length in image.shape)
    height, width = image.shape
    return image[rows : height - rows, columns : width - columns]


def ssim_asinh(recovered: FloatImage, truth: FloatImage, sigma: float) -> float:
    """Return the structural similarity of asinh(x / 2 sigma) in the central 70 x 70 pixels.

    The stretch is linear in the sky and logarithmic in the galaxy, so that faint structure counts;
    the range is that of the stretched truth, the window 7 x 7 pixels.

    Parameters
    ----------
    recovered, truth : numpy.ndarray, (y, x)
        Images in nJy per pixel.
    sigma : float
        Noise scale in nJy per HST pixel (`sigma_per_hst_pixel`).

    Returns
    -------
    float
        At most 1, for identical images.

    References
    ----------
    Wang et al. 2004, IEEE Trans. Image Processing 13, 600, equation 13.
    """
    stretched = [
        np.arcsinh(central(image, STRUCTURE_SIZE).astype(np.float64) / (2 * sigma))
        for image in (recovered, truth)
    ]
    span = float(np.ptp(stretched[1]))
    return float(structural_similarity(*stretched, data_range=span))


def nucleus_of(truth: FloatImage, pixel_scale: float = HST_PIXEL_SCALE) -> Position:
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
    pixel_scale: float = HST_PIXEL_SCALE,
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
    return np.clip(reach + 0.5, 0.0, 1.0) @ image[near].astype(np.float64)


def magnitude_difference(
    recovered: FloatImage,
    truth: FloatImage,
    centre: Position,
    pixel_scale: float = HST_PIXEL_SCALE,
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
    image: FloatImage, centre: Position, pixel_scale: float = HST_PIXEL_SCALE
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
    radii = np.arange(0, GROWTH_RADIUS + pixel_scale / 4, pixel_scale / 2)
    growth = aperture_flux(image, centre, radii, pixel_scale)
    growth[0] = 0.0  # the soft edge of an aperture of no size would count half a pixel
    if growth[-1] <= 0:
        return float("nan")
    share = growth / growth[-1]
    after = int(np.argmax(share >= 0.5))
    return float(np.interp(0.5, share[after - 1 : after + 1], radii[after - 1 : after + 1]))


def half_light_radius_error(
    recovered: FloatImage,
    truth: FloatImage,
    centre: Position,
    pixel_scale: float = HST_PIXEL_SCALE,
) -> float:
    """Return |R_r / R_t - 1| of the half-light radii around `centre` (1 where R_r is undefined)."""
    radius = half_light_radius(recovered, centre, pixel_scale)
    true_radius = half_light_radius(truth, centre, pixel_scale)
    return 1.0 if np.isnan(radius) else abs(radius / true_radius - 1)


def centroid_shift(
    recovered: FloatImage,
    truth: FloatImage,
    centre: Position,
    pixel_scale: float = HST_PIXEL_SCALE,
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
    first = _centroid(recovered, centre, pixel_scale)
    second = _centroid(truth, centre, pixel_scale)
    shift = float(np.hypot(first[0] - second[0], first[1] - second[1])) * pixel_scale
    return min(shift, PHOTOMETRY_RADIUS) if np.isfinite(shift) else PHOTOMETRY_RADIUS


def reduced_chi_squared(model: FloatImage, observed: FloatImage, sigma: float, size: int) -> float:
    """Return the mean of ((model - observed) / sigma)^2 in the central `size` x `size` pixels.

    Parameters
    ----------
    model : numpy.ndarray, (y, x)
        The recovered image seen by the HSC: A r, in nJy per HSC pixel.
    observed : numpy.ndarray, (y, x)
        The HSC image from which it was recovered.
    sigma : float
        The sky noise per HSC pixel, in nJy.
    size : int
        Side of the central field in HSC pixels; the margin suffers from what lies outside.

    Returns
    -------
    float
        1 for the truth itself; below 1 the noise was fitted, above it the data are contradicted.
    """
    difference = central(model, size).astype(np.float64) - central(observed, size)
    return float(np.mean(np.square(difference / sigma)))


def _distances(shape: tuple[int, ...], centre: Position, pixel_scale: float) -> NDArray[np.float64]:
    rows = np.arange(shape[0])[:, None] - centre[0]
    columns = np.arange(shape[1])[None, :] - centre[1]
    return np.hypot(rows, columns) * pixel_scale


def _centroid(image: FloatImage, centre: Position, pixel_scale: float) -> Position:
    distance = _distances(image.shape, centre, pixel_scale)
    weight = np.clip(0.5 + (PHOTOMETRY_RADIUS - distance) / pixel_scale, 0, 1) * image
    total = weight.sum(dtype=np.float64)
    if total <= 0:
        return float("nan"), float("nan")
    rows, columns = np.indices(image.shape)
    return float((weight * rows).sum() / total), float((weight * columns).sum() / total)
