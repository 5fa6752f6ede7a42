"""The benchmark that kills programs ends, whatever they say or wait for."""

import signal
from pathlib import Path

import pytest

from benchmarks.interrupted import _killed, _run

MUCH = "import sys\nsys.stderr.write('x' * 200_000)\nopen('out', 'w').close()\n"
HANGS = "import sys, time\nprint('waits', file=sys.stderr, flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "much.py").write_text(MUCH)
    (tmp_path / "hangs.py").write_text(HANGS)
    return tmp_path / "home"


def test_a_program_that_says_much_before_its_first_file(home: Path) -> None:
    done = _run([str(home.parent / "much.py")], home, longest=60)
    assert (done.code, len(done.said)) == (0, 200_000)
    assert 0 < done.first <= done.seconds
    assert _killed([str(home.parent / "much.py")], home, 0, longest=60)[1] == []


def test_a_program_that_hangs_is_told(home: Path) -> None:
    done = _run([str(home.parent / "hangs.py")], home, longest=2)
    assert done.code == -signal.SIGKILL
    assert done.said.endswith("still ran after 2 s")
    was_running, problems = _killed([str(home.parent / "hangs.py")], home, 0, longest=2)
    assert not was_running
    assert problems == ["it, or a worker of it, still ran after 2 s"]
