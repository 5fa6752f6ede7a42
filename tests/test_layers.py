"""Who imports whom: the contracts of pyproject.toml hold, and would notice if they didn't."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def lint_imports(source: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with this project's contracts on the package in `source`."""
    program = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        check=False,
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source)},
    )


def test_the_layers_hold() -> None:
    linted = lint_imports(ROOT / "src")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("instruments/presets.py", "import clumpygan.galaxies"),
        ("networks/losses.py", "import astropy"),
        ("gan/adversarial.py", "import clumpygan.data"),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(
        ROOT / "src" / "clumpygan",
        tmp_path / "clumpygan",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    with (tmp_path / "clumpygan" / module).open("a") as stream:
        stream.write(f"\n{line}\n")
    linted = lint_imports(tmp_path)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert "1 broken" in linted.stdout or "2 broken" in linted.stdout
    assert line.split()[1] in linted.stdout


def test_every_package_has_its_contract() -> None:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        contracts = tomllib.load(stream)["tool"]["importlinter"]["contracts"]
    bound = {source for contract in contracts for source in contract["source_modules"]}
    packages = {
        f"clumpygan.{path.parent.name}"
        for path in (ROOT / "src" / "clumpygan").glob("*/__init__.py")
    }
    assert packages - bound == {"clumpygan.commands"}  # which may import everything
