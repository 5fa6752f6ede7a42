"""What the values of flags may be: types for argparse that say what was expected."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import isfinite

LARGEST_SEED = 2**32 - 1
"""Upper limit of --seed."""


def number(above: float | None = None) -> Callable[[str], float]:
    """Return an argparse type: a finite number, greater than `above`."""

    def parse(text: str) -> float:
        value = float(text)
        if not isfinite(value) or (above is not None and value <= above):
            bound = "" if above is None else f" > {above:g}"
            raise ArgumentTypeError(f"invalid value: {text!r} (expected a number{bound})")
        return value

    parse.__name__ = "number"
    return parse


def integer(least: int, most: int) -> Callable[[str], int]:
    """Return an argparse type: an integer from `least` to `most`."""

    def parse(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ArgumentTypeError(
                f"invalid value: {text!r} (expected an integer from {least} to {most})"
            )
        return value

    parse.__name__ = "integer"
    return parse


def span(least: float, most: float) -> Callable[[str], tuple[float, float]]:
    """Return an argparse type: a range LOW:HIGH within limits, or one number for both."""

    def parse(text: str) -> tuple[float, float]:
        low, _, high = text.partition(":")
        ends = float(low), float(high or low)
        if not least <= ends[0] <= ends[1] <= most:
            raise ArgumentTypeError(
                f"invalid value: {text!r} (expected LOW:HIGH, rising, from {least:g} to {most:g})"
            )
        return ends

    parse.__name__ = "range LOW:HIGH"
    return parse
