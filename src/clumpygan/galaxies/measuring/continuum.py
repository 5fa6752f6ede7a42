"""Take the continuum under a line off a cube."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube

FloatArray = NDArray[np.float64]


def without_continuum(
    cube: ArrayLike,
    velocities: ArrayLike,
    line: tuple[float, float],
    *,
    variance: ArrayLike | None = None,
    degree: int = 1,
) -> FloatArray:
    """Subtract a polynomial in velocity from every spaxel, fitted beside the line.

    Its own error isn't propagated: beside the line lie usually many more channels than in it.

    Parameters
    ----------
    cube : array_like (v, y, x)
        Flux per voxel; NaN where unknown.
    velocities : array_like (v,)
        Centres of the channels in km/s.
    line : (float, float)
        Velocities in km/s between which the line lies (all lines, of a doublet): these channels
        don't count in the fit.
    variance : array_like (v, y, x) or (v,), or float, optional
        Of the flux per voxel; channels count by its inverse, all alike without it.
    degree : int
        Of the polynomial: 0 constant, 1 linear.

    Returns
    -------
    ndarray (v, y, x), float64
        NaN where the flux or its variance was unknown, and in whole spaxels with fewer known
        channels beside the line than the polynomial has coefficients.

    Raises
    ------
    InputError
        If shapes don't fit together, or too few channels lie beside the line.
    """
    measured = MeasuredCube.of(cube, velocities, variance)
    low, high = line
    beside = (measured.velocities < low) | (measured.velocities > high)
    if not 0 <= degree < beside.sum():
        raise InputError(
            f"{beside.sum()} channels beside the line at {low:g} to {high:g} km/s: a polynomial of "
            f"degree {degree} needs more than {degree}; narrow the line or lower the degree"
        )
    scaled = measured.velocities / np.abs(measured.velocities).max()
    powers = scaled[:, None] ** np.arange(degree + 1)
    weights = (measured.valid & beside[:, None, None]).astype(np.float64)
    if measured.variance is not None:
        weights /= measured.variance
        weights /= np.maximum(weights.max(axis=0), np.finfo(float).tiny)
    curvature = np.einsum("va,vb,vyx->yxab", powers, powers, weights)
    gradient = np.einsum("va,vyx->yxa", powers, weights * measured.data)
    enough = (weights > 0).sum(axis=0) > degree
    coefficients = np.full(gradient.shape, np.nan)
    coefficients[enough] = np.linalg.solve(curvature[enough], gradient[enough][..., None])[..., 0]
    continuum = np.einsum("va,yxa->vyx", powers, coefficients)
    cleaned = np.where(measured.valid, measured.data - continuum, np.nan)
    falls = np.asarray(velocities)[0] > np.asarray(velocities)[-1]
    return np.asarray(cleaned[::-1] if falls else cleaned)
