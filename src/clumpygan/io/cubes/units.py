"""Units of cubes in the spellings of FITS files, and the beam of a radio telescope."""

import re
import warnings
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.io.fits import FITS_rec, Header
from astropy.units import Unit, UnitBase

from clumpygan.errors import InputError
from clumpygan.io.cubes.header import read_number

_SPELLINGS = {
    one.casefold(): one
    for one in ("Jy/beam", "Jy/pixel", "Angstrom", "um", "nm", "m/s", "km/s", "Hz", "kHz", "GHz")
} | {
    "mhz": "MHz",
    "jybeam-1": "Jy/beam",
    "kelvin": "K",
    **dict.fromkeys(("angstroms", "ang"), "Angstrom"),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometers"), "um"),
    **dict.fromkeys(("nanometer", "nanometers"), "nm"),
    "counts": "count",
    "electrons": "electron",
    "none": "",
}
# Angstrom as A, which elsewhere is an ampere, and spaxels, which are pixels.
_WORDS = {
    **dict.fromkeys(("A", "Ang", "ang", "Angstroms", "angstroms", "ANGSTROM"), "Angstrom"),
    **{"spaxel": "pixel", "spaxels": "pixel", "ADU": "adu"},
}
_WORD = re.compile(r"[A-Za-z]+")
_SQUARED = re.compile(r"\((?P<base>.*)\)\*\*2")
_ARCSEC_PER_DEGREE = 3600.0
# Area of a Gaussian of unit full widths at half maximum.
_GAUSSIAN_AREA = np.pi / (4 * np.log(2))


@dataclass(frozen=True)
class Beam:
    """A Gaussian beam.

    Attributes
    ----------
    major, minor : float
        Full widths at half maximum in arcsec.
    angle : float
        Position angle of the major axis in degrees, from north to east.
    """

    major: float
    minor: float
    angle: float = 0.0

    @property
    def area(self) -> float:
        """Integral of the beam of peak 1, in square arcsec."""
        return float(_GAUSSIAN_AREA * self.major * self.minor)


def read_beam(header: Header, name: str) -> Beam | None:
    """Return the beam that BMAJ, BMIN and BPA describe, or None."""
    major, minor, angle = (read_number(header, key, name) for key in ("BMAJ", "BMIN", "BPA"))
    if not (major and minor and min(major, minor) > 0):
        return None
    return Beam(major * _ARCSEC_PER_DEGREE, minor * _ARCSEC_PER_DEGREE, angle or 0.0)


def read_beams(table: FITS_rec, name: str) -> Beam | None:
    """Return the median of the beams of CASA's table BEAMS, which has one for each channel.

    Parameters
    ----------
    table : astropy.io.fits.FITS_rec
        With columns BMAJ, BMIN (arcsec unless they say otherwise) and BPA (degrees).
    name : str
        What to call the file in a message.

    Returns
    -------
    Beam or None
        None if the table isn't one of beams.
    """
    columns = {one.upper(): one for one in table.columns.names}
    if not {"BMAJ", "BMIN"} <= set(columns):
        return None
    sizes = []
    for key in ("BMAJ", "BMIN"):
        column = table.columns[columns[key]]
        unit = parse_unit(str(column.unit or "arcsec"))
        if unit is None or not unit.is_equivalent(units.arcsec):
            raise InputError(f"{name}: {key} of the table of beams is in {column.unit!r}")
        sizes.append(np.asarray(table[columns[key]], float) * unit.to(units.arcsec))
    major, minor = sizes
    known = np.isfinite(major) & np.isfinite(minor) & (minor > 0)
    if not known.any():
        return None
    angle = np.asarray(table[columns["BPA"]], float)[known] if "BPA" in columns else np.zeros(1)
    return Beam(*(float(np.median(one)) for one in (major[known], minor[known], angle)))


def beam_cards(beam: Beam) -> dict[str, float]:
    """Return BMAJ, BMIN and BPA."""
    return {
        "BMAJ": beam.major / _ARCSEC_PER_DEGREE,
        "BMIN": beam.minor / _ARCSEC_PER_DEGREE,
        "BPA": beam.angle,
    }


def parse_unit(text: str) -> UnitBase | None:
    """Return a unit in one of its many spellings, with its factor; None if it isn't one.

    `10**(-20)*erg/s/cm**2/Angstrom`, `JY/BEAM` and `1E-17 erg/s/cm^2/Ang/spaxel` are units;
    so is "", the dimensionless one.
    """
    text = text.strip()
    squared = _SQUARED.fullmatch(text)
    if squared is not None:
        base = parse_unit(squared["base"])
        return None if base is None else base**2
    text = _SPELLINGS.get(text.casefold().replace(" ", ""), text)
    text = _WORD.sub(lambda word: _WORDS.get(word[0], word[0]), text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several slashes in a row are discouraged, not unclear
        try:
            return Unit(text)
        except (ValueError, TypeError):
            return None


def noise_factor(noise_text: str, unit: UnitBase | None, power: int) -> float:
    """Return the factor that brings noise to the unit of the data, raised to `power`.

    1 where the noise has no unit or one that can't be that of the data's noise: many files give
    variances the unit of the data, or forget a bracket.
    """
    noise = parse_unit(noise_text) if noise_text.strip() else None
    if noise is None or unit is None:
        return 1.0
    try:
        return float(noise.to(unit**power))
    except (units.UnitConversionError, OverflowError):
        return 1.0


def unit_text(unit: UnitBase | None, name: str) -> str:
    """Return the unit as FITS programs spell it, "" where there is none.

    Raises
    ------
    InputError
        If FITS has no spelling for it.
    """
    if unit is None or unit == units.dimensionless_unscaled:
        return ""
    if unit == units.Jy / units.beam:
        return "Jy/beam"
    try:
        if not getattr(unit, "scale", 1) > 0:
            raise ValueError(f"its factor is {unit}")
        return str(unit.to_string("fits"))
    except (ValueError, TypeError, units.UnitsError) as error:
        raise InputError(
            f"{name}: the unit {unit} can't be written to FITS; expected e.g. a power of ten times "
            "erg/s/cm2, Jy/beam or K"
        ) from error
