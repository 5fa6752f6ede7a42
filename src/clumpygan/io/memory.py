"""Images in memory, arrays and astropy's NDData: their values, what is known of them, as FITS."""

from contextlib import suppress
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header

from clumpygan.errors import InputError

_LONGEST_KEYWORD = 8
"""Letters of a keyword of the standard."""

_SCALING = ("BSCALE", "BZERO", "BLANK")
"""Cards of how a file held its values, which those in memory have behind them."""


def variance_of(source: Any) -> np.ndarray | None:
    """Return the variance (y, x) that a CCDData carries, in its own unit squared; None without."""
    from astropy.nddata import NDData, VarianceUncertainty

    if not isinstance(source, NDData) or source.uncertainty is None:
        return None
    try:
        variance = source.uncertainty.represent_as(VarianceUncertainty)
    except TypeError:  # of a kind that nobody knows
        return None
    if variance.unit is None or source.unit is None:
        return np.asarray(variance.array)
    return np.asarray(variance.quantity.to_value(source.unit**2))


def read_memory(source: Any, name: str) -> tuple[np.ndarray, Header]:
    """Return values, NaN where they are masked, and a header with what is known of them.

    Parameters
    ----------
    source : array, Quantity, masked array, NDData or CCDData
        (y, x).
    name : str
        What messages call it.

    Raises
    ------
    InputError
        If it holds no numbers.
    """
    from astropy.nddata import NDData
    from astropy.units import Quantity

    header, mask, values = Header(), None, source
    if isinstance(source, NDData):
        header, mask, values = _header_of(source), source.mask, source.data
    elif isinstance(source, Quantity):
        header["BUNIT"], values = source.unit.to_string(), source.value
    elif isinstance(source, np.ma.MaskedArray):
        mask, values = np.ma.getmaskarray(source), source.data
    try:
        data = np.asarray(values)
    except (TypeError, ValueError):
        data = np.array("no numbers")
    if data.dtype.kind not in "biuf" or not data.size or not data.ndim:
        kind = type(source).__name__
        raise InputError(f"{name} is {kind}: expected a FITS file, an array (y, x) or a CCDData")
    native = data.astype(data.dtype.newbyteorder("="))
    return native if mask is None else np.where(mask, np.nan, native), header


def _header_of(image: Any) -> Header:
    """Return the header of an NDData: its cards, its WCS and its unit."""
    header = Header()
    for keyword, value in image.meta.items():
        if len(keyword) <= _LONGEST_KEYWORD and isinstance(value, bool | int | float | str):
            with suppress(ValueError):  # NaN, and letters that the standard doesn't know
                header[keyword] = value
    if image.wcs is not None:
        header.update(getattr(image.wcs, "low_level_wcs", image.wcs).to_header(relax=True))
    if image.unit is not None:
        header["BUNIT"] = image.unit.to_string()
    return header


def image_hdus(
    source: Any, name: str, cards: dict[str, Any] | None = None
) -> list[fits.PrimaryHDU | fits.ImageHDU]:
    """Return an image in memory as the HDUs of a file that is read as it is: IMAGE and VARIANCE.

    Parameters
    ----------
    source, name
        See `read_memory`.
    cards : dict, optional
        Of the header, those that it doesn't have itself.

    Raises
    ------
    InputError
        If it isn't 2-D, or holds no numbers.
    """
    values, header = read_memory(source, name)
    if values.ndim != 2:
        shape = "x".join(map(str, values.shape))
        raise InputError(f"{name} is {values.ndim}-D ({shape}); expected 2-D (y, x)")
    for card in _SCALING:
        header.remove(card, ignore_missing=True)
    for card, value in (cards or {}).items():
        header.setdefault(card, value)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(_storable(values), header, name="IMAGE")]
    variance = variance_of(source)
    if variance is not None:
        hdus.append(fits.ImageHDU(_storable(variance), name="VARIANCE"))
    return hdus


def _storable(values: np.ndarray) -> np.ndarray:
    """Return values in a type that FITS has, which holds them all."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return values.astype(np.uint8)
    if kind == "f" and size not in (4, 8):
        return values.astype(np.float32 if size < 4 else np.float64)
    return values
