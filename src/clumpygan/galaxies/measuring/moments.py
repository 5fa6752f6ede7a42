"""Maps of flux, velocity and velocity dispersion of a cube of one line, and their errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.line_fitting import fit_lines
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.signal_mask import signal_mask

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

METHODS = ("moments", "gaussian")

SMALLEST_ISLAND = 5
"""Adjoining spaxels with signal, below which they count as noise."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What a line looks like at every position: maps (y, x), float64, NaN where unknown.

    Attributes
    ----------
    flux : ndarray
        Of the line, in the unit of the cube (per voxel) summed over the channels.
    velocity : ndarray
        Mean velocity of the flux, km/s.
    dispersion : ndarray
        Standard deviation of the velocity, km/s, without the line spread function and the width
        of the channels; NaN too where those are wider than the line.
    flux_error, velocity_error, dispersion_error : ndarray
        One sigma by linear propagation of the variance, taken as independent from channel to
        channel; NaN for a cube without variance.
    mask : ndarray of bool
        Spaxels where flux and velocity are to be trusted: all others are NaN in every map.
    """

    flux: FloatArray
    velocity: FloatArray
    dispersion: FloatArray
    flux_error: FloatArray
    velocity_error: FloatArray
    dispersion_error: FloatArray
    mask: BoolArray


def moments(
    cube: ArrayLike,
    velocities: ArrayLike,
    *,
    variance: ArrayLike | None = None,
    method: str = "moments",
    signal_to_noise: float = 3.0,
    window: tuple[float, float] | None = None,
    voxels: ArrayLike | None = None,
    lines: Sequence[tuple[float, float]] = ((0.0, 1.0),),
    line_spread: float = 0.0,
    channel_response: bool = True,
) -> Moments:
    """Measure flux, velocity and dispersion of the line in every spaxel.

    "moments" sums over channels:

        F = sum f_i,   v = sum f_i v_i / F,   s^2 = sum f_i (v_i - v)^2 / F - line_spread^2 - w^2/12

    with w the width of the channels (Sheppard's correction). Exact without noise. Noise in
    channels without line would ruin v and s, so a cube with variance is summed only where its
    smoothed copy stands out of the noise (`signal_mask`). Nothing is assumed of the line's shape,
    but its faint wings are clipped: the dispersion comes out too low, by 4 % where the line's peak
    is 5 times the noise of a channel, and by 10 to 20 % at the mask's edge.

    "gaussian" fits one Gaussian, or several lines of known separations and ratios, to all channels
    of the spaxels with signal. Nothing is clipped, and on lines that are Gaussian it is up to twice
    as precise. Where they are skewed or double (beam-smeared centres, edge-on disks) the velocity
    leans towards the peak, and the flux is off by the mismatch.

    Of both: near the limit of detection only upward fluctuations are kept, so that fluxes there
    are too high (by half at the rim of a disk of peak S/N 5), and where the line is narrower than
    the line spread only those dispersions are left that noise made wider.

    Parameters
    ----------
    cube : array_like (v, y, x)
        Flux per voxel; a cube of flux density has to be multiplied by the widths of its channels
        first. Without continuum. NaN voxels count as if they weren't there.
    velocities : array_like (v,)
        Centres of the channels in km/s, rising or falling; their distances may differ.
    variance : array_like (v, y, x) or (v,), or float, optional
        Of the flux per voxel. Without it the cube counts as free of noise.
    method : {"moments", "gaussian"}
        As above.
    signal_to_noise : float
        Least ratio of flux to its error for a spaxel to be kept, where there is a variance.
    window : (float, float), optional
        Velocities in km/s between which channels are used; all by default.
    voxels : array_like of bool, (v, y, x) or (y, x), optional
        Where the line is, instead of `signal_mask`: other voxels count as if they weren't there,
        and small groups of spaxels (below `SMALLEST_ISLAND`) are kept.
    lines : sequence of (float, float)
        Offset in km/s from the first, and relative flux, of the lines in the cube: for the [OII]
        doublet ((0, 1), (224, 1.4)). More than one only with "gaussian".
    line_spread : float
        Standard deviation of the line spread function in km/s, taken off in quadrature.
    channel_response : bool
        Whether the channels' width comes on top of `line_spread` (as for `CubeGrid`); False where
        it was measured on lines in the same channels.

    Returns
    -------
    Moments

    Raises
    ------
    InputError
        If shapes don't fit together, a variance isn't above 0, the window is empty, or an option
        isn't one of those above.

    Examples
    --------
    >>> grid = CubeGrid.velocities((20, 24, 24), 0.2, 40.0)
    >>> galaxy = DiskParameters(inclination=60, maximum_velocity=200, position_angle=90)
    >>> cube = render_cube(galaxy, grid)
    >>> maps = moments(cube, grid.centres[0])
    >>> bool(maps.velocity[12, 2] > 100 > -100 > maps.velocity[12, 21])  # it recedes at -x
    True
    """
    if method not in METHODS:
        raise InputError(f"method is {method!r}: expected one of {', '.join(METHODS)}")
    if not 0 <= line_spread < np.inf:
        raise InputError(f"line_spread is {line_spread} km/s: expected a number, 0 or above")
    lines = _checked_lines(lines, method)
    measured = MeasuredCube.of(_blanked(cube, voxels), velocities, variance)
    inside = measured.within(window)
    chosen = inside.valid
    if voxels is None and variance is not None:
        chosen = signal_mask(inside)
    if method == "gaussian":
        maps = _fitted(inside, chosen, lines, channel_response)
    else:
        maps = _summed(inside, chosen, channel_response)
    trusted = trusted_spaxels(maps, variance is not None, signal_to_noise)
    if voxels is None and variance is not None:
        trusted = without_islands(trusted)
    return moments_of(maps, trusted, line_spread)


def _checked_lines(
    lines: Sequence[tuple[float, float]], method: str
) -> tuple[tuple[float, float], ...]:
    checked = tuple((float(offset), float(ratio)) for offset, ratio in lines)
    if not checked or not np.isfinite(checked).all() or min(ratio for _, ratio in checked) <= 0:
        raise InputError(f"lines is {checked}: expected pairs of offset in km/s and flux above 0")
    if len(checked) > 1 and method != "gaussian":
        raise InputError(
            f"{len(checked)} lines: their moments can't be told apart; use method='gaussian'"
        )
    return checked


def _blanked(cube: ArrayLike, voxels: ArrayLike | None) -> ArrayLike:
    """Return the cube with NaN in all voxels that weren't chosen."""
    if voxels is None:
        return cube
    data, chosen = np.asarray(cube, dtype=np.float64), np.asarray(voxels, dtype=bool)
    if chosen.shape not in (data.shape, data.shape[1:]):
        raise InputError(
            f"voxels of shape {chosen.shape} for a cube of shape {data.shape}: expected the same, "
            "or that of one channel"
        )
    return np.where(chosen, data, np.nan)


@dataclass(frozen=True, eq=False)
class LineValues:
    """Flux, velocity and squared width (3, y, x) with the squares of their errors."""

    values: FloatArray
    variances: FloatArray


def _summed(cube: MeasuredCube, chosen: BoolArray, channel_response: bool) -> LineValues:
    """Sum over the chosen voxels."""
    data = np.where(chosen, cube.data, 0.0)
    velocities = cube.velocities[:, None, None]
    flux = data.sum(axis=0)
    share = np.divide(data, flux, out=np.full_like(data, np.nan), where=flux > 0)
    velocity = (share * velocities).sum(axis=0)
    squares = (velocities - velocity) ** 2
    if channel_response:
        squares = squares - cube.widths[:, None, None] ** 2 / 12
    width = (share * squares).sum(axis=0)
    values = np.stack([flux, velocity, width])
    if cube.variance is None:
        return LineValues(values, np.full_like(values, np.nan))
    noise = np.where(chosen, cube.variance, 0.0)
    positive = np.where(flux > 0, flux, np.nan)
    slopes = (np.ones_like(data), (velocities - velocity) / positive, (squares - width) / positive)
    return LineValues(values, np.stack([(slope**2 * noise).sum(axis=0) for slope in slopes]))


def _fitted(
    cube: MeasuredCube,
    chosen: BoolArray,
    lines: tuple[tuple[float, float], ...],
    channel_response: bool,
) -> LineValues:
    """Fit the lines to the spaxels with chosen voxels."""
    spaxels: BoolArray = np.asarray(chosen.any(axis=0))
    fits = fit_lines(cube, chosen, lines, channel_response)
    flux, velocity, width = fits.parameters.T
    variances = np.einsum("naa->an", fits.covariance).copy()
    variances[2] *= (2 * width) ** 2
    if cube.variance is None:
        variances[np.isfinite(variances)] = np.nan
    maps = np.full((2, 3, *spaxels.shape), np.nan)
    maps[0][:, spaxels] = flux, velocity, width**2
    maps[1][:, spaxels] = variances
    return LineValues(maps[0], maps[1])


def trusted_spaxels(maps: LineValues, noisy: bool, signal_to_noise: float) -> BoolArray:
    """Return the spaxels (y, x) of positive flux, known velocity and sufficient S/N."""
    flux, velocity, _ = maps.values
    mask = (flux > 0) & np.isfinite(velocity) & ~np.isinf(maps.variances[1])
    if noisy:
        mask &= flux >= signal_to_noise * np.sqrt(np.where(mask, maps.variances[0], 1.0))
    return np.asarray(mask)


def without_islands(mask: BoolArray) -> BoolArray:
    """Return the spaxels in groups no smaller than any PSF: others are noise or cosmic rays."""
    labels, _ = ndimage.label(mask)
    large = np.bincount(labels.ravel()) >= SMALLEST_ISLAND
    return np.asarray(mask & large[labels])


def moments_of(maps: LineValues, mask: BoolArray, line_spread: float) -> Moments:
    """Take off the line spread function and blank what can't be trusted."""
    flux, velocity, width = maps.values
    intrinsic = width - line_spread**2
    resolved = mask & (intrinsic >= 0) & ~np.isinf(maps.variances[2])
    dispersion = np.sqrt(np.where(resolved, intrinsic, np.nan))
    errors = np.sqrt(np.where(mask, maps.variances, np.nan))
    # At a dispersion of exactly 0 linear propagation has no answer.
    slope = np.where(dispersion > 0, 2 * dispersion, np.nan)
    return Moments(
        flux=np.where(mask, flux, np.nan),
        velocity=np.where(mask, velocity, np.nan),
        dispersion=dispersion,
        flux_error=errors[0],
        velocity_error=errors[1],
        dispersion_error=np.where(resolved, errors[2], np.nan) / slope,
        mask=mask,
    )
