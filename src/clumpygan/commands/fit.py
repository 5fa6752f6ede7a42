"""Measure disks: from cubes to parameters with error bars: `fit.py`."""

import json
import shlex
import sys
import time
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.commands.program import BAD_INPUT, INTERRUPTED, Parser, run_program, with_flags
from clumpygan.errors import InputError
from clumpygan.fitting.file_settings import FileSettings, LineSettings
from clumpygan.fitting.settings import (
    BatchSettings,
    FitSettings,
    MethodSettings,
    ModelSettings,
    ParameterSettings,
)
from clumpygan.galaxies.disks.disk_table import PARAMETERS
from clumpygan.settings import check, default_of, setting

if TYPE_CHECKING:
    from clumpygan.fitting.batch.outcome import Outcome
    from clumpygan.fitting.batch.run import FitBatch
    from clumpygan.fitting.batch.sources import CubeSource

CRASH = 1

_GROUPS: tuple[tuple[str, type], ...] = (
    ("what comes out", BatchSettings),
    ("the line and the instrument", LineSettings),
    ("the part of the files that is used", FileSettings),
    ("the model", ModelSettings),
    ("the parameters", ParameterSettings),
    ("the fit", MethodSettings),
)
"""Headings of --help, and the settings below them."""

_WIDTH = 98
"""Columns of what --help says of the parameters."""

DESCRIPTION = """\
Fit thick, rotating disks to velocity cubes, with error bars.

Of each cube: a table with the median, 68 % interval and most probable value of every parameter,
chi^2, evidence, diagnostics and all settings; samples of the posterior; model and residual cubes;
a picture. results.ecsv sums up all cubes. Continuum has to be subtracted, before or by
--subtract-continuum, or given to the model by --free continuum."""

EPILOG = """\
examples:
  %(prog)s cube.fits --line Ha --redshift 0.36 --psf-fwhm 0.7 --output result/
  %(prog)s cubes/*.fits --curve arctan --free g1,g2 --method nuts --workers 2 --output results/
  %(prog)s cube.fits --fix inclination=60 --prior maximum_velocity=normal:200:30
  %(prog)s cube.fits --curve arctan,tanh,courteau --output which_curve/
  %(prog)s --set cubes/ --n 100 --signal-to-noise 20 --workers 2 --output mocks/

Every result has a verdict, with reasons and what to try: good; doubtful; no detection, where noise
alone would let a model gain as much; failed, where there is no result. A parameter at the end of
its prior is given as a limit, which spoils nothing. A variance that line-free voxels show to be
wrong is corrected, unless --noise-scale is given.

The exit code is 0 if every cube has a result, whatever its verdict, which is in the tables and the
JSON; 2 if the input of some was bad; 1 after a mistake of ours; 130 after Ctrl-C, which leaves what
is done: the same command goes on from there."""


@dataclass(frozen=True)
class InputSettings:
    """Which cubes are fitted, and where all results go as JSON."""

    cubes: tuple[Path, ...] = setting(
        (), "FITS files", "CUBE", positional=True, heading="the cubes"
    )
    set: Path | None = setting(
        None,
        "fit cubes that prepare.py cubes has made, with noise added",
        "FOLDER",
        heading="the cubes",
    )
    n: int | None = setting(
        None,
        "of the set, the first N cubes",
        "N",
        least=1,
        most=10**9,
        default_words="all",
        heading="the cubes",
    )
    signal_to_noise: float = setting(
        10.0,
        "of the brightest voxel of each cube of the set",
        "RATIO",
        above=0,
        heading="the cubes",
    )
    metrics: Path | None = setting(
        None,
        "all results as JSON too",
        "FILE",
        default_words="not written",
        heading="what comes out",
    )

    def __post_init__(self) -> None:
        check(self)
        if (self.set is None) == (not self.cubes):
            raise InputError(
                "expected cubes, or `set` FOLDER with those of prepare.py cubes: one of them"
            )
        for name in ("n", "signal_to_noise"):
            if self.set is None and getattr(self, name) != default_of(InputSettings, name):
                raise InputError(f"`{name}` goes with `set` FOLDER; leave it out")


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0 for results, 1 for a crash, 2 for bad input, in one line."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    run_program(lambda options: _run(options, given, parser.flags()), parser, given)


def _parser() -> Parser:
    parser = Parser(
        prog="fit.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        usage="%(prog)s (CUBE [CUBE ...] | --set FOLDER) [--output FOLDER] [flags]",
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, InputSettings)
    for heading, kind in _GROUPS:
        add_settings(parser, kind, heading=heading)
    add_config(parser)
    names = ", ".join(f"{row.name} [{row.unit}]" if row.unit else row.name for row in PARAMETERS)
    for group in parser._action_groups:
        if group.title == "the parameters":
            group.description = fill(
                "Free by default: flux, centre, systemic velocity, half-light radius, Sersic "
                "index, inclination, position angle, dispersion, and what the curve, a ring, arms, "
                "clumps, a warp, a radial flow or more lines need; the scale height follows the "
                f"half-light radius; all others have their defaults. Parameters: {names}; "
                "clump_1_fraction, clump_1_x, clump_1_y, "
                "clump_1_radius, clump_1_dispersion, clump_2_...; of more than two lines "
                "line_3_ratio, ...: the flux over that of the second line.",
                _WIDTH,
            )
    return parser


def _run(options: Namespace, arguments: Sequence[str], flags: Mapping[str, str]) -> None:
    begin = time.perf_counter()
    given = settings_from(InputSettings, options)
    settings, batch = settings_from(FitSettings, options), settings_from(BatchSettings, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.commands.output_files import check_outputs
    from clumpygan.fitting.batch.run import FitBatch
    from clumpygan.fitting.batch.summary import report_of
    from clumpygan.io.atomic import atomic_path
    from clumpygan.training.provenance import commit

    check_outputs([("--metrics", given.metrics, ())])
    command = shlex.join(["fit.py", *arguments])
    fits = FitBatch(
        _sources(given, settings, batch.catalog),
        settings,
        batch,
        {"commit": commit(), "command": command},
    )
    if given.metrics is not None and fits.makes(given.metrics):
        raise InputError(
            f"`metrics` {given.metrics} is one of the fits' own files; expected another"
        )
    if fits.outcomes:
        print(f"{len(fits.outcomes)} of {fits.total} are done already", flush=True)
    interrupted = False
    try:
        _fit_all(fits)
    except KeyboardInterrupt:
        interrupted = True
    seconds = round(time.perf_counter() - begin, 1)
    if given.metrics is not None:
        report = report_of(fits.outcomes, command=command, seconds=seconds)
        with atomic_path(given.metrics) as path:
            path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    if interrupted:
        rest = fits.total - len(fits.outcomes)
        print(f"fit.py: interrupted: {rest} of {fits.total} are left; the same command goes on "
              "from here", file=sys.stderr)  # fmt: skip
        sys.exit(INTERRUPTED)
    _tell(batch.output, fits.outcomes, seconds, flags)


def _sources(
    given: InputSettings, settings: FitSettings, catalog: Path | None
) -> "Sequence[CubeSource]":
    """Return what is to be fitted, once the settings are known to go together."""
    if given.set is not None:
        from clumpygan.commands.fit_sets import cubes_of_set

        if catalog is not None:
            raise InputError("`catalog` is about files; a set knows it itself: leave it out")
        return cubes_of_set(given.set, given.n, given.signal_to_noise, settings)
    from clumpygan.fitting.batch.sources import cube_files
    from clumpygan.fitting.fitters import fitters_of

    fitters_of(settings)
    return cube_files(given.cubes, settings, catalog)


def _fit_all(fits: "FitBatch") -> None:
    """Fit what is missing, with a bar of progress, and a line for each of several cubes.

    Of a single cube it is said where its fit is.
    """
    from tqdm import tqdm

    from clumpygan.commands.fit_progress import shown_progress
    from clumpygan.fitting.sampling.progress import LOGGER

    count = len(fits.missing)
    hidden = count == 1 or not sys.stderr.isatty()
    with tqdm(total=count, unit="cube", desc="fitting", disable=hidden) as bar:
        numbers = iter(range(1, count + 1))

        def tell(outcome: "Outcome") -> None:
            bar.update()
            if count > 1:
                bar.write(f"{next(numbers)}/{count} {outcome}", file=sys.stdout)
                sys.stdout.flush()

        with shown_progress(LOGGER, wanted=count == 1):
            fits.run(tell)


def _tell(
    folder: Path, outcomes: "Sequence[Outcome]", seconds: float, flags: Mapping[str, str]
) -> None:
    """Print what came out, and exit with a code that says it too."""
    from clumpygan.fitting.batch.outcome import CRASHED
    from clumpygan.fitting.batch.summary import SUMMARY, closing_words, text_of
    from clumpygan.fitting.goodness.verdict import FAILED

    statuses = {outcome.status for outcome in outcomes}
    for outcome in outcomes:
        if outcome.details:
            print(outcome.details, file=sys.stderr)
    if len(outcomes) == 1:
        (only,) = outcomes
        if only.table is None:
            print(f"fit.py: error: {with_flags(only.messages[0], flags)}", file=sys.stderr)
        else:
            print(f"{only.name}:\n{with_flags(text_of(only.table), flags)}")
            for text in only.messages:
                print(f"fit.py: {only.status}: {with_flags(text, flags)}", file=sys.stderr)
            if only.seconds:
                print(f"wrote {folder / only.name}_* in {seconds} s")
    else:
        words = with_flags(closing_words(outcomes), flags)
        print(f"{folder / SUMMARY}: {words.splitlines()[0]} ({seconds} s)")
        print("\n".join(words.splitlines()[1:]), end="\n" * ("\n" in words), file=sys.stderr)
    if CRASHED in statuses:
        sys.exit(CRASH)
    if FAILED in statuses:
        sys.exit(BAD_INPUT)
