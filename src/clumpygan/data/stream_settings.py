"""What is chosen about any data module: sizes of its sets and batches."""

from dataclasses import dataclass

from clumpygan.errors import InputError
from clumpygan.settings import check, seed_setting, setting


@dataclass(frozen=True)
class StreamSettings:
    """How much of what is served, and in which order; data modules add what is theirs."""

    seed: int = seed_setting(0, "of the galaxies, their noise and their order")
    train_size: int = setting(20_000, "galaxies to train on", least=1)
    val_size: int = setting(1024, "galaxies held out, for validation", least=1)
    test_size: int = setting(1024, "other galaxies held out, for tests and predictions", least=1)
    batch_size: int = setting(32, "galaxies of a batch in each process", least=1)
    images_per_epoch: int = setting(
        8192, "galaxies, over all processes, between two validations", least=1
    )
    num_workers: int = setting(0, "processes that load; 0: the main process does", least=0)

    def __post_init__(self) -> None:
        check(self)
        if self.batch_size > self.images_per_epoch:
            raise InputError(
                f"`data.batch_size` {self.batch_size} is larger than `data.images_per_epoch` "
                f"{self.images_per_epoch}: lower it"
            )

    def size_of(self, split: str) -> int:
        """Return the number of galaxies of a split, at most: "train", "val" or "test"."""
        return {"train": self.train_size, "val": self.val_size, "test": self.test_size}[split]
