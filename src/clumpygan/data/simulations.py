"""What a simulator makes, in batches: for networks that learn posteriors."""

from typing import Any, Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from clumpygan.data.stream import StreamDataModule

Item = dict[str, np.ndarray]


class ItemSimulator(Protocol):
    """Makes items of batches."""

    @property
    def description(self) -> dict[str, Any]:
        """What must be known to use a network trained on the items, as plain words."""

    def item(self, split: str, index: int) -> Item:
        """Return the item of that number, the same every time."""


class SimulationDataset(Dataset[Item]):
    """Items of one split, made when they are asked for.

    Parameters
    ----------
    simulator : ItemSimulator
    split : str
    size : int
    """

    def __init__(self, simulator: ItemSimulator, split: str, size: int) -> None:
        self.simulator, self.split, self.size = simulator, split, size
        self._kept: dict[int, Item] = {}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, item: int | tuple[int, int]) -> Item:
        """Return an item: (pass over the data, index), or an index; held-out ones are kept."""
        index = item[1] if isinstance(item, tuple) else item
        if self.split == "train":
            return self.simulator.item(self.split, index)
        if index not in self._kept:
            self._kept[index] = self.simulator.item(self.split, index)
        return self._kept[index]


class SimulationDataModule(StreamDataModule):
    """Serve what a simulator makes.

    Parameters
    ----------
    simulator : ItemSimulator
    seed : int
        Of the order of the stream.
    train_size, val_size : int
        Items in each split; a training that sees no more than there are sees none twice.
    batch_size : int
        Per process and step.
    images_per_epoch : int
        Over all processes, between two validations.
    num_workers : int
    """

    def __init__(
        self,
        simulator: ItemSimulator,
        *,
        seed: int,
        train_size: int,
        val_size: int,
        batch_size: int,
        images_per_epoch: int,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            seed=seed,
            batch_size=batch_size,
            images_per_epoch=images_per_epoch,
            num_workers=num_workers,
        )
        self.simulator = simulator
        self._sets = {
            split: SimulationDataset(simulator, split, size)
            for split, size in (("train", train_size), ("val", val_size))
        }

    def dataset(self, split: str) -> SimulationDataset:
        """Return the dataset of a split."""
        return self._sets[split]

    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch: it is complete."""
        return batch

    def describe(self) -> dict[str, Any]:
        """Return what the simulator says of itself."""
        return self.simulator.description
