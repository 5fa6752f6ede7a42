"""Symmetries of a population of galaxies: other position angles, the other sense of rotation."""

import numpy as np

from clumpygan.galaxies.cube_conditions import CUBE_CONDITIONS

_PLACES = {name: place for place, name in enumerate(CUBE_CONDITIONS)}


def turned(cube: np.ndarray, quarters: int, reverse: bool) -> np.ndarray:
    """Turn a cube (..., v, y, x) by quarters of a turn from +x to +y, and reverse its velocities.

    Position angles grow by 90 degrees with each quarter.
    """
    cube = np.rot90(cube, quarters, axes=(-1, -2))
    return np.ascontiguousarray(cube[..., ::-1, :, :] if reverse else cube)


def turned_parameters(parameters: np.ndarray, quarters: int, reverse: bool) -> np.ndarray:
    """Return the conditions (K,) of a galaxy that `turned` has turned."""
    result = parameters.copy()
    x, y = result[_PLACES["offset_x"]], result[_PLACES["offset_y"]]
    for _ in range(quarters):
        x, y = -y, x
    result[_PLACES["offset_x"]], result[_PLACES["offset_y"]] = x, y
    result[_PLACES["position_angle"]] += 90.0 * quarters + 180.0 * reverse
    result[_PLACES["position_angle"]] %= 360.0
    for name in ("g1", "g2"):
        # Shear is of spin 2.
        result[_PLACES[name]] *= (-1) ** quarters
    if reverse:
        result[_PLACES["systemic_velocity"]] *= -1
    return result
