"""`generate.py galaxies`: images of galaxies from a trained network."""

from __future__ import annotations

import json
import secrets
import time
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan.commands.flag_types import LARGEST_SEED, integer, span
from clumpygan.commands.program import check_device
from clumpygan.errors import InputError, InputWarning

if TYPE_CHECKING:
    from astropy.table import Table

    from clumpygan.gan.galaxies import GalaxyGenerator

MOST_GALAXIES = 100_000

DESCRIPTION = """\
Generate images of clumpy galaxies as HST sees them, from a trained network.

Magnitude, redshift and half-light radius of each galaxy are drawn together from published
statistics of CANDELS, within the ranges given; what it looks like, the network draws. The FITS
file holds IMAGES (n, y, x) in nJy per pixel, with the noise of the survey; NOISELESS, the same
galaxies without; and the table GALAXIES with what was asked for. Galaxy i depends on the seed and
i alone."""

EPILOG = """\
examples:
  %(prog)s --n 64 --seed 3 --output galaxies.fits --picture galaxies.png
  %(prog)s --n 1000 --magnitude 21:23 --redshift 0.5:1 --half-light-radius 0.3:2"""

_MAGNITUDES = (18.0, 28.0)
"""Of the galaxies that can be asked for."""

_ATTEMPTS = 200
"""Galaxies drawn, at most, for each one that is wanted."""


def add_galaxies(subparsers: Any) -> ArgumentParser:
    """Add the subcommand and return its parser."""
    parser: ArgumentParser = subparsers.add_parser(
        "galaxies",
        help="images of galaxies, from a trained network",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    # fmt: off
    parser.add_argument("--n", type=integer(1, MOST_GALAXIES), default=64, metavar="N",
                        help="number of galaxies (default: %(default)s)")
    parser.add_argument("--seed", type=integer(0, LARGEST_SEED), metavar="N",
                        help="of everything random (default: drawn at random and printed)")
    parser.add_argument("--output", type=Path, default=Path("galaxies.fits"), metavar="FILE",
                        help="the images, .fits or .fits.gz (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE",
                        help="up to 64 of them in one picture, .png .pdf .svg .jpg"
                        " (default: not drawn)")
    parser.add_argument("--metrics", type=Path, metavar="FILE",
                        help="settings and results as JSON (default: not written)")
    parser.add_argument("--magnitude", type=span(*_MAGNITUDES), metavar="LOW:HIGH",
                        help="range of the F160W AB magnitude (default: what the network has seen,"
                        " 20:26 for dcgan)")
    parser.add_argument("--redshift", type=span(0.1, 8), default=(0.1, 2.0), metavar="LOW:HIGH",
                        help="range of the redshift (default: 0.1:2)")
    parser.add_argument("--half-light-radius", type=span(0.05, 2), default=(0.05, 2.0),
                        metavar="LOW:HIGH", help="range in arcsec (default: 0.05:2)")
    parser.add_argument("--noiseless", action="store_true",
                        help="leave the noise out: IMAGES are the galaxies alone")
    parser.add_argument("--checkpoint", default="dcgan", metavar="NAME",
                        help="name or path of the network (default: %(default)s)")
    parser.add_argument("--device", default="cpu", metavar="NAME",
                        help="cpu or cuda (default: %(default)s)")
    # fmt: on
    parser.set_defaults(run=_galaxies)
    return parser


def _galaxies(options: Namespace) -> None:
    begin = time.perf_counter()
    _check_outputs(options)
    check_device(options.device)
    from tqdm import tqdm

    from clumpygan.gan.galaxies import GalaxyGenerator

    generator = GalaxyGenerator.load(options.checkpoint, options.device)
    low, high = generator.magnitudes
    if options.magnitude is None:
        options.magnitude = (max(low, _MAGNITUDES[0]), min(high, _MAGNITUDES[1]))
    elif options.magnitude[0] < low or options.magnitude[1] > high:
        warnings.warn(
            f"--magnitude {options.magnitude[0]:g}:{options.magnitude[1]:g}: the network has seen "
            f"{low:g}:{high:g} only",
            InputWarning,
            stacklevel=2,
        )
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    print(f"seed {seed}" + ("" if options.seed is not None else ", drawn at random"))
    table = draw_known(options, seed)
    known = {name: table[name] for name in ("flux", "half_light_radius", "redshift")}
    with tqdm(total=options.n, desc="generating", unit="galaxy", disable=None) as bar:
        stamps = generator.stamps(known, seed, progress=bar.update)
    written = _write(options, generator, stamps, table, seed, begin)
    seconds = time.perf_counter() - begin
    print(f"wrote {', '.join(map(str, written))} in {seconds:.1f} s")


def _check_outputs(options: Namespace) -> None:
    from clumpygan.commands.output_files import check_outputs

    check_outputs(
        [
            ("--output", options.output, (".fits", ".fits.gz")),
            ("--picture", options.picture, (".png", ".pdf", ".svg", ".jpg")),
            ("--metrics", options.metrics, ()),
        ]
    )


def draw_known(options: Namespace, seed: int) -> Table:
    """Draw what is asked of each galaxy from the CANDELS population, within the ranges.

    Raises
    ------
    InputError
        If hardly any galaxy is in the ranges.
    """
    import numpy as np
    from astropy.table import vstack

    from clumpygan.galaxies import draw_population

    low, high = options.magnitude
    ranges = {"redshift": options.redshift, "half_light_radius": options.half_light_radius}
    found: list[Table] = []
    missing, first = options.n, 0
    while missing > 0:
        if first >= _ATTEMPTS * options.n + 10_000:
            wanted = ", ".join(f"{name} {a:g}:{b:g}" for name, (a, b) in ranges.items())
            raise InputError(
                f"of {first} galaxies of magnitude {low:g}:{high:g}, {options.n - missing} have "
                f"{wanted}: widen the ranges"
            )
        count = max(2 * missing, 100)
        drawn = draw_population(
            range(first, first + count),
            seed=seed,
            split="generated",
            min_magnitude=low,
            # A single value is a range as narrow as can be.
            max_magnitude=max(high, low + 1e-6),
            max_redshift=max(options.redshift[1], 0.11),
        )
        kept = np.ones(count, bool)
        for name, (least, most) in ranges.items():
            kept &= (drawn[name] >= least) & (drawn[name] <= most)
        found.append(drawn[kept][:missing])
        missing -= len(found[-1])
        first += count
    columns = ("h_magnitude", "flux", "redshift", "half_light_radius")
    return vstack(found, metadata_conflicts="silent")[columns]


def _write(
    options: Namespace,
    generator: GalaxyGenerator,
    stamps: Any,
    table: Table,
    seed: int,
    begin: float,
) -> list[Path]:
    """Write all files, complete, or none; return which."""
    from astropy.io import fits

    from clumpygan import __version__
    from clumpygan.commands.galaxy_picture import draw_galaxies
    from clumpygan.commands.provenance import commit
    from clumpygan.io import atomic_path

    noise = generator.noise
    settings = {
        "seed": seed,
        "checkpoint": options.checkpoint,
        "n": options.n,
        "magnitude": list(options.magnitude),
        "redshift": list(options.redshift),
        "half_light_radius_arcsec": list(options.half_light_radius),
        "pixel_scale_arcsec": noise.pixel_scale,
        "sigma_njy": 0.0 if options.noiseless else noise.sigma,
    }
    images = stamps
    if not options.noiseless:
        images = stamps + generator.sky_noise(len(stamps), seed)
    header = fits.Header()
    header["PIXSCALE"] = (noise.pixel_scale, "arcsec per pixel")
    header["BUNIT"] = "nJy"
    header["ZEROPT"] = (31.4, "AB magnitude of 1 nJy")
    primary = fits.PrimaryHDU()
    primary.header["ORIGIN"] = f"clumpygan {__version__}"
    primary.header["SEED"] = seed
    primary.header["NETWORK"] = (Path(options.checkpoint).name, "checkpoint")
    primary.header["COMMIT"] = commit()
    with_noise = header.copy()
    with_noise["SIGMA"] = (settings["sigma_njy"], "nJy, noise per pixel")
    hdus = [primary, fits.ImageHDU(images, with_noise, name="IMAGES")]
    if not options.noiseless:
        hdus.append(fits.ImageHDU(stamps, header, name="NOISELESS"))
    hdus.append(fits.BinTableHDU(table, name="GALAXIES"))
    with ExitStack() as stack:
        fits.HDUList(hdus).writeto(stack.enter_context(atomic_path(options.output)))
        if options.picture is not None:
            path = stack.enter_context(atomic_path(options.picture))
            draw_galaxies(images / noise.sigma, table, path)
        if options.metrics is not None:
            report = settings | {"seconds": round(time.perf_counter() - begin, 2)}
            path = stack.enter_context(atomic_path(options.metrics))
            path.write_text(json.dumps(report, indent=1) + "\n")
    return [path for path in (options.output, options.picture, options.metrics) if path]
