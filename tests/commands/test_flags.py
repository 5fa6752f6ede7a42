"""Flags are made of settings: names, types, defaults, groups and ranges."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from clumpygan import __version__
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.commands.program import Parser, run_program
from clumpygan.errors import InputError
from clumpygan.settings import check, seed_setting, setting


@dataclass(frozen=True)
class Settings:
    """One field of every type."""

    cubes: tuple[Path, ...] = setting((), "files", "CUBE", positional=True, heading="the cubes")
    samples: int = setting(16, "samples", "N", least=2, even=True, heading="how")
    width: float | None = setting(None, "FWHM", "ARCSEC", above=0, default_words="0.6 in i")
    band: Literal["g", "r", "i"] = setting("i", "band", aliases=("--hsc-plane",))
    position: tuple[float, float] | None = setting(None, "with `width`", metavar=("X", "Y"))
    methods: tuple[str, ...] = setting(("a", "b"), "which", "LIST")
    picture: bool = setting(True, "draw it: 100 %")
    fix: dict[str, str] = setting(default_factory=dict, help="fixed")
    weights: tuple[float, ...] = setting((), "of each cube", "W", spaced=True, above=0)
    cuts: tuple[tuple[str, float, float], ...] = setting(
        (), "limits", metavar=("NAME", "LOW", "HIGH"), flag="--where"
    )
    seed: int | None = seed_setting(None, "of the noise")

    def __post_init__(self) -> None:
        check(self)
        if self.position is not None and self.width is None:
            raise InputError("`position` goes with `width`; give `nothing` else")


def run(*arguments: str) -> Settings:
    """Return the settings that a command line asks for."""
    found: list[Settings] = []
    parser = Parser(prog="boz.py")
    add_settings(parser, Settings)
    add_config(parser)
    run_program(lambda options: found.append(settings_from(Settings, options)), parser, arguments)
    return found[0]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that a bad command line gets."""
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {}),
        ("a.fits b.fits", {"cubes": (Path("a.fits"), Path("b.fits"))}),
        ("--samples 4", {"samples": 4}),
        ("--hsc-plane g", {"band": "g"}),
        ("--width 1 --position -1e-4 2", {"width": 1.0, "position": (-1e-4, 2.0)}),
        ("--methods c,d", {"methods": ("c", "d")}),
        ("--no-picture", {"picture": False}),
        ("--fix a=1 --fix b=2", {"fix": {"a": "1", "b": "2"}}),
        ("--weights 1 2.5 3", {"weights": (1.0, 2.5, 3.0)}),
        ("--where z 0 1 --where m 2 3", {"cuts": (("z", 0.0, 1.0), ("m", 2.0, 3.0))}),
    ],
)
def test_flags_become_settings(words: str, expected: dict[str, Any]) -> None:
    assert run(*words.split()) == Settings(**expected)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--samples 3", "argument --samples: invalid value: '3' (expected an even integer >= 2)"),
        ("--samples many", "argument --samples: invalid value: 'many' (expected an even integer"),
        ("--width nan", "argument --width: invalid value: 'nan' (expected a number > 0)"),
        ("--width -1e-4", "argument --width: invalid value: '-1e-4'"),
        ("--band q", "argument --band/--hsc-plane: invalid choice: 'q'"),
        ("--position 1", "argument --position: expected 2 arguments"),
        ("--fix a", "argument --fix: invalid value: 'a' (expected NAME=VALUE)"),
        ("--fix a=1 --fix a=2", "argument --fix: a is given twice, 1 and 2"),
        ("--weights 1 0", "argument --weights: invalid value: '0' (expected a number > 0)"),
        ("--where z 0 a", "argument --where z: invalid value: 'a' (expected a number)"),
        ("--seed -1", "argument --seed: invalid value: '-1' (expected an integer from 0 to"),
        ("--sampels 3", "unrecognized arguments: --sampels (did you mean --samples?)"),
        ("--position 1 2", "--position goes with --width; give nothing else"),
        ("--config nowhere.yaml", "--config nowhere.yaml can't be read: No such file or directory"),
        ("--config /dev/zero", "--config /dev/zero can't be read as YAML (more than 4 MB)"),
    ],
)
def test_bad_flags_are_one_line(
    words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, *words.split()).startswith(f"boz.py: error: {complaint}")


def test_help_has_groups_units_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for words in (
        "how:\n", "the cubes:\n", "--samples N", "(default: 16)", "--width ARCSEC",
        "(default: 0.6 in i)", "--position X Y", "--picture, --no-picture", "100 % (default: yes)",
        "(default: a,b)", "with --width",
    ):  # fmt: skip
        assert words in text


def test_a_file_of_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("samples: 8\nwidth: 0.7\nposition: [3, 4]\n")
    assert run("--config", str(path), "--samples", "6") == Settings(
        samples=6, width=0.7, position=(3, 4)
    )
    path.write_text("samples: 7\n")
    assert "`" not in refused(capsys, "--config", str(path))
    path.write_text("widht: 7\n")
    assert "no setting 'widht' (did you mean width?)" in refused(capsys, "--config", str(path))
    path.write_text("- 3\n")
    assert "expected lines of the form NAME: VALUE" in refused(capsys, "--config", str(path))
    path.write_text("a: [\n")
    assert "expected a YAML file of settings" in refused(capsys, "--config", str(path))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--version")
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"clumpygan {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--completion", shell)
    assert stop.value.code == 0
    assert "samples" in capsys.readouterr().out
