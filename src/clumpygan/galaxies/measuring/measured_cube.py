"""A cube that was handed in for measuring: checked, in double precision, with its bad voxels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MeasuredCube:
    """Flux per voxel on channels of rising velocity.

    Attributes
    ----------
    data : ndarray (v, y, x), float64
        Flux per voxel; 0 where not valid.
    valid : ndarray (v, y, x), bool
        False where the flux was NaN or infinite, or its variance was.
    velocities : ndarray (v,), float64
        Centres of the channels in km/s, rising.
    variance : ndarray (v, y, x), float64, or None
        Infinite where not valid, so that its inverse is a weight everywhere; None for a cube
        without noise.
    """

    data: FloatArray
    valid: BoolArray
    velocities: FloatArray
    variance: FloatArray | None

    @classmethod
    def of(
        cls, cube: ArrayLike, velocities: ArrayLike, variance: ArrayLike | None = None
    ) -> "MeasuredCube":
        """Check a cube and put its channels in rising order.

        Parameters
        ----------
        cube : array_like (v, y, x)
            Flux per voxel; NaN where unknown.
        velocities : array_like (v,)
            Centres of the channels in km/s, rising or falling, not necessarily equally spaced.
        variance : array_like (v, y, x) or (v,), or float, optional
            Of the flux per voxel; NaN or infinite where unknown.

        Raises
        ------
        InputError
            If the cube isn't 3-D, velocities or variance are of another shape or not monotonic,
            or the variance of a valid voxel isn't above 0.
        """
        data = np.asarray(cube, dtype=np.float64)
        if data.ndim != 3 or 0 in data.shape:
            raise InputError(f"cube of shape {data.shape}: expected (v, y, x), three axes")
        centres = _checked_velocities(velocities, data.shape[0])
        order = slice(None, None, -1 if centres[0] > centres[-1] else 1)
        valid = np.isfinite(data)
        spread = None
        if variance is not None:
            spread = _checked_variance(variance, data.shape)
            valid &= np.isfinite(spread)
            if (spread[valid] <= 0).any():
                v, y, x = np.argwhere(valid & (spread <= 0))[0]
                raise InputError(
                    f"variance is {spread[v, y, x]:g} at (v, y, x) = ({v}, {y}, {x}): expected "
                    "numbers above 0; set it to NaN where the flux is unknown"
                )
            spread = np.where(valid, spread, np.inf)[order]
        data = np.where(valid, data, 0.0)
        return cls(data[order], valid[order], centres[order], spread)

    @property
    def edges(self) -> FloatArray:
        """Edges (v + 1,) of the channels in km/s, halfway between their centres."""
        return channel_edges(self.velocities)

    @property
    def widths(self) -> FloatArray:
        """Widths (v,) of the channels in km/s."""
        return np.diff(self.edges)

    @property
    def covered(self) -> BoolArray:
        """Spaxels (y, x) with at least one valid voxel."""
        return np.asarray(self.valid.any(axis=0))

    def within(self, window: tuple[float, float] | None) -> "MeasuredCube":
        """Return the channels whose centres lie within a range of velocities.

        Raises
        ------
        InputError
            If there are none.
        """
        if window is None:
            return self
        low, high = window
        inside = (self.velocities >= low) & (self.velocities <= high)
        if not inside.any():
            raise InputError(
                f"window is {window} km/s: no channel lies there; expected (low, high) within "
                f"{self.velocities[0]:g} to {self.velocities[-1]:g} km/s"
            )
        return MeasuredCube(
            self.data[inside],
            self.valid[inside],
            self.velocities[inside],
            None if self.variance is None else self.variance[inside],
        )


def channel_edges(velocities: FloatArray) -> FloatArray:
    """Return the edges (v + 1,) halfway between the centres (v,) of channels, rising or falling.

    The outermost channels are as wide as their neighbours' distance; a single channel has width 0.
    """
    if len(velocities) == 1:
        return np.repeat(velocities, 2)
    middle = 0.5 * (velocities[1:] + velocities[:-1])
    first, last = 2 * velocities[0] - middle[0], 2 * velocities[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


def _checked_velocities(velocities: ArrayLike, count: int) -> FloatArray:
    centres = np.asarray(velocities, dtype=np.float64)
    if centres.shape != (count,):
        raise InputError(
            f"velocities of shape {centres.shape} for {count} channels: expected one per channel"
        )
    steps = np.diff(centres)
    if not np.isfinite(centres).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise InputError("velocities: expected finite, strictly rising or falling numbers in km/s")
    return centres


def _checked_variance(variance: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    spread = np.asarray(variance, dtype=np.float64)
    if spread.shape not in ((), shape[:1], shape):
        raise InputError(
            f"variance of shape {spread.shape} for a cube of shape {shape}: expected the same "
            f"shape, one number per channel, {shape[:1]}, or one number"
        )
    if spread.ndim == 1:
        spread = spread[:, None, None]
    return np.broadcast_to(spread, shape)
