"""Flags about mock cubes, which several programs share: the frame, the model, the parameters."""

from __future__ import annotations

from argparse import Action, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from clumpygan.commands.flag_types import integer, number
from clumpygan.commands.rotation_table import read_rotation_table
from clumpygan.data.cube_frame import (
    DEFAULT_CHANNEL_WIDTH,
    DEFAULT_PIXEL_SCALE,
    FrameSettings,
    make_frame,
)
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.galaxies.parameters import (
    CURVES,
    LIGHTS,
    MAXIMUM_CLUMPS_OF_CUBE,
    PARAMETERS,
    VERTICALS,
    Parameter,
)
from clumpygan.instruments.spectrograph_presets import SPECTROGRAPHS

DEFAULT_SIZE, DEFAULT_RANGE = 6.4, 1700.0
"""Width of the field in arcsec and of the spectral axis in km/s."""

_LONGEST_AXIS = 10_000


def add_frame_flags(parser: ArgumentParser, instrument: str, accuracy: bool = True) -> None:
    """Add the flags that say which voxels there are and who observes them.

    Parameters
    ----------
    parser : ArgumentParser
    instrument : str
        The default.
    accuracy : bool
        Whether that of the rendered cubes is a choice, too.
    """
    group = parser.add_argument_group("the cube")
    # fmt: off
    group.add_argument("--instrument", default=instrument, metavar="NAME",
                       help="whose PSF, line spread, pixels and channels:"
                       f" {', '.join(SPECTROGRAPHS)}, or none (default: %(default)s)")
    group.add_argument("--line", metavar="NAMES",
                       help=f"emission lines, separated by commas: {', '.join(LINES)};"
                       " doublet_ratio is the flux ratio of two (default: oiii)")
    group.add_argument("--rest-wavelength", type=_wavelengths, metavar="ANGSTROM",
                       help="other lines, in vacuum, separated by commas")
    group.add_argument("--redshift", type=number(-1), metavar="Z",
                       help="of the systemic velocity 0 (default: such that the line falls into the"
                       " middle of the instrument's range; 0 without an instrument)")
    group.add_argument("--shape", nargs=3, type=integer(1, _LONGEST_AXIS), metavar=("V", "Y", "X"),
                       help="channels, rows and columns; instead of --channels and --size")
    group.add_argument("--size", type=number(0), metavar="ARCSEC",
                       help=f"width of the field (default: {DEFAULT_SIZE:g})")
    group.add_argument("--channels", type=integer(1, _LONGEST_AXIS), metavar="N",
                       help="number of channels (default: as --velocity-range says)")
    group.add_argument("--velocity-range", type=number(0), metavar="KM/S",
                       help=f"what all channels span together (default: {DEFAULT_RANGE:g})")
    group.add_argument("--pixel-scale", type=number(0), metavar="ARCSEC",
                       help="width of a pixel (default: the instrument's;"
                       f" {DEFAULT_PIXEL_SCALE:g} without one)")
    group.add_argument("--channel-width", type=number(0), metavar="WIDTH",
                       help="of a channel, in Angstrom with an instrument (default: its own), in"
                       f" km/s without one (default: {DEFAULT_CHANNEL_WIDTH:g})")
    group.add_argument("--seeing", type=number(0), metavar="ARCSEC",
                       help="FWHM of the instrument's PSF at its reference wavelength, or of a"
                       " Gaussian one without an instrument (default: the instrument's; none)")
    group.add_argument("--line-spread", type=number(0), metavar="KM/S",
                       help="standard deviation of the line spread function, without an instrument"
                       " (default: 0)")
    if accuracy:
        group.add_argument("--accuracy", type=number(0), default=1e-3, metavar="SHARE",
                           help="largest error of a voxel over the largest voxel (default:"
                           " %(default)s)")
    # fmt: on


def add_model_flags(parser: ArgumentParser, clumps: str = "drawn at random") -> None:
    """Add the flags that choose the model of the galaxy.

    Parameters
    ----------
    parser : ArgumentParser
    clumps : str
        What --help says of the clumps.
    """
    group, model = parser.add_argument_group("the model"), DiskModel()
    # fmt: off
    group.add_argument("--light", choices=LIGHTS, default=model.light,
                       help="profile in the plane of the disk (default: %(default)s)")
    group.add_argument("--vertical", choices=VERTICALS, default=model.vertical,
                       help="profile above the plane (default: %(default)s)")
    group.add_argument("--curve", choices=CURVES, metavar="NAME",
                       help=f"rotation curve: {', '.join(CURVES)} (default: {model.curve})")
    group.add_argument("--rotation-table", type=Path, metavar="FILE",
                       help="the curve 'table': columns radius [arcsec] and velocity [km/s], as"
                       " text, CSV, ECSV or FITS")
    group.add_argument("--asymmetric-drift", action=BooleanOptionalAction, default=False,
                       help="take pressure support off the circular velocity (default: no)")
    group.add_argument("--arms", type=integer(0, 8), default=0, metavar="N",
                       help="spiral arms, with arm_amplitude (default: %(default)s)")
    group.add_argument("--clumps", type=integer(0, MAXIMUM_CLUMPS_OF_CUBE), default=0, metavar="N",
                       help=f"clumps, {clumps} (default: %(default)s)")
    # fmt: on


def add_parameter_flags(parser: ArgumentParser, heading: str, default: str) -> None:
    """Add one flag for each row of the parameter table.

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
            f"--{row.name.replace('_', '-')}",
            type=_checked_by(row),
            action=_Given,
            dest="given",
            default={},
            metavar="VALUE",
            help=words.replace("%", "%%"),
        )


class _Given(Action):
    """Collects parameters by their names."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        name = str(option).removeprefix("--").replace("-", "_")
        setattr(namespace, self.dest, getattr(namespace, self.dest) | {name: values})


def frame_settings(options: Namespace) -> FrameSettings:
    """Return the frame that the flags ask for.

    Raises
    ------
    InputError
        If they contradict each other, the instrument is unknown, or the line outside its range.
    """
    if options.line is not None and options.rest_wavelength is not None:
        raise InputError("--line and --rest-wavelength both name the lines; give one of them")
    names = "oiii" if options.line is None else options.line
    lines: tuple[str | float, ...] = options.rest_wavelength or tuple(
        name.strip() for name in names.split(",")
    )
    instrument = None if options.instrument.lower() == "none" else options.instrument.lower()
    if instrument and options.line_spread is not None:
        raise InputError(
            "--line-spread goes with --instrument none; an instrument has its own: leave it out"
        )
    settings = FrameSettings(
        (1, 1, 1),
        options.pixel_scale,
        options.channel_width,
        instrument,
        lines,
        options.redshift,
        options.seeing,
        options.line_spread or 0.0,
    )
    return replace(settings, shape=_shape(options, settings))


def model_of(options: Namespace) -> DiskModel:
    """Return the model that the flags choose.

    Raises
    ------
    InputError
        If they contradict each other or the table of the rotation curve can't be read.
    """
    curve, table = options.curve, ()
    if options.rotation_table is not None:
        if curve not in (None, "table"):
            raise InputError(
                f"--rotation-table is that of --curve table, not {curve}; leave one of them out"
            )
        curve, table = "table", read_rotation_table(options.rotation_table)
    elif curve == "table":
        raise InputError("--curve table needs --rotation-table FILE")
    return DiskModel(
        light=options.light,
        vertical=options.vertical,
        curve=curve or DiskModel().curve,
        asymmetric_drift=options.asymmetric_drift,
        arms=options.arms,
        clumps=options.clumps,
        rotation_table=table,
    )


def _shape(options: Namespace, settings: FrameSettings) -> tuple[int, int, int]:
    """Return (v, y, x), from numbers or from arcsec and km/s."""
    if options.shape is not None:
        for name in ("size", "channels", "velocity_range"):
            if getattr(options, name) is not None:
                flag = name.replace("_", "-")
                raise InputError(f"--shape and --{flag} both say how large; give one of them")
        return tuple(options.shape)
    if options.channels is not None and options.velocity_range is not None:
        raise InputError("--channels and --velocity-range both say how many; give one of them")
    # One voxel is enough to know how wide it is.
    grid = make_frame(settings).grid
    size = options.size or DEFAULT_SIZE
    if grid.pixel_scale > size:
        raise InputError(
            f"a pixel of {grid.pixel_scale:g} arcsec is wider than the field of {size:g} arcsec: "
            "lower --pixel-scale or raise --size"
        )
    channels, span = options.channels, options.velocity_range or DEFAULT_RANGE
    if channels is None:
        if grid.channel_width > span:
            raise InputError(
                f"a channel of {grid.channel_width:.4g} km/s is wider than the cube's range of "
                f"{span:g} km/s: lower --channel-width or raise --velocity-range"
            )
        channels = round(span / grid.channel_width)
    side = round(size / grid.pixel_scale)
    return channels, side, side


def _checked_by(row: Parameter) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            return row.check(text)  # type: ignore[arg-type]
        except InputError as error:
            raise ArgumentTypeError(str(error)) from error

    return parse


def _wavelengths(text: str) -> tuple[float, ...]:
    return tuple(number(0)(one) for one in text.split(","))


_wavelengths.__name__ = "number"
