"""Flags about mock cubes, which several programs share: the model, its parameters, its curve."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

from clumpygan.commands.flags import add_settings, flag_of, given_in, settings_from
from clumpygan.errors import InputError
from clumpygan.galaxies.disks.declaration import Parameter
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.galaxies.disks.disk_table import PARAMETERS

_HEADING = "the model"
_NOT_FLAGS = ("warped", "radial_flow", "extra_lines", "rotation_table", "ring_radii")


def add_model_flags(parser: ArgumentParser) -> None:
    """Add the flags that choose the model of the galaxy; `model_from` reads them."""
    add_settings(parser, DiskModel, skip=_NOT_FLAGS, heading=_HEADING)
    group = next(group for group in parser._action_groups if group.title == _HEADING)
    group.add_argument(
        "--rotation-table",
        type=Path,
        metavar="FILE",
        default=SUPPRESS,
        help="the curve 'table': columns radius [arcsec] and velocity [km/s], as text, CSV, ECSV or"
        " FITS",
    )


def model_from(options: Namespace) -> DiskModel:
    """Return the model that the flags choose.

    Raises
    ------
    InputError
        If they contradict each other or the table of the rotation curve can't be read.
    """
    given = given_in(options)
    curve, path = given.get("curve"), given.get("rotation_table")
    if given.get("light") == "map":
        raise InputError("`light` map is one that fits have; expected sersic or ring")
    if curve == "rings":
        raise InputError(
            "`curve` rings is one that fits have; expected another, table for instance"
        )
    if path is None:
        if curve == "table":
            raise InputError("`curve` table needs `rotation_table` FILE")
        return settings_from(DiskModel, options, rotation_table=())
    if curve not in (None, "table"):
        raise InputError(
            f"`rotation_table` is that of `curve` table, not {curve}; leave one of them out"
        )
    from clumpygan.io.rotation_table import read_rotation_table

    table = read_rotation_table(Path(path))
    return settings_from(DiskModel, options, curve="table", rotation_table=table)


def add_parameter_flags(parser: ArgumentParser, heading: str, default: str) -> None:
    """Add one flag for each row of the parameter table; `parameters_from` reads them.

    Parameters
    ----------
    parser : ArgumentParser
    heading : str
        Of the group.
    default : str
        What --help says of the default, with the field {default}.
    """
    group = parser.add_argument_group(heading)
    for row in PARAMETERS:
        unit = f" [{row.unit}]" if row.unit else ""
        span = f"{row.minimum:g} to {row.maximum:g}"
        words = f"{row.description}{unit}, {span}{default.format(default=f'{row.default:g}')}"
        group.add_argument(
            flag_of(row.name),
            type=_checked_by(row),
            default=SUPPRESS,
            metavar="VALUE",
            help=words.replace("%", "%%"),
        )


def parameters_from(options: Namespace) -> dict[str, float]:
    """Return name -> value of the parameters that are given."""
    given = given_in(options)
    return {row.name: row.check(given[row.name]) for row in PARAMETERS if row.name in given}


def _checked_by(row: Parameter) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            return row.check(text)  # type: ignore[arg-type]
        except InputError as error:
            raise ArgumentTypeError(str(error)) from error

    return parse
