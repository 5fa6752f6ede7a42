"""What a fit is doing, told to whoever listens: the logger `clumpygan.fitting.progress`."""

import logging

LOGGER = "clumpygan.fitting.progress"

_log = logging.getLogger(LOGGER)


def tell(text: str, *values: object) -> None:
    """Say where a fit is, at the level INFO; `text` and values as for `logging`."""
    _log.info(text, *values)
