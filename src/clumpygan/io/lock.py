"""One writer at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clumpygan.errors import InputError


@contextmanager
def only_one(home: Path, *, wait: bool = True) -> Iterator[None]:
    """Let one process at a time write into a folder, also on several machines with a shared disk.

    Parameters
    ----------
    home : Path
    wait : bool
        Whether to wait for another process.

    Raises
    ------
    InputError
        If another process is writing there, and it isn't waited for.
    """
    with (home / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise InputError(
                f"another process is writing into {home}; wait until it ends"
            ) from None
        yield
