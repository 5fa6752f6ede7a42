"""Light within a radius: samples over the truth."""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan
from clumpygan.evaluation.recovery.fidelity import aperture_flux

recovery = clumpygan.recover(seed=135, samples=8, max_hmag=22.5, richardson_lucy=False)
radii, scale = np.linspace(0.06, 2, 40), recovery.scene.grid.target_scale
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
truth = aperture_flux(recovery.scene.reference, recovery.nucleus, radii, scale)
for image in recovery.samples:
    axis.plot(radii, aperture_flux(image, recovery.nucleus, radii, scale) / truth, color="0.6")
axis.axhline(1, color="black")
axis.set(xlabel="radius [arcsec]", ylabel="flux over that of the truth")
