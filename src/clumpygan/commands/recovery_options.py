"""The flags of recover: each declared once, with its meaning and the sources it goes with."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clumpygan.commands.flag_types import LARGEST_SEED, integer, number
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
"""Which galaxies are drawn by default."""

DEFAULT_SIZE = 6.72
"""arcsec: width of the part taken around --position, that of the synthetic stamps."""

MOST_SAMPLES = 256
"""Upper limit of --samples, for the memory."""

SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
"""Formats of the picture."""

_DRAWN = ("synthetic", "catalog")
_FILES = ("image", "hsc")
_SIMULATED = ("synthetic", "image", "catalog")
_SOURCES = ("image", "catalog", "hsc")


@dataclass(frozen=True)
class Flag:
    """One flag: its names, what --help says, how it is parsed, the sources it means something for.

    `sources` is empty where it goes with all of them.
    """

    names: str
    help: str
    type: Callable[[str], Any] | None = None
    metavar: str | tuple[str, str] | None = None
    sources: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def attribute(self) -> str:
        """Name in the parsed namespace."""
        return self.names.split()[0].removeprefix("--").replace("-", "_")


def _hdu(text: str) -> int | str:
    return int(text) if text.isdigit() else text


FLAGS = {
    "what comes out": (
        Flag("--output", f"the picture, {' '.join(SUFFIXES)} (default: %(default)s)",
             Path, "PICTURE", more={"default": Path("recovered.png")}),
        Flag("--fits", "all images as extensions of one FITS file, with WCS where it is known"
             " (default: not written)", Path, "FILE"),
        Flag("--metrics", "all measurements as JSON (default: not written)", Path, "FILE"),
        Flag("--seed", "an integer >= 0 that fixes galaxy, noise and samples"
             " (default: drawn at random and printed)", integer(0, LARGEST_SEED), "N"),
    ),
    "which galaxy": (
        Flag("--image", 'HST image (FITS), pixels of 0.06" or finer', Path, "FILE"),
        Flag("--catalog", "catalogue of HST stamps (a table; also GalSim's RealGalaxyCatalog)",
             Path, "FILE"),
        Flag("--data-root", "where the stamps of --catalog lie (default: beside it)",
             Path, "FOLDER", ("catalog",)),
        Flag("--max-redshift", f"largest redshift to draw (default: {MAX_REDSHIFT:g})",
             number(0), "Z", _DRAWN),
        Flag("--max-hmag", "faintest H magnitude to draw, AB; for --catalog in its own band"
             f" (default: {MAX_MAGNITUDE:g})", number(), "MAG", _DRAWN),
        Flag("--hsc", 'real HSC image (FITS), pixels of 0.168"; may be a stack of bands',
             Path, "FILE"),
        Flag("--reference", "HST image of the field of --hsc, registered to it and compared",
             Path, "FILE", ("hsc",)),
        Flag("--position", "centre of the part of --image or --hsc to take, in pixels, the first"
             " being 1 as in ds9 (default: the whole image)", number(), ("X", "Y"), _FILES,
             {"nargs": 2}),
        Flag("--size", f"width and height of that part (default: {DEFAULT_SIZE:g})",
             number(0), "ARCSEC", _FILES),
        Flag("--hdu", "number or name of the FITS extension of --image or --hsc (default: the"
             " first image)", _hdu, "HDU", _FILES),
        Flag("--weight", "weight map of --image or --hsc: 0 where there are no data",
             Path, "FILE", _FILES),
        Flag("--variance", "variance map of --hsc, in its own unit squared (default: the noise is"
             " measured in the image)", Path, "FILE", ("hsc",)),
    ),
    "how it was or is observed": (
        Flag("--psf", "PSF of --image or --hsc as a FITS image, pixel response included (default"
             " for --image: the camera's)", Path, "FILE", _FILES),
        Flag("--psf-scale", "pixel scale of --psf (default: its header's, else the image's)",
             number(0), "ARCSEC", _FILES),
        Flag("--pixel-scale", "pixel scale of --image or --hsc (default: its WCS)",
             number(0), "ARCSEC", _FILES),
        Flag("--zero-point", "AB magnitude of one count of --image or --hsc (default: the header's;"
             " else for --image the camera's, for --hsc fluxes stay in counts)",
             number(), "MAG", _FILES),
        Flag("--instrument", "HST camera of --image or --catalog, such as hst_wfc3_f160w or"
             " hst_acs_f814w_30mas (default: by the pixel scale)", str, "NAME",
             ("image", "catalog")),
        Flag("--band --hsc-plane", "HSC band: of the simulated view, or the plane of a grizy stack"
             " in --hsc and --psf (default: %(default)s)",
             more={"choices": tuple("grizy"), "default": "i"}),
        Flag("--seeing", "FWHM of the HSC PSF: of the simulated view (default: the band's median,"
             " 0.6 in i), or of --hsc where it has no --psf", number(0), "ARCSEC"),
        Flag("--depth", 'AB magnitude of 5 sigma in a 2" aperture of the simulated view (default:'
             " HSC-Wide's, 26.2 in i)", number(), "MAG", _SIMULATED),
        Flag("--reference-psf", "PSF of --reference (default: the HST camera's)",
             Path, "FILE", ("hsc",)),
        Flag("--reference-psf-scale", "its pixel scale (default: its header's, else that of"
             " --reference)", number(0), "ARCSEC", ("hsc",)),
        Flag("--reference-scale", "pixel scale of --reference (default: its WCS)",
             number(0), "ARCSEC", ("hsc",)),
    ),
    "how it is recovered": (
        Flag("--checkpoint", "trained network: a name in checkpoints/ or a .safetensors file"
             " (default: %(default)s)", str, "NAME", more={"default": "super_resolution"}),
        Flag("--samples", "samples of the posterior, in pairs; their mean is the best estimate,"
             " their spread the error map (default: %(default)s)", integer(2, MOST_SAMPLES), "N",
             more={"default": 16}),
        Flag("--device", "cpu, cuda, cuda:1, ... (default: %(default)s)", str, "NAME",
             more={"default": "cpu"}),
        Flag("--no-richardson-lucy", "leave out the deconvolution shown for comparison",
             more={"action": "store_true"}),
    ),
}  # fmt: skip
"""All flags by the headings of --help."""


def add_flags(parser: ArgumentParser) -> None:
    """Add every flag of recover to `parser`."""
    for heading, flags in FLAGS.items():
        group = parser.add_argument_group(heading)
        for flag in flags:
            given = {"type": flag.type, "metavar": flag.metavar}
            how = {name: value for name, value in given.items() if value is not None}
            group.add_argument(*flag.names.split(), help=flag.help, **how, **flag.more)


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
    for flag in (flag for flags in FLAGS.values() for flag in flags if flag.sources):
        if getattr(options, flag.attribute) is not None and source not in flag.sources:
            meant = (("a synthetic galaxy" if s == "synthetic" else f"--{s}") for s in flag.sources)
            raise InputError(
                f"{flag.names.split()[0]} goes with {' or '.join(meant)}; leave it out"
            )
    if options.reference_psf is not None and options.reference is None:
        raise InputError("--reference-psf is the PSF of --reference; give that too")
    if options.size is not None and options.position is None:
        raise InputError("--size is that of the part around --position; give that too")
    if source == "hsc" and (options.psf is None) == (options.seeing is None):
        raise InputError(
            "--hsc needs one PSF: give --psf FILE, or --seeing ARCSEC for a Moffat profile"
        )
    if options.output.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"--output {options.output} is no picture; expected a name in {', '.join(SUFFIXES)}"
        )
