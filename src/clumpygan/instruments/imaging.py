"""An imaging instrument: sourced constants and the few quantities that follow from them."""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from typing import Literal

import galsim
from scipy.optimize import brentq

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.instruments.correlation import cosmos_noise, drizzled_correlation
from clumpygan.instruments.noise import NoiseModel, noise_at_depth, sky_sigma
from clumpygan.instruments.psf import fwhm_of
from clumpygan.settings import check, setting


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
        Radius of that aperture, arcsec; a depth for point sources is that in the aperture of
        `noise_equivalent_radius`.
    noise_correlation : {"white", "cosmos", "drizzled"}
        Whether pixels are independent, or correlated by drizzling: as measured in COSMOS, or by
        the kernel of `clumpygan.instruments.drizzled_correlation`.
    sources : tuple of (str, str)
        Where the numbers come from: of pixel_scale, zero_point, psf, depth and noise.
    wavelength : float, optional
        Pivot wavelength in nm, for a diffraction-limited PSF; None from the ground.
    mirror_diameter, obscuration : float, optional
        Aperture in metres and its central obscuration in units of it, for such a PSF.
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
    pixel_scale: float = setting(help="width of a pixel", unit="arcsec", above=0, most=10)
    zero_point: float = setting(help="AB magnitude of one count", unit="mag", least=10, most=40)
    psf_fwhm: float = setting(help="median FWHM of the PSF", unit="arcsec", above=0, most=10)
    psf_fwhm_range: tuple[float, float] = setting(
        help="usual FWHM of the PSF", unit="arcsec", above=0, most=10
    )
    moffat_beta_range: tuple[float, float] | None = setting(
        help="usual Moffat exponents", least=1.6, most=8
    )
    depth_magnitude: float = setting(help="5 sigma of the sky", unit="mag", least=15, most=35)
    depth_aperture_radius: float = setting(help="in this radius", unit="arcsec", above=0, most=10)
    noise_correlation: Literal["white", "cosmos", "drizzled"] = setting(help="of the pixels")
    sources: tuple[tuple[str, str], ...] = setting(help="of the numbers: quantity and reference")
    wavelength: float | None = setting(None, "pivot wavelength", "nm", least=100, most=1e5)
    mirror_diameter: float | None = setting(None, "aperture", "m", above=0, most=100)
    obscuration: float = setting(0.0, "central obscuration, of the aperture", least=0, below=1)
    detector_pixel_scale: float | None = setting(
        None, "width of the detector's pixel", "arcsec", above=0, most=10
    )
    halo_fraction: float = setting(0.0, "share of the light in the halo", least=0, below=1)
    halo_radius: float = setting(0.0, "scale radius of the halo", "arcsec", least=0, most=10)
    psf_includes_pixel: bool = True

    def __post_init__(self) -> None:
        check(self)
        low, high = self.psf_fwhm_range
        if not low <= self.psf_fwhm <= high:
            raise InputError(
                f"`psf_fwhm` is {self.psf_fwhm:g}: expected a number in `psf_fwhm_range`, "
                f"{low:g} to {high:g}"
            )

    @property
    def short_name(self) -> str:
        """Return what the survey or telescope is called in titles, as HSC or HST."""
        return self.name.split("_")[0].upper()

    @property
    def source(self) -> str:
        """Return where the numbers come from, in one line."""
        return "; ".join(f"{name}: {text}" for name, text in self.sources)

    @property
    def sky_sigma(self) -> float:
        """Return the noise per pixel in nJy at the survey's depth, were the pixels independent."""
        return sky_sigma(self.depth_magnitude, self.depth_aperture_radius, self.pixel_scale)

    @property
    def nanojansky_per_count(self) -> float:
        """Return the flux of one native count in nJy."""
        return float(10 ** (0.4 * (NANOJANSKY_ZERO_POINT - self.zero_point)))

    def with_pixels(self, pixel_scale: float) -> "ImagingInstrument":
        """Return the camera with its images on other pixels: PSF width and depth stay."""
        return self if pixel_scale == self.pixel_scale else replace(self, pixel_scale=pixel_scale)

    def noise(self) -> NoiseModel:
        """Return the sky noise at the depth of the survey, with the correlation of its pixels.

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
        """Return the effective PSF, of unit flux.

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
        if None in (self.wavelength, self.detector_pixel_scale, self.mirror_diameter):
            raise InputError(
                f"{self.name} has neither a Moffat range nor a wavelength, mirror and detector "
                "pixel: give one of the two"
            )
        return _obscured_psf(
            (self.wavelength, self.mirror_diameter, self.obscuration),
            (self.detector_pixel_scale, self.pixel_scale),
            (self.halo_fraction, self.halo_radius),
            fwhm,
        )


def noise_equivalent_radius(fwhm: float, beta: float | None) -> float:
    """Return the radius in which the sky is as noisy as in the best photometry of a point source.

    The area 1 / integral(PSF^2) is that in which a measurement with the PSF as its weight collects
    noise (King 1983, PASP 95, 163).

    Parameters
    ----------
    fwhm : float
        Of the PSF, arcsec.
    beta : float, optional
        Exponent of a Moffat PSF; None for a Gaussian one.

    Returns
    -------
    float
        arcsec.
    """
    if beta is None:
        return float(fwhm / (2 * log(2)) ** 0.5)
    radius = fwhm / (2 * (2 ** (1 / beta) - 1) ** 0.5)
    return float(radius * (2 * beta - 1) ** 0.5 / (beta - 1))


@lru_cache(maxsize=32)
def _obscured_psf(
    telescope: tuple[float | None, float | None, float],
    pixels: tuple[float | None, float],
    halo: tuple[float, float],
    fwhm: float,
) -> galsim.GSObject:
    wavelength, diameter, obscuration = telescope
    sharp = galsim.Convolve(
        galsim.Airy(lam=wavelength, diam=diameter, obscuration=obscuration),
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
