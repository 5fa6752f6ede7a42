"""The benchmarks over time: asv finds them, and each runs, at its smallest."""

import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("time_", "timeraw_", "peakmem_")


def benchmarks() -> Iterator[tuple[str, str, str]]:
    """Yield module, class and method of each, by asv's rules for names."""
    for path in sorted((ROOT / "benchmarks" / "timings").glob("[a-z]*.py")):
        name = f"benchmarks.timings.{path.stem}"
        for kind, value in vars(importlib.import_module(name)).items():
            if inspect.isclass(value) and value.__module__ == name:
                yield from ((name, kind, one) for one in vars(value) if one.startswith(KINDS))


ALL = list(benchmarks())


def test_there_are_ten_and_asv_finds_them() -> None:
    assert len(ALL) >= 10
    said = json.loads((ROOT / "asv.conf.json").read_text())
    assert (ROOT / said["benchmark_dir"] / "__init__.py").is_file()
    assert (ROOT / said["repo"]).resolve() == ROOT


@pytest.mark.parametrize(("module", "kind", "name"), ALL, ids=["-".join(one[1:]) for one in ALL])
def test_a_benchmark_runs(module: str, kind: str, name: str) -> None:
    case: Any = getattr(importlib.import_module(module), kind)()
    smallest = getattr(case, "params", ())[:1]
    if hasattr(case, "setup"):
        case.setup(*smallest)
    code = getattr(case, name)(*smallest)
    if name.startswith("timeraw_"):
        subprocess.run((sys.executable, "-c", code), check=True)
