"""Noise: its level from a published depth, its correlation, and what an observation makes of it."""

from math import pi

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError


def sky_sigma(depth_magnitude: float, aperture_radius: float, pixel_scale: float) -> float:
    """Noise per pixel from a 5-sigma depth.

    Parameters
    ----------
    depth_magnitude : float
        AB magnitude that is 5 sigma of the sky in the aperture.
    aperture_radius : float
        arcsec.
    pixel_scale : float
        arcsec per pixel.

    Returns
    -------
    float
        sigma = f(m) / 5 / sqrt(pi r^2 / p^2) in nJy per pixel, for uncorrelated pixels.

    Raises
    ------
    InputError
        If the radius or the pixel scale isn't positive.
    """
    if not (aperture_radius > 0 and pixel_scale > 0):
        raise InputError(
            f"aperture radius {aperture_radius} and pixel scale {pixel_scale}: expected arcsec > 0"
        )
    flux = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - depth_magnitude))
    return float(flux / 5 / (pi * aperture_radius**2 / pixel_scale**2) ** 0.5)
