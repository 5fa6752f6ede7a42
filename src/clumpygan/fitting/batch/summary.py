"""The summary of all fits in a folder: results.ecsv, and what is printed at the end."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from clumpygan.errors import InputError, reason
from clumpygan.fitting.batch.outcome import CRASHED, Outcome
from clumpygan.fitting.batch.results import UNITS
from clumpygan.fitting.goodness.verdict import DOUBTFUL, FAILED, GOOD, LIMIT, NO_DETECTION
from clumpygan.io.atomic import atomic_path, check_output_path, only_one
from clumpygan.io.tables import read_table
from clumpygan.settings import plain

SUMMARY = "results.ecsv"

_DIAGNOSTICS = ("reduced_chi_squared", "log_evidence", "signal_to_noise", "pareto_k")
_GOODNESS = ("chi_squared_of_signal", "share_left", "variance_factor", "misfit")
_LOCK = "lock"

_DERIVED = ("kpc", "solMass")
"""Units of derived quantities."""

_QUOTED = {
    "velocity_2.2rd": "V(2.2 R_d)",
    "velocity_sin_inclination": "V sin i",
    "velocity_over_dispersion": "V/sigma",
    "dynamical_mass_re": "M_dyn(R_e)",
}
"""Derived quantities that are printed, and how."""


def check_summary(folder: Path, inputs: Iterable[Path]) -> None:
    """Refuse a summary that is one of the inputs, or isn't one, before any work is spent.

    Raises
    ------
    InputError
        If so.
    """
    path = folder / SUMMARY
    if os.path.lexists(path):
        check_output_path(path, inputs)
        _earlier(path)


def write_summary(folder: Path, outcomes: Sequence[Outcome], command: str) -> Table:
    """Write one row for each cube; rows of earlier commands stay, but for the same cubes.

    Parameters
    ----------
    folder : Path
    outcomes : sequence of Outcome
    command : str
        The command line.

    Returns
    -------
    Table
        A row for each cube: `name`, `file`, `status` (the verdict), `messages` (its reasons),
        `remarks` (limits, and the variance, where it was wrong), diagnostics, `model` (of several
        the most probable, with `probability_MODEL` of each), and the median of
        each parameter with the ends of its 68 % interval (`_lower`, `_upper`), and of mocks with
        its true value (`_truth`), then those of the derived quantities; masked where there is none.
    """
    with only_one(folder):
        path = folder / SUMMARY
        rows = {str(row["name"]): table for table in _earlier(path) for row in table}
        rows |= {outcome.name: _row(outcome) for outcome in outcomes}
        table = vstack(list(rows.values()), metadata_conflicts="silent")
        table.meta = {"command": command}
        with atomic_path(path) as temporary:
            table.write(temporary, format="ascii.ecsv")
    (folder / _LOCK).unlink(missing_ok=True)
    return table


def text_of(table: Table) -> str:
    """Return the table of one fit for the terminal."""
    lines = []
    for row in table:
        lower, upper = row["median"] - row["lower"], row["upper"] - row["median"]
        digits = _digits(min(lower, upper))
        value = f"{row['median']:.{digits}f}"
        span = f"-{lower:.{digits}f} +{upper:.{digits}f}"
        if not 1e-3 <= abs(row["median"]) < 1e7 and row["median"]:
            value, span = f"{row['median']:.4g}", f"-{lower:.2g} +{upper:.2g}"
        if row["limit"]:
            value, span = str(row["limit"]), "(95 %)"
        lines.append(f"  {row['name']:20s} {value:>12s}  {span:20s} {row['unit']}".rstrip())
    meta = table.meta
    words = [
        f"chi^2 {meta['chi_squared']:.1f} of {meta['degrees_of_freedom']} degrees of freedom",
        f"S/N {meta['signal_to_noise']:.3g}",
    ]
    if meta["log_evidence"] is not None:
        words.append(f"log evidence {meta['log_evidence']:.1f}")
    found = meta["goodness"]
    where, what = "voxel where there is signal", "the light"
    if meta.get("map"):
        where, what = "velocity", "the velocities' scatter"
    judged = (
        f"{meta['verdict']}: chi^2 {found['chi_squared_of_signal']:.3g} per {where}, "
        f"{100 * found['share_left']:.0f} % of {what} left"
    )
    # The table itself shows limits.
    remarks = [text for text in meta["remarks"] if LIMIT not in text]
    narrow = any(
        row["name"] == "velocity_dispersion" and str(row["limit"]).startswith("<") for row in table
    )
    quoted = _quoted(meta, narrow)
    lines += [f"  {text}" for text in (", ".join(words), quoted, judged, *remarks) if text]
    return "\n".join([*lines, *_text_of_models(meta.get("models", ()))])


def _quoted(meta: Mapping[str, Any], narrow: bool) -> str:
    """Return what papers quote most, with half of the 68 % interval.

    Where of the dispersion only an upper limit is known (`narrow`), of V/sigma a lower one is.
    """
    words = []
    found = {one["name"]: one for one in meta.get("quantities", ())}
    for name, text in _QUOTED.items():
        if name == "velocity_over_dispersion" and name in found and narrow:
            words.append(f"{text} > {found[name]['lower']:.2g} (84 %)")
        elif name in found:
            value, unit = found[name]["median"], found[name]["unit"]
            half = 0.5 * (found[name]["upper"] - found[name]["lower"])
            words.append(f"{text} {value:.3g} +- {half:.2g} {unit}".rstrip())
    return ", ".join(words)


def _text_of_models(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each of several models, the most probable first."""
    lines = []
    for one in models:
        words = f"probability {one['probability']:.3g}, log evidence {one['log_evidence']:.1f}"
        if one["log_evidence_error"] is not None:
            words += f" +- {one['log_evidence_error']:.1g}"
        doubt = f", not to be relied on: {one['problems']}" if one["problems"] else ""
        lines.append(f"  model {one['model']}: {words}{doubt}")
    return lines


def closing_words(outcomes: Sequence[Outcome]) -> str:
    """Return how many cubes have which verdict, and one line for each reason of those not good."""
    counts = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in (GOOD, DOUBTFUL, NO_DETECTION, FAILED, CRASHED)
    }
    lines = [", ".join(f"{count} {status}" for status, count in counts.items() if count)]
    for status in (DOUBTFUL, NO_DETECTION, FAILED, CRASHED):
        for outcome in outcomes:
            if outcome.status == status:
                lines += [f"  {status}: {outcome.name}: {text}" for text in outcome.messages]
    return "\n".join(lines)


def report_of(outcomes: Sequence[Outcome], **more: Any) -> dict[str, Any]:
    """Return everything for the JSON file."""
    cubes = []
    for outcome in outcomes:
        cube: dict[str, Any] = {
            "name": outcome.name,
            "file": outcome.source,
            "status": outcome.status,
            "messages": list(outcome.messages),
            "remarks": list(outcome.remarks),
        }
        if outcome.table is not None:
            table = outcome.table
            cube |= {
                "parameters": [
                    {name: plain(row[name]) for name in table.colnames} for row in table
                ],
                # Tables that are read back have theirs in this order.
                "meta": _sorted(table.meta),
            }
        cubes.append(cube)
    return {**more, "cubes": cubes}


def _sorted(value: Any) -> Any:
    """Return nested mappings with their keys in alphabetical order."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list | tuple) else value


def _digits(error: float) -> int:
    """Return how many digits after the point show an error with two of its own."""
    if not 0 < error < math.inf:
        return 3
    return int(np.clip(1 - math.floor(math.log10(error)), 0, 8))


def _row(outcome: Outcome) -> Table:
    """Return the row of one cube, with its units."""
    row: dict[str, Any] = {
        "name": outcome.name,
        "file": outcome.source,
        "status": outcome.status,
        "messages": "; ".join(outcome.messages),
        "remarks": "; ".join(outcome.remarks),
    }
    if outcome.table is None:
        return Table([row])
    units: dict[str, Any] = {}
    meta = outcome.table.meta
    row |= {name: meta[name] for name in _DIAGNOSTICS if meta[name] is not None}
    row |= {
        name: meta["goodness"][name] for name in _GOODNESS if meta["goodness"][name] is not None
    }
    row["model"] = meta["settings"]["model"]["curve"]
    for one in meta.get("models", ()):
        row[f"probability_{one['model']}"] = one["probability"]
    row["cpu_seconds"] = float(sum(meta["cpu_seconds"].values()))
    for one in outcome.table:
        name = str(one["name"])
        own = {name: one["median"], f"{name}_lower": one["lower"], f"{name}_upper": one["upper"]}
        if "truth" in outcome.table.colnames and np.isfinite(one["truth"]):
            own[f"{name}_truth"] = one["truth"]
        units |= dict.fromkeys(own, one["unit"] if one["unit"] in UNITS else None)
        row |= own
    for one in meta.get("quantities", ()):
        name = one["name"]
        own = {name: one["median"], f"{name}_lower": one["lower"], f"{name}_upper": one["upper"]}
        units |= dict.fromkeys(own, one["unit"] if one["unit"] in (*UNITS, *_DERIVED) else None)
        row |= own
    table = Table([row])
    for name, unit in units.items():
        table[name].unit = unit
    return table


def _earlier(path: Path) -> list[Table]:
    """Return the rows of earlier commands, of cubes whose results are still there."""
    if not path.exists():
        return []
    try:
        table = read_table(path)
        there = [
            row["status"] in (FAILED, CRASHED)
            or (path.parent / f"{row['name']}_table.ecsv").exists()
            for row in table
        ]
    except Exception as problem:  # each part of the format has errors of its own
        raise InputError(f"{path}: can't be read ({reason(problem)}); remove it") from problem
    return [table[place : place + 1] for place in np.flatnonzero(there)]
