"""The cubes of a batch: FITS files, and a table of what differs from one to the next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from clumpygan.errors import InputError
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.input_cubes import input_cube, input_map
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.settings import FitSettings
from clumpygan.io.fits import stem_of
from clumpygan.io.tables import read_table

NAME = "name"
NUMBERS = ("redshift", "psf_fwhm", "line_spread", "size")
CENTRE = ("ra", "dec")


class CubeSource(Protocol):
    """One cube to be fitted; it can be sent to another process."""

    @property
    def name(self) -> str:
        """First part of the names of its files."""

    @property
    def path(self) -> Path:
        """What the data are read from."""

    @property
    def identity(self) -> Mapping[str, str | int]:
        """What says that it is the same one."""

    @property
    def own(self) -> Mapping[str, Any]:
        """Settings that differ from cube to cube, and their values."""

    def load(self, settings: FitSettings) -> tuple[Mapping[str, DiskFitter], Observation]:
        """Read it; return the fitters, by their rotation curves, and what they are to fit."""


@dataclass(frozen=True)
class CubeFile:
    """A FITS file.

    Attributes
    ----------
    name : str
        First part of the names of its files.
    path : Path
    own : mapping
        Settings of this cube alone, as the catalogue has them.
    """

    name: str
    path: Path
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> Mapping[str, str | int]:
        """Its absolute path."""
        return {"file": str(self.path.resolve())}

    def load(self, settings: FitSettings) -> tuple[Mapping[str, DiskFitter], Observation]:
        """Read it; return the fitters, by their rotation curves, and what they are to fit."""
        settings = settings.but(self.own)
        if settings.map:
            found = input_map(self.path, settings)
            fitters = fitters_of(settings, pixel_scale=found.pixel_scale)
            return fitters, next(iter(fitters.values())).observe(found)
        cube, settings = input_cube(self.path, settings)
        fitters = fitters_of(settings, pixel_scale=cube.pixel_scale)
        return fitters, next(iter(fitters.values())).observe(cube)


def cube_files(
    paths: Sequence[str | Path], settings: FitSettings, catalog: Path | None = None
) -> list[CubeFile]:
    """Return FITS files as the cubes of a batch, each with a name of its own.

    Files of the same name in folders of their own, as instruments' pipelines leave them, are named
    after these too.

    Parameters
    ----------
    paths : sequence of path
    settings : FitSettings
        Of all cubes.
    catalog : Path, optional
        See `read_fit_catalog`.

    Raises
    ------
    InputError
        If two cubes would have the same name, the catalogue can't be used, or it says what the
        settings say too.
    """
    files = list(dict.fromkeys(Path(path) for path in paths))
    many = Counter(stem_of(path) for path in files)
    names = [
        stem_of(path)
        if many[stem_of(path)] == 1
        else f"{path.resolve().parent.name}_{stem_of(path)}"
        for path in files
    ]
    for name, count in Counter(names).items():
        if count > 1:
            both = [str(path) for path, own in zip(files, names, strict=True) if own == name]
            raise InputError(f"{both[0]} and {both[1]} would both become {name}; rename one")
    own: dict[str, dict[str, Any]] = {}
    if catalog is not None:
        own = read_fit_catalog(catalog, [stem_of(path) for path in files])
        for name in {name for row in own.values() for name in row}:
            if getattr(settings, name) is not None:
                raise InputError(
                    f"`{name}` is given, and {catalog} has it too: leave one of them out"
                )
    return [
        CubeFile(name, path, own.get(stem_of(path), {}))
        for name, path in zip(names, files, strict=True)
    ]


def read_fit_catalog(path: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
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
        Name -> settings and their values. What is masked or NaN there is left out.

    Raises
    ------
    InputError
        If it can't be read, has none of these columns, or no row, or several, for a cube.
    """
    table = read_table(path, "table of cubes")
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
        settings: dict[str, Any] = {
            one: values[one] for one in NUMBERS if np.isfinite(values.get(one, np.nan))
        }
        centre = tuple(values.get(one, np.nan) for one in CENTRE)
        found[name] = settings | ({"position": centre} if np.isfinite(centre).all() else {})
    return found


def _number(path: Path, name: str, column: str, value: object) -> float:
    if value is np.ma.masked:
        return np.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(
            f"{path}: {column} of {name} is {str(value)!r}; expected a number"
        ) from None
