"""What converters to the parameters of other codes share: what those lack, and where voxels are.

`galpak` and `kinms` convert. Both codes work in channels of equal width and know one line, no
shear, no lensing, no clumps, arms, lopsidedness, warp or continuum.
"""

from collections.abc import Mapping

import numpy as np

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import DiskParameters
from clumpygan.galaxies.rendering.grid import CubeGrid

_NEITHER_HAS = {
    "g1": 0.0,
    "g2": 0.0,
    "magnification": 1.0,
    "continuum": 0.0,
    "lopsidedness": 0.0,
    "warp_inclination": 0.0,
    "warp_position_angle": 0.0,
    "warp_inclination_bend": 0.0,
    "warp_position_angle_bend": 0.0,
    "radial_velocity": 0.0,
}


def demand(galaxy: DiskParameters, code: str, wanted: Mapping[str, float]) -> None:
    """Raise `InputError` if a parameter hasn't the only value that a code can have."""
    for name, value in wanted.items():
        given = getattr(galaxy, name)
        if not np.isclose(given, value, rtol=1e-6, atol=0.0):
            raise InputError(f"{name} is {given:g}; {code} can only have {value:g}")


def demand_plain(galaxy: DiskParameters, code: str) -> None:
    """Raise `InputError` if a galaxy has what neither code has."""
    demand(galaxy, code, _NEITHER_HAS)
    if galaxy.clumps:
        raise InputError(f"the galaxy has {len(galaxy.clumps)} clumps; {code} has none")
    if galaxy.arms and galaxy.arm_amplitude:
        raise InputError(f"the galaxy has {galaxy.arms} spiral arms; {code} has none")


def check_grid(grid: CubeGrid, code: str) -> None:
    """Raise `InputError` unless a grid is of one line and of rising, equal channels (to 10 %)."""
    if len(grid.edges) > 1:
        raise InputError(f"the grid has {len(grid.edges)} lines; expected one, for {code}")
    widths = np.diff(grid.edges[0])
    if widths[0] < 0:
        raise InputError(f"velocities fall along the grid; {code} has them rise")
    if widths.max() > 1.1 * widths.min():
        raise InputError(
            f"channels are {widths.min():g} to {widths.max():g} km/s wide; "
            f"{code} has them equally wide"
        )


def channel_of(grid: CubeGrid, velocity: float) -> float:
    """Return the place of a velocity along the axis, 0 at the centre of the first channel."""
    edges, step = grid.edges[0], grid.channel_width
    inside = float(np.clip(velocity, edges[0], edges[-1]))
    place = float(np.interp(inside, edges, np.arange(len(edges)) - 0.5))
    return place + (velocity - inside) / step


def velocity_of_channel(grid: CubeGrid, place: float) -> float:
    """Return the velocity of a place along the axis: the inverse of `channel_of`."""
    edges, step = grid.edges[0], grid.channel_width
    inside = float(np.clip(place, -0.5, len(edges) - 1.5))
    velocity = float(np.interp(inside, np.arange(len(edges)) - 0.5, edges))
    return velocity + (place - inside) * step


def field_centre(grid: CubeGrid) -> tuple[float, float]:
    """Return the middle of the field (x, y) in pixels, 0 at the centre of the first."""
    return 0.5 * (grid.shape[2] - 1), 0.5 * (grid.shape[1] - 1)
