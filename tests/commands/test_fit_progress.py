"""Progress of a single fit: one line on a terminal, few in a log."""

import io
import logging

import pytest

from clumpygan.commands import fit_progress
from clumpygan.commands.fit_progress import ProgressLine, shown_progress
from clumpygan.fitting import DiskFitter, SamplerSettings
from clumpygan.fitting.sampling.progress import LOGGER
from tests.fitting.conftest import FRAME, MODEL


class Terminal(io.StringIO):
    def isatty(self):
        return True


def say(stream, monkeypatch, times):
    clock = iter(times)
    monkeypatch.setattr(fit_progress.time, "monotonic", lambda: next(clock))
    line = ProgressLine(stream)
    for number in range(len(times) - 1):
        line.emit(logging.makeLogRecord({"msg": f"step {number}"}))
    line.wipe()
    return stream.getvalue()


def test_a_terminal_shows_the_last_message_alone(monkeypatch):
    shown = say(Terminal(), monkeypatch, [0.0, 0.0, 0.1, 1.0])
    lines = [part.rstrip() for part in shown.split("\r")]
    assert lines == ["", "fitting, 0 s: step 0", "fitting, 1 s: step 2", "", ""]


def test_a_log_has_a_line_now_and_then(monkeypatch):
    shown = say(io.StringIO(), monkeypatch, [0.0, 1.0, 31.0, 40.0, 62.0])
    assert shown == "fitting, 31 s: step 1\nfitting, 62 s: step 3\n"


def test_a_fit_says_where_it_is(mock, capsys, monkeypatch):
    monkeypatch.setattr(fit_progress, "_LOG", 0.0)
    fitter = DiskFitter(MODEL, FRAME, sampler=SamplerSettings(wanted=50))
    with shown_progress(LOGGER):
        fitter.fit(mock.data, mock.sigma**2)
    said = capsys.readouterr().err
    assert "optimum, step 1: log density" in said
    assert "of 50 effective draws" in said
    assert not logging.getLogger(LOGGER).handlers
    with shown_progress(LOGGER, wanted=False):
        assert not logging.getLogger(LOGGER).handlers


@pytest.fixture(scope="module")
def mock():
    from tests.fitting.conftest import make_mock

    return make_mock(seed=3)
