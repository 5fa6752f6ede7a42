"""Images of disks, and a recipe that takes them for real galaxies."""

from pathlib import Path

import galsim
import numpy as np
import yaml
from astropy.io import fits

SCALE, PSF = 0.06, 0.108


def disk(radius=1.2, ratio=0.6, size=241):
    """Return an image of an exponential disk of flux 1000."""
    galaxy = galsim.Exponential(half_light_radius=radius, flux=1000)
    galaxy = galaxy.shear(q=ratio, beta=30 * galsim.degrees)
    seen = galsim.Convolve(galaxy, galsim.Gaussian(fwhm=PSF))
    return seen.drawImage(nx=size, ny=size, scale=SCALE, method="no_pixel").array.astype(float)


def noisy(image, sigma=0.02, seed=0):
    return image + np.random.default_rng(seed).normal(0, sigma, image.shape)


def write_recipe(folder: Path, **settings) -> Path:
    """Write a recipe of twelve disks, two bands in a file, and its images."""
    for number in range(12):
        radius = 0.8 + 0.05 * number
        planes = [
            fits.ImageHDU(noisy(disk(radius), 1e-3, [number, band]).astype("f4"), name=name)
            for band, name in enumerate(("F606W", "F814W"))
        ]
        fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(folder / f"gal_{number:02}_v1.fits")
    group = {
        "name": "disks", "images": "gal_*.fits", "hdus": ["F606W", "F814W"],
        "pixel_scale": SCALE, "psf_fwhm": [PSF], "galaxy": r"(gal_\d+)",
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"groups": [group], **settings}))
    return path
