"""Noise of a MUSE cube along the spectrum: it rises at the lines of the sky."""

import matplotlib.pyplot as plt

import clumpygan

figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
for redshift in (0.40, 0.68):
    mock = clumpygan.generate_cube(
        line="oiii", redshift=redshift, instrument="muse_wfm", exposure_time=36000, seed=0
    )
    axis.step(mock.frame.velocities, mock.sigma, where="mid", label=f"z = {redshift:g}")
axis.set(xlabel="velocity from [OIII] 5008 [km/s]", ylabel="noise of a voxel", yscale="log")
axis.legend()
