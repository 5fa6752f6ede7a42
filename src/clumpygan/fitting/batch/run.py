"""Fit many cubes: what is done is skipped, failures don't stop the rest, Ctrl-C leaves the done."""

import logging
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from astropy.table import Table

from clumpygan.engine import open_engine
from clumpygan.errors import InputError, InputWarning
from clumpygan.fitting.batch.outcome import CRASHED, Outcome
from clumpygan.fitting.batch.results import (
    FILES,
    TABLE,
    check_results,
    file_of,
    read_result,
    wanted_files,
    write_result,
)
from clumpygan.fitting.batch.sources import CubeSource, cube_files
from clumpygan.fitting.batch.summary import SUMMARY, check_summary, write_summary
from clumpygan.fitting.fit_cube import fit_with
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.goodness.verdict import FAILED
from clumpygan.fitting.input_cubes import files_beside
from clumpygan.fitting.settings import BatchSettings, FitSettings
from clumpygan.io.atomic import check_output_folder
from clumpygan.settings import from_mapping, plain

_log = logging.getLogger(__name__)

_OF_BATCH = tuple(one.name for one in fields(BatchSettings))


def fit_many(
    cubes: Sequence[str | Path | CubeSource], output: str | Path = "fits", **settings: Any
) -> list[Outcome]:
    """Fit many cubes, and write the results of each and a table of all, results.ecsv.

    Cubes whose results are there, made with the same settings, are skipped: what was interrupted
    goes on from there.

    Parameters
    ----------
    cubes : sequence of path or CubeSource
    output : path
        Folder, made if it doesn't exist.
    **settings
        Those of `BatchSettings` and `FitSettings`.

    Returns
    -------
    list of Outcome
        One for each cube; a failure is an outcome too.

    Raises
    ------
    InputError
        If a setting isn't possible, or results of other settings are there.

    Examples
    --------
    >>> fit_many(["a.fits", "b.fits"], "results", line="halpha")  # doctest: +SKIP
    """
    own = {name: settings.pop(name) for name in _OF_BATCH if name in settings}
    batch_settings = from_mapping(BatchSettings, {**own, "output": output})
    fit_settings = FitSettings.of(settings)
    fitters_of(fit_settings)
    files = cube_files(
        [one for one in cubes if isinstance(one, str | Path)], fit_settings, batch_settings.catalog
    )
    others = [one for one in cubes if not isinstance(one, str | Path)]
    return FitBatch([*files, *others], fit_settings, batch_settings).run()


class FitBatch:
    """Cubes to be fitted, and what came of those that are done.

    Parameters
    ----------
    sources : sequence of CubeSource
    settings : FitSettings
    batch : BatchSettings
    origin : mapping, optional
        More about where the results come from, for the meta of all tables.

    Attributes
    ----------
    outcomes : list of Outcome
        Of the cubes that are done; `run` adds to them.
    missing : list of CubeSource
        Cubes that are to be fitted.

    Raises
    ------
    InputError
        If a result was made with other settings or from another file, or there can't be a folder.
    """

    def __init__(
        self,
        sources: Sequence[CubeSource],
        settings: FitSettings,
        batch: BatchSettings,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings, self.batch, self.origin = settings, batch, dict(origin or {})
        self.outcomes: list[Outcome] = []
        self.missing: list[CubeSource] = []
        self._order = {source.name: number for number, source in enumerate(sources)}
        self._made = _make_folder(batch.output)
        self._find_done(sources)
        self._check_files(sources)

    @property
    def total(self) -> int:
        """Number of cubes."""
        return len(self._order)

    def makes(self, path: Path) -> bool:
        """Tell whether a file is one that the fits write themselves, by its name."""
        stem, _, what = path.name.rpartition("_")
        of_cube = stem in self._order and what in FILES
        return path.resolve().parent == self.batch.output.resolve() and (
            of_cube or path.name == SUMMARY
        )

    def run(self, tell: Callable[[Outcome], object] = _log.info) -> list[Outcome]:
        """Fit what is missing, and write the summary.

        The summary is written after Ctrl-C too.

        Parameters
        ----------
        tell : callable
            Gets each outcome as soon as it is ready.

        Returns
        -------
        list of Outcome
            Those of the cubes that were done before included, in the order of the cubes.
        """
        job = partial(fit_one, settings=self.settings, batch=self.batch, origin=self.origin)
        try:
            with open_engine(len(self.missing), self.batch.workers, self.batch.cluster) as engine:
                for _, outcome in engine.run(job, self.missing, _lost):
                    self.outcomes.append(outcome)
                    for text in outcome.warnings:
                        warnings.warn(text, InputWarning, stacklevel=2)
                    tell(outcome)
        finally:
            self._sum_up()
        return self.outcomes

    def _find_done(self, sources: Sequence[CubeSource]) -> None:
        """Tell the cubes that are done from the missing ones.

        A result counts if it was made with the same settings, from the same data, and all its
        files are there.
        """
        for source in sources:
            table = None
            if not self.batch.overwrite:
                table = read_result(self.batch.output, source.name)
            if table is not None:
                self._check_same(source, table)
            if table is not None and self._is_whole(source):
                self.outcomes.append(outcome_of(source, table, 0.0, ()))
            else:
                self.missing.append(source)

    def _check_files(self, sources: Sequence[CubeSource]) -> None:
        """Refuse results that would replace a cube, or what is read with one."""
        inputs = [source.path for source in sources]
        inputs += [one for path in inputs for one in files_beside(path, self.settings)]
        inputs += [] if self.batch.catalog is None else [self.batch.catalog]
        names = [source.name for source in self.missing]
        check_results(self.batch.output, names, inputs)
        check_summary(self.batch.output, inputs)

    def _check_same(self, source: CubeSource, table: Table) -> None:
        path, meta = file_of(self.batch.output, source.name, TABLE), table.meta
        advice = "choose another `output`, or give `overwrite` to fit it again"
        if dict(meta["source"]) != source.identity:
            raise InputError(f"{path} is of {meta['file']}, not {source.path}; {advice}")
        before, now = dict(meta["choices"]), self.settings.chosen() | plain(source.own)
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                raise InputError(
                    f"{path} was made with other settings ({name.replace('_', '-')} "
                    f"{before.get(name, 'left out')}, now {now.get(name, 'left out')}); {advice}"
                )

    def _is_whole(self, source: CubeSource) -> bool:
        """Whether all files of a result are there, and newer than the data."""
        several = len(self.settings.curves) > 1
        files = wanted_files(self.batch, several, self.settings.map)
        paths = [file_of(self.batch.output, source.name, what) for what in files]
        if not all(path.exists() for path in paths) or not source.path.exists():
            return all(path.exists() for path in paths)
        return paths[-1].stat().st_mtime >= source.path.stat().st_mtime

    def _sum_up(self) -> None:
        folder = self.batch.output
        # In the order of the cubes, whichever was ready first.
        self.outcomes.sort(key=lambda outcome: self._order[outcome.name])
        if self.total > 1 or any(outcome.table is not None for outcome in self.outcomes):
            write_summary(folder, self.outcomes, str(self.origin.get("command", "")))
        elif self._made and not any(folder.iterdir()):
            folder.rmdir()


def fit_one(
    source: CubeSource, settings: FitSettings, batch: BatchSettings, origin: Mapping[str, Any]
) -> Outcome:
    """Fit one cube and write its files; whatever goes wrong is the outcome."""
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        try:
            fitters, observation = source.load(settings)
            result = fit_with(fitters, observation, settings.seed)
            about = {
                **origin,
                "choices": settings.chosen() | plain(source.own),
                "file": str(source.path),
                "source": dict(source.identity),
            }
            table = write_result(
                batch.output,
                source.name,
                replace(result, origin=about),
                picture=batch.picture,
                wcs=batch.wcs,
                cubes=batch.model_cubes,
                maps=batch.maps,
                inference_data=batch.inference_data,
            )
        except (InputError, OSError) as problem:
            return _failure(source, FAILED, problem, begin, caught)
        except Exception as problem:  # a mistake of ours, of which the other cubes know nothing
            return _failure(source, CRASHED, problem, begin, caught, traceback.format_exc())
    return outcome_of(source, table, time.perf_counter() - begin, _texts(source, caught))


def outcome_of(
    source: CubeSource, table: Table, seconds: float, caught: tuple[str, ...]
) -> Outcome:
    """Return the outcome that a table of results is."""
    meta = table.meta
    return Outcome(
        source.name, str(source.path), meta["verdict"], tuple(meta["problems"]),
        tuple(meta["remarks"]), caught, table, seconds,
    )  # fmt: skip


def _lost(source: CubeSource) -> Outcome:
    """Return the outcome of a cube that ends the process of whoever fits it."""
    lost = RuntimeError("its process was lost again and again, perhaps for want of memory")
    return _failure(source, CRASHED, lost, time.perf_counter(), [])


def _failure(
    source: CubeSource,
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
    told = _texts(source, caught)
    return Outcome(source.name, str(source.path), status, (text,), (), told, None, seconds, details)


def _texts(source: CubeSource, caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return warnings of ours, with the name of the cube; all others are shown as they are."""
    texts = []
    for one in caught:
        if not issubclass(one.category, InputWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
            continue
        text = str(one.message)
        texts.append(text if source.path.name in text else f"{source.name}: {text}")
    return tuple(dict.fromkeys(texts))


def _make_folder(folder: Path) -> bool:
    """Make a folder unless it is there; return whether it wasn't."""
    check_output_folder(folder)
    missing = not folder.exists()
    folder.mkdir(exist_ok=True)
    return missing
