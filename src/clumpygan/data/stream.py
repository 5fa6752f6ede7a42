"""What all data modules share: an endless stream of training images, and a fixed validation set."""

from abc import abstractmethod
from collections.abc import Sized
from typing import Any

import pytorch_lightning as pl
from torch import Tensor
from torch.utils.data import DataLoader

from clumpygan.data.splits import OneBatchSampler, StreamSampler
from clumpygan.errors import InputError

Batch = dict[str, Tensor]


class StreamDataModule(pl.LightningDataModule):
    """Serve the datasets of a subclass, which completes their batches on the device.

    Parameters
    ----------
    seed : int
        Of the order of the stream.
    batch_size : int
    images_per_epoch : int
        Over all processes.
    num_workers : int

    Attributes
    ----------
    overfit : bool
        Serve the first batch of the training set over and over, and as the validation set too:
        what a training must be able to learn by heart.
    """

    def __init__(
        self, *, seed: int, batch_size: int, images_per_epoch: int, num_workers: int
    ) -> None:
        super().__init__()
        self.seed = seed
        self.batch_size = batch_size
        self.images_per_epoch = images_per_epoch
        self.num_workers = num_workers
        self.overfit = False

    @abstractmethod
    def dataset(self, split: str) -> Any:
        """Return the dataset of a split, "train" or "val"."""

    @abstractmethod
    def observe(self, batch: Batch) -> Batch:
        """Return a complete batch, on the device of the one that is given."""

    def describe(self) -> dict[str, Any]:
        """Return what must be known of the images to use a network trained on them.

        Plain numbers, strings, lists and dicts, for the card of the checkpoint.
        """
        return {}

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of one epoch of the endless stream.

        Raises
        ------
        InputError
            If there are fewer images than in a batch.
        """
        data: Sized = self.dataset("train")
        rank, world, seen = self._place()
        if len(data) < self.batch_size * (world if self.overfit else 1):
            raise InputError(
                f"the training set has {len(data)} images, fewer than a batch of {self.batch_size}"
                f"{' in each process' if world > 1 else ''}: lower data.batch_size"
            )
        sampler: StreamSampler | OneBatchSampler
        if self.overfit:
            per_process = self.images_per_epoch // world
            sampler = OneBatchSampler(self.batch_size, per_process, rank, world)
        else:
            sampler = StreamSampler(len(data), self.images_per_epoch, self.seed, rank, world, seen)
            if self.trainer:
                # Loader processes fetch as soon as they start, before Lightning tells the epoch.
                sampler.set_epoch(self.trainer.fit_loop.epoch_progress.current.processed)
        return DataLoader(
            data,
            self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            drop_last=True,
            persistent_workers=self.num_workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set, the same every time."""
        # In batches of all processes, so that what is drawn for a batch doesn't depend on them.
        size = self.batch_size * self._place()[1]
        if self.overfit:
            return DataLoader(self.dataset("train"), size, sampler=range(size))
        return DataLoader(self.dataset("val"), size)

    def _place(self) -> tuple[int, int, int]:
        """Return the rank, the number of processes, and the images that a resumed run has seen."""
        if not self.trainer:
            return 0, 1, 0
        seen = getattr(self.trainer.lightning_module, "images_seen", 0)
        return self.trainer.global_rank, self.trainer.world_size, seen

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Complete the batch on the device that it is on."""
        return self.observe(batch)
