"""Sets of rendered cubes on disk: written once, resumed where they stopped, memory-mapped after."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Column, Table
from tqdm import tqdm

from clumpygan import __version__
from clumpygan.data.cube_settings import CubeSettings, renderer_for
from clumpygan.data.set_folder import (
    CARD,
    check_home,
    check_same,
    mapped,
    read_card,
    write_card,
)
from clumpygan.errors import InputError
from clumpygan.io import atomic_path
from clumpygan.io.lock import only_one

CUBES, PARAMETERS = "cubes.npy", "parameters.npy"
_NOTES, _LOCK = "done.txt", "lock"
_OWN = {CARD, CUBES, PARAMETERS, _NOTES, _LOCK}

SPLIT = "prepared"
"""Part of the key with which the galaxies of a set are drawn."""

CHUNK_BYTES, CHUNK_CUBES = 2**24, (8, 256)
"""Between two notes of the progress: as many cubes as so many bytes hold, within these limits."""

_FORMAT, _WHAT = 1, "set of cubes"
_SAME = ["format", "cubes", "seed", "settings"]
_NEEDED = {"clumpygan", "cubes", "seed", "settings", "complete"}


@dataclass(frozen=True)
class CubeSet:
    """A complete set, opened for reading.

    Attributes
    ----------
    folder : Path
    settings : CubeSettings
        With which it was rendered.
    count, seed : int
        Cubes, and the seed of their galaxies.
    card : dict
        All of the card.
    """

    folder: Path
    settings: CubeSettings
    count: int
    seed: int
    card: dict[str, Any] = field(repr=False, default_factory=dict)

    @cached_property
    def cubes(self) -> np.ndarray:
        """Noiseless cubes (n, v, y, x), float32, memory-mapped."""
        return mapped(self.folder / CUBES, (self.count, *self.settings.frame.shape), np.float32)

    @cached_property
    def parameters(self) -> np.ndarray:
        """Parameter vectors (n, P), float64, memory-mapped; in the order of `model.names`."""
        shape = (self.count, len(self.settings.model.names))
        return mapped(self.folder / PARAMETERS, shape, np.float64)

    def table(self) -> Table:
        """Return the parameters as a table with units and descriptions."""
        rows = self.settings.model.table
        return Table(
            [
                Column(values, row.name, description=f"{row.description} [{row.unit}]")
                for row, values in zip(rows, self.parameters.T, strict=True)
            ]
        )

    def __getstate__(self) -> dict[str, Any]:
        # A memory map would be copied into the message to another process.
        return {k: v for k, v in self.__dict__.items() if k not in ("cubes", "parameters")}


def prepare_cubes(
    folder: str | os.PathLike[str],
    settings: CubeSettings,
    count: int,
    seed: int,
    *,
    workers: int = 1,
    made_by: Mapping[str, str] | None = None,
) -> CubeSet:
    """Render a set, or what is missing of it: row i is galaxy i of the seed, whatever happened.

    Parameters
    ----------
    folder : path-like
        Made if it doesn't exist.
    settings : CubeSettings
    count, seed : int
        Number of cubes; seed of their parameters.
    workers : int
        Threads that render.
    made_by : mapping of str, optional
        Added to the card.

    Raises
    ------
    InputError
        If the folder holds anything else, such as a set with other settings, if another process is
        writing into it, or if the settings can't be rendered.
    """
    home = Path(folder)
    check_home(home, _OWN, _WHAT)
    renderer_for(settings, workers)
    card = {
        "format": _FORMAT,
        "clumpygan": __version__,
        "cubes": count,
        "seed": seed,
        "settings": settings.to_dict(),
        "parameters": {row.name: row.unit for row in settings.model.table},
        **(made_by or {}),
    }
    home.mkdir(parents=True, exist_ok=True)
    with only_one(home, wait=False):
        if (home / CARD).exists():
            before = _read_card(home)
            # Rows of two versions may differ.
            check_same(home, before, card, _SAME + ["clumpygan"] * (not before["complete"]))
        else:
            _allocate(home, settings, count)
            write_card(home, card | {"complete": False})
        if not _read_card(home)["complete"]:
            _render(home, settings, count, seed, workers)
            write_card(home, _read_card(home) | {"complete": True})
            (home / _NOTES).unlink()
    return open_cubes(home)


def open_cubes(folder: str | os.PathLike[str]) -> CubeSet:
    """Open a complete set.

    Raises
    ------
    InputError
        If there is none, or it isn't complete or not as its card says.
    """
    home = Path(folder)
    if not (home / CARD).is_file():
        raise InputError(
            f"{home} holds no set of cubes (no {CARD}): make one with prepare.py cubes"
        )
    card = _read_card(home)
    if not card["complete"]:
        raise InputError(
            f"{home} isn't complete: run the command that began it again, it goes on from there"
        )
    settings = CubeSettings.from_dict(card["settings"])
    found = CubeSet(home, settings, card["cubes"], card["seed"], card)
    _ = found.cubes, found.parameters
    return found


def _read_card(home: Path) -> dict[str, Any]:
    return read_card(home, _FORMAT, _NEEDED, _WHAT)


def _allocate(home: Path, settings: CubeSettings, count: int) -> None:
    """Make the arrays, with the room that they will need."""
    shapes = {
        CUBES: ((count, *settings.frame.shape), np.float32),
        PARAMETERS: ((count, len(settings.model.names)), np.float64),
    }
    try:
        for name, (shape, kind) in shapes.items():
            np.lib.format.open_memmap(home / name, mode="w+", dtype=kind, shape=shape).flush()
            _reserve(home / name)
    except OSError:
        for name in shapes:
            (home / name).unlink(missing_ok=True)
        raise
    (home / _NOTES).write_text("")


def _reserve(path: Path) -> None:
    """Take the room on the disk: writing to a map on a full one would end the process, mute."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)


def _render(home: Path, settings: CubeSettings, count: int, seed: int, workers: int) -> None:
    """Render the rows that aren't there; note a chunk as soon as it is on the disk."""
    render = renderer_for(settings, workers)
    cubes, parameters = (np.load(home / name, mmap_mode="r+") for name in (CUBES, PARAMETERS))
    done = _read_notes(home / _NOTES, count)
    with tqdm(total=count, initial=int(done.sum()), desc=str(home), unit="cube") as bar:
        for first, last in _missing(done, settings):
            vectors = settings.draw(seed, SPLIT, range(first, last))
            cubes[first:last] = render(vectors)
            parameters[first:last] = vectors
            cubes.flush()
            parameters.flush()
            with (home / _NOTES).open("a", encoding="ascii") as notes:
                notes.write(f"{first} {last}\n")
            bar.update(last - first)


def _read_notes(notes: Path, count: int) -> np.ndarray:
    """Return which rows are done (n,), and drop a line that was only half written."""
    done = np.zeros(count, dtype=bool)
    lines = notes.read_text(encoding="ascii").splitlines(keepends=True) if notes.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    with atomic_path(notes) as temporary:
        temporary.write_text("".join(whole), encoding="ascii")
    for line in whole:
        first, last = map(int, line.split())
        done[first:last] = True
    return done


def _missing(done: np.ndarray, settings: CubeSettings) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of the runs of rows that aren't done, cut into chunks."""
    edges = np.flatnonzero(np.diff(np.r_[True, done, True].astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        for first, last in chunks(settings, stop - start):
            yield start + first, start + last


def chunks(settings: CubeSettings, count: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of the rows that are written at a time."""
    size = int(np.clip(CHUNK_BYTES // (4 * np.prod(settings.frame.shape)), *CHUNK_CUBES))
    return pairwise([*range(0, count, size), count])
