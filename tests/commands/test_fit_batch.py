"""Batches of `fit.py`: skipped, failed, interrupted, in processes; and prepared sets."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from clumpygan.commands.fit import main
from clumpygan.commands.prepare import main as prepare
from clumpygan.fitting.batch import run as fit_batch
from tests.commands.fit_cubes import QUICK, make_cube

FIT = Path(__file__).parents[2] / "fit.py"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    """A tiny cube, made once."""
    return make_cube(tmp_path_factory.mktemp("cube") / "cube.fits")


def fit(*words, output="out"):
    """Run the program; return its exit code."""
    try:
        main([*map(str, words), "--output", output])
    except SystemExit as stopped:
        return stopped.code
    return 0


def make_set(count=3):
    prepare(["cubes", "--n", str(count), "--output", "set", "--instrument", "none", "--shape",
             "12", "12", "12", "--channel-width", "80", "--seeing", "0.6", "--pixel-scale", "0.25",
             "--half-light-radius", "0.6", "--inclination", "55", "--flux", "1", "--seed", "1",
             "--workers", "1", "--bulge-fraction", "0", "--lopsidedness", "0"])  # fmt: skip


def summary(output="out"):
    table = Table.read(f"{output}/results.ecsv")
    table.add_index("name")
    return table


def test_failures_dont_stop_the_rest(folder, cube, capsys):
    shutil.copy(cube, "a.fits")
    Path("b.fits").write_text("no cube")
    shutil.copy(cube, "d.fits")
    assert fit("a.fits", "b.fits", "c.fits", "d.fits", *QUICK) == 2
    said = capsys.readouterr()
    assert "1/4 a: good" in said.out
    assert "2 good, 2 failed" in said.out
    lines = said.err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("  failed: b: b.fits: ")
    assert lines[1].startswith("  failed: c: c.fits: no such file")
    table = summary()
    assert table["status"].tolist() == ["good", "failed", "failed", "good"]
    assert "no such file" in table.loc["c"]["messages"]
    assert np.ma.is_masked(table.loc["b"]["inclination"])
    assert table.loc["a"]["inclination"] == table.loc["d"]["inclination"]


def test_what_is_done_is_skipped(folder, cube, capsys, monkeypatch):
    shutil.copy(cube, "a.fits")
    shutil.copy(cube, "b.fits")
    assert fit("a.fits", *QUICK) == 0
    before = Path("out/a_table.ecsv").stat().st_mtime_ns
    fitted = []
    real = fit_batch.fit_one
    monkeypatch.setattr(
        fit_batch, "fit_one", lambda source, **m: fitted.append(source.name) or real(source, **m)
    )
    assert fit("a.fits", "b.fits", *QUICK) == 0
    assert fitted == ["b"]
    assert Path("out/a_table.ecsv").stat().st_mtime_ns == before
    assert "1 of 2 are done already" in capsys.readouterr().out
    assert summary()["name"].tolist() == ["a", "b"]
    # Again if files are missing, or the data are newer.
    Path("out/a_model.fits").unlink()
    assert fit("a.fits", "b.fits", *QUICK) == 0
    later = time.time() + 10
    os.utime("b.fits", (later, later))
    assert fit("a.fits", "b.fits", *QUICK) == 0
    assert fit("a.fits", *QUICK, "--overwrite") == 0
    assert fitted == ["b", "a", "b", "a"]


def test_rows_of_earlier_commands_stay(folder, cube):
    shutil.copy(cube, "a.fits")
    shutil.copy(cube, "b.fits")
    shutil.copy(cube, "c.fits")
    fit("a.fits", "b.fits", *QUICK, "--no-model-cubes")
    for path in Path("out").glob("b_*"):
        path.unlink()
    fit("c.fits", *QUICK, "--no-model-cubes")
    assert summary()["name"].tolist() == ["a", "c"]
    assert summary()["inclination"].unit == "deg"


def test_a_doubtful_result_is_still_doubtful_when_it_is_skipped(folder, cube, capsys):
    words = [cube, *QUICK, "--velocity-range", "-420", "70"]
    assert fit(*words) == 0
    first = capsys.readouterr()
    assert "fit.py: doubtful: the line runs out of the channels at 35 km/s" in first.err
    assert "\n  doubtful: chi^2 " in first.out
    assert fit(*words) == 0
    assert capsys.readouterr().err == first.err
    assert summary()["status"].tolist() == ["doubtful"]


def test_a_limit_spoils_nothing(folder, cube, capsys):
    assert fit(cube, *QUICK, "--bound", "inclination=20:35") == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "\n  good: chi^2 " in told.out
    table = Table.read("out/cube_table.ecsv")
    (row,) = (row for row in table if row["name"] == "inclination")
    assert row["at_bound"]
    assert row["limit"].startswith("> ")
    assert f"{row['limit']}  (95 %)" in told.out
    remarks = table.meta["remarks"]
    assert remarks[0].endswith("deg (95 %): at the end of its prior isotropic:20:35")
    assert summary()["remarks"].tolist() == ["; ".join(remarks)]


def test_processes_give_the_same_as_one(folder, cube):
    for name in "abc":
        shutil.copy(cube, f"{name}.fits")
    names = ["a.fits", "b.fits", "c.fits", "missing.fits"]
    assert fit(*names, *QUICK, "--workers", 2, output="two") == 2
    assert fit("a.fits", *QUICK, output="one") == 0
    one, two = summary("one"), summary("two")
    assert sorted(two["status"].tolist()) == ["failed", "good", "good", "good"]
    for name in "abc":
        assert two.loc[name]["inclination"] == one.loc["a"]["inclination"]


def test_a_crash_is_listed_with_its_traceback(folder, cube, capsys, monkeypatch):
    shutil.copy(cube, "a.fits")
    shutil.copy(cube, "b.fits")
    real = fit_batch.write_result

    def broken(home, name, *words, **more):
        if name == "a":
            raise ZeroDivisionError("boz")
        return real(home, name, *words, **more)

    monkeypatch.setattr(fit_batch, "write_result", broken)
    assert fit("a.fits", "b.fits", *QUICK) == 1
    said = capsys.readouterr()
    assert "1 good, 1 crashed" in said.out
    assert "Traceback" in said.err
    assert "crashed: a: a.fits: ZeroDivisionError: boz" in said.err
    assert not list(Path("out").glob("a_table*"))


def test_files_of_the_same_name_are_told_apart_by_their_folders(folder, cube):
    for name in "ab":
        Path(name).mkdir()
        shutil.copy(cube, f"{name}/cube.fits")
    assert fit("a/cube.fits", "b/cube.fits", *QUICK, "--no-model-cubes") == 0
    assert summary()["name"].tolist() == ["a_cube", "b_cube"]


def test_ctrl_c_leaves_what_is_done(folder, cube):
    names = [f"{number}.fits" for number in range(40)]
    for name in names:
        shutil.copy(cube, name)
    words = [*names, *map(str, QUICK), "--workers", "2", "--output", "out"]
    process = subprocess.Popen(
        [sys.executable, FIT, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # Where the tests themselves run in the background, children are deaf to it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    told = process.stdout.readline()
    told = process.stdout.readline() if told.startswith("dashboard") else told
    assert "good" in told
    for _ in range(2):
        assert "good" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.count("\n") == 1, errors
    assert "the same command goes on from here" in errors
    done = summary()
    assert 3 <= len(done) < 40
    assert set(done["status"]) == {"good"}
    tables = {path.name.removesuffix("_table.ecsv") for path in Path("out").glob("*_table.ecsv")}
    assert set(done["name"]) <= tables
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_what_differs_from_cube_to_cube(folder, capsys):
    for name, z in (("a", 0.36), ("b", 0.5)):
        make_cube(f"{name}.fits", wavelength=6564.61 * (1 + z))
    Path("cubes.csv").write_text("name,redshift,psf_fwhm,magnitude\nb,0.5,0.6,x\na,0.36,0.6,y\n")
    words = ["a.fits", "b.fits", *QUICK[2:], "--line", "Ha", "--catalog", "cubes.csv"]
    assert fit(*words) == 0
    table = Table.read("out/b_table.ecsv")
    assert table.meta["choices"]["redshift"] == 0.5
    assert np.abs(summary()["systemic_velocity"]).max() < 20
    assert fit(*words) == 0
    assert "2 of 2 are done already" in capsys.readouterr().out
    Path("cubes.csv").write_text("name,redshift,psf_fwhm\nb,0.5,0.7\na,0.36,0.6\n")
    assert fit(*words) == 2
    assert "b_table.ecsv was made with other settings (psf-fwhm 0.6, now 0.7)" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,z\na,1\n", "cubes.csv: has columns name, z; expected name, and any of redshift"),
        ("name,redshift\nb,1\n", "cubes.csv: has no rows of the cube a; expected one"),
        ("name,redshift\na,1\na,2\n", "cubes.csv: has 2 rows of the cube a; expected one"),
        ("name,redshift\na,boz\n", "cubes.csv: redshift of a is 'boz'; expected a number"),
        ("name,ra\na,3\n", "cubes.csv: has one of the columns ra and dec; expected both"),
        ("name,psf_fwhm\na,0.6\n", "--psf-fwhm is given, and cubes.csv has it too"),
        (None, "cubes.csv: no such file; expected a table of cubes"),
    ],
)
def test_catalogues_that_cant_be_used(folder, cube, capsys, text, reason):
    shutil.copy(cube, "a.fits")
    if text is not None:
        Path("cubes.csv").write_text(text)
    assert fit("a.fits", *QUICK, "--catalog", "cubes.csv") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_cubes_of_a_prepared_set(folder, capsys):
    make_set()
    assert fit("--set", "set", "--n", 2, *QUICK[2:], "--signal-to-noise", 20) in (0, 1)
    table = summary()
    assert table["name"].tolist() == ["set_000000", "set_000001"]
    truth = np.load("set/parameters.npy")
    assert table["inclination_truth"].tolist() == [55, 55]
    assert table["flux_truth"].tolist() == truth[:2, 0].tolist()
    pull = (table["maximum_velocity"] - table["maximum_velocity_truth"]) / (
        0.5 * (table["maximum_velocity_upper"] - table["maximum_velocity_lower"])
    )
    assert (np.abs(pull) < 5).all()
    assert fit("--set", "set", *QUICK[2:], "--signal-to-noise", 20) in (0, 1)
    assert "2 of 3 are done already" in capsys.readouterr().out
    model = Table.read("out/set_000002_table.ecsv").meta["settings"]
    assert model["shape"] == [12, 12, 12]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--set", "set", "--n", "4"], "--n 4: set has 3 cubes; ask for fewer"),
        (["--set", "set", "--redshift", "1"], "--redshift is about files; a set knows it itself"),
        (["--set", "set", "--instrument", "muse_wfm"], "--instrument is about files"),
        (["--set", "set", "a.fits"], "expected cubes, or --set FOLDER"),
        (["--set", "nowhere"], "nowhere holds no set of cubes"),
        (["--set", "set", "--fix", "boz=1"], "--fix: no parameter 'boz'"),
    ],
)
def test_bad_input_about_sets(folder, capsys, words, reason):
    make_set()
    capsys.readouterr()
    assert fit(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_results_are_in_the_order_of_the_cubes(folder, cube, monkeypatch):
    """Whichever is ready first: a report doesn't depend on how busy the machine was."""

    class Backwards:
        def run(self, work, items, lost):
            return ((number, work(item)) for number, item in reversed([*enumerate(items)]))

    monkeypatch.setattr(fit_batch, "open_engine", lambda *_: nullcontext(Backwards()))
    for name in "ab":
        shutil.copy(cube, f"{name}.fits")
    assert fit("a.fits", "b.fits", *QUICK, "--metrics", "out.json") == 0
    assert [one["name"] for one in json.loads(Path("out.json").read_text())["cubes"]] == ["a", "b"]
