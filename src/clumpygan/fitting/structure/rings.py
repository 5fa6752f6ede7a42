"""Rotation and dispersion ring by ring: where the rings are, how smooth, and what is found of them.

Rings lie 0.7 of a beam apart, from the centre to where light still tells of the velocity. The
rotation is known to vary smoothly, and no more: the standard normal coordinates of the rings'
velocities (see `priors`) are a Gaussian process over the radius, a level that all share and
departures from it that rings share with their neighbours. So is the dispersion's. Beam smearing
is the renderer's: what is fitted is the curve before it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.galaxies.disks.disk_model import FEWEST_RINGS, DiskModel
from clumpygan.galaxies.disks.disk_table import RING_PARAMETERS
from clumpygan.galaxies.disks.parameters import DiskParameters
from clumpygan.galaxies.measuring.profiles import profiles_of

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

FloatArray = NDArray[np.float64]

PARAMETRIC = DiskModel().curve
"""The curve that is fitted first, and drawn beside the rings."""

NOT_OF_RINGS = ("maximum_velocity", "velocity_dispersion")
"""Parameters that rings stand for: what is said about them counts in the fit that is made first."""

_STEP = 0.7
"""Distance of rings in beams, at least."""

_MOST = 12
"""Rings that are made by default."""

_SIGNAL = 5.0
"""S/N of the light of an annulus, around the major axis, from which on it has a ring."""

_TILTED = 75.0
"""Degrees of inclination above which radii are read along the major axis alone."""

_SHARED = {"velocity": 0.75, "dispersion": 0.75}
"""Share of the prior's variance in the level that all rings have."""

_LENGTH = {"velocity": 2.0, "dispersion": 3.0}
"""Length of the correlation of their departures, in distances of neighbours."""

_OWN = 0.01
"""Share of the prior's variance that each ring has to itself."""


def ring_mixing(model: DiskModel, names: Sequence[str]) -> FloatArray | None:
    """Return the factor (n, n) whose product with itself correlates the coordinates of rings.

    Parameters
    ----------
    model : DiskModel
    names : sequence of str
        Of the n free parameters; those that belong to no ring are independent.
    """
    if not model.ring_radii:
        return None
    radii = np.array(model.ring_radii)
    step = float(np.median(np.diff(radii)))
    correlation = np.eye(len(names))
    for row in RING_PARAMETERS:
        named = {ring_name(k, row.name): k for k in range(len(radii))}
        places = [place for place, name in enumerate(names) if name in named]
        away = radii[[named[names[place]] for place in places]] / (_LENGTH[row.name] * step)
        level = _SHARED[row.name]
        near = (1 - level - _OWN) * np.exp(-0.5 * np.subtract.outer(away, away) ** 2)
        correlation[np.ix_(places, places)] = level + near + _OWN * np.eye(len(places))
    return np.asarray(np.linalg.cholesky(correlation))


def ring_name(place: int, what: str) -> str:
    """Return the name of the velocity or dispersion of a ring, the innermost being 0."""
    return f"ring_{place + 1}_{what}"


def ring_radii(smooth: "FitResult") -> tuple[float, ...]:
    """Return the radii in arcsec of rings for a galaxy whose parametric fit is known."""
    frame = smooth.observation.frame
    step = max(_STEP * (frame.psf_fwhm or 0.0), frame.grid.pixel_scale)
    outermost = _last_radius(smooth, step)
    step = max(step, outermost / _MOST)
    count = max(math.floor(outermost / step + 0.5), FEWEST_RINGS)
    return tuple(round(step * (k + 0.5), 4) for k in range(count))


def _last_radius(smooth: "FitResult", step: float) -> float:
    """Return the outer end of the last annulus in which light tells of the velocity, in arcsec."""
    observation, values = smooth.observation, smooth.values
    grid = observation.frame.grid
    noise = np.where(observation.valid, observation.variance, np.inf)
    signal = (smooth.model_cube.astype(np.float64) ** 2 / noise).sum(axis=0)
    y, x = (
        grid.pixel_scale * (np.arange(n) - 0.5 * (n - 1)) - values[name]
        for n, name in zip(grid.shape[1:], ("offset_y", "offset_x"), strict=True)
    )
    angle = math.radians(values["position_angle"])
    along = np.abs(-x * math.sin(angle) + y[:, None] * math.cos(angle))
    across = np.abs(x * math.cos(angle) + y[:, None] * math.sin(angle))
    radius = along
    near = across < step
    if values["inclination"] < _TILTED:
        radius = np.hypot(along, across / math.cos(math.radians(values["inclination"])))
        near = along > math.sqrt(0.5) * radius
    place = (radius[near] / step).astype(int)
    seen = np.sqrt(np.bincount(place, signal[near])) > _SIGNAL
    dark = np.flatnonzero(~seen)
    return step * float(dark[0] if dark.size else seen.size)


def ring_values(smooth: DiskParameters, radii: Sequence[float]) -> dict[str, float]:
    """Return velocities and dispersions that a smooth galaxy has at radii, by their names."""
    velocities, sigmas = profiles_of(smooth, radii)
    values: dict[str, float] = {}
    for k, pair in enumerate(zip(velocities, sigmas, strict=True)):
        values |= {
            ring_name(k, row.name): value for row, value in zip(RING_PARAMETERS, pair, strict=True)
        }
    return values


def ring_table(result: "FitResult", smooth: "FitResult") -> Table:
    """Return what is known of the rings, a row for each.

    `radius` in arcsec; `velocity` and `dispersion` in km/s, each the median with `_lower` and
    `_upper`, the ends of the 68 % interval; `parametric_velocity` and `parametric_dispersion` of
    the fit that was made first.

    Parameters
    ----------
    result : FitResult
        With rings.
    smooth : FitResult
        The parametric fit.
    """
    radii = result.coordinates.model.ring_radii
    known = {str(row["name"]): row for row in result.table}
    columns: dict[str, Any] = {"radius": np.array(radii)}
    for row in RING_PARAMETERS:
        for part, ending in (("median", ""), ("lower", "_lower"), ("upper", "_upper")):
            columns[row.name + ending] = np.array(
                [_found(known, result.values, ring_name(k, row.name), part)
                 for k in range(len(radii))]
            )  # fmt: skip
    velocities, sigmas = profiles_of(smooth.galaxy, radii)
    columns |= {"parametric_velocity": velocities, "parametric_dispersion": sigmas}
    units = {name: "arcsec" if name == "radius" else "km/s" for name in columns}
    return Table(columns, units=units, meta={"parametric_curve": smooth.galaxy.curve})


def _found(known: Mapping[str, Any], values: Mapping[str, float], name: str, part: str) -> float:
    """Return a part of the interval of a parameter, its value if it wasn't free."""
    return float(known[name][part]) if name in known else values[name]
