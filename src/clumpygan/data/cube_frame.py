"""The frame of a mock cube: its voxels, its spectral axis, and the PSF and LSF it is seen with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np

from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.galaxies.fourier import Transfer
from clumpygan.galaxies.grid import velocity_of, wavelength_of
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spectrograph_presets import get_spectrograph
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.spectral_axis import SpectralAxis, air_of

DEFAULT_PIXEL_SCALE, DEFAULT_CHANNEL_WIDTH = 0.2, 50.0
"""Arcsec and km/s, of cubes without an instrument."""

_MOST_VOXELS = 2**28
_ANY_WAVELENGTH = 7000.0


@dataclass(frozen=True)
class FrameSettings:
    """What is chosen about the frame of a cube.

    Attributes
    ----------
    shape : tuple of int
        (v, y, x).
    pixel_scale : float, optional
        Arcsec; the instrument's by default, 0.2 without one.
    channel_width : float, optional
        Angstrom with an instrument, whose own is the default; km/s without one, 50 by default.
    instrument : str, optional
        Name of a spectrograph. Without one, channels are equal in velocity.
    lines : tuple of str or float
        Names of `galaxies.emission_lines.LINES`, or rest wavelengths in Angstrom, in vacuum.
    redshift : float, optional
        Of the systemic velocity 0. By default 0 without an instrument; with one, that which puts
        the lines into the middle of its range.
    seeing : float, optional
        FWHM of the PSF in arcsec: of the instrument's, at the reference wavelength of that, or of
        a Gaussian without an instrument.
    line_spread : float
        Standard deviation of a Gaussian LSF in km/s, without an instrument.
    """

    shape: tuple[int, int, int] = (32, 32, 32)
    pixel_scale: float | None = None
    channel_width: float | None = None
    instrument: str | None = None
    lines: tuple[str | float, ...] = ("oiii",)
    redshift: float | None = None
    seeing: float | None = None
    line_spread: float = 0.0

    def __post_init__(self) -> None:
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in self.shape)
        if len(self.shape) != 3 or not whole or min(self.shape) < 1:
            raise InputError(
                f"shape is {self.shape}; expected (v, y, x), whole numbers of at least 1"
            )
        if np.prod(self.shape, dtype=float) > _MOST_VOXELS:
            raise InputError(
                f"shape is {self.shape}, more than {_MOST_VOXELS} voxels: ask for a smaller field "
                "or fewer channels"
            )
        units = {
            "pixel_scale": "arcsec",
            "channel_width": "Angstrom" if self.instrument else "km/s",
            "seeing": "arcsec",
        }
        for name, unit in units.items():
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise InputError(f"{name} is {value:g} {unit}; expected a number above 0")
        if not 0 <= self.line_spread < inf:
            raise InputError(f"line_spread is {self.line_spread:g} km/s; expected 0 or more")
        if self.redshift is not None and not -1 < self.redshift < inf:
            raise InputError(f"redshift is {self.redshift:g}; expected a number above -1")
        if self.instrument and self.line_spread:
            raise InputError(
                f"line_spread is that of a cube without an instrument; {self.instrument} has its "
                "own: leave one of them out"
            )


@dataclass(frozen=True, eq=False)
class CubeFrame:
    """A frame, ready to render cubes on.

    Attributes
    ----------
    grid : CubeGrid
        For the renderers.
    axis : SpectralAxis
        For the FITS header; its rest wavelength is that of the first line.
    lines : tuple of float
        Rest wavelengths in Angstrom, in vacuum.
    redshift : float
        Of the systemic velocity 0.
    instrument : Spectrograph or None
        Who observes.
    transfer : callable or None
        Optical transfer function of the PSF.
    psf_fwhm : float or None
        Arcsec.
    """

    grid: CubeGrid
    axis: SpectralAxis
    lines: tuple[float, ...]
    redshift: float
    instrument: Spectrograph | None
    transfer: Transfer | None
    psf_fwhm: float | None

    @property
    def velocities(self) -> np.ndarray:
        """Centres of the channels (v,) in km/s, relative to the first line at the redshift."""
        return self.axis.velocities()

    @property
    def line_offsets(self) -> tuple[float, ...]:
        """Velocities of the lines relative to the first, km/s."""
        return tuple(float(velocity_of(line, self.lines[0], 0.0)) for line in self.lines)

    @property
    def correlation(self) -> np.ndarray | None:
        """Correlation of the noise in neighbouring voxels; None if they are independent."""
        return None if self.instrument is None else self.instrument.noise_correlation


def make_frame(settings: FrameSettings) -> CubeFrame:
    """Build the frame.

    The lines lie around the middle of the spectral axis. PSF and LSF are those of the instrument
    where the lines are observed.

    Raises
    ------
    InputError
        If the instrument or a line is unknown, or the lines or the channels around them are outside
        the range of the instrument.
    """
    lines = rest_wavelengths(settings.lines)
    if settings.instrument is None:
        return _plain_frame(settings, lines)
    instrument = get_spectrograph(settings.instrument)
    if settings.seeing is not None:
        instrument = instrument.with_seeing(settings.seeing)
    return _observed_frame(settings, lines, instrument)


def _plain_frame(settings: FrameSettings, lines: tuple[float, ...]) -> CubeFrame:
    """Return a frame with channels that are equal in velocity, and Gaussian PSF and LSF."""
    step = settings.channel_width or DEFAULT_CHANNEL_WIDTH
    redshift = settings.redshift or 0.0
    middle = float(velocity_of(_middle(lines), lines[0], 0.0))
    axis = SpectralAxis(
        "velocity",
        middle - step * (settings.shape[0] - 1) / 2,
        step,
        settings.shape[0],
        rest_wavelength=lines[0],
        redshift=redshift,
        origin=redshift,
    )
    grid = CubeGrid(
        settings.shape,
        settings.pixel_scale or DEFAULT_PIXEL_SCALE,
        _edges(axis, lines),
        line_fluxes=(1.0,) * len(lines),
        line_spread=(settings.line_spread,) * len(lines),
    )
    transfer = None
    if settings.seeing is not None:
        transfer = partial(GaussianPSF(settings.seeing).transfer, wavelength=_ANY_WAVELENGTH)
    return CubeFrame(grid, axis, lines, redshift, None, transfer, settings.seeing)


def _observed_frame(
    settings: FrameSettings, lines: tuple[float, ...], instrument: Spectrograph
) -> CubeFrame:
    """Return a frame with channels that are equal in wavelength, as the instrument observes."""
    low, high = instrument.wavelength_range
    redshift = settings.redshift
    if redshift is None:
        redshift = round(0.5 * (low + high) / _middle(lines) - 1, 3)
    observed = np.array(lines) * (1 + redshift)
    if instrument.medium == "air":
        observed = air_of(observed)
    _check_range(settings, observed, redshift, instrument)
    step, count = settings.channel_width or instrument.channel_width, settings.shape[0]
    where = _middle(observed)
    first = where - step * (count - 1) / 2
    if first - step / 2 < low or first + step * (count - 0.5) > high:
        raise InputError(
            f"{count} channels of {step:g} Angstrom around {where:.1f} Angstrom reach "
            f"beyond the range of {instrument.name}, {low:g} to {high:g} Angstrom: ask for fewer "
            "channels, or another redshift"
        )
    rest = float(air_of(lines[0])) if instrument.medium == "air" else lines[0]
    axis = SpectralAxis(
        "wavelength",
        first,
        step,
        count,
        medium=instrument.medium,
        rest_wavelength=rest,
        redshift=redshift,
    )
    grid = CubeGrid(
        settings.shape,
        settings.pixel_scale or instrument.pixel_scale,
        _edges(axis, lines),
        line_fluxes=(1.0,) * len(lines),
        line_spread=tuple(instrument.line_spread(observed).tolist()),
        pixel_response=not instrument.psf_includes_pixel,
        channel_response=not instrument.lsf_includes_channel,
    )
    fwhm = float(instrument.psf.width(where))
    return CubeFrame(grid, axis, lines, redshift, instrument, instrument.transfer(where), fwhm)


def _check_range(
    settings: FrameSettings, observed: np.ndarray, redshift: float, instrument: Spectrograph
) -> None:
    low, high = instrument.wavelength_range
    if low <= observed.min() and observed.max() <= high:
        return
    name = ", ".join(f"{line:g}" if isinstance(line, float) else line for line in settings.lines)
    raise InputError(
        f"the line {name} at redshift {redshift:g} is observed at {_middle(observed):.0f} "
        f"Angstrom, outside the range of {instrument.name}, {low:g} to {high:g} Angstrom: choose "
        "another line, redshift or instrument"
    )


def _middle(wavelengths: Sequence[float]) -> float:
    return 0.5 * float(min(wavelengths) + max(wavelengths))


def _edges(axis: SpectralAxis, lines: tuple[float, ...]) -> np.ndarray:
    """Return the edges of the channels (lines, v + 1) in km/s relative to each line."""
    stretch = wavelength_of(axis.velocity_edges(), 1.0, 0.0)
    return np.stack([velocity_of(stretch, line / lines[0], 0.0) for line in lines])
