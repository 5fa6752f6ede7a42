"""Fit many cubes: what is done is skipped, failures don't stop the rest, Ctrl-C leaves the done."""

from __future__ import annotations

import sys
import time
import traceback
import warnings
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from clumpygan.commands.fit_files import (
    TABLE,
    file_of,
    read_result,
    wanted_files,
    write_result,
)
from clumpygan.commands.fit_sources import Loaded, Source
from clumpygan.commands.worker_pool import check_stopped, worker_pool
from clumpygan.errors import InputError, InputWarning

if TYPE_CHECKING:
    from astropy.table import Table

    from clumpygan.fitting import FitResult

GOOD, DOUBTFUL, FAILED, CRASHED = "good", "doubtful", "failed", "crashed"


@dataclass(frozen=True)
class Outcome:
    """What came of one cube.

    Attributes
    ----------
    name : str
    source : str
        What was read.
    status : str
        "good"; "doubtful", a result that isn't to be relied on; "failed", bad input; or
        "crashed", a mistake of ours or a lost process.
    messages : tuple of str
        Why it isn't good.
    warnings : tuple of str
        What else a user should know.
    table : Table or None
        The result.
    seconds : float
        Wall clock; 0 where it was there before.
    details : str
        Traceback of a crash.
    """

    name: str
    source: str
    status: str
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    table: Table | None = None
    seconds: float = 0.0
    details: str = ""


def split_done(
    options: Namespace, sources: Sequence[Source], choices: Mapping[str, Any]
) -> tuple[list[Outcome], list[Source]]:
    """Return the results that are there, and the cubes that are to be fitted.

    A result counts if it was made with the same settings, from the same data, and all its files
    are there.

    Parameters
    ----------
    options : argparse.Namespace
    sources : sequence of Source
    choices : mapping
        The settings.

    Raises
    ------
    InputError
        If one was made with other settings, or from another file.
    """
    if options.overwrite:
        return [], list(sources)
    done, missing = [], []
    for source in sources:
        table = read_result(options.output, source.name)
        if table is None:
            missing.append(source)
            continue
        _check_same(options.output, source, table, {**choices, **_plain(source.own)})
        if _is_whole(options, source):
            done.append(outcome_of(source, table, 0.0, ()))
        else:
            missing.append(source)
    return done, missing


def fit_all(
    options: Namespace,
    sources: Sequence[Source],
    origin: Mapping[str, Any],
    collected: list[Outcome],
) -> None:
    """Fit cubes, in processes if there are to be several, and collect what comes of each.

    Parameters
    ----------
    options : argparse.Namespace
        Of `fit.py`.
    sources : sequence of Source
    origin : mapping
        Goes into every table.
    collected : list of Outcome
        Gets one for each cube, as soon as it is ready.
    """
    workers = min(options.workers, len(sources))
    run = _in_turn if workers <= 1 else _in_processes
    hidden = len(sources) == 1 or not sys.stderr.isatty()
    with tqdm(total=len(sources), unit="cube", desc="fitting", disable=hidden) as bar:
        for number, outcome in enumerate(run(options, sources, origin, workers), 1):
            collected.append(outcome)
            bar.update()
            for text in outcome.warnings:
                warnings.warn(text, InputWarning, stacklevel=2)
            if len(sources) > 1:
                bar.write(f"{number}/{len(sources)} {line_of(outcome)}", file=sys.stdout)
                sys.stdout.flush()


def line_of(outcome: Outcome) -> str:
    """Return what came of a cube in one line."""
    words = f"{outcome.name}: {outcome.status}"
    if outcome.table is not None:
        meta = outcome.table.meta
        words += (
            f", reduced chi^2 {meta['reduced_chi_squared']:.3g}, S/N {meta['signal_to_noise']:.3g}"
        )
    words += f", {outcome.seconds:.1f} s"
    return words + (f" ({'; '.join(outcome.messages)})" if outcome.messages else "")


def fit_one(options: Namespace, source: Source, origin: Mapping[str, Any]) -> Outcome:
    """Fit one cube and write its files; whatever goes wrong is the outcome."""
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        try:
            loaded = source.load(options)
            result, models = _fit(loaded, options.seed)
            table = write_result(
                options.output,
                source.name,
                result,
                loaded,
                {
                    **origin,
                    "choices": {**origin["choices"], **_plain(source.own)},
                    "file": str(source.path),
                    "source": source.identity,
                },
                models=models,
                picture=options.picture,
                cubes=options.model_cubes,
            )
        except (InputError, OSError) as problem:
            return _failure(source, FAILED, problem, begin, caught)
        except Exception as problem:  # a mistake of ours, of which the other cubes know nothing
            return _failure(source, CRASHED, problem, begin, caught, traceback.format_exc())
    return outcome_of(source, table, time.perf_counter() - begin, _texts(source, caught))


def _fit(loaded: Loaded, seed: int) -> tuple[FitResult, Table | None]:
    """Return the fit, of several models that of the most probable one, and their comparison."""
    from clumpygan.fitting import compare_models

    if len(loaded.fitters) == 1:
        (fitter,) = loaded.fitters.values()
        return fitter.fit_observation(loaded.observation, seed=seed), None
    compared = compare_models(loaded.fitters, loaded.observation, seed=seed)
    return compared.results[compared.best], compared.table


def outcome_of(source: Source, table: Table, seconds: float, remarks: tuple[str, ...]) -> Outcome:
    """Return the outcome that a table of results is."""
    problems = tuple(table.meta["problems"])
    status = DOUBTFUL if problems else GOOD
    return Outcome(source.name, str(source.path), status, problems, remarks, table, seconds)


def _plain(own: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in own.items()}


def _check_same(folder: Path, source: Source, table: Table, choices: Mapping[str, Any]) -> None:
    path, meta = file_of(folder, source.name, TABLE), table.meta
    advice = "choose another --output, or give --overwrite to fit it again"
    if dict(meta["source"]) != source.identity:
        raise InputError(f"{path} is of {meta['file']}, not {source.path}; {advice}")
    before = dict(meta["choices"])
    for name in sorted({*before, *choices}):
        if before.get(name) != choices.get(name):
            raise InputError(
                f"{path} was made with other settings ({name.replace('_', '-')} "
                f"{before.get(name, 'left out')}, now {choices.get(name, 'left out')}); {advice}"
            )


def _is_whole(options: Namespace, source: Source) -> bool:
    """Whether all files of a result are there, and newer than the data."""
    several = options.models is not None and len(options.models) > 1
    files = wanted_files(options.picture, options.model_cubes, several)
    paths = [file_of(options.output, source.name, what) for what in files]
    if not all(path.exists() for path in paths) or not source.path.exists():
        return all(path.exists() for path in paths)
    return paths[-1].stat().st_mtime >= source.path.stat().st_mtime


def _failure(
    source: Source,
    status: str,
    problem: Exception,
    begin: float,
    caught: list[warnings.WarningMessage],
    details: str = "",
) -> Outcome:
    text = " ".join(str(problem).split())
    if status == CRASHED:
        text = f"{type(problem).__name__}: {text}"
    if str(source.path) not in text and source.path.name not in text:
        text = f"{source.path}: {text}"
    seconds = time.perf_counter() - begin
    remarks = _texts(source, caught)
    return Outcome(source.name, str(source.path), status, (text,), remarks, None, seconds, details)


def _texts(source: Source, caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return warnings of ours, with the name of the cube; all others are shown as they are."""
    texts = []
    for one in caught:
        if not issubclass(one.category, InputWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
            continue
        text = str(one.message)
        texts.append(text if source.path.name in text else f"{source.name}: {text}")
    return tuple(dict.fromkeys(texts))


def _in_turn(
    options: Namespace, sources: Sequence[Source], origin: Mapping[str, Any], workers: int
) -> Iterator[Outcome]:
    for source in sources:
        yield fit_one(options, source, origin)


def _in_processes(
    options: Namespace, sources: Sequence[Source], origin: Mapping[str, Any], workers: int
) -> Iterator[Outcome]:
    """Yield outcomes as they come; when it is closed early, the fits under way are given up."""
    with worker_pool(workers) as pool:
        waiting = {pool.submit(_fit_in_worker, options, one, origin): one for one in sources}
        for future in as_completed(waiting):
            try:
                yield future.result()
            except BrokenProcessPool:
                lost = RuntimeError("its process was lost, perhaps for want of memory")
                yield _failure(waiting[future], CRASHED, lost, time.perf_counter(), [])


def _fit_in_worker(options: Namespace, source: Source, origin: Mapping[str, Any]) -> Outcome:
    check_stopped()
    return fit_one(options, source, origin)
