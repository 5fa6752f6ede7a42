"""Processes of a batch end with it, however it ends."""

import multiprocessing
import os
import signal
import time

import pytest

from clumpygan.commands.worker_pool import worker_pool


def test_work_is_done():
    with worker_pool(1) as pool:
        assert list(pool.map(abs, [-1, 2])) == [1, 2]
    assert not multiprocessing.active_children()


# The pool's own thread may find its pipes closed already: a race of the standard library.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_request_to_end_ends_the_processes_too():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), worker_pool(1) as pool:  # noqa: PT012
        pool.submit(time.sleep, 600)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert signal.getsignal(signal.SIGTERM) == before
    for process in multiprocessing.active_children():
        process.join(90)
    assert not multiprocessing.active_children()
