"""The flags of recover: what they mean, and which of them go together."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from clumpygan.errors import InputError

DESCRIPTION = """\
Recover an HST image of a galaxy from its Subaru HSC view, with a trained super-resolution GAN.

Where the galaxy comes from, one of
  (nothing)        a synthetic clumpy galaxy, drawn at random
  --image FILE     your HST image: it is degraded to HSC, then recovered
  --catalog FILE   a galaxy drawn at random from a catalogue of HST stamps: the same
  --hsc FILE       a real HSC image: recovered as it is
The picture shows the HST image, its HSC view, the recovered image (mean of the samples), one
sample, the error map, the residual in sigma, and a Richardson-Lucy deconvolution to compare."""

EPILOG = """\
examples:
  %(prog)s --output boz.png
  %(prog)s --output a.png --seed 7 --samples 16 --fits a.fits --metrics a.json
  %(prog)s --image hst.fits --psf psf.fits --output b.png
  %(prog)s --catalog cat.fits --data-root stamps/ --max-redshift 2 --max-hmag 26 --output c.png
  %(prog)s --hsc hsc.fits --psf hsc_psf.fits --reference hst.fits --output d.png"""

MAX_REDSHIFT, MAX_MAGNITUDE = 2.0, 26.0
SUFFIXES = (".png", ".pdf", ".svg", ".jpg")

_SOURCES = ("image", "catalog", "hsc")
_BELONGS_TO = {
    "psf": ("image", "hsc"),
    "psf_scale": ("image", "hsc"),
    "pixel_scale": ("image", "hsc"),
    "zero_point": ("image", "hsc"),
    "weight": ("image", "hsc"),
    "hdu": ("image", "hsc"),
    "data_root": ("catalog",),
    "max_redshift": ("synthetic", "catalog"),
    "max_hmag": ("synthetic", "catalog"),
    "instrument": ("image", "catalog"),
    "seeing": ("synthetic", "image", "catalog", "hsc"),
    "depth": ("synthetic", "image", "catalog"),
    "variance": ("hsc",),
    "reference": ("hsc",),
    "reference_psf": ("hsc",),
    "reference_psf_scale": ("hsc",),
    "reference_scale": ("hsc",),
}


def add_flags(parser: ArgumentParser) -> None:
    """Add every flag of recover, with unit and default, to `parser`."""
    _add_outputs(parser)
    _add_galaxy(parser)
    _add_telescope(parser)
    _add_network(parser)


def source_of(options: Namespace) -> str:
    """Return "synthetic", "image", "catalog" or "hsc"."""
    return next((name for name in _SOURCES if getattr(options, name) is not None), "synthetic")


def check_options(options: Namespace) -> None:
    """Refuse flags that contradict each other.

    Raises
    ------
    InputError
        Two sources at once, a flag that means nothing for the source, or a missing companion.
    """
    given = [f"--{name}" for name in _SOURCES if getattr(options, name) is not None]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} name two galaxies; give one of them")
    source = source_of(options)
    for flag, sources in _BELONGS_TO.items():
        if getattr(options, flag) is not None and source not in sources:
            meant = " or ".join("a synthetic galaxy" if s == "synthetic" else f"--{s}"
                                for s in sources)  # fmt: skip
            raise InputError(f"--{flag.replace('_', '-')} goes with {meant}; leave it out")
    if options.reference_psf is not None and options.reference is None:
        raise InputError("--reference-psf is the PSF of --reference; give that too")
    if source == "hsc" and (options.psf is None) == (options.seeing is None):
        raise InputError(
            "--hsc needs its PSF: give --psf FILE, or --seeing ARCSEC for a Moffat one"
        )
    if options.output.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"--output {options.output} is no picture; expected a name in {', '.join(SUFFIXES)}"
        )


def _add_outputs(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("what comes out")
    group.add_argument(
        "--output",
        type=Path,
        default=Path("recovered.png"),
        metavar="PICTURE",
        help=f"the picture; {', '.join(SUFFIXES)} (default: %(default)s)",
    )
    group.add_argument(
        "--fits",
        type=Path,
        metavar="FILE",
        help="all images as extensions of one FITS file, with WCS where it is known"
        " (default: not written)",
    )
    group.add_argument(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="all measurements as JSON (default: not written)",
    )
    group.add_argument("--seed", type=_integer(0), metavar="N",
                       help="an integer >= 0 that fixes galaxy, noise and samples"
                       " (default: drawn at random and printed)")  # fmt: skip


def _add_galaxy(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("which galaxy")
    group.add_argument(
        "--image", type=Path, metavar="FILE", help='HST image (FITS), pixels of 0.06" or finer'
    )
    group.add_argument(
        "--catalog",
        type=Path,
        metavar="FILE",
        help="catalogue of HST stamps (FITS table; also GalSim's RealGalaxyCatalog)",
    )
    group.add_argument(
        "--data-root",
        type=Path,
        metavar="FOLDER",
        help="where the stamps of --catalog lie (default: beside it)",
    )
    group.add_argument(
        "--max-redshift",
        type=_number(0),
        metavar="Z",
        help=f"largest redshift to draw (default: {MAX_REDSHIFT:g})",
    )
    group.add_argument(
        "--max-hmag",
        type=_number(),
        metavar="MAG",
        help="faintest H magnitude to draw, AB; for --catalog in the catalogue's"
        f" own band (default: {MAX_MAGNITUDE:g})",
    )
    group.add_argument(
        "--hsc",
        type=Path,
        metavar="FILE",
        help='real HSC image (FITS), pixels of 0.168"; may be a stack of bands',
    )
    group.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="HST image of the field of --hsc, registered to it and compared",
    )
    group.add_argument(
        "--hdu",
        type=_hdu,
        metavar="HDU",
        help="number or name of the FITS extension of --image or --hsc (default: the first image)",
    )
    group.add_argument(
        "--weight",
        type=Path,
        metavar="FILE",
        help="weight map of --image or --hsc: 0 where there are no data",
    )
    group.add_argument("--variance", type=Path, metavar="FILE",
                       help="variance map of --hsc in its own units squared"
                       " (default: the noise is estimated from the image)")  # fmt: skip


def _add_telescope(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("how it was or is observed")
    group.add_argument(
        "--psf",
        type=Path,
        metavar="FILE",
        help="PSF of --image or --hsc as a FITS image, pixel response included"
        " (default for --image: the instrument's)",
    )
    group.add_argument(
        "--psf-scale",
        type=_number(0),
        metavar="ARCSEC",
        help="pixel scale of --psf (default: its header's, else the image's)",
    )
    group.add_argument(
        "--pixel-scale",
        type=_number(0),
        metavar="ARCSEC",
        help="pixel scale of --image or --hsc (default: its WCS)",
    )
    group.add_argument(
        "--zero-point",
        type=_number(),
        metavar="MAG",
        help="AB magnitude of one count of --image or --hsc"
        " (default: the header's; without any, fluxes stay in counts)",
    )
    group.add_argument(
        "--instrument",
        metavar="NAME",
        help="HST camera of --image or --catalog, such as hst_wfc3_f160w or"
        " hst_acs_f814w_30mas (default: by the pixel scale)",
    )
    group.add_argument(
        "--band",
        "--hsc-plane",
        choices="grizy",
        default="i",
        help="HSC band: of the simulated view, or the plane of a grizy stack"
        " in --hsc and --psf (default: %(default)s)",
    )
    group.add_argument(
        "--seeing",
        type=_number(0),
        metavar="ARCSEC",
        help="FWHM of the HSC PSF: of the simulated view (default: the band's median,"
        " 0.6 in i), or of --hsc where it has no --psf",
    )
    group.add_argument(
        "--depth",
        type=_number(),
        metavar="MAG",
        help='AB magnitude of 5 sigma in a 2" aperture of the simulated view'
        " (default: HSC-Wide's, 26.2 in i)",
    )
    group.add_argument(
        "--reference-psf",
        type=Path,
        metavar="FILE",
        help="PSF of --reference (default: the HST camera's)",
    )
    group.add_argument(
        "--reference-psf-scale",
        type=_number(0),
        metavar="ARCSEC",
        help="its pixel scale (default: its header's, else that of --reference)",
    )
    group.add_argument("--reference-scale", type=_number(0), metavar="ARCSEC",
                       help="pixel scale of --reference (default: its WCS)")  # fmt: skip


def _add_network(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("how it is recovered")
    group.add_argument(
        "--checkpoint",
        default="super_resolution",
        metavar="NAME",
        help="trained network: a name in checkpoints/ or the path of a .safetensors"
        " file (default: %(default)s)",
    )
    group.add_argument(
        "--samples",
        type=_integer(2),
        default=16,
        metavar="N",
        help="samples of the posterior; their mean is the best estimate, their"
        " spread the error map (default: %(default)s)",
    )
    group.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="cpu, cuda, cuda:1, ... (default: %(default)s)",
    )
    group.add_argument("--no-richardson-lucy", action="store_true",
                       help="leave out the deconvolution shown for comparison")  # fmt: skip


def _number(above: float | None = None):
    """Return an argparse type: a finite number, greater than `above`."""

    def parse(text: str) -> float:
        value = float(text)
        if value != value or abs(value) == float("inf"):
            raise ArgumentTypeError(f"invalid value: {text!r} (expected a finite number)")
        if above is not None and value <= above:
            raise ArgumentTypeError(f"invalid value: {text!r} (expected a number > {above:g})")
        return value

    parse.__name__ = "number"
    return parse


def _integer(least: int):
    """Return an argparse type: an integer not below `least`."""

    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise ArgumentTypeError(f"invalid value: {text!r} (expected an integer >= {least})")
        return value

    parse.__name__ = "integer"
    return parse


def _hdu(text: str) -> int | str:
    return int(text) if text.isdigit() else text
