"""Arrays on disk have their space reserved."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from clumpygan.io.arrays import allocate_array, load_array


def test_an_allocated_array_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    array = allocate_array(path, np.float32, (1000, 7, 3))
    # Not sparse: every block is there before anything is written.
    assert path.stat().st_blocks * 512 >= array.nbytes
    array[3] = 5
    array.flush()  # type: ignore[attr-defined]
    loaded = load_array(path)
    assert loaded.dtype == np.float32
    assert loaded.sum() == 5 * 21


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as error:
        allocate_array(tmp_path / "a.npy", np.float32, (10,))
    assert error.value.filename == str(tmp_path / "a.npy")
    assert not any(tmp_path.iterdir())
