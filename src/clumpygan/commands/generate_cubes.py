"""`generate.py cubes`: velocity cubes of clumpy galaxies from a trained network."""

from __future__ import annotations

import json
import time
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan.commands.flag_types import LARGEST_SEED, integer, number, span
from clumpygan.commands.mock_cube import TYPICAL_FLUX, TYPICAL_SIGNAL_TO_NOISE
from clumpygan.commands.program import check_device
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.cube_conditions import CUBE_CONDITIONS, SEEING
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.galaxies.parameters import PARAMETERS
from clumpygan.instruments.spectrograph_presets import SPECTROGRAPHS

if TYPE_CHECKING:
    from clumpygan.commands.generated_cubes import CubeOrder

MOST_CUBES = 1_000_000

DESCRIPTION = f"""\
Generate velocity cubes of clumpy galaxies of given parameters, from a trained network.

Parameters are drawn uniformly within the ranges given, all others as in the training; the network
draws the clumps, arms, turbulence. Galaxy i depends on the seed and i alone. Fluxes are in 1e-20
erg s-1 cm-2 if there is an instrument ({TYPICAL_FLUX:g} times the prior of the parameter table
without --flux), data in 1e-20 erg s-1 cm-2 Angstrom-1.

One cube is written to --output. Of several, each gets a file of its own, in a folder of the name of
--output without its ending: gal.fits comes with gal/gal_000000.fits, gal/gal_000001.fits, ...; then
gal.fits is the table of their parameters. Each cube holds DATA and STAT (the variance) with their
full world coordinates, so that mpdaf, GalPaK3D and fit.py read it, and the parameters as HIERARCH
CLUMPYGAN cards. An interrupted run goes on with the same command; a larger --n adds cubes."""

EPILOG = """\
examples:
  %(prog)s --n 100 --inclination 40:70 --maximum-velocity 150:250 --snr 8 \\
      --output gal.fits --picture gal.png
  %(prog)s --n 1 --position-angle 30 --shape 48 48 48 --output one.fits
  fit.py gal/*.fits --instrument muse_wfm --line oiii --output fits/"""

PICTURE_SUFFIXES, CUBE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg"), (".fits",)

_PICTURED = 8
"""Galaxies in the picture, at most."""


def add_cubes(subparsers: Any) -> ArgumentParser:
    """Add the subcommand and return its parser."""
    parser: ArgumentParser = subparsers.add_parser(
        "cubes",
        help="velocity cubes of clumpy galaxies, from a trained network",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_outputs(parser.add_argument_group("what comes out"))
    _add_galaxies(parser)
    _add_frame(parser.add_argument_group("the cubes (default: those of the training)"))
    parser.set_defaults(run=_cubes)
    return parser


def _add_outputs(group: Any) -> None:
    # fmt: off
    group.add_argument("--n", type=integer(1, MOST_CUBES), default=16, metavar="N",
                       help="number of galaxies (default: %(default)s)")
    group.add_argument("--output", type=Path, default=Path("galaxies.fits"), metavar="FILE",
                       help="the cube, or the table of several, .fits (default: %(default)s)")
    group.add_argument("--picture", type=Path, metavar="FILE",
                       help="flux, velocity and dispersion of the first few,"
                       f" {' '.join(PICTURE_SUFFIXES)} (default: not drawn)")
    group.add_argument("--metrics", type=Path, metavar="FILE",
                       help="settings and results as JSON (default: not written)")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), metavar="N",
                       help="of everything random (default: drawn at random and printed)")
    group.add_argument("--checkpoint", default="cube_gan", metavar="NAME",
                       help="name or path of the network (default: %(default)s)")
    group.add_argument("--device", default="cpu", metavar="NAME",
                       help="cpu or cuda (default: %(default)s)")
    group.add_argument("--smooth", action="store_true",
                       help="the smooth disks of the same galaxies instead, with the same noise")
    # fmt: on


def _add_galaxies(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the galaxies: a range LOW:HIGH or one number each")
    rows = {row.name: row for row in PARAMETERS}
    for name, condition in CUBE_CONDITIONS.items():
        if name == SEEING:
            what, limits = "FWHM of the PSF", (1e-3, 100.0)
        else:
            what = rows[name].description
            limits = rows[name].minimum, rows[name].maximum
        unit = f" [{condition.unit}]" if condition.unit else ""
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=span(*limits),
            metavar="LOW:HIGH",
            help=f"{what}{unit}".replace("%", "%%"),
        )
    # fmt: off
    group.add_argument("--snr", "--signal-to-noise", type=span(0.01, 1e6),
                       default=(TYPICAL_SIGNAL_TO_NOISE,) * 2, metavar="LOW:HIGH",
                       help="brightest voxel over the noise of a voxel, log-uniform in a range; the"
                       " noise is correlated as in the instrument's cubes (default:"
                       f" {TYPICAL_SIGNAL_TO_NOISE:g})")
    # fmt: on
    group.add_argument("--noiseless", action="store_true", help="no noise, and no variance")
    words = (f"--{n.replace('_', '-')}" + (f" [{c.unit}]" if c.unit else "")
             for n, c in CUBE_CONDITIONS.items())  # fmt: skip
    parser.listed = f"galaxies have {', '.join(words)}, --snr"  # type: ignore[attr-defined]


def _add_frame(group: Any) -> None:
    # fmt: off
    group.add_argument("--shape", nargs=3, type=integer(8, 512), metavar=("V", "Y", "X"),
                       help="channels, rows and columns")
    group.add_argument("--pixel-scale", type=number(0), metavar="ARCSEC", help="width of a pixel")
    group.add_argument("--channel-width", type=number(0), metavar="ANGSTROM",
                       help="width of a channel")
    group.add_argument("--instrument", metavar="NAME",
                       help=f"whose PSF, line spread and noise: {', '.join(SPECTROGRAPHS)}")
    group.add_argument("--line", metavar="NAME", help=f"emission line: {', '.join(LINES)}")
    group.add_argument("--redshift", type=number(-1), metavar="Z",
                       help="of the systemic velocity 0")
    # fmt: on


def _cubes(options: Namespace) -> None:
    begin = time.perf_counter()
    _check_outputs(options)
    check_device(options.device)
    from tqdm import tqdm

    from clumpygan.commands.generated_cubes import CubeOrder
    from clumpygan.gan.cubes import CubeGenerator

    generator = CubeGenerator.load(options.checkpoint, options.device)
    low, high = generator.signal_to_noise
    if not low <= options.snr[0] <= options.snr[1] <= high:
        warnings.warn(
            f"--snr {options.snr[0]:g}:{options.snr[1]:g}: the network has seen {low:g}:{high:g}",
            InputWarning,
            stacklevel=2,
        )
    order = CubeOrder.of(options, generator)
    print(f"seed {order.seed}" + ("" if options.seed is not None else f", {order.seed_from}"))
    missing = order.missing()
    if len(missing) < options.n:
        print(f"{options.n - len(missing)} of {options.n} cubes are there")
    made = time.perf_counter()
    with tqdm(total=len(missing), desc="generating", unit="cube", disable=None) as bar:
        order.make(missing, bar.update)
    seconds = time.perf_counter() - made
    written = _finish(options, order, len(missing), seconds, begin)
    rate = f", {len(missing) / seconds:.1f} cubes/s" if missing else ""
    total = time.perf_counter() - begin
    print(f"wrote {', '.join(map(str, written))} in {total:.1f} s{rate}")


def _check_outputs(options: Namespace) -> None:
    from clumpygan.commands.output_files import check_outputs

    check_outputs(
        [
            ("--output", options.output, CUBE_SUFFIXES),
            ("--picture", options.picture, PICTURE_SUFFIXES),
            ("--metrics", options.metrics, ()),
        ]
    )
    folder = options.output.with_suffix("")
    if options.n > 1 and folder.exists() and not folder.is_dir():
        raise InputError(f"--output {options.output}: its cubes go to {folder}, which is a file")


def _finish(
    options: Namespace, order: CubeOrder, made: int, seconds: float, begin: float
) -> list[Path]:
    """Write table, picture and numbers, complete, or none; return what was written."""
    from clumpygan.io import atomic_path

    written = [options.output] if options.n == 1 else [order.folder, options.output]
    with ExitStack() as stack:
        if options.n > 1:
            order.write_table(stack.enter_context(atomic_path(options.output)))
        if options.picture is not None:
            order.draw(stack.enter_context(atomic_path(options.picture)), _PICTURED)
            written.append(options.picture)
        if options.metrics is not None:
            report = order.settings | {
                "n": options.n,
                "made": made,
                "cubes_per_second": round(made / seconds, 2) if made else None,
                "seconds": round(time.perf_counter() - begin, 2),
            }
            path = stack.enter_context(atomic_path(options.metrics))
            path.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
            written.append(options.metrics)
    return written
