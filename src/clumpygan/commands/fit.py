"""Measure disks: from cubes to parameters with error bars: `fit.py`."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan import __version__
from clumpygan.commands.fit_flags import (
    add_fit_flags,
    add_galaxy_flags,
    add_input_flags,
    add_observation_flags,
)
from clumpygan.commands.program import BAD_INPUT, INTERRUPTED, Parser, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clumpygan.commands.fit_batch import Outcome

NOT_GOOD = 1

_NOT_OF_THE_FIT = {
    "cubes", "catalog", "set", "n", "output", "picture", "model_cubes", "metrics", "overwrite",
    "workers",
}  # fmt: skip
"""Flags that a result doesn't depend on."""

DESCRIPTION = """\
Fit thick, rotating disks to velocity cubes, with error bars.

Of each cube: a table with the median, 68 % interval and most probable value of every parameter,
chi^2, evidence, diagnostics and all settings; samples of the posterior; model and residual cubes;
a picture. results.ecsv sums up all cubes. Continuum has to be subtracted, before or by
--subtract-continuum, or given to the model by --free continuum."""

EPILOG = """\
examples:
  %(prog)s cube.fits --line Ha --redshift 0.36 --psf-fwhm 0.7 --output result/
  %(prog)s cubes/*.fits --model arctan --free g1,g2 --method nuts --workers 2 --output results/
  %(prog)s cube.fits --fix inclination=60 --prior maximum_velocity=normal:200:30
  %(prog)s cube.fits --model arctan,tanh,courteau --output which_curve/
  %(prog)s --set cubes/ --n 100 --signal-to-noise 20 --workers 2 --output mocks/

The exit code is 0 if all results are to be relied on, 1 if a fit didn't converge or ran into a
bound, 2 if only the input of some was bad, 130 after Ctrl-C, which leaves what is done: the same
command goes on from there."""


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, 1 for a doubtful fit, 2 for bad input, in one line."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    run_program(lambda options: _run(options, parser, given), parser, given)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="fit.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        usage="%(prog)s (CUBE [CUBE ...] | --set FOLDER) [--output FOLDER] [flags]",
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_input_flags(parser)
    add_observation_flags(parser)
    add_galaxy_flags(parser)
    add_fit_flags(parser)
    return parser


def _run(options: Namespace, parser: ArgumentParser, arguments: Sequence[str]) -> None:
    begin = time.perf_counter()
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.commands.fit_batch import fit_all, split_done
    from clumpygan.commands.fit_choices import fitters_of
    from clumpygan.commands.fit_sources import sources_of
    from clumpygan.commands.fit_summary import command_line, report_of, write_summary
    from clumpygan.commands.output_files import check_outputs
    from clumpygan.commands.provenance import commit
    from clumpygan.io import atomic_path

    check_outputs([("--metrics", options.metrics, ())])
    if options.set is None:
        fitters_of(options)
    sources = sources_of(options)
    choices = _choices(options, parser)
    made = _make_folder(options.output)
    outcomes, missing = split_done(options, sources, choices)
    if outcomes:
        print(f"{len(outcomes)} of {len(sources)} are done already", flush=True)
    origin = {
        "clumpygan": __version__,
        "commit": commit(),
        "command": command_line(arguments),
        "choices": choices,
    }
    interrupted = False
    try:
        fit_all(options, missing, origin, outcomes)
    except KeyboardInterrupt:
        interrupted = True
    if len(sources) > 1 or any(outcome.table is not None for outcome in outcomes):
        write_summary(options.output, outcomes, origin["command"])
    elif made and not any(options.output.iterdir()):
        options.output.rmdir()
    seconds = round(time.perf_counter() - begin, 1)
    if options.metrics is not None:
        report = report_of(outcomes, command=origin["command"], seconds=seconds)
        with atomic_path(options.metrics) as path:
            path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    if interrupted:
        rest = len(sources) - len(outcomes)
        print(f"fit.py: interrupted: {rest} of {len(sources)} are left; the same command goes on "
              "from here", file=sys.stderr)  # fmt: skip
        sys.exit(INTERRUPTED)
    _tell(options, outcomes, seconds)


def _tell(options: Namespace, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Print what came out, and exit with a code that says it too."""
    from clumpygan.commands.fit_batch import CRASHED, DOUBTFUL, FAILED
    from clumpygan.commands.fit_summary import SUMMARY, closing_words, text_of

    statuses = {outcome.status for outcome in outcomes}
    for outcome in outcomes:
        if outcome.details:
            print(outcome.details, file=sys.stderr)
    if len(outcomes) == 1:
        (only,) = outcomes
        if only.table is None:
            print(f"fit.py: error: {only.messages[0]}", file=sys.stderr)
        else:
            print(f"{only.name}:\n{text_of(only.table)}")
            for text in only.messages:
                print(f"fit.py: not to be relied on: {text}", file=sys.stderr)
            if only.seconds:
                print(f"wrote {options.output / only.name}_* in {seconds} s")
    else:
        words = closing_words(outcomes)
        print(f"{options.output / SUMMARY}: {words.splitlines()[0]} ({seconds} s)")
        print("\n".join(words.splitlines()[1:]), end="\n" * ("\n" in words), file=sys.stderr)
    if statuses & {DOUBTFUL, CRASHED}:
        sys.exit(NOT_GOOD)
    if FAILED in statuses:
        sys.exit(BAD_INPUT)


def _choices(options: Namespace, parser: ArgumentParser) -> dict[str, Any]:
    """Return the flags that results depend on, where they aren't the default."""
    return {
        name: _plain(value)
        for name, value in sorted(vars(options).items())
        if name not in _NOT_OF_THE_FIT and value != parser.get_default(name)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _make_folder(folder: Path) -> bool:
    """Make a folder unless it is there; return whether it wasn't."""
    from clumpygan.commands.output_files import check_folder

    check_folder("--output", folder)
    missing = not folder.exists()
    folder.mkdir(exist_ok=True)
    return missing
