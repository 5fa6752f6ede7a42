"""The spectrum of an aperture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The flux in an aperture.

    Attributes
    ----------
    velocities : ndarray (v,)
        Centres of the channels in km/s, rising.
    flux : ndarray (v,)
        Summed over the aperture, float64; NaN where no voxel of it is known.
    error : ndarray (v,) or None
        One sigma; None for a cube without variance.
    """

    velocities: FloatArray
    flux: FloatArray
    error: FloatArray | None


def spectrum(
    cube: ArrayLike,
    velocities: ArrayLike,
    *,
    aperture: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    noise_correlation: float = 1.0,
) -> Spectrum:
    """Sum a cube over an aperture.

    Parameters
    ----------
    cube : array_like (v, y, x)
        Flux per voxel; NaN voxels are left out of the sum.
    velocities : array_like (v,)
        Centres of the channels in km/s, rising or falling.
    aperture : array_like (y, x), optional
        Bool, or the share of each pixel's flux that counts; the whole field by default.
    variance : array_like (v, y, x) or (v,), or float, optional
        Of the flux per voxel.
    noise_correlation : float
        By how much the noise of the sum exceeds that of independent pixels. Resampled cubes have
        correlated noise, which variance extensions don't say: in apertures much wider than the
        correlation the factor is the square root of the correlated area in pixels (that of the
        beam in a radio cube). To be measured as the scatter of such apertures on blank sky.

    Returns
    -------
    Spectrum

    Raises
    ------
    InputError
        If shapes don't fit together, the aperture is empty, or the factor is below 1.

    Examples
    --------
    >>> grid = CubeGrid.velocities((20, 24, 24), 0.2, 40.0)
    >>> galaxy = DiskParameters(inclination=60, maximum_velocity=200, position_angle=90)
    >>> line = spectrum(render_cube(galaxy, grid), grid.centres[0])
    >>> line.flux.shape, f"{line.flux.sum():.2f}"
    ((20,), '1.00')
    """
    measured = MeasuredCube.of(cube, velocities, variance)
    if not 1 <= noise_correlation < np.inf:
        raise InputError(f"noise_correlation is {noise_correlation}: expected a number from 1 on")
    shape = measured.data.shape[1:]
    share = np.ones(shape) if aperture is None else np.asarray(aperture, dtype=np.float64)
    if share.shape != shape:
        raise InputError(f"aperture of shape {share.shape}: expected that of a channel, {shape}")
    if not ((share >= 0) & (share <= 1)).all() or not share.any():
        raise InputError("aperture: expected shares from 0 to 1, not all of them 0")
    inside = share > 0
    weights, known = share[inside], measured.valid[:, inside].any(axis=1)
    flux = np.where(known, measured.data[:, inside] @ weights, np.nan)
    error = None
    if measured.variance is not None:
        noise = np.where(measured.valid[:, inside], measured.variance[:, inside], 0.0)
        error = np.where(known, noise_correlation * np.sqrt(noise @ weights**2), np.nan)
    return Spectrum(measured.velocities, flux, error)


def circular_aperture(
    shape: tuple[int, int],
    pixel_scale: float,
    radius: float,
    centre: tuple[float, float] = (0.0, 0.0),
) -> BoolArray:
    """Return the pixels (y, x) whose centres lie in a circle.

    Parameters
    ----------
    shape : (int, int)
        (y, x).
    pixel_scale, radius : float
        Arcsec.
    centre : (float, float)
        x and y in arcsec from the centre of the field.

    Raises
    ------
    InputError
        If there are none.
    """
    y, x = np.indices(shape, dtype=np.float64)
    x = (x - (shape[1] - 1) / 2) * pixel_scale - centre[0]
    y = (y - (shape[0] - 1) / 2) * pixel_scale - centre[1]
    inside = np.hypot(x, y) <= radius
    if not inside.any():
        raise InputError(
            f"radius is {radius} arcsec around {centre}: no pixel lies there; expected more than "
            f"a pixel of {pixel_scale} arcsec, within the field"
        )
    return np.asarray(inside)
