"""Velocity cubes in batches: rendered on the fly, by workers or on the device, or read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from clumpygan.data.cube_settings import CubeSettings, frame_for
from clumpygan.data.cube_store import CubeSet, open_cubes
from clumpygan.data.cube_views import CubeDataset
from clumpygan.data.splits import split_of
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.galaxies import TorchCubeRenderer

Source = Literal["workers", "device", "prepared"]


class CubeDataModule(StreamDataModule):
    """Serve velocity cubes of disks with noise.

    Galaxies are drawn from the priors of the parameter table. Galaxy, noise and order depend on
    the seed alone: not on the number of workers or processes, nor on interruptions.

    Parameters
    ----------
    seed : int
    source : {"workers", "device", "prepared"}
        Who makes the cubes: the loader's processes, compiled; the training device, as tensors; or
        `prepare.py cubes`, which has written them into the folder `root`.
    root : str, optional
        Of the prepared set. Its settings hold then, and its cubes are split into training and
        validation by their number.
    cubes : CubeSettings or mapping, optional
        What is rendered; `CubeSettings.from_dict` takes the mapping. Not with a prepared set.
    train_size, val_size : int
        Galaxies in each split; of a prepared set all, but not more than these.
    batch_size : int
        Cubes per process and step.
    images_per_epoch : int
        Cubes, over all processes, between two validations.
    signal_to_noise : (float, float), optional
        Range of the brightest voxel over sigma, log-uniform; None for cubes without noise.
    correlated_noise : bool
        Whether neighbouring voxels share noise as those of the instrument do.
    num_workers : int
        Loader processes; 0 loads in the main process.

    Raises
    ------
    InputError
        If a setting is unknown, out of range or contradicts another.
    """

    def __init__(
        self,
        seed: int,
        source: Source = "workers",
        root: str | None = None,
        cubes: CubeSettings | Mapping[str, Any] | None = None,
        train_size: int = 1_000_000,
        val_size: int = 256,
        batch_size: int = 32,
        images_per_epoch: int = 8192,
        signal_to_noise: tuple[float, float] | None = (3.0, 30.0),
        correlated_noise: bool = True,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            seed=seed,
            batch_size=batch_size,
            images_per_epoch=images_per_epoch,
            num_workers=num_workers,
        )
        if source not in get_args(Source):
            raise InputError(f"source is {source!r}; expected {', '.join(get_args(Source))}")
        if (source == "prepared") != (root is not None):
            raise InputError(
                "root is the folder of a prepared set: give it with source=prepared and else not"
            )
        if root is not None and cubes is not None:
            raise InputError(f"the cubes of {root} are what they are: leave out the settings cubes")
        _check_sizes(train_size, val_size, batch_size, images_per_epoch)
        self.source, self.root = source, root
        self.sizes = {"train": train_size, "val": val_size}
        self.signal_to_noise = _checked_range(signal_to_noise)
        self.correlated_noise = correlated_noise
        self._set: CubeSet | None = None
        self._rows: dict[str, list[int]] = {}
        self._renderer: TorchCubeRenderer | None = None
        if not isinstance(cubes, CubeSettings):
            cubes = CubeSettings.from_dict(cubes or {})
        self.settings = cubes
        frame_for(self.settings)

    def setup(self, stage: str | None = None) -> None:
        """Open the prepared set, if there is one, and split it.

        Raises
        ------
        InputError
            If it can't be opened, or is too small for both splits.
        """
        if self.root is None or self._set is not None:
            return
        self._set = open_cubes(Path(self.root))
        self.settings = self._set.settings
        parts: dict[str, list[int]] = {split: [] for split in self.sizes}
        for row in range(self._set.count):
            split = split_of(f"cube {row}", self._set.seed)
            if split in parts:
                parts[split].append(row)
        self._rows = {split: rows[: self.sizes[split]] for split, rows in parts.items()}
        for split, rows in self._rows.items():
            if not rows:
                raise InputError(
                    f"{self.root}: none of its {self._set.count} cubes falls into the {split} set; "
                    "prepare more"
                )

    def dataset(self, split: str) -> CubeDataset:
        """Return the dataset of a split."""
        return CubeDataset(
            self.settings,
            split=split,
            seed=self.seed,
            size=self.sizes[split] if self._set is None else len(self._rows[split]),
            signal_to_noise=self.signal_to_noise,
            correlated=self.correlated_noise,
            cubes=self._set,
            rows=self._rows.get(split),
            rendered=self.source != "device",
        )

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

    @property
    def renderer(self) -> TorchCubeRenderer:
        """The differentiable renderer of these cubes."""
        if self._renderer is None:
            frame = frame_for(self.settings)
            self._renderer = TorchCubeRenderer(
                frame.grid, self.settings.model, frame.transfer, self.settings.accuracy
            )
        return self._renderer


def _check_sizes(train_size: int, val_size: int, batch_size: int, images_per_epoch: int) -> None:
    sizes = {
        "train_size": train_size,
        "val_size": val_size,
        "batch_size": batch_size,
        "images_per_epoch": images_per_epoch,
    }
    for name, value in sizes.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(f"{name} is {value}; expected a whole number of at least 1")
    if batch_size > images_per_epoch:
        raise InputError(
            f"batch_size {batch_size} is larger than images_per_epoch {images_per_epoch}: lower it"
        )


def _checked_range(given: Any) -> tuple[float, float] | None:
    if given is None:
        return None
    ends = tuple(float(end) for end in given)
    if len(ends) != 2 or not 0 < ends[0] <= ends[1] < np.inf:
        raise InputError(f"signal_to_noise is {given}; expected two rising numbers above 0")
    return ends[0], ends[1]
