"""Edge-on disks: three profiles above the plane."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import CubeGrid, DiskParameters, render_cube

grid = CubeGrid.velocities((8, 61, 61), pixel_scale=0.05, channel_width=100.0)
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for vertical in ("gaussian", "exponential", "sech2"):
    galaxy = DiskParameters(
        inclination=90, position_angle=90, scale_height=0.2, vertical=vertical, offset_x=0
    )
    light = render_cube(galaxy, grid).sum((0, 2))
    axis.semilogy(0.05 * (np.arange(61) - 30), light / light.max(), label=vertical)
axis.set(xlabel="height [arcsec]", ylabel="light over its peak", ylim=(1e-4, 1.2))
axis.legend()
