"""A sample of rendered galaxies on disk: written once, memory-mapped ever after."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.data.array_set import cached_arrays
from clumpygan.errors import InputError
from clumpygan.galaxies import (
    POPULATION,
    StampRenderer,
    draw_population,
    without_neighbours,
)
from clumpygan.instruments import ImagingInstrument, get_instrument
from clumpygan.io import atomic_path, read_table
from clumpygan.settings import check, setting

CHUNK = 250
"""Galaxies rendered between two notes of the progress."""

_WORDS = ("description", "sources")


@dataclass(frozen=True)
class Selection:
    """Which galaxies of the population are in a sample."""

    min_magnitude: float = setting(20.0, "brightest galaxies, in H (AB)", "mag")
    max_magnitude: float = setting(26.0, "faintest galaxies, in H (AB)", "mag")
    max_redshift: float = setting(2.0, "farthest galaxies", "Z", above=0)

    def __post_init__(self) -> None:
        check(self)
        if not self.min_magnitude < self.max_magnitude:
            raise InputError(
                f"`min_magnitude` {self.min_magnitude:g} isn't below `max_magnitude` "
                f"{self.max_magnitude:g}"
            )


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
    pixel_scale : float, optional
        arcsec per pixel where it isn't that of the instrument.
    min_magnitude, max_magnitude, max_redshift : float
        Selection in H (AB) and redshift.
    alone : bool
        Whether galaxies are in the middle of their stamps, without other sources around.
    """

    size: int
    split: str
    seed: int
    instrument: str = "hst_wfc3_f160w"
    stamp: int = 112
    pixel_scale: float | None = None
    min_magnitude: float = 20.0
    max_magnitude: float = 26.0
    max_redshift: float = 2.0
    alone: bool = False

    @property
    def name(self) -> str:
        """Name of the sample's folder, one for each population, instrument and settings."""
        camera = {k: v for k, v in asdict(self.camera).items() if k not in _WORDS}
        # Of the others names are as they were before there were galaxies alone.
        own = {k: v for k, v in asdict(self).items() if v or k != "alone"}
        contents = [own, camera, POPULATION]
        digest = sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
        return f"{self.split}-{self.size}-{digest[:10]}"

    @property
    def camera(self) -> ImagingInstrument:
        """Return the instrument, with the pixels of the stamps."""
        preset = get_instrument(self.instrument)
        return preset if self.pixel_scale is None else preset.with_pixels(self.pixel_scale)


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


def draw_table(settings: SampleSettings, indices: Sequence[int] | int) -> Table:
    """Draw the parameters of the given galaxies of a sample."""
    table = draw_population(
        indices,
        seed=settings.seed,
        split=settings.split,
        min_magnitude=settings.min_magnitude,
        max_magnitude=settings.max_magnitude,
        max_redshift=settings.max_redshift,
    )
    if settings.alone:
        table = without_neighbours(table)
        table["offset_x"] = table["offset_y"] = 0.0
    return table


def render_chunk(settings: SampleSettings, first: int, last: int) -> np.ndarray:
    """Render galaxies first..last - 1 of a sample: (last - first, y, x) float32, nJy per pixel."""
    camera = settings.camera
    renderer = StampRenderer(size=settings.stamp, pixel_scale=camera.pixel_scale, psf=camera.psf())
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
    table = home / "table.fits"
    arrays = cached_arrays(
        home,
        {"images": ((settings.stamp, settings.stamp), np.float32)},
        settings.size,
        partial(_rows, settings),
        chunk=CHUNK,
        label=f"rendering {settings.split}",
        card=asdict(settings),
        workers=workers,
        finish=partial(_write_table, settings, table),
    )
    return Sample(arrays["images"], read_table(table))


def _rows(settings: SampleSettings, first: int, last: int) -> dict[str, np.ndarray]:
    return {"images": render_chunk(settings, first, last)}


def _write_table(settings: SampleSettings, path: Path) -> None:
    with atomic_path(path) as temporary:
        draw_table(settings, settings.size).write(temporary, format="fits", overwrite=True)
