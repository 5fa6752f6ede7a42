"""The standard streams of a program, whose reader may leave, and which may be closed or full."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class _Patient:
    """Standard output whose reader may leave (`| head`), or whose disk may be full.

    What is left to be said goes nowhere then, and work goes on.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.problem: OSError | None = None

    def write(self, text: str) -> int:
        """Write, unless that is no longer possible."""
        if self.problem is None:
            try:
                return self.stream.write(text)
            except OSError as problem:
                self.problem = problem
        return len(text)

    def flush(self) -> None:
        """Pass on what is in the buffer, unless that is no longer possible."""
        if self.problem is None:
            try:
                self.stream.flush()
            except OSError as problem:
                self.problem = problem

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Let a program finish its work and its files when nobody reads what it says any more.

    Raises
    ------
    OSError
        At the end, if so: `BrokenPipeError` where the reader has gone.
    """
    before = sys.stdout
    patient = _Patient(before)
    sys.stdout = cast(TextIO, patient)
    try:
        yield
        patient.flush()
    finally:
        sys.stdout = before
    if patient.problem is not None:
        problem = patient.problem
        if not isinstance(problem, BrokenPipeError):
            lead_nowhere(before)
        raise OSError(problem.errno, problem.strerror, "standard output") from problem


def lead_nowhere(stream: TextIO) -> None:
    """Let what is still in a buffer go nowhere, or Python complains of it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_streams() -> None:
    """Open the standard streams that the process was started without (`>&-`), leading nowhere.

    The next file that is opened would get their numbers, and what libraries say would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
