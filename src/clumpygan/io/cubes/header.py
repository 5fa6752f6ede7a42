"""What a cube's header says beside its spectral axis: the sky, and the parameters of a mock."""

import math
import re
from collections.abc import Mapping

from astropy.io.fits import Card, Header
from astropy.io.fits.card import Undefined
from astropy.io.fits.verify import VerifyError
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from clumpygan.errors import InputError
from clumpygan.io.wcs import read_wcs

_PREFIX = "CLUMPYGAN "
_SEED = "SEED"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CARD_LENGTH = 80
_ARCSEC_PER_DEGREE = 3600.0
_AXIS_KEYWORD = re.compile(r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|PV|CD|PC)(\d)(?:_(\d+))?")
_FRAME_KEYWORDS = ("LONPOLE", "LATPOLE", "RADESYS", "RADECSYS", "EQUINOX")


def is_axis_keyword(keyword: str) -> bool:
    """Whether a keyword describes the world coordinates of one axis."""
    return _AXIS_KEYWORD.fullmatch(keyword) is not None


def read_number(header: Header, keyword: str, name: str) -> float | None:
    """Return the number of a card, None if it isn't there or empty.

    Raises
    ------
    InputError
        If it is something else, or not finite.
    """
    value = header.get(keyword)
    if value is None or isinstance(value, Undefined) or str(value).strip() == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name}: {keyword} of the header is {value!r}; expected a number")
    return number


def read_sky(header: Header, x: int, y: int) -> WCS | None:
    """Return the celestial WCS of the axes with the FITS numbers `x` and `y`, None without one.

    The other axes don't take part, so that nothing odd about them can spoil it.
    """
    numbers = {str(x): 1, str(y): 2}
    sky = Header()
    for keyword, value in header.items():
        match = _AXIS_KEYWORD.fullmatch(keyword)
        if match is None:
            if keyword in _FRAME_KEYWORDS:
                sky[keyword] = value
            elif keyword == "EPOCH" and "EQUINOX" not in header:
                sky["EQUINOX"] = value
            continue
        stem, axis, other = match.groups()
        if axis not in numbers or (stem in ("CD", "PC") and other not in numbers):
            continue
        tail = "" if other is None else f"_{numbers[other] if stem in ('CD', 'PC') else other}"
        sky[f"{stem}{numbers[axis]}{tail}"] = value
    return read_wcs(sky)


def sky_of_mock(shape: tuple[int, ...], pixel_scale: float, centre: tuple[float, float]) -> WCS:
    """Return the WCS of a field (..., y, x) with north up around (ra, dec) in degrees."""
    if not 0 < pixel_scale < math.inf:
        raise InputError(f"pixel_scale is {pixel_scale} arcsec; expected a number above 0")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = [(shape[-1] + 1) / 2, (shape[-2] + 1) / 2]
    step = pixel_scale / _ARCSEC_PER_DEGREE
    wcs.wcs.cdelt = [-step, step]
    wcs.wcs.radesys = "ICRS"
    return wcs


def sky_cards(wcs: WCS, name: str) -> Header:
    """Return the cards of a celestial WCS as axes 1 and 2 of three.

    CDELT is the size of a pixel and PC its orientation: programs that look at CDELT alone find
    what they expect.

    Raises
    ------
    InputError
        If the WCS has distortions.
    """
    if wcs.sip is not None:
        raise InputError(f"{name}: the WCS has distortions (SIP); expected one without for a cube")
    wcs = wcs.deepcopy()
    matrix = wcs.pixel_scale_matrix
    scales = proj_plane_pixel_scales(wcs) * (-1, 1)
    if wcs.wcs.has_cd():
        del wcs.wcs.cd
    wcs.wcs.cdelt = scales
    wcs.wcs.pc = matrix / scales[:, None]
    cards = wcs.to_header()
    cards["WCSAXES"] = 3
    cards.remove("MJDREF", ignore_missing=True)
    for number in (1, 2):
        cards.set(f"CRPIX{number}", float(wcs.wcs.crpix[number - 1]))
        cards.set(f"CDELT{number}", float(scales[number - 1]))
    return cards


def parameter_cards(
    parameters: Mapping[str, float | str],
    comments: Mapping[str, str],
    seed: int | None,
    name: str,
) -> Header:
    """Return HIERARCH cards of parameters, exact to the last bit, and of the seed.

    Raises
    ------
    InputError
        If a name or value doesn't fit a FITS card.
    """
    header = Header()
    for key, value in parameters.items():
        header.append(_card(key, value, comments.get(key, ""), name))
    if seed is not None:
        header[f"HIERARCH {_PREFIX}{_SEED}"] = (int(seed), "of the random numbers")
    return header


def read_parameters(header: Header) -> dict[str, float | str]:
    """Return the mapping that `parameter_cards` wrote, empty if there is none."""
    return {
        keyword.removeprefix(_PREFIX): value
        for keyword, value in header.items()
        if keyword.startswith(_PREFIX) and keyword != _PREFIX + _SEED
    }


def read_seed(header: Header) -> int | None:
    """Return the seed that `parameter_cards` wrote, or None."""
    value = header.get(_PREFIX + _SEED)
    return value if isinstance(value, int) else None


def _card(key: str, value: float | str, comment: str, name: str) -> Card:
    """Return one HIERARCH card; astropy's own would cut a number to 20 characters."""
    if not _NAME.fullmatch(key):
        raise InputError(
            f"{name}: {key!r} can't be a parameter in a header; expected lower-case letters, "
            "digits and _"
        )
    if isinstance(value, str):
        text = "'" + value.replace("'", "''") + "'"
    else:
        value = float(value)
        text = repr(value).upper()
    image = f"HIERARCH {_PREFIX}{key} = {text}"
    if len(image) > _CARD_LENGTH or not text.isascii() or not _says(image, value):
        raise InputError(
            f"{name}: {key} is {value!r}, which doesn't fit a card of a FITS header; expected a "
            "finite number or a short, plain text"
        )
    if comment and len(image) + 3 < _CARD_LENGTH:
        image = f"{image} / {comment}"[:_CARD_LENGTH]
    return Card.fromstring(image)


def _says(image: str, value: float | str) -> bool:
    """Whether a reader of the card finds the value in it."""
    try:
        return bool(Card.fromstring(image).value == value)
    except VerifyError:
        return False
