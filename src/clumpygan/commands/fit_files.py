"""The files of a fit: each whole or absent, the ECSV table last of all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.units import Unit

from clumpygan.errors import InputError
from clumpygan.fitting.result import plain_value
from clumpygan.io import atomic_path
from clumpygan.io.cube_writing import write_cube

if TYPE_CHECKING:
    from clumpygan.commands.fit_sources import Loaded
    from clumpygan.fitting import FitResult

TABLE, MODELS = "table.ecsv", "models.ecsv"
UNITS = ("arcsec", "km/s", "deg")
"""Of parameters, that FITS and ECSV know."""

_CARDS = {
    "chi_squared": ("CHI2", "of the best model"),
    "degrees_of_freedom": ("DOF", "degrees of freedom"),
    "reduced_chi_squared": ("RCHI2", "chi^2 per degree of freedom"),
    "log_evidence": ("LOGZ", "log evidence, relative to no line"),
    "signal_to_noise": ("SNR", "of the model cube as a whole"),
    "pareto_k": ("PARETOK", "tail of the importance weights"),
    "evaluations": ("NEVAL", "cubes rendered"),
    "converged": ("CONVERGD", "whether to be relied on"),
    "variance_estimated": ("VAREST", "variance estimated from the sides"),
    "flux_unit": ("FLUXUNIT", "of the flux"),
    "file": ("INFILE", "what was fitted"),
    "command": ("COMMAND", "that made this"),
    "clumpygan": ("CLUMPYGN", "version"),
}
"""Of the table's meta -> FITS keyword and comment; all of it is in META as JSON."""


def file_of(folder: Path, name: str, what: str) -> Path:
    """Return the path of one file of a result, such as "samples.fits"."""
    return folder / f"{name}_{what}"


def wanted_files(picture: bool, cubes: bool, models: bool = False) -> tuple[str, ...]:
    """Return what a result consists of, the table that says it is complete last."""
    files = ["table.fits", "samples.fits"]
    files += [MODELS] if models else []
    files += ["model.fits", "residual.fits"] if cubes else []
    return (*files, *(["picture.png"] if picture else []), TABLE)


def write_result(
    folder: Path,
    name: str,
    result: FitResult,
    loaded: Loaded,
    origin: Mapping[str, Any],
    *,
    models: Table | None = None,
    picture: bool,
    cubes: bool,
) -> Table:
    """Write all files of one fit.

    Parameters
    ----------
    folder : Path
    name : str
        First part of the files' names.
    result : FitResult
    loaded : Loaded
        What was fitted.
    origin : mapping
        What was fitted, by which command; added to the meta of the table.
    models : astropy.table.Table, optional
        The comparison of several models, of which `result` is the most probable one.
    picture, cubes : bool
        Whether the picture, and model and residual cubes are wanted.

    Returns
    -------
    astropy.table.Table
        As it was written.
    """
    file_of(folder, name, TABLE).unlink(missing_ok=True)
    table = result_table(result, loaded.truth, origin)
    file_of(folder, name, MODELS).unlink(missing_ok=True)
    if models is not None:
        columns = models.colnames
        table.meta["models"] = [{one: plain_value(row[one]) for one in columns} for row in models]
        with atomic_path(file_of(folder, name, MODELS)) as path:
            models.write(path, format="ascii.ecsv")
    with atomic_path(file_of(folder, name, "samples.fits")) as path:
        _samples(result).write(path, format="fits")
    if cubes:
        _write_cubes(folder, name, result, loaded)
    if picture:
        from clumpygan.fitting.picture import save_picture

        with atomic_path(file_of(folder, name, "picture.png")) as path:
            save_picture(result, path, title=name, truth=loaded.truth)
    with atomic_path(file_of(folder, name, "table.fits")) as path:
        _table_hdus(table).writeto(path, checksum=True)
    with atomic_path(file_of(folder, name, TABLE)) as path:
        table.write(path, format="ascii.ecsv")
    return table


def result_table(result: FitResult, truth: Mapping[str, float], origin: Mapping[str, Any]) -> Table:
    """Return the table of a result with all that there is to say about it as meta."""
    table = result.table.copy()
    if truth:
        names = [str(name) for name in table["name"]]
        table["truth"] = [truth.get(name, np.nan) for name in names]
    summary = result.summary()
    del summary["parameters"]
    table.meta = {**origin, **summary}
    return table


def read_result(folder: Path, name: str) -> Table | None:
    """Return the table of a finished fit, None if there is none.

    Raises
    ------
    InputError
        If it can't be read.
    """
    path = file_of(folder, name, TABLE)
    if not path.exists():
        return None
    try:
        table = Table.read(path, format="ascii.ecsv")
        _ = table["name"], table["median"], table.meta["choices"], table.meta["source"]
    except Exception as problem:  # each part of the format has errors of its own
        reason = " ".join(str(problem).split())[:120]
        raise InputError(
            f"{path}: isn't a table of fit.py ({reason}); remove it, or give --overwrite"
        ) from problem
    return table


def _samples(result: FitResult) -> Table:
    samples = result.samples.copy()
    for row in result.table:
        if row["unit"] in UNITS:
            samples[row["name"]].unit = Unit(row["unit"])
    return samples


def _table_hdus(table: Table) -> fits.HDUList:
    """Return the table as FITS, with its meta as cards."""
    plain = table.copy()
    plain.meta = {}
    hdu = fits.table_to_hdu(plain)
    hdu.name = "FIT"
    for key, (keyword, comment) in _CARDS.items():
        value = table.meta.get(key)
        if value is not None:
            if isinstance(value, str):
                value = value.encode("ascii", "backslashreplace").decode()
            hdu.header[keyword] = value if isinstance(value, str) else (value, comment)
    for number, problem in enumerate(table.meta["problems"], 1):
        hdu.header[f"PROBL{number:03d}"] = problem
    hdu.header["META"] = json.dumps(table.meta)
    return fits.HDUList([fits.PrimaryHDU(), hdu])


def _write_cubes(folder: Path, name: str, result: FitResult, loaded: Loaded) -> None:
    """Write model and residual in the unit and on the grid of the data."""
    factor = loaded.per_voxel
    units = {row.name: row.unit for row in result.coordinates.model.table if row.unit}
    if result.observation.flux_unit:
        units["flux"] = result.observation.flux_unit
    for what, data in (("model", result.model_cube), ("residual", result.residual_cube)):
        write_cube(
            file_of(folder, name, f"{what}.fits"),
            data / factor,
            axis=loaded.axis,
            pixel_scale=loaded.pixel_scale,
            wcs=loaded.wcs,
            unit=loaded.unit,
            beam=loaded.beam,
            parameters=result.values,
            comments=units,
        )
