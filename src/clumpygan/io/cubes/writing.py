"""Writing a cube so that MUSE tools, radio tools and we read it."""

import os
from collections.abc import Mapping

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.units import UnitBase
from astropy.wcs import WCS

from clumpygan.errors import InputError
from clumpygan.io.cubes.header import parameter_cards, sky_cards, sky_of_mock
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.spectral_header import axis_cards
from clumpygan.io.cubes.units import Beam, beam_cards, parse_unit, unit_text
from clumpygan.io.fits import write_fits
from clumpygan.io.wcs import pixel_scale_of

_SCALE_TOLERANCE = 0.01
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


def write_cube(
    path: str | os.PathLike[str],
    data: np.ndarray,
    *,
    axis: SpectralAxis,
    pixel_scale: float,
    variance: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    centre: tuple[float, float] = (0.0, 0.0),
    wcs: WCS | None = None,
    unit: str | UnitBase | None = None,
    beam: Beam | None = None,
    parameters: Mapping[str, float | str] | None = None,
    comments: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> None:
    """Write a cube as the extensions DATA and STAT of a FITS file, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        The file; replaced if it exists.
    data : numpy.ndarray
        (v, y, x), written as float32.
    axis : SpectralAxis
        Of the channels; of the length of the first axis of the data.
    pixel_scale : float
        Arcsec; that of `wcs` where there is one.
    variance : numpy.ndarray, optional
        (v, y, x), in the square of the unit.
    mask : numpy.ndarray, optional
        (v, y, x), bool; True is written as NaN.
    centre : tuple of float
        Right ascension and declination of the middle of the field in degrees; north is up.
    wcs : astropy.wcs.WCS, optional
        Celestial, instead of `centre`.
    unit : str or astropy.units.UnitBase, optional
        Of the data.
    beam : Beam, optional
        Of a radio telescope.
    parameters : mapping, optional
        Name -> number or text, written as `HIERARCH CLUMPYGAN name`; numbers come back exactly.
    comments : mapping, optional
        Name -> unit or comment of a parameter.
    seed : int, optional
        With which the cube was made.

    Raises
    ------
    InputError
        If the shapes don't fit, a unit or parameter can't be written, float32 can't hold the
        variance, or the file can't be written there.
    """
    name = str(path)
    if data.ndim != 3 or len(data) != axis.count:
        raise InputError(
            f"{name}: data of shape {data.shape} for an axis of {axis.count} channels; expected "
            f"({axis.count}, y, x)"
        )
    for what, array in (("variance", variance), ("mask", mask)):
        if array is not None and array.shape != data.shape:
            raise InputError(
                f"{name}: the {what} has shape {array.shape}; expected {data.shape}, as the data"
            )
    units = parse_unit(unit) if isinstance(unit, str) else unit
    if units is None and unit is not None:
        raise InputError(f"{name}: {unit!r} isn't a unit; expected e.g. 1e-20 erg/s/cm2/Angstrom")
    cards = sky_cards(_field(data.shape, pixel_scale, centre, wcs, name), name)
    cards.update(axis_cards(axis))
    primary = fits.PrimaryHDU()
    primary.header.extend(parameter_cards(parameters or {}, comments or {}, seed, name))
    hdus = [primary, _extension("DATA", data, mask, cards, unit_text(units, name))]
    if beam is not None:
        hdus[1].header.update(beam_cards(beam))
    if variance is not None:
        _check_float32(variance, name)
        squared = unit_text(None if units is None else units**2, name)
        hdus.append(_extension("STAT", variance, mask, cards, squared))
    write_fits(path, hdus)


def _field(
    shape: tuple[int, ...],
    pixel_scale: float,
    centre: tuple[float, float],
    wcs: WCS | None,
    name: str,
) -> WCS:
    """Return the celestial WCS to write."""
    if wcs is None:
        return sky_of_mock(shape, pixel_scale, centre)
    scale = pixel_scale_of(wcs, name)
    if abs(scale - pixel_scale) > _SCALE_TOLERANCE * scale:
        raise InputError(
            f"{name}: pixel_scale is {pixel_scale:g} arcsec and that of the WCS {scale:.4g}; "
            "expected the same"
        )
    return wcs


def _check_float32(variance: np.ndarray, name: str) -> None:
    """Check that no positive variance becomes 0 on the way into the file."""
    positive = variance[variance > 0]
    if positive.size and positive.min() < _SMALLEST_NORMAL:
        raise InputError(
            f"{name}: variances down to {positive.min():.3g} don't fit float32; give data and "
            "variance in a smaller unit, such as 1e-20 erg/s/cm2"
        )


def _extension(
    name: str, array: np.ndarray, mask: np.ndarray | None, cards: Header, unit: str
) -> fits.ImageHDU:
    """Return an HDU with NaN where there is no observation."""
    values = np.asarray(array, np.float32)
    blank = ~np.isfinite(values) if mask is None else mask | ~np.isfinite(values)
    if blank.any():
        values = np.where(blank, np.float32(np.nan), values)
    hdu = fits.ImageHDU(values, cards.copy(), name=name)
    hdu.header["BUNIT"] = unit
    return hdu
