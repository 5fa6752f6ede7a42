"""The files of generated cubes: one, or a folder and its table; an interrupted run goes on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan.errors import InputError
from clumpygan.gan.cubes import BATCH
from clumpygan.generation.cube_maker import PER_PAGE, CubeMaker, MadeCube
from clumpygan.generation.settings import (
    CubesSettings,
)
from clumpygan.io import atomic_path, read_cube
from clumpygan.settings.documents import read_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SETTINGS = "settings.json"
"""In the folder of the cubes: what they are."""

GIVEN = ""
_DRAWN_FROM_THE_FOLDER, _DRAWN = "that of the cubes that are there", "drawn at random"

Progress = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class CubeFiles:
    """The files of cubes; a run that was interrupted goes on.

    Attributes
    ----------
    maker : CubeMaker
    output : Path
        The cube, or the table of several, whose folder has the name without the ending.
    count, seed : int
    seed_from : str
        Where the seed is from, in words; nothing if it was given.
    """

    maker: CubeMaker
    output: Path
    count: int
    seed: int
    seed_from: str

    @classmethod
    def prepare(cls, maker: CubeMaker, output: str | Path) -> CubeFiles:
        """Settle the seed, and prepare the folder of several cubes.

        Raises
        ------
        InputError
            If the folder holds other cubes.
        """
        path, wanted = Path(output), maker.settings
        seed, source = _settle(wanted, path.with_suffix(""), maker.depends)
        return cls(maker, path, wanted.n, seed, source)

    @property
    def folder(self) -> Path:
        """Where several cubes go."""
        return self.output.with_suffix("")

    def path(self, index: int) -> Path:
        """Return the file of a cube."""
        if self.count == 1:
            return self.output
        return self.folder / f"{self.folder.name}_{index:06d}.fits"

    def missing(self) -> list[int]:
        """Return the cubes that aren't there yet."""
        if self.count == 1:
            return [0]
        there = {path.name for path in self.folder.glob("*.fits")}
        return [i for i in range(self.count) if self.path(i).name not in there]

    def write(self, cube: MadeCube) -> None:
        """Write one cube to its file."""
        if self.count > 1:
            self.folder.mkdir(exist_ok=True)
        self.maker.write(self.path(cube.index), self.seed, cube)

    def make(self, indices: Sequence[int], progress: Progress = lambda done: None) -> None:
        """Make cubes and write each to its file."""
        for begin in range(0, len(indices), BATCH):
            for cube in self.maker.make(self.seed, indices[begin : begin + BATCH]):
                self.write(cube)
                progress(1)

    def write_table(self, path: Path | None = None) -> None:
        """Write the parameters of several cubes, to `output` if no path is given."""
        if self.count == 1:
            return
        table = self.maker.table(self.seed, self.count)
        files = [f"{self.folder.name}/{self.path(i).name}" for i in range(self.count)]
        table.add_column(files, name="file", index=0)
        with atomic_path(path or self.output) as temporary:
            table.write(temporary, format="fits")

    @property
    def page_count(self) -> int:
        """How many pages there are of all cubes."""
        return -(-self.count // PER_PAGE)

    def pages(self) -> Iterator[Figure]:
        """Draw all cubes as they are in the files, page by page."""
        for first in range(0, self.count, PER_PAGE):
            indices = range(first, min(first + PER_PAGE, self.count))
            found = [read_cube(self.path(index)) for index in indices]
            cubes = [(one.data, one.variance) for one in found]
            yield self.maker.page(self.seed, first, self.count, cubes)

    def report(self) -> dict[str, Any]:
        """Return all that the cubes depend on, for a JSON file."""
        return self.maker.depends | {"seed": self.seed}


def _settle(wanted: CubesSettings, folder: Path, depends: dict[str, Any]) -> tuple[int, str]:
    """Return the seed, and note the settings in the folder of several cubes.

    Raises
    ------
    InputError
        If there are cubes of other settings in it.
    """
    drawn = secrets.randbelow(2**31) if wanted.seed is None else wanted.seed
    source = _DRAWN if wanted.seed is None else GIVEN
    if wanted.n == 1:
        return drawn, source
    note = folder / SETTINGS
    if note.exists():
        before = read_json(note, f"delete the folder {folder}")
        if not isinstance(before, dict) or not isinstance(before.get("seed"), int):
            raise InputError(f"{note} holds no settings: delete the folder {folder}")
        seed = before["seed"] if wanted.seed is None else wanted.seed
        for name, value in {**depends, "seed": seed}.items():
            if before.get(name) != value:
                raise InputError(
                    f"{folder} holds cubes of another {name} ({before.get(name)}, now {value}): "
                    "choose another `output`, or delete it"
                )
        return seed, GIVEN if wanted.seed is not None else _DRAWN_FROM_THE_FOLDER
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files: choose another `output`")
    folder.mkdir(exist_ok=True)
    with atomic_path(note) as path:
        path.write_text(json.dumps(depends | {"seed": drawn}, indent=2) + "\n")
    return drawn, source
