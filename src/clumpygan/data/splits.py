"""Which galaxy belongs to which split, and in which order a training sees them."""

import zlib
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

SPLITS = ("train", "val", "test")


def split_of(identifier: str, seed: int, held_out: float = 0.1) -> str:
    """Return the split of a galaxy from its name, whatever other galaxies there are.

    Parameters
    ----------
    identifier : str
        A name that all stamps of the same galaxy share.
    seed : int
    held_out : float
        Fraction of the galaxies in "val", and the same in "test".

    Returns
    -------
    str
        "train", "val" or "test".
    """
    draw = np.random.default_rng([seed, zlib.crc32(identifier.encode())]).random()
    if draw < held_out:
        return "test"
    return "val" if draw < 2 * held_out else "train"


class StreamSampler(Sampler[tuple[int, int]]):
    """An endless shuffled stream of galaxies, cut into epochs of equal length.

    Position p of the stream is galaxy ``permutation(seed, p // n)[p % n]``. Epoch e holds the
    positions from e * images_per_epoch on, less those that were seen already, so that a resumed
    training goes on where it stopped, and N processes together see just what one would.

    Parameters
    ----------
    size : int
        Number of galaxies n.
    images_per_epoch : int
        Over all processes; rounded down to a multiple of their number.
    seed : int
    rank, world_size : int
        This process and their number.
    seen : int
        Images, over all processes, with which an interrupted training is done.
    """

    def __init__(
        self,
        size: int,
        images_per_epoch: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        seen: int = 0,
    ) -> None:
        if size < 1:
            raise ValueError("cannot sample from an empty set of galaxies")
        self.size = size
        self.per_process = images_per_epoch // world_size
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.seen = seen
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Move to the beginning of an epoch; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the length of a whole epoch, by which its end is recognised."""
        return self.per_process

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (pass over the data, index of the galaxy)."""
        start = self.epoch * self.per_process * self.world_size
        done = max(self.seen - start, 0) // self.world_size
        order, current = np.empty(0, int), -1
        for step in range(done, self.per_process):
            position = start + step * self.world_size + self.rank
            turn, place = divmod(position, self.size)
            if turn != current:
                order = np.random.default_rng([self.seed, turn]).permutation(self.size)
                current = turn
            yield turn, int(order[place])


class OneBatchSampler(Sampler[tuple[int, int]]):
    """The first images of a set, over and over, and always the same: in turn 0.

    Parameters
    ----------
    batch_size : int
        Images of a process.
    images_per_process : int
        Length of an epoch.
    rank, world_size : int
        This process and their number.
    """

    def __init__(
        self, batch_size: int, images_per_process: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.places = [place * world_size + rank for place in range(batch_size)]
        self.length = images_per_process

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (0, index of the galaxy)."""
        for step in range(self.length):
            yield 0, self.places[step % len(self.places)]
