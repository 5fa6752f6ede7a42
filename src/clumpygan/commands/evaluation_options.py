"""The flags of evaluate: what they mean, with units and defaults."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError

METHODS = ("bicubic", "wiener", "richardson_lucy", "richardson_lucy_disk", "ancestor", "network")
"""What can be compared; the network gives two rows, its best estimate and one sample."""

DEFAULT_METHODS = tuple(name for name in METHODS if name != "richardson_lucy_disk")
"""What is compared unless the user says otherwise."""

PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")

SUPER_RESOLUTION = """\
Recover galaxies whose HST image is known from their HSC view, with every method, and print how
near each comes to the truth, per magnitude bin.

Galaxies
  (default)        held-out synthetic ones, H = 20-26, against their noiseless HST image
  --catalog FILE   real HST stamps, degraded to HSC, against the (noisy) stamp itself
Methods
  bicubic          interpolation
  wiener           Wiener deconvolution with the spectrum of an exponential disk
  richardson_lucy  with a pedestal of 100 sigma, after the number of iterations that is best for
                   the magnitude bin, judged by the truth (an oracle in its favour)
  richardson_lucy_disk  the same, started from a round disk of the observed flux instead of a
                   flat image: it knows what a galaxy looks like (only when asked for)
  ancestor         the three-layer generator of Hemmati et al. 2022, trained on the same galaxies
  network          the trained network: the mean of its samples, with its error map's coverage
  sample           one of its samples (measured along with the network)
  hst              HST's own image with its noise (synthetic galaxies only)
Columns
  PSNR [dB], NRMSE, SSIM of asinh(x / 2 sigma), |dm| and dm [mag] in r = 1", half-light-radius
  error, centroid shift [arcsec], completeness and purity of the clumps outside the nucleus, chi^2
  of the recovered image observed again, distance of the power spectra [dex], coverage of the
  error map. The definitions are in the JSON file and in the docstrings of clumpygan.evaluation."""

EPILOG = """\
examples:
  %(prog)s --n 400 --seed 11 --metrics sr.json
  %(prog)s --n 16 --methods bicubic,wiener,network --picture six.png
  %(prog)s --catalog real_galaxy_catalog.fits --data-root stamps/ --metrics cosmos.json"""


def add_super_resolution(subparsers: Any) -> ArgumentParser:
    """Add the subcommand and all its flags; return its parser."""
    parser = subparsers.add_parser(
        "super_resolution",
        help="the table of recovered HST images: network, ancestor, deconvolutions",
        description=SUPER_RESOLUTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_galaxies(parser.add_argument_group("galaxies"))
    _add_methods(parser.add_argument_group("methods"))
    _add_outputs(parser.add_argument_group("output and running"))
    return parser


def _add_galaxies(group: Any) -> None:
    # fmt: off
    group.add_argument("--n", type=_positive, metavar="N",
                       help="number of galaxies (default: 400; with --catalog: all that pass)")
    group.add_argument("--seed", type=_natural, default=11, metavar="N",
                       help="an integer >= 0 that fixes galaxies, seeing, noise and samples"
                       " (default: %(default)s)")
    group.add_argument("--instrument", default="hsc_wide_i", metavar="NAME",
                       help="ground-based survey whose depth, seeing and Moffat slopes are drawn:"
                       " hsc_wide_g, _r, _i, _z or _y (default: %(default)s, 0.55-0.75 arcsec,"
                       " beta 2.5-4.5, 26.2 mag at 5 sigma in a 2 arcsec aperture)")
    group.add_argument("--catalog", type=Path, metavar="FILE",
                       help="catalogue of real HST stamps (FITS table, GalSim's"
                       " RealGalaxyCatalog included); they are brought to 0.06 arcsec pixels and"
                       " the PSF of F160W (default: synthetic galaxies)")
    group.add_argument("--data-root", type=Path, metavar="FOLDER",
                       help="folder with the stamps of --catalog (default: that of the catalogue)")
    group.add_argument("--max-redshift", type=float, metavar="Z",
                       help="highest redshift taken from --catalog (default: no cut)")
    group.add_argument("--max-hmag", type=float, metavar="MAG",
                       help="faintest AB magnitude taken from --catalog (default: no cut)")
    # fmt: on


def _add_methods(group: Any) -> None:
    # fmt: off
    group.add_argument("--methods", type=_methods, default=DEFAULT_METHODS, metavar="LIST",
                       help="which to compare, separated by commas (default: "
                       f"{','.join(DEFAULT_METHODS)})")
    group.add_argument("--checkpoint", default="super_resolution", metavar="NAME",
                       help="the network: a shipped name or the path of a .safetensors file"
                       " (default: %(default)s)")
    group.add_argument("--ancestor-checkpoint", default="ancestor", metavar="NAME",
                       help="the same for the ancestor (default: %(default)s)")
    group.add_argument("--samples", type=_samples, default=16, metavar="N",
                       help="samples of the network per galaxy, even, at least 2: their mean is"
                       " the best estimate, their spread the error (default: %(default)s)")
    # fmt: on


def _add_outputs(group: Any) -> None:
    # fmt: off
    group.add_argument("--metrics", type=Path, metavar="FILE",
                       help="write the table, its standard errors and all settings as JSON")
    group.add_argument("--picture", "--output", type=Path, metavar="FILE",
                       help="draw six of the galaxies, from bright to faint, as every method sees"
                       f" them ({', '.join(PICTURE_SUFFIXES)})")
    group.add_argument("--device", default="cpu", metavar="NAME",
                       help="torch device: cpu, cuda, cuda:1 (default: %(default)s)")
    group.add_argument("--workers", type=_positive, default=min(os.cpu_count() or 1, 4),
                       metavar="N", help="processes of one thread each; 1 with a GPU"
                       " (default: the number of cores, at most 4: %(default)s)")
    # fmt: on


def check_super_resolution(options: Namespace) -> None:
    """Refuse flags that don't go together.

    Raises
    ------
    InputError
        For a flag of --catalog without it, a suffix of no picture format, or a survey that isn't
        HSC.
    """
    for flag in ("data_root", "max_redshift", "max_hmag"):
        if getattr(options, flag) is not None and options.catalog is None:
            name = flag.replace("_", "-")
            raise InputError(f"--{name} goes with --catalog: give the catalogue or leave it out")
    if options.picture is not None and options.picture.suffix.lower() not in PICTURE_SUFFIXES:
        raise InputError(
            f"--picture {options.picture}: expected a name ending in {', '.join(PICTURE_SUFFIXES)}"
        )
    if not options.instrument.lower().startswith("hsc"):
        raise InputError(
            f"--instrument {options.instrument}: expected a survey from the ground, hsc_wide_g, "
            "hsc_wide_r, hsc_wide_i, hsc_wide_z or hsc_wide_y"
        )


def _natural(text: str) -> int:
    return _integer(text, 0)


def _positive(text: str) -> int:
    return _integer(text, 1)


def _samples(text: str) -> int:
    number = _integer(text, 2)
    if number % 2:
        raise ArgumentTypeError(f"{number} is odd, expected an even number of samples")
    return number


def _integer(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} isn't an integer") from None
    if number < least:
        raise ArgumentTypeError(f"{number} is below {least}")
    return number


def _methods(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        wrong = unknown[0] if unknown else text
        raise ArgumentTypeError(f"no method {wrong!r}, expected some of {','.join(METHODS)}")
    return tuple(name for name in METHODS if name in names)
