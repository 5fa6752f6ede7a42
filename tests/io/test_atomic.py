from pathlib import Path

import pytest

from clumpygan.errors import InputError
from clumpygan.io import atomic_path, check_output_path


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
