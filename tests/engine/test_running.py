"""Units are done by any workers, and end with them however they end."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from clumpygan.engine import open_engine
from clumpygan.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def running(process):
    """Whether a process is there and not just waiting to be noticed."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(processes, within=30):
    """Whether all processes have ended before so many seconds."""
    deadline = time.monotonic() + within
    while any(map(running, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(running, processes))


def draws(seed):
    """Return who works, and sums that depend on their order."""
    numbers = np.random.default_rng(seed).standard_normal((300, 300)).astype(np.float32)
    return os.getpid(), float((numbers @ numbers).sum())


def lose_worker_once(folder, number):
    """End the worker of unit 1 the first time that it is tried."""
    mark = folder / str(number)
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def write_slowly(folder, number):
    """Leave an unfinished file for a minute."""
    path = folder / f"unfinished-{number}"
    try:
        path.touch()
        for _ in range(600):
            time.sleep(0.1)
    finally:
        path.unlink()


def test_workers_change_nothing():
    with open_engine(6, 1) as engine:
        alone = list(engine.map(draws, range(6)))
    with open_engine(6, 2) as engine:
        shared = list(engine.map(draws, range(6)))
    assert [one for _, one in alone] == [one for _, one in shared]
    workers = {process for process, _ in shared}
    assert os.getpid() not in workers
    assert len(workers) == 2
    assert gone(workers, 5)


def test_items_are_read_as_they_are_needed():
    read = []

    def items():
        for number in range(1000):
            read.append(number)
            yield number

    with open_engine(1000, 2) as engine:
        results = engine.run(math.sqrt, items())
        next(results)
        assert len(read) < 20
        results.close()


def test_a_lost_worker_costs_a_unit_that_is_done_again(tmp_path):
    with open_engine(4, 2) as engine:
        assert list(engine.map(partial(lose_worker_once, tmp_path), range(4))) == [0, 1, 2, 3]
        # Whoever tries this one is lost.
        assert dict(engine.run(os._exit, [3], lambda item: f"no {item}")) == {0: "no 3"}
        with pytest.raises(InputError, match="the worker of unit 1 was lost each time"):
            list(engine.run(os._exit, [3]))


def test_what_goes_wrong_is_what_went_wrong():
    with open_engine(2, 2) as engine, pytest.raises(ValueError, match="math domain error"):
        list(engine.map(math.sqrt, [1, -1]))


def test_a_request_to_end_interrupts_the_units(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    processes = []

    def interrupt():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), open_engine(9, 2) as engine:  # noqa: PT012
        processes += {process for process, _ in engine.map(draws, range(4))}
        threading.Thread(target=interrupt).start()
        list(engine.run(partial(write_slowly, tmp_path), range(9)))
    assert signal.getsignal(signal.SIGTERM) == before
    assert gone(processes, 5)
    assert list(tmp_path.iterdir()) == []


PARENT = """
import os, time
from clumpygan.engine import open_engine

def process_of(number):
    time.sleep(0.1)
    return os.getpid()

if __name__ == "__main__":
    with open_engine(9, 2) as engine:
        print(*set(engine.map(process_of, range(9))), flush=True)
        list(engine.map(time.sleep, [600, 600]))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_processes_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert workers
    assert all(map(running, workers))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(workers)
