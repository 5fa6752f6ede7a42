"""Examples in docstrings of the public interface do what they say."""

import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clumpygan

PACKAGE = Path(clumpygan.__file__).parent
FACES = [
    ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    for path in sorted(PACKAGE.rglob("__init__.pyi"))
]
NAMES = ("clumpygan.galaxies", "clumpygan.generation", "clumpygan.instruments", "clumpygan.fitting")
"""Packages whose public names the examples use."""


def examples() -> Iterator[doctest.DocTest]:
    """Yield the examples of all public functions and classes, once."""
    known: dict[str, Any] = {"np": np, "torch": torch}
    for face in NAMES:
        module = importlib.import_module(face)
        known |= {name: getattr(module, name) for name in module.__all__}
    finder, seen = doctest.DocTestFinder(recurse=False), set()
    for face in FACES:
        module = importlib.import_module(face)
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and id(value) not in seen:
                seen.add(id(value))
                for one in finder.find(value, f"{face}.{name}", globs=dict(known)):
                    if one.examples:
                        yield one


ALL = list(examples())


def test_there_are_examples() -> None:
    assert len(ALL) >= 21
    run = [one for case in ALL for one in case.examples if doctest.SKIP not in one.options]
    assert len(run) >= 25


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name.removeprefix("clumpygan."))
def test_an_example_does_what_it_says(case: doctest.DocTest) -> None:
    words: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    failed, _ = runner.run(case, out=words.append)
    assert not failed, "".join(words)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name.removeprefix("clumpygan."))
def test_an_example_prints_the_same_with_every_numpy(case: doctest.DocTest) -> None:
    """NumPy 1.26, which is allowed, prints True where NumPy 2 prints np.True_."""
    for one in case.examples:
        assert not re.search(r"\bnp\.\w+(_|\()", one.want), one.want
