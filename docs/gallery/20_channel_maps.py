"""Channel maps of a rotating disk."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import CubeGrid, DiskParameters, render_cube

grid = CubeGrid.velocities((12, 40, 40), pixel_scale=0.1, channel_width=40.0)
galaxy = DiskParameters(inclination=60, maximum_velocity=220, velocity_dispersion=20)
cube = np.maximum(render_cube(galaxy, grid), 0)
figure, axes = plt.subplots(2, 6, figsize=(11, 4), layout="constrained")
for axis, image, velocity in zip(axes.flat, cube, grid.centres[0], strict=True):
    axis.imshow(np.sqrt(image), origin="lower", cmap="inferno", vmax=np.sqrt(cube.max()))
    axis.set_title(f"{velocity:+.0f} km/s", fontsize=9)
    axis.set_axis_off()
