"""One galaxy in four seeings, and what is recovered of it."""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan

figure, axes = plt.subplots(2, 4, figsize=(12, 6.2), layout="constrained")
for column, seeing in enumerate((0.5, 0.6, 0.7, 0.8)):
    found = clumpygan.recover(
        seed=135, samples=4, max_hmag=22.5, seeing=seeing, richardson_lucy=False
    )
    axes[0, column].imshow(np.arcsinh(found.scene.observed / found.scene.sigma / 3), origin="lower")
    axes[1, column].imshow(np.arcsinh(found.best / found.scene.sigma * 3), origin="lower")
    axes[0, column].set_title(f'HSC, seeing {seeing:g}"')
    axes[1, column].set_title("recovered")
for axis in axes.flat:
    axis.set_axis_off()
