"""The jobs of a sweep in one table, with the best of them named."""

import csv
import re
import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write

from clumpygan.commands.program import one_line_errors
from clumpygan.commands.sweep_results import (
    FAILED,
    FINISHED,
    RESULT,
    Result,
    of_training,
    read_results,
)
from clumpygan.errors import InputError
from clumpygan.io import atomic_path

TABLE = "results.csv"
"""Name of the table in the folder of a sweep."""

_COLUMNS = ("status", "criterion", "best", "images", "seconds", "folder", "overrides", "message")


class SweepTable(Callback):
    """Gather the results of a sweep: Hydra calls it around a multirun, whichever the launcher."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Let all jobs share the folder of the sweep, and forget what failed in an earlier one."""
        folder = str(config.hydra.sweep.dir)
        # It may depend on what is swept, as the name of the model: jobs would go astray.
        with read_write(config):
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={_quoted(folder)}")
        for result in [] if _is_search(config) else read_results(Path(folder)):
            if result.status == FAILED:
                (result.folder / RESULT).unlink(missing_ok=True)

    def on_job_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write the table with what is known so far: a sweep may be interrupted."""
        if config.hydra.mode.name == "MULTIRUN" and not _is_search(config):
            write_table(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the table; exit with code 2 if a job, or all of a search, failed."""
        # Hydra would make a warning of an exception, but not of an exit.
        with one_line_errors("train.py"):
            results = show_table(Path(config.hydra.sweep.dir), str(config.name))
            check_results(results, search=_is_search(config))


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


def show_table(folder: Path, name: str) -> list[Result]:
    """Write the table of a sweep, print it as text, and name the best configuration.

    Parameters
    ----------
    folder : Path
        Of the sweep; its jobs have folders in it.
    name : str
        Of the trainings; that of the best one begins with it.

    Returns
    -------
    list of Result
        The best first, what has no result last.
    """
    results = write_table(folder)
    print("\n".join(_lines(results)))
    print("\n".join([*_means(results), f"table: {folder / TABLE}"]))
    names = _varying(results)
    for criterion in dict.fromkeys(result.criterion for result in results):
        best = best_of(result for result in results if result.criterion == criterion)
        if best is not None:
            values = _values(best)
            print(
                f"best: {_shown(values, names) or 'the only one'} "
                f"({criterion} {best.best:.5g} at {best.images} images), in {best.folder}"
            )
            print(f"train it again: {command_of(best, name)}")
    sys.stdout.flush()
    return results


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


def _is_search(config: DictConfig) -> bool:
    return bool(config.hydra.runtime.choices["sweep"] != "none")


def _quoted(text: str) -> str:
    """Return a text as Hydra's grammar reads it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
