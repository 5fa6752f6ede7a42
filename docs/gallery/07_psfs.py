"""PSFs of cameras in space and on the ground."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.instruments import get_instrument

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for name in (
    "jwst_nircam_f150w",
    "hst_wfc3_f160w",
    "euclid_vis",
    "hsc_wide_i",
    "lsst_i",
    "decals_r",
):
    image = (
        get_instrument(name).psf().drawImage(nx=201, ny=201, scale=0.02, method="no_pixel").array
    )
    axis.semilogy(0.02 * np.arange(101), image[100, 100:] / image.max(), label=name)
axis.set(xlabel="radius [arcsec]", ylabel="PSF over its peak", ylim=(1e-4, 1.2))
axis.legend()
