"""Fixtures of the whole test suite."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing start processes of its own accord; tests that want some say how many."""
    monkeypatch.setattr("clumpygan.engine.workplace.cores", lambda: 1)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take back what a program did to the root logger.

    Hydra hangs handlers there, on the standard output of its test, which is closed afterwards:
    whatever a later test of the same process logs would end in an error of `logging`. A file that
    it logs to has to be closed: left to the garbage collector it is an error of any later test.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers).difference(handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in set(handlers).difference(root.handlers):
        root.addHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def real_data() -> Path:
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CLUMPYGAN_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (set CLUMPYGAN_REAL_DATA)")
    return folder
