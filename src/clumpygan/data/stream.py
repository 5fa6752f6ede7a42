"""What all data modules share: an endless stream of training images, and a fixed validation set."""

import inspect
from abc import abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import Tensor
from torch.utils.data import DataLoader

from clumpygan.data.splits import OneBatchSampler, StreamSampler
from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError
from clumpygan.settings import from_mapping

Batch = dict[str, Tensor]


class StreamDataModule(pl.LightningDataModule):
    """Serve the datasets of a subclass, which completes their batches on the device.

    Parameters
    ----------
    config : StreamSettings, optional
        An object of the subclass's `Settings`.
    **fields
        Or its fields by their names, nested ones as mappings: so YAML builds data modules.

    Attributes
    ----------
    Settings : type
        The settings class of the module: its fields are the arguments of the constructor.
    config : StreamSettings
    overfit : bool
        Serve the first batch of the training set over and over, and as the validation set too:
        what a training must be able to learn by heart.

    Raises
    ------
    InputError
        If a setting is unknown, out of range or contradicts another.
    """

    Settings: ClassVar[type[StreamSettings]] = StreamSettings

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        # What help() and completion show of the constructor.
        cls.__signature__ = inspect.signature(cls.Settings)

    def __init__(self, config: StreamSettings | None = None, /, **fields: Any) -> None:
        super().__init__()
        self.config: Any = from_mapping(self.Settings, fields, "data") if config is None else config
        self.overfit = False
        self._datasets: dict[str, Any] = {}
        self.build()

    @property
    def seed(self) -> int:
        """Seed of all that is random."""
        return int(self.config.seed)

    @property
    def batch_size(self) -> int:
        """Galaxies of a batch in each process."""
        return int(self.config.batch_size)

    @property
    def images_per_epoch(self) -> int:
        """Galaxies, over all processes, between two validations."""
        return int(self.config.images_per_epoch)

    def build(self) -> None:
        """Prepare what the settings ask for, as far as it needs no galaxies."""

    @abstractmethod
    def make_dataset(self, split: str) -> Any:
        """Return a new dataset of a split: "train", "val" or "test"."""

    @abstractmethod
    def observe(self, batch: Batch) -> Batch:
        """Return a complete batch, on the device of the one that is given."""

    def describe(self) -> dict[str, Any]:
        """Return what must be known of the images to use a network trained on them.

        Plain numbers, strings, lists and dicts, for the card of the checkpoint.
        """
        return {}

    def dataset(self, split: str) -> Any:
        """Return the dataset of a split, made at its first use."""
        if split not in self._datasets:
            self._datasets[split] = self.make_dataset(split)
        return self._datasets[split]

    def splits(self, stage: str | None = None) -> tuple[str, ...]:
        """Return the splits that a stage of Lightning's needs."""
        return {"validate": ("val",), "test": ("test",), "predict": ("test",)}.get(
            str(getattr(stage, "value", stage)), ("train", "val")
        )

    @property
    def stage(self) -> str | None:
        """What Lightning's trainer is doing: "fit", "validate", "test" or "predict"."""
        fn = None if self.trainer is None else self.trainer.state.fn
        return None if fn is None else str(fn.value)

    def setup(self, stage: str | None = None) -> None:
        """Open the datasets of a stage: "fit" (the default), "validate", "test" or "predict".

        Raises
        ------
        InputError
            If what they are made of can't be read, or is too little.
        """
        for split in self.splits(stage):
            self.dataset(split)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of one epoch of the endless stream.

        Raises
        ------
        InputError
            If there are fewer images than in a batch.
        """
        data = self.dataset("train")
        rank, world, seen = self._place()
        if len(data) < self.batch_size * (world if self.overfit else 1):
            raise InputError(
                f"the training set has {len(data)} images, fewer than a batch of {self.batch_size}"
                f"{' in each process' if world > 1 else ''}: lower `data.batch_size`"
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
            num_workers=self.config.num_workers,
            drop_last=True,
            persistent_workers=self.config.num_workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set, the same every time."""
        # In batches of all processes, so that what is drawn for a batch doesn't depend on them.
        size = self.batch_size * self._place()[1]
        if self.overfit:
            return DataLoader(self.dataset("train"), size, sampler=range(size))
        return DataLoader(self.dataset("val"), size)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the galaxies held out for tests."""
        return DataLoader(self.dataset("test"), batch_size=self.batch_size * self._place()[1])

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the galaxies held out for tests."""
        return self.test_dataloader()

    def _place(self) -> tuple[int, int, int]:
        """Return the rank, the number of processes, and the images that a resumed run has seen."""
        if not self.trainer:
            return 0, 1, 0
        seen = getattr(self.trainer.lightning_module, "images_seen", 0)
        return self.trainer.global_rank, self.trainer.world_size, seen

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Complete the batch on the device that it is on."""
        return self.observe(batch)
