"""Units of work, done one after the other or at once, and what happens when one can't be."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from clumpygan.engine.units import STOPPED, do_unit, one_thread, versions
from clumpygan.engine.workplace import Workplace
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2
"""Units that each worker has been given, so that it never waits for its next one."""


class Engine:
    """What does units of work: this process, or the workers of a Dask client.

    Parameters
    ----------
    client : Client, optional
        None for this process.
    workers : int
        How many there are to be; 0 for as many as the client has.

    Attributes
    ----------
    dashboard : str
        Address of a page that shows what is under way; empty where there is none.
    """

    def __init__(self, client: Client | None = None, workers: int = 1) -> None:
        self._client, self._workers = client, workers
        self.dashboard = dashboard_of(client) if client is not None else ""

    def run(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        lost: Callable[[Item], Result] | None = None,
    ) -> Iterator[tuple[int, Result]]:
        """Yield the number of each item and what `work` makes of it, as soon as it is done.

        Parameters
        ----------
        work : callable
            Of a module, or a `functools.partial` of one, as others than this process may call it.
        items : iterable
            Read only so far ahead as there are workers.
        lost : callable, optional
            Returns what is yielded for an item whose worker is gone whenever it is tried.

        Raises
        ------
        InputError
            For such an item, where there is no `lost`; for a cluster that is lost, or has other
            versions.
        """
        if self._client is None:
            with one_thread():
                for number, item in enumerate(items):
                    yield number, work(item)
            return
        yield from self._shared_out(self._client, work, items, lost)

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield what `work` makes of each item, in their order; see `run`."""
        waiting: dict[int, Result] = {}
        following = 0
        for number, result in self.run(work, items):
            waiting[number] = result
            while following in waiting:
                yield waiting.pop(following)
                following += 1

    def _shared_out(
        self,
        client: Client,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        lost: Callable[[Item], Result] | None,
    ) -> Iterator[tuple[int, Result]]:
        from distributed import as_completed
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        about = os.getcwd(), versions()  # noqa: PTH109
        name = f"{_name(work)}-{uuid.uuid4().hex[:8]}"
        rest = enumerate(items)
        given: dict[Any, tuple[int, Item]] = {}
        done = as_completed()

        def give(count: int) -> None:
            for number, item in itertools.islice(rest, count):
                future = client.submit(
                    do_unit, work, item, *about, key=f"{name}-{number}", pure=False
                )
                given[future] = number, item
                done.add(future)

        try:
            give(self._window(client))
            while given:
                future = next(done)
                number, item = given.pop(future)
                try:
                    result = future.result()
                except KilledWorker:
                    if lost is None:
                        raise InputError(
                            f"the worker of unit {number + 1} was lost each time that it was tried,"
                            " perhaps for want of memory; expected fewer `workers`, or more memory"
                        ) from None
                    result = lost(item)
                except FutureCancelledError:
                    raise InputError(_GONE) from None
                if isinstance(result, str) and result == STOPPED:
                    raise InputError(_GONE)
                future.release()
                give(self._window(client) - len(given))
                yield number, result
        finally:
            client.cancel(list(given), force=True)

    def _window(self, client: Client) -> int:
        """Return how many units are given out at a time."""
        return _AHEAD * (self._workers or max(1, sum(client.nthreads().values())))


_GONE = (
    "the scheduler of the cluster or its workers were closed while they worked; the same command"
    " goes on from what is done"
)


@contextmanager
def open_engine(
    units: int, workers: int | None = None, cluster: str | None = None, client: Client | None = None
) -> Iterator[Engine]:
    """Yield what does so many units, and end the processes that were started for it.

    One worker, or one unit on this machine, needs no process but this one. Ctrl-C and SIGTERM
    within the block end it; its workers end with it, however it ends.

    Parameters
    ----------
    units : int
        More processes than that are never started.
    workers, cluster
        See `Workplace.of`.
    client : Client, optional
        Of Dask, that is used in place of them, and left as it is.

    Raises
    ------
    InputError
        If there is no such cluster, or its versions are others.
    """
    place = Workplace.of(workers, cluster)
    if client is not None:
        from clumpygan.engine.clusters import check_client

        check_client(client, "`client`")
        yield Engine(client, 0)
        return
    if place.kind == "local" and min(units, place.workers) <= 1:
        yield Engine()
        return
    from clumpygan.engine.clusters import open_client

    with open_client(place, units) as opened:
        yield Engine(opened, min(units, place.workers))


def dashboard_of(client: Client) -> str:
    """Return the address of the page of a cluster, empty where it has none."""
    link = getattr(client, "dashboard_link", None)
    return str(link or "")


def _name(work: Any) -> str:
    """Return the name of a function, as the dashboard shows it."""
    plain = getattr(work, "func", work)
    return str(getattr(plain, "__name__", "unit")).strip("_")
