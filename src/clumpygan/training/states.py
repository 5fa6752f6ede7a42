"""The states of a training on disk: the last one, from which it goes on, and the best."""

import json
import math
import os
import pickle
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from clumpygan.errors import InputError, reason
from clumpygan.io import atomic_path
from clumpygan.settings import differences
from clumpygan.settings.documents import read_json

LAST, BEST = "last.ckpt", "best.ckpt"
"""Names of the states in the output folder."""

_ARCHIVE = b"PK\x03\x04"
"""How a ZIP file begins whose first entry does."""

_NOTES = "settings.json"
_DECISIVE = ("model", "data", "seed", "initial", "total_images", "overfit")
_FREE = ("data.cache", "data.num_workers")
_STEPS = ("batch_size", "images_per_epoch")


class WholeFiles(TorchCheckpointIO):
    """Write states under a temporary name in the same folder, so that they are whole or absent."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a state, and move it into place once it has reached the disk."""
        with atomic_path(path) as temporary, _as_the_disk_says(), temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a state, see `read_state`: nothing in it is run, whatever Lightning asks for."""
        return read_state(Path(path))


@contextmanager
def _as_the_disk_says() -> Iterator[None]:
    """Raise what the disk said where PyTorch hides it behind a complaint of its own.

    Raises
    ------
    OSError
        If the disk is full, or a file may not become as large.
    """
    try:
        yield
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise cause from error


class States(Checkpoint):
    """Save the state after every epoch, and keep the one where the criterion is best.

    Parameters
    ----------
    output : Path
        Folder of `LAST` and `BEST`.
    improved : callable
        Called with the held-out metrics, in the process that writes, when there is a new best.
    """

    def __init__(self, output: Path, improved: Callable[[dict[str, float]], object]) -> None:
        self.output, self.improved = output, improved
        self.best: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Look up how good the best state is; see to it that the end is measured.

        Raises
        ------
        InputError
            If a state of mid-epoch was saved by another number of processes.
        """
        data, steps = trainer.datamodule, trainer.fit_loop.epoch_loop.batch_progress.current
        within = pl_module.images_seen % data.images_per_epoch
        if within and within != steps.completed * data.batch_size * trainer.world_size:
            raise InputError(
                f"the state was saved in mid-epoch, at {pl_module.images_seen} images, by another "
                f"number of processes than these {trainer.world_size}: go on with as many"
            )
        if (self.output / BEST).exists():
            self.best = best_network(self.output)[1]
        _validate_last_epoch(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """See to it that the end is measured."""
        _validate_last_epoch(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Save the state, after validation.

        Raises
        ------
        InputError
            If the networks aren't finite: the state before stays.
        """
        weights = pl_module.state_dict().values()
        if not all(torch.isfinite(one).all() for one in weights if one.is_floating_point()):
            raise InputError(
                f"the networks are not finite at {pl_module.images_seen} images; {self.output} "
                "holds the state of the epoch before: lower the learning rates of model.schedule"
            )
        last = self.output / LAST
        trainer.save_checkpoint(last)
        point = pl_module.curve[-1] if pl_module.curve else {}
        if point.get("images") == pl_module.images_seen and self._is_best(point, pl_module):
            self.best = point
            if trainer.is_global_zero:
                with atomic_path(self.output / BEST) as temporary:
                    _same(last, temporary)
                self.improved(point)

    def _is_best(self, point: dict[str, float], module: Any) -> bool:
        before = self.best.get(module.criterion, math.nan)
        # What isn't finite is worse than anything.
        return not math.isfinite(before) or point[module.criterion] < before


def _validate_last_epoch(trainer: pl.Trainer) -> None:
    if trainer.current_epoch + 1 == trainer.max_epochs:
        trainer.check_val_every_n_epoch = 1


def _same(source: Path, target: Path) -> None:
    """Give a file, which is never written to again, a second name; copy it where that can't be."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def state_to_resume(plain: dict[str, Any], output: Path) -> Path | None:
    """Return the state from which a training goes on, None for a new one.

    Parameters
    ----------
    plain : dict
        The whole configuration. Its `ckpt_path` is "last": goes on if there is a state of the
        same settings, else begins; "best"; a path; or None: begins anew.
    output : Path
        Folder of the run, made if need be.

    Raises
    ------
    InputError
        If there is no such state, it is damaged, or of a training with other settings.
    """
    wanted = plain["ckpt_path"]
    if wanted is None and int(os.environ.get("SLURM_RESTART_COUNT", 0)):
        # SLURM repeats the command of a job that it has preempted.
        wanted = "last"
    state = {"last": output / LAST, "best": output / BEST}.get(wanted, wanted and Path(wanted))
    if wanted == "last" and not state.exists():
        state = None
    kept = {key: plain[key] for key in _DECISIVE}
    if state is not None:
        _check_state(state, kept, strict=wanted == "last")
    output.mkdir(parents=True, exist_ok=True)
    for half in output.glob(f".*-{LAST}"):
        half.unlink(missing_ok=True)
    if state is None or state.resolve().parent != output.resolve():
        for name in (LAST, BEST):
            (output / name).unlink(missing_ok=True)
    with atomic_path(output / _NOTES) as temporary:
        temporary.write_text(json.dumps(kept, indent=1))
    return state


def _check_state(state: Path, kept: dict[str, Any], *, strict: bool) -> None:
    """Refuse a state that is damaged or of a training that can't go on with these settings.

    A state that the user names goes on with the present settings, as long as it fits them.
    """
    if not state.is_file():
        raise InputError(
            f"ckpt_path: there is no {state}; ckpt_path=last goes on if it can, null starts anew"
        )
    notes = state.with_name(_NOTES)
    before = {"overfit": False} | _read_settings(notes) if strict or notes.exists() else kept
    changed = [name for name in differences(before, kept) if name not in _FREE]
    if not strict:
        fixed = [f"data.{name}" for name in _STEPS]
        changed = [
            name
            for name in changed
            if name in (*fixed, "model._target_")
            or name.startswith(("model.generator", "model.discriminator"))
        ]
    if changed:
        raise InputError(
            f"{state} is of a training with other settings ({', '.join(changed)}): "
            "choose another name=..., or ckpt_path=null to start anew"
        )
    if not zipfile.is_zipfile(state):
        raise InputError(f"{state} is truncated: ckpt_path=null starts anew")
    read_state(state, mmap=True)  # before data are rendered for it


def _read_settings(notes: Path) -> dict[str, Any]:
    """Return the settings of the training that an output folder holds."""
    what_to_do = (
        f"so nobody knows of which training {LAST} is: choose another name=..., or ckpt_path=null "
        "to start anew"
    )
    kept = read_json(notes, what_to_do)
    if not isinstance(kept, dict):
        raise InputError(f"{notes} holds no settings, {what_to_do}")
    return kept


def read_state(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """Return the state of a training: tensors, numbers and words, onto the CPU.

    Parameters
    ----------
    path : Path
    mmap : bool
        Leave the tensors on disk until they are used.

    Raises
    ------
    InputError
        If the file is damaged, by the checksums of all its numbers, holds objects that only running
        its code would make, or isn't the state of a training.
    """
    try:
        # Archives may follow other bytes, which PyTorch would read as a pickle of its old kind,
        # with strings as long as they say.
        with path.open("rb") as file:
            if file.read(len(_ARCHIVE)) != _ARCHIVE:
                raise ValueError("it doesn't begin as an archive")
        # PyTorch doesn't look at the checksums.
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"the checksum of {broken} is another")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is refused: it holds objects that come into being by running code of the "
            "file, or is damaged; expected a state that train.py has written"
        ) from error
    # What torch makes of an archive with a few bytes changed.
    except (
        *(RuntimeError, ValueError, KeyError, TypeError, IndexError, EOFError, OverflowError),
        *(zipfile.BadZipFile, zlib.error, OSError, struct.error, NotImplementedError),
    ) as error:
        raise InputError(
            f"{path} is damaged ({reason(error)}): ckpt_path=null starts anew, or name"
            " another state"
        ) from error
    if not _is_whole(state):
        raise InputError(f"{path} isn't the state of a training: expected one of train.py")
    return state


def _is_whole(state: Any) -> bool:
    """Whether an object has all that a training goes on from."""
    if not isinstance(state, dict):
        return False
    parts = {"state_dict": dict, "optimizer_states": list, "loops": dict, "curve": list}
    whole = all(isinstance(state.get(name), kind) for name, kind in parts.items())
    if not whole or not re.match(r"\d+\.\d+", str(state.get("pytorch-lightning_version"))):
        return False
    # Older states hold the counts among the weights.
    counts = [state.get(name, state["state_dict"].get(name)) for name in ("images_seen", "seconds")]
    return "fit_loop" in state["loops"] and all(
        isinstance(one, int | float | torch.Tensor) and math.isfinite(one) and one >= 0
        for one in counts
    )


def best_network(output: Path) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Return the weights of the averaged generator in the best state, and its held-out metrics.

    Raises
    ------
    InputError
        If there is none, because a training began at its end.
    """
    if not (output / BEST).exists():
        raise InputError(
            f"nothing is left to train, and {output} has no {BEST}: raise total_images, or begin "
            "anew with ckpt_path=null"
        )
    state = read_state(output / BEST, mmap=True)
    weights = {
        name.removeprefix("average."): value
        for name, value in state["state_dict"].items()
        if name.startswith("average.")
    }
    return weights, state["curve"][-1]
