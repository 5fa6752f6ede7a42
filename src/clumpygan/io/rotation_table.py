"""Rotation curves from files: one row for each ring."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clumpygan.errors import InputError, reason
from clumpygan.io.tables import read_table


def read_rotation_table(path: Path) -> tuple[tuple[float, float], ...]:
    """Read radii in arcsec and velocities in km/s.

    Parameters
    ----------
    path : Path
        Text, CSV, ECSV or FITS. The columns `radius` and `velocity`, or else the first two.

    Returns
    -------
    tuple of (radius, velocity)

    Raises
    ------
    InputError
        If it can't be read, has fewer than two rows or columns, a value isn't a finite number, or
        the radii don't rise.
    """
    table = read_table(path, "table of radius [arcsec] and velocity [km/s]")
    try:
        names = ["radius", "velocity"]
        if not set(names) <= set(table.colnames):
            names = table.colnames[:2]
        radius, velocity = (np.ma.filled(table[name], np.nan).astype(float) for name in names)
    except Exception as error:  # each format has errors of its own
        raise InputError(
            f"{path}: can't be read as a table of radius [arcsec] and velocity [km/s]"
            f" ({reason(error)})"
        ) from error
    if not (np.isfinite(radius).all() and np.isfinite(velocity).all()):
        raise InputError(f"{path}: values that aren't finite; expected numbers in every row")
    if len(radius) < 2 or radius[0] < 0 or not (np.diff(radius) > 0).all():
        raise InputError(f"{path}: expected at least 2 rows with rising radii of 0 or more")
    return tuple(zip(radius.tolist(), velocity.tolist(), strict=True))
