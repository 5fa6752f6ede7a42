"""One reader of tables, with the guards of FITS files."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.errors import InputError
from clumpygan.io import read_table

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
