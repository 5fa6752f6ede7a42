"""The jobs of a sweep in one table, with the best of them named."""

import csv
import re
import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clumpygan.errors import InputError
from clumpygan.io import atomic_path
from clumpygan.training.sweeps.results import FAILED, FINISHED, Result, of_training, read_results

TABLE = "results.csv"
"""Name of the table in the folder of a sweep."""

_COLUMNS = ("status", "criterion", "best", "images", "seconds", "folder", "overrides", "message")


def check_results(results: Sequence[Result], *, search: bool) -> None:
    """Refuse a sweep in which a job failed, or a search in which all did.

    Raises
    ------
    InputError
        With what the first of them said.
    """
    failed = [result for result in results if result.status == FAILED]
    if not results:
        raise InputError("no job of the sweep has left a result")
    if failed and (not search or len(failed) == len(results)):
        raise InputError(
            f"{len(failed)} of {len(results)} jobs failed, the first with: {failed[0].message}"
        )


def show_table(folder: Path, name: str) -> tuple[list[Result], str]:
    """Write the table of a sweep; return its results, and it as text that names the best.

    Parameters
    ----------
    folder : Path
        Of the sweep; its jobs have folders in it.
    name : str
        Of the trainings; that of the best one begins with it.

    Returns
    -------
    results : list of Result
        The best first, what has no result last.
    text : str
    """
    results = write_table(folder)
    lines = [*_lines(results), *_means(results), f"table: {folder / TABLE}"]
    names = _varying(results)
    for criterion in dict.fromkeys(result.criterion for result in results):
        best = best_of(result for result in results if result.criterion == criterion)
        if best is not None:
            lines += [
                f"best: {_shown(_values(best), names) or 'the only one'} "
                f"({criterion} {best.best:.5g} at {best.images} images), in {best.folder}",
                f"train it again: {command_of(best, name)}",
            ]
    return results, "\n".join(lines)


def write_table(folder: Path) -> list[Result]:
    """Write the table of all jobs within a folder, and return them, the best first."""
    results = sorted(read_results(folder), key=_rank)
    names = _varying(results)
    with atomic_path(folder / TABLE) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([*_COLUMNS, *names])
        for result in results:
            fields = [getattr(result, column) for column in _COLUMNS]
            fields[_COLUMNS.index("overrides")] = shlex.join(result.overrides)
            values = _values(result)
            writer.writerow([*fields, *(values.get(name, "") for name in names)])
    return results


def best_of(results: Iterable[Result]) -> Result | None:
    """Return the finished job of the lowest criterion, if there is one."""
    finished = [result for result in results if result.status == FINISHED]
    return min(finished, key=_rank, default=None)


def command_of(result: Result, name: str) -> str:
    """Return the command line that trains the configuration of a job once more."""
    program = sys.argv[0]
    start = f"python {program}" if program.endswith(".py") else Path(program).name
    dropped = re.compile(r"[+~]*(name|output|ckpt_path|launcher)(=|$)")
    overrides = [word for word in result.overrides if not dropped.match(word)]
    return f"{start} {shlex.join([*overrides, f'name={name}_best'])}"


def _lines(results: Sequence[Result]) -> list[str]:
    """Return the table as text: what varies, and what came of it."""
    names = _varying(results)
    rows = [[*names, "criterion", "best", "images", "seconds", "status"]]
    for result in results:
        values = _values(result)
        rows.append(
            [
                *(_short(values.get(name, "")) for name in names),
                result.criterion,
                "" if result.best is None else f"{result.best:.5g}",
                "" if result.images is None else str(result.images),
                "" if result.seconds is None else f"{result.seconds:.0f}",
                f"{result.status}: {result.message}" if result.message else result.status,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _means(results: Sequence[Result]) -> list[str]:
    """Return a line for each configuration that was trained from several seeds."""
    names = [name for name in _varying(results) if name != "seed"]
    groups: dict[tuple[str, str], list[float]] = {}
    for result in results:
        if result.status == FINISHED and result.best is not None:
            shown = _shown(_values(result), names)
            groups.setdefault((result.criterion, shown), []).append(result.best)
    return [
        f"{shown or 'all'}: {criterion} {statistics.mean(values):.5g} "
        f"+- {statistics.stdev(values):.2g} from seed to seed ({len(values)})"
        for (criterion, shown), values in groups.items()
        if len(values) > 1
    ]


def _shown(values: Mapping[str, str], names: Sequence[str]) -> str:
    return " ".join(f"{name}={_short(values[name])}" for name in names if name in values)


def _short(value: str) -> str:
    """Return a number with no more digits than a reader wants."""
    try:
        return f"{float(value):.4g}" if len(value) > 8 else value
    except ValueError:
        return value


def _rank(result: Result) -> tuple[bool, float]:
    return (
        result.status != FINISHED,
        float("inf") if result.best is None else result.best,
    )


def _values(result: Result) -> dict[str, str]:
    pairs = (word.partition("=") for word in of_training(result.overrides))
    return {key.lstrip("+"): value for key, _, value in pairs}


def _varying(results: Sequence[Result]) -> list[str]:
    """Return the names of the settings in which the jobs differ."""
    all_values = [_values(result) for result in results]
    names = dict.fromkeys(name for values in all_values for name in values)
    return [name for name in names if len({values.get(name) for values in all_values}) > 1]
