"""Tables from files of any format: the one reader of all that the project reads."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from clumpygan.errors import InputError, reason
from clumpygan.io.fits import is_gzipped, open_fits, unpack
from clumpygan.io.header_sizes import LARGEST_RATIO, SMALL_UNPACKED

_FITS = (".fits", ".fit", ".fts")
_TEXT = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
_SMALL_TEXT, _TEXT_RATIO = 2**25, 20
"""A compressed text may become 32 MB, or twenty times its size where that is more: in memory it is
many times as large."""

_NUMBER, _LETTER = 8, 4
"""Bytes in memory."""

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
    """Read Parquet, whose columns of equal values take next to no room in the file."""
    import pyarrow
    import pyarrow.parquet

    most = max(SMALL_UNPACKED, LARGEST_RATIO * path.stat().st_size)
    try:
        about = pyarrow.parquet.read_metadata(path)
        _check_room(path, _NUMBER * about.num_rows * about.num_columns, most)
        schema = pyarrow.parquet.read_schema(path)
        words = [one.name for one in schema if _holds_words(one.type)]
        found = pyarrow.parquet.read_table(path, read_dictionary=words)
        table = Table()
        for name, column in zip(found.column_names, found.columns, strict=True):
            if name in table.colnames:
                raise ValueError(f"two columns are called {name}")
            table[name] = _column(path, column, most)
    except InputError:
        raise
    except Exception as problem:  # Arrow's, of the operating system, and of odd types any
        raise _no_parquet(path, problem, f"expected a {what}") from problem
    return table


def read_columns(path: Path, what_to_do: str, columns: list[str] | None = None) -> Any:
    """Read Parquet that a program has written itself.

    Parameters
    ----------
    path : Path
    what_to_do : str
        End of the message where it is damaged.
    columns : list of str, optional
        Which; all without it.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If it can't be read.
    """
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path, columns=columns)
    except (OSError, pyarrow.ArrowException) as problem:
        raise _no_parquet(path, problem, what_to_do) from problem


def _no_parquet(path: Path, problem: Exception, what_to_do: str) -> InputError:
    return InputError(f"{path}: can't be read as Parquet ({reason(problem)}); {what_to_do}")


def _column(path: Path, column: Any, most: int) -> NDArray[Any]:
    """Return a column; words are str, "" where there are none."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_dictionary(kind) and _holds_words(kind.value_type):
        parts = (part.dictionary.to_pylist() for part in column.chunks)
        longest = max((len(word or "") for words in parts for word in words), default=0)
        _check_room(path, _LETTER * longest * len(column), most)
        return np.array(["" if one is None else one for one in column.to_pylist()], str)
    if pyarrow.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    return np.asarray(column.to_numpy())


def _holds_words(kind: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _check_room(path: Path, needed: int, most: int) -> None:
    """Refuse a table that takes far more room in memory than its file suggests."""
    if needed > most:
        raise InputError(
            f"{path}: unpacks to {needed / 1e6:.0f} MB, more than {most / 1e6:.0f}, {LARGEST_RATIO}"
            " times its size; write it with fewer rows or columns, or shorter words"
        )


def _read_text(path: Path, name: str, what: str) -> Table:
    form = next((form for end, form in _TEXT.items() if name.endswith(end)), "ascii")
    content = BytesIO()
    # Astropy unpacks whatever it is given, to any size.
    if is_gzipped(path):
        unpack(path, content, _SMALL_TEXT, _TEXT_RATIO)
    else:
        content.write(path.read_bytes())
    try:
        text = content.getvalue().decode("utf-8-sig")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # of numbers that became words
            return Table.read(lines, format=form)
    except Exception as problem:  # astropy's readers raise a wide choice of exceptions
        raise InputError(
            f"{path}: can't be read as a {what} ({reason(problem)}); expected FITS, ECSV, CSV or a"
            " plain table with column names in its first line"
        ) from problem
