"""Cubes of clumpy galaxies in batches, each with its parameters and its smooth disk."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from clumpygan.data.cube_frame import CubeFrame
from clumpygan.data.cube_settings import noise_generator, plain
from clumpygan.data.cube_symmetry import turned, turned_parameters
from clumpygan.data.galaxy_cube_sample import (
    GalaxyCubes,
    GalaxyCubeSettings,
    frame_of,
    open_galaxy_cubes,
)
from clumpygan.data.measured_cubes import (
    MeasuredCubeDataset,
    MeasuredCubes,
    read_measured_cubes,
    split_rows,
)
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.galaxies.cube_conditions import CUBE_CONDITIONS
from clumpygan.instruments.cube_noise import draw_cube_noise

Item = dict[str, np.ndarray]

_FLUX = tuple(CUBE_CONDITIONS).index("flux")


class GalaxyCubeDataset(Dataset[Item]):
    """Cubes with everything random about them drawn from (seed, split, index, turn).

    Item (turn, index): the noise, the S/N and the orientation depend on `turn`, which counts passes
    over the data. A plain index is turn 0, in the orientation of the sample.

    Parameters
    ----------
    cubes : GalaxyCubes
    signal_to_noise : (float, float)
        Range from which the brightest voxel over sigma is drawn, uniformly in its logarithm.
    correlation : ndarray, optional
        Of the noise in neighbouring voxels.
    split : str
    seed : int
    augment : bool
        Turn the sky by multiples of 90 degrees and reverse velocities at random, with the
        parameters: what results is a galaxy of the same population, and nothing leaks.
    """

    def __init__(
        self,
        cubes: GalaxyCubes,
        *,
        signal_to_noise: tuple[float, float],
        correlation: np.ndarray | None,
        split: str,
        seed: int,
        augment: bool,
    ) -> None:
        self.cubes, self.signal_to_noise, self.correlation = cubes, signal_to_noise, correlation
        self.split, self.seed, self.augment = split, seed, augment

    def __len__(self) -> int:
        return len(self.cubes)

    def __getitem__(self, item: int | tuple[int, int]) -> Item:
        """Return an item of a batch.

        Returns
        -------
        dict of ndarray, float32
            `cube` (1, v, y, x) without noise and `smooth` (1, v, y, x), the smooth disk, both in
            units of the noise per voxel; `parameters` (K,), in physical units, the flux in that of
            the cube; `signal_to_noise` () of the brightest voxel; `noise` and `second_noise`
            (1, v, y, x), independent, of unit variance.
        """
        turn, index = item if isinstance(item, tuple) else (0, item)
        generator = noise_generator(self.seed, self.split, index, turn)
        ratio = np.float32(np.exp(generator.uniform(*np.log(self.signal_to_noise))))
        parameters = np.array(self.cubes.conditions[index], dtype=np.float32)
        parameters[_FLUX] *= ratio
        cube, smooth = (
            ratio * np.asarray(array[index], dtype=np.float32)[None]
            for array in (self.cubes.cubes, self.cubes.smooth)
        )
        noise, second = draw_cube_noise(generator, (2, *cube.shape), 1.0, self.correlation)
        quarters, reverse = int(generator.integers(4)), bool(generator.integers(2))
        if self.augment and isinstance(item, tuple):
            cube, smooth = (turned(one, quarters, reverse) for one in (cube, smooth))
            parameters = turned_parameters(parameters, quarters, reverse)
        return {
            "cube": cube,
            "smooth": smooth,
            "parameters": parameters,
            "signal_to_noise": ratio,
            "noise": noise,
            "second_noise": second,
        }


class GalaxyCubeDataModule(StreamDataModule):
    """Serve cubes of clumpy, turbulent galaxies, and what they would be if they were smooth.

    Parameters
    ----------
    seed : int
    root : str, optional
        Folder of real cubes (see `read_measured_cubes`), in place of rendered ones. They are split
        by their names.
    table : str, optional
        Of their parameters; by default results.ecsv in the folder.
    measured_seeing : float, optional
        FWHM of their PSF in arcsec, where the table doesn't say.
    cache : str
        Folder for rendered samples.
    galaxies : GalaxyCubeSettings or mapping, optional
        `GalaxyCubeSettings.from_dict` takes the mapping. Of real cubes, only the frame holds.
    train_size, val_size, test_size : int
        Galaxies in each split, of rendered ones.
    batch_size : int
        Cubes per process and step.
    images_per_epoch : int
        Cubes, over all processes, between two validations.
    signal_to_noise : (float, float)
        Range of the brightest voxel over sigma, log-uniform.
    augment : bool
        See `GalaxyCubeDataset`; the training set alone.
    num_workers : int
        Loader processes; 0 loads in the main process.

    Raises
    ------
    InputError
        If a setting is unknown or out of range.
    """

    def __init__(
        self,
        seed: int,
        root: str | None = None,
        table: str | None = None,
        measured_seeing: float | None = None,
        cache: str = "cache",
        galaxies: GalaxyCubeSettings | Mapping[str, Any] | None = None,
        train_size: int = 12288,
        val_size: int = 512,
        test_size: int = 1024,
        batch_size: int = 16,
        images_per_epoch: int = 4096,
        signal_to_noise: tuple[float, float] = (5.0, 30.0),
        augment: bool = True,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            seed=seed,
            batch_size=batch_size,
            images_per_epoch=images_per_epoch,
            num_workers=num_workers,
        )
        low, high = (float(end) for end in signal_to_noise)
        if not 0 < low <= high < np.inf:
            raise InputError(
                f"signal_to_noise is {signal_to_noise}; expected two rising numbers above 0"
            )
        if not isinstance(galaxies, GalaxyCubeSettings):
            galaxies = GalaxyCubeSettings.from_dict(galaxies or {})
        if root is None and (table is not None or measured_seeing is not None):
            raise InputError("table and measured_seeing are of real cubes: give root, their folder")
        self.root, self.table, self.measured_seeing = root, table, measured_seeing
        self._measured: MeasuredCubes | None = None
        self.cache = Path(cache)
        self.settings = galaxies
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.signal_to_noise = (low, high)
        self.augment = augment
        self.frame: CubeFrame = frame_of(galaxies)

    @property
    def condition_names(self) -> tuple[str, ...]:
        """Names of the columns of `parameters`."""
        return tuple(CUBE_CONDITIONS)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (v, y, x) of the cubes."""
        return self.settings.frame.shape

    def setup(self, stage: str | None = None) -> None:
        """Render the samples of training and validation, if they aren't there, or read the cubes.

        Raises
        ------
        InputError
            If there are no cubes to read, or they can't be used.
        """
        if self.root is not None:
            self._conditions("train")
            return
        for split in ("train", "val") if stage in (None, "fit") else ():
            self._sample(split)

    def dataset(self, split: str) -> GalaxyCubeDataset | MeasuredCubeDataset:
        """Return the dataset of a split: "train", "val" or "test"."""
        common = {
            "correlation": self.frame.correlation,
            "split": split,
            "seed": self.seed,
            "augment": self.augment and split == "train",
        }
        if self.root is not None:
            return MeasuredCubeDataset(self._read(split), **common)
        return GalaxyCubeDataset(
            self._sample(split), signal_to_noise=self.signal_to_noise, **common
        )

    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch as it is: cubes come complete."""
        return batch

    def describe(self) -> dict[str, Any]:
        """Return what must be known of the cubes to use a network trained on them."""
        told = self._conditions("val")
        low, high = told.min(0), told.max(0)
        return {
            "frame": plain(asdict(self.settings.frame)),
            "condition_names": list(self.condition_names),
            "ranges": {
                name: [round(float(low[i]), 4), round(float(high[i]), 4)]
                for i, name in enumerate(self.condition_names)
                if name != "flux"
            },
            "signal_to_noise": list(self.signal_to_noise),
        }

    def _conditions(self, split: str) -> np.ndarray:
        """Return the conditions (n, K) of a split."""
        return (self._sample(split) if self.root is None else self._read(split)).conditions

    def _read(self, split: str) -> MeasuredCubes:
        """Return the real cubes of a split."""
        if self._measured is None:
            self._measured = read_measured_cubes(
                Path(str(self.root)),
                self.frame,
                table=None if self.table is None else Path(self.table),
                seeing=self.measured_seeing,
            )
        return split_rows(self._measured, self.seed, split)

    def _sample(self, split: str) -> GalaxyCubes:
        return open_galaxy_cubes(self.cache, self.settings, self.sizes[split], self.seed, split)
