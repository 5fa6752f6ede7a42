"""Recover the galaxies of a survey, and measure them: `survey.py`."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path

from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.commands.program import Parser, run_program
from clumpygan.errors import InputError
from clumpygan.settings import check, setting
from clumpygan.survey.settings import SurveySettings

DESCRIPTION = """\
Recover the galaxies of a survey from the ground as HST would see them, and measure them.

catalogue.parquet gets a row for each galaxy: magnitude, fluxes in apertures, half-light radius,
concentration, ellipticity and number of sources, each with a median and a 68 % interval; the
probabilities of a blend and of clumps; chi^2, the masked share, seeing and depth. A galaxy that
can't be recovered has a row that says why. components.parquet has a row for each source of a
galaxy; card.yaml all settings. With --cutouts the recovered images are kept too."""

EPILOG = """\
examples:
  %(prog)s --image calexp-*.fits --catalog objects.fits --psf psf/ --output out/
  %(prog)s --image patch.fits --detect --psf-fwhm 0.62 --max-magnitude 25 --output out/
  %(prog)s --image calexp-*.fits --catalog objects.parquet --psf psf/ --output out/ \\
      --cluster slurm:queue=short,workers=64

A survey that is stopped or killed goes on with the same command; what comes out depends neither on
who works nor on how many."""


@dataclass(frozen=True)
class SurveyPage:
    """The page about a survey."""

    report: Path | None = setting(
        None, "page (HTML) of maps, distributions and the 20 galaxies that are most unlike those of"
        " the training", "FILE", heading="what comes out, and running",
        default_words="not written",
    )  # fmt: skip
    wcs: bool = setting(
        False, "its galaxies with axes in right ascension and declination, where they are known",
        heading="what comes out, and running",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check the name.

        Raises
        ------
        InputError
            For axes of a page that isn't written.
        """
        check(self)
        if self.wcs and self.report is None:
            raise InputError("`wcs` is about the page `report`; give that too")


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(_survey, _parser(), arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="survey.py", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_settings(parser, SurveySettings)
    add_settings(parser, SurveyPage)
    add_config(parser)
    return parser


def _survey(options: Namespace) -> None:
    begin = time.perf_counter()
    settings = settings_from(SurveySettings, options)
    page = settings_from(SurveyPage, options)
    if page.report is not None:
        from clumpygan.survey.store import check_report

        check_report(page.report, settings.output)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.commands.evaluation.outputs import Progress
    from clumpygan.survey.run import survey_of, words_of

    try:
        with Progress("galaxy") as bar:
            found = survey_of(settings, progress=lambda done, of: bar(done, of, "recovering"))
    except KeyboardInterrupt:
        print("the same command goes on from here", flush=True)
        raise
    if page.report is not None:
        from clumpygan.io import atomic_path
        from clumpygan.plots.survey import survey_page
        from clumpygan.survey.recovering import resolver_of

        scale = resolver_of(settings.checkpoint).grid.observed_scale
        with atomic_path(page.report) as path:
            html = survey_page(found.table(), settings.image, scale, settings.weight, wcs=page.wcs)
            path.write_text(html, encoding="utf-8")
        print(f"wrote {page.report}")
    seconds = time.perf_counter() - begin
    print(f"{settings.output}: {words_of(found)} in {seconds:.1f} s")
