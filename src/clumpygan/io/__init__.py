"""FITS images, cubes, PSFs and catalogues in and out, with units and world coordinates."""

from clumpygan.io.atomic import atomic_path, check_output_path
from clumpygan.io.brightness import in_unit
from clumpygan.io.catalog import read_catalog, read_stamp, select
from clumpygan.io.cube_units import Beam
from clumpygan.io.cube_writing import write_cube
from clumpygan.io.cubes import Cube, read_cube, subcube
from clumpygan.io.images import Image, read_image, read_psf, write_image
from clumpygan.io.region import Region
from clumpygan.io.spectral_axis import SpectralAxis, air_of, vacuum_of
from clumpygan.io.wcs import mirrored, north_angle, pixel_scale_of, rescaled_wcs

__all__ = [
    "Beam",
    "Cube",
    "Image",
    "Region",
    "SpectralAxis",
    "air_of",
    "atomic_path",
    "check_output_path",
    "in_unit",
    "mirrored",
    "north_angle",
    "pixel_scale_of",
    "read_catalog",
    "read_cube",
    "read_image",
    "read_psf",
    "read_stamp",
    "rescaled_wcs",
    "select",
    "subcube",
    "vacuum_of",
    "write_cube",
    "write_image",
]
