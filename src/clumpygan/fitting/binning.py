"""Large cubes whose pixels are much smaller than their PSF, binned for the fit.

What is on the sky has no detail finer than the PSF lets through: where its transfer function is
next to 0 at the highest frequency that bins of k x k pixels sample, their sums tell as much as the
pixels do (errors grow by 2 to 5 %), and cost k^2 times less. The sum
is a part of the model: pixels that integrate are k times as wide, and values at the centres of
pixels are summed exactly, by the factor D(f) = sin(pi k f) / (k sin(pi f)) of the transfer function
on each axis (f in cycles per pixel).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.fitting.initial_guess import guess_parameters
from clumpygan.fitting.observation import Observation, ObservedFrame
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_PASSED = 5e-4
"""Largest transfer function at the highest frequency that bins sample: three bins per FWHM of a
Gaussian PSF, of which as much is left there."""

_LARGE = 40_000
"""Voxels that are fitted in no time as they are."""

_CHANNELS = 2.5
"""Bins of channels per FWHM of the line, which the first guess has rather too narrow."""

_KNOWN = 0.75
"""Share of a bin's pixels that have to be known; what is known of it stands for the whole."""

_LARGEST, _FEWEST = 8, 8
"""Pixels on a side of a bin at most, and bins across the field at least."""


def bins_of(observation: Observation) -> tuple[int, int]:
    """Return the pixels on a side of the bins of a cube, and the channels in them.

    Parameters
    ----------
    observation : Observation
    """
    channels = channels_per_bin(observation, np.inf)
    if channels > 1:
        guess, spread = guess_parameters(observation), observation.frame.grid.line_spread
        channels = channels_per_bin(observation, float(np.hypot(guess.dispersion, min(spread))))
    return bin_size(observation), channels


def bin_size(observation: Observation) -> int:
    """Return the pixels on a side of the bins of a large cube; 1 if it isn't, or bins would lose.

    Parameters
    ----------
    observation : Observation
    """
    frame, grid = observation.frame, observation.frame.grid
    if frame.transfer is None:
        return 1
    chosen = 1
    for size in range(2, _LARGEST + 1):
        highest = np.array([0.5 / (size * grid.pixel_scale)])
        passed = [np.abs(frame.transfer(ky, kx)).max() for ky, kx in _beyond(highest)]
        small = np.prod(grid.shape) / chosen**2 < _LARGE
        if small or max(passed) > _PASSED or min(grid.shape[1:]) / size < _FEWEST:
            break
        chosen = size
    return chosen


def channels_per_bin(observation: Observation, width: float) -> int:
    """Return how many channels of a large cube are summed, 1 for none: some fit into a line.

    Parameters
    ----------
    observation : Observation
    width : float
        Standard deviation of the line in km/s, at about its narrowest.
    """
    grid = observation.frame.grid
    if not grid.channel_response or np.prod(grid.shape) < _LARGE:
        return 1
    needed = min(grid.shape[0] // _FEWEST, int(np.prod(grid.shape)) // _LARGE)
    return max(int(min(width * FWHM_PER_SIGMA / _CHANNELS / grid.channel_width, needed)), 1)


def binned(observation: Observation, size: int, channels: int = 1) -> Observation:
    """Return the observation with sums over size x size pixels, and over channels.

    Pixels that are unknown are added around the field, and the model is moved with its middle, if
    that moves by half a pixel: parameters have the same values as without bins. Noise that
    neighbours share is shared by the bins, as its correlation says.

    Parameters
    ----------
    observation : Observation
    size : int
    channels : int
        In a bin.
    """
    if channels > 1:
        observation = _in_fewer_channels(observation, channels)
    if size == 1:
        return observation
    frame, grid = observation.frame, observation.frame.grid
    rows, columns = (-(-count // size) for count in grid.shape[1:])
    spare = [bins * size - n for n, bins in zip(grid.shape[1:], (rows, columns), strict=True)]
    pads = [(0, 0), *((more // 2, more - more // 2) for more in spare)]
    known = np.pad(observation.valid, pads)
    shape = (grid.shape[0], rows, size, columns, size)

    def summed(values: NDArray[np.generic]) -> FloatArray:
        return np.asarray(np.pad(values, pads).reshape(shape).sum(axis=(2, 4)), dtype=np.float64)

    count = known.reshape(shape).sum(axis=(2, 4))
    enough = count >= _KNOWN * size**2
    whole = np.divide(size**2, count, out=np.zeros(count.shape), where=enough)
    shared, correlation = _binned_correlation(frame.correlation, size)
    variance = summed(np.where(observation.valid, observation.variance, 0.0)) * shared * whole**2
    new_grid = replace(
        grid, shape=(grid.shape[0], rows, columns), pixel_scale=size * grid.pixel_scale
    )
    transfer = frame.transfer
    if transfer is not None:
        moved = (-0.5 * (spare[0] % 2), -0.5 * (spare[1] % 2))
        summed_too = 1 if grid.pixel_response else size
        transfer = _BinnedTransfer(transfer, summed_too, grid.pixel_scale, moved)
    return replace(
        observation,
        data=np.where(enough, summed(observation.data) * whole, 0.0),
        variance=np.where(enough, variance, np.inf),
        frame=ObservedFrame(new_grid, transfer, frame.psf_fwhm, correlation),
        layout=None,
    )


def _in_fewer_channels(observation: Observation, size: int) -> Observation:
    """Return the observation with sums over so many neighbouring channels."""
    grid, correlation = observation.frame.grid, observation.frame.correlation
    count = -(-grid.shape[0] // size)
    more = count * size - grid.shape[0]
    steps = np.diff(grid.edges[:, -2:], axis=1) * np.arange(1, more + 1)
    edges = np.concatenate([grid.edges, grid.edges[:, -1:] + steps], axis=1)[:, ::size]
    pads = ((0, more), (0, 0), (0, 0))

    def summed(values: NDArray[np.generic]) -> FloatArray:
        shape = (count, size, *grid.shape[1:])
        return np.asarray(np.pad(values, pads).reshape(shape).sum(axis=1), dtype=np.float64)

    known = summed(observation.valid)
    enough = known >= _KNOWN * size
    whole = np.divide(size, known, out=np.zeros(known.shape), where=enough)
    shared = 1.0
    if correlation is not None:
        shared, correlation = _binned_correlation(correlation, size, (0,))
    variance = summed(np.where(observation.valid, observation.variance, 0.0)) * shared * whole**2
    frame = ObservedFrame(
        replace(grid, shape=(count, *grid.shape[1:]), edges=edges),
        observation.frame.transfer,
        observation.frame.psf_fwhm,
        correlation,
    )
    return replace(
        observation,
        data=np.where(enough, summed(observation.data) * whole, 0.0),
        variance=np.where(enough, variance, np.inf),
        frame=frame,
        layout=None,
    )


def _beyond(highest: FloatArray) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Return places (ky, kx) at the highest frequency of each axis."""
    none = np.zeros(1)
    return (highest[:, None], none[None]), (none[:, None], highest[None])


def _binned_correlation(
    correlation: FloatArray | None, size: int, axes: tuple[int, ...] = (1, 2)
) -> tuple[float, FloatArray | None]:
    """Return the variance of a sum over that of independent pixels, and the bins' correlation."""
    if correlation is None:
        return 1.0, None
    summed = correlation.astype(np.float64)
    triangle = size - np.abs(np.arange(1 - size, size)).astype(np.float64)
    for axis in axes:
        # Room for bins that are partly beyond the reach of the correlation.
        room = [(0, 0)] * 3
        half = summed.shape[axis] // 2
        reach = -(-(half + size - 1) // size)
        room[axis] = (size * reach - half,) * 2
        summed = ndimage.convolve1d(np.pad(summed, room), triangle, axis, mode="constant")
        summed = np.take(summed, np.arange(0, summed.shape[axis], size), axis=axis)
    middle = tuple(side // 2 for side in summed.shape)
    return float(summed[middle] / size ** len(axes)), summed / summed[middle]


@dataclass(frozen=True)
class _BinnedTransfer:
    """The transfer function of a PSF, of a sum over pixels, and of a shift.

    Attributes
    ----------
    transfer : Transfer
    size : int
        Pixels on a side of a sum, 1 for none.
    pixel_scale : float
        Arcsec, of a pixel.
    moved : tuple of float
        (y, x) in pixels.
    """

    transfer: Transfer
    size: int
    pixel_scale: float
    moved: tuple[float, float]

    def __call__(self, ky: FloatArray, kx: FloatArray) -> NDArray[Any]:
        y, x = (np.asarray(k, dtype=np.float64) * self.pixel_scale for k in (ky, kx))
        passed = np.asarray(self.transfer(ky, kx)) * self._sum(y) * self._sum(x)
        if not any(self.moved):
            return passed
        return np.asarray(passed * np.exp(-2j * np.pi * (self.moved[0] * y + self.moved[1] * x)))

    def _sum(self, frequency: FloatArray) -> FloatArray:
        """Return the mean of size neighbours at frequencies in cycles per pixel."""
        below = self.size * np.sin(np.pi * frequency)
        near = np.abs(below) < 1e-9
        ratio = np.sin(self.size * np.pi * frequency) / np.where(near, 1.0, below)
        # Where a whole number of waves fits into a pixel.
        limit = np.sign(np.cos((self.size - 1) * np.pi * frequency))
        return np.asarray(np.where(near, limit, ratio))
