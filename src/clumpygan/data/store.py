"""A sample of rendered galaxies on disk: written once, memory-mapped ever after."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.data.rendered_arrays import render_arrays
from clumpygan.errors import InputError
from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.instruments import get_instrument
from clumpygan.io import atomic_path
from clumpygan.io.lock import only_one

CHUNK = 250
"""Galaxies rendered between two notes of the progress."""


@dataclass(frozen=True)
class SampleSettings:
    """What a rendered sample depends on.

    Attributes
    ----------
    size : int
        Number of galaxies.
    split : str
        "train", "val" or "test": other galaxies in each.
    seed : int
    instrument : str
        Name of an imaging preset.
    stamp : int
        Pixels per side.
    min_magnitude, max_magnitude, max_redshift : float
        Selection in H (AB) and redshift.
    """

    size: int
    split: str
    seed: int
    instrument: str = "hst_wfc3_f160w"
    stamp: int = 112
    min_magnitude: float = 20.0
    max_magnitude: float = 26.0
    max_redshift: float = 2.0

    @property
    def name(self) -> str:
        """Name of the sample's folder, one for each combination of settings and instrument."""
        contents = [asdict(self), asdict(get_instrument(self.instrument))]
        digest = sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
        return f"{self.split}-{self.size}-{digest[:10]}"


@dataclass(frozen=True)
class Sample:
    """A sample opened for reading.

    Attributes
    ----------
    images : numpy.ndarray
        (N, y, x) float32, nJy per pixel, memory-mapped.
    table : astropy.table.Table
        One row of parameters for each image.
    """

    images: np.ndarray
    table: Table


def draw_table(settings: SampleSettings, indices: Iterable[int] | int) -> Table:
    """Draw the parameters of the given galaxies of a sample."""
    return draw_population(
        indices,
        seed=settings.seed,
        split=settings.split,
        min_magnitude=settings.min_magnitude,
        max_magnitude=settings.max_magnitude,
        max_redshift=settings.max_redshift,
    )


def render_chunk(settings: SampleSettings, first: int, last: int) -> np.ndarray:
    """Render galaxies first..last - 1 of a sample: (last - first, y, x) float32, nJy per pixel."""
    instrument = get_instrument(settings.instrument)
    renderer = StampRenderer(
        size=settings.stamp, pixel_scale=instrument.pixel_scale, psf=instrument.psf()
    )
    return renderer.render_table(draw_table(settings, range(first, last)))


def open_sample(folder: Path, settings: SampleSettings, workers: int | None = None) -> Sample:
    """Open a sample, rendering what is missing of it first.

    Parameters
    ----------
    folder : Path
        Where samples are kept; the sample gets a folder of its own in it.
    settings : SampleSettings
    workers : int, optional
        Processes that render; as many as there are cores by default.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If a finished sample has been damaged.
    """
    home = Path(folder) / settings.name
    images, table, card = home / "images.npy", home / "table.fits", home / "card.json"
    if not card.exists():
        home.mkdir(parents=True, exist_ok=True)
        with only_one(home):
            if not images.exists():
                _render(home, settings, workers or os.cpu_count() or 1)
            if not card.exists():
                _describe(settings, table, card)
    mapped = _open(images)
    expected = (settings.size, settings.stamp, settings.stamp)
    if mapped.shape != expected or mapped.dtype != np.float32:
        raise InputError(
            f"{images} holds {mapped.shape} {mapped.dtype}, expected {expected} float32: "
            f"delete {home} to render it anew"
        )
    return Sample(mapped, Table.read(table))


def _describe(settings: SampleSettings, table: Path, card: Path) -> None:
    with atomic_path(table) as temporary:
        draw_table(settings, settings.size).write(temporary, format="fits", overwrite=True)
    with atomic_path(card) as temporary:
        temporary.write_text(json.dumps(asdict(settings), indent=1))


def _open(images: Path) -> np.ndarray:
    try:
        return np.load(images, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{images} can't be read ({error}): delete {images.parent} to render it anew"
        ) from error


def _render(home: Path, settings: SampleSettings, workers: int) -> None:
    """Render the chunks that are not there yet into one array, in parallel."""
    render_arrays(
        home,
        {"images": ((settings.stamp, settings.stamp), np.float32)},
        settings.size,
        partial(_rows, settings),
        chunk=CHUNK,
        workers=workers,
        label=f"rendering {settings.split}",
    )


def _rows(settings: SampleSettings, first: int, last: int) -> dict[str, np.ndarray]:
    return {"images": render_chunk(settings, first, last)}
