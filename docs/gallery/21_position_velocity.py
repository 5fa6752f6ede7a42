"""Position-velocity diagrams: what the seeing does to a steep curve."""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan
from clumpygan.galaxies import position_velocity

figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for axis, seeing in zip(axes, (0.1, 0.6, 1.2), strict=True):
    mock = clumpygan.generate_cube(
        inclination=65, maximum_velocity=220, turnover_radius=0.1, velocity_dispersion=25,
        half_light_radius=1.0, seeing=seeing, shape=(40, 40, 40), seed=0,
    )  # fmt: skip
    grid = mock.frame.grid
    slit = position_velocity(
        mock.data, grid.centres[0], grid.pixel_scale, position_angle=0, width=0.4
    )
    axis.pcolormesh(slit.offsets, slit.velocities, np.sqrt(np.maximum(slit.diagram, 0)))
    axis.set(xlabel="offset [arcsec]", title=f'seeing {seeing:g}"')
axes[0].set_ylabel("velocity [km/s]")
