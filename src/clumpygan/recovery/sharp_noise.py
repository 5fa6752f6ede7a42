"""The noise of a sharp image: by a map that was given, measured, or that of its camera."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import INSTRUMENTS, NoiseModel, estimate_noise, small_scale_noise
from clumpygan.instruments.correlation import DRIZZLE_PIXFRAC, separable
from clumpygan.recovery.bad_pixels import quantisation_step
from clumpygan.recovery.observed_noise import (
    ObservedNoise,
    of_map,
    scattered_by_light,
    variance_map,
    weight_map,
)
from clumpygan.recovery.scene import asked_part

if TYPE_CHECKING:
    from clumpygan.instruments import ImagingInstrument
    from clumpygan.io import Image
    from clumpygan.recovery.settings import RecoverySettings

_SAME_LEVEL = 1.5  # up to which a weight map is the inverse of the variance, and not times a factor


def sharp_noise(
    image: Image,
    camera: ImagingInstrument,
    settings: RecoverySettings,
    part: tuple[slice, slice],
) -> tuple[Image, NoiseModel, ObservedNoise]:
    """Return the part that was asked for, its noise, and that of each of its pixels.

    The level is that of the variance map, if there is one, or of a weight map that is the inverse
    of a variance; one that isn't says how the noise that is measured is distributed. Drizzled
    images come with maps of what the noise would be if pixels shared none of it (WHT of HST), or of
    what pixels scatter by: that is told by what is measured. Pixels without a variance > 0 are
    masked.

    The whole map says which pixels are bad; the noise that is carried into the view of the survey
    is the same everywhere, of the median.

    Parameters
    ----------
    image : Image
        In nJy.
    camera : ImagingInstrument
    settings : RecoverySettings
    part : tuple of slice
        Rows and columns, of `part_around`.

    Raises
    ------
    InputError
        If a map can't be read or doesn't belong to the image, or the part shows no galaxy.
    """
    image, variance, how = variance_map(image, settings, None)
    given = variance is not None
    if variance is None:
        variance, how = weight_map(image, settings, None), "the weight map"
    image = asked_part(image, settings.position, settings.size)
    measured = noise_of(image, camera)
    if variance is None:
        return image, measured, ObservedNoise(measured.sigma, "measured")
    stated = of_map(variance[part], image.mask, how)
    shape = separable(measured)
    levels = np.array([shape.sigma, shape.white_sigma])
    nearest = int(np.argmin(np.abs(np.log(stated.sigma / levels))))
    ratio = stated.sigma / levels[nearest]
    if not given and not 1 / _SAME_LEVEL < ratio < _SAME_LEVEL:
        ratio = 1.0
    noise = replace(shape, sigma=float(shape.sigma * ratio))
    each = None if stated.map is None else stated.map * (noise.sigma / stated.sigma)
    return image, noise, ObservedNoise(noise.sigma, how, each, given=True)


def noise_of(image: Image, camera: ImagingInstrument) -> NoiseModel:
    """Measure the noise of an image, or take that of its camera where nothing can be measured.

    In the pixels without source; where there are too few, or what scatters in them is
    light, by the differences of neighbours (`small_scale_noise`). Pixels without source
    that are all equal have no noise but that of their quantisation, a step over the root of 12.

    Warns
    -----
    InputWarning
        If it isn't measured.
    """
    try:
        sky = estimate_noise(image.data, image.pixel_scale, image.mask)
    except InputError:
        sky = None
    if sky is None and _sky_is_flat(image):
        sigma = quantisation_step(image.data[~image.mask]) / 12**0.5
        warnings.warn(
            f"{image.path}: the pixels without source are all equal; it is taken to have no"
            f" noise but that of its quantisation, {sigma:.2g} nJy/pixel",
            InputWarning,
            stacklevel=2,
        )
        return NoiseModel(sigma, image.pixel_scale)
    try:
        fine = small_scale_noise(
            image.data, image.pixel_scale, image.mask, _largest_drop(camera) / image.pixel_scale
        )
    except InputError:
        fine = None
    if sky is not None and (fine is None or not scattered_by_light(sky, fine)):
        return sky
    if fine is not None:
        return fine
    noise = camera.noise()
    warnings.warn(
        f"{image.path}: too few pixels without source to measure the noise; that of"
        f" {camera.name} is taken, {noise.sigma:.2g} nJy/pixel",
        InputWarning,
        stacklevel=2,
    )
    return noise


def _largest_drop(camera: ImagingInstrument) -> float:
    """Return the side in arcsec of the largest drops that cameras drizzle with.

    Of this one or of any other of HST: which one it is, is told by the width of the pixels alone.
    """
    cameras = (camera, *(one for key, one in INSTRUMENTS.items() if key.startswith("hst")))
    return DRIZZLE_PIXFRAC * max(one.detector_pixel_scale or 0.0 for one in cameras)


def _sky_is_flat(image: Image) -> bool:
    """Whether the darker half of the pixels, less the darkest, are of one value."""
    low, high = np.quantile(image.data[~image.mask], [0.05, 0.4])
    return bool(low == high)
