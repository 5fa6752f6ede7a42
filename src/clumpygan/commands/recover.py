"""Recover an HST image of a galaxy from its Subaru HSC view: `recover.py`."""

import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.commands.output_files import PICTURE_SUFFIXES
from clumpygan.commands.program import Parser, run_program
from clumpygan.recovery.settings import RecoverySettings
from clumpygan.settings import check, setting

DESCRIPTION = """\
Recover an HST image of a galaxy from its Subaru HSC view, with a trained super-resolution GAN.

Where the galaxy comes from, one of
  (nothing)        a synthetic clumpy galaxy, drawn at random
  --example xdf    a real galaxy as HST sees it, which comes along: degraded to HSC, recovered
  --image FILE     your HST image: the same
  --catalog FILE   a galaxy drawn at random from a catalogue of HST stamps: the same
  --observed FILE  a real HSC image: recovered as it is
The picture shows the HST image, its HSC view, the recovered image (mean of the samples), one
sample, the error map, the residual in sigma, and a Richardson-Lucy deconvolution to compare."""

EPILOG = """\
examples:
  %(prog)s --output boz.png
  %(prog)s --example xdf --output real.png
  %(prog)s --output a.png --seed 7 --samples 16 --fits a.fits --metrics a.json
  %(prog)s --image hst.fits --psf psf.fits --output b.png
  %(prog)s --catalog cat.fits --data-root stamps/ --max-redshift 2 --max-hmag 26 --output c.png
  %(prog)s --observed hsc.fits --psf hsc_psf.fits --reference hst.fits --output d.png"""


@dataclass(frozen=True)
class RecoveryFiles:
    """The files that the program writes."""

    output: Path = setting(
        Path("recovered.png"), f"the picture, {' '.join(PICTURE_SUFFIXES)}", "PICTURE",
        heading="what comes out",
    )  # fmt: skip
    wcs: bool = setting(
        False, "axes of the picture in right ascension and declination, where they are known",
        heading="what comes out",
    )  # fmt: skip
    fits: Path | None = setting(
        None, "all images as extensions of one FITS file, with WCS where it is known", "FILE",
        heading="what comes out", default_words="not written",
    )  # fmt: skip
    metrics: Path | None = setting(
        None, "all measurements as JSON", "FILE", heading="what comes out",
        default_words="not written",
    )  # fmt: skip

    regions: Path | None = setting(
        None, "sources and clumps as regions of ds9, each with its probability", "FILE",
        heading="what comes out", default_words="not written",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check the values."""
        check(self)

    @property
    def paths(self) -> list[Path]:
        """All files that are wanted."""
        wanted = (self.output, self.fits, self.metrics, self.regions)
        return [path for path in wanted if path is not None]


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(_recover, _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="recover.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, RecoveryFiles)
    add_settings(parser, RecoverySettings)
    add_config(parser)
    return parser


def _recover(options: Namespace) -> None:
    begin = time.perf_counter()
    files = settings_from(RecoveryFiles, options)
    settings = settings_from(RecoverySettings, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.commands.output_files import check_outputs
    from clumpygan.io.atomic import atomic_path, write_json
    from clumpygan.recovery import recover_with

    check_outputs(
        [("--output", files.output, PICTURE_SUFFIXES), ("--fits", files.fits, ()),
         ("--metrics", files.metrics, ()), ("--regions", files.regions, (".reg",))],
    )  # fmt: skip
    drawn = "" if settings.seed is not None else ", drawn at random"
    settings = settings.seeded()
    print(f"seed {settings.seed}{drawn}")
    recovery = recover_with(settings)
    print(recovery)
    # The files are moved into place together, once all of them are complete.
    with ExitStack() as stack:
        whole = {path: stack.enter_context(atomic_path(path)) for path in files.paths}
        picture = whole[files.output]
        recovery.plot(wcs=files.wcs).savefig(picture, format=picture.suffix.lstrip(".").lower())
        if files.fits is not None:
            recovery.write(whole[files.fits])
        if files.regions is not None:
            recovery.write_regions(whole[files.regions])
        seconds = round(time.perf_counter() - begin, 2)
        if files.metrics is not None:
            write_json(whole[files.metrics], {**recovery.to_dict(), "seconds": seconds})
    print(f"wrote {', '.join(map(str, files.paths))} in {seconds:.1f} s")
