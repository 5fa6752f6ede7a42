"""A clumpy disk as MUSE sees it.

Flux, velocity and dispersion, a slit along the major axis, the spectrum, and channel maps; what
`generate.py cube --picture` draws.
"""

import clumpygan

figure = clumpygan.generate_cube(
    inclination=60, position_angle=130, maximum_velocity=200, clumps=6, instrument="muse_wfm",
    signal_to_noise=30, seed=4,
).plot()  # fmt: skip
