"""What an image of a galaxy looks like in two dozen numbers, for thousands of stamps at once.

All lengths are in pixels and all fluxes in units of the noise per pixel, so that nothing need be
known of a stamp but its noise. Every number is finite, whatever the stamp: what has no galaxy is
measured within three pixels of its middle, and ratios are to fluxes of 5 sigma at least.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.growth_curve import GrowthCurve, Images, centroid, grow, moments
from clumpygan.evaluation.recovery.clumps import INNER_WIDTH, OUTER_WIDTH, clumps_of_stamps

APERTURES = (2, 4, 8, 16)
"""Radii in pixels of the apertures in which light is counted."""

BANDS = (0.03, 0.08, 0.15, 0.25, 0.5)
"""Edges in cycles per pixel of the rings in which power is averaged."""

FEATURES: tuple[str, ...] = (
    "flux",
    *(f"flux_{radius}" for radius in APERTURES),
    "peak",
    "extent",
    "half_light_radius",
    "concentration",
    "offset",
    "size",
    "ellipticity",
    "asymmetry",
    "smoothness",
    "gini",
    "m20",
    "clump_number",
    "clump_fraction",
    *(f"power_{band}" for band in range(1, len(BANDS))),
    "sky",
    "noise_rms",
    "noise_correlation",
)
"""Names of the columns of `image_features`."""

DEFINITIONS: dict[str, str] = {
    "flux": "asinh of the signal-to-noise (white noise) of the light within the extent",
    **{
        f"flux_{radius}": f"asinh of the signal-to-noise (white noise) of the light in {radius} px"
        for radius in APERTURES
    },
    "peak": "asinh of the brightest pixel, in sigma",
    "extent": "log10 of the radius in pixels at which rings sink below 3 sigma of their mean",
    "half_light_radius": "log10 of the radius in pixels with half of the light within the extent",
    "concentration": "5 log10(r80 / r20)",
    "offset": "square root of the distance in pixels of the centroid from the middle",
    "size": "log10 of the rms radius in pixels under a Gaussian window of 1.5 half-light radii",
    "ellipticity": "of the second moments under the same window, (a^2 - b^2) / (a^2 + b^2)",
    "asymmetry": "sum |I - I turned by 180 deg| / sum I, noise subtracted",
    "smoothness": "sum of what stands above the image blurred by 2 px / sum I, noise subtracted",
    "gini": "Gini coefficient of the pixels within the extent, blurred by 1 px",
    "m20": "log10 of the second moment of the brightest 20 % of the light / of all light",
    "clump_number": "log10(1 + peaks of a difference of Gaussians above 5 sigma, off-centre)",
    "clump_fraction": "square root of (light of these peaks, as point sources / all light)",
    **{
        f"power_{i}": f"log10 of the power at {low:g}-{high:g} cycles per pixel, white noise is 0"
        for i, (low, high) in enumerate(pairwise(BANDS), 1)
    },
    "sky": "asinh of the median of the corners, in sigma",
    "noise_rms": "log10 of the scatter of the corners, from the median absolute deviation",
    "noise_correlation": "correlation of neighbours in the corners",
}
"""One line on each feature."""

MORPHOLOGY: tuple[str, ...] = (
    "half_light_radius", "concentration", "ellipticity", "asymmetry", "smoothness", "gini", "m20",
    *(f"power_{band}" for band in range(1, len(BANDS))),
)  # fmt: skip
"""What Holzschuh et al. (2022) compare of these: morphology, and power on several scales."""

NAMES: dict[str, str] = {
    "flux": "flux [asinh S/N]",
    **{f"flux_{radius}": f"flux within {radius} px [asinh S/N]" for radius in APERTURES},
    "peak": "peak [asinh sigma]",
    "extent": "extent [log px]",
    "half_light_radius": "half-light radius [log px]",
    "concentration": "concentration",
    "offset": "offset of the centre [px^0.5]",
    "size": "rms radius [log px]",
    "ellipticity": "ellipticity",
    "asymmetry": "asymmetry A",
    "smoothness": "smoothness S",
    "gini": "Gini coefficient",
    "m20": "M20 [dex]",
    "clump_number": "number of clumps [log 1+n]",
    "clump_fraction": "light in clumps [share^0.5]",
    **{
        f"power_{i}": f"power at {low:g}-{high:g} cycles/px [dex]"
        for i, (low, high) in enumerate(pairwise(BANDS), 1)
    },
    "sky": "sky level [asinh sigma]",
    "noise_rms": "noise rms [dex]",
    "noise_correlation": "noise correlation",
}
"""What each feature is called in tables and pictures, with its unit."""

SMALLEST_SIDE = 24

_CHUNK = 64
_LARGEST = 1e8
_MAD_TO_SIGMA = 1.4826
_FAINTEST = 5.0


def image_features(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure `FEATURES` on many stamps.

    Parameters
    ----------
    images : numpy.ndarray, (N, y, x)
        In units of the standard deviation of the noise per pixel, one galaxy in the middle.

    Returns
    -------
    numpy.ndarray, (N, F), float64
        Finite for any stamp; `DEFINITIONS` says what each column is.

    Raises
    ------
    InputError
        If the stamps aren't (N, y, x) with sides of 24 pixels or more, or hold NaN or infinity.
    """
    if images.ndim != 3 or min(images.shape[1:]) < SMALLEST_SIDE:
        raise InputError(
            f"images of shape {images.shape}: expected (N, y, x) with sides of at least "
            f"{SMALLEST_SIDE} pixels"
        )
    features = np.empty((len(images), len(FEATURES)))
    for start in range(0, len(images), _CHUNK):
        part = np.asarray(images[start : start + _CHUNK])
        if not np.isfinite(part).all():
            bad = start + int(np.flatnonzero(~np.isfinite(part).all(axis=(1, 2)))[0])
            raise InputError(f"image {bad} holds NaN or infinity: mask or leave such stamps out")
        features[start : start + _CHUNK] = _measure(
            np.clip(part, -_LARGEST, _LARGEST).astype(np.float32)
        )
    return features


def _measure(images: Images) -> NDArray[np.float64]:
    """Features of one chunk, small enough to stay in the processor's cache."""
    border = _border(images)
    sky, rms = _median_and_scatter(border)
    peak = images.max(axis=(1, 2))
    images = images - sky[:, None, None]
    fine, coarse = _blurred(images, INNER_WIDTH), _blurred(images, 2.0)
    centre = centroid(_significant(coarse))
    curve = grow(images, centre)
    inside = curve.radius <= curve.extent[:, None, None]
    total = curve.total
    reference = np.maximum(total, _FAINTEST * np.sqrt(curve.covered))
    radii = [curve.radius_of_light(share) for share in (0.2, 0.5, 0.8)]
    shape = _shape(images, curve, radii[1])
    apertures = [min(radius, curve.light.shape[1] - 1) for radius in APERTURES]
    columns = [
        _signal_to_noise(total, curve.covered),
        *(_signal_to_noise(curve.light[:, r], curve.area[:, r]) for r in apertures),
        np.arcsinh(peak),
        np.log10(curve.extent),
        np.log10(np.maximum(radii[1], 0.5)),
        5.0 * np.log10(np.maximum(radii[2], 0.5) / np.maximum(radii[0], 0.5)).clip(0.0),
        np.sqrt(np.hypot(*(centre - (np.array(images.shape[1:]) - 1) / 2).T)),
        *shape,
        _asymmetry(images, curve, inside, rms) / reference,
        _excess(images - coarse, inside) / reference,
        *gini_and_m20(fine, curve.radius, inside),
        *_clumps(fine - _blurred(images, OUTER_WIDTH), curve, inside, reference),
        *_power(images),
        np.arcsinh(sky),
        np.log10(np.maximum(rms, 1e-3)),
        _neighbour_correlation(images, rms),
    ]
    return np.stack(columns, axis=1)


def _signal_to_noise(light: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arcsinh(light / np.sqrt(np.maximum(area, 1.0)))


def _corners(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels (y, x) outside the ellipse that touches the sides: sky, even around large galaxies."""
    y, x = (2.0 * np.arange(length) / (length - 1) - 1.0 for length in shape[-2:])
    return np.asarray(np.square(y)[:, None] + np.square(x) > 1.0)


def _border(images: Images) -> Images:
    """Values (N, M) of the pixels in the corners."""
    return images[:, _corners(images.shape)]


def _median_and_scatter(values: Images) -> tuple[Images, Images]:
    median = np.median(values, axis=1)
    return median, _MAD_TO_SIGMA * np.median(np.abs(values - median[:, None]), axis=1)


def _blurred(images: Images, width: float) -> Images:
    """Blur with a Gaussian of sigma `width` pixels, renormalised at the edges."""
    kernels = []
    for length in images.shape[1:]:
        place = np.arange(length, dtype=np.float64)
        kernel = np.exp(-0.5 * np.square((place[:, None] - place) / width))
        kernels.append((kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32))
    # two matrix products: on stamps this small they are faster than any convolution
    return np.asarray(kernels[0] @ (images @ kernels[1].T))


def _significant(blurred: Images) -> Images:
    """Return what exceeds 3 sigma of the blurred sky: the light that has a centre."""
    median, scatter = _median_and_scatter(_border(blurred))
    return np.maximum(blurred - (median + 3.0 * scatter)[:, None, None], 0.0)


def _shape(
    images: Images, curve: GrowthCurve, half_light: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log rms radius and ellipticity."""
    window = np.clip(1.5 * half_light, 2.5, 8.0)
    moment = moments(images, curve.centre, window)
    flux = np.maximum(moment[:, 0, 0], _FAINTEST * np.sqrt(np.pi) * window)
    yy, xx, xy = (moment[:, i, j] / flux for i, j in ((2, 0), (0, 2), (1, 1)))
    trace = np.maximum(xx + yy, 0.25)
    ellipticity = np.hypot(xx - yy, 2.0 * xy) / trace
    return 0.5 * np.log10(trace), np.minimum(ellipticity, 1.0)


def _asymmetry(
    images: Images, curve: GrowthCurve, inside: NDArray[np.bool_], rms: Images
) -> NDArray[np.float64]:
    """Sum of |I - I180| about the centroid, without what noise adds."""
    rows, columns = (
        _turning_matrices(curve.centre[:, axis], length)
        for axis, length in enumerate(images.shape[1:])
    )
    difference = np.abs(images - rows @ (images @ columns.transpose(0, 2, 1)))
    mean = 2.0 / np.sqrt(np.pi) * rms  # of |difference| of two independent normal numbers
    return np.asarray((np.where(inside, difference - mean[:, None, None], 0.0)).sum(axis=(1, 2)))


def _turning_matrices(centre: NDArray[np.float64], length: int) -> Images:
    """Matrices (N, length, length) that mirror an axis about a centre, by Lanczos interpolation."""
    place = np.arange(length)
    distance = 2.0 * centre[:, None, None] - place[:, None] - place
    kernel = np.sinc(distance) * np.sinc(distance / 3.0) * (np.abs(distance) < 3.0)
    total = kernel.sum(axis=2, keepdims=True)
    # what is turned in from outside the stamp is empty sky
    inside = np.abs(total) > 0.5
    return np.asarray(
        np.divide(kernel, total, out=np.zeros_like(kernel), where=inside).astype(np.float32)
    )


def _excess(residual: Images, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sum of what is positive, without what noise adds."""
    _, scatter = _median_and_scatter(_border(residual))
    mean = scatter / np.sqrt(2.0 * np.pi)
    positive = np.maximum(residual, 0.0) - mean[:, None, None]
    return np.asarray(np.where(inside, positive, 0.0).sum(axis=(1, 2)))


def gini_and_m20(
    images: Images, radius: Images, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Gini coefficients and M20 (Lotz, Primack & Madau 2004, ApJ 128, 163, eqs. 6 and 8).

    Parameters
    ----------
    images : numpy.ndarray, (N, y, x)
    radius : numpy.ndarray, (N, y, x)
        Distance of every pixel from the centre of its galaxy.
    inside : numpy.ndarray, (N, y, x)
        Pixels of the galaxy.

    Returns
    -------
    gini, m20 : numpy.ndarray, (N,)
    """
    light = np.where(inside, np.abs(images), 0.0)
    ordered = np.sort(light.reshape(len(light), -1), axis=1)
    number = inside.sum(axis=(1, 2))
    pixels = ordered.shape[1]
    rank = np.arange(1, pixels + 1) - (pixels - number)[:, None]
    total = np.maximum(ordered.sum(axis=1, dtype=np.float64), 1e-6)
    gini = ((2 * rank - number[:, None] - 1) * ordered).sum(axis=1, dtype=np.float64)
    gini /= total * (number - 1)
    brighter = np.cumsum(ordered[:, ::-1], axis=1, dtype=np.float64)
    place = np.argmax(brighter >= 0.2 * total[:, None], axis=1)
    threshold = np.take_along_axis(ordered, (pixels - 1 - place)[:, None], 1)
    moment = light * np.square(radius)
    brightest = np.where(light >= threshold[:, :, None], moment, 0.0).sum(axis=(1, 2))
    ratio = brightest / np.maximum(moment.sum(axis=(1, 2)), 1e-6)
    return gini, np.log10(np.clip(ratio, 1e-3, 1.0))


def _clumps(
    sharp: Images,
    curve: GrowthCurve,
    inside: NDArray[np.bool_],
    reference: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log number of off-centre peaks; root of the share of light in those within the extent."""
    _, scatter = _median_and_scatter(_border(sharp))
    number, light = clumps_of_stamps(sharp, np.maximum(scatter, 1e-3), curve.radius, inside)
    return np.log10(1.0 + number), np.sqrt(np.minimum(light / reference, 1.0))


def _power(images: Images) -> list[NDArray[np.float64]]:
    """Log mean power in rings of the central half of the stamp, in units of white noise."""
    height, width = images.shape[1:]
    middle = images[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    taper = np.outer(*(np.hanning(n + 2)[1:-1] for n in middle.shape[1:])).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft2(middle * taper))) / np.square(taper).sum()
    kx = np.fft.rfftfreq(middle.shape[2])
    ring = np.digitize(np.hypot(np.fft.fftfreq(middle.shape[1])[:, None], kx), BANDS)
    twice = np.broadcast_to(np.where((kx == 0.0) | (kx == 0.5), 1.0, 2.0), ring.shape)
    # small stamps have no mode in the first ring, and the power of white noise there
    means = [
        power[:, inside] @ twice[inside] / twice[inside].sum()
        if (inside := ring == band).any()
        else np.ones(len(images))
        for band in range(1, len(BANDS))
    ]
    return [np.log10(np.maximum(mean, 1e-3)) for mean in means]


def _neighbour_correlation(images: Images, rms: Images) -> NDArray[np.float64]:
    """Correlation of horizontal and vertical neighbours in the corners, clipped at 3 sigma."""
    limit = 3.0 * np.maximum(rms, 1e-6)[:, None, None]
    clipped = np.clip(images, -limit, limit)
    corners = _corners(images.shape)
    pairs = (
        (clipped[:, 1:] * clipped[:, :-1])[:, corners[1:] & corners[:-1]],
        (clipped[:, :, 1:] * clipped[:, :, :-1])[:, corners[:, 1:] & corners[:, :-1]],
    )
    covariance = np.mean([pair.mean(axis=1) for pair in pairs], axis=0)
    variance = np.square(clipped[:, corners]).mean(axis=1)
    return np.asarray(np.clip(covariance / np.maximum(variance, 1e-12), -1.0, 1.0))
