"""Sets of rendered cubes on disk: written once, resumed where they stopped, memory-mapped after."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Column, Table

from clumpygan import __version__
from clumpygan.data.array_set import (
    CARD,
    NOTES,
    Arrays,
    Layout,
    allocate,
    check_home,
    check_same,
    fill_arrays,
    mapped,
    read_card,
    read_whole,
    spans_of,
    write_card,
)
from clumpygan.data.cubes.settings import CubeSettings, frame_for, renderer_for
from clumpygan.errors import InputError
from clumpygan.io.atomic import only_one

CUBES, PARAMETERS = "cubes.npy", "parameters.npy"

SPLIT = "prepared"
"""Part of the key with which the galaxies of a set are drawn."""

CHUNK_BYTES, CHUNK_CUBES = 2**24, (8, 256)
"""Between two notes of the progress: as many cubes as so many bytes hold, within these limits."""

_FORMAT, _WHAT = 1, "set of cubes"
_MOST_LIGHT = 1.01
"""Of that of the galaxy, that its cube may hold: what the accuracy allows for."""

_SAME = ["format", "cubes", "seed", "settings"]
_NEEDED = {"clumpygan": str, "cubes": int, "seed": int, "settings": dict, "complete": bool}


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
    workers: int | None = None,
    cluster: str | None = None,
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
    workers, cluster
        Who renders, see `clumpygan.engine.Workplace`.
    made_by : mapping of str, optional
        Added to the card.

    Raises
    ------
    InputError
        If the folder holds anything else, such as a set with other settings, if another process is
        writing into it, or if the settings can't be rendered.
    """
    home = Path(folder)
    check_home(home, {CUBES, PARAMETERS}, _WHAT)
    renderer_for(settings)
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
    paths = {name: home / f"{name}.npy" for name in _layout(settings)}
    with only_one(home, wait=False):
        if (home / CARD).exists():
            before = _read_card(home)
            # Rows of two versions may differ.
            check_same(home, before, card, _SAME + ["clumpygan"] * (not before["complete"]))
        else:
            allocate(paths, _layout(settings), count)
            (home / NOTES).write_text("")
            write_card(home, card | {"complete": False})
        if not _read_card(home)["complete"]:
            fill_arrays(
                paths,
                _layout(settings),
                count,
                partial(_rows, settings, seed),
                notes=home / NOTES,
                chunk=_chunk(settings),
                label=str(home),
                unit="cube",
                workers=workers,
                cluster=cluster,
            )
            write_card(home, _read_card(home) | {"complete": True})
            (home / NOTES).unlink()
    return open_cubes(home)


def open_cubes(folder: str | os.PathLike[str]) -> CubeSet:
    """Open a complete set.

    Raises
    ------
    InputError
        If there is none, or it isn't complete or not as its card says.
    """
    home = Path(folder)
    card = read_whole(home, _FORMAT, _NEEDED, _WHAT, "prepare.py cubes")
    try:
        settings = CubeSettings.from_dict(card["settings"])
    except InputError as problem:
        raise InputError(f"{home / CARD}: {problem}") from problem
    found = CubeSet(home, settings, card["cubes"], card["seed"], card)
    _ = found.cubes, found.parameters
    return found


def _read_card(home: Path) -> dict[str, Any]:
    return read_card(home, _FORMAT, _NEEDED, _WHAT)


def _layout(settings: CubeSettings) -> Layout:
    return {
        "cubes": (settings.frame.shape, np.float32),
        "parameters": ((len(settings.model.names),), np.float64),
    }


def _rows(settings: CubeSettings, seed: int, first: int, last: int) -> Arrays:
    vectors = settings.draw(seed, SPLIT, range(first, last))
    return {"cubes": renderer_for(settings)(vectors), "parameters": vectors}


def _chunk(settings: CubeSettings) -> int:
    """Return how many cubes are written at a time."""
    return int(np.clip(CHUNK_BYTES // (4 * np.prod(settings.frame.shape)), *CHUNK_CUBES))


def check_cubes(cubes: CubeSet, generator: np.random.Generator, rows: int = 8) -> None:
    """Check that a set is whole: each cube has its light, and some, rendered again, are the same.

    Parameters
    ----------
    cubes : CubeSet
    generator : numpy.random.Generator
        Chooses those.
    rows : int
        How many are drawn and rendered again.

    Raises
    ------
    InputError
        If a cube isn't finite, is empty, has more light than its galaxy, is there twice, or isn't
        what its parameters and the seed give.
    """
    home, settings = cubes.folder, cubes.settings
    flux, magnification, continuum = (
        cubes.parameters[:, settings.model.index(name)]
        for name in ("flux", "magnification", "continuum")
    )
    grid = frame_for(settings).grid
    integrated = grid.pixel_response and grid.channel_response
    expected = flux * magnification
    most = np.where((continuum == 0) & integrated, _MOST_LIGHT * expected, np.inf)
    for first, last in spans_of(cubes.count, _chunk(settings)):
        light = cubes.cubes[first:last].sum(axis=(1, 2, 3), dtype=np.float64)
        dark = (light <= 0) & (expected[first:last] > 0)
        wrong = ~np.isfinite(light) | dark | (light > most[first:last])
        if wrong.any():
            row = first + int(np.argmax(wrong))
            raise InputError(
                f"{home}: cube {row} holds {light[row - first]:.4g} of the {expected[row]:.4g} "
                "flux units of its galaxy: it is damaged (delete the folder and prepare it again), "
                "or its settings put the galaxy outside the cube"
            )
    # Equal rows have equal sums.
    sums = cubes.parameters @ np.random.default_rng(0).random(cubes.parameters.shape[1])
    if len(np.unique(sums)) < cubes.count and not _all_fixed(settings):
        raise InputError(f"{home}: a galaxy is there twice; delete the folder and prepare it again")
    _check_rows(cubes, generator.choice(cubes.count, min(rows, cubes.count), replace=False))


def _check_rows(cubes: CubeSet, chosen: np.ndarray) -> None:
    drawn = cubes.settings.draw(cubes.seed, SPLIT, chosen.tolist())
    rendered = renderer_for(cubes.settings)(drawn)
    tolerance = 0.1 * cubes.settings.accuracy
    for row, vector, cube in zip(chosen.tolist(), drawn, rendered, strict=True):
        same = np.allclose(vector, cubes.parameters[row], rtol=1e-12, atol=0)
        error = float(np.abs(cube - cubes.cubes[row]).max())
        if not same or not error <= tolerance * float(cube.max()):
            raise InputError(
                f"{cubes.folder}: cube {row} isn't what its seed and settings give with clumpygan "
                f"{__version__} (it was made with {cubes.card['clumpygan']}); delete the folder "
                "and prepare it again"
            )


def _all_fixed(settings: CubeSettings) -> bool:
    """Tell whether nothing that is drawn differs between galaxies."""
    drawn = settings.draw(0, SPLIT, range(2))
    return bool(np.array_equal(*drawn))
