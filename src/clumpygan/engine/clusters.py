"""Clusters of Dask: started and closed on this machine and by SLURM, joined elsewhere."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.versions import VersionMismatchWarning

from clumpygan.engine.closing import LeaveUnit
from clumpygan.engine.units import check_versions, versions
from clumpygan.engine.workplace import WORKER_MEMORY, Workplace
from clumpygan.errors import InputError

_log = logging.getLogger("clumpygan.engine")

_CONNECT = 10.0
"""Seconds until a scheduler that doesn't answer isn't there."""

_FIRST_WORKER = 60.0
"""Seconds that a scheduler may be without a worker."""

_FAILURES = 2
"""Times that a unit may lose its worker before it counts as the reason."""

_CONFIG: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": _FAILURES,
    # What a worker was given and hasn't begun isn't blamed if it is lost.
    "distributed.scheduler.worker-saturation": 1.0,
    # A machine that is busy takes its time to start another process in place of a lost one.
    "distributed.deploy.lost-worker-timeout": "300s",
    "distributed.comm.timeouts.connect": f"{_CONNECT:g}s",
    "distributed.worker.profile.enabled": False,
}

_QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}
"""Environment of workers: what goes wrong is said here, in one line."""

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def open_client(place: Workplace, units: int) -> Iterator[Client]:
    """Yield a client of the cluster, which is closed at the end if it was started here.

    Parameters
    ----------
    place : Workplace
    units : int

    Raises
    ------
    InputError
        If there is none, or its workers have other versions.
    """
    in_charge = threading.current_thread() is threading.main_thread()
    environment = dict(os.environ)
    loud = logging.getLogger("distributed").level
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        with dask.config.set(_CONFIG), _interruptible(in_charge), ExitStack() as stack:
            if place.kind == "scheduler":
                client = stack.enter_context(_joined(place.address))
            else:
                with _deaf():
                    cluster = _local(place, units) if place.kind == "local" else _slurm(place)
                    stack.callback(cluster.close)
                client = stack.enter_context(Client(cluster, timeout=_CONNECT))
                client.register_plugin(LeaveUnit())
            if client.dashboard_link:
                _log.info("dashboard of the cluster: %s", client.dashboard_link)
            yield client
    finally:
        logging.getLogger("distributed").setLevel(loud)
        # Dask changes it for its workers, but whatever else is started from here isn't one.
        for name in set(os.environ) - set(environment):
            del os.environ[name]


def check_client(client: Client, named: str) -> None:
    """Check that the workers of a client do what this process would do.

    Parameters
    ----------
    client : Client
    named : str
        What the message calls it.

    Raises
    ------
    InputError
        If there are none within a minute, or they have other versions.
    """
    try:
        client.wait_for_workers(1, timeout=_FIRST_WORKER)
    except TimeoutError:
        raise InputError(
            f"{named}: the scheduler has had no worker for {_FIRST_WORKER:g} s; start some with"
            " dask worker"
        ) from None
    for address, problem in client.run(check_versions, versions(), on_error="return").items():
        if isinstance(problem, InputError):
            raise problem
        if problem is not None:
            raise InputError(
                f"{named}: the worker {address} has no clumpygan of this version; install it there"
            )


def _local(place: Workplace, units: int) -> LocalCluster:
    shown = find_spec("bokeh") is not None
    environment = {"distributed.nanny.pre-spawn-environ": _environment()}
    with dask.config.set(environment), warnings.catch_warnings():
        # A busy machine takes seconds for what else takes none.
        warnings.filterwarnings("ignore", "Creating scratch directories", UserWarning)
        return LocalCluster(
            n_workers=min(place.workers, units),
            threads_per_worker=1,
            memory_limit=0,  # nothing is moved to the disk, nobody is ended for what they hold
            dashboard_address="127.0.0.1:0" if shown else None,
            silence_logs=logging.CRITICAL,
        )


def _slurm(place: Workplace) -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise InputError(
            "`cluster` slurm needs dask-jobqueue: pip install 'clumpygan[cluster]'"
        ) from None
    asked = place.jobs
    cluster = SLURMCluster(
        queue=asked.get("queue"),
        account=asked.get("account"),
        walltime=asked.get("walltime"),
        memory=asked.get("memory", WORKER_MEMORY),
        cores=1,
        processes=1,
        job_script_prologue=[f"export {name}={value}" for name, value in _QUIET.items()],
        scheduler_options={"dashboard_address": ":0"},  # 8787 may be taken
        silence_logs="critical",
    )
    try:
        _try_job(cluster.job_script())
    except BaseException:
        cluster.close()
        raise
    cluster.scale(jobs=place.workers)
    return cluster


def _try_job(script: str) -> None:
    """Refuse jobs that SLURM wouldn't take; Dask would wait for them in silence.

    Raises
    ------
    InputError
        With what SLURM says.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        try:
            tried = subprocess.run(
                ["sbatch", "--test-only", file.name], capture_output=True, text=True, check=False
            )
        except OSError as problem:
            raise InputError(
                "`cluster` slurm: there is no sbatch on this machine; expected one from which jobs"
                " are submitted"
            ) from problem
    if tried.returncode:
        reason = " ".join(tried.stderr.split())[:200]
        raise InputError(f"`cluster` slurm: its jobs are refused ({reason}); expected others")


@contextmanager
def _joined(address: str) -> Iterator[Client]:
    """Yield a client of a scheduler that somebody else has started, and leave it as it is."""
    host, _, port = address.partition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT):
            pass
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # what matters is checked below
            client = Client(address, timeout=_CONNECT)
    except (OSError, TimeoutError, ValueError) as problem:
        raise InputError(
            f"`cluster` {address}: no scheduler answers there; start one with dask scheduler, or"
            " leave the setting out for the cores of this machine"
        ) from problem
    with client:
        check_client(client, f"`cluster` {address}")
        yield client


def _environment() -> dict[str, str]:
    usual: dict[str, str] = dask.config.get("distributed.nanny.pre-spawn-environ")
    return {**usual, **_QUIET}


@contextmanager
def _deaf() -> Iterator[None]:
    """Start threads and processes that Ctrl-C doesn't reach: this one tells them to end."""
    # It would be started by the first process, and let its thread hear the signals again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interruptible(in_charge: bool) -> Iterator[None]:
    """Take SIGTERM for Ctrl-C within the block, so that what was started is closed."""
    if not in_charge:
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        with suppress(TypeError):  # a handler that Python didn't set
            signal.signal(signal.SIGTERM, before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
