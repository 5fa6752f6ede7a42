"""Rotation curves."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import DiskParameters
from clumpygan.galaxies.measuring.profiles import profiles_of

radii = np.linspace(0.01, 3, 200)
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for curve in (
    *("arctan", "tanh", "exponential", "courteau", "freeman", "mass_following"),
    *("nfw", "isothermal", "burkert", "sersic_disk"),
):
    galaxy = DiskParameters(curve=curve, maximum_velocity=150, half_light_radius=0.7)
    axis.plot(radii, profiles_of(galaxy, radii)[0], label=curve)
axis.set(xlabel="radius [arcsec]", ylabel="velocity [km/s]")
axis.legend(ncol=2, fontsize=8)
