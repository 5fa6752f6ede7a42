"""FITS images, PSFs and catalogues in and out, with units and world coordinates."""

from clumpygan.io.atomic import atomic_path, check_output_path
from clumpygan.io.catalog import read_catalog, read_stamp, select
from clumpygan.io.images import Image, read_image, read_psf, write_image
from clumpygan.io.wcs import mirrored, north_angle, pixel_scale_of, rescaled_wcs

__all__ = [
    "Image",
    "atomic_path",
    "check_output_path",
    "mirrored",
    "north_angle",
    "pixel_scale_of",
    "read_catalog",
    "read_image",
    "read_psf",
    "read_stamp",
    "rescaled_wcs",
    "select",
    "write_image",
]
