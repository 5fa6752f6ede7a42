"""Galaxies from nothing: images of the network dcgan."""

import clumpygan

figure = clumpygan.generate_galaxies(24, seed=3, magnitude=(21, 24)).plot()
