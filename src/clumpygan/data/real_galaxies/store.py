"""A set of shrunk real galaxies on disk: images, a table, a card."""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.data.array_set import cached_arrays
from clumpygan.data.real_galaxies.shrinking import Camera, choose, describe, draw_stamp
from clumpygan.data.real_galaxies.sources import Source, read_sources
from clumpygan.errors import InputError
from clumpygan.galaxies import POPULATION
from clumpygan.io import atomic_path, read_table

CHUNK = 100


@dataclass(frozen=True)
class RealSet:
    """Stamps of one split.

    Attributes
    ----------
    images : ndarray (N, y, x), float32
        nJy per pixel.
    table : Table
        A row for each: `galaxy`, `h_magnitude`, and what else `shrinking.describe` says.
    """

    images: np.ndarray
    table: Table


def open_real(
    folder: Path, recipe: Path, camera: Camera, split: str, count: int, seed: int,
    workers: int | None = None,
) -> RealSet:  # fmt: skip
    """Open stamps of real galaxies, making what is missing of them first.

    Galaxies are split by their names, all bands of one alike.

    Parameters
    ----------
    folder : Path
        Where sets are kept; this one gets a folder of its own, named after all that it depends on.
    recipe : Path
        See `clumpygan.data.real_galaxies.recipe`.
    camera : Camera
        Of the stamps.
    split : str
    count : int
    seed : int
    workers : int, optional
        Processes; as many as there are cores by default.

    Raises
    ------
    InputError
        If the recipe or an image can't be read, or no galaxy falls into the split.
    """
    sources = _sources(recipe, split)
    if not sources:
        raise InputError(f"{recipe}: none of its galaxies falls into the {split} split")
    look = camera.target.name, camera.target.pixel_scale, camera.size, camera.noise
    digest = sha256(recipe.read_bytes() + repr((look, split, count, seed, POPULATION)).encode())
    home = folder / f"real-{split}-{count}-{digest.hexdigest()[:10]}"
    table = home / "table.fits"
    arrays = cached_arrays(
        home,
        {"images": ((camera.size, camera.size), np.float32)},
        count,
        partial(_rows, recipe, camera, split, seed),
        chunk=CHUNK,
        label=f"shrinking real galaxies, {split}",
        card={"recipe": recipe.read_text(), "split": split, "count": count, "seed": seed,
              "galaxies": sorted({source.galaxy for source in sources})},
        workers=workers,
        finish=partial(_write_table, recipe, camera, split, count, seed, table),
    )  # fmt: skip
    return RealSet(arrays["images"], read_table(table))


def _sources(recipe: Path, split: str) -> list[Source]:
    return [source for source in read_sources(recipe) if source.split == split]


def _rows(
    recipe: Path, camera: Camera, split: str, seed: int, first: int, last: int
) -> dict[str, np.ndarray]:
    sources = _sources(recipe, split)
    images = [draw_stamp(sources, camera, seed, index) for index in range(first, last)]
    return {"images": np.stack(images)}


def _write_table(
    recipe: Path, camera: Camera, split: str, count: int, seed: int, path: Path
) -> None:
    sources = _sources(recipe, split)
    rows = [describe(*choose(sources, camera, seed, index)) for index in range(count)]
    with atomic_path(path) as temporary:
        Table(rows).write(temporary, format="fits", overwrite=True)
