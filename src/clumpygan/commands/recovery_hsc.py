"""A real HSC image: its PSF, its noise, its pixels without data."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import convolve

from clumpygan.commands.recovery_camera import psf_from_file
from clumpygan.commands.recovery_cutout import asked_part
from clumpygan.commands.recovery_grid import TARGET
from clumpygan.commands.recovery_missing import bridged
from clumpygan.commands.recovery_psf import SeenThrough
from clumpygan.commands.recovery_reference import add_reference
from clumpygan.commands.recovery_scene import (
    Scene,
    embed,
    embedding_corner,
    fine_mask,
    padded_shape,
    shifted_wcs,
)
from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK, HSC_PIXEL_SCALE
from clumpygan.errors import InputError
from clumpygan.instruments import estimate_noise, fwhm_of, get_instrument
from clumpygan.io import read_image, rescaled_wcs
from clumpygan.io.fits import read_plane
from clumpygan.io.photometry import nanojansky_per_count

if TYPE_CHECKING:
    from clumpygan.io import Image

_MAD_TO_SIGMA = 1.4826
_CROWDED = 2.0
_SHARED = 1.3  # in a 5-band HSC coadd of COSMOS the variance maps say 1.24 to 1.39
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6.0


def hsc_scene(options: Namespace, seed: int) -> Scene:
    """Read an HSC image with its PSF and noise, and register the reference if there is one."""
    image = read_image(
        options.hsc,
        pixel_scale=options.pixel_scale,
        zero_point=options.zero_point,
        hdu=options.hdu,
        plane=options.band,
        expected_scale=HSC_PIXEL_SCALE,
        weight=options.weight,
    )
    sigma, how = _noise(image, options)
    image = asked_part(image, options)
    if options.psf is None:
        blurred = get_instrument(f"hsc_wide_{options.band}").psf(fwhm=options.seeing)
    else:
        blurred = psf_from_file(options.psf, options.psf_scale, HSC_PIXEL_SCALE, options.band)
    psf = SeenThrough(blurred, get_instrument(TARGET).psf())
    shape = padded_shape(image.data.shape, COARSE_BLOCK)
    mask = embed(image.mask, shape, True)
    wcs = shifted_wcs(image.wcs, embedding_corner(image.data.shape, shape))
    noise = sigma * np.random.default_rng(seed).standard_normal(shape)
    unit = "counts" if image.zero_point is None else "nJy"
    scene = Scene(
        title=options.hsc.name,
        subtitle=f'real image by Subaru HSC, {options.band} band, seeing {float(psf.fwhm):.2f}"',
        observed=bridged(embed(image.data, shape, 0), mask, noise),
        sigma=sigma,
        psf=psf,
        seeing=float(psf.fwhm),
        observed_mask=mask,
        reference_mask=fine_mask(mask),
        reference_fwhm=fwhm_of(psf.sharp),
        observed_name=f"HSC, {options.band} band",
        unit=unit,
        observed_wcs=wcs,
        reference_wcs=None if wcs is None else rescaled_wcs(wcs, COARSE_BLOCK / FINE_BLOCK),
        facts={"noise_from": how},
        remarks=[f"noise of {sigma:.3g} {unit} per HSC pixel, {how}"],
    )
    if options.reference is not None:
        add_reference(scene, options, seed)
    return scene


def _noise(image: Image, options: Namespace) -> tuple[float, str]:
    """Return sigma per pixel and where it comes from.

    The variance map, if there is one; else the source-free pixels; else, where there are none or
    they scatter twice as much (a galaxy fills the field), the median absolute second difference of
    neighbouring pixels (Immerkaer 1996, Computer Vision and Image Understanding 64, 300), in which
    an image wider than its pixels cancels; times 1.3, for it misses what neighbours share.
    """
    if options.variance is not None:
        variance = read_plane(options.variance, plane=options.band).data
        if variance.shape != image.data.shape:
            raise InputError(
                f"{options.variance}: the variance map has shape {variance.shape}; expected"
                f" {image.data.shape}, that of {options.hsc}"
            )
        median = float(np.median(variance[~image.mask]))
        if not median > 0:
            raise InputError(f"{options.variance}: the median variance is {median:g}; expected > 0")
        scale = 1.0 if image.zero_point is None else nanojansky_per_count(image.zero_point)
        return scale * median**0.5, f"the median of {options.variance.name}"
    return _measured_noise(image, options)


def _measured_noise(image: Image, options: Namespace) -> tuple[float, str]:
    differences = convolve(image.data.astype(np.float64), _LAPLACIAN)[~image.mask]
    least = _MAD_TO_SIGMA * float(np.median(np.abs(differences)))
    if not least > 0:
        raise InputError(
            f"{options.hsc}: the noise can't be measured, the pixels don't vary; give --variance"
        )
    try:
        sigma = estimate_noise(image.data, HSC_PIXEL_SCALE, image.mask).sigma
    except InputError:
        sigma = np.inf
    if sigma > _CROWDED * least:
        return _SHARED * least, "measured from differences of neighbouring pixels"
    return sigma, "measured in the pixels without source"
