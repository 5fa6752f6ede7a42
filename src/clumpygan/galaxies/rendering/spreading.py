"""Spreading of points onto a regular grid, so that their Fourier transform is an FFT.

The type-1 non-uniform FFT (Dutt & Rokhlin 1993; Barnett, Magland & af Klinteberg 2019, FINUFFT): a
point is spread over w x w grid points with the kernel exp(beta (sqrt(1 - (2 x / w)^2) - 1)), whose
own transform is divided out after the FFT. The kernel is evaluated as w polynomials, one for each
grid point.
"""

from functools import cache

import numpy as np
from numpy.polynomial import chebyshev, legendre, polynomial
from numpy.typing import NDArray

from clumpygan.galaxies.rendering.compiled import njit

FloatArray = NDArray[np.float64]

WIDTHS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
"""Widths of the kernel in grid points for which there is a rule."""

OVERSAMPLING = 1.3
"""Grid frequency over the highest frequency that is wanted: what the kernels are made for."""


def kernel_width(accuracy: float) -> int:
    """Return the width whose aliasing error stays below the accuracy.

    The error of the kernel is about exp(-pi w sqrt(1 - 1 / oversampling)) at the highest frequency,
    and much smaller below it, where the light is.
    """
    wanted = np.log(1.0 / accuracy) / (np.pi * np.sqrt(1 - 1 / OVERSAMPLING))
    return int(np.clip(np.ceil(wanted), WIDTHS[0], WIDTHS[-1]))


def _kernel(position: FloatArray, width: int) -> FloatArray:
    """Return the kernel at distances from its centre, in units of half its width."""
    beta = 0.97 * np.pi * width * (1 - 0.5 / OVERSAMPLING)
    inside = np.clip(1 - position**2, 0.0, None)
    return np.asarray(np.exp(beta * (np.sqrt(inside) - 1)))


@cache
def kernel_polynomials(width: int) -> FloatArray:
    """Return the kernel as polynomials that join, and are 0 at its ends: no jumps, for gradients.

    Parameters
    ----------
    width : int

    Returns
    -------
    ndarray of shape (degree + 1, width), float64
        Coefficients, lowest power first, in the fraction f in [-1, 1] of the way of the point
        between two grid points: grid point i is at distance (2 i + 1 - w - f) / 2 from it.
    """
    degree = width + 4
    fraction = chebyshev.chebpts1(4 * degree)
    joints = _kernel((2 * np.arange(width + 1) - width) / width, width)
    joints[[0, -1]] = 0.0
    columns = []
    for i in range(width):
        values = _kernel((2 * i + 1 - width - fraction) / width, width)
        column = polynomial.polyfit(fraction, values, degree)
        above, below = joints[i : i + 2] - polynomial.polyval(np.array([1.0, -1.0]), column)
        column[:2] += 0.5 * (above + below), 0.5 * (above - below)
        columns.append(column)
    return np.ascontiguousarray(np.stack(columns, axis=1))


@cache
def kernel_transform(width: int, size: int) -> FloatArray:
    """Return the Fourier transform of the kernel at the frequencies of an FFT of that size.

    Returns
    -------
    ndarray of shape (size,), float64
        In the order of `numpy.fft.fftfreq`.
    """
    fraction, weights = legendre.leggauss(12 + width)
    values = 0.5 * weights * polynomial.polyval(fraction, kernel_polynomials(width))
    distance = 0.5 * (2 * np.arange(width)[:, None] + 1 - width - fraction)
    phase = 2 * np.pi * np.fft.fftfreq(size)[:, None] * distance.ravel()
    return np.asarray(np.cos(phase) @ values.ravel())


@njit(inline="always")
def first_point(coordinate, width):  # type: ignore[no-untyped-def]
    """Return the first grid point that a point is spread on, and the fraction f in [-1, 1]."""
    first = int(np.ceil(coordinate - 0.5 * width))
    return first, 2.0 * (coordinate - first) - width + 1.0


@njit(inline="always")
def is_inside(y, x, shape):  # type: ignore[no-untyped-def]
    """Tell whether a point is on the grid."""
    return 0.0 <= y < shape[0] and 0.0 <= x < shape[1]


@njit(inline="always")
def wrapped(index, size):  # type: ignore[no-untyped-def]
    """Return the index on a periodic axis, for one that is less than a period off."""
    if index < 0:
        return index + size
    return index - size if index >= size else index


@njit(fastmath={"contract"})
def evaluate_kernel(coefficients, fraction, scale, out):  # type: ignore[no-untyped-def]
    """Write the w values of the kernel, times `scale`, to `out`."""
    degree, width = coefficients.shape[0] - 1, coefficients.shape[1]
    for i in range(width):
        # In a register, whatever the precision of `out`: half the time.
        value = coefficients[degree, i]
        for d in range(degree - 1, -1, -1):
            value = value * fraction + coefficients[d, i]
        out[i] = value * scale


@njit
def evaluate_slope(coefficients, fraction, out):  # type: ignore[no-untyped-def]
    """Write the derivatives of the w values with respect to the coordinate of the point."""
    degree, width = coefficients.shape[0] - 1, coefficients.shape[1]
    for i in range(width):
        out[i] = 2.0 * degree * coefficients[degree, i]
    for d in range(degree - 1, 0, -1):
        for i in range(width):
            out[i] = out[i] * fraction + 2.0 * d * coefficients[d, i]


@njit
def _spread_wrapped(grid, top, left, profile, low, high, row, column):  # type: ignore[no-untyped-def]
    for a in range(row.size):
        i = wrapped(top + a, grid.shape[0])
        for b in range(column.size):
            target = grid[i, wrapped(left + b, grid.shape[1])]
            for c in range(low, high):
                target[c] += row[a] * column[b] * profile[c]


@njit(fastmath={"contract", "reassoc"})
def spread(grid, y, x, flux, profile, low, high, coefficients, row, column):  # type: ignore[no-untyped-def]
    """Add one point to the grid (Y, X, C).

    Parameters
    ----------
    grid : ndarray of shape (Y, X, C)
    y, x : float
        In grid points. The grid is periodic; a point beyond its edges is left out.
    flux : float
    profile : ndarray of shape (C,)
        Shares of the channels; 0 outside low <= c < high.
    low, high : int
    coefficients : ndarray
        Of `kernel_polynomials`.
    row, column : ndarray of shape (w,)
        Space to work in.
    """
    width = coefficients.shape[1]
    top, down = first_point(y, width)
    left, right = first_point(x, width)
    if not is_inside(y, x, grid.shape):
        return
    evaluate_kernel(coefficients, down, flux, row)
    evaluate_kernel(coefficients, right, 1.0, column)
    # Wrapping costs a tenth of the time, and few points need it.
    if top < 0 or left < 0 or top + width > grid.shape[0] or left + width > grid.shape[1]:
        _spread_wrapped(grid, top, left, profile, low, high, row, column)
        return
    lit = profile[low:high]
    for a in range(width):
        for b in range(width):
            weight = row[a] * column[b]
            # Indices of a part are never negative, which would have to be looked at.
            target = grid[top + a, left + b, low:high]
            for c in range(lit.size):
                target[c] += weight * lit[c]
