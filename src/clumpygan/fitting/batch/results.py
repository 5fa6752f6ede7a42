"""The files of a fit: each whole or absent, the ECSV table last of all."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.units import Unit

from clumpygan import __version__
from clumpygan.errors import InputError, reason
from clumpygan.fitting.products.files import CURVE, PRODUCTS
from clumpygan.fitting.settings import BatchSettings
from clumpygan.io.atomic import atomic_path, check_output_path, protected
from clumpygan.io.fits import card_text, write_fits
from clumpygan.io.tables import read_table
from clumpygan.settings import plain

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

TABLE, MODELS, RINGS = "table.ecsv", "models.ecsv", "rings.ecsv"
RINGS_PICTURE, POSTERIOR = "rings.png", "posterior.nc"
FILES = (
    *("table.fits", "samples.fits", "model.fits", "residual.fits", "picture.png"),
    *(*PRODUCTS, MODELS, RINGS, RINGS_PICTURE, POSTERIOR, TABLE),
)
"""All that a result may consist of."""

UNITS = ("arcsec", "km/s", "deg")
"""Units of parameters that FITS and ECSV know."""

_CARDS = {
    "chi_squared": ("CHI2", "of the best model"),
    "degrees_of_freedom": ("DOF", "degrees of freedom"),
    "reduced_chi_squared": ("RCHI2", "chi^2 per degree of freedom"),
    "log_evidence": ("LOGZ", "log evidence, relative to no line"),
    "verdict": ("VERDICT", "good, doubtful, no detection"),
    "signal_to_noise": ("SNR", "of the model cube as a whole"),
    "pareto_k": ("PARETOK", "tail of the importance weights"),
    "evaluations": ("NEVAL", "cubes rendered"),
    "converged": ("CONVERGD", "optimum reached, draws as they should be"),
    "variance_estimated": ("VAREST", "variance estimated from the sides"),
    "flux_unit": ("FLUXUNIT", "of the flux"),
    "file": ("INFILE", "what was fitted"),
    "command": ("COMMAND", "that made this"),
    "clumpygan": ("CLUMPYGN", "version"),
}
"""Key of the table's meta -> FITS keyword and comment; all of it is in META as JSON."""

_GOODNESS_CARDS = {
    "CHI2SIG": ("chi_squared_of_signal", "per voxel where there is signal"),
    "LEFT": ("share_left", "share of the light that the model leaves"),
    "GAIN": ("gain", "chi^2 over no galaxy"),
    "VARFACT": ("variance_factor", "that the variance should have"),
    "MISFIT": ("misfit", "by which errors are wider"),
}


def file_of(folder: Path, name: str, what: str) -> Path:
    """Return the path of one file of a result, such as "samples.fits"."""
    return folder / f"{name}_{what}"


def wanted_files(
    batch: BatchSettings, models: bool = False, of_map: bool = False
) -> tuple[str, ...]:
    """Return what a result consists of, the table that says it is complete last.

    Of a velocity map there is the rotation curve, in place of all that is measured in a cube.
    """
    files = ["table.fits", "samples.fits"]
    files += [MODELS] if models else []
    files += ["model.fits", "residual.fits"] if batch.model_cubes else []
    files += ((CURVE,) if of_map else PRODUCTS) if batch.maps else ()
    files += [POSTERIOR] if batch.inference_data else []
    return (*files, *(["picture.png"] if batch.picture else []), TABLE)


def check_results(folder: Path, names: Iterable[str], inputs: Iterable[Path]) -> None:
    """Refuse fits whose files would replace what is read, before any work is spent on them.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        First parts of the files' names.
    inputs : iterable of Path
        Beside those that are `protected`.

    Raises
    ------
    InputError
        For the first file that can't be written.
    """
    with protected(inputs):
        for name in names:
            for path in (file_of(folder, name, what) for what in FILES):
                if os.path.lexists(path):
                    check_output_path(path)


def write_result(
    folder: Path,
    name: str,
    result: "FitResult",
    *,
    picture: bool = True,
    wcs: bool = False,
    cubes: bool = True,
    maps: bool = True,
    inference_data: bool = False,
) -> Table:
    """Write all files of one fit.

    Parameters
    ----------
    folder : Path
    name : str
        First part of the files' names.
    result : FitResult
    picture, cubes, maps : bool
        Whether the picture, model and residual cubes, and maps, slit, profiles and derived
        quantities are wanted.
    wcs : bool
        Whether the axes of the picture's maps are in right ascension and declination.
    inference_data : bool
        Whether the draws are wanted as ArviZ's InferenceData.

    Returns
    -------
    astropy.table.Table
        As it was written.
    """
    file_of(folder, name, TABLE).unlink(missing_ok=True)
    table, models = result_table(result), result.comparison
    for what, own in ((MODELS, models), (RINGS, result.rings)):
        file_of(folder, name, what).unlink(missing_ok=True)
        if own is not None:
            with atomic_path(file_of(folder, name, what)) as path:
                own.write(path, format="ascii.ecsv")
    with atomic_path(file_of(folder, name, "samples.fits")) as path:
        _samples(result).write(path, format="fits")
    if cubes:
        result.write_models(folder, name)
    if maps:
        result.write_products(folder, name)
    if inference_data:
        data = result.to_inference_data()
        with atomic_path(file_of(folder, name, POSTERIOR)) as path:
            data.to_netcdf(str(path), engine="h5netcdf")
    if picture:
        figure = result.plot(title=name, wcs=wcs)
        with atomic_path(file_of(folder, name, "picture.png")) as path:
            figure.savefig(path, format="png")
    _write_rings_picture(folder, name, result if picture else None)
    write_fits(file_of(folder, name, "table.fits"), _table_hdus(table))
    with atomic_path(file_of(folder, name, TABLE)) as path:
        table.write(path, format="ascii.ecsv")
    return table


def _write_rings_picture(folder: Path, name: str, result: "FitResult | None") -> None:
    """Draw the rings of a result that has some; else remove what another fit has left."""
    file_of(folder, name, RINGS_PICTURE).unlink(missing_ok=True)
    if result is None or result.rings is None:
        return
    figure = result.plot_rings(title=name)
    with atomic_path(file_of(folder, name, RINGS_PICTURE)) as path:
        figure.savefig(path, format="png")


def result_table(result: "FitResult") -> Table:
    """Return the table of a result with all that there is to say about it as meta."""
    table, truth, models = result.table.copy(), result.observation.truth, result.comparison
    names = [str(name) for name in table["name"]]
    if not truth.keys().isdisjoint(names):
        table["truth"] = [truth.get(name, np.nan) for name in names]
    summary = result.summary()
    del summary["parameters"]
    table.meta = {"clumpygan": __version__, "choices": {}, "source": {}, **result.origin, **summary}
    if models is not None:
        table.meta["models"] = [
            {column: plain(row[column]) for column in models.colnames} for row in models
        ]
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
        table = read_table(path)
        _ = table["name"], table["median"], table.meta["choices"], table.meta["source"]
        _ = table["limit"], table.meta["verdict"], table.meta["goodness"]
        for column in table.colnames:
            # The reader takes empty words for missing ones.
            if table[column].dtype.kind == "U":
                table[column] = np.ma.filled(table[column], "")
    except Exception as problem:  # each part of the format has errors of its own
        raise InputError(
            f"{path}: isn't a table of fit.py ({reason(problem)}); remove it, or give `overwrite`"
        ) from problem
    return table


def _samples(result: "FitResult") -> Table:
    samples = result.samples.copy()
    for row in result.table:
        if row["unit"] in UNITS:
            samples[row["name"]].unit = Unit(row["unit"])
    return samples


def _table_hdus(table: Table) -> fits.HDUList:
    """Return the table as FITS, with its meta as cards."""
    bare = table.copy()
    bare.meta = {}
    hdu = fits.table_to_hdu(bare)
    hdu.name = "FIT"
    for key, (keyword, comment) in _CARDS.items():
        value = table.meta.get(key)
        if value is not None:
            hdu.header[keyword] = card_text(value) if isinstance(value, str) else (value, comment)
    for keyword, (key, comment) in _GOODNESS_CARDS.items():
        value = table.meta["goodness"][key]
        if value is not None:
            hdu.header[keyword] = value, comment
    for stem, key in (("PROBL", "problems"), ("REMRK", "remarks")):
        for number, text in enumerate(table.meta[key], 1):
            hdu.header[f"{stem}{number:03d}"] = card_text(text)
    hdu.header["META"] = json.dumps(table.meta)
    return fits.HDUList([fits.PrimaryHDU(), hdu])
