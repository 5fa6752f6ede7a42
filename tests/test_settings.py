"""Settings are checked the same way whether they come from Python, YAML or a command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from astropy.table import Table

from clumpygan.errors import InputError
from clumpygan.settings import (
    LARGEST_SEED,
    check,
    default_of,
    from_mapping,
    seed_setting,
    setting,
    settings_of,
)
from clumpygan.settings.sections import plain


@dataclass(frozen=True)
class Inner:
    """A section of its own."""

    rate: float = setting(1e-3, "learning rate", above=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Settings:
    """One field of every type."""

    samples: int = setting(16, "samples", "N", least=2, most=256, even=True)
    width: float | None = setting(None, "FWHM", "arcsec", above=0)
    band: Literal["g", "r", "i"] = setting("i", "band")
    position: tuple[float, float] | None = setting(None, "centre", "pixels")
    names: tuple[str, ...] = setting((), "names")
    output: Path = setting(Path("a.png"), "picture")
    picture: bool = setting(True, "whether to draw")
    seed: int | None = seed_setting(None)
    method: str = setting("laplace", "method", choices=("laplace", "nuts"))
    inner: Inner = setting(default_factory=Inner, help="section")

    def __post_init__(self) -> None:
        check(self)


GOOD: list[tuple[str, Any, Any]] = [
    ("names", "a, b", ("a", "b")),
    ("samples", 2, 2),
    ("samples", np.int64(8), 8),
    ("width", 1, 1.0),
    ("width", np.float32(0.5), 0.5),
    ("width", None, None),
    ("band", "g", "g"),
    ("position", [1, 2.5], (1.0, 2.5)),
    ("names", ["a", "b"], ("a", "b")),
    ("output", "b.png", Path("b.png")),
    ("picture", False, False),
    ("seed", LARGEST_SEED, LARGEST_SEED),
]

BAD: list[tuple[str, Any, str]] = [
    ("samples", 3, "`samples` is 3: expected an even integer from 2 to 256"),
    ("samples", 2.0, "`samples` is 2: expected an even integer from 2 to 256"),
    ("samples", True, "`samples` is True: expected"),
    ("samples", None, "`samples` is None: expected"),
    ("width", 0, "`width` is 0: expected a number > 0 or null"),
    ("width", float("nan"), "`width` is nan"),
    ("width", float("inf"), "`width` is inf"),
    ("width", "wide", "`width` is 'wide'"),
    ("band", "q", "`band` is 'q': expected one of g, r, i"),
    ("position", [1], "`position` is [1]: expected 2 values, each a number"),
    ("position", [1, float("nan")], "`position` is [1, nan]"),
    ("position", "12", "`position` is '12'"),
    ("names", "a,,b", "`names` is 'a,,b': expected values, each a text"),
    ("names", [1], "`names` is [1]"),
    ("output", "", "`output` is ''"),
    ("picture", 1, "`picture` is 1: expected true or false"),
    ("picture", "yes", "`picture` is 'yes'"),
    ("seed", -1, "`seed` is -1: expected an integer from 0 to"),
    ("seed", 2**32, "`seed` is 4294967296"),
    ("seed", "abc", "`seed` is 'abc'"),
    ("method", "mcmc", "`method` is 'mcmc': expected one of laplace, nuts"),
]


@pytest.mark.parametrize(("name", "value", "held"), GOOD)
def test_good_values_are_held_in_their_type(name: str, value: Any, held: Any) -> None:
    for made in (Settings(**{name: value}), from_mapping(Settings, {name: value})):
        found = getattr(made, name)
        assert found == held
        assert type(found) is type(held)


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_bad_values_are_refused_from_python_and_yaml(name: str, value: Any, words: str) -> None:
    with pytest.raises(InputError) as refused:
        Settings(**{name: value})
    assert str(refused.value).startswith(words)
    with pytest.raises(InputError) as refused:
        from_mapping(Settings, {name: value}, "model")
    assert str(refused.value).startswith(words.replace("`", "`model.", 1))
    assert "\n" not in str(refused.value)


def test_sections_within_sections() -> None:
    assert from_mapping(Settings, {"inner": {"rate": 1}}).inner == Inner(1.0)
    with pytest.raises(InputError, match=r"`a.inner.rate` is 'fast': expected a number > 0"):
        from_mapping(Settings, {"inner": {"rate": "fast"}}, "a")
    with pytest.raises(InputError, match=r"`inner` is 3: expected a section of settings"):
        from_mapping(Settings, {"inner": 3})


def test_a_section_leaves_out_what_is_as_in_the_default_of_its_field() -> None:
    @dataclass(frozen=True)
    class Outer:
        inner: Settings = setting(default_factory=lambda: Settings(samples=8, width=0.5))

    found = from_mapping(Outer, {"inner": {"width": 0.7}}).inner
    assert found == Settings(samples=8, width=0.7)


def test_unknown_and_missing_names() -> None:
    @dataclass(frozen=True)
    class Needed:
        cube: Path = setting(help="what is fitted")

    with pytest.raises(InputError, match=r"`sampels`: .* \(did you mean samples\?\)"):
        from_mapping(Settings, {"sampels": 4})
    with pytest.raises(InputError, match="`cube` is missing"):
        from_mapping(Needed, {})
    with pytest.raises(InputError, match="expected a section"):
        from_mapping(Settings, 3)  # type: ignore[arg-type]


def test_what_is_declared_can_be_read() -> None:
    assert settings_of(Settings)["width"].unit == "arcsec"
    assert default_of(Settings, "samples") == 16
    assert default_of(Settings, "width") is None


@dataclass(frozen=True)
class Observed:
    """Names that mean a physical quantity."""

    zero_point: float | None = setting(None, "AB magnitude of a count")
    pixel_scale: float = setting(0.168, "arcsec", above=0)
    seeing: float = setting(0.6, "arcsec", above=0, most=3)
    checkpoint: str = setting("super_resolution", "network")

    def __post_init__(self) -> None:
        check(self)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("zero_point", 1e9, "expected a number from -30 to 100 or null"),
        ("pixel_scale", 1e-9, "expected a number from 0.0001 to 100"),
        ("pixel_scale", 10**400, "expected a number from 0.0001 to 100"),
        ("seeing", 4.0, "expected a number from 0.0001 to 3"),
        ("checkpoint", "", "expected a text"),
    ],
)
def test_a_quantity_has_the_range_that_it_can_have(name: str, value: Any, words: str) -> None:
    for made in (Observed, lambda **given: from_mapping(Observed, given)):
        with pytest.raises(InputError, match=words):
            made(**{name: value})
    assert Observed(zero_point=27, pixel_scale=0.06).pixel_scale == 0.06


def test_what_is_masked_in_a_table_is_none() -> None:
    table = Table({"a": np.ma.array([1.0, 2.0], mask=[False, True])})
    assert [plain(row["a"]) for row in table] == [1.0, None]
