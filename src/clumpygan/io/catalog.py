"""Catalogues of galaxies: their many column names, cuts, and the stamps they point to."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.table import MaskedColumn, Row, Table

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.atomic import keep
from clumpygan.io.images import Image, read_image, read_psf
from clumpygan.io.tables import read_table

_COLUMNS = {
    "id": ("id", "ident", "number", "objid", "object_id", "source_id"),
    "ra": ("ra", "alpha_j2000", "raj2000"),
    "dec": ("dec", "delta_j2000", "dej2000"),
    "redshift": (
        *("redshift", "z_best", "zbest", "z_spec", "zspec", "z_peak"),
        *("z_phot", "zphot", "zpdf", "photo_z", "z"),
    ),
    "h_magnitude": (
        *("h_magnitude", "hmag", "h_mag", "mag_h", "mag_f160w", "f160w_mag"),
        *("mag_auto", "mag_best", "mag"),
    ),
    "image": ("image", "gal_filename", "file_name", "filename", "file", "stamp", "path"),
    "image_hdu": ("image_hdu", "gal_hdu", "hdu"),
    "psf": ("psf", "psf_filename", "psf_file"),
    "psf_hdu": ("psf_hdu",),
    "pixel_scale": ("pixel_scale",),
    "zero_point": ("zero_point", "zeropoint", "zp"),
    "band": ("band", "filter"),
}
_FLUXES = ("f_f160w", "flux_f160w", "f160w_flux", "wfc3_f160w_flux", "f160w")
_NUMBERS = ("ra", "dec", "redshift", "h_magnitude", "pixel_scale", "zero_point")
_NAMES = ("image", "psf", "band")
_FLUX_ZERO_POINT = 25.0
_BRIGHTEST, _FAINTEST = 0.0, 50.0
_BESIDE = "photometry.fits"


def read_catalog(
    path: str | os.PathLike[str],
    *,
    flux_zero_point: float | None = None,
    columns: Mapping[str, str] | None = None,
    redshifts: str | os.PathLike[str] | None = None,
) -> Table:
    """Read a catalogue and give its columns the names used here.

    The canonical columns are `id`, `ra`, `dec` [deg], `redshift`, `h_magnitude` [AB], `image`,
    `image_hdu`, `psf`, `psf_hdu`, `pixel_scale` [arcsec], `zero_point` [AB] and `band`; all other
    columns stay. `id`, `redshift` and `h_magnitude` are always there; a missing value (masked,
    NaN, a negative redshift, a magnitude of 99) is NaN. The names in the file are in the table's
    `meta["columns"]`, and those of them that were replaced in `meta["renamed"]`. Redshifts are
    taken from z_best, z_spec, z_peak, zphot, ..., magnitudes from Hmag, MAG, ..., or a flux in
    F160W. A catalogue in the form of GalSim's RealGalaxyCatalog, which has no redshifts, takes them
    from `photometry.fits` in the same folder, matched by id.

    Parameters
    ----------
    path : str or path-like
        FITS table, Parquet, ECSV, CSV or a plain table with its column names in the first line.
    flux_zero_point : float, optional
        AB magnitude of a flux of 1; the default is 25, that of 3D-HST (Skelton et al. 2014).
    columns : mapping of str to str, optional
        Canonical name to the name in the file, where it isn't one of those that are known.
    redshifts : str or path-like, optional
        A second catalogue with the redshifts, matched by id.

    Raises
    ------
    InputError
        If the file can't be read as a table, is empty, or lacks one of `columns`.
    """
    original = _read_table(Path(path))
    names = list(original.colnames)
    _rename(original, columns or {}, path)
    table = _canonical(original)
    table.meta["columns"] = names
    if "h_magnitude" not in table.colnames:
        table["h_magnitude"] = _magnitudes_from_flux(original, flux_zero_point)
    beside = Path(path).with_name(_BESIDE)
    if redshifts is not None:
        table["redshift"] = _redshifts_beside(table, Path(redshifts))
    if "redshift" not in table.colnames and "image_hdu" in table.colnames and beside.is_file():
        table["redshift"] = _redshifts_beside(table, beside)
    for name in ("redshift", "h_magnitude"):
        if name not in table.colnames:
            table[name] = np.full(len(table), np.nan)
    redshift, magnitude = table["redshift"], table["h_magnitude"]
    redshift[~(redshift >= 0)] = np.nan
    magnitude[~((magnitude > _BRIGHTEST) & (magnitude < _FAINTEST))] = np.nan
    return table


def select(
    table: Table, max_redshift: float | None = None, max_magnitude: float | None = None
) -> Table:
    """Return the galaxies with z < `max_redshift` and H < `max_magnitude`.

    Parameters
    ----------
    table : astropy.table.Table
        From `read_catalog`.
    max_redshift, max_magnitude : float, optional
        No cut where None; a galaxy without a value doesn't pass a cut on it.

    Raises
    ------
    InputError
        If no galaxy is left; the message says what the catalogue holds.
    """
    keep = np.ones(len(table), bool)
    for name, limit in (("redshift", max_redshift), ("h_magnitude", max_magnitude)):
        if limit is not None:
            keep &= np.asarray(table[name]) < limit
    if not keep.any():
        cuts = [
            f"{label} < {limit:g}"
            for label, limit in (("z", max_redshift), ("H", max_magnitude))
            if limit is not None
        ]
        raise InputError(
            f"no galaxy with {' and '.join(cuts) or 'no cut'}: the catalogue's {len(table)} have "
            f"{_range(table, 'redshift', 'z')} and {_range(table, 'h_magnitude', 'H')}"
        )
    return table[keep]


def read_stamp(
    row: Row, data_root: str | os.PathLike[str]
) -> tuple[Image, np.ndarray | None, float | None]:
    """Read the stamp that a row of a catalogue points to, and its PSF where it has one.

    Parameters
    ----------
    row : astropy.table.Row
        Of a table from `read_catalog`. Without a column `image` the stamp is ID.fits.
    data_root : str or path-like
        The folder of the files.

    Returns
    -------
    image : Image
        The stamp.
    psf : numpy.ndarray or None
        (y, x), float64, as in its file.
    psf_scale : float or None
        Pixel scale of the PSF in arcsec: its own, or that of the stamp.

    Raises
    ------
    InputError
        If a file is missing or isn't a 2-D image.
    """
    root = Path(data_root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected the one with the catalogue's stamps")
    pixel_scale, zero_point = _number(row, "pixel_scale"), _number(row, "zero_point")
    stamp = root / (_name(row, "image") or f"{row['id']}.fits")
    keep(stamp)
    image = read_image(
        stamp,
        pixel_scale=pixel_scale,
        zero_point=zero_point,
        hdu=_hdu(row, "image_hdu"),
        band=_name(row, "band"),
    )
    psf_name = _name(row, "psf")
    if psf_name is None:
        return image, None, None
    keep(root / psf_name)
    psf, psf_scale = read_psf(root / psf_name, pixel_scale, hdu=_hdu(row, "psf_hdu"))
    return image, psf, image.pixel_scale if psf_scale is None else psf_scale


def _read_table(path: Path) -> Table:
    """Read a table of any supported format."""
    table = read_table(path, "catalogue")
    keep(path)
    if len(table) == 0:
        raise InputError(f"{path}: the catalogue is empty")
    return table


def _canonical(table: Table) -> Table:
    """Return the table with the columns that are known under their canonical names."""
    renamed = Table(table, copy=True)
    renamed.meta = {"columns": list(table.colnames), "renamed": {}}
    present = {name.casefold(): name for name in table.colnames}
    for canonical, names in _COLUMNS.items():
        found = next((present[name] for name in names if name in present), None)
        if found is None:
            continue
        if canonical in _NUMBERS:
            column = _as_numbers(table[found], found)
            if column is None:
                continue
        elif canonical in _NAMES:
            column = np.array([_text(value) for value in table[found]])
        else:
            column = table[found]
        if found != canonical and canonical not in table.colnames:
            renamed.remove_column(found)
            renamed.meta["renamed"][found] = canonical
        renamed[canonical] = column
    if "id" not in renamed.colnames:
        renamed["id"] = np.arange(len(renamed))
    return renamed


def _rename(table: Table, columns: Mapping[str, str], path: str | os.PathLike[str]) -> None:
    """Give the columns that the user named their canonical names."""
    for canonical, name in columns.items():
        if name not in table.colnames:
            raise InputError(
                f"{path}: no column {name} for {canonical}; it has {named_columns(table.colnames)}"
            )
        values = table[name]
        if canonical in table.colnames:
            table.remove_column(canonical)
        table[canonical] = values


def named_columns(names: Sequence[str], most: int = 40) -> str:
    """Return "id, ra, dec and 163 more" for an error message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _as_numbers(column: MaskedColumn | Sequence[float], name: str) -> np.ndarray | None:
    """Return a column as float64 with NaN where it is masked, or None if it holds no numbers."""
    masked = np.ma.asarray(column)
    hidden = np.ma.getmaskarray(masked)
    try:
        # Not of the masked array itself: the fill value of words is no number.
        numbers = np.full(masked.shape, np.nan)
        numbers[~hidden] = masked.data[~hidden].astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        warnings.warn(
            f"column {name} of the catalogue holds text, not numbers; it is passed over",
            InputWarning,
            stacklevel=4,
        )
        return None
    return numbers


def _magnitudes_from_flux(table: Table, zero_point: float | None) -> np.ndarray:
    """Return AB magnitudes from the table's flux in F160W; NaN where there is none."""
    present = {name.casefold(): name for name in table.colnames}
    found = next((present[name] for name in _FLUXES if name in present), None)
    flux = None if found is None else _as_numbers(table[found], found)
    if flux is None:
        return np.full(len(table), np.nan)
    if zero_point is None:
        zero_point = _FLUX_ZERO_POINT
        warnings.warn(
            f"the catalogue has fluxes ({found}) and no zero point; {zero_point:g} is assumed, "
            "that of 3D-HST",
            InputWarning,
            stacklevel=3,
        )
    positive = np.where(flux > 0, flux, np.nan)
    return np.asarray(zero_point - 2.5 * np.log10(positive))


def _redshifts_beside(table: Table, path: Path) -> np.ndarray:
    """Return the redshifts of the table's galaxies from a second table, matched by id."""
    second = _canonical(_read_table(path))
    if "redshift" not in second.colnames:
        return np.full(len(table), np.nan)
    by_id = dict(zip(second["id"], second["redshift"], strict=True))
    return np.array([by_id.get(one, np.nan) for one in table["id"]], float)


def _range(table: Table, name: str, label: str) -> str:
    """Return "z from 0.1 to 4.06" for an error message, or that there are none."""
    values = np.asarray(table[name], float)
    if not np.isfinite(values).any():
        return f"no {label}"
    return f"{label} from {np.nanmin(values):.4g} to {np.nanmax(values):.4g}"


def _text(value: object) -> str:
    """Return a table's string, which FITS may hand out as bytes; "" where it is masked."""
    if value is np.ma.masked:
        return ""
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()


def _name(row: Row, column: str) -> str | None:
    """Return the row's file or filter name, None if the column or the value is missing."""
    return (str(row[column]) or None) if column in row.colnames else None


def _number(row: Row, column: str) -> float | None:
    """Return the row's number, None if the column or the value is missing."""
    value = float(row[column]) if column in row.colnames else np.nan
    return value if np.isfinite(value) else None


def _hdu(row: Row, column: str) -> int | str | None:
    """Return number or name of the row's HDU, None if the column or the value is missing."""
    value = row[column] if column in row.colnames else ""
    if isinstance(value, np.number):
        return int(value) if np.isfinite(value) else None
    name = _text(value)
    return int(name) if name.isdigit() else name or None
