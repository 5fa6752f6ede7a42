"""Outputs are checked before anything is computed."""

from argparse import Namespace
from pathlib import Path

import pytest

from clumpygan.commands.output_files import check_outputs
from clumpygan.commands.program import Parser, run_program
from clumpygan.errors import InputError
from clumpygan.io import atomic_path
from clumpygan.io.atomic import keep


def _parser() -> Parser:
    parser = Parser(prog="boz.py")
    for name in ("--image", "--fits", "--metrics", "--output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("cubes", nargs="*", type=Path)
    return parser


def _write(options: Namespace) -> None:
    for path in (options.fits, options.metrics):
        if path is not None:
            with atomic_path(path) as temporary:
                temporary.write_text("new")


@pytest.mark.parametrize(
    "words", ["--image hst.fits --fits hst.fits", "--metrics b.fits b.fits",
              "--image hst.fits --fits same.fits", "--image hst.fits --fits ./hst.fits"]
)  # fmt: skip
def test_no_output_of_a_program_replaces_an_input(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hst.fits", "b.fits"):
        Path(name).write_text("light")
    Path("same.fits").symlink_to("hst.fits")
    with pytest.raises(SystemExit) as stop:
        run_program(_write, _parser(), words.split())
    assert stop.value.code == 2
    assert "is an input" in capsys.readouterr().err
    assert Path("hst.fits").read_text() == Path("b.fits").read_text() == "light"


def _read_and_write(options: Namespace) -> None:
    keep("stamp.fits")  # as of a catalogue, which flags don't name
    _write(options)


@pytest.mark.parametrize(
    "words", ["--fits stamp.fits", "--metrics psf.fits --psf psf.fits",
              "--fits own.safetensors --checkpoint own", "--fits own.yaml --checkpoint own",
              "--metrics own.yaml --checkpoint own.safetensors"]
)  # fmt: skip
def test_no_output_replaces_what_is_read_without_being_a_path(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("stamp.fits", "psf.fits", "own.safetensors", "own.yaml")
    for name in names:
        Path(name).write_text("light")
    parser = _parser()
    for flag in ("--psf", "--checkpoint"):
        parser.add_argument(flag)
    with pytest.raises(SystemExit) as stop:
        run_program(_read_and_write, parser, words.split())
    assert stop.value.code == 2
    assert "is an input" in capsys.readouterr().err
    assert {Path(name).read_text() for name in names} == {"light"}


def test_what_is_only_written_may_be_there_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.fits").write_text("old")
    Path("hst.fits").write_text("light")
    run_program(_write, _parser(), ["--image", "hst.fits", "--fits", "old.fits"])
    assert Path("old.fits").read_text() == "new"
    # Nothing is kept from writing once the program has ended.
    with atomic_path("hst.fits") as temporary:
        temporary.write_text("dark")


def test_an_output_is_named_once_and_ends_as_it_should(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    with pytest.raises(InputError, match="named twice"):
        check_outputs([("--fits", path, ()), ("--output", path, ())])
    with pytest.raises(InputError, match=r"--output .*a.fits: expected a name ending in .png"):
        check_outputs([("--output", path, (".png",))])
