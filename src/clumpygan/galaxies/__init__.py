"""What is on the sky: galaxies drawn from published statistics, and their noiseless images."""

from clumpygan.galaxies.clumps import MAXIMUM_CLUMPS, Clumps, draw_clumps
from clumpygan.galaxies.cube import CubeRenderer, render_cube
from clumpygan.galaxies.cube_torch import TorchCubeRenderer
from clumpygan.galaxies.disk import sheared_disk_image
from clumpygan.galaxies.galsim_model import galsim_galaxy
from clumpygan.galaxies.grid import CubeGrid
from clumpygan.galaxies.image import StampRenderer
from clumpygan.galaxies.parameters import Clump, DiskModel, DiskParameters
from clumpygan.galaxies.population import COLUMNS, draw_galaxy, draw_population

__all__ = [
    "COLUMNS",
    "MAXIMUM_CLUMPS",
    "Clump",
    "Clumps",
    "CubeGrid",
    "CubeRenderer",
    "DiskModel",
    "DiskParameters",
    "StampRenderer",
    "TorchCubeRenderer",
    "draw_clumps",
    "draw_galaxy",
    "draw_population",
    "galsim_galaxy",
    "render_cube",
    "sheared_disk_image",
]
