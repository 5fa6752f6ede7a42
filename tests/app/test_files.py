"""Files of the page: what is dropped, chosen and downloaded."""

import zipfile
from pathlib import Path

import pytest

from clumpygan.app.files import Files, bytes_of
from clumpygan.app.work import Worker
from clumpygan.errors import InputError


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cube.fits", "cube.fits"),
        ("A cube (2).FITS.GZ", "A_cube__2_.FITS.GZ"),
        ("../../etc/x.fits", "x.fits"),
        ("C:\\data\\x.fits", "x.fits"),
        ("...x.fits", "x.fits"),
        ("<img src=x>.fits", "_img_src_x_.fits"),
    ],
)
def test_a_file_that_is_dropped_lies_in_its_own_folder(name: str, kept: str, files: Files) -> None:
    path = files.keep(name, b"SIMPLE")
    assert path == files.folder / kept
    assert path.read_bytes() == b"SIMPLE"
    assert files.keep(name, "text").read_bytes() == b"text"
    # The PSF of an image may have its name.
    files.keep(name, b"psf", "another")
    assert path.read_bytes() == b"text"
    files.close()
    assert not files.folder.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"x", "notes.txt: expected a FITS file"),
        (".fits", b"x", "expected a FITS file"),
        ("..", b"x", "expected a FITS file"),
        ("cube.fits", b"", "is empty"),
        ("cube.fits", bytes(10**6 + 1), "more than the 1 MB"),
    ],
)
def test_what_is_no_fits_file_or_too_large_is_refused(
    name: str, content: bytes, words: str, files: Files
) -> None:
    with pytest.raises(InputError, match=words):
        files.keep(name, content)
    assert not files.folder.exists()


def test_fits_files_of_a_folder_are_offered_and_nothing_else(
    tmp_path: Path, worker: Worker
) -> None:
    for name in ("b.fits", "a.fits.gz", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.fits").mkdir()
    files = Files(worker.folder, 10, tmp_path)
    assert files.choices == ["a.fits.gz", "b.fits"]
    assert files.chosen("b.fits") == tmp_path / "b.fits"
    for name in ("../a.fits", "c.txt", "gone.fits"):
        with pytest.raises(InputError, match="load the page again"):
            files.chosen(name)
    assert Files(worker.folder, 10).choices == []


def test_downloads_are_the_file_or_a_zip_of_the_folder() -> None:
    assert bytes_of(lambda path: path.write_bytes(b"abc"), "a.fits").read() == b"abc"
    packed = bytes_of(lambda folder: (folder / "a.fits").write_bytes(b"abc"), "fit.zip")
    with zipfile.ZipFile(packed) as archive:
        assert archive.read("fit/a.fits") == b"abc"
