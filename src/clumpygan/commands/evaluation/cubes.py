"""`evaluate.py cubes`: how like true velocity cubes generated ones are, and whether they obey."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clumpygan.assessment.cubes.settings import CubeRealismSettings
from clumpygan.commands.evaluation.outputs import Progress, ReportFiles, say, versions
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.settings import setting

DESCRIPTION = """\
Compare generated velocity cubes with held-out true ones in every way, and write a report that can
be read offline: one HTML page, its pictures beside it, and blind.png, a page of generated and true
galaxies shuffled, whose key is in blind_key.txt.

Sets
  reference        held-out true galaxies; all others are compared with them
  held-out truth   others of the same population: the floor, what equal distributions give
  NAME             of --checkpoint (and --opponent), for the parameters of the held-out truth
  smooth disks     of these parameters: no clumps, arms, lopsidedness, warp or turbulence
Tests
  realism: cross-validated accuracy of convolutional networks and boosted trees that see whole
  cubes, flux maps or velocity residuals, as they depart from the smooth disk of the same
  parameters (0.5 is indistinguishable); Frechet distance; Kolmogorov-Smirnov distances
  clumps: number, light, size; motions: v/sigma, kinematic asymmetries, residuals
  conditional fidelity: disks are fitted to generated and to true cubes of the same parameters and
  noise, and to those of other true galaxies of these parameters
  diversity: how galaxies of the same parameters differ; copies of training galaxies"""

EPILOG = """\
examples:
  %(prog)s --checkpoint cube_gan --output report
  %(prog)s --opponent cube_gan_conv3d --n 500 --fits 100 --metrics cubes.json --output report"""

_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class CubeRealismFiles(ReportFiles):
    """The folder of the report, and the numbers."""

    output: Path = setting(
        Path("cubes_report"), "folder of the report, index.html and its pictures", "FOLDER",
        heading="output",
    )  # fmt: skip


def add_cubes(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "cubes",
        help="generated velocity cubes beside true ones: realism, clumps, fidelity, kinematics",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, CubeRealismSettings)
    add_settings(parser, CubeRealismFiles)
    add_config(parser)
    parser.set_defaults(run=run_cubes)


def run_cubes(options: Namespace) -> None:
    """Compare the sets, print the tables, write report and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings = settings_from(CubeRealismSettings, options)
    files = settings_from(CubeRealismFiles, options)
    files.check_writable()
    from clumpygan.assessment import cube_realism
    from clumpygan.commands.program import check_device
    from clumpygan.plots.reports.cube_realism import blind_page, cube_realism_pictures
    from clumpygan.plots.reports.html import cube_realism_page

    check_device(settings.device)
    with Progress("cube") as progress:
        found = cube_realism(settings, progress=progress, report=say)
    print(found)
    say("report")
    pictures = cube_realism_pictures(found)
    written = files.write_report(cube_realism_page(found, pictures), pictures)
    written += files.write_blind(*blind_page(found))
    seconds = time.perf_counter() - begin
    report = {
        "program": "evaluate.py cubes",
        **found.to_dict(),
        "versions": versions(*_PACKAGES),
        "seconds_in_all": round(seconds, 1),
    }
    written += files.write_metrics(report)
    print(f"wrote {', '.join(map(str, written))} in {seconds:.1f} s")
