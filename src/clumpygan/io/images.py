"""FITS images in and out, in nJy per pixel, with WCS and masks."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.wcs import WCS
from scipy import ndimage

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.atomic import atomic_path
from clumpygan.io.fits import read_plane
from clumpygan.io.photometry import nanojansky_per_count, zero_point_of
from clumpygan.io.wcs import pixel_scale_of, read_wcs

_SCALE_TOLERANCE = 0.01
_SMALLEST_BLANK = 9
_SCALE_KEYWORDS = ("PIXSCALE", "PIXSCAL", "PIXELSCL", "PIXEL_SCALE")


@dataclass
class Image:
    """An image with what is needed to use it.

    Attributes
    ----------
    data : numpy.ndarray
        (y, x), float32, nJy per pixel, or counts where `zero_point` is None; 0 in masked pixels.
    pixel_scale : float
        arcsec.
    wcs : astropy.wcs.WCS or None
        Celestial, two axes.
    zero_point : float or None
        AB magnitude of one count of the file, with which it was converted; None if unknown.
    mask : numpy.ndarray
        (y, x), bool, True where there is no observation.
    header : astropy.io.fits.Header
        As in the file.
    path : pathlib.Path
        The file.
    """

    data: np.ndarray
    pixel_scale: float
    wcs: WCS | None
    zero_point: float | None
    mask: np.ndarray
    header: Header
    path: Path

    @property
    def masked_fraction(self) -> float:
        """Fraction of the pixels without an observation."""
        return float(self.mask.mean())


def read_image(
    path: str | os.PathLike[str],
    *,
    pixel_scale: float | None = None,
    zero_point: float | None = None,
    hdu: int | str | None = None,
    plane: int | str | None = None,
    expected_scale: float | None = None,
    weight: str | os.PathLike[str] | None = None,
    band: str | None = None,
) -> Image:
    """Read an image and bring it to nJy per pixel.

    Pixels that are NaN or infinite, of weight 0, or in blocks of exact zeros (what a drizzled
    mosaic holds where nothing was observed) are masked and set to 0. The zero point is the
    argument; else that of a BUNIT which is a flux density; else the header's (see
    `zero_point_from_keywords`); else that of the instrument known for the filter. Where there is
    none the image stays in counts, and an `InputWarning` says so.

    Parameters
    ----------
    path : str or path-like
        FITS file, compressed or not, also of several extensions.
    pixel_scale : float, optional
        arcsec; overrides the header.
    zero_point : float, optional
        AB magnitude of one count; overrides the header.
    hdu : int or str, optional
        HDU to read; the default is the first image that isn't blank.
    plane : int or str, optional
        Plane of a 3-D stack, by number from 0, or by g, r, i, z, y in a stack of five.
    expected_scale : float, optional
        arcsec; the image is refused if its pixels differ from it by more than 1 %, and taken to
        have such pixels if nothing says what they are.
    weight : str or path-like, optional
        FITS file of the same shape: 0, negative or NaN where the image holds no observation.
    band : str, optional
        Filter, e.g. F160W, where the header doesn't name it.

    Raises
    ------
    InputError
        If the file can't be read as a 2-D image, holds no valid pixel, has another pixel scale
        than expected or none at all, or if the weight map doesn't fit.
    """
    plane_read = read_plane(path, hdu, plane)
    header, wcs = plane_read.header, read_wcs(plane_read.header)
    scale = _find_scale(wcs, header, pixel_scale, expected_scale, str(path))
    mask = _blank_pixels(plane_read.data)
    if weight is not None:
        mask |= _without_weight(weight, mask.shape, plane)
    if mask.all():
        raise InputError(f"{path}: no valid pixel, all are NaN or blank; expected an image")
    if zero_point is None:
        others = plane_read.other_headers
        zero_point = zero_point_of(header, others, scale, band)
    if zero_point is None:
        warnings.warn(
            f"{path}: no zero point known (no BUNIT in Jy, no AB zero point, no known filter); "
            "fluxes stay in counts; give the AB zero point to have nJy",
            InputWarning,
            stacklevel=2,
        )
    factor = 1.0 if zero_point is None else nanojansky_per_count(zero_point)
    data = np.where(mask, 0.0, plane_read.data).astype(np.float64) * factor
    return Image(data.astype(np.float32), scale, wcs, zero_point, mask, header, Path(path))


def read_psf(
    path: str | os.PathLike[str],
    pixel_scale: float | None = None,
    plane: int | str | None = None,
    hdu: int | str | None = None,
) -> tuple[np.ndarray, float | None]:
    """Read a PSF image as it is in the file, neither normalised nor centred.

    Parameters
    ----------
    path : str or path-like
        FITS file.
    pixel_scale : float, optional
        arcsec; overrides the header.
    plane, hdu : int or str, optional
        As in `read_image`.

    Returns
    -------
    array : numpy.ndarray
        (y, x), float64.
    pixel_scale : float or None
        arcsec; None if neither the argument nor the header says it.

    Raises
    ------
    InputError
        If the file can't be read as a 2-D image, or holds NaN.
    """
    plane_read = read_plane(path, hdu, plane)
    if not np.isfinite(plane_read.data).all():
        raise InputError(f"{path}: the PSF holds NaN or infinite values; expected finite ones")
    if pixel_scale is None:
        pixel_scale = _stated_scale(read_wcs(plane_read.header), plane_read.header, str(path))
    return plane_read.data.astype(np.float64), pixel_scale


def write_image(
    path: str | os.PathLike[str],
    images: Mapping[str, np.ndarray],
    *,
    wcs: WCS | Mapping[str, WCS | None] | None = None,
    header: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
) -> None:
    """Write images as the extensions of one FITS file, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        The file; replaced if it exists.
    images : mapping of str to numpy.ndarray
        EXTNAME and image (y, x), written as float32.
    wcs : astropy.wcs.WCS or mapping of str to WCS, optional
        For all images, or for each by name.
    header : mapping, optional
        Cards of the primary header: keyword to value, or to (value, comment).
    units : mapping of str to str, optional
        BUNIT by name; "nJy" for those not named.

    Raises
    ------
    InputError
        If the folder doesn't exist or can't be written.
    """
    primary = fits.PrimaryHDU()
    primary.header.update(header or {})
    hdus = fits.HDUList([primary])
    for name, image in images.items():
        own = wcs.get(name) if isinstance(wcs, Mapping) else wcs
        cards = own.to_header(relax=True) if own is not None else Header()
        cards["BUNIT"] = (units or {}).get(name, "nJy")
        hdus.append(fits.ImageHDU(np.asarray(image, np.float32), cards, name=name))
    with atomic_path(path) as temporary:
        hdus.writeto(temporary, checksum=True)


def _stated_scale(wcs: WCS | None, header: Header, name: str) -> float | None:
    """Return the pixel scale by WCS or keyword, in arcsec, or None."""
    if wcs is not None:
        return pixel_scale_of(wcs, name)
    values = (header.get(keyword) for keyword in _SCALE_KEYWORDS)
    return next((float(v) for v in values if isinstance(v, int | float) and v > 0), None)


def _find_scale(
    wcs: WCS | None, header: Header, given: float | None, expected: float | None, name: str
) -> float:
    """Return the pixel scale in arcsec, after holding it against the expected one."""
    scale = given if given is not None else _stated_scale(wcs, header, name)
    if scale is None and expected is None:
        raise InputError(f"{name}: no WCS and no pixel scale; give the pixel scale in arcsec")
    if scale is None:
        warnings.warn(
            f"{name}: no WCS and no pixel scale; taken to be {expected:g} arcsec",
            InputWarning,
            stacklevel=3,
        )
        return float(expected)
    if expected is not None and abs(scale - expected) > _SCALE_TOLERANCE * expected:
        raise InputError(
            f"{name}: the pixel scale is {scale:.4g} arcsec; expected {expected:.4g} arcsec"
        )
    return float(scale)


def _blank_pixels(data: np.ndarray) -> np.ndarray:
    """Return where an image holds no observation: not finite, or in a block of exact zeros."""
    blank = ~np.isfinite(data)
    regions, _ = ndimage.label(data == 0)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    return np.asarray(blank | (sizes >= _SMALLEST_BLANK)[regions])


def _without_weight(
    path: str | os.PathLike[str], shape: tuple[int, ...], plane: int | str | None
) -> np.ndarray:
    """Return where a weight map is 0, negative or NaN."""
    weight = read_plane(path, plane=plane).data
    if weight.shape != shape:
        raise InputError(
            f"{path}: the weight map is {weight.shape[1]} x {weight.shape[0]} pixels; "
            f"expected {shape[1]} x {shape[0]}, as the image"
        )
    return np.asarray(~(weight > 0))
