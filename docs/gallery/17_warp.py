"""A warped disk: its velocity field is twisted."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import CubeGrid, DiskParameters, moments, render_cube

grid = CubeGrid.velocities((40, 64, 64), pixel_scale=0.1, channel_width=20.0)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, warp in zip(axes, (0, 15, 30), strict=True):
    galaxy = DiskParameters(inclination=55, maximum_velocity=200, warp_position_angle=warp)
    maps = moments(render_cube(galaxy, grid), grid.centres[0])
    velocity = np.where(maps.flux > 0.002 * np.nanmax(maps.flux), maps.velocity, np.nan)
    axis.imshow(velocity, origin="lower", cmap="RdBu_r", vmin=-180, vmax=180)
    axis.contour(velocity, levels=range(-150, 151, 50), colors="black", linewidths=0.7)
    axis.set_title(f"{warp} deg per half-light radius")
    axis.set_axis_off()
