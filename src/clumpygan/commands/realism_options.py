"""The flags of evaluate.py realism: what they mean, with units and defaults."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from clumpygan.commands.flag_types import LARGEST_SEED, integer
from clumpygan.errors import InputError

NO_CHECKPOINT = "none"

_REALISM = """\
Compare generated galaxies with held-out real ones in every way, and write a report that can be read
offline: one HTML page, and its pictures beside it.

Sets
  reference        half of the held-out real galaxies; all others are compared with it
  held-out real    the other half: the floor, what equal distributions give
  generated        --generated, or made on the spot by --checkpoint for the galaxies of the floor
  smooth disks     an exponential disk for each galaxy of the floor, without bulge, arms and clumps
  --catalog        real HST stamps of another survey, shown beside them
Tests
  Frechet distance of two dozen features (aperture fluxes, half-light radius, concentration,
  ellipticity, asymmetry, smoothness, Gini, M20, number and light of clumps, power spectrum, noise)
  and of statmorph's; Kolmogorov-Smirnov distance of each feature; MMD; cross-validated accuracy of
  classifiers on features and on pixels (0.5 is indistinguishable); precision and recall; distance
  to the nearest training image (no copying)."""

_EPILOG = """\
examples:
  %(prog)s --real cutouts/gs --generated galaxies.fits --output report
  %(prog)s --n 2000 --metrics realism.json
  %(prog)s --checkpoint none --catalog real_galaxy_catalog.fits --morphology 0 --pixel-epochs 0"""


def add_realism(subparsers: Any) -> ArgumentParser:
    """Add the subcommand and all its flags; return its parser."""
    parser: ArgumentParser = subparsers.add_parser(
        "realism",
        help="generated galaxies beside real ones: distributions, classifiers, copies",
        description=_REALISM,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    _add_sets(parser.add_argument_group("galaxies"))
    _add_effort(parser.add_argument_group("output and effort"))
    return parser


def _add_sets(group: Any) -> None:
    # fmt: off
    group.add_argument("--real", type=Path, metavar="PATH",
                       help="held-out real stamps: a folder of prepare.py cutouts (its test split),"
                       " a folder of FITS stamps, or a FITS cube (default: synthetic CANDELS"
                       " galaxies)")
    group.add_argument("--generated", type=Path, nargs="+", metavar="FILE",
                       help="FITS cubes (n, y, x) in nJy with PIXSCALE (arcsec) and SIGMA (nJy,"
                       " noise per pixel), as generate.py galaxies writes them (default: made on"
                       " the spot)")
    group.add_argument("--checkpoint", default="dcgan", metavar="NAME",
                       help="generator without --generated: a shipped name, the path of a"
                       f" .safetensors file, or {NO_CHECKPOINT} (default: %(default)s)")
    group.add_argument("--catalog", type=Path, metavar="FILE",
                       help="catalogue of other real HST stamps to be shown too, brought to 0.06"
                       " arcsec pixels and the PSF of F160W (GalSim's RealGalaxyCatalog included)")
    group.add_argument("--train", type=Path, metavar="PATH",
                       help="what the generator learnt from, as --real, to look for copies"
                       " (default: the synthetic training sample, or the train split of the"
                       " cutouts)")
    group.add_argument("--train-size", type=integer(0, 10**6), default=20000, metavar="N",
                       help="training images searched for copies; 0 leaves it out (default:"
                       " %(default)s)")
    group.add_argument("--training-seed", type=integer(0, LARGEST_SEED), default=0, metavar="N",
                       help="seed of the training: says which galaxies it learnt from and which it"
                       " held out (default: %(default)s)")
    group.add_argument("--band", metavar="NAME", help="of cutouts in several bands")
    group.add_argument("--n", type=integer(20, 10**6), default=1000, metavar="N",
                       help="most galaxies of each set, at least 20 (default: %(default)s)")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), default=11, metavar="N",
                       help="of synthetic galaxies, noise, generator and tests (default:"
                       " %(default)s)")
    # fmt: on


def _add_effort(group: Any) -> None:
    # fmt: off
    group.add_argument("--output", type=Path, default=Path("realism"), metavar="FOLDER",
                       help="of the report, index.html and its pictures (default: %(default)s)")
    group.add_argument("--metrics", type=Path, metavar="FILE",
                       help="all numbers with their errors and all settings as JSON")
    group.add_argument("--morphology", type=integer(0, 10**6), default=300, metavar="N",
                       help="galaxies of each set that statmorph measures, 0.2 s each; 0 leaves it"
                       " out (default: %(default)s)")
    group.add_argument("--pixel-epochs", type=integer(0, 1000), default=16, metavar="N",
                       help="times the pixel classifier sees its images; 0 leaves it out (default:"
                       " %(default)s)")
    group.add_argument("--workers", type=integer(1, 256), default=min(os.cpu_count() or 1, 4),
                       metavar="N", help="processes of statmorph (default: the number of cores, at"
                       " most 4: %(default)s)")
    group.add_argument("--device", default="cpu", metavar="NAME",
                       help="of generator and pixel classifier: cpu, cuda (default: %(default)s)")
    # fmt: on


def check_realism(options: Namespace) -> None:
    """Refuse flags that don't go together, and outputs that can't be written.

    Raises
    ------
    InputError
        If --output is a file or its parent doesn't exist, --band is given without --real, a
        generated file is named twice.
    """
    from clumpygan.commands.output_files import check_outputs

    folder: Path = options.output
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: is a file; expected a folder for the report")
    if not folder.resolve().parent.is_dir():
        raise InputError(f"--output {folder}: {folder.parent} doesn't exist; make it first")
    check_outputs([("--metrics", options.metrics, ())])
    if options.band is not None and options.real is None:
        raise InputError("--band goes with --real: give the cutouts or leave it out")
    names = [path.name for path in options.generated or ()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"--generated: {twice[0]} is given twice; rename one of the files")
    for flag in ("real", "train", "catalog"):
        path = getattr(options, flag)
        if path is not None and not path.exists():
            raise InputError(f"--{flag} {path}: no such file or folder")
