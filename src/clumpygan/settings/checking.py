"""Checks of settings objects: of every field, of ranges, of the device."""

import typing
from functools import cache
from typing import Any

from clumpygan.errors import InputError, reason
from clumpygan.settings.conversion import converted, shown
from clumpygan.settings.declaration import Setting, ends_of, settings_of


def check(settings: Any) -> None:
    """Check every field of a settings object against its type, range and choices.

    Whole numbers are taken for floats, and lists for tuples, as YAML and JSON write them.

    Raises
    ------
    InputError
        For the first field that is something else than it was declared to be.
    """
    for name, (meant, kind) in _declared(type(settings)).items():  # type: ignore[arg-type]
        value = getattr(settings, name)
        try:
            sound = converted(value, kind, meant)
        except ValueError as expected:
            raise InputError(f"`{name}` is {shown(value)}: expected {expected}") from None
        if sound is not value:
            object.__setattr__(settings, name, sound)


@cache
def _declared(kind: type) -> dict[str, tuple[Setting, Any]]:
    """Return declaration and type of each field; found out once, since some are made often."""
    types_ = typing.get_type_hints(kind)
    return {name: (meant, types_[name]) for name, meant in settings_of(kind).items()}


def check_spans(settings: Any, *names: str) -> None:
    """Check as `check` does, and refuse ranges whose lower end isn't first."""
    check(settings)
    for name in names:
        low, high = ends_of(getattr(settings, name) or 0.0)
        if low > high:
            raise InputError(f"`{name}` is {low:g}:{high:g}: expected the lower end first")


def check_rising(settings: Any, *names: str) -> None:
    """Check that pairs of numbers are the two ends of a range, the lower one first.

    Raises
    ------
    InputError
        For the first pair that isn't.
    """
    for name in names:
        ends = getattr(settings, name)
        if ends is not None and not ends[0] <= ends[1]:
            raise InputError(f"`{name}` is {shown(ends)}: expected two rising numbers")


def check_device(name: str) -> None:
    """Refuse a `device` that this machine lacks or that can't do the work.

    Raises
    ------
    InputError
        If it isn't a CPU or CUDA device, or there is none of that name.
    """
    import torch

    try:
        kind = torch.zeros(1, device=name).device.type
    except (RuntimeError, AssertionError) as problem:
        raise InputError(
            f"`device` {name}: not available here ({reason(problem)}); expected cpu, or"
            " cuda with a GPU"
        ) from problem
    if kind not in ("cpu", "cuda"):
        # Frequencies are kept in double precision, which Apple's GPUs, for one, don't have.
        raise InputError(f"`device` {name}: expected cpu or cuda; others lack double precision")
