"""The same galaxies with the noise of HST and without."""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan

galaxies = clumpygan.generate_galaxies(5, seed=8, magnitude=(22, 23.5))
noise = float(np.std(galaxies.images - galaxies.noiseless))
figure, axes = plt.subplots(2, 5, figsize=(10, 4.2), layout="constrained")
for number in range(5):
    for axis, images in zip(axes[:, number], (galaxies.images, galaxies.noiseless), strict=True):
        axis.imshow(np.arcsinh(images[number] / noise), origin="lower", cmap="viridis", vmin=-1)
        axis.set_axis_off()
