import errno
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.errors import InputError
from clumpygan.io import atomic_path, check_output_path
from clumpygan.io.atomic import keep, kept_inputs, only_one, protected
from clumpygan.io.fits import write_fits


def test_the_file_appears_whole_with_the_permissions_of_any_other(tmp_path: Path) -> None:
    target, plain = tmp_path / "picture.png", tmp_path / "plain"
    plain.touch()
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert not target.exists()
    assert target.read_text() == "whole"
    assert target.stat().st_mode == plain.stat().st_mode
    assert sorted(tmp_path.iterdir()) == [target, plain]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.fits"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("ha")
            raise RuntimeError("no space left")

    with pytest.raises(RuntimeError, match="no space left"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere doesn't exist"):
        check_output_path(tmp_path / "nowhere" / "a.png")
    with (
        pytest.raises(InputError, match="nowhere doesn't exist"),
        atomic_path(tmp_path / "nowhere" / "a.png"),
    ):
        raise AssertionError("must not get here")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_output_path(tmp_path)


def test_a_folder_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(InputError, match="isn't writable"):
        check_output_path(tmp_path / "a.png")


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert list((tmp_path / "real").iterdir()) == [target]


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop.fits").symlink_to("loop.fits")
    with pytest.raises(InputError, match=r"loop\.fits: is a link that leads to itself"):
        check_output_path(tmp_path / "loop.fits")


def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "null.txt").symlink_to("/dev/null")
    for path in (tmp_path / "pipe.txt", tmp_path / "null.txt", Path("/dev/null")):
        with pytest.raises(InputError, match="is a device or pipe"):
            check_output_path(path)


def test_an_output_is_no_input(tmp_path: Path) -> None:
    image, link = tmp_path / "hst.fits", tmp_path / "same.fits"
    image.write_text("light")
    link.symlink_to(image)
    check_output_path(tmp_path / "new.fits", inputs=[image, None])
    for name in (image, link, tmp_path / "." / "hst.fits"):
        with pytest.raises(InputError, match="is an input"):
            check_output_path(name, inputs=[None, image])


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as error, atomic_path(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(target)
    assert error.value.errno == errno.ENOSPC
    assert not target.exists()


def test_an_error_without_a_number_names_the_file(tmp_path: Path) -> None:
    # What astropy makes of a full disk.
    for words, number in (("Not enough space on disk", errno.ENOSPC), ("odd", errno.EIO)):
        target = tmp_path / "out.fits"
        with pytest.raises(OSError, match=r"out\.fits") as raised, atomic_path(target):
            raise OSError(words)
        assert raised.value.errno == number
    assert not list(tmp_path.iterdir())


def test_fits_files_do_not_tell_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(name: str) -> bytes:
        image = fits.ImageHDU(np.arange(6, dtype=np.float32).reshape(2, 3), name="IMAGE")
        table = fits.BinTableHDU(Table({"x": [1.0, 2.0]}), name="TABLE")
        write_fits(tmp_path / name, [fits.PrimaryHDU(), image, table])
        return (tmp_path / name).read_bytes()

    first = written("a.fits")
    with fits.open(tmp_path / "a.fits", checksum=True) as hdus:
        for hdu in hdus:
            _ = hdu.data
            assert (hdu.verify_checksum(), hdu.verify_datasum()) == (1, 1)
    for kind in (fits.PrimaryHDU, fits.ImageHDU, fits.BinTableHDU):
        monkeypatch.setattr(kind, "_get_timestamp", lambda self: "1999-01-01T00:00:00")
    assert written("b.fits") == first


def test_in_a_session_of_python_nothing_is_kept(tmp_path: Path) -> None:
    image = tmp_path / "hst.fits"
    image.write_text("light")
    keep(image)
    with atomic_path(image) as temporary:
        temporary.write_text("dark")
    assert kept_inputs() == ()
    with protected([image, tmp_path / "nowhere", "x" * 300, "a\0b"]):
        keep(tmp_path)
        assert kept_inputs() == (image, tmp_path)
        with pytest.raises(InputError, match="is an input"), atomic_path(image):
            raise AssertionError("must not get here")


def test_a_lock_empties_no_file_and_waits_for_no_pipe(tmp_path: Path) -> None:
    image = tmp_path / "hst.fits"
    image.write_text("light")
    for number, make in enumerate((lambda lock: lock.symlink_to(image), os.mkfifo)):
        (home := tmp_path / str(number)).mkdir()
        make(home / "lock")
        refused = pytest.raises(InputError, match="another process")
        with only_one(home), refused, only_one(home, wait=False):
            raise AssertionError("must not get here")
    assert image.read_text() == "light"
