"""The decorator of all compiled functions: numba's, with a cache that is never in the way.

Numba refuses to compile functions "with a cache" where it can write neither beside the source nor
in the home of the user, and lets the errors of a damaged cache through. Here the cache goes to the
temporary folder then, or there is none. And it takes a function for unchanged whose own file is,
whatever it calls from others: here a change of any file of `clumpygan.galaxies` counts.
"""

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache


def njit(function: Any = None, **options: Any) -> Any:
    """Compile a function on its first call, without the GIL, and keep it for the next process.

    Parameters
    ----------
    function : callable
    **options
        Of `numba.njit`, but for `cache` and `nogil`.
    """
    if function is None:
        return lambda one: njit(one, **options)
    compiled = numba.njit(nogil=True, **options)(function)
    cache = _cache_of(function)
    if cache is not None:
        # What `compiled.enable_caching()` does with numba's own cache.
        compiled._cache = cache
    return compiled


class _QuietCache(FunctionCache):  # type: ignore[misc]
    """A cache whose files, if they are damaged or can't be written, are as if not there."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stored = self._cache_file
        stored._source_stamp = (stored._source_stamp, _state_of_sources())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is stored for a signature; None if nothing is, or it can't be read."""
        # Whatever pickle and LLVM make of damaged files.
        with contextlib.suppress(Exception):
            return super().load_overload(sig, target_context)
        # Its index may be damaged, so that nothing could be added to it.
        with contextlib.suppress(Exception):
            self.flush()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store what is compiled, if that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception:
            self.disable()


@functools.cache
def _state_of_sources() -> str:
    """Return a digest of the sources that compiled functions are made of."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)} ".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cache_of(function: Callable[..., Any]) -> FunctionCache | None:
    """Return a cache beside the source, in the user's home, or in the temporary folder."""
    try:
        return _QuietCache(function)
    except RuntimeError:  # numba: "no locator available"
        folder = _temporary_folder()
    if folder is None:
        return None
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
    try:
        return _QuietCache(function)
    except (RuntimeError, OSError):
        return None
    finally:
        numba.config.CACHE_DIR = before


def _temporary_folder() -> Path | None:
    """Return the user's own folder for compiled functions, None if there can't be one.

    A cache is code that is run: nobody else may be able to write there.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    try:
        folder = Path(tempfile.gettempdir()) / f"clumpygan-numba-{user}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    own = not hasattr(os, "getuid") or found.st_uid == user
    return folder if (private or os.name == "nt") and own else None
