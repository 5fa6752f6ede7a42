"""Fields of settings classes: what is known of each beside its type and default."""

import math
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any

LARGEST_SEED = 2**32 - 1
"""Largest seed: what the generators of random numbers take."""

KEY = "setting"
"""Under which the metadata of a field hold what is declared of it."""

Span = tuple[float, float]
"""The two ends of a range."""


@dataclass(frozen=True)
class Range:
    """Which numbers are meant: finite ones between these limits.

    Attributes
    ----------
    least, most : float, optional
        Limits that are included.
    above, below : float, optional
        Limits that aren't.
    even : bool
        Even whole numbers only.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    even: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a number is finite and in the range."""
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and not (self.even and value % 2)
        )

    def within(self, widest: "Range") -> "Range":
        """Return the range where it and a wider one overlap."""
        own = self.least is not None or self.above is not None
        upper = self.most is not None or self.below is not None
        lowest = (self.least, self.above) if own else (widest.least, widest.above)
        # Above 0, as flags say, is less than the quantity can be.
        if self.above == 0 and widest.least is not None and widest.least > 0:
            lowest = (widest.least, None)
        highest = (self.most, self.below) if upper else (widest.most, widest.below)
        return Range(lowest[0], highest[0], lowest[1], highest[1], self.even)

    def words(self, noun: str = "a number") -> str:
        """Return what is expected, as "a number > 0" or "an integer from 2 to 256"."""
        if self.even:
            noun = noun.replace("an integer", "an even integer")
        if self.least is not None and self.most is not None:
            return f"{noun} from {self.least:g} to {self.most:g}"
        limits = (("> ", self.above), (">= ", self.least), ("< ", self.below), ("<= ", self.most))
        told = [f"{sign}{limit:g}" for sign, limit in limits if limit is not None]
        return " ".join([noun, " and ".join(told)]).strip()


PHYSICAL: dict[str, Range] = {
    **dict.fromkeys(
        ("pixel_scale", "psf_scale", "reference_scale", "reference_psf_scale"), Range(1e-4, 100)
    ),
    **dict.fromkeys(("seeing", "psf_fwhm", "measured_seeing"), Range(1e-4, 60)),
    **dict.fromkeys(("zero_point", "depth", "max_hmag", "max_magnitude"), Range(-30, 100)),
    **dict.fromkeys(("redshift", "max_redshift", "min_redshift"), Range(above=-1, most=50)),
    "line_spread": Range(0, 1e5),
    "channel_width": Range(1e-6, 1e6),
    "rest_wavelength": Range(1, 1e11),
    "signal_to_noise": Range(1e-6, 1e8),
    "exposure_time": Range(1e-3, 1e9),
}
"""What quantities can be at all, by the names of settings: arcsec, mag, km/s, seconds, Angstrom. A
name means the same everywhere; the range that a field declares itself may be narrower."""


@dataclass(frozen=True)
class Setting:
    """What is known about one field of a settings class.

    Attributes
    ----------
    help : str
        What it means, in words that read after the name.
    unit : str
        For --help, "arcsec" or "mag" or what else it is counted in; it is the flag's metavar.
    range : Range
        For numbers, and for each number of a tuple.
    choices : tuple of str
        For words: which ones.
    heading : str
        Under which --help lists it.
    default_words : str
        What --help says of the default where the value alone doesn't tell; "" leaves it out.
    aliases : tuple of str
        Other names of the flag, with their dashes.
    parse : callable, optional
        From the text of a flag to the value, where the type doesn't tell; a `ValueError`'s
        message says what was expected.
    metavar : str or tuple of str, optional
        Of the flag, in place of the unit.
    positional : bool
        The flag is a positional argument of any number of values.
    adds_up : bool
        A flag of several values that may be given again: they add up.
    spaced : bool
        The values of a flag are separated by spaces, not by commas.
    flag : str
        Of the program, with its dashes, where it isn't the name of the setting.
    """

    help: str
    unit: str = ""
    range: Range = Range()
    choices: tuple[str, ...] = ()
    heading: str = ""
    default_words: str | None = None
    aliases: tuple[str, ...] = ()
    parse: Callable[[str], Any] | None = None
    metavar: str | tuple[str, ...] | None = None
    positional: bool = False
    adds_up: bool = False
    spaced: bool = False
    flag: str = ""


def setting(
    default: Any = MISSING,
    help: str = "",
    unit: str = "",
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    even: bool = False,
    default_factory: Any = MISSING,
    **more: Any,
) -> Any:
    """Return a field of a settings class.

    Parameters
    ----------
    default : object, optional
        Without it, and without a factory, the setting has to be given.
    help, unit : str
        See `Setting`.
    above, least, below, most : float, optional
        Range of the number, see `Range`.
    even : bool
        Even whole numbers only.
    default_factory : callable, optional
        Makes a default that can change.
    **more
        Other fields of `Setting`.
    """
    meant = Setting(help, unit, Range(least, most, above, below, even), **more)
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata={KEY: meant})
    return field(default=default, metadata={KEY: meant})


def same_setting(kind: type, name: str, **more: Any) -> Any:
    """Return the field of another settings class once more, with other words in --help."""
    one = next(one for one in fields(kind) if one.name == name)
    return field(default=one.default, metadata={KEY: replace(one.metadata[KEY], **more)})


def seed_setting(default: int | None = 0, help: str = "seed", **more: Any) -> Any:
    """Return the field of a seed: an integer from 0 to `LARGEST_SEED`."""
    return setting(default, help, "N", least=0, most=LARGEST_SEED, **more)


def span_reader(least: float, most: float) -> Callable[[str], Span]:
    """Return what reads a range LOW:HIGH within limits, or one number for both ends."""

    def read(text: str) -> Span:
        low, _, high = text.partition(":")
        try:
            ends = float(low), float(high or low)
        except ValueError:
            ends = math.nan, math.nan
        if not least <= ends[0] <= ends[1] <= most:
            raise ValueError(f"LOW:HIGH, rising, from {least:g} to {most:g}")
        return ends

    return read


def told_span(ends: Span) -> str:
    """Return a range as flags and messages write it."""
    return f"{ends[0]:g}:{ends[1]:g}"


def span_setting(default: Any, help: str, least: float, most: float, **more: Any) -> Any:
    """Return the field of a range (LOW, HIGH), or one number for both: see `ends_of`."""
    words = more.pop("default_words", None) or (told_span(default) if default else "")
    return setting(
        default,
        help,
        least=least,
        most=most,
        parse=span_reader(least, most),
        metavar="LOW:HIGH",
        default_words=words,
        **more,
    )


def ends_of(value: Span | float) -> Span:
    """Return the two ends of a range, or a number twice."""
    return (value, value) if isinstance(value, int | float) else value


def settings_of(kind: type) -> dict[str, Setting]:
    """Return what is declared about each field of a settings class, by name."""
    return {one.name: declared(one) for one in fields(kind) if KEY in one.metadata}


def declared(one: "Field[Any]") -> Setting:
    """Return what is declared about a field, within what its quantity can be."""
    meant: Setting = one.metadata[KEY]
    widest = PHYSICAL.get(one.name)
    return meant if widest is None else replace(meant, range=meant.range.within(widest))


def default_of(kind: type, name: str) -> Any:
    """Return the default of a field; None if it has to be given."""
    one = next(one for one in fields(kind) if one.name == name)
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else None
