"""The summary of all fits in a folder: results.ecsv, and what is printed at the end."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table
from astropy.units import Unit

from clumpygan.commands.fit_batch import CRASHED, DOUBTFUL, FAILED, GOOD, Outcome
from clumpygan.commands.fit_files import UNITS
from clumpygan.errors import InputError
from clumpygan.fitting.result import plain_value
from clumpygan.io import atomic_path
from clumpygan.io.lock import only_one

SUMMARY = "results.ecsv"

_WORDS = ("name", "file", "status", "messages", "model")
_DIAGNOSTICS = ("reduced_chi_squared", "log_evidence", "signal_to_noise", "pareto_k")
_LOCK = "lock"


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
        A row for each cube: `name`, `file`, `status`, `messages`, diagnostics, `model` (of several
        the most probable, with `probability_MODEL` of each), and the median of
        each parameter with the ends of its 68 % interval (`_lower`, `_upper`), and of mocks with
        its true value (`_truth`); masked where there is none.
    """
    with only_one(folder):
        path = folder / SUMMARY
        rows = {row["name"]: row for row in _earlier(path)}
        rows |= {outcome.name: _row(outcome) for outcome in outcomes}
        units = _units_of(path) | _units(outcomes)
        table = _table(list(rows.values()), units)
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
        mark = "  at its bound" if row["at_bound"] else ""
        lines.append(f"  {row['name']:20s} {value:>12s}  {span:20s} {row['unit']}{mark}".rstrip())
    meta = table.meta
    words = [
        f"chi^2 {meta['chi_squared']:.1f} of {meta['degrees_of_freedom']} degrees of freedom",
        f"S/N {meta['signal_to_noise']:.3g}",
    ]
    if meta["log_evidence"] is not None:
        words.append(f"log evidence {meta['log_evidence']:.1f}")
    return "\n".join([*lines, "  " + ", ".join(words), *_text_of_models(meta.get("models", ()))])


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
    """Return how many cubes went well, and one line for each that didn't."""
    counts = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in (GOOD, DOUBTFUL, FAILED, CRASHED)
    }
    lines = [", ".join(f"{count} {status}" for status, count in counts.items() if count)]
    for status in (DOUBTFUL, FAILED, CRASHED):
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
        }
        if outcome.table is not None:
            table = outcome.table
            cube |= {
                "parameters": [
                    {name: plain_value(row[name]) for name in table.colnames} for row in table
                ],
                "meta": dict(table.meta),
            }
        cubes.append(cube)
    return {**more, "cubes": cubes}


def command_line(arguments: Sequence[str]) -> str:
    """Return the command as a shell takes it."""
    return shlex.join(["fit.py", *arguments])


def _digits(error: float) -> int:
    """Return how many digits after the point show an error with two of its own."""
    if not 0 < error < math.inf:
        return 3
    return int(np.clip(1 - math.floor(math.log10(error)), 0, 8))


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": outcome.name,
        "file": outcome.source,
        "status": outcome.status,
        "messages": "; ".join(outcome.messages),
    }
    if outcome.table is None:
        return row
    meta = outcome.table.meta
    row |= {name: meta[name] for name in _DIAGNOSTICS if meta[name] is not None}
    row["model"] = meta["settings"]["model"]["curve"]
    for one in meta.get("models", ()):
        row[f"probability_{one['model']}"] = one["probability"]
    row["cpu_seconds"] = float(sum(meta["cpu_seconds"].values()))
    for one in outcome.table:
        name = str(one["name"])
        row |= {name: one["median"], f"{name}_lower": one["lower"], f"{name}_upper": one["upper"]}
        if "truth" in outcome.table.colnames and np.isfinite(one["truth"]):
            row[f"{name}_truth"] = one["truth"]
    return row


def _units(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {
        f"{one['name']}{end}": str(one["unit"])
        for outcome in outcomes
        if outcome.table is not None
        for one in outcome.table
        for end in ("", "_lower", "_upper", "_truth")
        if one["unit"] in UNITS
    }


def _units_of(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    table = Table.read(path, format="ascii.ecsv")
    return {name: str(table[name].unit) for name in table.colnames if table[name].unit is not None}


def _earlier(path: Path) -> list[dict[str, Any]]:
    """Return the rows of earlier commands, of cubes whose results are still there."""
    if not path.exists():
        return []
    try:
        table = Table.read(path, format="ascii.ecsv")
        rows = [
            {name: row[name] for name in table.colnames if row[name] is not np.ma.masked}
            for row in table
        ]
        return [row for row in rows if row["status"] in (FAILED, CRASHED) or _has_table(path, row)]
    except Exception as problem:  # each part of the format has errors of its own
        reason = " ".join(str(problem).split())[:120]
        raise InputError(f"{path}: can't be read ({reason}); remove it") from problem


def _has_table(path: Path, row: dict[str, Any]) -> bool:
    return (path.parent / f"{row['name']}_table.ecsv").exists()


def _table(rows: Sequence[dict[str, Any]], units: dict[str, str]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table()
    for name in names:
        words = name in _WORDS
        values = [row.get(name, "" if words else math.nan) for row in rows]
        missing = [not words and name not in row for row in rows]
        column = MaskedColumn(values, mask=missing) if any(missing) else np.array(values)
        table[name] = column
        if name in units:
            table[name].unit = Unit(units[name])
    return table
