"""Velocity fields at six inclinations."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import CubeGrid, DiskParameters, moments, render_cube

grid = CubeGrid.velocities((40, 48, 48), pixel_scale=0.1, channel_width=20.0)
figure, axes = plt.subplots(1, 6, figsize=(13, 2.6), layout="constrained")
for axis, inclination in zip(axes, (5, 20, 35, 50, 65, 80), strict=True):
    galaxy = DiskParameters(inclination=inclination, position_angle=60, maximum_velocity=200)
    maps = moments(render_cube(galaxy, grid), grid.centres[0])
    velocity = np.where(maps.flux > 0.002 * np.nanmax(maps.flux), maps.velocity, np.nan)
    axis.imshow(velocity, origin="lower", cmap="RdBu_r", vmin=-200, vmax=200)
    axis.set_title(f"{inclination} deg")
    axis.set_axis_off()
