"""Cutouts of galaxies from the mosaics of surveys: `prepare.py cutouts`."""

from __future__ import annotations

import time
from argparse import Action, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan.commands.flag_types import LARGEST_SEED, integer, number
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from clumpygan.data.cutout_settings import CutoutSettings
    from clumpygan.data.cutout_store import CutoutSet

_LARGEST_STAMP = 4096

DESCRIPTION = """\
Cut stamps of the galaxies of a catalogue from survey mosaics, by their positions through the WCS.

The mosaics may be far larger than memory, tile-compressed (.fz), or gzipped (unpacked into $TMPDIR
first); FILE[SCI] or FILE[1] names an extension. Pixels without data (NaN, weight 0, or blocks of
zeros where no weights are given) are masked, and hold noise like that of the set. Stars go, where
the catalogue has a column that tells them (star_flag, CLASS_STAR, use_phot, ...).

The folder gets images.npy (N, band, y, x), float32, nJy per pixel; masks.npy (1: no data, 2:
neighbour); table.fits with position, redshift, H magnitude, half-light radius, background and noise
of each stamp; and card.yaml with all settings, zero points, what was skipped and why, and the
noise. After an interrupt the same command goes on where it was."""

EPILOG = """\
several bands or fields at once: as many catalogues as fields; mosaics, weights and PSFs field by
field, within each field band by band.

examples:
  %(prog)s --mosaic gs_f160w_sci.fits --weight gs_f160w_wht.fits --catalog gs_catalog.fits \\
      --size 64 --max-redshift 2 --max-hmag 26 --output cutouts/gs
  %(prog)s --mosaic gs_f160w.fits gs_f125w.fits uds_f160w.fits uds_f125w.fits \\
      --catalog gs.fits uds.fits --field gs uds --band F160W F125W --mask-neighbours \\
      --output cutouts/both
  %(prog)s --output cutouts/gs --check"""


def add_cutouts(subparsers: Action) -> None:
    """Add `cutouts` to the parser of prepare.py."""
    parser = subparsers.add_parser(
        "cutouts",
        help="stamps of galaxies from survey mosaics",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    # fmt: off
    group = parser.add_argument_group("the files")
    group.add_argument("--mosaic", nargs="+", default=[], metavar="FILE",
                       help="science images, with a WCS")
    group.add_argument("--weight", nargs="+", default=[], metavar="FILE",
                       help="weight maps of the same shape, one for each mosaic; no data where 0")
    group.add_argument("--catalog", nargs="+", default=[], metavar="FILE",
                       help="galaxies (FITS, ECSV, CSV, text), one catalogue for each field")
    group.add_argument("--redshifts", nargs="+", default=[], metavar="FILE",
                       help="catalogues with the redshifts, matched by id, one for each field")
    group.add_argument("--segmentation", nargs="+", default=[], metavar="FILE",
                       help="maps of labels, one for each field: neighbours are masked by them")
    group.add_argument("--psf", nargs="+", default=[], metavar="FILE",
                       help="PSF images to keep with the set: one for each mosaic or each band")
    group.add_argument("--field", nargs="+", default=[], metavar="NAME",
                       help="names of the fields (default: those of the catalogues' files)")
    group.add_argument("--band", nargs="+", default=[], metavar="NAME",
                       help="names of the bands (default: by the headers or file names)")
    group.add_argument("--zero-point", nargs="+", type=number(), default=[], metavar="MAG",
                       help="AB magnitude of one count, for each band (default: by the headers)")
    group.add_argument("--column", action="append", type=_column, default=[], metavar="NAME=COLUMN",
                       help="name in the catalogue of ra, dec, id, redshift, h_magnitude or"
                       " half_light_radius (arcsec), where it isn't found; may be repeated")
    group.add_argument("--flux-zero-point", type=number(), metavar="MAG",
                       help="of fluxes in F160W in the catalogue (default: 25, that of 3D-HST)")
    group.add_argument("--output", type=Path, required=True, metavar="FOLDER",
                       help="where the set is, or goes")
    group.add_argument("--check", action="store_true",
                       help="check a set that is there, and write nothing")
    group = parser.add_argument_group("which galaxies")
    group.add_argument("--max-redshift", type=number(), metavar="Z", help="below (default: all)")
    group.add_argument("--min-redshift", type=number(), metavar="Z")
    group.add_argument("--max-hmag", type=number(), metavar="MAG",
                       help="brighter than in H, AB (default: all)")
    group.add_argument("--min-hmag", type=number(), metavar="MAG")
    group.add_argument("--where", nargs=3, action="append", default=[],
                       metavar=("COLUMN", "LOW", "HIGH"),
                       help="further column of the catalogue, both ends included; may be repeated")
    group.add_argument("--keep-stars", action="store_true",
                       help="keep stars, and what is flagged as bad photometry")
    group = parser.add_argument_group("the stamps")
    group.add_argument("--size", type=integer(8, _LARGEST_STAMP), default=64, metavar="PIXELS",
                       help="of a side (default: %(default)s)")
    group.add_argument("--edge", choices=("skip", "pad"), default="skip",
                       help="skip stamps that stick out of the mosaic, or pad them"
                       " (default: %(default)s)")
    group.add_argument("--max-masked", type=number(), default=0.2, metavar="FRACTION",
                       help="of pixels without data, at most (default: %(default)s)")
    group.add_argument("--mask-neighbours", action="store_true",
                       help="mask sources that aren't connected with the galaxy, as found in the"
                       " stamp")
    group.add_argument("--fill", choices=("noise", "zero"), default="noise",
                       help="what masked pixels hold (default: %(default)s, correlated as measured"
                       " in the set)")
    group.add_argument("--subtract-background", action="store_true",
                       help="subtract the median of each stamp's sky")
    group.add_argument("--seed", type=integer(0, LARGEST_SEED), default=0, metavar="N",
                       help="of the noise in masked pixels (default: %(default)s)")
    # fmt: on
    parser.set_defaults(run=run_cutouts)


def run_cutouts(options: Namespace) -> None:
    """Make a set, or check one; print a line of what it is.

    Raises
    ------
    InputError
        If the flags or the files don't fit each other.
    """
    begin = time.perf_counter()
    from clumpygan.commands.provenance import commit
    from clumpygan.data.cutout_check import check_cutouts
    from clumpygan.data.cutout_extraction import prepare_cutouts
    from clumpygan.data.cutout_store import open_first_band

    if options.check:
        found = open_first_band(options.output)
    else:
        settings = _settings(options)
        try:
            found = prepare_cutouts(options.output, settings, made_by={"commit": commit()})
        except KeyboardInterrupt:
            print("the same command goes on from here", flush=True)
            raise
    check_cutouts(found)
    print(f"{options.output}: {_summary(found)} ({time.perf_counter() - begin:.1f} s)")


def _settings(options: Namespace) -> CutoutSettings:
    from clumpygan.data.cutout_settings import CutoutSettings, Cuts

    _check_ranges(options)
    where = tuple((name, _end(name, low), _end(name, high)) for name, low, high in options.where)
    return CutoutSettings(
        _fields(options),
        bands=tuple(options.band),
        zero_points=tuple(options.zero_point),
        columns=dict(options.column),
        flux_zero_point=options.flux_zero_point,
        cuts=Cuts(
            options.min_redshift,
            options.max_redshift,
            options.min_hmag,
            options.max_hmag,
            where,
            options.keep_stars,
        ),
        size=options.size,
        edge=options.edge,
        max_masked=options.max_masked,
        mask_neighbours=options.mask_neighbours or bool(options.segmentation),
        fill=options.fill,
        subtract_background=options.subtract_background,
        seed=options.seed,
    )


def _fields(options: Namespace) -> tuple[Any, ...]:
    """Share the files out among the fields."""
    from clumpygan.data.cutout_settings import FieldFiles

    catalogs, mosaics = options.catalog, options.mosaic
    if not catalogs or not mosaics:
        raise InputError("expected --mosaic and --catalog, or --check for a set that is there")
    count = len(catalogs)
    if len(mosaics) % count:
        raise InputError(
            f"{len(mosaics)} mosaics for {count} catalogues; expected as many catalogues as "
            "fields, and for each field a mosaic in every band"
        )
    bands = len(mosaics) // count
    psfs = options.psf * count if len(options.psf) == bands != len(mosaics) else options.psf
    for flag, given, expected in (
        ("--weight", options.weight, len(mosaics)),
        ("--psf", psfs, len(mosaics)),
        ("--segmentation", options.segmentation, count),
        ("--redshifts", options.redshifts, count),
        ("--field", options.field, count),
        ("--band", options.band, bands),
        ("--zero-point", options.zero_point, bands),
    ):
        if len(given) not in (0, expected):
            raise InputError(
                f"{flag}: {len(given)} given for {len(mosaics)} mosaics and {count} "
                f"catalogues; expected {expected}"
            )
    names = options.field or [_stem(name) for name in catalogs]
    return tuple(
        FieldFiles(
            names[i],
            catalogs[i],
            *(tuple(of[i * bands : (i + 1) * bands]) for of in (mosaics, options.weight, psfs)),
            *(of[i] if of else None for of in (options.segmentation, options.redshifts)),
        )
        for i in range(count)
    )


def _check_ranges(options: Namespace) -> None:
    for name in ("redshift", "hmag"):
        low, high = getattr(options, f"min_{name}"), getattr(options, f"max_{name}")
        if low is not None and high is not None and not low < high:
            raise InputError(f"--min-{name} {low:g} isn't below --max-{name} {high:g}")
    if not 0 <= options.max_masked <= 1:
        raise InputError(f"--max-masked {options.max_masked:g}: expected a fraction, 0 to 1")


def _end(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--where {name}: {text!r} is no number") from None


def _column(text: str) -> tuple[str, str]:
    name, _, column = text.partition("=")
    known = ("id", "ra", "dec", "redshift", "h_magnitude", "half_light_radius")
    if name not in known or not column:
        raise ArgumentTypeError(
            f"invalid value: {text!r} (expected NAME=COLUMN, NAME one of {', '.join(known)})"
        )
    return name, column


def _stem(name: str) -> str:
    """Return the name of a file without its endings."""
    return Path(name).name.split(".")[0]


def _summary(found: CutoutSet) -> str:
    from clumpygan.data.cutout_plan import told, total

    skipped = total(found.card["skipped"].values())
    galaxies = len(set(found.identifiers))
    return (
        f"{len(found)} stamps of {found.size} x {found.size} in {', '.join(found.bands)}, of "
        f"{galaxies} galaxies in {', '.join(found.fields)}, whole; skipped: {told(skipped)}"
    )
