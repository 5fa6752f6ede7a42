"""Interrupts that Python swallows: raised once more, until the work is left."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LATER = 0.01
"""Seconds: at once it would fall into the callback that swallowed the first, and be lost too."""


@contextmanager
def interrupts_passed_on(interrupt: Callable[[], None]) -> Iterator[None]:
    """Interrupt again, within the block, what a Ctrl-C was to stop and didn't.

    A `KeyboardInterrupt` that falls into a callback of another library (of the garbage collector,
    of an object that is removed) is written to the standard error, with a traceback, and the work
    goes on.

    Parameters
    ----------
    interrupt : callable
        What interrupts the work; called in a thread of its own.
    """
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(_LATER, interrupt).start()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
