"""The plain sheared exponential disk, with which all this began."""

import galsim
import numpy as np
from numpy.typing import NDArray


def sheared_disk_image(
    generator: np.random.Generator,
    *,
    flux: float = 1e5,
    half_light_radius: float = 0.8,
    inclination: float = 45.0,
    position_angle: float = 30.0,
    g1: float = 0.0,
    g2: float = 0.0,
    seeing: float = 0.6,
    moffat_beta: float = 3.5,
    sky_level: float = 400.0,
    size: int = 64,
    pixel_scale: float = 0.168,
) -> NDArray[np.float32]:
    """Draw a thin exponential disk, inclined, then sheared, through a Moffat PSF, on Poisson sky.

    Parameters
    ----------
    generator : numpy.random.Generator
        For the Poisson noise.
    flux, sky_level : float
        Photons in all, and per pixel of sky; the sky is subtracted from the result.
    half_light_radius, seeing, pixel_scale : float
        Arcsec; the radius is along the major axis, the seeing is the FWHM of the PSF.
    inclination, position_angle : float
        Degrees: 0 is face-on; from +y towards -x.
    g1, g2 : float
        Reduced shear as in GalSim.
    moffat_beta : float
        Exponent of the Moffat profile.
    size : int
        Pixels on a side.

    Returns
    -------
    ndarray of shape (size, size), float32
        Photons per pixel above the sky.
    """
    disk = galsim.InclinedExponential(
        inclination * galsim.degrees, half_light_radius=half_light_radius, scale_h_over_r=0.01
    )
    disk = disk.withFlux(flux).rotate((90.0 + position_angle) * galsim.degrees)
    psf = galsim.Moffat(beta=moffat_beta, fwhm=seeing)
    scene = galsim.Convolve(disk.shear(g1=g1, g2=g2), psf)
    image = scene.drawImage(nx=size, ny=size, scale=pixel_scale).array
    counts = generator.poisson(np.maximum(image, 0.0) + sky_level)
    photons: NDArray[np.float32] = (counts - sky_level).astype(np.float32)
    return photons
