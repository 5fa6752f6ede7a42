"""Generate mock observations of galaxies whose every parameter is known: `generate.py`."""

from __future__ import annotations

import secrets
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from clumpygan.commands.cube_flags import (
    add_frame_flags,
    add_model_flags,
    add_parameter_flags,
    frame_settings,
    model_of,
)
from clumpygan.commands.flag_types import LARGEST_SEED, integer, number
from clumpygan.commands.generate_cubes import add_cubes
from clumpygan.commands.generate_galaxies import add_galaxies
from clumpygan.commands.mock_cube import TYPICAL_FLUX, TYPICAL_SIGNAL_TO_NOISE
from clumpygan.commands.program import Parser, run_program
from clumpygan.errors import InputError

PICTURE_SUFFIXES, CUBE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg"), (".fits", ".fits.gz")

DESCRIPTION = f"""\
Generate the velocity cube of a thick, rotating, clumpy disk, and observe it.

The FITS file holds DATA, with noise also STAT (the variance), their world coordinates, and all
parameters and the seed as HIERARCH CLUMPYGAN cards. Without an instrument, data are flux per
voxel. With one, fluxes are in 1e-20 erg s-1 cm-2, data in 1e-20 erg s-1 cm-2 Angstrom-1, and a
galaxy without --flux has {TYPICAL_FLUX:g} times the flux of the parameter's default or prior."""

EPILOG = """\
examples:
  %(prog)s --inclination 60 --position-angle 130 --maximum-velocity 200 --clumps 6 \\
      --instrument muse_wfm --output disk.fits --picture disk.png
  %(prog)s --random --seed 3 --instrument muse_wfm --line oii --redshift 0.9 --exposure-time 36000
  %(prog)s --curve nfw --scale-height 0 --shape 64 64 64 --noiseless --metrics disk.json"""


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(lambda options: options.run(options), _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="generate.py",
        description="Generate mock observations of galaxies whose every parameter is known.",
        epilog="generate.py cube, cubes or galaxies --help explains the flags of each",
    )
    subparsers = parser.add_subparsers(metavar="WHAT", required=True)
    cube = subparsers.add_parser(
        "cube",
        help="a velocity cube",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_outputs(cube)
    add_frame_flags(cube, instrument="none")
    _add_noise(cube)
    add_model_flags(cube)
    add_parameter_flags(cube, "the galaxy", " (default: {default})")
    cube.set_defaults(run=_cube)
    add_cubes(subparsers)
    add_galaxies(subparsers)
    return parser


def _add_outputs(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("what comes out")
    # fmt: off
    group.add_argument("--output", type=Path, default=Path("cube.fits"), metavar="FILE",
                       help="the cube, .fits or .fits.gz (default: %(default)s)")
    group.add_argument("--picture", type=Path, metavar="FILE",
                       help="maps of flux, velocity and dispersion, a slit, spectrum and channels,"
                       f" {' '.join(PICTURE_SUFFIXES)} (default: not drawn)")
    group.add_argument("--metrics", type=Path, metavar="FILE",
                       help="all parameters, settings and results as JSON (default: not written)")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), metavar="N",
                       help="of clumps, noise and --random (default: drawn at random and printed)")
    group.add_argument("--random", action="store_true",
                       help="draw the galaxy from the priors, but for the parameters given")
    # fmt: on


def _add_noise(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the noise")
    one = group.add_mutually_exclusive_group()
    # fmt: off
    one.add_argument("--signal-to-noise", type=number(0), metavar="RATIO",
                     help="largest of all voxels; with an instrument, noise rises at sky lines and"
                     " neighbours share it as in real cubes (default:"
                     f" {TYPICAL_SIGNAL_TO_NOISE:g} with an instrument)")
    one.add_argument("--exposure-time", type=number(0), metavar="SECONDS",
                     help="as noisy as the instrument is after so long")
    one.add_argument("--noise", type=number(0), metavar="SIGMA",
                     help="standard deviation of every voxel, in the unit of the data")
    one.add_argument("--noiseless", action="store_true",
                     help="no noise, and no variance (the default without an instrument)")
    # fmt: on


def _cube(options: Namespace) -> None:
    begin = time.perf_counter()
    from clumpygan.commands.mock_cube import make_mock
    from clumpygan.commands.mock_output import write_mock
    from clumpygan.commands.output_files import check_outputs

    check_outputs(
        [
            ("--output", options.output, CUBE_SUFFIXES),
            ("--picture", options.picture, PICTURE_SUFFIXES),
            ("--metrics", options.metrics, ()),
        ]
    )
    frame, model = frame_settings(options), model_of(options)
    if options.picture is not None and (frame.shape[0] < 2 or min(frame.shape[1:]) < 3):
        raise InputError(
            f"--picture of a cube of shape {frame.shape}: expected at least 2 channels and 3 x 3 "
            "pixels; leave it out"
        )
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    print(f"seed {seed}" + ("" if options.seed is not None else ", drawn at random"))
    mock = make_mock(options, frame, model, seed)
    print(mock.headline())
    report: dict[str, Any] = mock.report()
    report["seconds"] = round(time.perf_counter() - begin, 2)
    written = write_mock(options, mock, report)
    seconds = time.perf_counter() - begin
    print(f"wrote {', '.join(map(str, written))} in {seconds:.1f} s")
