"""Bring an HST image of any camera onto the grid and the PSF that the network recovers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import galsim
import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from clumpygan.commands.recovery_camera import SCALE_TOLERANCE
from clumpygan.commands.recovery_missing import bridged
from clumpygan.commands.recovery_scene import embed, embedding_corner, padded_shape, shifted_wcs
from clumpygan.constants import FINE_BLOCK, HST_PIXEL_SCALE
from clumpygan.instruments import (
    NoiseModel,
    draw_noise,
    fwhm_of,
    galsim_transfer,
    get_instrument,
    transfer_ratio,
)
from clumpygan.io import rescaled_wcs

if TYPE_CHECKING:
    from clumpygan.io import Image

TARGET = "hst_wfc3_f160w"
"""The camera whose images the network recovers."""

_SHARPER = 0.9
_NOISE_MARGIN = 20
_LARGEST_FFT = 16384


@dataclass
class HstStamp:
    """An HST image on the 0.06" grid.

    Attributes
    ----------
    data : numpy.ndarray
        (Y, X) float32, 0 where masked.
    mask : numpy.ndarray
        (Y, X) bool, True where there are no data.
    psf : galsim.GSObject
        Effective PSF of `data`.
    own_psf : galsim.GSObject
        PSF of the image before it was brought here; `psf` where nothing was changed.
    noise : NoiseModel or None
        Noise of the image before it was brought here; None for a model without noise.
    wcs : astropy.wcs.WCS or None
        World coordinates.
    surrounded : bool
        Whether what is masked is empty sky around a stamp that was too small.
    """

    data: np.ndarray
    mask: np.ndarray
    psf: galsim.GSObject
    own_psf: galsim.GSObject
    noise: NoiseModel | None = None
    wcs: Any = None
    surrounded: bool = False

    @property
    def missing(self) -> np.ndarray:
        """(Y, X) bool, True where nothing is known of the sky."""
        return self.mask & (not self.surrounded)

    def noise_power(self, frequencies: tuple[Tensor, Tensor]) -> Tensor:
        """Return the power spectrum of the noise of `data`, in nJy^2 per 0.06" pixel.

        The noise of the original image, P per pixel of width p, is P (0.06" / p)^2 |T|^2 on the
        new grid, T being the ratio of the transfer functions of `psf` and `own_psf`.
        """
        if self.noise is None:
            return torch.zeros(frequencies[0].shape[0], frequencies[1].shape[1])
        power = self.noise.power(frequencies) * (HST_PIXEL_SCALE / self.noise.pixel_scale) ** 2
        if self.psf is self.own_psf:
            return power
        new, old = (galsim_transfer(psf, frequencies) for psf in (self.psf, self.own_psf))
        return power * transfer_ratio(new, old, check=False).abs() ** 2

    def filled(self, generator: torch.Generator) -> tuple[np.ndarray, float]:
        """Return `data` with the masked pixels bridged, and the noise, sigma per pixel."""
        rows, columns = (size + _NOISE_MARGIN for size in self.data.shape)
        ky = torch.fft.fftfreq(rows, HST_PIXEL_SCALE, dtype=torch.float64)[:, None]
        kx = torch.fft.rfftfreq(columns, HST_PIXEL_SCALE, dtype=torch.float64)[None, :]
        noise = draw_noise(self.noise_power((ky, kx)), self.data.shape, generator).numpy()
        return bridged(self.data, self.mask, noise), float(noise.std())


def hst_stamp(image: Image, psf: galsim.GSObject, noise: NoiseModel) -> HstStamp:
    """Bring `image`, observed with `psf` and `noise`, onto whole blocks of 14 pixels of 0.06".

    An image with 0.06" pixels and a PSF at least as wide as 0.9 of the target camera's stays as
    it is. Any other is resampled, and a sharper PSF is widened to that of the target camera. A
    stamp without gaps that is smaller than 25 HSC pixels by a block or more is taken to hold its
    galaxy, and to be surrounded by empty sky.
    """
    if abs(image.pixel_scale / HST_PIXEL_SCALE - 1) < SCALE_TOLERANCE and not _sharp(psf):
        stamp = HstStamp(image.data, image.mask, psf, psf, noise, image.wcs)
    else:
        ratio = image.pixel_scale / HST_PIXEL_SCALE
        rows, columns = (max(int(size * ratio + 1e-6), 1) for size in image.data.shape)
        stamp = placed(image, psf, (rows, columns))
        stamp.noise, stamp.wcs = noise, _resampled_wcs(image, (rows, columns))
    shape = padded_shape(stamp.data.shape, FINE_BLOCK)
    small = min(stamp.data.shape) <= min(padded_shape((1, 1), FINE_BLOCK)) - FINE_BLOCK
    stamp.surrounded = small and not stamp.mask.any()
    corner = embedding_corner(stamp.data.shape, shape)
    stamp.data, stamp.mask = embed(stamp.data, shape, 0), embed(stamp.mask, shape, True)
    stamp.wcs = shifted_wcs(stamp.wcs, corner)
    return stamp


def placed(
    image: Image,
    psf: galsim.GSObject,
    shape: tuple[int, int],
    shift: tuple[float, float] = (0.0, 0.0),
) -> HstStamp:
    """Resample an image onto 0.06" pixels and widen a PSF sharper than the target camera's.

    GalSim's quintic interpolant, divided by the image's own transfer function and multiplied by
    the target's, drawn at the new pixels; flux is conserved.

    Parameters
    ----------
    image : Image
        With pixels of 0.06" or finer.
    psf : galsim.GSObject
        Its effective PSF.
    shape : tuple of int
        Of the result, whose centre is that of `image` ...
    shift : tuple of float
        ... moved by (x, y) arcsec.
    """
    pixels = galsim.Image(image.data.astype(np.float64), scale=image.pixel_scale)
    sky = galsim.InterpolatedImage(
        pixels, x_interpolant="quintic", calculate_stepk=False, calculate_maxk=False
    ).shift(*shift)
    target = get_instrument(TARGET).psf() if _sharp(psf) else psf
    if target is not psf:
        sky = galsim.Convolve(sky, galsim.Deconvolve(psf), target)
    drawn = sky.withGSParams(maximum_fft_size=_LARGEST_FFT).drawImage(
        nx=shape[1], ny=shape[0], scale=HST_PIXEL_SCALE, method="no_pixel", dtype=np.float64
    )
    mask = _placed_mask(image, shape, shift)
    return HstStamp(np.where(mask, 0, drawn.array).astype(np.float32), mask, target, psf)


def _sharp(psf: galsim.GSObject) -> bool:
    """Whether a PSF is sharper than that of the images which the network recovers."""
    return fwhm_of(psf) < _SHARPER * get_instrument(TARGET).psf_fwhm


def _placed_mask(image: Image, shape: tuple[int, int], shift: tuple[float, float]) -> np.ndarray:
    """Return the 0.06" pixels whose centres lie outside the image, in or beside a masked pixel."""
    rows, columns = (
        np.rint(
            ((np.arange(new) - (new - 1) / 2) * HST_PIXEL_SCALE - moved) / image.pixel_scale
            + (old - 1) / 2
        ).astype(int)
        for new, old, moved in zip(shape, image.mask.shape, shift[::-1], strict=True)
    )
    height, width = image.mask.shape
    outside = ((rows < 0) | (rows >= height))[:, None] | ((columns < 0) | (columns >= width))
    near = binary_dilation(image.mask)
    return np.asarray(outside | near[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))])


def _resampled_wcs(image: Image, shape: tuple[int, int]) -> Any:
    """Return the WCS of the 0.06" grid of `shape` that has the centre of `image`."""
    if image.wcs is None:
        return None
    ratio = HST_PIXEL_SCALE / image.pixel_scale
    wcs = rescaled_wcs(image.wcs, ratio)
    rows, columns = (size / ratio for size in image.data.shape)
    wcs.wcs.crpix = wcs.wcs.crpix + np.array([shape[1] - columns, shape[0] - rows]) / 2
    return wcs
