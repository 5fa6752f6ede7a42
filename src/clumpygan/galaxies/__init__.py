"""What is on the sky: galaxies drawn from published statistics, and their noiseless images."""

from clumpygan.galaxies.clumps import MAXIMUM_CLUMPS, Clumps, draw_clumps
from clumpygan.galaxies.disk import sheared_disk_image
from clumpygan.galaxies.galsim_model import galsim_galaxy
from clumpygan.galaxies.image import StampRenderer
from clumpygan.galaxies.population import COLUMNS, draw_galaxy, draw_population

__all__ = [
    "COLUMNS",
    "MAXIMUM_CLUMPS",
    "Clumps",
    "StampRenderer",
    "draw_clumps",
    "draw_galaxy",
    "draw_population",
    "galsim_galaxy",
    "sheared_disk_image",
]
