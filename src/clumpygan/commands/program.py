"""What all programs have in common: one line for what is wrong with the input, and exit code 2."""

import difflib
import functools
import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

from clumpygan.errors import InputError, InputWarning

BAD_INPUT = 2
INTERRUPTED = 130
_BROKEN_PIPE = 141


class Parser(ArgumentParser):
    """An `ArgumentParser` whose complaint is one line, without the usage; flags in full only.

    Attributes
    ----------
    listed : str
        Flags that the complaint of an unknown one lists; none if empty.
    """

    listed = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=kwargs.pop("allow_abbrev", False), **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; of a parser with a list of flags, an unknown one is refused here."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self.listed:
            self.error(f"unrecognized arguments: {' '.join(unknown)}; {self.listed}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print `message` in one line and exit with code 2."""
        _complain(self.prog, "error", f"{message} (--help explains the flags)")
        self.exit(BAD_INPUT)


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Turn what a user can do wrong into one line on standard error and an exit code.

    `InputError`, the errors of Hydra and of the operating system (a file that can't be read, a
    full disk) exit with code 2; Ctrl-C with 130. An `InputWarning` becomes one line, and work goes
    on. Anything else is a mistake of ours and keeps its traceback.

    Parameters
    ----------
    program : str
        How the program is called, the first word of the line.

    Raises
    ------
    SystemExit
        Instead of any of these.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("default", InputWarning)
        warnings.showwarning = functools.partial(_show, program, warnings.showwarning)
        try:
            yield
        except InputError as problem:
            _give_up(program, problem)
        except KeyboardInterrupt:
            _complain(program, "interrupted", "stopped by Ctrl-C")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone (`| head`): nobody is left to tell. What is still
            # in the buffer goes nowhere, or Python complains at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(_BROKEN_PIPE)
        except Exception as problem:
            if _is_of_hydra(problem):
                _give_up(program, _reason_of_hydra(problem))
            if not isinstance(problem, OSError):
                raise
            _give_up(program, problem)


def check_device(name: str) -> None:
    """Refuse a device that this machine lacks or that can't do the work.

    Raises
    ------
    InputError
        If it isn't a CPU or CUDA device, or there is none of that name.
    """
    import torch

    try:
        kind = torch.zeros(1, device=name).device.type
    except (RuntimeError, AssertionError) as problem:
        reason = " ".join(str(problem).split())[:100]
        raise InputError(
            f"--device {name}: not available here ({reason}); expected cpu, or cuda with a GPU"
        ) from problem
    if kind not in ("cpu", "cuda"):
        # Frequencies are kept in double precision, which Apple's GPUs, for one, don't have.
        raise InputError(f"--device {name}: expected cpu or cuda; others lack double precision")


def run_program(
    body: Callable[[Namespace], object],
    parser: ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the command line and run the program, with `one_line_errors`.

    Parameters
    ----------
    body : callable
        The program; gets the parsed flags.
    parser : argparse.ArgumentParser
        Best a `Parser`; its `prog` is the name in messages.
    arguments : sequence of str, optional
        The command line without the program's name; the default is this process's own.

    Raises
    ------
    SystemExit
        With code 2 for bad input, 130 for Ctrl-C, 0 for --help.
    """
    with one_line_errors(parser.prog):
        body(parser.parse_args(arguments))


def run_hydra(
    task: Callable[[Any], object], program: str, config_folder: Path, config_name: str
) -> None:
    """Compose the configuration by the command line with Hydra and run `task` on it.

    Parameters
    ----------
    task : callable
        Gets the `DictConfig`; its return value goes to Hydra's sweepers.
    program : str
        The name in messages.
    config_folder : pathlib.Path
        Where the configurations lie.
    config_name : str
        The primary configuration.

    Raises
    ------
    SystemExit
        With code 2 for bad input, an unknown override among them; 130 for Ctrl-C.
    """
    import hydra

    # Without this Hydra prints errors in its own way, in many lines, and exits with code 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    @hydra.main(
        version_base="1.3", config_path=str(config_folder.resolve()), config_name=config_name
    )
    @functools.wraps(task)
    def job(config: Any) -> object:
        # Here too: an exception that leaves the job is preceded by a line of Hydra's.
        with one_line_errors(program):
            return task(config)

    with one_line_errors(program):
        job()


def _show(
    program: str,
    otherwise: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning: ours in one line, all others as they were shown before."""
    if issubclass(category, InputWarning):
        _complain(program, "warning", message)
    else:
        otherwise(message, category, filename, lineno, file, line)


def _is_of_hydra(problem: Exception) -> bool:
    """Whether Hydra or OmegaConf refuse the configuration, or a launcher has lost a job."""
    modules = {kind.__module__.partition(".")[0] for kind in type(problem).__mro__}
    return bool(modules & {"hydra", "omegaconf", "joblib", "submitit"})


def _reason_of_hydra(problem: Any) -> str:
    """Return what is wrong with the configuration, with the choice that may have been meant."""
    missing, options = getattr(problem, "missing_cfg_file", None), getattr(problem, "options", None)
    if missing and options:
        # The list of folders that were searched is of no use here.
        group, _, name = missing.rpartition("/")
        near = difflib.get_close_matches(name, options, 1, 0.5)
        hint = f"did you mean {group}={near[0]}? " if near else ""
        return f"{group}={name}: there is no such choice; {hint}expected {', '.join(options)}"
    cause = problem.__cause__
    known, key = getattr(cause, "parent_node", None), getattr(cause, "key", None)
    if known is not None and isinstance(key, str):
        near = difflib.get_close_matches(key, [str(name) for name in known], 1)
        hint = f"did you mean {near[0]}? " if near else ""
        full = getattr(cause, "full_key", None) or key
        return f"{full}: there is no such setting; {hint}expected {', '.join(map(str, known))}"
    # Hydra's grammar says what is wrong with an override, but not with which.
    override = getattr(problem, "override", None)
    return str(problem) if override is None else f"{override}: {problem}"


def _give_up(program: str, problem: object) -> NoReturn:
    """Say what is wrong and exit with code 2."""
    _complain(program, "error", problem)
    sys.exit(BAD_INPUT)


def _complain(program: str, kind: str, message: object) -> None:
    """Print one line on standard error, whatever line breaks `message` has."""
    print(f"{program}: {kind}: {' '.join(str(message).split())}", file=sys.stderr)
