"""`evaluate.py shear`: how well the shear of single disks is measured (kinematic lensing)."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clumpygan.assessment.settings import MUSE, ShearSettings
from clumpygan.commands.evaluation.outputs import Progress, ReportFiles, versions
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.data.cubes.frame_settings import FieldSettings
from clumpygan.settings import setting

DESCRIPTION = """\
How well the shear (g1, g2) of single disks is measured from their velocity cubes.

First a forecast of the error for each S/N, resolution and inclination, from the Fisher matrix, with
and without a Tully-Fisher prior: sensitivity.ecsv. Then fits of mocks: their bias, scatter and
errors: mocks.ecsv. shear.png shows both.

The shear across the major axis (at 45 degrees to it) turns the axis of the light away from that of
the rotation. That along the axis looks like another inclination, and needs the Tully-Fisher
relation: from the maximum velocity follows the inclination, and from that the shape."""

SENSITIVITY, MOCKS, PICTURE = "sensitivity.ecsv", "mocks.ecsv", "shear.png"


@dataclass(frozen=True)
class ShearFiles(ReportFiles):
    """The folder of tables and picture, and the numbers."""

    output: Path = setting(
        Path("shear"), "folder of tables and picture; made if it doesn't exist", "FOLDER",
        heading="output",
    )  # fmt: skip


def add_shear(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "shear",
        help="shear of single disks: bias and error, by S/N, resolution and inclination",
        description=DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, ShearSettings, skip=("frame",))
    add_settings(parser, ShearFiles)
    add_settings(parser, FieldSettings, defaults=MUSE)
    add_config(parser)
    parser.set_defaults(run=run_shear)


def run_shear(options: Namespace) -> None:
    """Forecast, fit the mocks, print the tables, write the files.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    files = settings_from(ShearFiles, options)
    frame = settings_from(FieldSettings, options, MUSE)
    settings = settings_from(ShearSettings, options, frame=frame)
    files.check_writable()
    from astropy.table import Table

    from clumpygan.assessment import shear_forecast
    from clumpygan.io import atomic_path
    from clumpygan.plots.shear import shear_figure

    with Progress("mock") as progress:
        found = shear_forecast(settings, progress=progress)
    print(found)
    files.output.mkdir(exist_ok=True)
    tables = {SENSITIVITY: found.sensitivity} | ({MOCKS: Table(found.mocks)} if found.mocks else {})
    for name, table in tables.items():
        with atomic_path(files.output / name) as path:
            table.write(path, format="ascii.ecsv")
    with atomic_path(files.output / PICTURE) as path:
        shear_figure(found).savefig(path, dpi=110, format="png")
    seconds = round(time.perf_counter() - begin, 1)
    files.write_metrics(
        {
            "program": "evaluate.py shear",
            **found.to_dict(),
            "versions": versions("numpy", "scipy", "torch"),
            "seconds": seconds,
        }
    )
    print(f"wrote {files.output} in {seconds} s")
