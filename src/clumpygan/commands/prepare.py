"""Prepare data sets, once, to train on: `prepare.py`."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from clumpygan.commands.cube_flags import (
    add_frame_flags,
    add_model_flags,
    add_parameter_flags,
    frame_settings,
    model_of,
)
from clumpygan.commands.flag_types import LARGEST_SEED, integer
from clumpygan.commands.prepare_cutouts import add_cutouts
from clumpygan.commands.prepare_idx import add_idx
from clumpygan.commands.program import Parser, run_program
from clumpygan.data.cube_settings import CubeSettings
from clumpygan.errors import InputError

_MOST_CUBES = 10**9

DESCRIPTION = """\
Prepare a set of velocity cubes of disks whose parameters are drawn from their priors.

The folder gets cubes.npy (n, v, y, x), float32, without noise, which is added when they are served;
parameters.npy (n, P), float64; and card.yaml with the names of the parameters and all settings.
After an interrupt the same command goes on where it was."""

EPILOG = """\
examples:
  %(prog)s --n 10000 --output cubes/ --seed 1
  %(prog)s --n 10000 --output muse/ --instrument muse_wfm --shape 32 32 32 --clumps 4 \\
      --range inclination 20 80 --scale-height 0.05
  %(prog)s --output cubes/ --check"""


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(lambda options: options.run(options), _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="prepare.py",
        description="Prepare data sets, once, to train on.",
        epilog="prepare.py WHAT --help explains its flags",
    )
    subparsers = parser.add_subparsers(metavar="WHAT", required=True)
    cubes = subparsers.add_parser(
        "cubes",
        help="velocity cubes of disks",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    group = cubes.add_argument_group("the set")
    # fmt: off
    group.add_argument("--output", type=Path, required=True, metavar="FOLDER",
                       help="where the set is, or goes")
    group.add_argument("--n", type=integer(1, _MOST_CUBES), default=10_000, metavar="N",
                       help="number of cubes (default: %(default)s)")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), default=0, metavar="N",
                       help="of the parameters (default: %(default)s)")
    group.add_argument("--workers", type=integer(1, 1024), default=os.cpu_count() or 1,
                       metavar="N", help="threads that render (default: all cores, %(default)s)")
    group.add_argument("--check", action="store_true",
                       help="check a set that is there, and write nothing")
    group.add_argument("--range", nargs=3, action="append", default=[],
                       metavar=("NAME", "LOW", "HIGH"), dest="ranges",
                       help="draw a parameter, such as clump_1_fraction too, uniformly from a range"
                       " instead of its prior")
    # fmt: on
    add_frame_flags(cubes, instrument="muse_wfm")
    add_model_flags(cubes)
    add_parameter_flags(cubes, "parameters that are the same in all cubes (else drawn)", "")
    cubes.set_defaults(run=_cubes)
    add_cutouts(subparsers)
    add_idx(subparsers)
    return parser


def _cubes(options: Namespace) -> None:
    begin = time.perf_counter()
    import numpy as np

    from clumpygan.commands.provenance import commit
    from clumpygan.data.cube_check import check_cubes
    from clumpygan.data.cube_store import open_cubes, prepare_cubes

    if options.check:
        found = open_cubes(options.output)
    else:
        settings = _settings(options)
        try:
            found = prepare_cubes(
                options.output,
                settings,
                options.n,
                options.seed,
                workers=options.workers,
                made_by={"commit": commit()},
            )
        except KeyboardInterrupt:
            print("the same command goes on from here", flush=True)
            raise
    check_cubes(found, np.random.default_rng())
    v, y, x = found.settings.frame.shape
    print(
        f"{options.output}: {found.count} cubes of {v} x {y} x {x} with seed {found.seed}, whole "
        f"({time.perf_counter() - begin:.1f} s)"
    )


def _settings(options: Namespace) -> CubeSettings:
    """Return what the flags ask for.

    Raises
    ------
    InputError
        If they contradict each other or a value is out of range.
    """
    model = model_of(options)
    ranges = [(name, value, value) for name, value in options.given.items()]
    for name, *ends in options.ranges:
        name = name.replace("-", "_")
        row = model.table[model.index(name)]
        low, high = (row.check(end) for end in ends)
        ranges.append((name, low, high))
    if not 1e-7 <= options.accuracy <= 0.03:
        raise InputError(f"--accuracy {options.accuracy:g}: expected 1e-7 to 0.03")
    return CubeSettings(frame_settings(options), model, tuple(ranges), options.accuracy)
