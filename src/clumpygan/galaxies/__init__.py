"""What is on the sky: galaxies, their noiseless images and velocity cubes, and maps of cubes."""

from clumpygan.galaxies.clumps import MAXIMUM_CLUMPS, Clumps, draw_clumps
from clumpygan.galaxies.continuum import without_continuum
from clumpygan.galaxies.cube import CubeRenderer, render_cube
from clumpygan.galaxies.cube_torch import TorchCubeRenderer
from clumpygan.galaxies.disk import sheared_disk_image
from clumpygan.galaxies.galpak import GALPAK_HEIGHT, from_galpak, to_galpak
from clumpygan.galaxies.galsim_model import galsim_galaxy
from clumpygan.galaxies.grid import CubeGrid
from clumpygan.galaxies.image import StampRenderer
from clumpygan.galaxies.kinms import from_kinms, to_kinms
from clumpygan.galaxies.moments import Moments, moments
from clumpygan.galaxies.parameters import Clump, DiskModel, DiskParameters
from clumpygan.galaxies.population import COLUMNS, draw_galaxy, draw_population
from clumpygan.galaxies.position_velocity import PositionVelocity, position_velocity
from clumpygan.galaxies.signal_mask import noise_level
from clumpygan.galaxies.smooth import smooth_disks
from clumpygan.galaxies.spectrum import Spectrum, circular_aperture, spectrum

__all__ = [
    "COLUMNS",
    "GALPAK_HEIGHT",
    "MAXIMUM_CLUMPS",
    "Clump",
    "Clumps",
    "CubeGrid",
    "CubeRenderer",
    "DiskModel",
    "DiskParameters",
    "Moments",
    "PositionVelocity",
    "Spectrum",
    "StampRenderer",
    "TorchCubeRenderer",
    "circular_aperture",
    "draw_clumps",
    "draw_galaxy",
    "draw_population",
    "from_galpak",
    "from_kinms",
    "galsim_galaxy",
    "moments",
    "noise_level",
    "position_velocity",
    "render_cube",
    "sheared_disk_image",
    "smooth_disks",
    "spectrum",
    "to_galpak",
    "to_kinms",
    "without_continuum",
]
