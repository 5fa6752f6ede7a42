"""An imaging instrument: sourced constants and the few quantities that follow from them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import galsim
from scipy.optimize import brentq

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.instruments.correlation import cosmos_noise, drizzled_correlation
from clumpygan.instruments.noise import NoiseModel, noise_at_depth, sky_sigma
from clumpygan.instruments.psf import fwhm_of

HST_MIRROR_DIAMETER = 2.4
"""Aperture of the Hubble Space Telescope in metres."""

HST_OBSCURATION = 0.33
"""Diameter of its central obscuration in units of the aperture (Krist, Hook & Stoehr 2011)."""


@dataclass(frozen=True)
class ImagingInstrument:
    """A camera, its survey, and what their images are like.

    Attributes
    ----------
    name : str
        Key in `clumpygan.instruments.INSTRUMENTS`.
    description : str
        Telescope, camera, survey.
    band : str
        Filter.
    pixel_scale : float
        arcsec per pixel.
    zero_point : float
        AB magnitude of one native count (per second for HST).
    psf_fwhm : float
        Median full width at half maximum of the effective PSF, arcsec.
    psf_fwhm_range : tuple of float
        Smallest and largest usual FWHM, arcsec.
    moffat_beta_range : tuple of float, optional
        Usual Moffat exponents; None for a diffraction-limited PSF.
    depth_magnitude : float
        AB magnitude that is 5 sigma of the sky in a circular aperture.
    depth_aperture_radius : float
        Radius of that aperture, arcsec.
    noise_correlation : {"white", "cosmos", "drizzled"}
        Whether pixels are independent, or correlated by drizzling: as measured in COSMOS, or by
        the kernel of `clumpygan.instruments.drizzled_correlation`.
    source : str
        Where the numbers come from.
    wavelength : float, optional
        Pivot wavelength in nm, for a diffraction-limited PSF; None from the ground.
    detector_pixel_scale : float, optional
        arcsec per pixel of the detector, before drizzling.
    halo_fraction, halo_radius : float
        Flux share and exponential scale radius in arcsec of the faint halo of a diffraction-limited
        PSF (aberrations, scattered light).
    psf_includes_pixel : bool
        True: the PSF contains the pixel response, images are drawn with method "no_pixel".
    """

    name: str
    description: str
    band: str
    pixel_scale: float
    zero_point: float
    psf_fwhm: float
    psf_fwhm_range: tuple[float, float]
    moffat_beta_range: tuple[float, float] | None
    depth_magnitude: float
    depth_aperture_radius: float
    noise_correlation: Literal["white", "cosmos", "drizzled"]
    source: str
    wavelength: float | None = None
    detector_pixel_scale: float | None = None
    halo_fraction: float = 0.0
    halo_radius: float = 0.0
    psf_includes_pixel: bool = True

    @property
    def sky_sigma(self) -> float:
        """Noise per pixel in nJy at the survey's depth, were the pixels independent."""
        return sky_sigma(self.depth_magnitude, self.depth_aperture_radius, self.pixel_scale)

    @property
    def nanojansky_per_count(self) -> float:
        """Flux of one native count in nJy."""
        return float(10 ** (0.4 * (NANOJANSKY_ZERO_POINT - self.zero_point)))

    def noise(self) -> NoiseModel:
        """Sky noise at the depth of the survey, with the correlation of its pixels.

        Returns
        -------
        NoiseModel
            In the aperture of the depth its standard deviation is a fifth of the depth; where the
            noise itself was measured ("cosmos"), as measured: 0.7 of what the depth says.

        Raises
        ------
        InputError
            If the noise is drizzled but the detector's pixel scale is unknown.
        """
        if self.noise_correlation == "cosmos":
            return cosmos_noise(self.nanojansky_per_count, self.pixel_scale)
        correlation = None
        if self.noise_correlation == "drizzled":
            if self.detector_pixel_scale is None:
                raise InputError(f"{self.name} is drizzled: give its detector_pixel_scale")
            correlation = drizzled_correlation(self.pixel_scale, self.detector_pixel_scale)
        return noise_at_depth(
            self.depth_magnitude, self.depth_aperture_radius, self.pixel_scale, correlation
        )

    def psf(self, fwhm: float | None = None, beta: float | None = None) -> galsim.GSObject:
        """Effective PSF of unit flux.

        From the ground a Moffat profile. From space the Airy pattern of an obscured aperture,
        convolved with the pixel of the detector, the pixel of the drizzled image and a Gaussian
        (jitter, charge diffusion, drizzle kernel) that gives it the wanted FWHM; part of the light
        is convolved with an exponential halo besides.

        Parameters
        ----------
        fwhm : float, optional
            arcsec; the median of the instrument by default.
        beta : float, optional
            Moffat exponent, the middle of the usual range by default; only from the ground.

        Returns
        -------
        galsim.GSObject
            Draw it with method="no_pixel".

        Raises
        ------
        InputError
            If the FWHM isn't positive or below the diffraction limit, if `beta` isn't above 1.1
            or is given for a diffraction-limited instrument.
        """
        width = self.psf_fwhm if fwhm is None else float(fwhm)
        if not width > 0:
            raise InputError(f"the PSF FWHM of {self.name} is {width}, expected arcsec > 0")
        if self.moffat_beta_range is None:
            if beta is not None:
                raise InputError(
                    f"{self.name} is diffraction-limited: its PSF has no Moffat beta, leave it out"
                )
            return self._diffraction_psf(width)
        exponent = sum(self.moffat_beta_range) / 2 if beta is None else float(beta)
        if not exponent > 1.1:
            raise InputError(f"the Moffat beta of {self.name} is {exponent}, expected above 1.1")
        return galsim.Moffat(beta=exponent, fwhm=width)

    def _diffraction_psf(self, fwhm: float) -> galsim.GSObject:
        if self.wavelength is None or self.detector_pixel_scale is None:
            raise InputError(
                f"{self.name} has neither a Moffat range nor a wavelength and detector pixel: "
                "give one of the two"
            )
        return _obscured_psf(
            self.wavelength,
            (self.detector_pixel_scale, self.pixel_scale),
            (self.halo_fraction, self.halo_radius),
            fwhm,
        )


@lru_cache(maxsize=32)
def _obscured_psf(
    wavelength: float, pixels: tuple[float, float], halo: tuple[float, float], fwhm: float
) -> galsim.GSObject:
    sharp = galsim.Convolve(
        galsim.Airy(lam=wavelength, diam=HST_MIRROR_DIAMETER, obscuration=HST_OBSCURATION),
        *(galsim.Pixel(side) for side in pixels),
    )
    share, radius = halo
    if share > 0:
        wings = galsim.Convolve(sharp, galsim.Exponential(scale_radius=radius))
        sharp = (1 - share) * sharp + share * wings

    def blurred(sigma: float) -> galsim.GSObject:
        return galsim.Convolve(sharp, galsim.Gaussian(sigma=sigma))

    lowest = 1e-3 * fwhm
    if fwhm_of(blurred(lowest)) >= fwhm:
        raise InputError(
            f'a PSF FWHM of {fwhm:g}" is below what diffraction and pixels allow at '
            f'{wavelength:g} nm, {fwhm_of(sharp):.3f}": choose a larger one'
        )
    sigma = brentq(lambda s: fwhm_of(blurred(s)) - fwhm, lowest, fwhm, xtol=1e-5 * fwhm)
    return blurred(float(sigma))
