"""One reader of tables, with the guards of FITS files."""

import gzip

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.errors import InputError
from clumpygan.io import read_table
from tests.readers import ended_in_time

ROWS = Table({"name": ["a", "b"], "x": [1.5, 2.5]})


@pytest.mark.parametrize("name", ["t.fits", "t.fits.gz", "t.ecsv", "t.csv", "t.txt"])
def test_every_format_gives_the_same_table(tmp_path, name):
    path = tmp_path / name
    form = {"txt": "ascii", "csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(name[2:])
    ROWS.write(path, **({"format": form} if form else {}))
    found = read_table(path)
    assert found.colnames == ["name", "x"]
    assert [str(value) for value in found["name"]] == ["a", "b"]
    assert found["x"].tolist() == [1.5, 2.5]
    assert found["name"].dtype.kind == "U"


def test_what_is_no_table_is_refused_in_one_line(tmp_path):
    image, text, damaged = (tmp_path / name for name in ("i.fits", "t.ecsv", "d.fits"))
    fits.writeto(image, np.zeros((3, 3)))
    text.write_bytes(bytes(range(256)))
    ROWS.write(damaged)
    content = bytearray(damaged.read_bytes())
    # More rows than bytes: a reader that trusts the card allocates gigabytes.
    place = content.index(b"NAXIS2  =")
    content[place : place + 30] = b"NAXIS2  =           2147483647"
    damaged.write_bytes(content)
    strings = tmp_path / "s.fits"
    ROWS.write(strings)
    content = bytearray(strings.read_bytes())
    content[5760] = 0xF0  # the first letter of the first name: it isn't ASCII
    strings.write_bytes(content)
    for path in (image, text, damaged, strings, tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError) as refusal:
            read_table(path, "list of galaxies")
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.ecsv.gz", "t.txt", "t.csv"])
def test_a_small_text_that_unpacks_to_gigabytes_is_refused(tmp_path, name):
    path = tmp_path / name
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"name,x\n")
        for _ in range(40):
            stream.write(b"a,1.5\n" * 2**18)
    with ended_in_time(), pytest.raises(InputError, match="unpacks to more than 34 MB") as refusal:
        read_table(path)
    assert name in str(refusal.value)


def test_a_small_parquet_of_endless_rows_or_words_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    rows = pyarrow.nulls(40_000_000, pyarrow.float64())
    pyarrow.parquet.write_table(pyarrow.table({"x": rows}), path)
    assert path.stat().st_size < 1e5
    with ended_in_time(), pytest.raises(InputError, match=r"t.parquet: unpacks to 320 MB"):
        read_table(path)
    words = pyarrow.array(["a" * 100_000] * 1000)
    pyarrow.parquet.write_table(pyarrow.table({"name": words}), path)
    with ended_in_time(), pytest.raises(InputError, match=r"t.parquet: unpacks to 400 MB"):
        read_table(path)


def test_parquet_of_any_types_is_read_or_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"name": pyarrow.array(["b", None, "b"]).dictionary_encode(),
                       "kind": pyarrow.array([7, 8, 7]).dictionary_encode(),
                       "x": pyarrow.array([1.5, None, 2.5])}), path)  # fmt: skip
    found = read_table(path)
    assert found["name"].tolist() == ["b", "", "b"]
    assert found["kind"].tolist() == [7, 8, 7]
    np.testing.assert_equal(found["x"].tolist(), [1.5, np.nan, 2.5])
    twice = pyarrow.Table.from_arrays([pyarrow.array([1.0])] * 2, names=["x", "x"])
    pyarrow.parquet.write_table(twice, path)
    with pytest.raises(InputError, match=r"t.parquet: can't be read as Parquet"):
        read_table(path)


def test_text_of_any_line_ends_and_with_a_mark_is_read(tmp_path):
    path = tmp_path / "t.csv"
    for end in ("\n", "\r\n", "\r"):
        path.write_bytes("\ufeffname,x\n\xe9,1\n".replace("\n", end).encode())
        found = read_table(path)
        assert found.colnames == ["name", "x"]
        assert found["x"].tolist() == [1]
