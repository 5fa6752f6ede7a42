"""`python train.py`: train a network of the family, or many, configured by Hydra."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from clumpygan.commands.program import one_line_errors, run_hydra
from clumpygan.commands.sweep_results import job_folder
from clumpygan.commands.sweep_table import check_results, show_table
from clumpygan.errors import InputError
from clumpygan.resources import resource_folder

LAUNCHERS: Mapping[str, str] = {
    "local_parallel": "hydra_plugins.hydra_joblib_launcher",
    "slurm": "hydra_plugins.hydra_submitit_launcher",
}
"""The plugins of Hydra that the choices of `launcher` need."""

# Not in main(): the processes that a launcher starts import this module without calling it.
OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)


def main() -> None:
    """Compose the configuration from configs/ and the command line, and train."""
    # A trainer is always chosen; "+trainer=gpu", as one adds a group, means the same choice.
    sys.argv[1:] = [word[1:] if word.startswith("+trainer=") else word for word in sys.argv[1:]]
    with one_line_errors("train.py"):
        _check_launcher(sys.argv[1:])
    run_hydra(_task, "train.py", resource_folder("configs"), "train")


def _check_launcher(words: Sequence[str]) -> None:
    """Ask for the plugin of a launcher by the name of its extra, before Hydra misses it."""
    for word in words:
        group, _, name = word.partition("=")
        if group.lstrip("+") == "launcher" and name in LAUNCHERS:
            try:
                importlib.import_module(LAUNCHERS[name])
            except ImportError as error:
                raise InputError(
                    f'{word} needs a plugin of Hydra: pip install "clumpygan[cluster]"'
                ) from error


def _task(config: DictConfig) -> None:
    """Train once, or as one of the jobs of a sweep, or search."""
    job = HydraConfig.get()
    overrides = list(job.overrides.task)
    launcher, alone = job.runtime.choices["launcher"], job.mode == RunMode.RUN
    if launcher and alone:
        raise InputError(f"launcher={launcher} starts several jobs: add -m, and what they vary")
    # Lightning takes seconds to import: --help and a typing error shall not wait for it.
    if job.runtime.choices["sweep"] != "none":
        _search(config, overrides, job.job.config_name, alone)
    elif alone:
        from clumpygan.commands.training import train

        train(config)
    else:
        from clumpygan.commands.sweep_job import run_job

        run_job(config, overrides, Path(job.sweep.dir) / job.sweep.subdir)


def _search(config: DictConfig, overrides: Sequence[str], config_name: str, alone: bool) -> None:
    """Search, as the only process or as one of several."""
    from clumpygan.commands.sweep_search import search

    try:
        search(config, overrides, lambda words: compose(config_name, words))
    except InputError as problem:
        if alone:
            raise
        # An exit would tear down the process of a launcher.
        print(f"train.py: error: {problem}", file=sys.stderr, flush=True)
    if alone:
        results = show_table(Path(config.output), config.name)
        check_results(results, search=True)
