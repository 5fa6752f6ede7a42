"""The spreading of points onto a grid as a differentiable operation on tensors.

On the CPU it is compiled, with its gradient; elsewhere, and where derivatives are carried
forwards, it is made of tensor operations.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.spreading import (
    evaluate_kernel,
    evaluate_slope,
    first_point,
    is_inside,
    kernel_polynomials,
    spread,
    wrapped,
)


@njit
def _ranges(profile, smallest, out):  # type: ignore[no-untyped-def]
    """Write the ranges (2, 2) of channels in which a profile isn't negligible.

    The last channel has one of its own: it often holds all the light, far from the line.
    """
    low, high = 0, profile.size - 1
    while low < high and abs(profile[low]) < smallest:
        low += 1
    while high > low and abs(profile[high - 1]) < smallest:
        high -= 1
    out[0, 0], out[0, 1] = low, high
    out[1, 0], out[1, 1] = profile.size - 1, profile.size


@njit
def _forward(y, x, flux, profile, coefficients, smallest, grid):  # type: ignore[no-untyped-def]
    row = np.empty(coefficients.shape[1], dtype=grid.dtype)
    column = np.empty(coefficients.shape[1], dtype=grid.dtype)
    ranges = np.empty((2, 2), dtype=np.int64)
    for g in range(profile.shape[0]):
        _ranges(profile[g], smallest, ranges)
        for m in range(x.shape[1]):
            for low, high in ranges:
                spread(
                    grid, y[g, m], x[g, m], flux[g, m], profile[g], low, high,
                    coefficients, row, column,
                )  # fmt: skip


@njit(fastmath={"contract", "reassoc"})
def _gather(grid, top, left, low, high, rows, columns, seen):  # type: ignore[no-untyped-def]
    """Sum the grid around a point, weighted with its kernel and with the kernel's slopes.

    Parameters
    ----------
    grid : ndarray of shape (Y, X, C)
    top, left, low, high : int
        First grid point, and range of channels.
    rows, columns : ndarray of shape (2, w)
        The kernel and its slope along both axes.
    seen : ndarray of shape (3, C)
        Written to: the sums with the kernel, its slope along y, and along x.
    """
    width = rows.shape[1]
    with_kernel, along_y, along_x = seen[0, low:high], seen[1, low:high], seen[2, low:high]
    with_kernel[:] = 0.0
    along_y[:] = 0.0
    along_x[:] = 0.0
    for a in range(width):
        i = wrapped(top + a, grid.shape[0])
        for b in range(width):
            source = grid[i, wrapped(left + b, grid.shape[1]), low:high]
            weight = rows[0, a] * columns[0, b]
            slope_y, slope_x = rows[1, a] * columns[0, b], rows[0, a] * columns[1, b]
            for c in range(source.size):
                with_kernel[c] += weight * source[c]
                along_y[c] += slope_y * source[c]
                along_x[c] += slope_x * source[c]


@njit(fastmath={"contract", "reassoc"})
def _backward(y, x, flux, profile, coefficients, smallest, grid, y_, x_, flux_, profile_):  # type: ignore[no-untyped-def]
    """Write the gradients with respect to y, x, flux and profile; `grid` holds the one given."""
    width = coefficients.shape[1]
    rows = np.empty((2, width), dtype=grid.dtype)
    columns = np.empty((2, width), dtype=grid.dtype)
    seen = np.empty((3, grid.shape[2]), dtype=grid.dtype)
    ranges = np.empty((2, 2), dtype=np.int64)
    for g in range(profile.shape[0]):
        _ranges(profile[g], smallest, ranges)
        for m in range(x.shape[1]):
            if not is_inside(y[g, m], x[g, m], grid.shape):
                continue
            top, down = first_point(y[g, m], width)
            left, right = first_point(x[g, m], width)
            evaluate_kernel(coefficients, down, 1.0, rows[0])
            evaluate_kernel(coefficients, right, 1.0, columns[0])
            evaluate_slope(coefficients, down, rows[1])
            evaluate_slope(coefficients, right, columns[1])
            for low, high in ranges:
                _gather(grid, top, left, low, high, rows, columns, seen)
                for c in range(low, high):
                    flux_[g, m] += seen[0, c] * profile[g, c]
                    y_[g, m] += seen[1, c] * profile[g, c] * flux[g, m]
                    x_[g, m] += seen[2, c] * profile[g, c] * flux[g, m]
                    profile_[g, c] += seen[0, c] * flux[g, m]


def _in_threads(task, count: int) -> None:  # type: ignore[no-untyped-def]
    """Run a compiled task, which releases the interpreter, for each galaxy of a batch."""
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        for i in range(count):
            task(i)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(task, range(count)))


def _smallest(profile: Tensor) -> float:
    return float(torch.finfo(profile.dtype).eps)


@torch.library.custom_op("clumpygan::spread", mutates_args=(), device_types="cpu")
def _spread_compiled(
    y: Tensor, x: Tensor, flux: Tensor, profile: Tensor, rows: int, columns: int, width: int
) -> Tensor:
    grid = profile.new_zeros(len(profile), rows, columns, profile.shape[-1])
    arrays = [t.detach().contiguous().numpy() for t in (y, x, flux, profile)]
    coefficients, out = kernel_polynomials(width), grid.numpy()

    def task(i: int) -> None:
        _forward(*(array[i] for array in arrays), coefficients, _smallest(profile), out[i])

    _in_threads(task, len(profile))
    return grid


@_spread_compiled.register_fake
def _(
    y: Tensor, x: Tensor, flux: Tensor, profile: Tensor, rows: int, columns: int, width: int
) -> Tensor:
    return profile.new_empty(len(profile), rows, columns, profile.shape[-1])


@torch.library.custom_op("clumpygan::spread_backward", mutates_args=(), device_types="cpu")
def _spread_backward(
    y: Tensor, x: Tensor, flux: Tensor, profile: Tensor, gradient: Tensor, width: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    gradients = tuple(torch.zeros_like(t) for t in (y, x, flux, profile))
    arrays = [t.detach().contiguous().numpy() for t in (y, x, flux, profile)]
    given = gradient.detach().contiguous().numpy()
    outs = [t.numpy() for t in gradients]
    coefficients = kernel_polynomials(width)

    def task(i: int) -> None:
        _backward(
            *(array[i] for array in arrays),
            coefficients,
            _smallest(profile),
            given[i],
            *(out[i] for out in outs),
        )

    _in_threads(task, len(profile))
    return gradients  # type: ignore[return-value]


@_spread_backward.register_fake
def _(
    y: Tensor, x: Tensor, flux: Tensor, profile: Tensor, gradient: Tensor, width: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return tuple(torch.empty_like(t) for t in (y, x, flux, profile))  # type: ignore[return-value]


def _remember(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    y, x, flux, profile, _, _, width = inputs
    ctx.save_for_backward(y, x, flux, profile)
    ctx.width = width


def _differentiate(ctx, gradient):  # type: ignore[no-untyped-def]
    gradients = _spread_backward(*ctx.saved_tensors, gradient.contiguous(), ctx.width)
    return (*gradients, None, None, None)


_spread_compiled.register_autograd(_differentiate, setup_context=_remember)


def _spread_portable(
    y: Tensor, x: Tensor, flux: Tensor, profile: Tensor, rows: int, columns: int, width: int
) -> Tensor:
    """Spread by tensor operations, one for each of the w x w neighbours of a point."""
    coefficients = torch.as_tensor(kernel_polynomials(width), dtype=y.dtype, device=y.device)
    first_y, kernel_y = _taps(y, coefficients)
    first_x, kernel_x = _taps(x, coefficients)
    inside = (y >= 0) & (x >= 0) & (y < rows) & (x < columns)
    weight = torch.where(inside, flux, torch.zeros_like(flux))
    batch, _, channels = profile.shape
    offset = torch.arange(batch, device=y.device)[:, None, None] * (rows * columns)
    grid = profile.new_zeros(batch * rows * columns, channels)
    for a in range(width):
        for b in range(width):
            share = weight * kernel_y[..., a] * kernel_x[..., b]
            values = share[..., None] * profile[:, :, None, :]
            place = (first_y + a).remainder(rows) * columns + (first_x + b).remainder(columns)
            grid = grid.index_add(0, (place + offset).reshape(-1), values.reshape(-1, channels))
    return grid.reshape(batch, rows, columns, channels)


def _taps(coordinate: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first grid point and the values of the kernel on the following ones."""
    width = coefficients.shape[1]
    first = torch.ceil(coordinate.detach() - 0.5 * width)
    fraction = (2.0 * (coordinate - first) - width + 1.0)[..., None]
    value = coefficients[-1].expand(*fraction.shape[:-1], width)
    for power in range(len(coefficients) - 2, -1, -1):
        value = value * fraction + coefficients[power]
    return first.long(), value


def spread_points(
    y: Tensor, x: Tensor, flux: Tensor, profile: Tensor, shape: tuple[int, int], width: int
) -> Tensor:
    """Spread groups of points, each group with one line profile, onto grids.

    Parameters
    ----------
    y, x : Tensor (B, G, M)
        In grid points. The grid is periodic; points beyond its edges are left out.
    flux : Tensor (B, G, M)
    profile : Tensor (B, G, C)
        Shares of the channels.
    shape : tuple of int
        (Y, X) of the grid.
    width : int
        Of the kernel, one of `clumpygan.galaxies.rendering.spreading.WIDTHS`.

    Returns
    -------
    Tensor (B, Y, X, C)
        Differentiable in the first four arguments, once, backwards or forwards.
    """
    # The compiled operation has no derivative forwards, and would pass on tangents that are wrong.
    tangents = (unpack_dual(one).tangent for one in (y, x, flux, profile))  # type: ignore[no-untyped-call]
    forwards = any(one is not None for one in tangents)
    compiled = y.device.type == "cpu" and not forwards
    function = _spread_compiled if compiled else _spread_portable
    result: Tensor = function(y, x, flux, profile, *shape, width)
    return result
