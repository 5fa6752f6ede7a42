"""A fit of a velocity map."""

import numpy as np

import clumpygan
from clumpygan.io.velocity_map import VelocityMap

y, x = (np.indices((30, 30)) - 14.5) * 0.5  # arcsec
radius = np.hypot(x, y / np.cos(np.radians(50)))
velocity = 180 * 2 / np.pi * np.arctan(radius / 1.5) * x / np.maximum(radius, 1e-9)
velocity = velocity * np.sin(np.radians(50))
error = np.where(radius < 7, 8.0, np.inf)
noise = np.random.default_rng(0).normal(0, 8, velocity.shape)
seen = VelocityMap(np.where(radius < 7, velocity + noise, 0), error, 0.5, np.exp(-radius / 2))
figure = clumpygan.fit(seen, psf_fwhm=1.0, map=True, method="laplace", seed=1).plot()
