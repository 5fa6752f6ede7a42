"""The page of promises: the tests that it names are there, and are linked to."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "promises.md"


def test_every_promise_names_a_test_that_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) > 40
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file()
        or not re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_promise_has_a_test() -> None:
    section = PAGE.read_text().partition("## What is trusted")[0]
    points = re.split(r"\n(?=- )", section)[1:]
    assert len(points) > 12
    assert [point for point in points if "::test_" not in point] == []


def test_the_scripts_that_it_names_are_there_and_the_readme_leads_to_it() -> None:
    for name in re.findall(r"`(benchmarks/\w+\.py)`", PAGE.read_text()):
        assert (ROOT / name).is_file()
    assert "docs/promises.md" in (ROOT / "README.md").read_text()
