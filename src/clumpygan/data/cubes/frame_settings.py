"""Settings of the frame of a mock cube: its voxels, its lines, and who observes them."""

import math
from dataclasses import dataclass
from typing import Any

from clumpygan.errors import InputError
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.instruments.spectrograph_names import SPECTROGRAPH_NAMES
from clumpygan.settings import check, setting

DEFAULT_PIXEL_SCALE, DEFAULT_CHANNEL_WIDTH = 0.2, 50.0
"""Arcsec and km/s, of cubes without an instrument."""

DEFAULT_SIZE, DEFAULT_RANGE = 6.4, 1700.0
"""Width of the field in arcsec and of the spectral axis in km/s."""

DEFAULT_LINE = "oiii"

NO_INSTRUMENT = "none"

_MOST_VOXELS = 2**28
_LONGEST_AXIS = 10_000

_HEADING = "the cube"


def _shape_setting(default: Any, **more: Any) -> Any:
    return setting(default, "channels, rows and columns", least=1, metavar=("V", "Y", "X"), **more)


def accuracy_setting(default: float = 1e-3) -> Any:
    """Return the field of the accuracy of rendered cubes."""
    return setting(
        default,
        "largest error of a voxel over the largest voxel",
        "share",
        least=1e-7,
        most=0.03,
        heading=_HEADING,
    )


@dataclass(frozen=True)
class RenderSettings:
    """How exactly cubes are rendered.

    Attributes
    ----------
    accuracy : float
        Largest error of a voxel over the largest voxel.
    """

    accuracy: float = accuracy_setting()

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Observing:
    """What is chosen about the observation, whatever the size of the cube.

    Attributes
    ----------
    instrument : str, optional
        Name of a spectrograph. Without one, channels are equal in velocity.
    redshift : float, optional
        Of the systemic velocity 0. By default 0 without an instrument; with one, that which puts
        the lines into the middle of its range.
    pixel_scale : float, optional
        Arcsec; the instrument's by default, 0.2 without one.
    channel_width : float, optional
        Angstrom with an instrument, whose own is the default; km/s without one, 50 by default.
    seeing : float, optional
        FWHM of the PSF in arcsec: of the instrument's, at the reference wavelength of that, or of
        a Gaussian without an instrument.
    line_spread : float
        Standard deviation of a Gaussian LSF in km/s, without an instrument.
    """

    instrument: str | None = setting(
        None,
        f"whose PSF, line spread, pixels and channels: {', '.join(SPECTROGRAPH_NAMES)}, or none",
        metavar="NAME",
        heading=_HEADING,
        default_words=NO_INSTRUMENT,
    )
    redshift: float | None = setting(
        None,
        "of the systemic velocity 0",
        "Z",
        above=-1,
        heading=_HEADING,
        default_words="such that the line falls into the middle of the instrument's range; 0"
        " without one",
    )
    pixel_scale: float | None = setting(
        None,
        "width of a pixel",
        "arcsec",
        above=0,
        heading=_HEADING,
        default_words=f"the instrument's; {DEFAULT_PIXEL_SCALE:g} without one",
    )
    channel_width: float | None = setting(
        None,
        "width of a channel, in Angstrom with an instrument, in km/s without one",
        above=0,
        metavar="WIDTH",
        heading=_HEADING,
        default_words=f"the instrument's; {DEFAULT_CHANNEL_WIDTH:g} without one",
    )
    seeing: float | None = setting(
        None,
        "FWHM of the instrument's PSF at its reference wavelength, or of a Gaussian one without an"
        " instrument",
        "arcsec",
        above=0,
        heading=_HEADING,
        default_words="the instrument's; none",
    )
    line_spread: float = setting(
        0.0,
        "standard deviation of the line spread function, without an instrument",
        "km/s",
        least=0,
        heading=_HEADING,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.instrument is not None and self.instrument.lower() == NO_INSTRUMENT:
            object.__setattr__(self, "instrument", None)
        if self.instrument and self.line_spread:
            raise InputError(
                f"`line_spread` is that of a cube without an instrument; {self.instrument} has its "
                "own: leave one of them out"
            )


@dataclass(frozen=True)
class FrameSettings(Observing):
    """What the frame of a cube is; see `Observing` for the rest.

    Attributes
    ----------
    shape : tuple of int
        (v, y, x).
    lines : tuple of str or float
        Names of `galaxies.emission_lines.LINES`, or rest wavelengths in Angstrom, in vacuum.
    """

    shape: tuple[int, int, int] = _shape_setting((32, 32, 32))
    lines: tuple[str | float, ...] = (DEFAULT_LINE,)

    def __post_init__(self) -> None:
        super().__post_init__()
        if math.prod(self.shape) > _MOST_VOXELS:
            raise InputError(
                f"`shape` is {self.shape}, more than {_MOST_VOXELS} voxels: ask for a smaller field"
                " or fewer channels"
            )


@dataclass(frozen=True)
class FieldSettings(Observing):
    """A frame as one asks for it, by its width and its range of velocities if one likes.

    `clumpygan.data.cubes.frame.frame_of` makes `FrameSettings` of it. See `Observing` for the rest.

    Attributes
    ----------
    line : str or sequence of str
        Names of lines, separated by commas.
    rest_wavelength : tuple of float
        Other lines, in Angstrom, in vacuum.
    shape : tuple of int, optional
        (v, y, x), in place of `channels` and `size`.
    size, velocity_range : float, optional
        Arcsec and km/s.
    channels : int, optional
        In place of `velocity_range`.
    """

    line: str | tuple[str, ...] | None = setting(
        None,
        f"emission lines, separated by commas: {', '.join(LINES)}; doublet_ratio is the flux ratio"
        " of two",
        metavar="NAMES",
        heading=_HEADING,
        default_words=f"{DEFAULT_LINE}, halpha in the near infrared",
    )
    rest_wavelength: tuple[float, ...] | None = setting(
        None,
        "other lines, in vacuum, separated by commas",
        "Angstrom",
        above=0,
        heading=_HEADING,
    )
    shape: tuple[int, int, int] | None = _shape_setting(
        None,
        most=_LONGEST_AXIS,
        heading=_HEADING,
        default_words="as channels and size say",
    )
    size: float | None = setting(
        None,
        "width of the field",
        "arcsec",
        above=0,
        heading=_HEADING,
        default_words=f"{DEFAULT_SIZE:g}",
    )
    channels: int | None = setting(
        None,
        "number of channels",
        "N",
        least=1,
        most=_LONGEST_AXIS,
        heading=_HEADING,
        default_words="as the velocity range says",
    )
    velocity_range: float | None = setting(
        None,
        "what all channels span together",
        "km/s",
        above=0,
        heading=_HEADING,
        default_words=f"{DEFAULT_RANGE:g}",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.line is not None and self.rest_wavelength is not None:
            raise InputError("`line` and `rest_wavelength` both name the lines; give one of them")
        if self.shape is not None:
            for name in ("size", "channels", "velocity_range"):
                if getattr(self, name) is not None:
                    raise InputError(f"`shape` and `{name}` both say how large; give one of them")
        if self.channels is not None and self.velocity_range is not None:
            raise InputError("`channels` and `velocity_range` both say how many; give one of them")

    @property
    def lines(self) -> tuple[str | float, ...]:
        """Names of lines, or rest wavelengths in Angstrom; empty if none are given."""
        if self.rest_wavelength is not None:
            return self.rest_wavelength
        names = self.line or ()
        return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names
