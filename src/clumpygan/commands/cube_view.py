"""What the picture of a cube shows: maps, a slit along the major axis, spectrum, channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clumpygan.errors import InputError
from clumpygan.galaxies.drawing import extent_of, rounded_up
from clumpygan.galaxies.measured_cube import MeasuredCube
from clumpygan.galaxies.moments import moments
from clumpygan.galaxies.position_velocity import position_velocity
from clumpygan.galaxies.spectrum import spectrum

if TYPE_CHECKING:
    from clumpygan.galaxies.moments import Moments
    from clumpygan.galaxies.position_velocity import PositionVelocity
    from clumpygan.galaxies.spectrum import Spectrum

CHANNEL_MAPS = 5

_FAINT = 0.005  # of the peak: where noiseless flux counts as part of the galaxy
_PRECISE = 2.0  # errors above this many times the median error don't set the colours


@dataclass(frozen=True)
class Slit:
    """Where the position-velocity diagram is taken: arcsec, and degrees from +y towards -x."""

    position_angle: float
    centre: tuple[float, float]
    width: float


@dataclass(frozen=True, eq=False)
class Channel:
    """The mean of neighbouring channels (y, x), its noise, and the velocities they span in km/s."""

    low: float
    high: float
    image: np.ndarray
    noise: float


@dataclass(frozen=True, eq=False)
class CubeView:
    """All that is drawn of a cube; velocities are relative to the systemic one.

    Attributes
    ----------
    pixel_scale : float
        Arcsec.
    velocity_edges : ndarray (v + 1,)
        Of the channels in km/s, rising.
    maps : Moments
        With velocities relative to the systemic one.
    galaxy : ndarray (y, x) of bool
        Spaxels bright enough to be shown in velocity and to set the colours.
    slit : Slit
        Along the major axis.
    diagram : PositionVelocity
        Along the slit.
    spectrum : Spectrum
        Of the spaxels in the mask.
    velocity_range : float
        Half the range of the velocity map's colours, km/s.
    dispersion_range : (float, float)
        Of the dispersion map's colours, km/s.
    channels : list of Channel
        From approaching to receding.
    extent : (float, float, float, float)
        Left, right, bottom and top of what is shown, in arcsec from the centre of the field.
    """

    pixel_scale: float
    velocity_edges: np.ndarray
    maps: Moments
    galaxy: np.ndarray
    slit: Slit
    diagram: PositionVelocity
    spectrum: Spectrum
    velocity_range: float
    dispersion_range: tuple[float, float]
    channels: list[Channel]
    extent: tuple[float, float, float, float]


def view_of(
    cube: np.ndarray,
    velocities: np.ndarray,
    pixel_scale: float,
    *,
    variance: np.ndarray | float | None,
    maps: Moments | None,
    systemic_velocity: float,
    slit: Slit | None,
    slit_width: float,
    noise_correlation: float,
) -> CubeView:
    """Measure all that is drawn.

    Parameters
    ----------
    cube, velocities, pixel_scale, variance, maps, systemic_velocity, noise_correlation
        As for `cube_picture`.
    slit : Slit, optional
        By default through the centroid of the flux, along the gradient of the velocity map.
    slit_width : float
        Of that slit, arcsec.

    Raises
    ------
    InputError
        If arrays don't fit together, or there is no galaxy.
    """
    relative = np.asarray(velocities, dtype=np.float64) - systemic_velocity
    measured = MeasuredCube.of(cube, relative, variance)
    if maps is None:
        maps = moments(cube, relative, variance=variance)
    else:
        maps = replace(maps, velocity=maps.velocity - systemic_velocity)
    galaxy = _galaxy(maps)
    if not galaxy.any():
        raise InputError("cube: no line stands out of the noise; nothing to draw")
    if slit is None:
        slit = major_axis(maps, galaxy, pixel_scale, slit_width)
    velocity_range = _velocity_range(maps, galaxy, measured)
    return CubeView(
        pixel_scale=pixel_scale,
        velocity_edges=measured.edges,
        maps=maps,
        galaxy=galaxy,
        slit=slit,
        diagram=position_velocity(
            cube,
            relative,
            pixel_scale,
            position_angle=slit.position_angle,
            width=slit.width,
            centre=slit.centre,
            variance=variance,
        ),
        spectrum=spectrum(
            cube,
            relative,
            aperture=maps.mask,
            variance=variance,
            noise_correlation=noise_correlation,
        ),
        velocity_range=velocity_range,
        dispersion_range=_dispersion_range(maps, galaxy),
        channels=_channels(measured, velocity_range),
        extent=extent_of(galaxy, pixel_scale),
    )


def major_axis(maps: Moments, galaxy: np.ndarray, pixel_scale: float, width: float) -> Slit:
    """Return the slit through the centroid of the flux, along the gradient of the velocity map.

    The gradient is that of the plane that fits the velocities best, weighted by flux: good enough
    to lay a slit, not to measure an angle.
    """
    y, x = np.nonzero(galaxy)
    x = (x - (galaxy.shape[1] - 1) / 2) * pixel_scale
    y = (y - (galaxy.shape[0] - 1) / 2) * pixel_scale
    flux, velocity = maps.flux[galaxy], maps.velocity[galaxy]
    centre = (float(np.average(x, weights=flux)), float(np.average(y, weights=flux)))
    weight = np.sqrt(flux)
    plane = np.stack([np.ones_like(x), x, y], axis=1)
    slopes = np.linalg.lstsq(plane * weight[:, None], velocity * weight, rcond=None)[0][1:]
    return Slit(float(np.degrees(np.arctan2(-slopes[0], slopes[1])) % 360), centre, width)


def _galaxy(maps: Moments) -> np.ndarray:
    """Return the spaxels (y, x) to be shown in velocity: where signal is, of some brightness."""
    if not maps.mask.any() or np.isfinite(maps.flux_error).any():
        return maps.mask
    return maps.mask & (np.nan_to_num(maps.flux) > _FAINT * np.nanmax(maps.flux))


def _precise(error: np.ndarray, galaxy: np.ndarray) -> np.ndarray:
    """Return the spaxels whose error isn't far above that of most; all if no errors are known."""
    if not np.isfinite(error[galaxy]).any():
        return galaxy
    return galaxy & (error <= _PRECISE * np.nanmedian(error[galaxy]))


def _velocity_range(maps: Moments, galaxy: np.ndarray, cube: MeasuredCube) -> float:
    """Return a round number that 97 % of the velocities don't exceed, a channel at least."""
    known = _precise(maps.velocity_error, galaxy)
    largest = float(np.percentile(np.abs(maps.velocity[known]), 97))
    return rounded_up(max(largest, float(np.median(cube.widths))))


def _dispersion_range(maps: Moments, galaxy: np.ndarray) -> tuple[float, float]:
    """Return round numbers between which 96 % of the dispersions lie."""
    known = _precise(maps.dispersion_error, galaxy) & np.isfinite(maps.dispersion)
    if not known.any():
        return 0.0, 1.0
    low, high = np.percentile(maps.dispersion[known], [2, 98])
    high = rounded_up(float(high))
    step = high / 10
    return float(np.floor(low / step) * step), high


def _channels(cube: MeasuredCube, velocity_range: float) -> list[Channel]:
    """Return the means of equally many channels each, which span the range about 0."""
    count, channel = len(cube.velocities), float(np.median(cube.widths))
    shown = min(CHANNEL_MAPS, count)
    wanted = 2 * velocity_range / shown / channel
    choices = []
    for each in range(1, count // shown + 1):
        off = np.abs(cube.edges[: count + 1 - shown * each] + cube.edges[shown * each :]) / channel
        first = int(np.argmin(off))
        # A map more or less wide by half is as bad as a range that is off by a channel.
        choices.append((abs(each - wanted) / wanted + 0.5 * float(off[first]), each, first))
    _, each, first = min(choices)
    channels = []
    for begin in range(first, first + shown * each, each):
        part = slice(begin, begin + each)
        known = cube.valid[part].sum(axis=0)
        total = cube.data[part].sum(axis=0)
        image = np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)
        noise = 0.0
        if cube.variance is not None:
            noise = float(np.sqrt(np.median(cube.variance[part][cube.valid[part]]) / each))
        channels.append(Channel(cube.edges[begin], cube.edges[begin + each], image, noise))
    return channels
