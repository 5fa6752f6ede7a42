"""What pictures of cubes show, measured: maps, a slit along the major axis, spectrum, channels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.moments import Moments, moments
from clumpygan.galaxies.measuring.position_velocity import (
    PositionVelocity,
    position_velocity,
    velocity_gradient,
)
from clumpygan.galaxies.measuring.spectrum import Spectrum, spectrum
from clumpygan.plots.style import Extent, extent_of, rounded_up

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

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
    image: FloatArray
    noise: float


@dataclass(frozen=True, eq=False)
class CubeView:
    """All that is drawn of a cube; velocities are relative to the systemic one.

    Attributes
    ----------
    cube : MeasuredCube
    pixel_scale : float
        Arcsec.
    maps : Moments
    galaxy : ndarray (y, x) of bool
        Spaxels bright enough to be shown in velocity and to set the colours.
    slit : Slit
        Along the major axis.
    diagram : PositionVelocity
        Along the slit.
    spectrum : Spectrum
        Of the aperture, by default the spaxels in the mask of the maps.
    """

    cube: MeasuredCube
    pixel_scale: float
    maps: Moments
    galaxy: BoolArray
    slit: Slit
    diagram: PositionVelocity
    spectrum: Spectrum

    @cached_property
    def extent(self) -> Extent:
        """Left, right, bottom and top of what is shown, arcsec from the centre of the field."""
        shown = self.galaxy if self.galaxy.any() else np.ones_like(self.galaxy)
        return extent_of(shown, self.pixel_scale)

    @property
    def channel_width(self) -> float:
        """Median width of the channels, km/s."""
        return float(np.median(self.cube.widths))

    @cached_property
    def velocity_range(self) -> float:
        """Half the range of the velocity map's colours, km/s.

        A round number that 97 % of the velocities don't exceed, a channel at least.
        """
        known = _precise(self.maps.velocity_error, self.galaxy) & np.isfinite(self.maps.velocity)
        speeds = np.abs(self.maps.velocity[known])
        largest = float(np.percentile(speeds, 97)) if speeds.size else 0.0
        return rounded_up(max(largest, self.channel_width))

    @cached_property
    def dispersion_range(self) -> tuple[float, float]:
        """Round numbers in km/s between which 96 % of the dispersions lie."""
        known = _precise(self.maps.dispersion_error, self.galaxy)
        known &= np.isfinite(self.maps.dispersion)
        if not known.any():
            return 0.0, 1.0
        low, high = np.percentile(self.maps.dispersion[known], [2, 98])
        top = rounded_up(float(high)) if high > 0 else 1.0
        return float(np.floor(10 * low / top) * top / 10), top

    @cached_property
    def channels(self) -> list[Channel]:
        """Five `channel_maps`."""
        return self.channel_maps(CHANNEL_MAPS)

    def channel_maps(self, number: int) -> list[Channel]:
        """Return means of equally many channels each, which span the range about 0, rising."""
        return _channels(self.cube, self.velocity_range, number)


def view_of(
    cube: ArrayLike,
    velocities: ArrayLike,
    pixel_scale: float,
    *,
    slit_width: float,
    variance: ArrayLike | None = None,
    maps: Moments | None = None,
    systemic_velocity: float = 0.0,
    slit: Slit | None = None,
    noise_correlation: float = 1.0,
    galaxy: BoolArray | None = None,
    aperture: BoolArray | None = None,
) -> CubeView:
    """Measure all that is drawn.

    Parameters
    ----------
    cube, velocities, pixel_scale, variance, maps, systemic_velocity, noise_correlation
        As for `cube_figure`.
    slit : Slit, optional
        By default through the centroid of the flux, along the gradient of the velocity map.
    slit_width : float
        Of that slit, arcsec.
    galaxy, aperture : ndarray (y, x) of bool, optional
        Spaxels that are shown in velocity, and those of the spectrum, in place of what the maps
        say.

    Raises
    ------
    InputError
        If arrays don't fit together, or there is no galaxy.
    """
    relative = np.asarray(velocities, dtype=np.float64) - systemic_velocity
    if maps is None:
        maps = moments(cube, relative, variance=variance)
    else:
        maps = replace(maps, velocity=maps.velocity - systemic_velocity)
    if galaxy is None:
        galaxy = _galaxy(maps)
        if not galaxy.any():
            raise InputError("cube: no line stands out of the noise; nothing to draw")
    slit = slit or major_axis(maps, galaxy, pixel_scale, slit_width)
    return CubeView(
        MeasuredCube.of(cube, relative, variance),
        pixel_scale,
        maps,
        galaxy,
        slit,
        position_velocity(
            cube,
            relative,
            pixel_scale,
            position_angle=slit.position_angle,
            width=slit.width,
            centre=slit.centre,
            variance=variance,
        ),
        spectrum(
            cube,
            relative,
            aperture=maps.mask if aperture is None else aperture,
            variance=variance,
            noise_correlation=noise_correlation,
        ),
    )


def major_axis(maps: Moments, galaxy: BoolArray, pixel_scale: float, width: float) -> Slit:
    """Return the slit through the centroid of the flux, along the gradient of the velocity map.

    The gradient is that of the plane that fits the velocities best, weighted by flux: good enough
    to lay a slit, not to measure an angle.
    """
    rows, columns = np.nonzero(galaxy)
    x = (columns - (galaxy.shape[1] - 1) / 2) * pixel_scale
    y = (rows - (galaxy.shape[0] - 1) / 2) * pixel_scale
    flux, velocity = maps.flux[galaxy], maps.velocity[galaxy]
    centre = (float(np.average(x, weights=flux)), float(np.average(y, weights=flux)))
    return Slit(velocity_gradient(x, y, velocity, flux)[0], centre, width)


def _galaxy(maps: Moments) -> BoolArray:
    """Return the spaxels (y, x) to be shown in velocity: where signal is, of some brightness."""
    if not maps.mask.any() or np.isfinite(maps.flux_error).any():
        return maps.mask
    return np.asarray(maps.mask & (np.nan_to_num(maps.flux) > _FAINT * np.nanmax(maps.flux)))


def _precise(error: FloatArray, galaxy: BoolArray) -> BoolArray:
    """Return the spaxels whose error isn't far above that of most; all if no errors are known."""
    if not np.isfinite(error[galaxy]).any():
        return galaxy
    return np.asarray(galaxy & (error <= _PRECISE * np.nanmedian(error[galaxy])))


def same_channels(cube: MeasuredCube, channels: Sequence[Channel]) -> list[Channel]:
    """Return the means of another cube on the same spectral axis, over the same channels."""
    spans = [np.searchsorted(cube.edges, (one.low - 1e-6, one.high - 1e-6)) for one in channels]
    return [_mean(cube, slice(int(begin), int(end))) for begin, end in spans]


def _channels(cube: MeasuredCube, velocity_range: float, number: int) -> list[Channel]:
    count, channel = len(cube.velocities), float(np.median(cube.widths))
    shown = min(number, count)
    wanted = 2 * velocity_range / shown / channel
    choices = []
    for each in range(1, count // shown + 1):
        off = np.abs(cube.edges[: count + 1 - shown * each] + cube.edges[shown * each :]) / channel
        first = int(np.argmin(off))
        # A map more or less wide by half is as bad as a range that is off by a channel.
        choices.append((abs(each - wanted) / wanted + 0.5 * float(off[first]), each, first))
    _, each, first = min(choices)
    return [_mean(cube, slice(k, k + each)) for k in range(first, first + shown * each, each)]


def _mean(cube: MeasuredCube, part: slice) -> Channel:
    """Return the mean of some channels."""
    known = cube.valid[part].sum(axis=0)
    total = cube.data[part].sum(axis=0)
    image = np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)
    noise = 0.0
    if cube.variance is not None:
        each = part.stop - part.start
        noise = float(np.sqrt(np.median(cube.variance[part][cube.valid[part]]) / each))
    return Channel(cube.edges[part.start], cube.edges[part.stop], image, noise)
