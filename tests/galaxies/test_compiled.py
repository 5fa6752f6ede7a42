"""Compiled functions work wherever the package lies and whatever is in their cache."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from clumpygan.galaxies.rendering import compiled

ROOT = Path(__file__).resolve().parents[2]

TWICE = """
from clumpygan.galaxies.rendering.compiled import njit

@njit(fastmath=True)
def twice(x):
    return 2.0 * x
"""
RUN = "import module; print(module.twice(21.0), sum(module.twice.stats.cache_hits.values()))"


@pytest.fixture
def module(tmp_path):
    (tmp_path / "module.py").write_text(TWICE)
    return tmp_path / "module.py"


def run(folder, **environment):
    """Import the module in a process of its own; return what it said."""
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT / 'src'}", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


def test_the_cache_is_used_by_the_next_process(module):
    assert run(module.parent) == ["42.0", "0"]
    assert run(module.parent) == ["42.0", "1"]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x05\x95" + b"\xff" * 40])
def test_a_damaged_cache_is_as_none(module, suffix, content):
    run(module.parent)
    for path in (module.parent / "__pycache__").glob(f"*{suffix}"):
        path.write_bytes(content)
    assert run(module.parent) == ["42.0", "0"]
    # It is mended.
    assert run(module.parent) == ["42.0", "1"]


@pytest.fixture
def nowhere(module, tmp_path):
    """Where numba finds no place for a cache: a file lies where each folder would be."""
    (tmp_path / "__pycache__").write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    home = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "NUMBA_CACHE_DIR": ""}
    return {**home, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}


def test_without_a_place_the_cache_is_in_the_temporary_folder(module, nowhere):
    assert run(module.parent, **nowhere) == ["42.0", "0"]
    assert run(module.parent, **nowhere) == ["42.0", "1"]
    (folder,) = Path(nowhere["TMPDIR"]).glob("clumpygan-numba-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_temporary_folder_that_others_can_write_to_is_not_used(module, nowhere):
    folder = Path(nowhere["TMPDIR"]) / f"clumpygan-numba-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    for _ in range(2):
        assert run(module.parent, **nowhere) == ["42.0", "0"]
    assert not any(folder.iterdir())


def test_a_link_in_place_of_the_temporary_folder_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / f"clumpygan-numba-{os.getuid()}").symlink_to(tmp_path / "other")
    assert compiled._temporary_folder() is None


def test_programs_run_where_nothing_can_be_written_beside_the_package_or_at_home(nowhere, tmp_path):
    package = tmp_path / "installed"
    shutil.copytree(ROOT / "src", package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (package / "clumpygan").rglob("*"):
        if folder.is_dir():
            # Permissions don't bind root, this does.
            (folder / "__pycache__").write_text("")
    words = ["cube", "--shape", "8", "8", "8", "--seed", "1", "--clumps", "1", "--output", "a.fits"]
    program = "import sys; from clumpygan.commands.generate import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={**os.environ, **nowhere, "PYTHONPATH": str(package)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "a.fits").is_file()
    assert list(tmp_path.glob("temporary/clumpygan-numba-*/*/*.nbi"))
