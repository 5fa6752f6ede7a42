"""Objects that a configuration or a card names by `_target_`, and the arguments that they get.

The convention is Hydra's: a section ``{_target_: package.module.Name, argument: value, ...}``
describes a call. Here every argument is checked before the call, what can't be called is one line,
and a card, which may come from strangers, names nothing but what is trusted.
"""

import importlib
import inspect
import os
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType
from typing import Any

from torch import nn

from clumpygan.errors import InputError
from clumpygan.settings import Range, Setting, alternatives, converted, did_you_mean, shown

TARGET = "_target_"

ALLOW = "CLUMPYGAN_ALLOW"
"""Environment variable: packages, with commas between, whose networks programs may load."""

_OWN = "clumpygan"

_everything: ContextVar[bool] = ContextVar("everything", default=False)
_allowed: ContextVar[tuple[str, ...]] = ContextVar("allowed", default=())

Spec = Mapping[str, Any]
"""A section with `_target_`, and arguments: plain values, lists, and sections of this kind."""


@contextmanager
def trusting(*packages: str, everything: bool = False) -> Iterator[None]:
    """Allow targets of further packages inside the block, or of any: what the user wrote himself.

    Without it only those of `clumpygan`, and of the packages in the environment variable `ALLOW`,
    are imported.
    """
    before = _allowed.set((*_allowed.get(), *packages)), _everything.set(everything)
    try:
        yield
    finally:
        _allowed.reset(before[0])
        _everything.reset(before[1])


def instantiate(
    spec: Spec, where: str, given: Mapping[str, Any] | None = None, kind: type = nn.Module
) -> Any:
    """Return what a section describes.

    Parameters
    ----------
    spec : mapping
        With `_target_`.
    where : str
        The section's name, for messages.
    given : mapping, optional
        Arguments that aren't plain values, by name: the target gets those that it takes.
    kind : type
        What it has to be.

    Raises
    ------
    InputError
        If the target is unknown or isn't trusted, or doesn't take an argument or its value.
    """
    if not isinstance(spec, Mapping) or not isinstance(spec.get(TARGET), str):
        raise InputError(f"`{where}` names no {TARGET}: expected the path of a class")
    name = spec[TARGET]
    target = locate(name, where, kind)
    arguments = {
        key: _value(value, f"{where}.{key}", kind) for key, value in spec.items() if key != TARGET
    }
    taken = parameters_of(target)
    arguments |= {key: value for key, value in (given or {}).items() if _takes(taken, key)}
    for key in arguments:
        if not isinstance(key, str) or not _takes(taken, key):
            raise InputError(
                f"`{where}.{key}`: {name} takes no such argument{did_you_mean(key, taken)}; "
                f"expected {', '.join(taken) or 'none'}"
            )
    missing = [key for key, one in taken.items() if _is_needed(one) and key not in arguments]
    if missing:
        raise InputError(f"`{where}.{missing[0]}` is missing: {name} needs it")
    if _within(name, _OWN):
        arguments |= _as_declared(target, {key: arguments[key] for key in spec if key != TARGET},
                                  where)  # fmt: skip
    try:
        made = target(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError, MemoryError) as error:
        if not _within(name, _OWN):
            # A mistake in somebody else's code, who wants to know where.
            raise
        raise InputError(f"`{where}`: {name} can't be built: {error}") from error
    if not isinstance(made, kind):
        raise InputError(f"`{where}`: {name} makes a {type(made).__name__}, no {kind.__name__}")
    return made


def completed(
    spec: Spec, where: str, known: Mapping[str, Any], kind: type = nn.Module
) -> dict[str, Any]:
    """Return a section with the arguments that its target takes of those that are known.

    What the target of another package doesn't take is left out: it was meant for the network that
    it replaces.

    Parameters
    ----------
    spec : mapping
        With `_target_`.
    where : str
        The section's name, for messages.
    known : mapping
        Further arguments, plain values.
    kind : type
        What the target makes.

    Raises
    ------
    InputError
        If the target is unknown or isn't trusted.
    """
    name = str(spec.get(TARGET))
    taken = parameters_of(locate(name, where, kind))
    own = {
        key: value
        for key, value in spec.items()
        if key == TARGET or _within(name, _OWN) or _takes(taken, key)
    }
    return own | {key: value for key, value in known.items() if _takes(taken, key)}


def parameters_of(target: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class or a function, by name."""
    try:
        return dict(inspect.signature(target).parameters)
    except ValueError:
        # Some of Python's own don't tell.
        return {"any": inspect.Parameter("any", inspect.Parameter.VAR_KEYWORD)}


def path_of(thing: Any) -> str:
    """Return the path by which the class of an object is imported."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _value(value: Any, where: str, kind: type) -> Any:
    if isinstance(value, Mapping):
        if TARGET in value:
            return instantiate(value, where, kind=kind)
        return {key: _value(one, f"{where}.{key}", kind) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_value(one, where, kind) for one in value)
    return value


def _as_declared(target: Any, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return arguments of a network of ours as its signature declares them.

    Numbers are finite; whole ones, which are counts there, at least 0.

    Raises
    ------
    InputError
        For the first that is something else.
    """
    makes = inspect.getattr_static(target, "__init__") if isinstance(target, type) else target
    try:
        hints = typing.get_type_hints(makes)
    except (NameError, TypeError):  # names that only type checkers import, or Python's own
        return {}
    found = {}
    for key, value in arguments.items():
        kinds = alternatives(hints.get(key, Any))
        if not all(_is_plain(kind) for kind in kinds):
            continue
        meant = Setting("", range=Range(least=0 if int in kinds else None))
        try:
            found[key] = converted(value, hints[key], meant)
        except ValueError as expected:
            raise InputError(f"`{where}.{key}` is {shown(value)}: expected {expected}") from None
    return found


def _is_plain(kind: Any) -> bool:
    """Tell whether values of a type can be checked: numbers, words, and tuples of them."""
    if typing.get_origin(kind) is tuple:
        return all(_is_plain(one) or one is Ellipsis for one in typing.get_args(kind))
    return kind in (int, float, bool, str, type(None))


def _takes(taken: Mapping[str, inspect.Parameter], name: str) -> bool:
    if any(one.kind == one.VAR_KEYWORD for one in taken.values()):
        return True
    return name in taken and taken[name].kind in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )


def _is_needed(one: inspect.Parameter) -> bool:
    return one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)


def _within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def _is_trusted(name: str) -> bool:
    given = (word.strip() for word in os.environ.get(ALLOW, "").split(","))
    packages = (_OWN, *_allowed.get(), *filter(None, given))
    return _everything.get() or any(_within(name, package) for package in packages)


def locate(name: str, where: str, kind: type) -> Any:
    """Import what a path names, if it is trusted.

    Raises
    ------
    InputError
        If there is no such thing, it can't be called, or it isn't trusted.
    """
    package = name.partition(".")[0]
    if not _is_trusted(name):
        raise InputError(
            f"`{where}` is {name}, code from outside of clumpygan, and a card may come from "
            f'strangers: if you trust it, load_checkpoint(..., allow=("{package}",)), or '
            f"{ALLOW}={package} for programs"
        )
    found = _imported(name, where)
    if not callable(found):
        raise InputError(f"`{where}.{TARGET}` is {name}: expected a class or a function")
    if not _everything.get() and _within(name, _OWN) and not _makes(found, kind):
        # clumpygan.io.atomic.os.system, too, begins with the right word.
        raise InputError(f"`{where}.{TARGET}` is {name}: expected a {kind.__name__} of clumpygan")
    return found


def _imported(name: str, where: str) -> Any:
    *parents, last = name.split(".")
    hint = "is it on PYTHONPATH?"
    for length in range(len(parents), 0, -1):
        module = ".".join(parents[:length])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not _within(module, error.name):
                raise
            continue
        except (ValueError, TypeError):
            break
        hint = f"{module} has no {'.'.join([*parents[length:], last])}"
        hint += did_you_mean(last, [one for one in dir(found) if not one.startswith("_")])
        try:
            for part in [*parents[length:], last]:
                found = getattr(found, part)
        except AttributeError:
            break
        return found
    raise InputError(f"`{where}.{TARGET}` is {name}: there is no such thing; {hint}")


def _makes(found: Any, kind: type) -> bool:
    """Tell whether this is a class of ours, or a function of ours, that makes what is wanted."""
    if not _within(str(getattr(found, "__module__", "")), _OWN):
        return False
    if isinstance(found, FunctionType):
        found = typing.get_type_hints(found).get("return")
    return isinstance(found, type) and issubclass(found, kind)


def plain_lists(value: Any) -> Any:
    """Return nested values with lists in place of tuples, as YAML writes them."""
    if isinstance(value, Mapping):
        return {str(key): plain_lists(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain_lists(one) for one in value]
    return value
