"""`evaluate.py kinematics`: how galaxies of cubes move, beside observed galaxies."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from typing import Any

from clumpygan.assessment.settings import KinematicsSettings
from clumpygan.commands.evaluation.outputs import PictureFile, Progress, say, versions
from clumpygan.commands.flags import add_config, add_settings, settings_from

DESCRIPTION = """\
Hold velocity maps of the synthetic populations and of a generator against those of observed
galaxies: harmonics along ellipses (kinemetry), asymmetries, twists, residuals about a disk,
rotation over dispersion, compact light. All maps are brought to one resolution and all velocities
to one S/N before (light and dispersions keep the noise they have); what is too coarse or too noisy
for it is left out, and counted. With --seen-as, made galaxies are first put in the places of the
observed ones of a set, so that what is assumed of the noise of those is assumed of both.

Sets
  of --real           observed galaxies, by the column `set` of the table
  clumpy_disks        the population of parameters drawn one by one
  gas_disks           that which follows from mass and redshift
  --checkpoint        a generator
  --cubes             a folder of further cubes
Each is told by the Kolmogorov-Smirnov distance of each statistic from each observed set, beside the
distance that half of the pairs of equal sets of as many galaxies exceed.

Columns of the table (CSV, ECSV, FITS or Parquet)
  velocity            FITS file of a velocity map, relative to the table; with errors, light,
                      dispersion (files, errors also km/s), and in arcsec pixel_scale, psf_fwhm and
                      noise_fwhm, which the noise was smoothed with (1.6 of MaNGA);
                      spaxels of one velocity are a bin
  cube                FITS file of a cube; with variance, line, redshift, instrument, pixel_scale,
                      psf_fwhm, line_spread, velocity_low, velocity_high as in fits
  name, set           of the galaxy"""

EPILOG = """\
examples:
  %(prog)s --real galaxies.csv --metrics kinematics.json --picture kinematics.png
  %(prog)s --real galaxies.csv --checkpoint none --seen-as MaNGA
  %(prog)s --real galaxies.csv --checkpoint none --cubes mine/ --resolution 2"""

_PACKAGES = ("torch", "numpy", "scipy")


def add_kinematics(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "kinematics",
        help="velocity maps of synthetic and generated galaxies beside observed ones",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, KinematicsSettings)
    add_settings(parser, PictureFile)
    add_config(parser)
    parser.set_defaults(run=run_kinematics)


def run_kinematics(options: Namespace) -> None:
    """Compare the sets, print the tables, write picture and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings = settings_from(KinematicsSettings, options)
    files = settings_from(PictureFile, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.assessment.kinematics import compare_kinematics
    from clumpygan.commands.program import check_device
    from clumpygan.io import atomic_path, check_output_path

    check_device(settings.device)
    for path in files.paths:
        check_output_path(path)
    with Progress("galaxy") as progress:
        found = compare_kinematics(settings, progress=progress, report=say)
    print(found)
    if files.picture is not None:
        from clumpygan.plots.kinematics import kinematics_figure

        with atomic_path(files.picture) as path:
            kinematics_figure(found).savefig(path, dpi=100, format=files.picture.suffix[1:])
    seconds = round(time.perf_counter() - begin, 1)
    files.write_metrics(
        {"program": "evaluate.py kinematics", **found.to_dict(), "versions": versions(*_PACKAGES),
         "seconds": seconds}
    )  # fmt: skip
    written = "".join(f", wrote {path}" for path in files.paths)
    print(f"{sum(map(len, found.sets))} maps in {seconds} s{written}")
