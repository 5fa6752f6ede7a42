"""Cubes in one orientation: disks that are mirror images of each other are the same problem.

A smooth disk mirrored in x, in y or in x = y is another disk of the family, and so is one whose
velocities are reversed: 16 cubes with the same posterior, but for signs, and the order of x and y.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CANONICAL_ANGLE = 22.5
"""Degrees: the position angle of a turned cube is from 0 to 45, as far as can be seen."""

_THRESHOLD = 2.0
"""Sigma above which a voxel has a say in the orientation."""


@dataclass(frozen=True)
class Orientation:
    """What is done, in this order, to bring a cube into the canonical orientation.

    Attributes
    ----------
    reverse : bool
        Velocities change sign.
    swap : bool
        x and y change places.
    flip_x, flip_y : bool
        Mirror images.
    """

    reverse: bool = False
    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, cube: NDArray[np.floating]) -> "Orientation":
        """Look at a cube (v, y, x) in units of its noise, channels rising in velocity.

        Afterwards its mean velocity isn't below 0, and its velocity rises along a position angle
        from 0 to 45 degrees.
        """
        weight = np.maximum(cube - _THRESHOLD, 0.0).astype(np.float64)
        total = float(weight.sum())
        if not total > 0:
            return cls()
        v, y, x = (np.arange(n) - 0.5 * (n - 1) for n in cube.shape)
        of_y, of_x = weight.sum(2), weight.sum(1)
        mean = float(v @ weight.sum((1, 2))) / total
        slope_y = float((v - mean) @ of_y @ y)
        slope_x = float((v - mean) @ of_x @ x)
        reverse = mean < 0
        if reverse:
            slope_x, slope_y = -slope_x, -slope_y
        swap = abs(slope_x) > abs(slope_y)
        if swap:
            slope_x, slope_y = slope_y, slope_x
        return cls(reverse, swap, slope_x > 0, slope_y < 0)

    def turn(self, cube: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the cube (v, y, x) in the canonical orientation."""
        turned = cube[::-1] if self.reverse else cube
        turned = turned.swapaxes(1, 2) if self.swap else turned
        turned = turned[:, :, ::-1] if self.flip_x else turned
        return turned[:, ::-1] if self.flip_y else turned

    def turn_values(self, names: Sequence[str], values: FloatArray) -> FloatArray:
        """Return parameters (..., n) of the turned cube from those of the cube."""
        return self._changed(names, values, ("reverse", "swap", "flip_x", "flip_y"))

    def turn_values_back(self, names: Sequence[str], values: FloatArray) -> FloatArray:
        """Return parameters (..., n) of the cube from those of the turned one."""
        return self._changed(names, values, ("flip_y", "flip_x", "swap", "reverse"))

    def _changed(
        self, names: Sequence[str], values: FloatArray, order: tuple[str, ...]
    ) -> FloatArray:
        """Return the parameters after those steps that are taken; each is its own inverse."""
        changed = values.copy()
        velocity, x, y, angle = (
            names.index(name)
            for name in ("systemic_velocity", "offset_x", "offset_y", "position_angle")
        )
        for step in order:
            if not getattr(self, step):
                continue
            if step == "reverse":
                changed[..., velocity] *= -1
                changed[..., angle] += 180.0
            elif step == "swap":
                changed[..., [x, y]] = changed[..., [y, x]]
                changed[..., angle] = -90.0 - changed[..., angle]
            elif step == "flip_x":
                changed[..., x] *= -1
                changed[..., angle] *= -1
            else:
                changed[..., y] *= -1
                changed[..., angle] = 180.0 - changed[..., angle]
        return changed
