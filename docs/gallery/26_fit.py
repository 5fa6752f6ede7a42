"""A fit of a cube: data, model, residual, slit, spectrum and posterior."""

import clumpygan

mock = clumpygan.generate_cube(
    inclination=60, maximum_velocity=200, half_light_radius=0.8, line="oiii", redshift=0.36,
    instrument="muse_wfm", shape=(20, 24, 24), signal_to_noise=20, seed=3,
)  # fmt: skip
mock.write("mock.fits")
result = clumpygan.fit("mock.fits", line="oiii", redshift=0.36, instrument="muse_wfm", seed=1)
figure = result.plot()
