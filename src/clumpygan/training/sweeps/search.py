"""A search for good settings with Optuna: as many processes as you like share one study."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clumpygan.errors import InputError
from clumpygan.io.atomic import only_one
from clumpygan.settings import check, differences, from_mapping, seed_setting, setting
from clumpygan.training.settings import plain_config, shortened
from clumpygan.training.sweeps.job import TrialCallback, run_locked
from clumpygan.training.sweeps.results import FAILED, FINISHED, PRUNED, Result, of_training
from clumpygan.training.sweeps.space import Choice, Range, Space, dotted_names, read_space
from clumpygan.training.sweeps.table import write_table

STUDY = "study.db"
"""Name of the SQLite file in the folder of a search."""

_log = logging.getLogger(__name__)

PRUNERS = ("median", "hyperband")


@dataclass(frozen=True)
class SweepSettings:
    """How a search proceeds."""

    n_trials: int = setting(20, "trials of all processes and starts together", least=1)
    seed: int = seed_setting()
    startup_trials: int = setting(5, "trials before results decide what is proposed", least=0)
    pruner: str | None = setting("median", "which trials are stopped early", choices=PRUNERS)
    warm_up: float = setting(0.1, "part of a training before it may be stopped", least=0, below=1)
    worker: int = setting(0, "tells the processes of a search apart")
    space: dict[str, Any] | None = setting(None, "what is varied, and within which limits")

    def __post_init__(self) -> None:
        check(self)


def search(
    config: DictConfig, overrides: Sequence[str], compose: Callable[[list[str]], DictConfig]
) -> None:
    """Train trial after trial until there are `sweep.n_trials` of them.

    The study lies in the folder `output`, where each trial has a folder of its own. What was
    interrupted goes on at the next start; several processes may search at the same time.

    Parameters
    ----------
    config : DictConfig
        Composed from configs/train.yaml with a `sweep`.
    overrides : sequence of str
        Which composed it.
    compose : callable
        Returns the configuration that a list of overrides composes.

    Raises
    ------
    InputError
        If Optuna is missing, the settings of the search make no sense, or the folder holds another
        search.
    """
    section: Any = OmegaConf.to_container(config.sweep, resolve=True)
    settings = from_mapping(SweepSettings, section, "sweep")
    _check(config)
    names = dotted_names(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
    space = read_space(settings.space, (name for name in names if not name.startswith("sweep")))
    fixed = of_training(overrides)
    if not any(word.lstrip("+").startswith("sweep=") for word in overrides):
        # An experiment started the search; its overrides shall compose a training.
        fixed.append("sweep=none")
    folder = Path(str(config.output))
    folder.mkdir(parents=True, exist_ok=True)
    length = shortened(plain_config(config))["total_images"]
    study = _open_study(folder, settings, length, space, fixed)
    while (trial := _claim(study, folder, settings, space)) is not None:
        with trial.lock:
            _run(study, trial, [*fixed, *trial.overrides], compose)
            write_table(folder)


def _check(config: DictConfig) -> None:
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1
    if several or str(config.trainer.get("strategy", "")).startswith("ddp"):
        raise InputError(
            "a trial of a search trains in one process: start several searches that share the "
            "trials, as -m sweep=optuna sweep.worker=0,1 launcher=local_parallel does"
        )
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError('sweep=optuna needs Optuna: pip install "clumpygan[sweep]"') from error


def _open_study(
    folder: Path, settings: SweepSettings, total_images: int, space: Space, fixed: list[str]
) -> Any:
    """Open the study of a folder, and refuse one of another search."""
    import optuna
    from sqlalchemy.exc import DatabaseError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = {
        "settings": dict(word.split("=", 1) for word in fixed if "=" in word),
        "seed": settings.seed,
        "space": {name: repr(limits) for name, limits in space.items()},
    }
    with only_one(folder):
        try:
            study = optuna.create_study(
                study_name=folder.name,
                storage=f"sqlite:///{(folder / STUDY).resolve()}",
                load_if_exists=True,
                pruner=_pruner(settings, total_images),
            )
        except DatabaseError as error:
            raise InputError(
                f"{folder / STUDY} is no study of Optuna: choose another name=..."
            ) from error
        before = study.user_attrs.get("search")
        if before is None:
            study.set_user_attr("search", kept)
            return study
    changed = ", ".join(differences(before, kept))
    if changed:
        raise InputError(
            f"{folder} holds a search with other settings ({changed}): choose another name=..."
        )
    return study


def _pruner(settings: SweepSettings, total_images: int) -> Any:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    warm_up = round(settings.warm_up * total_images)
    if settings.pruner is None:
        return NopPruner()
    if settings.pruner == "hyperband":
        return HyperbandPruner(max(warm_up, 1), total_images)
    return MedianPruner(settings.startup_trials, warm_up)


@dataclass(frozen=True)
class _Trial:
    """A trial that this process runs: others see that it is locked.

    The lock is gone when its process dies; then another one may go on with the trial.
    """

    number: int
    folder: Path
    overrides: tuple[str, ...]
    lock: ExitStack


def _claim(study: Any, folder: Path, settings: SweepSettings, space: Space) -> _Trial | None:
    """Return a trial that was interrupted, or else a new one; None when there are enough."""
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    with only_one(folder):
        trials = study.get_trials(deepcopy=False)
        for frozen in trials:
            if frozen.state != TrialState.RUNNING:
                continue
            if set(frozen.params) != set(space):
                # Its process died before it knew what to try.
                study.tell(frozen.number, state=TrialState.FAIL)
                continue
            lock = _lock(folder / f"trial_{frozen.number}")
            if lock is not None:
                return _trial(folder, frozen.number, frozen.params, lock)
        number = len(trials)
        if number >= settings.n_trials:
            return None
        # What is drawn depends on (seed, trial), whichever process draws, also after a restart.
        state = np.random.SeedSequence([settings.seed, number]).generate_state(1)[0]
        study.sampler = TPESampler(seed=int(state), n_startup_trials=settings.startup_trials)
        asked = study.ask({name: _distribution(limits) for name, limits in space.items()})
        lock = _lock(folder / f"trial_{asked.number}")
        if lock is None:
            raise RuntimeError(f"trial {asked.number} is new, and nobody else's")
        return _trial(folder, asked.number, asked.params, lock)


def _lock(folder: Path) -> ExitStack | None:
    """Lock the folder of a trial, or return None if another process has."""
    folder.mkdir(exist_ok=True)
    lock = ExitStack()
    try:
        lock.enter_context(only_one(folder, wait=False))
    except InputError:
        return None
    return lock


def _trial(folder: Path, number: int, params: dict[str, Any], lock: ExitStack) -> _Trial:
    overrides = tuple(f"{name}={value}" for name, value in params.items())
    return _Trial(number, folder / f"trial_{number}", overrides, lock)


def _distribution(limits: Range | Choice) -> Any:
    """Return Optuna's word for a range or a choice."""
    from optuna import distributions

    if isinstance(limits, Choice):
        return distributions.CategoricalDistribution(limits.values)
    if limits.whole:
        return distributions.IntDistribution(
            int(limits.low), int(limits.high), log=limits.log, step=int(limits.step or 1)
        )
    return distributions.FloatDistribution(
        limits.low, limits.high, log=limits.log, step=limits.step
    )


def _run(
    study: Any,
    trial: _Trial,
    overrides: list[str],
    compose: Callable[[list[str]], DictConfig],
) -> None:
    """Train a trial and tell the study what came of it."""
    from optuna.trial import TrialState

    _log.info("trial %d: %s", trial.number, " ".join(trial.overrides))
    try:
        config = compose(overrides)
    except (HydraException, OmegaConfBaseException) as problem:
        message = " ".join(str(problem).split())
        result = Result(trial.folder, tuple(overrides), FAILED, message=message)
        result.write()
    else:
        OmegaConf.save(config, trial.folder / "config.yaml", resolve=True)
        result = run_locked(config, overrides, trial.folder, _Report(study, trial.number))
    if result.status == FINISHED:
        study.tell(trial.number, result.best)
    else:
        state = TrialState.PRUNED if result.status == PRUNED else TrialState.FAIL
        study.tell(trial.number, state=state)
    said = result.message or f"{result.criterion} {result.best:.5g} at {result.images} images"
    _log.info("trial %d: %s, %s", trial.number, result.status, said)


class _Report(TrialCallback):
    """Report a training to its trial."""

    def __init__(self, study: Any, number: int) -> None:
        super().__init__()
        self.study, self.number = study, number

    def hopeless(self, images: int, metric: float) -> bool:
        """Report the criterion, and return whether the pruner gives the trial up."""
        import optuna

        frozen = self.study.get_trials(deepcopy=False)[self.number]
        trial = optuna.Trial(self.study, frozen._trial_id)
        # A resumed training may measure once more what it had reported.
        if images not in frozen.intermediate_values:
            trial.report(metric, images)
        return bool(trial.should_prune())
