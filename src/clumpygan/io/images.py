"""FITS images in and out, in nJy per pixel, with WCS and masks."""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.table import Table
from astropy.wcs import WCS
from scipy import ndimage

from clumpygan.errors import InputError, InputWarning, PixelScaleError
from clumpygan.io.fits import (
    RMS_NAMES,
    ImageSource,
    Plane,
    is_file,
    of_band,
    read_plane,
    write_fits,
)
from clumpygan.io.photometry import nanojansky_per_count, zero_point_from_unit, zero_point_of
from clumpygan.io.wcs import pixel_scale_of, read_wcs

_SCALE_TOLERANCE = 0.01
_SMALLEST_BLANK = 9
MOST_NANOJANSKY = 1e15  # in a pixel: a star of 0 mag has 3.6e12
MOST_COUNTS = 1e30  # where a count may be anything, what float32 holds and can still add up
_MOST_ABSURD = 0.1  # of the pixels
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
        The file, or what an image from memory is called.
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
    source: ImageSource,
    *,
    pixel_scale: float | None = None,
    zero_point: float | None = None,
    unit: str | None = None,
    hdu: int | str | None = None,
    plane: int | str | None = None,
    expected_scale: float | None = None,
    finest_scale: float | None = None,
    weight: ImageSource | None = None,
    mask: ImageSource | None = None,
    band: str | None = None,
    name: str | None = None,
) -> Image:
    """Read an image and bring it to nJy per pixel.

    Pixels that are NaN or infinite, masked, of weight 0, of more than 1e15 nJy, or in blocks of
    exact zeros (what a drizzled mosaic holds where nothing was observed) are masked and set to 0.
    The zero point is
    the argument; else that of a unit which is a flux density; else the header's (see
    `zero_point_from_keywords`); else that of the instrument known for the filter. Where there is
    none the image stays in counts, and an `InputWarning` says so.

    Parameters
    ----------
    source : str, path-like, array or CCDData
        FITS file, compressed or not, also of several extensions; or an image in memory, see
        `clumpygan.io.fits.read_plane`.
    pixel_scale : float, optional
        arcsec; overrides the header. An array in memory has no other.
    zero_point : float, optional
        AB magnitude of one count; overrides the header.
    unit : str, optional
        Flux density of one count, as "uJy" or "MJy/sr"; overrides BUNIT.
    hdu : int or str, optional
        HDU to read; the default is the first image that isn't blank.
    plane : int or str, optional
        Plane of a 3-D stack, by number from 0, or by g, r, i, z, y in a stack of five.
    expected_scale : float, optional
        arcsec; the image is refused if its pixels differ from it by more than 1 %, and taken to
        have such pixels if it is a file and nothing says what they are.
    finest_scale : float, optional
        arcsec; pixels between it and the expected ones are taken too.
    weight : str, path-like or array, optional
        FITS file or array of the same shape: 0, negative or NaN where the image holds no
        observation.
    mask : str, path-like or array, optional
        The same the other way round: not 0 where the image holds no observation.
    band : str, optional
        Filter, e.g. F160W, where the header doesn't name it.
    name : str, optional
        What messages call an image in memory.

    Raises
    ------
    InputError
        If the file can't be read as a 2-D image, holds no valid pixel, has another pixel scale
        than expected or none at all, or if the mask or the weight map doesn't fit.
    """
    name = str(source) if is_file(source) else name or "the array"
    plane_read = read_plane(source, hdu, plane, name)
    header, wcs = plane_read.header, read_wcs(plane_read.header)
    if not is_file(source) and (pixel_scale or _stated_scale(wcs, header, name)) is None:
        raise InputError(f"{name} has no WCS: give `pixel_scale`, in arcsec")
    scale = _find_scale(wcs, header, pixel_scale, (finest_scale, expected_scale), name)
    missing = _blank_pixels(plane_read.data) | _flagged(plane_read, name)
    shape = missing.shape
    if weight is not None:
        missing |= ~(_map_beside(weight, shape, plane, "weight map", "weight", hdu).data > 0)
    if mask is not None:
        beside = _map_beside(mask, shape, plane, "mask", "mask", hdu)
        missing |= beside.data != 0 if beside.flagged is None else beside.flagged
    if missing.all():
        raise InputError(f"{name}: no valid pixel, all are NaN or blank; expected an image")
    if zero_point is None:
        zero_point = _zero_point_of_unit(unit, scale)
    if zero_point is None:
        zero_point = zero_point_of(header, plane_read.other_headers, scale, band)
    if zero_point is None:
        warnings.warn(
            f"{name}: no zero point known (no BUNIT in Jy, no AB zero point, no known filter); "
            "fluxes stay in counts; give the AB zero point to have nJy",
            InputWarning,
            stacklevel=2,
        )
    factor = 1.0 if zero_point is None else nanojansky_per_count(zero_point)
    data = np.where(missing, 0.0, plane_read.data).astype(np.float64) * factor
    missing = _without_absurd(data, missing, "counts" if zero_point is None else "nJy", name)
    data[missing] = 0.0
    return Image(data.astype(np.float32), scale, wcs, zero_point, missing, header, Path(name))


def read_psf(
    source: ImageSource,
    pixel_scale: float | None = None,
    plane: int | str | None = None,
    hdu: int | str | None = None,
    name: str | None = None,
    beside: int | str | None = None,
) -> tuple[np.ndarray, float | None]:
    """Read a PSF image as it is in the file, neither normalised nor centred.

    Of a file with several extensions that which is named PSF, else the first image.

    Parameters
    ----------
    source : str, path-like, array or CCDData
        FITS file, or an image in memory.
    pixel_scale : float, optional
        arcsec; overrides the header.
    plane, hdu : int or str, optional
        As in `read_image`.
    name : str, optional
        What messages call an image in memory.
    beside : int or str, optional
        HDU of the image that it belongs to: in a file of several bands that says which.

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
    name = str(source) if is_file(source) else name or "the PSF"
    plane_read = read_plane(source, hdu, plane, name, "psf", beside)
    if not np.isfinite(plane_read.data).all():
        raise InputError(f"{name}: the PSF holds NaN or infinite values; expected finite ones")
    if pixel_scale is None:
        pixel_scale = _stated_scale(read_wcs(plane_read.header), plane_read.header, name)
    return plane_read.data.astype(np.float64), pixel_scale


def write_image(
    path: str | os.PathLike[str],
    images: Mapping[str, np.ndarray],
    *,
    wcs: WCS | Mapping[str, WCS | None] | None = None,
    header: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
    pixel_scales: Mapping[str, float] | None = None,
    tables: Mapping[str, Table] | None = None,
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
    pixel_scales : mapping of str to float, optional
        arcsec by name, for the card PIXSCALE of images without WCS.
    tables : mapping of str to astropy.table.Table, optional
        EXTNAME and table, after the images.

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
        if own is None and name in (pixel_scales or {}):
            cards["PIXSCALE"] = (pixel_scales[name], "[arcsec] width of a pixel")
        hdus.append(fits.ImageHDU(np.asarray(image, np.float32), cards, name=name))
    for name, table in (tables or {}).items():
        hdus.append(fits.BinTableHDU(table, name=name))
    write_fits(path, hdus)


def _stated_scale(wcs: WCS | None, header: Header, name: str) -> float | None:
    """Return the pixel scale by WCS or keyword, in arcsec, or None."""
    if wcs is not None:
        return pixel_scale_of(wcs, name)
    values = (header.get(keyword) for keyword in _SCALE_KEYWORDS)
    return next((float(v) for v in values if isinstance(v, int | float) and v > 0), None)


def _find_scale(
    wcs: WCS | None,
    header: Header,
    given: float | None,
    wanted: tuple[float | None, float | None],
    name: str,
) -> float:
    """Return the pixel scale in arcsec, after holding it against the finest and the expected."""
    finest, expected = wanted
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
    if expected is None:
        return float(scale)
    lowest = expected * (1 - _SCALE_TOLERANCE) if finest is None else finest
    if not lowest <= scale <= expected * (1 + _SCALE_TOLERANCE):
        finer = "" if finest is None else f", or finer down to {finest:.2g} arcsec to be resampled"
        raise PixelScaleError(
            f"{name}: the pixel scale is {scale:.4g} arcsec; expected {expected:.4g} arcsec{finer}"
        )
    return float(scale)


def _without_absurd(data: np.ndarray, missing: np.ndarray, unit: str, name: str) -> np.ndarray:
    """Return the mask with the pixels whose values nothing in the sky has; refuse many of them."""
    most = MOST_NANOJANSKY if unit == "nJy" else MOST_COUNTS
    absurd = ~missing & (np.abs(data) > most)
    count = int(absurd.sum())
    if not count:
        return missing
    if count > _MOST_ABSURD * (~missing).sum():
        raise InputError(
            f"{name}: {count} pixels hold more than {most:.0e} {unit}, up to"
            f" {float(np.abs(data).max()):.1e}: no image of the sky, or a wrong zero point or unit"
        )
    warnings.warn(
        f"{name}: {count} pixel{'s hold' if count > 1 else ' holds'} more than {most:.0e} {unit}:"
        " masked",
        InputWarning,
        stacklevel=3,
    )
    return missing | absurd


def _blank_pixels(data: np.ndarray) -> np.ndarray:
    """Return where an image holds no observation: not finite, or in a block of exact zeros."""
    blank = ~np.isfinite(data)
    regions, _ = ndimage.label(data == 0)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    return np.asarray(blank | (sizes >= _SMALLEST_BLANK)[regions])


def _flagged(plane: Plane, name: str) -> np.ndarray:
    """Return the pixels that the file's own mask calls useless, and say how many they are."""
    if plane.flagged is None or not plane.flagged.any():
        return np.zeros(plane.data.shape, bool)
    warnings.warn(
        f"{name}: {int(plane.flagged.sum())} pixels are {', '.join(plane.flags)} in its MASK:"
        " masked",
        InputWarning,
        stacklevel=3,
    )
    return plane.flagged


def read_variance(
    source: ImageSource,
    plane: int | str | None = None,
    name: str | None = None,
    beside: int | str | None = None,
) -> np.ndarray:
    """Read a variance map (y, x), in the unit of its file squared.

    Of a file with several extensions that which is named VARIANCE or VAR, else RMS, ERR, ERROR or
    SIGMA, whose square is the variance; so is that of a file whose name says rms.

    Parameters
    ----------
    source, plane, name
        As in `read_image`.
    beside : int or str, optional
        HDU of the image that it belongs to: in a file of several bands that says which.

    Raises
    ------
    InputError
        If the file can't be read as an image.
    """
    found = read_plane(source, plane=plane, name=name, role="variance", beside=beside)
    _, extension = of_band(str(found.header.get("EXTNAME", "")))
    words = re.split(r"[^a-z]+", Path(source).stem.lower()) if is_file(source) else []
    values = found.data.astype(np.float64)
    named = extension in ("VARIANCE", "VAR")
    return values**2 if extension in RMS_NAMES or ("rms" in words and not named) else values


def read_weight(
    source: ImageSource, plane: int | str | None = None, beside: int | str | None = None
) -> np.ndarray:
    """Read a weight map (y, x): of a file with several extensions WHT, WEIGHT or IVAR.

    Parameters are those of `read_variance`.

    Raises
    ------
    InputError
        If the file can't be read as an image.
    """
    return read_plane(source, plane=plane, name="the weight map", role="weight", beside=beside).data


def _map_beside(
    source: ImageSource,
    shape: tuple[int, ...],
    plane: int | str | None,
    kind: str,
    role: str,
    hdu: int | str | None,
) -> Plane:
    """Return a mask or weight map that lies beside an image of `shape`."""
    name = f"{source}: the {kind}" if is_file(source) else f"the {kind}"
    found = read_plane(source, plane=plane, name=name, role=role, beside=hdu)
    if found.data.shape != shape:
        raise InputError(
            f"{name} is {found.data.shape[1]} x {found.data.shape[0]} pixels; "
            f"expected {shape[1]} x {shape[0]}, as the image"
        )
    return found


def _zero_point_of_unit(unit: str | None, pixel_scale: float) -> float | None:
    """Return the AB zero point of a unit that was given; None where none was."""
    if unit is None:
        return None
    zero_point = zero_point_from_unit(Header({"BUNIT": unit}), pixel_scale)
    if zero_point is None:
        raise InputError(f"`unit` is {unit!r}: expected a flux density, as nJy, uJy or MJy/sr")
    return zero_point
