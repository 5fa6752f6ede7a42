"""What all programs have in common: one line for what is wrong with the input, and exit code 2."""

import difflib
import functools
import logging
import os
import re
import signal
import sys
import warnings
from argparse import SUPPRESS, Action, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

from clumpygan import __version__
from clumpygan.commands.flags import read_config
from clumpygan.commands.streams import lead_nowhere, open_streams, reader_may_leave
from clumpygan.engine.interrupts import interrupts_passed_on
from clumpygan.errors import InputError, InputWarning
from clumpygan.settings import check_device as check_device
from clumpygan.settings import did_you_mean

BAD_INPUT = 2
INTERRUPTED = 130
_BROKEN_PIPE = 141

OUTPUTS = frozenset(
    {
        "output",
        "metrics",
        "fits",
        "picture",
        "regions",
        "widening",
        "probability",
        "spread",
        "population",
        "report",
    }
)
"""Names of the settings that are written; what else is a path is read."""

SHELLS = ("bash", "zsh", "tcsh")
"""For which --completion has words."""

_WEIGHTS = ".safetensors"

_NEGATIVE_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$|-inf$|-nan$", re.IGNORECASE)

_NAMED = re.compile(r"`([\w.]+)`")


class Parser(ArgumentParser):
    """An `ArgumentParser` whose complaint is one line, without the usage; flags in full only.

    It knows --version, and --completion, which prints what a shell needs to complete the flags.

    Attributes
    ----------
    listed : str
        Flags that the complaint of an unknown one lists; none if empty.
    """

    listed = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=kwargs.pop("allow_abbrev", False), **kwargs)
        # Without this "-1e-4" is taken for a flag.
        self._negative_number_matcher = _NEGATIVE_NUMBER
        self.add_argument("--version", action=_Version, help="print the version and exit")
        self.add_argument(
            "--completion", action=_Completion, choices=SHELLS, metavar="SHELL",
            help=f"print the completion of these flags for {', '.join(SHELLS)} and exit",
        )  # fmt: skip

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; an unknown flag is refused here, with the nearest one that there is."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            near = did_you_mean(unknown[0].partition("=")[0], flags)
            listed = f"; {self.listed}" if self.listed else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near}{listed}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Print `message` in one line and exit with code 2."""
        _complain(self.prog, "error", f"{message} (--help explains the flags)")
        self.exit(BAD_INPUT)

    def flags(self) -> dict[str, str]:
        """Return the flag of each setting, those of subcommands included."""
        found = {}
        for action in self._actions:
            if isinstance(action, _SubParsersAction):
                for parser in action.choices.values():
                    found |= parser.flags()
            elif action.option_strings:
                found[action.dest] = action.option_strings[0]
            else:
                found[action.dest] = str(action.metavar or action.dest)
        return found


class _Version(Action):
    """Prints the version, which costs no import of anything else."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest=SUPPRESS, default=SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: ArgumentParser, *_: Any) -> None:
        print(f"clumpygan {__version__}")
        parser.exit()


class _Completion(Action):
    """Prints the completion of a program for a shell, for the name by which it was called."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest=SUPPRESS, default=SUPPRESS, **kwargs)

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        import shtab

        parser.prog = Path(sys.argv[0]).name
        print(shtab.complete(parser, shell=values))
        parser.exit()


@contextmanager
def one_line_errors(program: str, flags: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn what a user can do wrong into one line on standard error and an exit code.

    `InputError`, the errors of Hydra and of the operating system (a file that can't be read, a
    full disk) exit with code 2; Ctrl-C with 130. An `InputWarning` becomes one line, and work goes
    on. Anything else is a mistake of ours and keeps its traceback.

    Parameters
    ----------
    program : str
        How the program is called, the first word of the line.
    flags : mapping, optional
        The flag of each setting: a message that names a setting, in backticks, names its flag.

    Raises
    ------
    SystemExit
        Instead of any of these.
    """
    with warnings.catch_warnings(), interrupts_passed_on(_interrupt):
        warnings.simplefilter("default", InputWarning)
        show = functools.partial(_show, program, flags or {}, warnings.showwarning)
        warnings.showwarning = show
        try:
            yield
        except InputError as problem:
            _give_up(program, with_flags(str(problem), flags or {}))
        except KeyboardInterrupt:
            _complain(program, "interrupted", "stopped by Ctrl-C")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone (`| head`): nobody is left to tell.
            lead_nowhere(sys.stdout)
            sys.exit(_BROKEN_PIPE)
        except Exception as problem:
            if _is_of_hydra(problem):
                _give_up(program, _reason_of_hydra(problem))
            if not isinstance(problem, OSError):
                raise
            _give_up(program, problem)


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


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
    open_streams()
    flags = parser.flags() if isinstance(parser, Parser) else {}
    with one_line_errors(parser.prog, flags):
        _check_words(sys.argv[1:] if arguments is None else arguments)
        options = parser.parse_args(arguments)
        read_config(options, parser)
        with _inputs_kept(options), reader_may_leave(), _told_of_engine():
            body(options)


@contextmanager
def _told_of_engine() -> Iterator[None]:
    """Say what the engine of parallel work has to say, as the address of its dashboard."""
    told = logging.getLogger("clumpygan.engine")
    handler = logging.StreamHandler(sys.stdout)
    told.addHandler(handler)
    before = told.level
    told.setLevel(logging.INFO)
    try:
        yield
    finally:
        told.removeHandler(handler)
        told.setLevel(before)


@contextmanager
def _inputs_kept(options: Namespace) -> Iterator[None]:
    """Let no output of the program replace one of its inputs: all files that flags name.

    Words count too, of which some are files, and networks have their card beside them.
    """
    from clumpygan.io.atomic import protected

    given = {**vars(options).get("_stored", {}), **vars(options)}
    inputs = [
        Path(one)
        for name, value in given.items()
        if name.lstrip("_") not in OUTPUTS
        for one in (value if isinstance(value, tuple | list) else (value,))
        if isinstance(one, Path | str)
    ]
    weights = [
        path.with_name(f"{path.name.removesuffix('.yaml').removesuffix(_WEIGHTS)}{_WEIGHTS}")
        for path in inputs
        if path.name
    ]
    # `Path.is_file` raises where a word is too long to be a name.
    cards = [one.with_suffix(".yaml") for one in weights if os.path.isfile(one)]  # noqa: PTH113
    with protected([*inputs, *weights, *cards]):
        yield


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

    open_streams()
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
        _check_words(sys.argv[1:])
        _check_flags(sys.argv[1:])
        job()


def _check_flags(words: Sequence[str]) -> None:
    """Refuse flags that Hydra doesn't know in one line: its own complaint has the usage before."""
    from hydra._internal.utils import get_args_parser

    def refuse(message: str) -> NoReturn:
        raise InputError(f"{message} (--help explains the flags)")

    parser = get_args_parser()
    parser.error = refuse
    parser.parse_args(list(words))


def _check_words(words: Sequence[str]) -> None:
    """Refuse names of other bytes than text, which tables, cards and pictures can't hold."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InputError(f"{word}: isn't text in UTF-8; rename the file") from None


def with_flags(message: str, flags: Mapping[str, str]) -> str:
    """Return a message with the settings that it names, in backticks, written as flags."""
    return _NAMED.sub(lambda found: flags.get(found[1], found[1]), message)


def _show(
    program: str,
    flags: Mapping[str, str],
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
        _complain(program, "warning", with_flags(str(message), flags))
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
    try:
        print(f"{program}: {kind}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)
    except OSError:  # as of a full disk: the exit code says it all the same
        lead_nowhere(sys.stderr)
