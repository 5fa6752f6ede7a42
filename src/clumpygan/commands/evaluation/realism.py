"""`evaluate.py realism`: how like real galaxies generated ones are."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clumpygan.assessment.settings import RealismSettings
from clumpygan.commands.evaluation.outputs import Progress, ReportFiles, say, versions
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.settings import setting

DESCRIPTION = """\
Compare generated galaxies with held-out real ones in every way, and write a report that can be read
offline: one HTML page, its pictures beside it, and blind.png, a page of generated and real galaxies
shuffled, whose key is in blind_key.txt.

Sets
  reference        half of the held-out real galaxies; all others are compared with it
  held-out real    the other half: the floor, what equal distributions give
  generated        --generated, or made on the spot by --checkpoint for the galaxies of the floor
  smooth disks     an exponential disk for each galaxy of the floor, without bulge, arms and clumps
  --catalog        real HST stamps of another survey, shown beside them
Tests
  Frechet distance of two dozen features (aperture fluxes, half-light radius, concentration,
  ellipticity, asymmetry, smoothness, Gini, M20, number and light of clumps, power spectrum,
  noise); mean Wasserstein distance of morphology and power spectrum; Kolmogorov-Smirnov distance of
  each feature; MMD; cross-validated accuracy of classifiers on features and on pixels (0.5 is
  indistinguishable); precision and recall; distance to the nearest training image (no copying);
  with --other, whether galaxies of two networks are nearer to what their own one learnt from."""

EPILOG = """\
examples:
  %(prog)s --real cutouts/gs --generated galaxies.fits --output report
  %(prog)s --n 2000 --metrics realism.json
  %(prog)s --checkpoint none --catalog real_galaxy_catalog.fits --pixel-epochs 0"""

_PACKAGES = ("torch", "numpy", "scipy", "galsim", "scikit-learn")


@dataclass(frozen=True)
class RealismFiles(ReportFiles):
    """The folder of the report, and the numbers."""

    output: Path = setting(
        Path("realism"), "folder of the report, index.html and its pictures", "FOLDER",
        heading="output",
    )  # fmt: skip


def add_realism(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "realism",
        help="generated galaxies beside real ones: distributions, classifiers, copies",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, RealismSettings)
    add_settings(parser, RealismFiles)
    add_config(parser)
    parser.set_defaults(run=run_realism)


def run_realism(options: Namespace) -> None:
    """Compare the sets, print the table, write report and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings, files = settings_from(RealismSettings, options), settings_from(RealismFiles, options)
    files.check_writable()
    from clumpygan.assessment import realism
    from clumpygan.commands.program import check_device
    from clumpygan.plots.reports.html import realism_page
    from clumpygan.plots.reports.realism import blind_page, realism_pictures

    check_device(settings.device)
    with Progress("galaxy") as progress:
        found = realism(settings, progress=progress, report=say)
    print(found)
    say("report")
    pictures = realism_pictures(found)
    page = realism_page(found, pictures, "How real generated galaxies are")
    written = files.write_report(page, pictures)
    if found.made:
        written += files.write_blind(*blind_page(found))
    seconds = time.perf_counter() - begin
    written += files.write_metrics(
        {
            "program": "evaluate.py realism",
            **found.to_dict(),
            "total_seconds": round(seconds, 1),
            "versions": versions(*_PACKAGES),
        }
    )
    print(f"wrote {', '.join(map(str, written))} in {seconds:.1f} s")
