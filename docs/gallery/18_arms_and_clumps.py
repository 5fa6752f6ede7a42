"""Light in the plane: smooth, with arms, lopsided, with clumps, a ring."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import Clump, CubeGrid, DiskParameters, render_cube

grid = CubeGrid.velocities((12, 80, 80), pixel_scale=0.05, channel_width=80.0)
clumps = tuple(
    Clump(fraction=0.06, x=1.2 * np.cos(a), y=1.2 * np.sin(a)) for a in (0.3, 1.9, 3.2, 4.9)
)
galaxies = {
    "smooth": {},
    "arms": {"arms": 2, "arm_amplitude": 0.8},
    "lopsided": {"lopsidedness": 0.8},
    "clumps": {"clumps": clumps},
    "ring": {"light": "ring"},
}
figure, axes = plt.subplots(1, 5, figsize=(12, 2.7), layout="constrained")
for axis, (title, choices) in zip(axes, galaxies.items(), strict=True):
    cube = render_cube(DiskParameters(inclination=35, half_light_radius=0.7, **choices), grid)
    axis.imshow(np.sqrt(np.maximum(cube.sum(0), 0)), origin="lower", cmap="inferno")
    axis.set_title(title)
    axis.set_axis_off()
