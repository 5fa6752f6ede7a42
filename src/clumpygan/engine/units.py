"""One unit of work, as a worker does it: alone in its process, on one thread, interruptible."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from clumpygan import __version__
from clumpygan.engine.interrupts import interrupts_passed_on
from clumpygan.errors import InputError

_DECISIVE = ("torch", "numpy", "scipy", "numba", "galsim")
"""Packages of which another version may round otherwise."""

_PATIENCE = 3.0
"""Seconds that an interrupted unit has to leave its work and remove its unfinished files."""

STOPPED = "clumpygan: a unit that was given up"
"""In place of what a unit returns, when its worker is being closed."""

_alone = threading.Lock()
_stopping = threading.Event()
_thread: int | None = None


@cache
def versions() -> dict[str, str]:
    """Return the versions of all that numbers depend on, in this process."""
    found = {"clumpygan": __version__, "Python": platform.python_version()}
    for name in _DECISIVE:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def check_versions(wanted: Mapping[str, str]) -> None:
    """Refuse to work in a process of other versions than the one that asks has.

    Raises
    ------
    InputError
        For the first that differs.
    """
    for name, value in wanted.items():
        own = versions().get(name, "none")
        if own != value:
            raise InputError(
                f"a worker of the cluster has {name} {own}, this program {value}: results would"
                " depend on who did them; install the same versions there"
            )


def do_unit(work: Callable[[Any], Any], item: Any, folder: str, wanted: Mapping[str, str]) -> Any:
    """Do one unit in a worker.

    Parameters
    ----------
    work : callable
    item : object
        Its argument.
    folder : str
        Where relative paths begin.
    wanted : mapping
        See `check_versions`.

    Returns
    -------
    object
        What `work` returns, or `STOPPED`.

    Raises
    ------
    InputError
        If the worker has other versions or doesn't see the folder.
    """
    global _thread
    # A worker that isn't ours may have several threads, and much of what follows isn't made for
    # them: caught warnings, the working directory, the number of threads of torch.
    with _alone:
        if _stopping.is_set():
            return STOPPED
        try:
            _thread = threading.get_ident()
            check_versions(wanted)
            _enter(folder)
            _settle()
            return work(item)
        except KeyboardInterrupt:
            return STOPPED
        finally:
            _thread = None


def stop_units() -> None:
    """Interrupt the unit under way, as Ctrl-C would, and begin no other; return once it is left."""
    _stopping.set()
    deadline = time.monotonic() + _PATIENCE
    with interrupts_passed_on(_interrupt):
        _interrupt()
        while _thread is not None and time.monotonic() < deadline:
            time.sleep(0.01)


def _interrupt() -> None:
    thread = _thread
    if thread is not None:
        interrupt = ctypes.py_object(KeyboardInterrupt)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), interrupt)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and linear algebra use one thread within the block: sums don't depend on cores."""
    from threadpoolctl import threadpool_limits

    torch: Any = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    with threadpool_limits(1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)


def _settle() -> None:
    """Use one thread from now on; what is imported later is told so by the environment."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    loaded = frozenset(name for name in _DECISIVE if name in sys.modules)
    _limit(loaded)


@cache
def _limit(loaded: frozenset[str]) -> None:
    """Once for each set of libraries, as looking them up takes milliseconds."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    if "torch" in loaded:
        import torch

        torch.set_num_threads(1)


def _enter(folder: str) -> None:
    if os.getcwd() == folder:  # noqa: PTH109
        return
    try:
        os.chdir(folder)
    except OSError as problem:
        raise InputError(
            f"a worker of the cluster doesn't see {folder}: expected a disk that all machines share"
        ) from problem
