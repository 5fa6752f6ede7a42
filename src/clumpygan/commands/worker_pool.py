"""Processes that work on one thing at a time, and can be interrupted."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

_PATIENCE = 20.0
"""Seconds for a process to end as it was told to."""

_stopped = False


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes of one thread each; if the block ends by an error or Ctrl-C, they end too.

    SIGTERM, too, is a `KeyboardInterrupt` within the block: without it they would be left behind.
    """
    context = multiprocessing.get_context("spawn")  # a forked torch may hang on its threads
    pool = ProcessPoolExecutor(workers, context, _start)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        children = multiprocessing.active_children()
        for process in children:
            process.terminate()
        for process in children:
            process.join(_PATIENCE)
            # A request that comes while a process is starting can be lost in it.
            if process.is_alive():
                process.kill()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        pool.shutdown()


def check_stopped() -> None:
    """Begin nothing new in a process that was told to end.

    Raises
    ------
    KeyboardInterrupt
        If it was.
    """
    if _stopped:
        raise KeyboardInterrupt


def _start() -> None:
    """Prepare a process: one thread, and Ctrl-C is left to the main one."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _stop(*_: Any) -> None:
    """Leave the work under way, so that its unfinished files are removed."""
    global _stopped
    _stopped = True
    raise KeyboardInterrupt
