"""From the plane of a galaxy's disk to the sky.

Sky coordinates are (x, y) in arcsec with the galaxy at the origin. The position angle counts in
degrees from +y (north) towards -x (east). Shear is GalSim's reduced shear (g1, g2), applied in the
sky plane, after the inclination.
"""

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError

Matrix = NDArray[np.float64]


def disk_to_sky(position_angle: float, axis_ratio: float) -> Matrix:
    """Matrix that takes disk-plane coordinates (along major axis, along minor axis) to the sky.

    Parameters
    ----------
    position_angle : float
        Degrees from +y towards -x.
    axis_ratio : float
        Apparent minor over major axis, in (0, 1].

    Returns
    -------
    ndarray of shape (2, 2), float64

    Raises
    ------
    InputError
        If the axis ratio is outside (0, 1].
    """
    if not 0.0 < axis_ratio <= 1.0:
        raise InputError(f"axis_ratio is {axis_ratio}; expected a number in (0, 1]")
    sine, cosine = np.sin(np.radians(position_angle)), np.cos(np.radians(position_angle))
    return np.array([[-sine, -axis_ratio * cosine], [cosine, -axis_ratio * sine]])


def shear_matrix(g1: float, g2: float) -> Matrix:
    """Area-preserving shear matrix of a reduced shear (g1, g2), as `galsim.Shear.getMatrix`.

    Returns
    -------
    ndarray of shape (2, 2), float64

    Raises
    ------
    InputError
        If the shear is 1 or more.
    """
    squared = g1**2 + g2**2
    if not squared < 1.0:
        raise InputError(f"shear is ({g1}, {g2}); expected g1^2 + g2^2 below 1")
    matrix: Matrix = np.array([[1.0 + g1, g2], [g2, 1.0 - g1]]) / np.sqrt(1.0 - squared)
    return matrix


def apparent_axis_ratio(inclination: float, thickness: float) -> float:
    """Axis ratio of an oblate spheroid seen at an inclination (Hubble 1926).

    `q^2 = (1 - q0^2) cos^2 i + q0^2`, with 0 degrees face-on.

    Parameters
    ----------
    inclination : float
        Degrees, 0 face-on, 90 edge-on.
    thickness : float
        Intrinsic axis ratio q0, edge-on.
    """
    cosine = np.cos(np.radians(inclination))
    return float(np.sqrt((1.0 - thickness**2) * cosine**2 + thickness**2))


def inclination_of(axis_ratio: float, thickness: float) -> float:
    """Inclination in degrees of an oblate spheroid of an apparent axis ratio.

    Parameters
    ----------
    axis_ratio : float
        Apparent, at least `thickness`.
    thickness : float
        Intrinsic axis ratio q0, edge-on, below 1.
    """
    cosine = (axis_ratio**2 - thickness**2) / (1.0 - thickness**2)
    return float(np.degrees(np.arccos(np.sqrt(np.clip(cosine, 0.0, 1.0)))))
