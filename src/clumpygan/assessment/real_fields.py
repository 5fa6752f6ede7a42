"""Velocity maps of observed galaxies, from a table of files: maps as published, or cubes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clumpygan.assessment.progress import Progress, silent
from clumpygan.errors import InputError, InputWarning
from clumpygan.evaluation.cubes.velocity_fields import VelocityField
from clumpygan.fitting.cube_observation import observe_cube
from clumpygan.fitting.initial_guess import find_lines, line_shares
from clumpygan.fitting.input_cubes import input_cube, spectrograph_of
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.measuring.moments import moments
from clumpygan.io.tables import read_table
from clumpygan.io.velocity_map import read_velocity_map

OF_MAPS = ("errors", "light", "dispersion", "pixel_scale", "psf_fwhm", "noise_fwhm")
"""Columns of velocity maps, beside `velocity`: files and numbers in arcsec; `noise_fwhm` is the
FWHM of the Gaussian that white noise was smoothed with."""

OF_CUBES = ("variance", "line", "redshift", "instrument", "pixel_scale", "psf_fwhm", "line_spread",
            "velocity_low", "velocity_high")  # fmt: skip
"""Columns of cubes, beside `cube`: settings of fits; velocities in km/s between which the line is
looked for."""

_KNOWN = tuple(dict.fromkeys(("name", "set", "velocity", "cube", *OF_MAPS, *OF_CUBES)))
_FILES = ("velocity", "errors", "light", "dispersion", "cube", "variance")
_SIGNAL = 3.0
_WHITE = 0.28
_FWHM_TO_SIGMA = 0.42466

Row = Mapping[str, Any]


def read_fields(table: Path, progress: Progress = silent) -> dict[str, list[VelocityField]]:
    """Read the maps of a table of galaxies, by the name of their set.

    Parameters
    ----------
    table : pathlib.Path
        A row each (see `read_table`): `set`, `velocity` or `cube`, a FITS file relative to the
        table, and of `OF_MAPS` or `OF_CUBES` what the files don't say; `name` by default that of
        the file. Empty cells are as if they weren't there.
    progress : callable, optional

    Returns
    -------
    dict of str to list of VelocityField

    Raises
    ------
    InputError
        If the table can't be read, has columns that aren't known, or a file can't be read.
    """
    rows = list(_rows(table))
    found: dict[str, list[VelocityField]] = {}
    for row in rows:
        field = _of_map(row) if "velocity" in row else _of_cube(row)
        found.setdefault(str(row.get("set", "real")), []).append(field)
        progress(1, len(rows), "reading")
    return found


def read_cube_folder(folder: Path, progress: Progress = silent) -> list[VelocityField]:
    """Measure the cubes of a folder, as `generate.py cubes` writes them.

    Raises
    ------
    InputError
        If there are none, or one can't be read or says neither PSF nor line.
    """
    paths = sorted(path for path in folder.glob("*.fits*") if path.is_file())
    if not paths:
        raise InputError(f"{folder}: holds no FITS file; expected cubes as generate.py writes them")
    fields = []
    for path in paths:
        fields.append(_of_cube({"cube": path}))
        progress(1, len(paths), "reading")
    return fields


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    table = read_table(path, "table of galaxies")
    unknown = [name for name in table.colnames if name not in _KNOWN]
    if unknown:
        raise InputError(
            f"{path}: column {unknown[0]!r} isn't known; expected some of {', '.join(_KNOWN)}"
        )
    if not len(table):
        raise InputError(f"{path}: holds no galaxy; expected a row each")
    for place, row in enumerate(table, 1):
        given = {
            name: value
            for name in table.colnames
            if not np.ma.is_masked(value := row[name]) and str(value).strip() not in ("", "nan")
        }
        if ("velocity" in given) == ("cube" in given):
            raise InputError(
                f"{path}: row {place} has to name one file, in column velocity or cube"
            )
        allowed = ("name", "set", *(("velocity", *OF_MAPS) if "velocity" in given else
                                    ("cube", *OF_CUBES)))  # fmt: skip
        for name, value in given.items():
            if name not in allowed:
                raise InputError(
                    f"{path}: row {place} has a {name}, which doesn't go with its file; expected "
                    f"some of {', '.join(allowed)}"
                )
            # A number is an error of all velocities, or else the name of a file.
            if name in _FILES and not (name == "errors" and _is_number(value)):
                given[name] = path.parent / str(value).strip()
        yield given


def _is_number(value: Any) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _number(row: Row, name: str) -> float | None:
    if name not in row:
        return None
    if not _is_number(row[name]) or not np.isfinite(float(row[name])):
        raise InputError(f"column {name} has {str(row[name])!r}; expected a number")
    return float(row[name])


def _arcsec(row: Row, name: str, *, zero: bool = False) -> float | None:
    """Return a length, which may be 0 or has to be above it."""
    value = _number(row, name)
    if value is not None and (value < 0 or (value == 0 and not zero)):
        wanted = "0 or more" if zero else "above 0"
        raise InputError(f"column {name} has {value:g}; expected arcsec, {wanted}")
    return value


def _of_map(row: Row) -> VelocityField:
    """Read a published velocity map."""
    path, fwhm = Path(row["velocity"]), _number(row, "psf_fwhm")
    if fwhm is None or not fwhm > 0:
        raise InputError(f"{path}: expected the FWHM of its PSF in arcsec, in column psf_fwhm")
    errors = row.get("errors")
    if errors is not None and not isinstance(errors, Path):
        errors = _number(row, "errors")
    found = read_velocity_map(
        path, errors=errors, light=row.get("light"), pixel_scale=_arcsec(row, "pixel_scale"),
        unit="km/s",
    )  # fmt: skip
    scale = found.pixel_scale
    dispersion = None
    if "dispersion" in row:
        beside = read_velocity_map(
            Path(row["dispersion"]), errors=1.0, pixel_scale=scale, unit="km/s"
        )
        if beside.velocity.shape != found.velocity.shape:
            raise InputError(
                f"{row['dispersion']}: shape {beside.velocity.shape}; expected that of the "
                f"velocities, {found.velocity.shape}"
            )
        dispersion = np.where(beside.known & (beside.velocity > 0), beside.velocity, np.nan)
    noise = _arcsec(row, "noise_fwhm", zero=True) or 0.0
    return VelocityField(
        str(row.get("name", path.name)),
        np.where(found.known, found.velocity, np.nan),
        np.where(found.known, found.error, np.nan),
        fwhm / scale,
        None if found.light is None else np.where(found.known, found.light, np.nan),
        dispersion,
        float(np.hypot(_WHITE, _FWHM_TO_SIGMA * noise / scale)),
    )


def _of_cube(row: Row) -> VelocityField:
    """Measure the maps of a cube."""
    path = Path(row["cube"])
    given: dict[str, Any] = {
        name: _number(row, name)
        for name in ("redshift", "pixel_scale", "psf_fwhm", "line_spread")
        if name in row
    }
    given |= {name: str(row[name]) for name in ("variance", "line", "instrument") if name in row}
    if ("velocity_low" in row) != ("velocity_high" in row):
        raise InputError(f"{path}: columns velocity_low and velocity_high go together; give both")
    if "velocity_low" in row:
        given["velocity_range"] = (_number(row, "velocity_low"), _number(row, "velocity_high"))
    with warnings.catch_warnings():
        # How a radio map gives its velocities is of no consequence for how regular they are.
        warnings.simplefilter("ignore", InputWarning)
        cube, settings = input_cube(path, FitSettings(**given))
        observation = observe_cube(
            cube,
            spectrograph_of(settings),
            lines=settings.lines,
            redshift=settings.redshift,
            psf_fwhm=settings.psf_fwhm,
            line_spread=settings.line_spread,
        )
    return _measured(str(row.get("name", path.name)), observation)


def _measured(name: str, observation: Observation) -> VelocityField:
    frame = observation.frame
    grid, fwhm = frame.grid, frame.psf_fwhm
    if not fwhm:
        raise InputError(
            f"{name}: its PSF isn't known; give its FWHM in arcsec, in column psf_fwhm"
        )
    # Of several lines as strong as they are, or a weak one is taken for another.
    lines = line_shares(observation, find_lines(observation))
    found = moments(
        np.where(observation.valid, observation.data, np.nan),
        grid.centres[0],
        variance=np.where(observation.valid, observation.variance, np.nan),
        method="moments" if len(lines) == 1 else "gaussian",
        lines=lines,
        signal_to_noise=_SIGNAL,
        line_spread=grid.line_spread[0],
        channel_response=grid.channel_response,
    )
    return VelocityField(
        name, found.velocity, found.velocity_error, fwhm / grid.pixel_scale,
        np.where(found.mask, found.flux, np.nan), found.dispersion,
    )  # fmt: skip
