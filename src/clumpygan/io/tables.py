"""Tables from files of any format: the one reader of all that the project reads."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.errors import InputError
from clumpygan.io.fits import open_fits

_FITS = (".fits", ".fit", ".fts")
_TEXT = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
_PARQUET = (".parquet", ".parq", ".pq")


def read_table(path: Path, what: str = "table") -> Table:
    """Read a table from FITS, Parquet, ECSV, CSV or plain text with column names in its first line.

    The ending of the name decides, gzipped (.gz) or not; FITS files are opened with the guards of
    `open_fits`, and it is their first table that is read.

    Parameters
    ----------
    path : Path
    what : str
        What is expected, for messages.

    Returns
    -------
    astropy.table.Table
        Strings are str.

    Raises
    ------
    InputError
        If there is no such file, it can't be read, or holds no table.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a {what}")
    name = path.name.casefold().removesuffix(".gz")
    if name.endswith(_PARQUET):
        return _read_parquet(path, what)
    if not name.endswith(_FITS):
        return _read_text(path, name, what)
    with open_fits(path) as hdus:
        index = next((i for i, one in enumerate(hdus) if not one.is_image), None)
        if index is None:
            raise InputError(f"{path}: holds no table; expected a {what}")
        table = Table.read(hdus[index])
        table.convert_bytestring_to_unicode()  # of a damaged file it fails, and is refused
    return table


def _read_parquet(path: Path, what: str) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        columns = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise InputError(
            f"{path}: can't be read as Parquet ({reason}); expected a {what}"
        ) from problem
    table = Table()
    for name in columns.column_names:
        values = columns[name].to_numpy()
        words = pyarrow.types.is_string(columns[name].type) or pyarrow.types.is_large_string(
            columns[name].type
        )
        table[name] = np.array(["" if one is None else one for one in values]) if words else values
    return table


def _read_text(path: Path, name: str, what: str) -> Table:
    form = next((form for end, form in _TEXT.items() if name.endswith(end)), "ascii")
    try:
        return Table.read(path, format=form)
    except Exception as problem:  # astropy's readers raise a wide choice of exceptions
        reason = " ".join(str(problem).split())[:120]
        raise InputError(
            f"{path}: can't be read as a {what} ({reason}); expected FITS, ECSV, CSV or a plain "
            "table with column names in its first line"
        ) from problem
