"""From the counts of a FITS image to nJy: units and AB zero points."""

import math
import re
from collections.abc import Sequence

from astropy import units
from astropy.io.fits import Header

from clumpygan.constants import NANOJANSKY_ZERO_POINT

_AB_KEYWORDS = ("ABMAGZP", "MAGZERO", "MAGZPT", "ZPAB", "MAGZP", "PHOTZP", "ZEROPT", "PHOTZPT")
_MAGGY = re.compile(r"(nano-?|n)?(maggy|maggies|mgy)", re.IGNORECASE)
NANOMAGGY_ZERO_POINT = 22.5
"""AB magnitude of a nanomaggy, the unit of SDSS and of the Legacy Surveys."""

_ARCSEC2_PER_STERADIAN = (180 * 3600 / math.pi) ** 2


def nanojansky_per_count(zero_point: float) -> float:
    """Return the flux in nJy of one count, for the AB magnitude `zero_point` of one count."""
    return float(10 ** (0.4 * (NANOJANSKY_ZERO_POINT - zero_point)))


def zero_point_of(
    header: Header, others: Sequence[Header], pixel_scale: float, band: str | None = None
) -> float | None:
    """Return the AB zero point of the counts of an image, or None if nothing tells it.

    Parameters
    ----------
    header : astropy.io.fits.Header
        The header of the image.
    others : sequence of astropy.io.fits.Header
        Those of the other HDUs of the file.
    pixel_scale : float
        Width of a pixel in arcsec.
    band : str, optional
        Filter; by default that of the header.
    """
    zero_point = zero_point_from_unit(header, pixel_scale)
    if zero_point is None:
        zero_point = zero_point_from_keywords(header, others)
    name = band or filter_of(header)
    if zero_point is None and name:
        zero_point = zero_point_of_filter(name)
    return zero_point


def zero_point_from_unit(header: Header, pixel_scale: float) -> float | None:
    """Return the AB zero point of an image whose BUNIT is a flux density.

    Parameters
    ----------
    header : astropy.io.fits.Header
        The image's header; BUNIT may be a flux density per pixel (nJy, uJy, Jy, nanomaggy, ...) or
        per solid angle (MJy/sr, as from JWST).
    pixel_scale : float
        Width of a pixel in arcsec.

    Returns
    -------
    float or None
        AB magnitude of one unit of the image in one pixel; None if BUNIT is no flux density.
    """
    name = str(header.get("BUNIT", "")).strip()
    if _MAGGY.fullmatch(name):
        return NANOMAGGY_ZERO_POINT if name[0] in "nN" else 0.0
    try:
        unit = units.Unit(name)
    except ValueError:
        return None
    if unit.is_equivalent(units.nJy):
        nanojansky = unit.to(units.nJy)
    elif unit.is_equivalent(units.nJy / units.sr):
        nanojansky = unit.to(units.nJy / units.sr) * pixel_scale**2 / _ARCSEC2_PER_STERADIAN
    else:
        return None
    return float(NANOJANSKY_ZERO_POINT - 2.5 * math.log10(nanojansky))


def zero_point_from_keywords(header: Header, others: Sequence[Header] = ()) -> float | None:
    """Return the AB zero point that the headers of a file state, or None.

    In this order: an AB zero point in magnitudes (ABMAGZP, MAGZERO, ...) in the image's header;
    one on which all other HDUs that have any agree (GALFIT writes MAGZPT beside its model);
    FLUXMAG0, the counts of magnitude 0 (HSC pipeline); PHOTFLAM and PHOTPLAM, with which HST's AB
    zero point is -2.5 log10(PHOTFLAM) - 5 log10(PHOTPLAM) - 2.408 (ACS Data Handbook, section
    5.1). HST's PHOTZPT of -21.1 is that of ST magnitudes, not of AB, and is passed over.

    Parameters
    ----------
    header : astropy.io.fits.Header
        The header of the image.
    others : sequence of astropy.io.fits.Header
        Those of the other HDUs of the file.
    """
    stated = _stated_zero_point(header)
    if stated is None:
        elsewhere = {_stated_zero_point(other) for other in others} - {None}
        stated = elsewhere.pop() if len(elsewhere) == 1 else None
    candidates = (_zero_point_from_calibration(one) for one in (header, *others))
    return stated if stated is not None else next(filter(None, candidates), None)


def zero_point_of_filter(band: str) -> float | None:
    """Return the AB zero point of the known imaging instrument with the filter `band`, or None."""
    # Imported here: it brings torch, and most images say their zero point themselves.
    from clumpygan.instruments import INSTRUMENTS

    for instrument in INSTRUMENTS.values():
        if instrument.band.casefold() == band.strip().casefold():
            return float(instrument.zero_point)
    return None


def filter_of(header: Header) -> str:
    """Return the filter that the header names, "" if it names none.

    ACS has two wheels; WFPC2 has, too, and its FILTER1 and FILTER2 are numbers.
    """
    for keyword in ("FILTER", "FILTNAM1", "FILTNAM2", "FILTER1", "FILTER2"):
        name = str(header.get(keyword, "")).strip()
        if name and not name.upper().startswith("CLEAR") and not name.isdecimal():
            return name
    return ""


def _stated_zero_point(header: Header) -> float | None:
    """Return the AB zero point that the header states in magnitudes, or None."""
    return next(filter(None, (_positive(header, keyword) for keyword in _AB_KEYWORDS)), None)


def _zero_point_from_calibration(header: Header) -> float | None:
    """Return the AB zero point by the flux calibration of the HSC or HST pipeline, or None."""
    counts_of_zero = _positive(header, "FLUXMAG0")
    if counts_of_zero is not None:
        return 2.5 * math.log10(counts_of_zero)
    flux, pivot = _positive(header, "PHOTFLAM"), _positive(header, "PHOTPLAM")
    if flux is None or pivot is None:
        return None
    rate = -2.5 * math.log10(flux) - 5 * math.log10(pivot) - 2.408
    return rate + 2.5 * math.log10(_seconds_in_a_count(header))


def _positive(header: Header, keyword: str) -> float | None:
    """Return the keyword's value if it is a positive number, else None."""
    value = header.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value > 0 else None


def _seconds_in_a_count(header: Header) -> float:
    """Return the exposure time if the image counts electrons rather than electrons per second."""
    unit = str(header.get("BUNIT", "")).strip().upper()
    if unit in {"ELECTRONS", "ELECTRON", "COUNTS", "COUNT"}:
        return _positive(header, "EXPTIME") or 1.0
    return 1.0
