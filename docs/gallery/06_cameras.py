"""One galaxy, six cameras.

Each with its pixels, its PSF and the noise of its survey; the galaxy is as bright in all bands.
"""

import galsim
import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import draw_population, galsim_galaxy
from clumpygan.instruments import get_instrument

galaxy = draw_population(1, seed=4, max_magnitude=22.0)[0]
names = ("hst_wfc3_f160w", "jwst_nircam_f150w", "euclid_vis", "hsc_wide_i", "lsst_i", "des_i")
figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="constrained")
for axis, name in zip(axes.flat, names, strict=True):
    camera = get_instrument(name)
    size = round(6.72 / camera.pixel_scale)
    seen = galsim.Convolve(galsim_galaxy(galaxy), camera.psf())
    image = seen.drawImage(nx=size, ny=size, scale=camera.pixel_scale, method="no_pixel").array
    noise = np.random.default_rng(1).normal(0, camera.sky_sigma, image.shape)
    axis.imshow(np.arcsinh((image + noise) / camera.sky_sigma), origin="lower", cmap="inferno")
    axis.set_title(name)
    axis.set_axis_off()
