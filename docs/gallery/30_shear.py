"""Shear turns the velocity field against the light: what kinematic lensing measures."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import CubeGrid, DiskParameters, moments, render_cube

grid = CubeGrid.velocities((40, 60, 60), pixel_scale=0.08, channel_width=20.0)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, g2 in zip(axes, (-0.2, 0.0, 0.2), strict=True):
    galaxy = DiskParameters(inclination=45, maximum_velocity=200, g2=g2)
    maps = moments(render_cube(galaxy, grid), grid.centres[0])
    velocity = np.where(maps.flux > 0.002 * np.nanmax(maps.flux), maps.velocity, np.nan)
    axis.imshow(velocity, origin="lower", cmap="RdBu_r", vmin=-150, vmax=150)
    light = np.nan_to_num(maps.flux / np.nanmax(maps.flux))
    axis.contour(light, levels=(0.05, 0.1, 0.2, 0.4, 0.8), colors="black", linewidths=0.7)
    axis.set_title(f"g2 = {g2:+.1f}")
    axis.set_axis_off()
