"""What takes time is done in one thread, and what goes wrong becomes one line on the page."""

import asyncio
import logging
import re
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from clumpygan.errors import InputError, InputWarning

T = TypeVar("T")

_NAMED = re.compile(r"`(\w+)`")

_OURS = "a mistake of the program, not of yours; the terminal says more"


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What came out of a task.

    Attributes
    ----------
    value : object, optional
        None where it failed.
    problem : str
        What is wrong with the input, in one line; empty where nothing is.
    remarks : tuple of str
        What was mended in the input.
    """

    value: T | None = None
    problem: str = ""
    remarks: tuple[str, ...] = ()


class Worker:
    """One thread, for the tasks of all pages.

    One at a time, for the memory, and as `warnings` are caught of one thread only.

    Parameters
    ----------
    folder : pathlib.Path
        Where files of the pages lie for a while: its name is left out of messages.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clumpygan")
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """Whether a task runs that is waited for."""
        return self._waiting > 0

    async def run(self, task: Callable[..., T], *given: Any) -> Outcome[T]:
        """Run a task in the thread, and wait for it without keeping others from going on."""
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._pool.submit(self.attempt, task, *given))
        finally:
            self._waiting -= 1

    def attempt(self, task: Callable[..., T], *given: Any) -> Outcome[T]:
        """Run a task; what goes wrong is in its outcome."""
        heard: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always", InputWarning)
                value = task(*given)
        except InputError as problem:
            return Outcome(problem=self._one_line(problem), remarks=self._remarks(heard))
        except OSError as problem:
            return Outcome(problem=self._one_line(problem.strerror or problem))
        except MemoryError:
            return Outcome(problem="too large for the memory of this machine: choose less")
        except Exception:
            logging.getLogger(__name__).exception("while working for the page")
            return Outcome(problem=_OURS)
        return Outcome(value, remarks=self._remarks(heard))

    def close(self) -> None:
        """End the thread, after the task that it is at."""
        self._pool.shutdown(cancel_futures=True)

    def _remarks(self, heard: list[warnings.WarningMessage]) -> tuple[str, ...]:
        for one in heard:
            if not issubclass(one.category, InputWarning):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        return tuple(
            self._one_line(one.message) for one in heard if issubclass(one.category, InputWarning)
        )

    def _one_line(self, message: object) -> str:
        """Return a message without line breaks, temporary folders and backticks."""
        line = " ".join(str(message).split())
        line = re.sub(rf"{re.escape(str(self.folder))}/(\w+/)*", "", line)
        return _NAMED.sub(lambda found: found[1].replace("_", " "), line)


class Latest(Generic[T]):
    """Runs a task for the newest request alone: what a slider went through on its way is left out.

    Parameters
    ----------
    worker : Worker
    task : callable
        In the worker's thread.
    show : callable
        Gets the outcomes.
    """

    def __init__(
        self, worker: Worker, task: Callable[..., T], show: Callable[[Outcome[T]], None]
    ) -> None:
        self._worker, self._task, self._show = worker, task, show
        self._wanted: tuple[Any, ...] | None = None
        self._running = False

    async def ask(self, *given: Any) -> None:
        """Ask for the task with these arguments, in place of what waits."""
        self._wanted = given
        if self._running:
            return
        self._running = True
        try:
            while self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._show(await self._worker.run(self._task, *wanted))
        finally:
            self._running = False
