"""Bring a sharp image of any camera onto the grid and the PSF that the network recovers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import galsim
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.instruments import (
    NoiseModel,
    SurveyPair,
    draw_noise,
    fwhm_of,
    galsim_transfer,
    transfer_ratio,
)
from clumpygan.recovery.bad_pixels import fill_gaps
from clumpygan.recovery.camera import SCALE_TOLERANCE
from clumpygan.recovery.resampling import WIDEST_PIXEL, Placement, drawn_on, same_centre_wcs
from clumpygan.recovery.scene import embed, embedding_corner, padded_shape, shifted_wcs

if TYPE_CHECKING:
    from clumpygan.io import Image

_SHARPER = 0.9
_NOISE_MARGIN = 20
_CENTRED = Placement()


@dataclass(frozen=True, eq=False)
class SharpStamp:
    """A sharp image on the grid of the target.

    Attributes
    ----------
    data : numpy.ndarray
        (Y, X) float32, 0 where masked.
    mask : numpy.ndarray
        (Y, X) bool, True where there are no data.
    pixel_scale : float
        arcsec.
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
    pixel_scale: float
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
        """Return the power spectrum of the noise of `data`, in nJy^2 per pixel.

        The noise of the original image, P per pixel of width p, is P (q / p)^2 |T|^2 on the new
        grid with pixels of width q, T being the ratio of the transfer functions of `psf` and
        `own_psf`.
        """
        if self.noise is None:
            return torch.zeros(frequencies[0].shape[0], frequencies[1].shape[1])
        power = self.noise.power(frequencies) * (self.pixel_scale / self.noise.pixel_scale) ** 2
        # What was interpolated has nothing beyond the highest frequency of its own pixels.
        highest = 0.5 / self.noise.pixel_scale
        power = power * ((frequencies[0].abs() <= highest) & (frequencies[1].abs() <= highest))
        if self.psf is self.own_psf:
            return power
        new, old = (galsim_transfer(psf, frequencies) for psf in (self.psf, self.own_psf))
        return power * transfer_ratio(new, old, check=False).abs() ** 2

    def filled(self, generator: torch.Generator) -> tuple[np.ndarray, float]:
        """Return `data` with the masked pixels filled, and the noise, sigma per pixel."""
        noise = self.draw_noise(generator)
        return fill_gaps(self.data, self.mask, noise), float(noise.std())

    def draw_noise(self, generator: torch.Generator) -> NDArray[np.float32]:
        """Return noise (Y, X) as that of `data`."""
        rows, columns = (size + _NOISE_MARGIN for size in self.data.shape)
        ky = torch.fft.fftfreq(rows, self.pixel_scale, dtype=torch.float64)[:, None]
        kx = torch.fft.rfftfreq(columns, self.pixel_scale, dtype=torch.float64)[None, :]
        return np.asarray(draw_noise(self.noise_power((ky, kx)), self.data.shape, generator))


def sharp_stamp(
    image: Image, psf: galsim.GSObject, noise: NoiseModel, pair: SurveyPair
) -> SharpStamp:
    """Bring `image`, observed with `psf` and `noise`, onto whole blocks of the target's pixels.

    An image with such pixels and a PSF at least as wide as 0.9 of the target camera's stays as
    it is. Any other is resampled, and a sharper PSF is widened to that of the target camera. A
    stamp without gaps that is smaller than 4.2" by a block or more is taken to hold its galaxy,
    and to be surrounded by empty sky.
    """
    scale, block = pair.grid.target_scale, pair.grid.fine_block
    if abs(image.pixel_scale / scale - 1) < SCALE_TOLERANCE and not _sharp(psf, pair):
        stamp = SharpStamp(image.data, image.mask, scale, psf, psf, noise, image.wcs)
    else:
        ratio = image.pixel_scale / scale
        rows, columns = (max(int(size * ratio + 1e-6), 1) for size in image.data.shape)
        stamp = placed(image, psf, (rows, columns), pair, noise=noise)
        stamp = replace(stamp, wcs=same_centre_wcs(image, (rows, columns), scale))
    shape = padded_shape(stamp.data.shape, block, pair.grid)
    small = min(stamp.data.shape) <= min(padded_shape((1, 1), block, pair.grid)) - block
    return replace(
        stamp,
        data=embed(stamp.data, shape, 0),
        mask=embed(stamp.mask, shape, True),
        wcs=shifted_wcs(stamp.wcs, embedding_corner(stamp.data.shape, shape)),
        surrounded=small and not stamp.mask.any(),
    )


def placed(
    image: Image,
    psf: galsim.GSObject,
    shape: tuple[int, int],
    pair: SurveyPair,
    placement: Placement = _CENTRED,
    noise: NoiseModel | None = None,
    widest: float = WIDEST_PIXEL,
) -> SharpStamp:
    """Resample an image onto the target's pixels and widen a PSF sharper than the target camera's.

    Divided by the image's own transfer function and multiplied by the target's, see `drawn_on`;
    flux is conserved.

    Parameters
    ----------
    image : Image
        In which the PSF is sampled.
    psf : galsim.GSObject
        Its effective PSF, in the image's own directions.
    shape : tuple of int
        Of the result ...
    pair : SurveyPair
        Which names the target, and its pixels.
    placement : Placement
        ... on which the image lies so.
    noise : NoiseModel, optional
        Of `image`.
    widest : float
        Pixels that are taken, in units of the FWHM of the PSF, if they are wider than the target's.

    Raises
    ------
    InputError
        If the pixels are wider than that.
    """
    scale, width = pair.grid.target_scale, fwhm_of(psf)
    if image.pixel_scale > max(scale * (1 + SCALE_TOLERANCE), widest * width):
        raise InputError(
            f'{image.path}: pixels of {image.pixel_scale:.4g}" undersample its PSF (FWHM '
            f'{width:.3f}"), so that it can\'t be resampled to {scale:.4g}"; expected'
            f' {widest * width:.3f}" or finer'
        )
    sharp = _sharp(psf, pair)
    target = pair.target.psf() if sharp else psf
    matching = (psf, target) if sharp else (None, None)
    data, mask = drawn_on(image, shape, scale, placement, *matching)
    if placement.turn is not None:
        psf = psf.transform(*placement.turn.ravel())
        target = target if sharp else psf
    return SharpStamp(data.astype(np.float32), mask, scale, target, psf, noise)


def _sharp(psf: galsim.GSObject, pair: SurveyPair) -> bool:
    """Whether a PSF is sharper than that of the images which the network recovers."""
    return fwhm_of(psf) < _SHARPER * pair.target.psf_fwhm
