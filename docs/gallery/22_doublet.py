"""The doublet of [OII] in a fast and in a slow rotator."""

import matplotlib.pyplot as plt

import clumpygan

figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for velocity in (50, 250):
    mock = clumpygan.generate_cube(
        inclination=60, maximum_velocity=velocity, velocity_dispersion=30, line="oii", redshift=0.9,
        instrument="muse_wfm", noiseless=True, seed=0,
    )  # fmt: skip
    axis.step(mock.frame.velocities, mock.data.sum((1, 2)), where="mid", label=f"{velocity} km/s")
axis.set(xlabel="velocity [km/s]", ylabel="flux density of all spaxels")
axis.legend()
