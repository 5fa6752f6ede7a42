"""Velocity cubes in batches: rendered on the fly, by workers or on the device, or read."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from clumpygan.data.cubes.dataset import CubeDataset
from clumpygan.data.cubes.frame import CubeFrame
from clumpygan.data.cubes.galaxy_cubes import GalaxyCubeDataset, described
from clumpygan.data.cubes.settings import CubeDataSettings, CubeSettings, frame_for
from clumpygan.data.cubes.store import CubeSet, open_cubes
from clumpygan.data.splits import split_of
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.galaxies import TorchCubeRenderer
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS


class CubeDataModule(StreamDataModule):
    """Serve velocity cubes of disks with noise; see `CubeDataSettings`.

    Galaxies are drawn from the priors of the parameter table. Galaxy, noise and order depend on
    the seed alone: not on the number of workers or processes, nor on interruptions. A prepared set
    is split into training, validation and test by the numbers of its cubes.
    """

    Settings = CubeDataSettings

    def build(self) -> None:
        """Open the prepared set, if there is one, and make the frame.

        Raises
        ------
        InputError
            If it can't be opened, or there is no such frame.
        """
        self._set: CubeSet | None = None
        if self.config.root is not None:
            self._set = open_cubes(self.config.root)
        self.settings = self._set.settings if self._set else self.config.cubes or CubeSettings()
        self.frame: CubeFrame = frame_for(self.settings)
        if self.config.batches == "galaxies" and self.config.augment:
            rows, columns = self.shape[1:]
            if rows != columns:
                raise InputError(
                    f"images of {rows} x {columns} pixels can't be turned: expected squares, or "
                    "data.augment=false"
                )
        self.condition_names: tuple[str, ...] = tuple(CUBE_CONDITIONS)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (v, y, x) of the cubes."""
        return self.settings.frame.shape

    @property
    def signal_to_noise(self) -> tuple[float, float] | None:
        """Range of the brightest voxel over the noise of a voxel."""
        found: tuple[float, float] | None = self.config.signal_to_noise
        return found

    def make_dataset(self, split: str) -> CubeDataset | GalaxyCubeDataset:
        """Return the cubes of a split.

        Raises
        ------
        InputError
            If none of a prepared set falls into it.
        """
        config, rows = self.config, self._rows(split)
        correlation = self.frame.correlation if config.correlated_noise else None
        galaxies = CubeDataset(
            self.settings,
            split=split,
            seed=self.seed,
            size=config.size_of(split) if rows is None else len(rows),
            signal_to_noise=config.signal_to_noise,
            correlated=config.correlated_noise,
            cubes=self._set,
            rows=rows,
            rendered=config.source != "device",
        )
        if config.batches == "observed":
            return galaxies
        return GalaxyCubeDataset(
            galaxies,
            signal_to_noise=config.signal_to_noise,
            correlation=correlation,
            split=split,
            seed=self.seed,
            augment=config.augment and split == "train",
        )

    def _rows(self, split: str) -> list[int] | None:
        """Return which cubes of the prepared set are in a split; None without a set."""
        if self._set is None:
            return None
        count = self._set.count
        names = [split_of(f"cube {row}", self._set.seed) for row in range(count)]
        rows = [row for row in range(count) if names[row] == split][: self.config.size_of(split)]
        if not rows:
            raise InputError(
                f"{self.config.root}: none of its {count} cubes falls into the {split} set; "
                "prepare more"
            )
        return rows

    def describe(self) -> dict[str, Any]:
        """Return what must be known of the cubes to use a network trained on them."""
        if self.config.batches == "observed":
            return {}
        told = self.dataset("val").cubes.conditions()
        frame, ratios = self.settings.frame, self.config.signal_to_noise
        return described(frame, ratios, self.condition_names, told)

    @torch.no_grad()
    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a complete batch, rendering it where it came without cubes.

        Returns
        -------
        dict of Tensor, float32
            `cube` (B, 1, v, y, x), flux per voxel with noise; `parameters` (B, P), in the order of
            `settings.model.names`; `sigma` (B,), the noise of a voxel.
        """
        if "cube" in batch:
            return batch
        parameters = batch["parameters"]
        cube = self.renderer(parameters)
        sigma = cube.flatten(1).amax(1) / batch["signal_to_noise"]
        noise = sigma[:, None, None, None, None] * batch["noise"]
        return {"cube": cube + noise, "parameters": parameters, "sigma": sigma}

    @cached_property
    def renderer(self) -> TorchCubeRenderer:
        """The differentiable renderer of these cubes."""
        return TorchCubeRenderer(
            self.frame.grid, self.settings.model, self.frame.transfer, self.settings.accuracy
        )
