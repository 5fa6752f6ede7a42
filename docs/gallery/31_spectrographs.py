"""One gas disk as KMOS, JWST and MUSE's narrow field see it.

A galaxy of the network cube_gas with H alpha in the middle of each instrument's band, 40 times the
noise in the brightest voxel: flux (its square root), velocity and dispersion where the line stands
out of the noise. Circles are as wide as the PSF. MUSE's of 0.08" is taken as 0.1", the sharpest
that the network was trained on.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle

import clumpygan
from clumpygan.galaxies import moments

asked = {
    "inclination": 50, "position_angle": 60, "half_light_radius": 0.8, "maximum_velocity": 220,
    "velocity_dispersion": 35, "signal_to_noise": 40, "checkpoint": "cube_gas", "seed": 4,
}  # fmt: skip
seeings = {"kmos_h": 0.6, "jwst_nirspec_ifu_g235h": 0.12, "muse_nfm": 0.1}

figure, axes = plt.subplots(3, 3, figsize=(9, 8), layout="constrained", sharex=True, sharey=True)
for row, (instrument, seeing) in zip(axes, seeings.items(), strict=True):
    made = clumpygan.generate_cubes(1, instrument=instrument, seeing=seeing, **asked)
    grid = made.grid
    maps = moments(
        made.cubes[0], grid.centres[0], variance=made.variance[0],
        line_spread=grid.line_spread[0], channel_response=grid.channel_response,
    )  # fmt: skip
    half = grid.shape[1] * grid.pixel_scale / 2
    place = {"origin": "lower", "extent": (-half, half, -half, half)}
    row[0].imshow(np.sqrt(maps.flux), cmap="inferno", **place)
    motion = row[1].imshow(maps.velocity, cmap="RdBu_r", vmin=-200, vmax=200, **place)
    spread = row[2].imshow(maps.dispersion, cmap="viridis", vmin=0, vmax=100, **place)
    row[0].add_patch(Circle((-1.6, -1.6), seeing / 2, color="grey"))
    row[0].set_ylabel(f'{instrument}, {grid.pixel_scale:g}" pixels\n[arcsec]', fontsize=9)
for axis, title in zip(axes[0], ("flux", "velocity [km/s]", "dispersion [km/s]"), strict=True):
    axis.set_title(title)
axes[0, 0].set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2))
figure.colorbar(motion, ax=axes[:, 1], location="bottom", shrink=0.9)
figure.colorbar(spread, ax=axes[:, 2], location="bottom", shrink=0.9)
