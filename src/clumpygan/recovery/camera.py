"""The camera of a sharp image: its pixels and its PSF, given or assumed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import galsim
import numpy as np

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import (
    INSTRUMENTS,
    ImagingInstrument,
    SurveyPair,
    fwhm_of,
    get_instrument,
    pixel_psf,
)
from clumpygan.io import read_psf
from clumpygan.io.fits import is_file
from clumpygan.recovery.bad_pixels import find_bad_pixels
from clumpygan.recovery.resampling import WIDEST_PIXEL

if TYPE_CHECKING:
    from pathlib import Path

    from clumpygan.io import Image
    from clumpygan.io.fits import ImageSource

SCALE_TOLERANCE = 0.005
"""Relative difference up to which a pixel scale counts as the target's."""


def camera_of(name: str | None, pixel_scale: float, target: ImagingInstrument) -> ImagingInstrument:
    """Return the named camera, or the one whose pixels are nearest to `pixel_scale` arcsec.

    Of those of HST, and of the target's.
    """
    if name is not None:
        return get_instrument(name)
    known = [target, *(preset for key, preset in INSTRUMENTS.items() if key.startswith("hst"))]
    return min(known, key=lambda preset: abs(float(np.log(preset.pixel_scale / pixel_scale))))


def check_sharp_scale(
    pixel_scale: float,
    name: Path | str,
    pair: SurveyPair,
    setting: str = "pixel_scale",
    widest: float = WIDEST_PIXEL,
) -> None:
    """Refuse pixels that are too coarse for a sharp image; `setting` would say so.

    Wider than the target's ones, and than `widest` of the FWHM of its PSF.

    Raises
    ------
    InputError
        If the pixels are wider than those of the target, and too wide for its PSF.
    """
    target = pair.grid.target_scale
    coarsest = max(target * (1 + SCALE_TOLERANCE), widest * pair.target.psf_fwhm)
    if pixel_scale > coarsest:
        raise InputError(
            f"{name}: the pixel scale is {pixel_scale:.4g} arcsec; expected {target:.4g} arcsec,"
            f" or up to {coarsest:.2g} arcsec to be resampled (`{setting}` if the header is wrong,"
            " `observed` for an image of the survey)"
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
        f" {camera.zero_point:g}; `zero_point` says otherwise",
        InputWarning,
        stacklevel=2,
    )
    data = (image.data * camera.nanojansky_per_count).astype(np.float32)
    return replace(image, data=data, zero_point=camera.zero_point)


def measured_psf(
    source: ImageSource,
    scale: float | None,
    image_scale: float,
    plane: str | None = None,
    setting: str = "psf",
    beside: int | str | None = None,
) -> galsim.GSObject:
    """Return a PSF that was given.

    Parameters
    ----------
    source : str, path-like, array, CCDData or galsim.GSObject
        A GSObject is taken as it is, pixel response included.
    scale : float, optional
        Width of its pixels in arcsec; the default is its header's.
    image_scale : float
        Width of the image's pixels, where neither says it.
    plane : str, optional
        Of a stack.
    setting : str
        What messages call one that isn't a file.
    beside : int or str, optional
        HDU of the image: in a file of several bands that says which.
    """
    if isinstance(source, galsim.GSObject):
        return source
    name = str(source) if is_file(source) else f"`{setting}`"
    array, own_scale = read_psf(source, scale, plane, name=name, beside=beside)
    return pixel_psf(array, own_scale or image_scale, name=name)


def assumed_psf(camera: ImagingInstrument, name: str) -> galsim.GSObject:
    """Return the camera's PSF for an image that came without one, with a warning."""
    psf = camera.psf()
    warnings.warn(
        f'{name}: no PSF given; that of {camera.name} is used (FWHM {fwhm_of(psf):.2f}")',
        InputWarning,
        stacklevel=2,
    )
    return psf


def mask_bad_pixels(image: Image, psf: galsim.GSObject, sigma: float | np.ndarray) -> Image:
    """Return the image with dead and hot pixels masked.

    Parameters
    ----------
    image : Image
    psf : galsim.GSObject
        Its effective PSF.
    sigma : float or numpy.ndarray
        Noise of a pixel, or of each.

    Warns
    -----
    InputWarning
        If there are any.
    """
    bad = find_bad_pixels(image.data, image.mask, sigma, fwhm_of(psf) / image.pixel_scale)
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
