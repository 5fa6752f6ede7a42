"""Where a single fit is, on one line of the terminal, or now and then in a log."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_TERMINAL, _LOG = 0.2, 30.0
"""Seconds between what is said on a terminal, and in a log."""

_COLUMNS = 78


class ProgressLine(logging.Handler):
    """Shows messages on one line, each in place of the last; in a log, one in thirty seconds.

    Parameters
    ----------
    stream : TextIO
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.INFO)
        self.stream, self.begin = stream, time.monotonic()
        self.terminal = stream.isatty()
        # Fits that take a second need no line in a log.
        self._last = self.begin - (_TERMINAL if self.terminal else 0.0)
        self._shown = False

    def emit(self, record: logging.LogRecord) -> None:
        """Show a message, unless the last one is too new."""
        now = time.monotonic()
        if now - self._last < (_TERMINAL if self.terminal else _LOG):
            return
        self._last, self._shown = now, True
        text = f"fitting, {now - self.begin:.0f} s: {record.getMessage()}"[:_COLUMNS]
        self.stream.write(f"\r{text:{_COLUMNS}s}" if self.terminal else f"{text}\n")
        self.stream.flush()

    def wipe(self) -> None:
        """Leave the line empty."""
        if self._shown and self.terminal:
            self.stream.write(f"\r{'':{_COLUMNS}s}\r")
            self.stream.flush()


@contextmanager
def shown_progress(name: str, wanted: bool = True) -> Iterator[None]:
    """Show what a logger says at INFO on standard error, as long as this lasts.

    Parameters
    ----------
    name : str
        Of the logger.
    wanted : bool
        Without it nothing is shown.
    """
    if not wanted:
        yield
        return
    logger, line = logging.getLogger(name), ProgressLine(sys.stderr)
    level = logger.level
    logger.addHandler(line)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(line)
        logger.setLevel(level)
        line.wipe()
