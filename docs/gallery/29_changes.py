"""How one channel changes with five parameters of the disk."""

from dataclasses import replace

import matplotlib.pyplot as plt

from clumpygan.galaxies import CubeGrid, DiskParameters, render_cube

grid = CubeGrid.velocities((20, 40, 40), pixel_scale=0.08, channel_width=40.0)
galaxy = DiskParameters(inclination=55, position_angle=40, maximum_velocity=200)
steps = {
    "inclination": 2, "position_angle": 2, "half_light_radius": 0.02, "maximum_velocity": 5,
    "g1": 0.02,
}  # fmt: skip
figure, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")
for axis, (name, step) in zip(axes, steps.items(), strict=True):
    more, less = (
        render_cube(replace(galaxy, **{name: getattr(galaxy, name) + side * step}), grid)[13]
        for side in (1, -1)
    )
    top = abs(more - less).max()
    axis.imshow(more - less, origin="lower", cmap="RdBu_r", vmin=-top, vmax=top)
    axis.set_title(name.replace("_", " "))
    axis.set_axis_off()
