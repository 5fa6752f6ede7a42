"""Clumpy galaxies that rotate as asked: cubes of the network cube_gan."""

import clumpygan

figure = clumpygan.generate_cubes(
    4, seed=2, inclination=(45, 70), maximum_velocity=(150, 250), signal_to_noise=25
).plot()
