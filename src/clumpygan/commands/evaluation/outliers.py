"""`evaluate.py outliers`: which images are told to be unlike the galaxies of the training."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clumpygan.assessment.outlier_settings import OutlierSettings
from clumpygan.commands.evaluation.outputs import MetricsFile, Progress, versions, write_sections
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.settings import setting

DESCRIPTION = """\
Say which observed images recover.py and survey.py flag as unlike the galaxies that the network was
trained on: held-out galaxies, of which one in a hundred should be, stars, saturated stars, spirals
larger than a stamp, noise, and a sloping sky.

What is usual is in the card of the network, or measured of galaxies of its population: features of
the observed image in units of its noise and PSF, given the brightness, and the Mahalanobis distance
of their normal scores."""

EPILOG = """\
examples:
  %(prog)s --metrics outliers.json
  %(prog)s --checkpoint mine.safetensors --anew --population population.yaml"""

_PACKAGES = ("torch", "numpy", "scipy", "galsim")


@dataclass(frozen=True)
class OutlierFiles(MetricsFile):
    """The numbers, and what is usual."""

    population: Path | None = setting(
        None, "what is usual (YAML), as a card has it: append the file to that of the network",
        "FILE", heading="output", default_words="not written",
    )  # fmt: skip


def add_outliers(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "outliers",
        help="which images are flagged as unlike the galaxies of the training",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, OutlierSettings)
    add_settings(parser, OutlierFiles)
    add_config(parser)
    parser.set_defaults(run=run_outliers)


def run_outliers(options: Namespace) -> None:
    """Measure, print the table, write the numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings = settings_from(OutlierSettings, options)
    files = settings_from(OutlierFiles, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.assessment.outliers import measure_outliers
    from clumpygan.io import check_output_path

    wanted = [path for path in (files.metrics, files.population) if path is not None]
    for path in wanted:
        check_output_path(path)
    with Progress("image") as progress:
        found = measure_outliers(settings, progress=progress)
    print(found)
    if files.population is not None:
        write_sections(files.population, {"population": found.population.to_dict()})
    seconds = round(time.perf_counter() - begin, 1)
    files.write_metrics(
        {"program": "evaluate.py outliers", **found.to_dict(), "versions": versions(*_PACKAGES),
         "seconds": seconds}
    )  # fmt: skip
    written = "".join(f", wrote {path}" for path in wanted)
    print(f"{settings.tried} images of each kind in {seconds} s{written}")
