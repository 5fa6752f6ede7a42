"""Starting values of a fit, from the moment maps of the cube."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.errors import InputError
from clumpygan.fitting.observation import Observation
from clumpygan.galaxies.moments import Moments, moments
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_FEWEST_SPAXELS = 6
_SIZE_PER_SIGMA = 0.97
"""Half-light radius of an exponential disk over its standard deviation along the major axis."""

_TURNOVER = 0.3
"""Half-light radii."""

_SMALLEST_RATIO = 0.2
_SMALLEST_SIZE = 0.7


@dataclass(frozen=True)
class Look:
    """What the moment maps say.

    Attributes
    ----------
    flux : float
    x, y : float
        Arcsec from the middle of the field.
    velocity : float
        Systemic, km/s.
    radius : float
        Half-light radius, arcsec.
    inclination : float
        Degrees.
    position_angle : float
        Of the receding side, degrees.
    rotation : float
        Half the range of line-of-sight velocities, km/s.
    dispersion : float
        km/s.
    """

    flux: float
    x: float
    y: float
    velocity: float
    radius: float
    inclination: float
    position_angle: float
    rotation: float
    dispersion: float

    def values(self, inclination: float | None = None) -> dict[str, float]:
        """Return starting values by the names of the table of parameters.

        Parameters
        ----------
        inclination : float, optional
            In place of its own; the maximum velocity goes with it.
        """
        tilt = self.inclination if inclination is None else inclination
        velocity = self.rotation / math.sin(math.radians(tilt))
        return {
            "flux": self.flux,
            "offset_x": self.x,
            "offset_y": self.y,
            "systemic_velocity": self.velocity,
            "half_light_radius": self.radius,
            "inclination": tilt,
            "position_angle": self.position_angle % 360.0,
            "maximum_velocity": velocity,
            "halo_velocity": velocity,
            "halo_radius": self.radius,
            "turnover_radius": _TURNOVER * self.radius,
            "velocity_dispersion": self.dispersion,
            "ring_width": 0.3 * self.radius,
        }


def look_at(observation: Observation) -> Look:
    """Measure starting values on the moment maps of a cube.

    Parameters
    ----------
    observation : Observation

    Raises
    ------
    InputError
        If no line stands out of the noise.
    """
    grid = observation.frame.grid
    maps = _maps(observation)
    rows, columns = np.nonzero(maps.mask)
    weight = maps.flux[maps.mask]
    scale = grid.pixel_scale
    x = (columns - 0.5 * (grid.shape[2] - 1)) * scale
    y = (rows - 0.5 * (grid.shape[1] - 1)) * scale
    centre_x, centre_y = np.average(x, weights=weight), np.average(y, weights=weight)
    major, minor = _axes(x - centre_x, y - centre_y, weight)
    blur = (observation.frame.psf_fwhm or 0.0) / FWHM_PER_SIGMA
    # The mask cuts the outskirts off, and a faint galaxy's size with them.
    smallest = max(0.3 * scale, _SMALLEST_SIZE * blur) ** 2
    long, short = (max(axis - blur**2, smallest) for axis in (major, minor))
    ratio = min(max(math.sqrt(short / long), _SMALLEST_RATIO), 0.97)
    velocity = maps.velocity[maps.mask]
    systemic = float(np.average(velocity, weights=weight))
    angle, gradient = _gradient(x - centre_x, y - centre_y, velocity, weight)
    low, high = np.percentile(velocity, [8, 92])
    width = grid.channel_width
    # The range of velocities holds noise, the gradient is that of the smeared middle.
    rotation = max(0.6 * (high - low), gradient * math.sqrt(long), 0.2 * width)
    known = maps.mask & np.isfinite(maps.dispersion)
    dispersion = float(np.median(maps.dispersion[known])) if known.any() else 0.5 * width
    return Look(
        flux=float(weight.sum()),
        x=float(centre_x),
        y=float(centre_y),
        velocity=systemic,
        radius=_SIZE_PER_SIGMA * math.sqrt(long),
        inclination=math.degrees(math.acos(ratio)),
        position_angle=angle,
        rotation=float(rotation),
        dispersion=max(0.7 * dispersion, 0.1 * width),
    )


def _maps(observation: Observation) -> Moments:
    """Return the moment maps, or those of what is brightest where the line hardly stands out."""
    grid, valid = observation.frame.grid, observation.valid
    cube = np.where(valid, observation.data, np.nan)
    spread = np.where(valid, observation.variance, np.nan)
    offsets = np.mean(grid.edges[:1] - grid.edges, axis=1)
    lines = tuple(zip(offsets.tolist(), grid.line_fluxes, strict=True))
    method = "moments" if len(lines) == 1 else "gaussian"
    velocities = grid.centres[0]
    maps = moments(
        cube,
        velocities,
        variance=spread,
        method=method,
        lines=lines,
        line_spread=grid.line_spread[0],
        channel_response=grid.channel_response,
    )
    if maps.mask.sum() >= _FEWEST_SPAXELS:
        return _without_neighbours(maps)
    chosen = _brightest(observation)
    maps = moments(
        cube,
        velocities,
        voxels=chosen,
        line_spread=grid.line_spread[0],
        channel_response=grid.channel_response,
    )
    if not maps.mask.any():
        raise InputError(
            "no line stands out of the noise: expected a galaxy; give starting values or a "
            "narrower range of velocities"
        )
    return maps


def _without_neighbours(maps: Moments) -> Moments:
    """Keep the brightest of several separate sources."""
    labels, count = ndimage.label(maps.mask, np.ones((3, 3)))
    if count == 1:
        return maps
    flux = ndimage.sum(np.nan_to_num(maps.flux), labels, np.arange(1, count + 1))
    mask = labels == 1 + int(np.argmax(flux))
    return Moments(
        maps.flux, maps.velocity, maps.dispersion, maps.flux_error, maps.velocity_error,
        maps.dispersion_error, mask,
    )  # fmt: skip


def _brightest(observation: Observation) -> NDArray[np.bool_]:
    """Return the voxels around the brightest place of the smoothed cube that stand out there."""
    sharp = np.where(observation.valid, 1 / observation.variance, 0.0)
    width = max(1.0, (observation.frame.psf_fwhm or 0.0) / observation.frame.grid.pixel_scale / 2)
    sigma = (1.0, width, width)
    signal = ndimage.gaussian_filter(observation.data * sharp, sigma, mode="constant")
    weight = ndimage.gaussian_filter(sharp, sigma, mode="constant")
    smooth = np.divide(signal, np.sqrt(weight), out=np.zeros_like(signal), where=weight > 0)
    peak = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    labels, _ = ndimage.label(smooth > 0.4 * smooth[peak])
    return np.asarray(labels == labels[peak]) & observation.valid


def _axes(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return the variances along the major and minor axis of the flux."""
    covariance = np.cov(np.stack([x, y]), aweights=np.maximum(weight, 0), bias=True)
    minor, major = np.linalg.eigvalsh(np.atleast_2d(covariance))
    return float(major), float(minor)


def _gradient(
    x: FloatArray, y: FloatArray, velocity: FloatArray, weight: FloatArray
) -> tuple[float, float]:
    """Return direction (degrees from +y towards -x) and size of the gradient of the velocity."""
    root = np.sqrt(np.maximum(weight, 0))
    plane = np.stack([np.ones_like(x), x, y], axis=1)
    slopes = np.linalg.lstsq(plane * root[:, None], velocity * root, rcond=None)[0][1:]
    angle = math.degrees(math.atan2(-slopes[0], slopes[1])) % 360.0
    return angle, float(np.hypot(*slopes))
