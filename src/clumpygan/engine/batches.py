"""Galaxies that are measured batch by batch, beside one another or one after the other."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from clumpygan.engine.running import open_engine

BATCH_SIZE = 16
"""Galaxies per batch: a gigabyte of memory at most, and fast enough on any device."""

Part = TypeVar("Part")


class Workers(Protocol):
    """Settings that say who works."""

    @property
    def device(self) -> str:
        """Return the torch device; of cards there is one worker, unless on a cluster."""

    @property
    def workers(self) -> int | None:
        """Return how many work beside one another."""

    @property
    def cluster(self) -> str | None:
        """Return the cluster on which they do."""


def in_batches(
    measure: Callable[[range], Part], number: int, settings: Workers
) -> Iterator[tuple[int, Part]]:
    """Measure galaxies, on the workers that the settings ask for.

    Parameters
    ----------
    measure : callable
        Of the indices of a batch; picklable.
    number : int
        Galaxies in all.
    settings : Workers

    Yields
    ------
    int
        Galaxies of a batch.
    Part
        What was measured of them.
    """
    batches = [range(i, min(i + BATCH_SIZE, number)) for i in range(0, number, BATCH_SIZE)]
    workers = settings.workers if settings.device == "cpu" or settings.cluster else 1
    with open_engine(len(batches), workers, settings.cluster) as engine:
        yield from zip(map(len, batches), engine.map(measure, batches), strict=True)
