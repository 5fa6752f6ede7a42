"""Point and line spread functions from files: images and cubes of PSFs, tables of line widths."""

import warnings
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import Table

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments.line_spread import TabulatedLSF
from clumpygan.instruments.spread import MeasuredPSF
from clumpygan.io.cubes.reading import read_cube
from clumpygan.io.cubes.units import parse_unit
from clumpygan.io.fits import open_fits
from clumpygan.io.images import read_psf
from clumpygan.io.tables import read_table

_ANGSTROM_HERTZ = 2.99792458e18
_WAVELENGTH = ("wavelength", "wave", "lambda", "lam", "wavelen")
_WIDTHS = ("fwhm", "lsf_fwhm", "lsf")
_SIGMAS = ("sigma", "lsf_sigma")
_POWERS = ("r", "resolution", "resolving_power", "specres")


def read_measured_psf(
    path: Path, pixel_scale: float | None = None, default_scale: float | None = None
) -> MeasuredPSF:
    """Read a PSF: an image, or a cube with a plane for each of many wavelengths.

    Parameters
    ----------
    path : Path
        FITS file.
    pixel_scale : float, optional
        arcsec; overrides the header.
    default_scale : float, optional
        arcsec; where neither it nor the header says one, with an `InputWarning`.

    Returns
    -------
    MeasuredPSF
        Normalised and centred.

    Raises
    ------
    InputError
        If it can't be read, is no PSF, or its pixel scale isn't known.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a PSF, as a FITS image or cube")
    if _is_cube(path):
        cube = read_cube(
            path, pixel_scale=pixel_scale or (None if _has_sky(path) else default_scale)
        )
        if cube.axis.kind == "velocity":
            raise InputError(
                f"{path}: a PSF for each velocity; expected a cube of wavelengths or frequencies, "
                "or one image"
            )
        # In Angstrom, rising: planes go with them.
        waves = _ANGSTROM_HERTZ / cube.axis.frequencies()
        filled = ~cube.mask.all(axis=(1, 2))
        return MeasuredPSF(
            cube.data[filled].astype(np.float64), cube.pixel_scale, str(path), waves[filled]
        )
    array, stated = read_psf(path, pixel_scale)
    if stated is None and default_scale is not None:
        warnings.warn(
            f"{path}: the PSF doesn't say its pixel scale; taken to be that of the cube, "
            f"{default_scale:g} arcsec",
            InputWarning,
            stacklevel=3,
        )
    scale = stated or default_scale
    if scale is None:
        raise InputError(f"{path}: the PSF doesn't say its pixel scale; give `psf_scale`")
    return MeasuredPSF(array, scale, str(path))


def read_line_spread(path: Path) -> TabulatedLSF:
    """Read the width of a line spread function from a table.

    Parameters
    ----------
    path : Path
        Text, CSV, ECSV or FITS, with the column `wavelength` [Angstrom, unless it says otherwise]
        and one of `fwhm` or `sigma` [as the wavelength] or `R`, the resolving power.

    Raises
    ------
    InputError
        If it can't be read, has other columns, or values that make no sense.
    """
    table = read_table(path, "table of wavelength [Angstrom] and fwhm [Angstrom] or R")
    names = {str(name).casefold().replace(" ", "_"): name for name in table.colnames}

    def column(among: tuple[str, ...]) -> tuple[np.ndarray, float] | None:
        name = next((names[one] for one in among if one in names), None)
        return None if name is None else _angstrom(table, name, path)

    waves = column(_WAVELENGTH)
    width, sigma, power = column(_WIDTHS), column(_SIGMAS), column(_POWERS)
    told = [one for one in (width, sigma, power) if one is not None]
    if waves is None or len(told) != 1:
        raise InputError(
            f"{path}: has columns {', '.join(table.colnames[:12])}; expected wavelength and one of "
            "fwhm, sigma or R"
        )
    values, factor = waves
    wavelengths = values * factor
    if power is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            fwhm = wavelengths / power[0]
    else:
        numbers, own = told[0]
        # A width without a unit is in that of the wavelengths.
        fwhm = numbers * (factor if own == 1.0 else own)
        fwhm = fwhm * (1.0 if sigma is None else 2 * np.sqrt(2 * np.log(2)))
    order = np.argsort(wavelengths)
    return TabulatedLSF(wavelengths[order], fwhm[order], str(path))


def _angstrom(table: Table, name: str, path: Path) -> tuple[np.ndarray, float]:
    """Return the numbers of a column, and the factor that its unit has to Angstrom."""
    column = table[name]
    try:
        numbers = np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
    except (TypeError, ValueError):
        raise InputError(f"{path}: the column {name} holds words; expected numbers") from None
    if not np.isfinite(numbers).all() or not len(numbers):
        raise InputError(f"{path}: {name} has values that aren't finite, or none; expected numbers")
    unit = None if column.unit is None else parse_unit(str(column.unit))
    if unit is None or not unit.is_equivalent(units.Angstrom):
        return numbers, 1.0
    return numbers, float(unit.to(units.Angstrom))


def _is_cube(path: Path) -> bool:
    with open_fits(path) as hdus:
        images = [one.shape for one in hdus if one.is_image and one.shape]
        return bool(images) and len([n for n in images[0] if n > 1]) > 2


def _has_sky(path: Path) -> bool:
    with open_fits(path) as hdus:
        first = next(one for one in hdus if one.is_image and one.shape)
        return str(first.header.get("CTYPE1", "")).upper().startswith(("RA--", "GLON"))
