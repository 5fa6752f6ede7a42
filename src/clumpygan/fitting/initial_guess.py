"""The initial guess of a fit, from the moment maps of the cube, and vectors to start from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.errors import InputError
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.parameter_choices import DOUBLET
from clumpygan.galaxies.disks.disk_model import MASS_CURVES
from clumpygan.galaxies.disks.halo_relations import HUBBLE_CONSTANT
from clumpygan.galaxies.measuring.line_identification import (
    Identification,
    closest_lines,
    identify_lines,
)
from clumpygan.galaxies.measuring.moments import Moments, moments
from clumpygan.galaxies.measuring.position_velocity import velocity_gradient
from clumpygan.galaxies.rendering.thick_sersic import GRAVITY
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_FAINTEST_LINE = 0.02
"""Share of the brightest line, below which a line isn't looked for in single spaxels."""

_FEWEST_SPAXELS = 6
"""Spaxels of the moment maps, below which those around the brightest place are taken."""

_SIZE_PER_SIGMA = 0.97
"""Half-light radius of an exponential disk over its standard deviation along the major axis."""

_TURNOVER = 0.3
"""Turnover radius over the half-light radius."""

_SMALLEST_RATIO = 0.2
"""Least ratio of the axes, and with it the largest inclination."""

_SMALLEST_SIZE = 0.7
"""Least standard deviation of the flux, in those of the PSF."""

INCLINATIONS = (35.0, 60.0, 78.0)
"""Degrees from which fits start, besides that of the axis ratio: with the maximum velocity it is
the parameter that a poor start gets stuck in. The near side needs none of its own: of a transparent
disk both look the same."""

_ALIKE = 8.0
"""Degrees of inclination between starts."""

_CLEAR = 100.0
"""Chi^2 that lines gain, above which a place that they can't have, or two, are no noise."""

_AS_NEAR = 2.0
"""Times farther from 0 may be another velocity of the lines that isn't less likely for that."""

_FARTHEST = 2.5
"""Standard deviations of the prior: starts beyond are brought here, away from bounds."""


@dataclass(frozen=True)
class InitialGuess:
    """What the moment maps say of the parameters.

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
    lines : tuple of float
        Relative fluxes of several lines, in their order; empty of one line, or of lines that lie
        too close to be told apart.
    identified : Identification or None
        Where these are.
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
    lines: tuple[float, ...] = ()
    identified: Identification | None = None

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
            **self._ratios(),
        }

    def _ratios(self) -> dict[str, float]:
        """Return the first over the second line, and those that follow over it."""
        if len(self.lines) < 2:
            return {}
        fluxes = np.maximum(self.lines, _FAINTEST_LINE * max(self.lines))
        others = {f"line_{k}_ratio": fluxes[k - 1] / fluxes[1] for k in range(3, len(fluxes) + 1)}
        return {"doublet_ratio": float(fluxes[0] / fluxes[1]), **others}


def guess_parameters(observation: Observation) -> InitialGuess:
    """Measure a first guess of the parameters on the moment maps of a cube.

    Parameters
    ----------
    observation : Observation

    Raises
    ------
    InputError
        If no line stands out of the noise.
    """
    grid = observation.frame.grid
    found = find_lines(observation)
    lines = () if found is None else tuple(found.fluxes.tolist())
    maps = _maps(observation, line_shares(observation, found))
    if found is not None:
        maps = _of_these_lines(maps, found.velocity, 0.5 * closest_lines(grid.edges))
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
    angle, gradient = velocity_gradient(x - centre_x, y - centre_y, velocity, weight)
    low, high = np.percentile(velocity, [8, 92])
    width = grid.channel_width
    # The range of velocities holds noise, the gradient is that of the smeared middle.
    rotation = max(0.6 * (high - low), gradient * math.sqrt(long), 0.2 * width)
    known = maps.mask & np.isfinite(maps.dispersion)
    dispersion = float(np.median(maps.dispersion[known])) if known.any() else 0.5 * width
    return InitialGuess(
        flux=float(weight.sum()),
        x=float(centre_x),
        y=float(centre_y),
        velocity=systemic,
        radius=_SIZE_PER_SIGMA * math.sqrt(long),
        inclination=math.degrees(math.acos(ratio)),
        position_angle=angle,
        rotation=float(rotation),
        dispersion=max(0.7 * dispersion, 0.1 * width),
        lines=lines,
        identified=found,
    )


def check_identification(guess: InitialGuess, observation: Observation) -> None:
    """Refuse lines of which it isn't clear which is which, or whose first isn't in the channels.

    Parameters
    ----------
    guess : InitialGuess
    observation : Observation

    Raises
    ------
    InputError
    """
    found, edges = guess.identified, observation.frame.grid.edges[0]
    if found is None or found.gain < _CLEAR:
        return
    low, high = sorted((float(edges[0]), float(edges[-1])))
    remedy = "give another `redshift`, a wider `velocity_range`, or `start` systemic_velocity"
    if not low <= found.velocity <= high:
        raise InputError(
            f"the lines that are seen may be those of a galaxy at {found.velocity:.0f} km/s, where "
            f"the first isn't among the channels, {low:.0f} to {high:.0f} km/s: {remedy}"
        )
    if found.rival is not None and abs(found.rival) < _AS_NEAR * abs(found.velocity):
        raise InputError(
            f"the lines that are seen may be those of a galaxy at {found.velocity:.0f} km/s or, "
            f"one taken for another, at {found.rival:.0f}: {remedy}"
        )


def starting_vectors(
    guess: InitialGuess, coordinates: Coordinates, given: Mapping[str, float]
) -> list[FloatArray]:
    """Return parameter vectors (P,) to start from, the likeliest first.

    Parameters
    ----------
    guess : InitialGuess
        What the moment maps say.
    coordinates : Coordinates
    given : mapping of str to float
        Values that a user wants to start from.
    """
    inclinations: list[float | None] = [None]
    if "inclination" in coordinates.names and "inclination" not in given:
        inclinations += [i for i in INCLINATIONS if abs(i - guess.inclination) > _ALIKE]
    starts = [guess.values(i) for i in inclinations]
    if coordinates.model.curve in MASS_CURVES:
        scale = float(coordinates.base[coordinates.model.index("angular_scale")])
        starts = [one | _masses(one, scale) for one in starts]
    return [starting_vector(coordinates, one | dict(given)) for one in starts]


def _masses(values: Mapping[str, float], scale: float) -> dict[str, float]:
    """Return masses that make a galaxy rotate as fast, half of it by its halo.

    Parameters
    ----------
    values : mapping of str to float
    scale : float
        kpc per arcsec.
    """
    squared = max(values["maximum_velocity"], 1.0) ** 2
    disk = squared * scale * values["half_light_radius"] / GRAVITY
    # V_200^3 = 10 G H M: of today's H, for the mass needn't be good.
    halo = squared**1.5 / (1e-2 * HUBBLE_CONSTANT * GRAVITY)
    return {"log_baryonic_mass": math.log10(disk), "log_halo_mass": math.log10(halo) - 0.5}


def starting_vector(coordinates: Coordinates, values: Mapping[str, float]) -> FloatArray:
    """Return the vector (P,) of values; free parameters without one have their default.

    Or the middle of their prior, if the default is elsewhere.
    """
    vector, model = coordinates.base.copy(), coordinates.model
    for name, prior in zip(coordinates.names, coordinates.priors, strict=True):
        place = model.index(name)
        default = model.table[place].default
        inside = abs(float(prior.coordinate(default))) < _FARTHEST
        vector[place] = values.get(name, default if inside else float(prior.value(0.0)))
    return vector


def away_from_bounds(coordinates: Coordinates, vector: FloatArray) -> FloatArray:
    """Return the coordinates (n,) of a vector (P,), not too far from the middle of the prior."""
    return np.clip(coordinates.coordinates(vector), -_FARTHEST, _FARTHEST)


def find_lines(observation: Observation) -> Identification | None:
    """Return where several lines are, and their fluxes, in the spectrum of what is brightest.

    Without them a velocity that puts one line on another's place looks as good. None of one line,
    or of lines that lie too close to be told apart.
    """
    grid = observation.frame.grid
    edges = grid.edges if grid.edges[0, -1] > grid.edges[0, 0] else grid.edges[:, ::-1]
    if len(edges) < 2 or np.abs(edges - edges[0]).mean(axis=1).max() < DOUBLET:
        return None
    light = _brightest(observation).any(axis=0)
    known = observation.valid & light
    spectrum = np.where(known, observation.data, 0.0).sum(axis=(1, 2))
    variance = np.where(known, observation.variance, 0.0).sum(axis=(1, 2))
    variance[variance == 0] = np.inf
    return identify_lines(spectrum, variance, edges)


def _of_these_lines(maps: Moments, velocity: float, reach: float) -> Moments:
    """Leave out spaxels in which one line was taken for another, unless these are all."""
    with np.errstate(invalid="ignore"):
        near = maps.mask & (np.abs(maps.velocity - velocity) < reach)
    return replace(maps, mask=near) if near.any() else maps


def line_shares(
    observation: Observation, found: Identification | None
) -> tuple[tuple[float, float], ...]:
    """Return offset in km/s and relative flux of the lines that are there, for `moments`.

    Parameters
    ----------
    observation : Observation
    found : Identification or None
        By `find_lines`.
    """
    grid = observation.frame.grid
    shares = grid.line_fluxes if found is None else found.fluxes / found.fluxes.max()
    return tuple(
        (float(offset), float(share))
        for offset, share in zip(grid.line_offsets, shares, strict=True)
        if share > _FAINTEST_LINE
    )


def _maps(observation: Observation, lines: tuple[tuple[float, float], ...]) -> Moments:
    """Return the moment maps, or those of what is brightest where the line hardly stands out."""
    grid, valid = observation.frame.grid, observation.valid
    cube = np.where(valid, observation.data, np.nan)
    spread = np.where(valid, observation.variance, np.nan)
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
    # What stands out most is the brightest line.
    brightest, _ = max(lines, key=lambda line: line[1])
    maps = moments(
        cube,
        velocities - brightest,
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
    return replace(maps, mask=labels == 1 + int(np.argmax(flux)))


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
