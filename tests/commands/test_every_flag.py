"""Every flag of every program, given nonsense, ends in one line and code 2, or is taken."""

import importlib
from argparse import SUPPRESS, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from typing import Any

import pytest

from clumpygan.commands import flags
from clumpygan.commands.flags import settings_from
from clumpygan.errors import InputError

PROGRAMS = ("recover", "fit", "generate", "prepare", "evaluate", "survey", "app")

NONSENSE = ("nan", "inf", "-inf", "0", "-1", "-1e-4", "1e300", "1e-300", "", " ", "abc", "1:2:3",
            "a=b", "9" * 400, "ü", "../../x", "[1,2]", "{}", "true", "None", "-", ",", "=",
            "1,,2")  # fmt: skip


@pytest.fixture(scope="module")
def parsers() -> dict[str, tuple[ArgumentParser, list[str], list[type]]]:
    """Every program and subcommand: its parser, its words, and the settings it is made of."""
    kinds: dict[int, list[type]] = {}
    add_settings = flags.add_settings

    def recorded(parser: ArgumentParser, kind: type, *rest: Any, **more: Any) -> None:
        kinds.setdefault(id(parser), []).append(kind)
        add_settings(parser, kind, *rest, **more)

    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flags, "add_settings", recorded)
        for program in PROGRAMS:
            module = importlib.import_module(f"clumpygan.commands.{program}")
            for inner in ("", "cubes", "realism", "shear", "super_resolution"):
                name = f"clumpygan.commands.evaluation.{inner}" if inner else module.__name__
                if hasattr(importlib.import_module(name), "add_settings"):
                    patch.setattr(f"{name}.add_settings", recorded)
            whole = module._parser()
            for words, parser in _all(whole, []):
                found[" ".join([program, *words])] = (whole, words, kinds.get(id(parser), []))
    return found


def _all(parser: ArgumentParser, words: list[str]) -> Iterator[tuple[list[str], ArgumentParser]]:
    inner = [one for one in parser._actions if isinstance(one, _SubParsersAction)]
    if not inner:
        yield words, parser
    for action in inner:
        for name, one in action.choices.items():
            yield from _all(one, [*words, name])


def _innermost(parser: ArgumentParser, words: list[str]) -> ArgumentParser:
    for word in words:
        action = next(one for one in parser._actions if isinstance(one, _SubParsersAction))
        parser = action.choices[word]
    return parser


def test_all_programs_are_here(parsers: dict[str, Any]) -> None:
    assert {"recover", "fit", "generate cube", "prepare idx", "evaluate shear"} <= set(parsers)
    assert sum(len(kinds) for _, _, kinds in parsers.values()) >= 15


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_refused_or_taken(
    value: str, parsers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    tried = 0
    for name, (whole, words, kinds) in parsers.items():
        for action in _innermost(whole, words)._actions:
            if not action.option_strings or action.dest in (SUPPRESS, "help", "config"):
                continue
            if action.nargs == 0 or action.dest in ("version", "completion"):
                continue
            given = [value] * (action.nargs if isinstance(action.nargs, int) else 1)
            command = [*words, action.option_strings[0], *given]
            tried += 1
            code, message = 0, ""
            try:
                options = whole.parse_args(command)
                for kind in kinds:
                    settings_from(kind, options)
            except SystemExit as stop:
                code = stop.code  # type: ignore[assignment]
            except InputError as refused:
                message = str(refused)
            said = capsys.readouterr().err
            assert code in (0, 2), command
            assert "\n" not in message, command
            assert said.count("\n") == (code == 2), (name, command, said)
    assert tried > 150
