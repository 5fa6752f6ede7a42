"""Fixtures of the tests of the page."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clumpygan.app.disk import Data
from clumpygan.app.files import Files
from clumpygan.app.work import Worker
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.settings import SamplerSettings
from tests.commands.fit_cubes import FWHM
from tests.recovery.examples import without_network

if TYPE_CHECKING:
    from clumpygan.app.widgets import Download

__all__ = ["without_network"]

collect_ignore_glob = [] if find_spec("panel") else ["test_*.py"]


Finish = Callable[[Coroutine[Any, Any, None]], None]
Content = Callable[["Download"], BytesIO]


@pytest.fixture(autouse=True)
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop; Panel would make one for each coroutine that a widget calls, and leave it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    begun = []

    def execute(task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if loop.is_running():
            begun.append(loop.create_task(task()))
        else:
            loop.run_until_complete(task())

    monkeypatch.setattr("param.parameterized.async_executor", execute)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def finish(loop: asyncio.AbstractEventLoop) -> Finish:
    """Return what runs a coroutine, and all that it calls, to the end."""

    def run(coroutine: Coroutine[Any, Any, None]) -> None:
        loop.run_until_complete(coroutine)
        while waiting := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.gather(*waiting))

    return run


@pytest.fixture
def content(loop: asyncio.AbstractEventLoop) -> Content:
    """Return what downloads a file as a click on its button does."""

    def get(download: "Download") -> BytesIO:
        found: BytesIO = loop.run_until_complete(download.view.callback())
        return found

    return get


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    home = tmp_path / "home"
    home.mkdir()
    worker = Worker(home)
    yield worker
    worker.close()


@pytest.fixture
def files(worker: Worker) -> Files:
    return Files(worker.folder, 10**6)


@pytest.fixture
def dropped(tmp_path: Path) -> Callable[[Path, str], dict[str, bytes]]:
    """Return a file as the browser hands it over."""

    def value(path: Path, name: str = "") -> dict[str, bytes]:
        return {name or path.name: path.read_bytes()}

    return value


def with_quick_fitter(data: Data) -> Data:
    """Return data whose posterior is a Gaussian, which takes no time."""
    fitter = DiskFitter(
        data.fitter.model, data.fitter.instrument, psf_fwhm=FWHM,
        sampler=SamplerSettings("laplace"),
    )  # fmt: skip
    return replace(data, fitter=fitter)
