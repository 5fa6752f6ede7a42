"""The thread that works for the page: outcomes, one line for what is wrong, newest requests."""

import asyncio
import logging
import threading
import warnings
from pathlib import Path

import pytest

from clumpygan.app.work import Latest, Outcome, Worker
from clumpygan.errors import InputError, InputWarning


def _refuse(problem: BaseException) -> None:
    raise problem


def test_a_result_comes_back_with_what_was_mended(
    worker: Worker, loop: asyncio.AbstractEventLoop
) -> None:
    def task(value: int) -> int:
        warnings.warn(f"`psf_fwhm` of\n{worker.folder}/ab12/x.fits", InputWarning, stacklevel=1)
        return value + 1

    outcome = loop.run_until_complete(worker.run(task, 1))
    assert outcome == Outcome(2, "", ("psf fwhm of x.fits",))
    assert worker.attempt(task, 2).value == 3


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (InputError("x.fits: `hdu` 3\nisn't there"), "x.fits: hdu 3 isn't there"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (MemoryError(), "too large for the memory"),
    ],
)
def test_what_goes_wrong_is_one_line(problem: Exception, words: str, worker: Worker) -> None:
    outcome = worker.attempt(_refuse, problem)
    assert outcome.value is None
    assert outcome.problem.startswith(words)
    assert "\n" not in outcome.problem


def test_a_mistake_of_ours_is_told_on_the_terminal(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        outcome = worker.attempt(_refuse, KeyError("x"))
    assert "a mistake of the program" in outcome.problem
    assert "KeyError" in caplog.text


def test_the_name_of_the_temporary_folder_is_left_out(worker: Worker) -> None:
    path = worker.folder / "0a1b" / "cube.fits"
    outcome = worker.attempt(_refuse, InputError(f"{path}: truncated"))
    assert outcome.problem == "cube.fits: truncated"


def test_warnings_of_others_go_on(worker: Worker) -> None:
    with pytest.warns(UserWarning, match="other"):
        worker.attempt(lambda: warnings.warn("other", UserWarning, stacklevel=1))


def test_only_the_newest_request_is_worked_on(
    worker: Worker, loop: asyncio.AbstractEventLoop
) -> None:
    seen: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def task(number: int) -> int:
        begun.set()
        assert go_on.wait(10)
        return number

    async def ask() -> None:
        latest = Latest(worker, task, lambda outcome: seen.append(outcome.value or 0))
        first = asyncio.create_task(latest.ask(1))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        for number in (2, 3, 4):
            await latest.ask(number)
        go_on.set()
        await first

    loop.run_until_complete(ask())
    assert seen == [1, 4]


def test_a_worker_ends(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    worker = Worker(tmp_path)
    loop.run_until_complete(worker.run(int))
    worker.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("clumpygan")]
