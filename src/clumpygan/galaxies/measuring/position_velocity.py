"""Position-velocity diagrams: the flux in a slit, by position along it and by velocity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube

FloatArray = NDArray[np.float64]

_LEAST_COVERAGE = 0.5  # of a cell's area that must be known


@dataclass(frozen=True, eq=False)
class PositionVelocity:
    """The flux in a slit.

    Attributes
    ----------
    offsets : ndarray (s,)
        Centres of the cells along the slit in arcsec, positive on the receding side.
    velocities : ndarray (v,)
        Centres of the channels in km/s, rising.
    diagram : ndarray (v, s)
        Flux in each cell and channel, float64; NaN where less than half of the cell is known.
    error : ndarray (v, s) or None
        One sigma, as if voxels were independent; None for a cube without variance.
    """

    offsets: FloatArray
    velocities: FloatArray
    diagram: FloatArray
    error: FloatArray | None


def position_velocity(
    cube: ArrayLike,
    velocities: ArrayLike,
    pixel_scale: float,
    *,
    position_angle: float,
    width: float,
    centre: tuple[float, float] = (0.0, 0.0),
    length: float | None = None,
    step: float | None = None,
    variance: ArrayLike | None = None,
) -> PositionVelocity:
    """Sum a cube across a slit.

    The slit is divided into cells of `step` x `width`, and each takes from every pixel the share
    of its area that lies in the cell, exactly: no flux is lost or counted twice. Where part of a
    cell is unknown (off the field, or NaN), what is known stands for the whole.

    Parameters
    ----------
    cube : array_like (v, y, x)
        Flux per voxel; NaN where unknown.
    velocities : array_like (v,)
        Centres of the channels in km/s, rising or falling.
    pixel_scale : float
        Arcsec.
    position_angle : float
        Of the slit's positive end in degrees from +y towards -x: that of the galaxy's major axis,
        which points to its receding side.
    width : float
        Of the slit, arcsec.
    centre : (float, float)
        x and y of the slit's centre in arcsec from the centre of the field.
    length : float, optional
        Of the slit in arcsec, rounded up to an odd number of cells; by default as long as the
        field is at that angle.
    step : float, optional
        Length of a cell in arcsec; a pixel by default.
    variance : array_like (v, y, x) or (v,), or float, optional
        Of the flux per voxel.

    Returns
    -------
    PositionVelocity

    Raises
    ------
    InputError
        If shapes don't fit together, a size isn't above 0, the angle isn't finite, or the
        slit lies off the field.

    Examples
    --------
    >>> grid = CubeGrid.velocities((20, 24, 24), 0.2, 40.0)
    >>> galaxy = DiskParameters(inclination=60, maximum_velocity=200, position_angle=90)
    >>> cube = render_cube(galaxy, grid)
    >>> slit = position_velocity(cube, grid.centres[0], 0.2, position_angle=90, width=0.6)
    >>> slit.diagram.shape, slit.offsets.size, slit.velocities.size
    ((20, 25), 25, 20)
    """
    measured = MeasuredCube.of(cube, velocities, variance)
    count_y, count_x = measured.data.shape[1:]
    if not np.isfinite(position_angle):
        raise InputError(f"position_angle is {position_angle}: expected a finite number of degrees")
    angle = np.radians(position_angle)
    if length is None:
        field = count_x * abs(np.sin(angle)) + count_y * abs(np.cos(angle))
        length = 2 * np.hypot(*centre) + float(field) * pixel_scale
    step = pixel_scale if step is None else step
    _check_sizes(pixel_scale=pixel_scale, width=width, length=length, step=step)
    cells = 2 * int(np.ceil(length / step / 2 - 0.5 - 1e-6)) + 1
    bounds = np.asarray(step * (np.arange(cells + 1) - cells / 2), dtype=np.float64)
    y, x = np.indices((count_y, count_x), dtype=np.float64).reshape(2, -1)
    x = (x - (count_x - 1) / 2) * pixel_scale - centre[0]
    y = (y - (count_y - 1) / 2) * pixel_scale - centre[1]
    along, across = -x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    reach = np.sqrt(0.5) * pixel_scale
    near = (np.abs(across) < width / 2 + reach) & (np.abs(along) < bounds[-1] + reach)
    share = _overlaps(along[near], across[near], pixel_scale, float(angle), bounds, width)
    share /= pixel_scale**2
    if not share.any():
        raise InputError(f"centre is {centre} arcsec: the slit lies off the field")
    flux, valid = (part.reshape(len(part), -1)[:, near] for part in (measured.data, measured.valid))
    coverage = valid @ share * pixel_scale**2 / (step * width)
    scale = np.divide(1, coverage, out=np.full_like(coverage, np.nan),
                      where=coverage > _LEAST_COVERAGE)  # fmt: skip
    error = None
    if measured.variance is not None:
        noise = measured.variance.reshape(len(flux), -1)[:, near]
        error = np.sqrt(np.where(valid, noise, 0.0) @ share**2) * scale
    offsets = 0.5 * (bounds[1:] + bounds[:-1])
    return PositionVelocity(offsets, measured.velocities, flux @ share * scale, error)


def velocity_gradient(
    x: FloatArray, y: FloatArray, velocity: FloatArray, weight: FloatArray
) -> tuple[float, float]:
    """Return the gradient of the plane that fits velocities best: where the major axis lies.

    Parameters
    ----------
    x, y : ndarray (N,)
        Places, arcsec.
    velocity, weight : ndarray (N,)
        Velocities in km/s there, and how much each counts.

    Returns
    -------
    angle : float
        Towards the receding side, degrees from +y towards -x.
    size : float
        km/s per arcsec.
    """
    root = np.sqrt(np.maximum(weight, 0))
    plane = np.stack([np.ones_like(x), x, y], axis=1)
    slopes = np.linalg.lstsq(plane * root[:, None], velocity * root, rcond=None)[0][1:]
    return float(np.degrees(np.arctan2(-slopes[0], slopes[1])) % 360.0), float(np.hypot(*slopes))


def _check_sizes(**sizes: float) -> None:
    for name, size in sizes.items():
        if not 0 < size < np.inf:
            raise InputError(f"{name} is {size} arcsec: expected a number above 0")


def _overlaps(
    along: FloatArray,
    across: FloatArray,
    pixel_scale: float,
    angle: float,
    bounds: FloatArray,
    width: float,
) -> FloatArray:
    """Return the area (n, s) that square pixels share with the cells of a slit.

    By Green's theorem, the part of a pixel with s < S and |t| < w/2 has the area of the boundary
    integral of min(s, S) dt over the pixel's edges, as far as they lie within |t| < w/2.

    Parameters
    ----------
    along, across : ndarray (n,)
        Coordinates s and t of the pixels' centres in the frame of the slit.
    pixel_scale, angle : float
        Side of the pixels, and angle of the slit in radians.
    bounds : ndarray (s + 1,)
        Of the cells along s.
    width : float
        Of the slit, along t.
    """
    half = 0.5 * pixel_scale
    x, y = half * np.array([-1, 1, 1, -1]), half * np.array([-1, -1, 1, 1])
    # The corners run counter-clockwise in (x, y), which is clockwise in (s, t): hence the minus.
    s = along[:, None] - x * np.sin(angle) + y * np.cos(angle)
    t = across[:, None] + x * np.cos(angle) + y * np.sin(angle)
    area = np.zeros((len(along), len(bounds)))
    for corner in range(4):
        area -= _integral_below(
            s[:, corner], t[:, corner], s[:, corner - 3], t[:, corner - 3], bounds, width / 2
        )
    return np.clip(np.diff(area, axis=1), 0.0, None)


def _integral_below(
    s_0: FloatArray,
    t_0: FloatArray,
    s_1: FloatArray,
    t_1: FloatArray,
    bounds: FloatArray,
    limit: float,
) -> FloatArray:
    """Return the integral (n, S) of min(s, S) dt along straight edges, where |t| < limit."""
    begin, end = np.clip(t_0, -limit, limit), np.clip(t_1, -limit, limit)
    run = t_1 - t_0
    slope = np.divide(s_1 - s_0, run, out=np.zeros_like(run), where=run != 0)
    first = (s_0 + slope * (begin - t_0))[:, None]
    last = (s_0 + slope * (end - t_0))[:, None]
    # The mean of min(s, S) over an edge is the difference of its antiderivative over that of s.
    rise = last - first
    level = np.abs(rise) < 1e-9 * (1 + np.abs(first))
    mean = np.divide(_antiderivative(last, bounds) - _antiderivative(first, bounds), rise,
                     out=np.minimum(first, bounds), where=~level)  # fmt: skip
    return np.asarray(mean * (end - begin)[:, None])


def _antiderivative(s: FloatArray, bounds: FloatArray) -> FloatArray:
    """Return the integral of min(s, S) over s, from 0."""
    below = np.minimum(s, bounds)
    return np.asarray(0.5 * below**2 + bounds * (s - below))
