"""Downloads of the page: they wait for what runs, and the page doesn't."""

import asyncio
import threading
from pathlib import Path

import pytest

from clumpygan.app.widgets import Download, Status
from clumpygan.app.work import Worker
from clumpygan.errors import InputError
from tests.app.conftest import Content


@pytest.fixture
def status() -> Status:
    return Status()


@pytest.fixture
def download(status: Status, worker: Worker) -> Download:
    download = Download("Download it", status, worker)
    download.offer("new.txt", lambda path: path.write_text("new"))
    return download


def test_a_file_comes_with_what_is_written(
    download: Download, content: Content, status: Status
) -> None:
    status.say("a note that stays", "note")
    assert content(download).read() == b"new"
    assert status.text == "a note that stays"


def test_the_page_goes_on_while_a_download_waits(
    download: Download, status: Status, worker: Worker, loop: asyncio.AbstractEventLoop
) -> None:
    go_on = threading.Event()

    async def click() -> bytes:
        fit = asyncio.create_task(worker.run(go_on.wait, 10))
        await asyncio.sleep(0)
        assert worker.busy
        clicked = asyncio.create_task(download.view.callback())
        await asyncio.sleep(0.01)
        # Other tasks of the loop run, which is how windows stay alive.
        assert not clicked.done()
        assert "new.txt comes as soon as" in status.text
        go_on.set()
        content: bytes = (await clicked).read()
        await fit
        return content

    assert loop.run_until_complete(click()) == b"new"
    assert status.text == ""
    assert not worker.busy


def test_content_never_gets_the_name_of_another_file(
    download: Download, status: Status, worker: Worker, loop: asyncio.AbstractEventLoop
) -> None:
    go_on = threading.Event()

    async def click() -> None:
        fit = asyncio.create_task(worker.run(go_on.wait, 10))
        clicked = asyncio.create_task(download.view.callback())
        await asyncio.sleep(0)
        download.offer("other.txt", lambda path: path.write_text("other"))
        go_on.set()
        await fit
        with pytest.raises(asyncio.CancelledError):
            await clicked

    loop.run_until_complete(click())
    assert "new.txt has changed" in status.text


def test_what_cannot_be_written_is_told_and_nothing_comes(
    download: Download, content: Content, status: Status
) -> None:
    def refuse(path: Path) -> None:
        raise InputError(f"{path.name}: no")

    download.offer("new.txt", refuse)
    with pytest.raises(asyncio.CancelledError):
        content(download)
    assert status.text == "new.txt: no"
