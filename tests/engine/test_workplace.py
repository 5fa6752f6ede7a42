"""Who works is said in words, and nonsense is refused in one line."""

import subprocess
import sys

import pytest

from clumpygan.engine import Workplace, workplace
from clumpygan.errors import InputError
from clumpygan.fitting.settings import BatchSettings


def test_a_machine_works_on_all_its_cores(monkeypatch):
    monkeypatch.setattr(workplace, "cores", lambda: 6)
    assert Workplace.of() == Workplace.of(None, "local") == Workplace("local", 6)
    assert Workplace.of(2) == Workplace.of(cluster="local:2") == Workplace("local", 2)


def test_a_scheduler_has_an_address():
    assert Workplace.of(cluster="tcp://node7:8786") == Workplace("scheduler", 0, "tcp://node7:8786")
    assert Workplace.of(cluster="tls://10.0.0.1:1").kind == "scheduler"


def test_jobs_of_slurm():
    place = Workplace.of(cluster="slurm:queue=short,workers=64,walltime=01:30:00")
    assert place == Workplace("slurm", 64, "", {"queue": "short", "walltime": "01:30:00"})


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ("boz", "`cluster` is 'boz': expected local:8, slurm:"),
        ("tcp://", "expected local:8"),
        ("tcp://host", "expected local:8"),
        ("http://host:80", "expected local:8"),
        ("local:0", "'0' workers; expected an integer from 1 to"),
        ("local:two", "'two' workers"),
        ("slurm", "workers is missing"),
        ("slurm:queue=short", "workers is missing"),
        ("slurm:workers=4,boz=1", "'boz' isn't one of them; expected slurm: and pairs"),
        ("slurm:workers=4,queue=", "'queue' isn't one of them"),
        ("slurm:workers=-4", "'-4' workers"),
    ],
)
def test_nonsense(cluster, words):
    with pytest.raises(InputError) as refused:
        BatchSettings(cluster=cluster)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_workers_and_a_cluster_are_one_too_many():
    with pytest.raises(InputError, match="`workers` goes without `cluster` local:4"):
        BatchSettings(workers=2, cluster="local:4")


def test_dask_is_imported_when_it_is_used():
    script = (
        "import sys, clumpygan.engine as engine\n"
        "with engine.open_engine(5, 1) as one: assert [*one.map(abs, [-1, 2])] == [1, 2]\n"
        "with engine.open_engine(1, 8) as one: assert [*one.run(abs, [-1])] == [(0, 1)]\n"
        "assert 'distributed' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
