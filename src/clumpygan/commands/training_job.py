"""What Hydra runs for train.py: one training, a job of a sweep, or a search; and their table."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from clumpygan.commands.program import one_line_errors, with_flags
from clumpygan.errors import InputError
from clumpygan.training.settings import check_folder_name, run_folder
from clumpygan.training.sweeps.results import forget_failed, job_folder
from clumpygan.training.sweeps.table import check_results, show_table, write_table

# Here, not in a function: the processes that a launcher starts import this module alone.
OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
OmegaConf.register_new_resolver("folder", check_folder_name, replace=True)
OmegaConf.register_new_resolver("run_folder", lambda *, _root_: run_folder(_root_), replace=True)


def run(config: DictConfig) -> None:
    """Train once, or as one of the jobs of a sweep, or search."""
    # Networks of the user's own may lie where the command is given.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    job = HydraConfig.get()
    overrides = list(job.overrides.task)
    launcher, alone = job.runtime.choices["launcher"], job.mode == RunMode.RUN
    if launcher and alone:
        raise InputError(f"launcher={launcher} starts several jobs: add -m, and what they vary")
    # Lightning takes seconds to import: a typing error shall not wait for it.
    if job.runtime.choices["sweep"] != "none":
        _search(config, overrides, job.job.config_name, alone)
    elif alone:
        from clumpygan.training.run import train

        train(config)
    else:
        from clumpygan.training.sweeps.job import run_job

        run_job(config, overrides, Path(job.sweep.dir) / job.sweep.subdir)


def _search(config: DictConfig, overrides: Sequence[str], config_name: str, alone: bool) -> None:
    """Search, as the only process or as one of several."""
    from clumpygan.training.sweeps.search import search

    try:
        search(config, overrides, lambda words: compose(config_name, words))
    except InputError as problem:
        if alone:
            raise
        # An exit would tear down the process of a launcher.
        print(f"train.py: error: {with_flags(str(problem), {})}", file=sys.stderr, flush=True)
    if alone:
        _end(Path(config.output), config.name, search=True)


class SweepTable(Callback):
    """Gather the results of a sweep: Hydra calls it around a multirun, whichever the launcher."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Let all jobs share the folder of the sweep, and forget what failed in an earlier one."""
        folder = str(config.hydra.sweep.dir)
        # It may depend on what is swept, as the name of the model: jobs would go astray.
        with read_write(config):
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={_quoted(folder)}")
        if not _is_search(config):
            forget_failed(Path(folder))

    def on_job_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write the table with what is known so far: a sweep may be interrupted."""
        if config.hydra.mode.name == "MULTIRUN" and not _is_search(config):
            write_table(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the table; exit with code 2 if a job, or all of a search, failed."""
        # Hydra would make a warning of an exception, but not of an exit.
        with one_line_errors("train.py"):
            _end(Path(config.hydra.sweep.dir), str(config.name), search=_is_search(config))


def _end(folder: Path, name: str, *, search: bool) -> None:
    """Show the table of a sweep; the command that it names is this one's."""
    results, text = show_table(folder, name)
    print(text, flush=True)
    check_results(results, search=search)


def _is_search(config: DictConfig) -> bool:
    return bool(config.hydra.runtime.choices["sweep"] != "none")


def _quoted(text: str) -> str:
    """Return a text as Hydra's grammar reads it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
