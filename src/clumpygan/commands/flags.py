"""Flags from settings classes: each field of `clumpygan.settings` is one flag.

Names, types, ranges, choices, headings, defaults and help come from the fields. Only what the
command line gives is in the namespace, so that the defaults of the classes stay the only ones.
"""

import re
import typing
from argparse import (
    SUPPRESS,
    Action,
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    Namespace,
)
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from clumpygan.errors import InputError
from clumpygan.settings import (
    Setting,
    alternatives,
    converted,
    default_of,
    did_you_mean,
    from_mapping,
    settings_of,
    words_of,
)
from clumpygan.settings.documents import read_yaml

T = TypeVar("T")

CONFIG = "config"
"""Name of the flag of a file of settings."""

_NAMED = re.compile(r"`(\w+)`")


def flag_of(name: str) -> str:
    """Return the flag of a setting: "max_hmag" is "--max-hmag"."""
    return f"--{name.replace('_', '-')}"


def add_settings(
    parser: ArgumentParser,
    kind: type,
    skip: Collection[str] = (),
    heading: str = "settings",
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add a flag for each field of a settings class, grouped by their headings.

    Parameters
    ----------
    parser : ArgumentParser
    kind : type
        See `clumpygan.settings`.
    skip : collection of str
        Fields that aren't flags.
    heading : str
        Of fields that have none.
    defaults : mapping, optional
        Defaults that --help shows in place of those of the class.
    """
    types = typing.get_type_hints(kind)
    groups = {group.title: group for group in parser._action_groups}
    for name, meant in settings_of(kind).items():
        if name in skip:
            continue
        title = meant.heading or heading
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        default = default_of(kind, name)
        if defaults and name in defaults:
            default, meant = defaults[name], replace(meant, default_words=None)
        _add_flag(groups[title], name, types[name], meant, default)


def add_config(parser: ArgumentParser) -> None:
    """Add the flag of a YAML file that holds settings by their names; flags take precedence."""
    # A program of several commands learns from this which of them was called.
    parser.set_defaults(_parser=parser)
    group = parser.add_argument_group("settings from a file")
    group.add_argument(
        flag_of(CONFIG),
        type=Path,
        metavar="FILE",
        default=SUPPRESS,
        help="YAML file with any of these settings, by their names without the dashes; what the"
        " command line says takes precedence",
    )


def settings_from(
    kind: type[T], options: Namespace, defaults: Mapping[str, Any] | None = None, **fixed: Any
) -> T:
    """Return the settings object that the command line, and the file of --config, ask for.

    Parameters
    ----------
    kind : type
        A settings class whose flags were added by `add_settings`.
    options : argparse.Namespace
    defaults : mapping, optional
        In place of those of the class.
    **fixed
        Values of fields that have no flags.

    Raises
    ------
    InputError
        If the settings contradict each other, or the file holds what isn't one of them.
    """
    given = given_in(options)
    names = [one.name for one in fields(kind) if one.init]  # type: ignore[arg-type]
    told = {name: given[name] for name in names if name in given}
    return from_mapping(kind, {**(defaults or {}), **told, **fixed})


def given_in(options: Namespace) -> dict[str, Any]:
    """Return what the file of --config says, and on top of it what the command line says."""
    told = {name: value for name, value in vars(options).items() if value is not None}
    return {**told.get("_stored", {}), **told}


def read_config(options: Namespace, parser: ArgumentParser) -> None:
    """Read the file of --config, if there is one, into the namespace.

    Raises
    ------
    InputError
        If it can't be read as YAML, or holds a name that is no flag of the program.
    """
    path = vars(options).get(CONFIG)
    if path is None:
        return
    stored = read_yaml(path, "expected a YAML file of settings", f"`{CONFIG}` {path}")
    if not isinstance(stored, dict):
        raise InputError(f"`{CONFIG}` {path}: expected lines of the form NAME: VALUE")
    called: ArgumentParser = vars(options).get("_parser", parser)
    known = {action.dest for action in called._actions} - {"help", "version", CONFIG, "completion"}
    stored = {str(name).replace("-", "_"): value for name, value in stored.items()}
    for name in stored:
        if name not in known:
            raise InputError(
                f"`{CONFIG}` {path}: there is no setting {name!r}{did_you_mean(name, known)}"
            )
    options._stored = stored


class AddedUp(Action):
    """Collects the values of a flag that may be given again."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        """Add the values of one flag."""
        held = getattr(namespace, self.dest, ())
        setattr(namespace, self.dest, tuple(dict.fromkeys((*held, *values))))


class Rows(Action):
    """Collects rows of values of a flag that may be given again."""

    readers: tuple[Callable[[str], Any], ...] = ()

    def __init__(self, *arguments: Any, readers: tuple[Callable[[str], Any], ...], **more: Any):
        super().__init__(*arguments, **more)
        self.readers = readers

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        """Add the row of one flag."""
        try:
            row = tuple(read(text) for read, text in zip(self.readers, values, strict=True))
        except ArgumentTypeError as problem:
            parser.error(f"argument {option} {values[0]}: {problem}")
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), row))


class NamedValues(Action):
    """Collects NAME=VALUE pairs of a flag that may be given again, each name once."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        """Add the pairs of one flag."""
        held = dict(getattr(namespace, self.dest, {}))
        for name, value in values:
            if name in held and held[name] != value:
                parser.error(f"argument {option}: {name} is given twice, {held[name]} and {value}")
            held[name] = value
        setattr(namespace, self.dest, held)


def _add_flag(group: Any, name: str, kind: Any, meant: Setting, default: Any) -> None:
    inner = next(one for one in alternatives(kind) if one is not type(None))
    origin, arguments = typing.get_origin(inner), typing.get_args(inner)
    metavar = meant.metavar or meant.unit or None
    how: dict[str, Any] = {"default": SUPPRESS, "help": _help(inner, meant, default)}
    if meant.positional:
        of_one = _parser(arguments[0], meant)
        group.add_argument(name, nargs="*", type=of_one, metavar=metavar, **how)
        return
    choices = meant.choices or (arguments if origin is Literal else ())
    if inner is bool:
        how |= {"action": BooleanOptionalAction}
    elif origin in (dict, Mapping):
        how |= {"action": NamedValues, "type": meant.parse or named_value}
        how |= {"metavar": metavar or "NAME=VALUE"}
    elif origin is tuple and typing.get_origin(arguments[0]) is tuple:
        columns = typing.get_args(arguments[0])
        readers = tuple(_parser(column, meant) for column in columns)
        how |= {"action": Rows, "readers": readers, "nargs": len(columns), "metavar": metavar}
    elif meant.spaced:
        how |= {"nargs": "+", "type": _parser(arguments[0], meant), "metavar": metavar or "VALUE"}
    elif origin is tuple and arguments[-1] is not Ellipsis and meant.parse is None:
        each = metavar if isinstance(metavar, tuple) else (metavar or "VALUE",) * len(arguments)
        how |= {"nargs": len(arguments), "metavar": each, "type": _parser(arguments[0], meant)}
    elif arguments == (Path, Ellipsis):
        how |= {"nargs": "+", "type": _parser(Path, meant), "metavar": metavar or "FILE"}
    elif choices and metavar is None and origin is not tuple:
        how |= {"choices": tuple(map(str, choices))}
    else:
        how |= {"type": _parser(inner, meant), "metavar": metavar or "VALUE"}
        how |= {"action": AddedUp} if meant.adds_up else {}
    group.add_argument(meant.flag or flag_of(name), *meant.aliases, dest=name, **how)


def named_value(text: str) -> list[tuple[str, str]]:
    """Return the name and the value of NAME=VALUE, in a list of one."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise ArgumentTypeError(f"invalid value: {text!r} (expected NAME=VALUE)")
    return [(name.strip().replace("-", "_"), value.strip())]


def _parser(kind: Any, meant: Setting) -> Callable[[str], Any]:
    """Return what turns the text of a flag into the value of its type."""
    read = meant.parse or _READERS.get(kind) or _listed(kind)

    def parse(text: str) -> Any:
        try:
            value = read(text)
        except ValueError as problem:
            expected = str(problem) if meant.parse else words_of(kind, meant)
            raise ArgumentTypeError(f"invalid value: {text!r} (expected {expected})") from None
        if meant.parse is not None:
            return value
        try:
            return converted(value, kind, meant)
        except ValueError as expected_words:
            message = f"invalid value: {text!r} (expected {expected_words})"
            raise ArgumentTypeError(message) from None

    return parse


def _path(text: str) -> Path:
    if not text:
        raise ValueError
    return Path(text)


_READERS: dict[Any, Callable[[str], Any]] = {int: int, float: float, Path: _path, str: str}


def _listed(kind: Any) -> Callable[[str], Any]:
    """Return what reads values that are separated by commas, or one of a few words."""
    if typing.get_origin(kind) is not tuple:
        return str
    read = _READERS.get(typing.get_args(kind)[0], str)

    def parse(text: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise ValueError
        return tuple(read(part) for part in parts)

    return parse


def _help(kind: Any, meant: Setting, default: Any) -> str:
    words = meant.default_words
    if words is None:
        words = _default_words(kind, default)
    text = f"{meant.help} (default: {words})" if words else meant.help
    return _NAMED.sub(lambda found: flag_of(found[1]), text).replace("%", "%%")


def _default_words(kind: Any, default: Any) -> str:
    if default is None or default == () or default == {}:
        return ""
    if kind is bool:
        return "yes" if default else "no"
    if isinstance(default, tuple):
        between = "," if typing.get_args(kind)[-1] is Ellipsis else " "
        return between.join(_default_words(None, one) for one in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
