import pickle
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from clumpygan.commands.program import Parser, one_line_errors, run_hydra, run_program
from clumpygan.errors import InputError, InputWarning


def parser() -> Parser:
    made = Parser(prog="boz.py", description="Finds Boz.")
    made.add_argument("--max-hmag", type=float, default=26.0, help="H magnitude")
    made.add_argument("--output", help="picture")
    return made


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.strip()


def test_good_input_runs_and_returns() -> None:
    seen: list[float] = []
    run_program(lambda options: seen.append(options.max_hmag), parser(), ["--max-hmag", "24"])
    assert seen == [24.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-hmag", "abc"], "argument --max-hmag: invalid float value: 'abc'"),
        (["--max"], "unrecognized arguments: --max"),  # no guessing what a flag may mean
        (["--nope", "1"], "unrecognized arguments: --nope 1"),
        (["--output"], "argument --output: expected one argument"),
    ],
)
def test_wrong_flags(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_program(lambda _: None, parser(), arguments)
    assert stop.value.code == 2
    assert complaint(capsys).startswith(f"boz.py: error: {words}")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_program(lambda _: None, parser(), ["--help"])
    assert stop.value.code == 0
    assert "Finds Boz." in capsys.readouterr().out


def test_bad_input_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: Namespace) -> None:
        raise InputError("a.fits: no such file;\n  expected an image")

    with pytest.raises(SystemExit) as stop:
        run_program(body, parser(), [])
    assert stop.value.code == 2
    assert complaint(capsys) == "boz.py: error: a.fits: no such file; expected an image"


def test_names_that_are_no_text_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_program(print, parser(), ["--output", "a\udcff.png"])
    assert stop.value.code == 2
    said = complaint(capsys)
    assert said == r"boz.py: error: a\udcff.png: isn't text in UTF-8; rename the file"


def test_names_with_line_breaks_and_without_letters_are_one_line_from_python_too() -> None:
    problem = InputError("a\n\r b.csv: has columns x\x00, \ud800y;\n  expected z")
    assert str(problem) == r"a  b.csv: has columns x\x00, \ud800y; expected z"
    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)


def test_the_operating_systems_refusals_are_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: Namespace) -> None:
        raise OSError(28, "No space left on device", "a.png")

    with pytest.raises(SystemExit) as stop:
        run_program(body, parser(), [])
    assert stop.value.code == 2
    assert complaint(capsys) == "boz.py: error: [Errno 28] No space left on device: 'a.png'"


def test_a_job_that_a_launcher_has_lost_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def body(_: Namespace) -> None:
        raise TerminatedWorkerError("a worker was killed:\n out of memory")

    with pytest.raises(SystemExit) as stop:
        run_program(body, parser(), [])
    assert stop.value.code == 2
    assert complaint(capsys) == "boz.py: error: a worker was killed: out of memory"


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    def body(_: Namespace) -> None:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        run_program(body, parser(), [])


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_: Namespace) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        run_program(body, parser(), [])
    assert stop.value.code == 130
    assert complaint(capsys) == "boz.py: interrupted: stopped by Ctrl-C"


def test_our_warnings_are_one_line_and_work_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def body(_: Namespace) -> None:
        warnings.warn("psf.fits: off-centre;\ncentred", InputWarning, stacklevel=1)
        done.append(True)

    run_program(body, parser(), [])
    assert done
    assert complaint(capsys) == "boz.py: warning: psf.fits: off-centre; centred"


def test_other_warnings_are_left_alone() -> None:
    with pytest.warns(FutureWarning, match="theirs"), one_line_errors("boz.py"):
        warnings.warn("theirs", FutureWarning, stacklevel=1)


def test_the_showing_of_warnings_is_restored() -> None:
    before = warnings.showwarning
    with one_line_errors("boz.py"):
        assert warnings.showwarning is not before
    assert warnings.showwarning is before


@pytest.fixture
def hydra_program(tmp_path: Path) -> Path:
    """A program with a configuration of one field and one group."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "boz.yaml").write_text(
        textwrap.dedent("""\
            defaults:
              - _self_
              - model: small
              - override hydra/job_logging: none
              - override hydra/hydra_logging: none
            seed: 0
            hydra: {output_subdir: null, run: {dir: .}}
        """)
    )
    (tmp_path / "conf" / "model" / "small.yaml").write_text("channels: 8\n")
    program = tmp_path / "boz.py"
    program.write_text(
        textwrap.dedent("""\
            import pathlib, signal, os
            from clumpygan.commands.program import run_hydra
            from clumpygan.errors import InputError

            def task(config):
                if config.seed < 0:
                    raise InputError(f"seed {config.seed} is negative; expected 0 or more")
                if config.seed == 99:
                    # A parent in the background leaves its children deaf to Ctrl-C.
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    os.kill(os.getpid(), signal.SIGINT)
                print("seed", config.seed, "channels", config.model.channels)

            run_hydra(task, "boz.py", pathlib.Path(__file__).parent / "conf", "boz")
        """)
    )
    return program


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=program.parent,
    )


def test_hydra_composes_and_runs(hydra_program: Path) -> None:
    done = run(hydra_program, "seed=3", "model.channels=4")
    assert (done.returncode, done.stdout) == (0, "seed 3 channels 4\n"), done.stderr


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("nope=1", "nope"),  # no such field
        ("model=large", "model=large: there is no such choice; expected small"),
        ("model=smal", "did you mean model=small? expected small"),
        ("seed=[1", "seed=[1"),  # not even an override
        ("seed=-1", "seed -1 is negative"),
        ("--nope", "unrecognized arguments: --nope (--help explains"),
        ("--config-name", "argument --config-name/-cn: expected one argument"),
        ("--info=nope", "argument --info/-i: invalid choice"),
    ],
)
def test_hydra_refuses_in_one_line(hydra_program: Path, override: str, word: str) -> None:
    done = run(hydra_program, override)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("boz.py: error: ")
    assert word in done.stderr


def test_ctrl_c_under_hydra(hydra_program: Path) -> None:
    done = run(hydra_program, "seed=99")
    assert done.returncode == 130
    assert done.stderr == "boz.py: interrupted: stopped by Ctrl-C\n"


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    program = tmp_path / "talk.py"
    program.write_text(
        "from clumpygan.commands.program import Parser, run_program\n"
        "def body(_):\n"
        "    for i in range(100000): print('a long line that fills the pipe', i)\n"
        "run_program(body, Parser(prog='talk.py'), [])\n"
    )
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as talk:
        assert talk.stdout is not None
        assert talk.stderr is not None
        talk.stdout.readline()
        talk.stdout.close()
        assert talk.stderr.read() == b""
    assert talk.returncode == 128 + signal.SIGPIPE


def test_hydra_hands_the_configuration_over(
    hydra_program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(hydra_program.parent)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    seen: list[int] = []

    def task(config: Any) -> None:
        seen.append(config.seed + config.model.channels)

    folder = hydra_program.parent / "conf"
    monkeypatch.setattr("sys.argv", ["boz.py", "seed=5"])
    run_hydra(task, "boz.py", folder, "boz")
    assert seen == [13]
    monkeypatch.setattr("sys.argv", ["boz.py", "nope=5"])
    with pytest.raises(SystemExit) as stop:
        run_hydra(task, "boz.py", folder, "boz")
    assert stop.value.code == 2
    assert "nope" in complaint(capsys)
    assert seen == [13]


def test_work_goes_on_when_nobody_reads_what_is_said(tmp_path: Path) -> None:
    program = tmp_path / "boz.py"
    program.write_text(
        textwrap.dedent("""\
            import sys, time
            from pathlib import Path
            from clumpygan.commands.program import Parser, run_program

            def body(options):
                print("first", flush=True)
                time.sleep(0.5)
                for line in range(3):
                    print(line, flush=True)
                Path("picture.png").write_text("whole")

            run_program(body, Parser(prog="boz.py"))
        """)
    )
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=tmp_path,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == "first\n"
        running.stdout.close()
        said = running.stderr.read()
    assert running.returncode == 141
    assert said == ""
    assert (tmp_path / "picture.png").read_text() == "whole"


@pytest.mark.parametrize(
    ("streams", "code", "said"),
    [
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 2, "boz.py: error: [Errno 28] No space left on device: 'standard output'\n"),
        ("2>/dev/full", 0, ""),
        ("--output refused 2>/dev/full", 2, ""),
        ("--output refused 2>&-", 2, ""),
        ("--output refused >&-", 2, "boz.py: error: refused\n"),
    ],
)
def test_work_is_done_without_standard_streams(
    streams: str, code: int, said: str, tmp_path: Path
) -> None:
    program = tmp_path / "boz.py"
    program.write_text(
        textwrap.dedent("""\
            import os, sys
            from contextlib import suppress
            from clumpygan.commands.program import Parser, run_program
            from clumpygan.errors import InputError

            def body(options):
                print("first", flush=True)
                with open("picture.png", "w") as file:
                    with suppress(OSError):
                        os.write(2, b"noise of a library")
                    file.write("whole")
                if options.output:
                    raise InputError(options.output)
                print("last")

            parser = Parser(prog="boz.py")
            parser.add_argument("--output")
            run_program(body, parser)
        """)
    )
    words = f"{sys.executable} boz.py {streams}"
    done = subprocess.run(
        words, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stderr.replace("noise of a library", "") == said
    assert (tmp_path / "picture.png").read_text() == "whole"


def test_a_ctrl_c_within_a_callback_stops_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """Python swallows what is raised there."""

    class Garbage:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def run() -> None:
        Garbage()
        time.sleep(10)
        raise AssertionError("it goes on")

    with pytest.raises(SystemExit) as stopped, one_line_errors("boz.py"):
        run()
    assert stopped.value.code == 130
    assert complaint(capsys) == "boz.py: interrupted: stopped by Ctrl-C"
