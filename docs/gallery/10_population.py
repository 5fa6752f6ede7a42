"""The population: magnitudes, sizes and redshifts after CANDELS."""

import matplotlib.pyplot as plt

from clumpygan.galaxies import draw_population

table = draw_population(3000, seed=0)
figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
points = axis.scatter(
    table["h_magnitude"], table["half_light_radius"], c=table["redshift"], s=4, cmap="viridis"
)
axis.set(xlabel="H [AB]", ylabel="half-light radius [arcsec]", yscale="log")
figure.colorbar(points, label="redshift")
