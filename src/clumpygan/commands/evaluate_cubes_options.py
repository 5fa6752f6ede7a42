"""The flags of evaluate.py cubes: what they mean, with units and defaults."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from clumpygan.commands.flag_types import LARGEST_SEED, integer
from clumpygan.errors import InputError

_CUBES = """\
Compare generated velocity cubes with held-out true ones in every way, and write a report that can
be read offline: one HTML page, its pictures beside it, and blind.png, a page of generated and true
galaxies shuffled, whose key is in blind_key.txt.

Sets
  reference        held-out true galaxies; all others are compared with them
  held-out truth   others of the same population: the floor, what equal distributions give
  NAME             of --checkpoint (and --opponent), for the parameters of the held-out truth
  smooth disks     of these parameters: no clumps, arms, lopsidedness, warp or turbulence
Tests
  realism: cross-validated accuracy of convolutional networks and boosted trees that see whole
  cubes, flux maps or velocity residuals, as they depart from the smooth disk of the same
  parameters (0.5 is indistinguishable); Frechet distance; Kolmogorov-Smirnov distances
  clumps: number, light, size; motions: v/sigma, kinematic asymmetries, residuals
  obedience: disks are fitted to generated and to true cubes of the same parameters and noise, and
  to those of other true galaxies of these parameters
  diversity: how galaxies of the same parameters differ; copies of training galaxies"""

_EPILOG = """\
examples:
  %(prog)s --checkpoint cube_gan --output report
  %(prog)s --opponent cube_gan_conv3d --n 500 --fits 100 --metrics cubes.json --output report"""

NO_OPPONENT = "none"


def add_cubes(subparsers: Any) -> ArgumentParser:
    """Add the subcommand and all its flags; return its parser."""
    parser: ArgumentParser = subparsers.add_parser(
        "cubes",
        help="generated velocity cubes beside true ones: realism, clumps, obedience, kinematics",
        description=_CUBES,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    group = parser.add_argument_group("galaxies")
    # fmt: off
    group.add_argument("--checkpoint", default="cube_gan", metavar="NAME",
                       help="generator: a shipped name or the path of a .safetensors file (default:"
                       " %(default)s)")
    group.add_argument("--opponent", default=NO_OPPONENT, metavar="NAME",
                       help="another generator, trained on the same data (default: %(default)s)")
    group.add_argument("--root", type=Path, metavar="FOLDER",
                       help="real cubes, as the generator was trained on (data=muse): its held-out"
                       " ones are compared with, as they were observed (default: rendered ones)")
    group.add_argument("--table", type=Path, metavar="FILE",
                       help="of their parameters (default: results.ecsv in the folder)")
    group.add_argument("--n", type=integer(20, 10**5), default=500, metavar="N",
                       help="galaxies of each set, at least 20, or as many real ones as there are"
                       " (default: %(default)s)")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), default=11, metavar="N",
                       help="of generator and tests (default: %(default)s)")
    group.add_argument("--cache", type=Path, default=Path("cache"), metavar="FOLDER",
                       help="where samples are rendered that aren't there yet (default:"
                       " %(default)s)")
    group.add_argument("--train-size", type=integer(0, 10**6), default=2000, metavar="N",
                       help="training galaxies searched for copies; 0 leaves it out (default:"
                       " %(default)s)")
    group = parser.add_argument_group("output and effort")
    group.add_argument("--output", type=Path, default=Path("cubes_report"), metavar="FOLDER",
                       help="of the report, index.html and its pictures (default: %(default)s)")
    group.add_argument("--metrics", type=Path, metavar="FILE",
                       help="all numbers with their errors, definitions and settings as JSON")
    group.add_argument("--fits", type=integer(0, 10**5), default=100, metavar="N",
                       help="galaxies of each set that are fitted, a third of a second each; 0"
                       " leaves it out (default: %(default)s)")
    group.add_argument("--groups", type=integer(0, 1000), default=16, metavar="N",
                       help="parameters of which several galaxies are made, for their diversity; 0"
                       " leaves it out (default: %(default)s)")
    group.add_argument("--epochs", type=integer(0, 1000), default=16, metavar="N",
                       help="times the networks among the classifiers see the cubes; 0 leaves them"
                       " out (default: %(default)s)")
    group.add_argument("--workers", type=integer(1, 256), default=min(os.cpu_count() or 1, 4),
                       metavar="N", help="processes of the fits (default: the number of cores, at"
                       " most 4: %(default)s)")
    group.add_argument("--device", default="cpu", metavar="NAME",
                       help="of generators and classifiers: cpu, cuda (default: %(default)s)")
    # fmt: on
    return parser


def check_cubes(options: Namespace) -> None:
    """Refuse flags that don't go together, and outputs that can't be written.

    Raises
    ------
    InputError
        If --output is a file or its parent doesn't exist, more is fitted than there is, both
        generators are the same.
    """
    from clumpygan.commands.output_files import check_folder, check_outputs

    check_folder("--output", options.output)
    check_outputs([("--metrics", options.metrics, ())])
    if options.opponent == options.checkpoint:
        raise InputError(f"--opponent {options.opponent}: is --checkpoint; expected another one")
    for flag in ("fits", "groups"):
        if getattr(options, flag) > options.n:
            raise InputError(
                f"--{flag} {getattr(options, flag)}: there are {options.n} galaxies; expected as "
                "many or fewer, or a larger --n"
            )
    if options.table is not None and options.root is None:
        raise InputError("--table goes with --root: give the folder of the cubes or leave it out")
    if 0 < options.fits < 3:
        raise InputError(f"--fits {options.fits}: expected 3 or more, or 0 for none")
