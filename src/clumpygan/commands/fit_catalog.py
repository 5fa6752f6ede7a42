"""What differs from cube to cube of `fit.py`: a table with a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.errors import InputError

NAME = "name"
NUMBERS = ("redshift", "psf_fwhm", "line_spread", "size")
CENTRE = ("ra", "dec")

Own = tuple[tuple[str, float | tuple[float, float]], ...]
"""Flags of one cube, and their values."""


def read_fit_catalog(path: Path, names: Sequence[str]) -> dict[str, Own]:
    """Read the settings of cubes.

    Parameters
    ----------
    path : Path
        Text, CSV, ECSV or FITS, with the column `name`, and any of `redshift`, `psf_fwhm`
        [arcsec], `line_spread` [km/s], `size` [arcsec], `ra` and `dec` [deg] of its centre. Others
        are left alone.
    names : sequence of str
        Of the cubes, without the endings of their files.

    Returns
    -------
    dict
        Name -> flags and their values. What is masked or NaN there is left out.

    Raises
    ------
    InputError
        If it can't be read, has none of these columns, or no row, or several, for a cube.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a table of cubes")
    try:
        plain = path.suffix.lower() in (".txt", ".dat", ".csv", ".tsv", "")
        table = Table.read(path, **({"format": "ascii"} if plain else {}))
    except Exception as problem:  # each format has errors of its own
        reason = " ".join(str(problem).split())[:120]
        raise InputError(f"{path}: can't be read as a table ({reason})") from problem
    known = [name for name in (*NUMBERS, *CENTRE) if name in table.colnames]
    if NAME not in table.colnames or not known:
        raise InputError(
            f"{path}: has columns {', '.join(table.colnames[:12])}; expected {NAME}, and any of "
            f"{', '.join((*NUMBERS, *CENTRE))}"
        )
    if len({*CENTRE} & {*known}) == 1:
        raise InputError(f"{path}: has one of the columns ra and dec; expected both")
    rows = [str(name).strip() for name in table[NAME]]
    found = {}
    for name in names:
        count = rows.count(name)
        if count != 1:
            raise InputError(f"{path}: has {count or 'no'} rows of the cube {name}; expected one")
        row = table[rows.index(name)]
        values = {one: _number(path, name, one, row[one]) for one in known}
        found[name] = _flags(values)
    return found


def _flags(values: dict[str, float]) -> Own:
    flags: list[tuple[str, float | tuple[float, float]]] = [
        (name, values[name]) for name in NUMBERS if np.isfinite(values.get(name, np.nan))
    ]
    centre = tuple(values.get(name, np.nan) for name in CENTRE)
    if np.isfinite(centre).all():
        flags.append(("position", centre))
    return tuple(flags)


def _number(path: Path, name: str, column: str, value: object) -> float:
    if value is np.ma.masked:
        return np.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(
            f"{path}: {column} of {name} is {str(value)!r}; expected a number"
        ) from None
