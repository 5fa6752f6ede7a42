"""World coordinates: pixel scales, and the same sky on a finer or coarser grid."""

import re
import warnings

import numpy as np
from astropy.coordinates import ICRS, BaseCoordinateFrame, SkyCoord
from astropy.io.fits import Header
from astropy.wcs import WCS, Sip
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame
from numpy.typing import ArrayLike

from clumpygan.errors import InputError, InputWarning

_ARCSEC_PER_DEGREE = 3600.0
_SQUARE_TOLERANCE = 0.01
_SAME = 1e-5  # degrees, by which a position may differ from itself after the way there and back
_WCS_KEYWORD = re.compile(
    r"WCSAXES|NAXIS\d?|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)\d|(CD|PC|PV|PS)\d+_\d+"
    r"|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX"
)
_PC, _CD = re.compile(r"PC\d+_\d+"), re.compile(r"CD\d+_\d+")
_SIP_KEYWORD = re.compile(r"[AB]P?_(ORDER|DMAX|\d_\d)")


def read_wcs(header: Header) -> WCS | None:
    """Return the celestial WCS of an image, of its two sky axes only, or None if it has none.

    Mended headers, old keywords, CD beside CDELT: what astropy can read is read without a word,
    and what it can't counts as no WCS. Distortion polynomials left over in the header of an image
    that was drizzled (CTYPE without -SIP) don't apply, and are dropped. So is a CD matrix beside a
    PC matrix, which the standard forbids (Greisen & Calabretta 2002, section 2.1.2) and which
    ``header.update(wcs.to_header())`` leaves: wcslib reads PC then. A PC matrix that has lost its
    off-diagonals is no rotation any more; its scale is taken from CDELT, and an `InputWarning` says
    that the orientation isn't known.
    """
    keywords = _WCS_KEYWORD
    if str(header.get("CTYPE1", "")).endswith("-SIP"):
        keywords = re.compile(f"{_WCS_KEYWORD.pattern}|{_SIP_KEYWORD.pattern}")
    # Only these cards: drizzled images have thousands of others, and astropy reads each twice.
    header = Header([card for card in header.cards if keywords.fullmatch(card.keyword)])
    if any(_PC.fullmatch(key) for key in header):
        kept = [card for card in header.cards if not _CD.fullmatch(card.keyword)]
        header = Header(kept).copy()
        _mend_rotation(header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wcs = WCS(header)
            if not wcs.has_celestial:
                return None
            celestial = wcs.celestial
            corner = np.asarray(celestial.pixel_to_world_values(0.0, 0.0))
        except Exception:  # wcslib reports a broken header by several unrelated exceptions
            return None
    return celestial if np.isfinite(corner).all() else None


def _mend_rotation(header: Header) -> None:
    """Take the scale out of a PC matrix whose off-diagonals are missing, which is no rotation."""
    if "PC1_2" in header or "PC2_1" in header or "CDELT1" not in header:
        return
    cosines = [header.get("PC1_1"), header.get("PC2_2")]
    # Smaller ones are scales in degrees beside a CDELT of 1.
    if not all(isinstance(one, float) and 0.05 < abs(one) < 0.99 for one in cosines):
        return
    if abs(abs(cosines[0]) - abs(cosines[1])) > _SQUARE_TOLERANCE:
        return
    header["PC1_1"], header["PC2_2"] = (float(np.sign(one)) for one in cosines)
    warnings.warn(
        "the header's PC matrix has lost its off-diagonals (a rotation by "
        f"{np.degrees(np.arccos(abs(cosines[0]))):.0f} degrees, one way or the other): centre and "
        "pixel scale are right, the orientation isn't known",
        InputWarning,
        stacklevel=4,
    )


def pixel_scale_of(wcs: WCS, name: str = "image") -> float:
    """Return the width of a pixel in arcsec.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial, two axes.
    name : str
        What to call the image in an error message.

    Raises
    ------
    InputError
        If the pixels aren't square to 1 %.
    """
    x, y = (float(scale) * _ARCSEC_PER_DEGREE for scale in proj_plane_pixel_scales(wcs))
    if abs(x - y) > _SQUARE_TOLERANCE * max(x, y):
        raise InputError(f"{name}: pixels are {x:.4f} x {y:.4f} arcsec; expected square ones")
    return float(np.sqrt(x * y))


def north_angle(wcs: WCS) -> float:
    """Return the direction of north in degrees from +y towards -x: 0 is north up.

    Position angles in the pixel frame become position angles on the sky by subtracting it, in
    images where east is to the left of north (all but `mirrored` ones).
    """
    towards_north = np.linalg.inv(wcs.pixel_scale_matrix) @ (0.0, 1.0)
    return float(np.degrees(np.arctan2(-towards_north[0], towards_north[1])))


def mirrored(wcs: WCS) -> bool:
    """Whether the image is seen from behind the sky: east is to the right of north."""
    return bool(np.linalg.det(wcs.pixel_scale_matrix) > 0)


def rescaled_wcs(wcs: WCS, ratio: float) -> WCS:
    """Return the WCS of the same image with other pixels.

    The lower left corner of the first pixel stays where it is on the sky, so an image of whole
    blocks (14 HST pixels, 5 HSC pixels) keeps its centre too. Pixel coordinates, 0 at the centre
    of the first pixel, obey x + 1/2 = ratio (x' + 1/2).

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial, two axes; SIP distortions are carried along.
    ratio : float
        Width of a new pixel in old pixels: 14/5 from HST's 0.06 arcsec to HSC's 0.168 arcsec.
    """
    rescaled = wcs.deepcopy()
    rescaled.pixel_shape = None
    rescaled.wcs.crpix = (wcs.wcs.crpix - 0.5) / ratio + 0.5
    if wcs.wcs.has_cd():
        rescaled.wcs.cd = wcs.wcs.cd * ratio
    else:
        rescaled.wcs.cdelt = wcs.wcs.cdelt * ratio
    if wcs.sip is not None:
        rescaled.sip = _rescaled_sip(wcs.sip, ratio, rescaled.wcs.crpix)
    rescaled.wcs.set()
    return rescaled


def sky_of(wcs: WCS, x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return right ascension and declination (ICRS, degrees) of pixels, whatever the system is.

    Galactic and FK4 coordinates are turned into ICRS, distortions are applied. Of a system that
    astropy doesn't know, as RADESYS = 'J2000', the numbers are left as they are.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial, two axes.
    x, y : array_like
        Pixels, 0 at the centre of the first one.
    """
    first, second = _sky_axes(wcs)
    world = wcs.all_pix2world(x, y, 0)
    longitude, latitude = world[first], world[second]
    frame = _frame_of(wcs)
    if frame is None:
        return longitude, latitude
    found = SkyCoord(longitude, latitude, unit="deg", frame=frame).icrs
    return np.asarray(found.ra.deg), np.asarray(found.dec.deg)


def pixels_of(
    wcs: WCS, shape: tuple[int, int], ra: ArrayLike, dec: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Return where positions on the sky are in an image, the inverse of `sky_of`.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial, two axes.
    shape : tuple of int
        Of the image, (y, x).
    ra, dec : array_like
        Shape (n,), degrees, ICRS.

    Returns
    -------
    x, y : numpy.ndarray
        Shape (n,), float64, 0 at the centre of the first pixel; NaN for what is farther from its
        middle than twice its width.
    """
    longitude, latitude = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    frame = _frame_of(wcs)
    if frame is not None:
        sky = SkyCoord(longitude, latitude, unit="deg", frame="icrs").transform_to(frame).spherical
        longitude, latitude = sky.lon.deg, sky.lat.deg
    # Without distortion first: far from the image the polynomials have no inverse.
    first, second = _sky_axes(wcs)
    world = np.empty((2, *np.shape(longitude)))
    world[first], world[second] = longitude, latitude
    pixels = np.array(wcs.wcs_world2pix(*world, 0), np.float64)
    back = wcs.wcs_pix2world(*np.nan_to_num(pixels), 0)
    east = np.abs((back[first] - longitude + 180) % 360 - 180)
    found = np.maximum(east, np.abs(back[second] - latitude)) < _SAME
    height, width = shape
    x, y = pixels
    near = (np.abs(x - width / 2) < 2 * width) & (np.abs(y - height / 2) < 2 * height) & found
    pixels[:, ~near] = np.nan
    if wcs.has_distortion and near.any():
        pixels[:, near] = wcs.all_world2pix(*world[:, near], 0, quiet=True)
    return pixels[0], pixels[1]


def _sky_axes(wcs: WCS) -> tuple[int, int]:
    """Return which axes are longitude and latitude."""
    wcs.wcs.set()
    return wcs.wcs.lng, wcs.wcs.lat


def _frame_of(wcs: WCS) -> BaseCoordinateFrame | None:
    """Return the system of an image; None for ICRS, and for one that astropy doesn't know."""
    try:
        frame = wcs_to_celestial_frame(wcs)
    except ValueError:
        return None
    return None if isinstance(frame, ICRS) else frame


def _rescaled_sip(sip: Sip, ratio: float, crpix: np.ndarray) -> Sip:
    """Return the distortion polynomials for pixels `ratio` times as wide (Shupe et al. 2005)."""
    coefficients = []
    for matrix in (sip.a, sip.b, sip.ap, sip.bp):
        if matrix is not None:
            powers = np.add.outer(np.arange(len(matrix)), np.arange(len(matrix)))
            matrix = matrix * ratio ** (powers - 1.0)
        coefficients.append(matrix)
    return Sip(*coefficients, crpix)


def wcs_in_arcsec(wcs: WCS, centre: tuple[float, float], pixel_scale: float) -> WCS:
    """Return the WCS of the same image with arcsec from a place in it as pixel coordinates.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Celestial, two axes; SIP distortions are carried along.
    centre : tuple of float
        The place (x, y) in pixels, 0 at the centre of the first pixel.
    pixel_scale : float
        Width of a pixel in arcsec, as pictures count it.

    Returns
    -------
    astropy.wcs.WCS
        ``pixel_to_world(x, y)`` takes arcsec along the axes of the image.
    """
    moved = rescaled_wcs(wcs, 1.0 / pixel_scale)
    # That keeps the corner of the first pixel: x + 1/2 = (x' + 1/2) / pixel_scale.
    moved.wcs.crpix += 0.5 - pixel_scale * (np.asarray(centre) + 0.5)
    if moved.sip is not None:
        sip = moved.sip
        moved.sip = Sip(sip.a, sip.b, sip.ap, sip.bp, moved.wcs.crpix)
    moved.wcs.set()
    return moved
