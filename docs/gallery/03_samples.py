"""Four samples of one galaxy.

Each agrees with what HSC saw. Where they differ, the data don't decide.
"""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan

recovery = clumpygan.recover(seed=135, samples=8, max_hmag=22.5, richardson_lucy=False)
soft = 3 * recovery.scene.sigma / recovery.scene.grid.area_ratio
figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for number, axis in enumerate(axes):
    image = np.arcsinh(recovery.samples[2 * number] / soft)
    axis.imshow(image[24:88, 24:88], origin="lower", cmap="inferno", vmin=0)
    axis.set_title(f"sample {2 * number}")
    axis.set_axis_off()
