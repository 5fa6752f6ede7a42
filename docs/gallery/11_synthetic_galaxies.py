"""Galaxies of the population, with the neighbours, arms and turbulent light that real ones have."""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.instruments import HST_WFC3_F160W

table = draw_population(18, seed=2, max_magnitude=23.0)
renderer = StampRenderer(psf=HST_WFC3_F160W.psf())
figure, axes = plt.subplots(3, 6, figsize=(11, 5.6), layout="constrained")
for axis, galaxy in zip(axes.flat, table, strict=True):
    axis.imshow(np.arcsinh(renderer.render(galaxy) / 2), origin="lower", cmap="inferno")
    axis.set_title(f"H = {galaxy['h_magnitude']:.1f}, z = {galaxy['redshift']:.1f}", fontsize=8)
    axis.set_axis_off()
