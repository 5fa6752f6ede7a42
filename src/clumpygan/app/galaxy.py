"""A galaxy that is recovered for the page, and what is said of a place in it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.recovery.catalogue import source_table
from clumpygan.recovery.pipeline import recover_with
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.recovery.result import Recovery
from clumpygan.recovery.settings import RecoverySettings
from clumpygan.settings import from_mapping

REACH = 0.3
"""Arcsec from a click, within which a source is meant."""


@lru_cache(maxsize=1)
def network(name: str) -> SuperResolver:
    """Load a network once."""
    return SuperResolver.from_checkpoint(name)


def recover_galaxy(chosen: Mapping[str, Any]) -> Recovery:
    """Recover a galaxy.

    Parameters
    ----------
    chosen : mapping
        Fields of `RecoverySettings`.

    Raises
    ------
    InputError
        See `clumpygan.recover`.
    """
    settings = from_mapping(RecoverySettings, chosen)
    return recover_with(settings, network(str(settings.checkpoint)))


def told_of(recovery: Recovery, x: float, y: float) -> tuple[list[tuple[str, str]], int | None]:
    """Return what is known of a place.

    Parameters
    ----------
    recovery : Recovery
    x, y : float
        Arcsec from the middle of the stamp.

    Returns
    -------
    rows : list of (str, str)
        What it is, and its value, with 68 % intervals.
    source : int or None
        Which source it is, of `recovery.sources`; None where there is none.
    """
    table, unit = source_table(recovery), recovery.unit
    away = np.hypot(table["dx"] - x, table["dy"] - y) if len(table) else np.array([np.inf])
    nearest = int(np.argmin(away))
    if away[nearest] > REACH:
        return _of_pixel(recovery, x, y), None
    row = table[nearest]
    rows = [
        ("what", "nucleus of the galaxy" if row["nucleus"] else "source beside the nucleus"),
        ("probability", f"{row['probability']:.2f} ({row['share']:.2f} of the samples have it)"),
        ("flux", f"{_interval(row, 'flux')} {unit}"),
    ]
    if unit == "nJy":
        rows.append(("AB magnitude", _magnitude(row)))
    rows.append(("half-light radius", f"{_interval(row, 'half_light_radius')} arcsec"))
    rows.append(("place", f"x {row['dx']:+.2f}, y {row['dy']:+.2f} arcsec from the middle"))
    if "ra" in table.colnames:
        rows.append(("RA, Dec", f"{row['ra']:.6f}, {row['dec']:+.6f} deg (ICRS)"))
    return rows, nearest


def _of_pixel(recovery: Recovery, x: float, y: float) -> list[tuple[str, str]]:
    """Return what is known of a pixel without a source."""
    scale, shape = recovery.scene.grid.target_scale, recovery.best.shape
    row, column = (round(p / scale + (n - 1) / 2) for p, n in zip((y, x), shape, strict=True))
    place = ("place", f"x {x:+.2f}, y {y:+.2f} arcsec from the middle")
    inside = 0 <= row < shape[0] and 0 <= column < shape[1]
    if not inside or recovery.mask[row, column]:
        return [("what", "no data here"), place]
    value, error = float(recovery.best[row, column]), float(recovery.error[row, column])
    return [
        ("what", "no source of the samples here"),
        ("brightness", f"{value:.3g} +- {error:.2g} {recovery.unit} per {scale:g} arcsec pixel"),
        place,
    ]


def _interval(row: Any, name: str) -> str:
    low, middle, high = (float(row[key]) for key in (f"{name}_low", name, f"{name}_high"))
    if not np.isfinite(middle):
        return "not defined"
    return f"{middle:.3g} (68 %: {low:.3g} to {high:.3g})"


def _magnitude(row: Any) -> str:
    faint, middle, bright = (
        NANOJANSKY_ZERO_POINT - 2.5 * np.log10(float(row[key])) if row[key] > 0 else np.inf
        for key in ("flux_low", "flux", "flux_high")
    )
    if not np.isfinite(middle):
        return "not defined"
    return f"{middle:.2f} (68 %: {bright:.2f} to {faint:.2f})"
