import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clumpygan.engine import units
from clumpygan.engine.units import STOPPED, do_unit, stop_units


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let units be begun again after the test."""
    monkeypatch.setattr(units, "_stopping", threading.Event())


@pytest.mark.parametrize("swallowed", [False, True])
def test_a_unit_is_left_in_silence(
    swallowed: bool, stopping: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the interrupt falls into a callback, of which Python says it and goes on."""
    begun = threading.Event()

    def wait(seconds: float) -> None:
        begun.set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.001)

    class Garbage:
        def __del__(self) -> None:
            wait(0.2)

    def work(_: None) -> str:
        if swallowed:
            Garbage()
        wait(20)
        return "went on"

    with ThreadPoolExecutor(1) as pool:
        unit = pool.submit(do_unit, work, None, str(Path.cwd()), {})
        begun.wait()
        stop_units()
        assert unit.result() == STOPPED
    assert capsys.readouterr().err == ""
