"""Where work is done: in this process, on the cores of this machine, or on a cluster."""

import os
import re
from dataclasses import dataclass, field
from typing import Any

from clumpygan.errors import InputError
from clumpygan.settings import setting

MOST_WORKERS = 1024

SLURM_KEYS = ("workers", "queue", "account", "memory", "walltime")
"""What can be said of jobs: how many, and what SLURM calls partition, account, mem and time."""

WORKER_MEMORY = "4GB"
"""What a job of SLURM asks for, unless something else is said."""

FORMS = "local:8, slurm:queue=short,workers=64, or the address of a scheduler, tcp://host:8786"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Workplace:
    """Who works.

    Attributes
    ----------
    kind : str
        "local", "slurm", or "scheduler".
    workers : int
        Processes of one thread each; 0 where a scheduler has its own.
    address : str
        Of the scheduler.
    jobs : dict
        What jobs of SLURM ask for.
    """

    kind: str
    workers: int = 0
    address: str = ""
    jobs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, workers: int | None = None, cluster: str | None = None) -> "Workplace":
        """Return the workplace that two settings ask for: this machine, if they are left out.

        Parameters
        ----------
        workers : int, optional
            Processes on this machine; as many as it has cores by default.
        cluster : str, optional
            In place of it: "local:8", "slurm:queue=short,workers=64", "tcp://host:8786".

        Raises
        ------
        InputError
            If both are given, or it is none of these.
        """
        if cluster is None:
            return cls("local", cores() if workers is None else workers)
        if workers is not None:
            raise InputError(
                f"`workers` goes without `cluster` {cluster}, which says how many there are: leave"
                " one of them out"
            )
        kind, _, rest = cluster.partition(":")
        if kind == "local":
            return cls("local", _number(rest, cluster) if rest else cores())
        if kind == "slurm":
            return cls._of_slurm(rest, cluster)
        if re.fullmatch(r"(tcp|tls)://[^\s/]+:\d+", cluster):
            return cls("scheduler", address=cluster)
        raise InputError(f"`cluster` is {cluster!r}: expected {FORMS}")

    @classmethod
    def _of_slurm(cls, text: str, cluster: str) -> "Workplace":
        pairs = [part.partition("=") for part in text.split(",") if part]
        jobs = {name.strip(): value.strip() for name, _, value in pairs}
        wrong = [name for name in jobs if name not in SLURM_KEYS or not jobs[name]]
        if wrong or "workers" not in jobs:
            what = f"{wrong[0]!r} isn't one of them" if wrong else "workers is missing"
            raise InputError(
                f"`cluster` {cluster}: {what}; expected slurm: and pairs as workers=64, of "
                f"{', '.join(SLURM_KEYS)}"
            )
        return cls("slurm", _number(jobs.pop("workers"), cluster), jobs=jobs)


def _number(text: str, cluster: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise InputError(
            f"`cluster` {cluster}: {text!r} workers; expected an integer from 1 to {MOST_WORKERS}"
        )
    return int(text)


def workers_setting(heading: str = "", help: str = "processes of one thread each") -> Any:
    """Return the field of how many processes of this machine work; None: as many as cores."""
    return setting(
        None, f"{help}; 1: this one alone", "N", least=1, most=MOST_WORKERS, heading=heading,
        default_words=f"as many as there are cores, {cores()}",
    )  # fmt: skip


def cluster_setting(heading: str = "") -> Any:
    """Return the field of who works in place of processes of this machine."""
    return setting(
        None, f"who works, by Dask, in place of that: {FORMS}; of SLURM's jobs also account, memory"
        f" ({WORKER_MEMORY} each by default) and walltime", "WHERE", heading=heading,
        default_words="this machine",
    )  # fmt: skip


def check_workplace(settings: Any) -> None:
    """Check the settings `workers` and `cluster`, before any work.

    Raises
    ------
    InputError
        See `Workplace.of`.
    """
    Workplace.of(settings.workers, settings.cluster)
