"""Clumpy galaxies by generative networks, from HST and HSC images, measured against the truth."""

__version__ = "0.1.0"
