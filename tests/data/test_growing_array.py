"""Arrays that grow on the disk."""

import numpy as np
import pytest

from clumpygan.data.cutouts.growing_array import GrowingArray, read_rows
from clumpygan.errors import InputError


def test_what_was_appended_is_a_numpy_file(tmp_path):
    path = tmp_path / "a.npy"
    array = GrowingArray(path, (2, 3), np.float32)
    rows = np.arange(66, dtype=np.float64).reshape(11, 2, 3)
    array.append(rows[:4])
    array.append(rows[4:4])
    array.append(rows[4:])
    assert array.rows == 11
    array.close()
    found = np.load(path, mmap_mode="r")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, rows)
    chosen = np.array([7, 0, 7])
    np.testing.assert_array_equal(read_rows(path, chosen), rows[chosen])


def test_what_was_half_written_is_cut_off(tmp_path):
    path = tmp_path / "a.npy"
    array = GrowingArray(path, (2,), np.uint8)
    array.append(np.ones((5, 2)))
    array.close()
    path.write_bytes(path.read_bytes() + b"abc")
    again = GrowingArray(path, (2,), np.uint8, rows=3)
    again.append(np.zeros((1, 2)))
    again.close()
    np.testing.assert_array_equal(np.load(path), [[1, 1], [1, 1], [1, 1], [0, 0]])


def test_rows_that_are_not_there(tmp_path):
    path = tmp_path / "a.npy"
    GrowingArray(path, (2,), np.uint8).close()
    with pytest.raises(InputError, match=r"a\.npy holds fewer than 2 rows: delete the f"):
        GrowingArray(path, (2,), np.uint8, rows=2)
