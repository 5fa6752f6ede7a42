"""The HST camera of an image: its pixels, its PSF and its noise, given, measured or assumed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clumpygan.commands.recovery_missing import find_blemishes
from clumpygan.constants import HST_PIXEL_SCALE
from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import (
    INSTRUMENTS,
    ImagingInstrument,
    NoiseModel,
    estimate_noise,
    fwhm_of,
    get_instrument,
    pixel_psf,
)
from clumpygan.io import read_psf

if TYPE_CHECKING:
    from pathlib import Path

    import galsim

    from clumpygan.io import Image

SCALE_TOLERANCE = 0.005
"""Relative difference up to which a pixel scale counts as 0.06"."""


def camera_of(name: str | None, pixel_scale: float) -> ImagingInstrument:
    """Return the named HST camera, or the one whose pixels are nearest to `pixel_scale` arcsec."""
    if name is not None:
        return get_instrument(name)
    known = [preset for key, preset in INSTRUMENTS.items() if key.startswith("hst")]
    return min(known, key=lambda preset: abs(float(np.log(preset.pixel_scale / pixel_scale))))


def check_hst_scale(pixel_scale: float, name: Path, flag: str = "--pixel-scale") -> None:
    """Refuse pixels that are too coarse for an HST image.

    Raises
    ------
    InputError
        If the pixels are wider than 0.06" by more than 0.5 %.
    """
    if pixel_scale > HST_PIXEL_SCALE * (1 + SCALE_TOLERANCE):
        raise InputError(
            f"{name}: the pixel scale is {pixel_scale:.4g} arcsec; expected {HST_PIXEL_SCALE}"
            f" arcsec or finer ({flag} if the header is wrong, --hsc for an HSC image)"
        )


@contextmanager
def unknown_zero_points() -> Iterator[None]:
    """Read images without being told of a missing zero point; `in_nanojansky` sees to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*no zero point known", InputWarning)
        yield


def in_nanojansky(image: Image, camera: ImagingInstrument) -> Image:
    """Return the image in nJy per pixel, by the camera's zero point if its own is unknown.

    Warns
    -----
    InputWarning
        In the second case.
    """
    if image.zero_point is not None:
        return image
    warnings.warn(
        f"{image.path}: taken to be in counts of {camera.name}, zero point"
        f" {camera.zero_point:g}; --zero-point says otherwise",
        InputWarning,
        stacklevel=2,
    )
    data = (image.data * camera.nanojansky_per_count).astype(np.float32)
    return replace(image, data=data, zero_point=camera.zero_point)


def psf_from_file(
    path: Path, scale: float | None, image_scale: float, plane: str | None = None
) -> galsim.GSObject:
    """Read a PSF; its pixels are those of the image unless `scale` or its header says otherwise."""
    array, own_scale = read_psf(path, pixel_scale=scale, plane=plane)
    return pixel_psf(array, own_scale or image_scale, name=str(path))


def assumed_psf(camera: ImagingInstrument, name: str) -> galsim.GSObject:
    """Return the camera's PSF for an image that came without one, with a warning."""
    psf = camera.psf()
    warnings.warn(
        f'{name}: no PSF given; that of {camera.name} is used (FWHM {fwhm_of(psf):.2f}")',
        InputWarning,
        stacklevel=2,
    )
    return psf


def without_blemishes(image: Image, psf: galsim.GSObject, noise: NoiseModel) -> Image:
    """Return the image with dead and hot pixels masked.

    Warns
    -----
    InputWarning
        If there are any.
    """
    bad = find_blemishes(image.data, image.mask, noise.sigma, fwhm_of(psf) / image.pixel_scale)
    if not bad.any():
        return image
    warnings.warn(
        f"{image.path}: {int(bad.sum())} pixels are dead, hot or hit by cosmic rays: masked",
        InputWarning,
        stacklevel=2,
    )
    return replace(
        image, data=np.where(bad, 0, image.data).astype(np.float32), mask=image.mask | bad
    )


def noise_of(image: Image, camera: ImagingInstrument) -> NoiseModel:
    """Measure the noise of an image, or take that of its camera where the galaxy fills the stamp.

    Warns
    -----
    InputWarning
        In the second case.
    """
    try:
        return estimate_noise(image.data, image.pixel_scale, image.mask)
    except InputError:
        noise = camera.noise()
        warnings.warn(
            f"{image.path}: too few pixels without source to measure the noise; that of"
            f" {camera.name} is taken, {noise.sigma:.2g} nJy/pixel",
            InputWarning,
            stacklevel=2,
        )
        return noise
