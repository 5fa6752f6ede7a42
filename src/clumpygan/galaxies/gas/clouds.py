"""Gas that isn't a smooth disk, as points: places in the plane of a disk, what is seen of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.curve_tables import table_of
from clumpygan.galaxies.rendering.points import sky_axes
from clumpygan.galaxies.rendering.rotation import rotation_velocity

FloatArray = NDArray[np.float64]

_MODEL = DiskModel()
_OFFSET_X = _MODEL.index("offset_x")
_OFFSET_Y = _MODEL.index("offset_y")


class Cloud(NamedTuple):
    """Points that shine.

    Attributes
    ----------
    x, y : ndarray (N,)
        Arcsec from the middle of the field.
    flux : ndarray (N,)
        Of all lines together.
    velocity, dispersion : ndarray (N,)
        km/s.
    shares : ndarray (N, lines)
        Of the lines in the flux; the sum of each row is 1.
    """

    x: FloatArray
    y: FloatArray
    flux: FloatArray
    velocity: FloatArray
    dispersion: FloatArray
    shares: FloatArray


class Seen(NamedTuple):
    """How points in the plane of a disk are seen.

    Attributes
    ----------
    x, y : ndarray (N,)
        Arcsec from the middle of the field.
    normal_x, normal_y : ndarray (N,)
        What an arcsec above the plane is on the sky.
    rotation : ndarray (N,)
        Velocity of the rotation in km/s.
    tilt : ndarray (N,)
        Sine of the inclination there.
    """

    x: FloatArray
    y: FloatArray
    normal_x: FloatArray
    normal_y: FloatArray
    rotation: FloatArray
    tilt: FloatArray


def joined(clouds: list[Cloud]) -> Cloud:
    """Return one cloud of several."""
    return Cloud(*(np.concatenate(parts) for parts in zip(*clouds, strict=True)))


def seen_from(
    vector: FloatArray, curve: int, along: FloatArray, across: FloatArray, model: DiskModel
) -> Seen:
    """Return how points of a disk, which may be warped, are seen.

    Parameters
    ----------
    vector : ndarray (P,)
        Of the disk.
    curve : int
        Place of the rotation curve in `CURVES`.
    along, across : ndarray (N,)
        Arcsec in the plane, along the major axis to the receding side, and 90 degrees further.
    model : DiskModel
    """
    return Seen(*_seen(vector, curve, table_of(model, vector), along, across))


@njit
def _seen(p, curve, table, along, across):  # type: ignore[no-untyped-def]
    out = np.empty((6, along.size))
    for i in range(along.size):
        radius = max(np.hypot(along[i], across[i]), 1e-9)
        xx, xy, yx, yy, zx, zy, tilt = sky_axes(p, radius)
        out[0, i] = p[_OFFSET_X] + along[i] * xx + across[i] * yx
        out[1, i] = p[_OFFSET_Y] + along[i] * xy + across[i] * yy
        out[2, i], out[3, i] = zx, zy
        out[4, i] = rotation_velocity(curve, radius, p, table, False)
        out[5, i] = tilt
    return out[0], out[1], out[2], out[3], out[4], out[5]
