"""The settings that a search may vary, and within which limits."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clumpygan.errors import InputError

_LIMITS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Range:
    """Numbers between two limits, both included; whole ones if both limits are.

    Attributes
    ----------
    low, high : int or float
    log : bool
        Whether their logarithm is uniform.
    step : int or float, optional
        Between neighbouring values.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether the numbers are integers."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 1))


@dataclass(frozen=True)
class Choice:
    """One of several values, each as Hydra's command line writes it."""

    values: tuple[str, ...]


Space = dict[str, Range | Choice]


def read_space(section: Mapping[str, Any] | None, known: Iterable[str]) -> Space:
    """Return the search space that a configuration's section `sweep.space` describes.

    Parameters
    ----------
    section : mapping
        By dotted name, or nested: ``{low: 1.0e-4, high: 1.0e-2, log: true}``, ``{low: 8, high: 32,
        step: 8}`` or a list of values. What is null is left out.
    known : iterable of str
        Dotted names of all settings.

    Raises
    ------
    InputError
        If there is nothing to vary, a name is unknown, or limits make no sense.
    """
    known = list(known)
    space: Space = {}
    for name, value in _flatten(section or {}):
        if name in space:
            raise InputError(f"sweep.space has {name} twice: once with dots and once nested")
        if name not in known:
            raise InputError(f"sweep.space: there is no setting {name}{_nearest(name, known)}")
        space[name] = _choice(name, value) if isinstance(value, list) else _range(name, value)
    if not space:
        raise InputError(
            "sweep.space is empty: say what to vary, for example "
            "+sweep.space.model.generator.latent_dim=[32,64,128]"
        )
    return space


def dotted_names(section: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of all settings of a configuration, of sections too."""
    names = []
    for key, value in section.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            names += dotted_names(value, f"{prefix}{key}.")
    return names


def _flatten(section: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in section.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and not set(value) & set(_LIMITS):
            yield from _flatten(value, f"{name}.")
        elif value is not None:
            yield name, value


def _range(name: str, value: Any) -> Range:
    example = "{low: 1.0e-4, high: 1.0e-2, log: true}"
    if not isinstance(value, Mapping):
        raise InputError(f"sweep.space.{name}={value}: expected a list, or limits as {example}")
    unknown = sorted(set(value) - set(_LIMITS))
    if unknown or not {"low", "high"} <= set(value):
        wrong = f"unknown {', '.join(unknown)}" if unknown else "low and high are needed"
        raise InputError(f"sweep.space.{name}: {wrong}; expected limits as {example}")
    log = value.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"sweep.space.{name}.log={log}: expected true or false")
    for key in ("low", "high", "step"):
        number = value.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float | None):
            raise InputError(f"sweep.space.{name}.{key}={number}: expected a number")
    found = Range(value["low"], value["high"], log, value.get("step"))
    if found.low is None or found.high is None or not found.low < found.high:
        raise InputError(
            f"sweep.space.{name}: low={found.low}, high={found.high}; expected low below high"
        )
    if log and (found.low <= 0 or found.step is not None):
        raise InputError(f"sweep.space.{name}: with log=true low is above 0, and there is no step")
    if found.step is not None and found.step <= 0:
        raise InputError(f"sweep.space.{name}.step={found.step}: expected more than 0")
    return found


def _choice(name: str, values: list[Any]) -> Choice:
    if not values:
        raise InputError(f"sweep.space.{name}=[]: expected at least one value")
    return Choice(tuple(_written(value) for value in values))


def _written(value: Any) -> str:
    """Return a value as Hydra's grammar reads it."""
    if isinstance(value, str) and re.fullmatch(r"[\w./-]+", value):
        return value
    return json.dumps(value)


def _nearest(name: str, known: list[str]) -> str:
    """Return a hint to the setting that may have been meant."""
    near = difflib.get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""
