"""The cubes of a set that `prepare.py cubes` has made, as what `fit.py` fits: with noise added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from clumpygan.data.cubes.dataset import CubeDataset
from clumpygan.data.cubes.settings import frame_for
from clumpygan.data.cubes.store import CubeSet, open_cubes
from clumpygan.errors import InputError
from clumpygan.fitting.batch.sources import CubeSource
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.observation import CubeLayout, Observation
from clumpygan.fitting.settings import FitSettings, settings_about_files

_SPLIT = "fit"
"""Part of the key with which noise is added to cubes of a set."""


@dataclass(frozen=True)
class CubeOfSet:
    """One cube of a prepared set.

    Attributes
    ----------
    name : str
        First part of the names of its files.
    folder : Path
        Of the set.
    row : int
    signal_to_noise : float
        Of the brightest voxel, with the noise that is added.
    """

    name: str
    folder: Path
    row: int
    signal_to_noise: float

    @property
    def own(self) -> Mapping[str, Any]:
        """The S/N."""
        return {"signal_to_noise": self.signal_to_noise}

    @property
    def path(self) -> Path:
        """The card of the set, which is written last."""
        return self.folder / "card.yaml"

    @property
    def identity(self) -> Mapping[str, str | int]:
        """The folder and the number."""
        return {"file": str(self.folder.resolve()), "row": self.row}

    def load(self, settings: FitSettings) -> tuple[Mapping[str, DiskFitter], Observation]:
        """Read it and add noise; return the fitters and what they are to fit."""
        found = _opened(self.folder)
        frame = frame_for(found.settings)
        served = CubeDataset(
            found.settings,
            split=_SPLIT,
            seed=settings.seed,
            size=found.count,
            signal_to_noise=(self.signal_to_noise, self.signal_to_noise),
            cubes=found,
        )[self.row]
        fitters = fitters_of(_with_model_of(found, settings), frame)
        variance = np.full(found.settings.frame.shape, float(served["sigma"]) ** 2)
        observation = next(iter(fitters.values())).observe(served["cube"][0], variance)
        vector = found.parameters[self.row].tolist()
        truth = dict(zip(found.settings.model.names, vector, strict=True))
        layout = CubeLayout(frame.axis, frame.grid.pixel_scale)
        return fitters, replace(observation, layout=layout, truth=truth)


def cubes_of_set(
    folder: Path, count: int | None, signal_to_noise: float, settings: FitSettings
) -> Sequence[CubeSource]:
    """Return the first cubes of a set.

    Raises
    ------
    InputError
        If there are fewer, or settings are about files.
    """
    if (name := settings_about_files(settings)) is not None:
        raise InputError(f"`{name}` is about files; a set knows it itself: leave it out")
    found = _opened(folder)
    if count is not None and count > found.count:
        raise InputError(f"`n` {count}: {folder} has {found.count} cubes; ask for fewer")
    fitters_of(_with_model_of(found, settings), frame_for(found.settings))
    stem = folder.resolve().name
    return [
        CubeOfSet(f"{stem}_{row:06d}", folder, row, signal_to_noise)
        for row in range(count or found.count)
    ]


def _with_model_of(found: CubeSet, settings: FitSettings) -> FitSettings:
    """Return the settings with the rotation curve of a set, where they don't choose their own."""
    if settings.curves or settings.rotation_table is not None:
        return settings
    curve = found.settings.model.curve
    if curve == "table":
        raise InputError(
            f"{found.folder}: its curve is a table; give it as `rotation_table`, or another `curve`"
        )
    return settings.but({"curve": (curve,)})


@lru_cache(maxsize=1)
def _opened(folder: Path) -> CubeSet:
    return open_cubes(folder)
