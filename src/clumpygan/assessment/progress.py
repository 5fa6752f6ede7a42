"""How long-running measurements tell what is done."""

from collections.abc import Callable

Progress = Callable[[int, int, str], object]
"""Told how many more are done, of how many, and the name of the stage."""


def silent(done: int, of: int, stage: str) -> None:
    """Report no progress."""
