"""The frame of a mock cube: its voxels, its spectral axis, and the PSF and LSF it is seen with."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from clumpygan.data.cubes.frame_settings import (
    DEFAULT_CHANNEL_WIDTH,
    DEFAULT_LINE,
    DEFAULT_PIXEL_SCALE,
    DEFAULT_RANGE,
    DEFAULT_SIZE,
    NO_INSTRUMENT,
    FieldSettings,
    FrameSettings,
    Observing,
)
from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.grid import velocity_of, wavelength_of
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spectrograph_presets import get_spectrograph
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.cubes.spectral_axis import SpectralAxis, air_of

_ANY_WAVELENGTH = 7000.0


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

    def with_seeing(self, fwhm: float) -> "CubeFrame":
        """Return the frame in another seeing: a PSF of the same shape, its FWHM at the lines.

        Parameters
        ----------
        fwhm : float
            Arcsec.
        """
        if self.instrument is None:
            transfer: Transfer = partial(GaussianPSF(fwhm).transfer, wavelength=_ANY_WAVELENGTH)
            return replace(self, transfer=transfer, psf_fwhm=fwhm)
        rest = np.array(self.lines) * (1 + self.redshift)
        where = _middle(air_of(rest) if self.instrument.medium == "air" else rest)
        # Spectrographs have analytic PSFs.
        psf: Any = self.instrument.psf
        instrument = self.instrument.with_seeing(psf.fwhm + fwhm - float(psf.width(where)))
        return replace(
            self, instrument=instrument, transfer=instrument.transfer(where), psf_fwhm=fwhm
        )

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
    instrument = get_spectrograph(settings.instrument, _observed(settings, lines))
    if settings.seeing is not None:
        instrument = instrument.with_seeing(settings.seeing)
    return _observed_frame(settings, lines, instrument)


def frame_of(field: FieldSettings) -> FrameSettings:
    """Return the settings of the frame that is asked for.

    Raises
    ------
    InputError
        If the instrument is unknown, the line outside its range, or a voxel larger than the cube.
    """
    shared = {one.name: getattr(field, one.name) for one in fields(Observing)}
    if shared["instrument"] is not None:
        shared["instrument"] = shared["instrument"].lower()
    lines = field.lines or (usual_line(shared["instrument"]),)
    settings = FrameSettings((1, 1, 1), lines, **shared)
    shape = _shape(field, settings) if field.shape is None else field.shape
    return FrameSettings(shape, lines, **shared)


def usual_line(instrument: str | None) -> str:
    """Return the line that mocks of an instrument have where none is asked for."""
    if instrument is None or instrument.lower() == NO_INSTRUMENT:
        return DEFAULT_LINE
    return get_spectrograph(instrument).line


def _shape(field: FieldSettings, settings: FrameSettings) -> tuple[int, int, int]:
    """Return (v, y, x), from arcsec and km/s."""
    # One voxel is enough to know how wide it is.
    grid = make_frame(settings).grid
    size = field.size or DEFAULT_SIZE
    if grid.pixel_scale > size:
        raise InputError(
            f"a pixel of {grid.pixel_scale:g} arcsec is wider than the field of {size:g} arcsec: "
            "lower `pixel_scale` or raise `size`"
        )
    channels, span = field.channels, field.velocity_range or DEFAULT_RANGE
    if channels is None:
        if grid.channel_width > span:
            raise InputError(
                f"a channel of {grid.channel_width:.4g} km/s is wider than the cube's range of "
                f"{span:g} km/s: lower `channel_width` or raise `velocity_range`"
            )
        channels = round(span / grid.channel_width)
    side = round(size / grid.pixel_scale)
    return channels, side, side


def _observed(settings: FrameSettings, lines: tuple[float, ...]) -> float | None:
    """Return the wavelength at which lines are observed, in vacuum; None without a redshift."""
    return None if settings.redshift is None else _middle(lines) * (1 + settings.redshift)


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
        # Lines of the radio would be rounded to -1, and to no wavelength at all.
        redshift = max(round(0.5 * (low + high) / _middle(lines) - 1, 3), -0.999)
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
    spread, integrates = instrument.channel_spread(observed, step)
    grid = CubeGrid(
        settings.shape,
        settings.pixel_scale or instrument.pixel_scale,
        _edges(axis, lines),
        line_fluxes=(1.0,) * len(lines),
        line_spread=tuple(spread.tolist()),
        pixel_response=not instrument.psf_includes_pixel,
        channel_response=integrates,
    )
    # Spectrographs have analytic PSFs.
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


def _middle(wavelengths: Sequence[float] | np.ndarray) -> float:
    return 0.5 * float(min(wavelengths) + max(wavelengths))


def _edges(axis: SpectralAxis, lines: tuple[float, ...]) -> np.ndarray:
    """Return the edges of the channels (lines, v + 1) in km/s relative to each line."""
    stretch = wavelength_of(axis.velocity_edges(), 1.0, 0.0)
    return np.stack([velocity_of(stretch, line / lines[0], 0.0) for line in lines])
