"""prepare.py from the shell: interrupts of all kinds, and what its user sees of a bad line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clumpygan.commands.prepare import main
from clumpygan.data.cubes.store import open_cubes

PREPARE = Path(__file__).parents[2] / "prepare.py"

SMALL = ["--shape", "6", "8", "8", "--seed", "1"]

SLOW = """
import time, sys
from clumpygan.commands.prepare import main
from clumpygan.data.cubes import store as cube_store
cube_store.CHUNK_CUBES = (5, 5)
original = cube_store.renderer_for
def renderer_for(*arguments):
    render = original(*arguments)
    def slowly(vectors):
        time.sleep(0.15)
        return render(vectors)
    return slowly
cube_store.renderer_for = renderer_for
import signal
# A parent in the background leaves its children deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
main(sys.argv[1:])
"""


def prepare(*words):
    main(["cubes", *map(str, words)])


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run in an empty folder; nothing may be written, and one line is said."""
    monkeypatch.chdir(tmp_path)

    def _refused(*words):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            prepare(*words)
        said = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(tmp_path.rglob("*")) == before
        return said[0]

    return _refused


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "cubes"
    prepare("--n", 60, "--output", folder, *SMALL)
    return open_cubes(folder)


def test_a_set_is_written_checked_and_told(tmp_path, capsys):
    prepare("--n", 12, "--output", tmp_path / "cubes", "--inclination", 60, "--clumps", 2,
            "--range", "clump_1_fraction", 0.1, 0.12, "--range", "flux", 1, 2,
            "--workers", 2, *SMALL)  # fmt: skip
    made = open_cubes(tmp_path / "cubes")
    table = made.table()
    assert set(table["inclination"]) == {60.0}
    assert 1 <= table["flux"].min() < table["flux"].max() <= 2
    assert 0.1 <= table["clump_1_fraction"].min() < table["clump_1_fraction"].max() <= 0.12
    assert made.settings.frame.instrument == "muse_wfm"
    assert made.card["commit"]
    captured = capsys.readouterr()
    assert "12 cubes of 6 x 8 x 8 with seed 1, whole" in captured.out
    assert "12/12" in captured.err


def test_check_writes_nothing_and_finds_damage(tmp_path, capsys):
    prepare("--n", 9, "--output", tmp_path / "cubes", *SMALL)
    stamp = {path: path.stat().st_mtime_ns for path in (tmp_path / "cubes").iterdir()}
    prepare("--check", "--output", tmp_path / "cubes")
    assert stamp == {path: path.stat().st_mtime_ns for path in (tmp_path / "cubes").iterdir()}
    assert "9 cubes of 6 x 8 x 8 with seed 1, whole" in capsys.readouterr().out
    cubes = np.load(tmp_path / "cubes" / "cubes.npy", mmap_mode="r+")
    cubes[8] = 0
    cubes.flush()
    with pytest.raises(SystemExit) as stopped:
        prepare("--check", "--output", tmp_path / "cubes")
    assert stopped.value.code == 2
    assert "cube 8 holds 0 of the" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_stopped_in_the_middle_it_goes_on_without_a_duplicate_or_a_hole(
    kind, code, whole, tmp_path
):
    folder = tmp_path / "cubes"
    command = [sys.executable, "-c", SLOW, "cubes", "--n", "60", "--output", str(folder),
               "--workers", "1", *SMALL]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        notes = folder / "done.txt"
        give_up = time.monotonic() + 120
        while not (notes.exists() and notes.read_text().count("\n") >= 2):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        running.send_signal(kind)
        out, err = running.communicate(timeout=60)
    assert running.returncode == code
    done = notes.read_text().count("\n")
    assert 2 <= done < 12
    if kind == signal.SIGINT:
        assert "the same command goes on from here" in out
        assert err.splitlines()[-1] == "prepare.py: interrupted: stopped by Ctrl-C"
        assert "Traceback" not in err
    prepare("--n", 60, "--output", folder, *SMALL)
    resumed = open_cubes(folder)
    assert np.array_equal(resumed.cubes, whole.cubes)
    assert np.array_equal(resumed.parameters, whole.parameters)


def test_other_settings_are_refused_in_one_line(whole, refused):
    said = refused("--n", 60, "--output", whole.folder, *SMALL, "--clumps", 1)
    assert "holds another set (settings.model.clumps: 0, not 1)" in said
    assert "seed: 1, not 2" in refused("--n", 60, "--output", whole.folder, *SMALL[:-1], 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--output is missing: give it"),
        (["--output", "a", "--n", "0"], "invalid value: '0' (expected an integer from 1 to"),
        (["--output", "a", "--workers", "0"], "expected an integer from 1 to 1024"),
        (["--output", "a", "--inclination", "95"], "inclination is 95 deg; expected a number from"),
        (["--output", "a", "--range", "inclination", "20", "95"], "inclination is 95 deg"),
        (
            ["--output", "a", "--range", "inclination", "20", "x"],
            "inclination: invalid value: 'x'",
        ),
        (["--output", "a", "--range", "inclination", "60", "20"], "expected the lower end first"),
        (["--output", "a", "--range", "boz", "1", "2"], "no parameter 'boz'"),
        (["--output", "a", "--flux", "1", "--range", "flux", "1", "2"], "flux is given twice"),
        (["--output", "a", "--accuracy", "1"], "expected a number from 1e-07 to 0.03"),
        (["--output", "a", "--line", "oii", "--redshift", "5"], "outside the range of muse_wfm"),
        (["--output", "a", "--instrument", "muze"], "no spectrograph 'muze'"),
        (["--output", "a", "--check"], "a holds no set of cubes"),
    ],
)
def test_wrong_lines(refused, words, said):
    assert said in refused(*words)


def test_the_program_at_the_top(tmp_path):
    done = subprocess.run(
        [sys.executable, str(PREPARE), "cubes", "--help"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--n N" in done.stdout
