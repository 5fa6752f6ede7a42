"""Schedulers that somebody else has started, and jobs of SLURM."""

import json
import math
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clumpygan.engine import clusters, open_engine
from clumpygan.errors import InputError
from tests.engine.test_running import draws, gone

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
               "DASK_LOGGING__DISTRIBUTED": "critical"}  # fmt: skip


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with a worker, in processes of their own."""
    folder = tmp_path_factory.mktemp("dask")
    begun = []

    def start(*words):
        words = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        begun.append(subprocess.Popen(words, cwd=folder, env=ENVIRONMENT))

    file = folder / "scheduler.json"
    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    start("worker", "--scheduler-file", str(file), "--nthreads", "2", "--local-directory",
          str(folder))  # fmt: skip
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"]
    for process in reversed(begun):
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def address(scheduler):
    return scheduler


def test_a_scheduler_elsewhere_gives_the_same(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_engine(4, 1) as engine:
        alone = [one for _, one in engine.map(draws, range(4))]
    with open_engine(4, cluster=address) as engine:
        assert [one for _, one in engine.map(draws, range(4))] == alone
        # Relative paths mean there what they mean here.
        assert list(engine.map(os.path.abspath, ["x"])) == [str(tmp_path / "x")]
    # It is still there, and may be brought along.
    with clusters.Client(address) as client, open_engine(2, client=client) as engine:
        assert list(engine.map(math.sqrt, [4, 9])) == [2, 3]


def test_workers_of_another_version(address, monkeypatch):
    monkeypatch.setattr(clusters, "versions", lambda: {"clumpygan": "99.0"})
    with (
        pytest.raises(InputError, match=r"has clumpygan .*, this program 99\.0"),
        open_engine(4, cluster=address),
    ):
        pass


def test_a_scheduler_that_isnt_there(monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECT", 0.5)
    with (
        pytest.raises(InputError, match=r"`cluster` tcp://127.0.0.1:9: no scheduler answers there"),
        open_engine(4, cluster="tcp://127.0.0.1:9"),
    ):
        pass


SBATCH = """#!/bin/sh
for script; do :; done
if grep -q "SBATCH -p full" "$script"; then echo "invalid partition" >&2; exit 1; fi
if [ "$1" = --test-only ]; then exit 0; fi
cp "$script" {folder}/job.sh
sh {folder}/job.sh >{folder}/job.log 2>&1 &
echo $! >>{folder}/jobs
echo "Submitted batch job $!"
"""

SCANCEL = """#!/bin/sh
echo "$@" >>{folder}/cancelled
for job; do kill $job; done
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A SLURM that runs its jobs at once, on this machine."""
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / name
        path.write_text(text.format(folder=tmp_path))
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    return tmp_path


def test_jobs_of_slurm_work(slurm):
    with open_engine(3, cluster="slurm:queue=short,workers=1,memory=2GB") as engine:
        found = list(engine.map(draws, range(3)))
    script = (slurm / "job.sh").read_text()
    assert "#SBATCH -p short" in script
    assert "#SBATCH --mem=2G" in script
    assert len({process for process, _ in found}) == 1
    assert gone({process for process, _ in found})


def test_jobs_that_slurm_refuses(slurm):
    with (
        pytest.raises(InputError, match=r"`cluster` slurm: its jobs are refused \(invalid part"),
        open_engine(3, cluster="slurm:workers=1,queue=full"),
    ):
        pass


def test_without_slurm(monkeypatch, tmp_path):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(InputError, match="`cluster` slurm: there is no sbatch on this machine"),
        open_engine(3, cluster="slurm:workers=1"),
    ):
        pass
