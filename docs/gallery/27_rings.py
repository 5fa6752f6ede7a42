"""Rotation and dispersion ring by ring, the beam taken out."""

import clumpygan

mock = clumpygan.generate_cube(
    inclination=60, maximum_velocity=200, half_light_radius=1.0, line="oiii", redshift=0.36,
    instrument="muse_wfm", shape=(20, 26, 26), signal_to_noise=30, seed=3,
)  # fmt: skip
mock.write("mock.fits")
figure = clumpygan.fit(
    "mock.fits", line="oiii", redshift=0.36, instrument="muse_wfm", curve="rings",
    method="laplace", seed=1,
).plot_rings()  # fmt: skip
