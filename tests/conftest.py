"""Fixtures of the whole test suite."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing start processes of its own accord; tests that want some say how many."""
    monkeypatch.setattr("clumpygan.engine.workplace.cores", lambda: 1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CLUMPYGAN_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (set CLUMPYGAN_REAL_DATA)")
    return folder
