"""Generated galaxies and the smooth disks of the same parameters.

Their light, and their velocities: generated ones depart from regular rotation.
"""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan
from clumpygan.galaxies import moments

figure, axes = plt.subplots(2, 6, figsize=(11, 3.9), layout="constrained")
for first, smooth in enumerate((False, True)):
    made = clumpygan.generate_cubes(
        21, seed=5, inclination=(40, 60), maximum_velocity=220, noiseless=True, smooth=smooth
    )
    for place, number in enumerate((9, 16, 20)):
        maps = moments(made.cubes[number], made.grid.centres[0])
        light, motion = axes[:, 2 * place + first]
        light.imshow(np.sqrt(np.maximum(maps.flux, 0)), origin="lower", cmap="inferno")
        motion.imshow(maps.velocity, origin="lower", cmap="RdBu_r", vmin=-150, vmax=150)
        light.set_title("smooth" if smooth else "generated", fontsize=9)
for axis in axes.flat:
    axis.set_axis_off()
