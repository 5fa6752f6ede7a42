"""Where a disk is sampled, and how finely, so that a cube is as accurate as was asked for.

The light of a thin disk is integrated in polar coordinates of its plane: Gauss-Legendre over the
radius, the trapezoidal rule over the azimuth. Both converge exponentially as soon as they follow
the phase k.x of the highest spatial frequency k that the telescope passes, and the phase of the
rotation velocity across the line width; the cusp in the centre costs nothing in these coordinates.
"""

import math
from functools import cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import gammainccinv, roots_legendre

from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.light import ARM_CORE, line_width, surface_brightness
from clumpygan.galaxies.rendering.rotation import (
    dispersion,
    plane_speed,
    rotation_velocity,
    sersic_b,
)

FloatArray = NDArray[np.float64]

_MODEL = DiskModel()
RADIUS = _MODEL.index("half_light_radius")
SERSIC = _MODEL.index("sersic_index")
RING_WIDTH = _MODEL.index("ring_width")
BULGE = _MODEL.index("bulge_fraction")
BULGE_RADIUS = _MODEL.index("bulge_radius")
BULGE_INDEX = _MODEL.index("bulge_index")
INCLINATION = _MODEL.index("inclination")
OFFSET_X = _MODEL.index("offset_x")
OFFSET_Y = _MODEL.index("offset_y")
HEIGHT = _MODEL.index("scale_height")
G1 = _MODEL.index("g1")
G2 = _MODEL.index("g2")
MAGNIFICATION = _MODEL.index("magnification")
ARM_PITCH = _MODEL.index("arm_pitch")
ARM_AMPLITUDE = _MODEL.index("arm_amplitude")
POSITION_ANGLE = _MODEL.index("position_angle")
WARP_INCLINATION = _MODEL.index("warp_inclination")
WARP_ANGLE = _MODEL.index("warp_position_angle")
BEND_INCLINATION = _MODEL.index("warp_inclination_bend")
BEND_ANGLE = _MODEL.index("warp_position_angle_bend")
FIRST_CLUMP = len(_MODEL.names)
CLUMP_LENGTH = len(DiskModel(clumps=1).names) - FIRST_CLUMP

MAXIMUM_RINGS = 2048
"""So many are made of a disk or a clump."""

_PROBES = 20
"""Steps in which `ring_rule` looks at the velocities."""

_INDICES = np.linspace(0.3, 6.2, 119)


@cache
def legendre_rule(row: int) -> tuple[FloatArray, FloatArray]:
    """Return the nodes and weights on [0, 1] of the Gauss-Legendre rule of 4 (row + 1) nodes."""
    x, w = roots_legendre(4 * (row + 1))
    return np.asarray(0.5 * (x + 1)), np.asarray(0.5 * w)


def broken_rule(row: int, breaks: FloatArray, digits: float) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on [0, 1] of rules between breaks, as fine as one that has none.

    Parameters
    ----------
    row : int
        Of `legendre_rule`: fine enough, were the function smooth.
    breaks : ndarray
        Where it isn't: any numbers, those outside of [0, 1] don't matter.
    digits : float
        -log10 of the accuracy.
    """
    ends = np.unique(np.concatenate([[0.0], breaks[(breaks > 1e-3) & (breaks < 0.999)], [1.0]]))
    angles = np.arccos(1 - 2 * ends)
    fewest = 1.5 + 1.25 * digits
    nodes, weights = [], []
    for low, high, share in zip(ends[:-1], ends[1:], np.diff(angles) / np.pi, strict=True):
        x, w = roots_legendre(math.ceil(fewest + share * max(4 * (row + 1) - 2 * fewest, 0.0)))
        nodes.append(low + 0.5 * (high - low) * (x + 1))
        weights.append(0.5 * (high - low) * w)
    return np.concatenate(nodes), np.concatenate(weights)


@cache
def extents(accuracy: float) -> FloatArray:
    """Return how far a Sersic profile reaches: u = b (R / R_half)^(1 / n) at Sersic indices.

    The light beyond is half the accuracy, for the indices 0.3, 0.35, ... 6.2.
    """
    return np.asarray(gammainccinv(2 * _INDICES, 0.5 * accuracy))


@cache
def vertical_rule(profile: str, count: int, tallest: float) -> tuple[FloatArray, FloatArray]:
    """Return heights, in scale heights, and weights of a rule for a vertical profile.

    Gauss-Hermite for a Gaussian; else Gauss-Legendre above and below the plane, where an
    exponential has a cusp.

    Parameters
    ----------
    profile : str
        "gaussian", "exponential" or "sech2".
    count : int
        Even, but for a Gaussian.
    tallest : float
        Where the profile ends, but for a Gaussian.

    Returns
    -------
    ndarray of shape (count,), twice
        The weights add up to 1.
    """
    if profile == "gaussian":
        heights, weights = hermegauss(count)
    else:
        x, w = roots_legendre(count // 2)
        above = 0.5 * tallest * (x + 1)
        share = w * (np.exp(-above) if profile == "exponential" else 1 / np.cosh(above) ** 2)
        heights, weights = np.concatenate([-above, above]), np.concatenate([share, share])
    return np.asarray(heights), np.asarray(weights / weights.sum())


def height_count(profile: str, wave: float, tallest: float, digits: float) -> int:
    """Return how many heights follow the highest frequency, in rad per scale height."""
    if profile == "gaussian":
        return math.ceil(2.5 + 0.5 * digits + 2.4 * wave)
    return 2 * math.ceil(1.0 + 0.8 * digits + 0.27 * wave * tallest)


@njit
def stretch_of(p):  # type: ignore[no-untyped-def]
    """Return the largest factor by which shear and magnification lengthen the sky."""
    shear = math.sqrt(p[G1] * p[G1] + p[G2] * p[G2])
    return math.sqrt(p[MAGNIFICATION] * (1.0 + shear) / (1.0 - shear))


@njit
def _reach(index, radius, extent):  # type: ignore[no-untyped-def]
    place = min(max((index - 0.3) / 0.05, 0.0), extent.size - 1.001)
    low = int(place)
    u = extent[low] + (place - low) * (extent[low + 1] - extent[low])
    return radius * (u / sersic_b(index)) ** index


@njit
def radial_range(p, ring, extent):  # type: ignore[no-untyped-def]
    """Return the radii in arcsec between which there is light, and the power of the mapping.

    Radii are `low + (high - low) t^power` with t in [0, 1], which makes a Sersic profile smooth in
    t.
    """
    power, low = 1.0, 0.0
    if ring:
        reach = 4.0 * p[RING_WIDTH] if extent[14] < 12.0 else 5.5 * p[RING_WIDTH]
        high = p[RADIUS] + reach
        low = max(p[RADIUS] - reach, 0.0)
    else:
        high = _reach(p[SERSIC], p[RADIUS], extent)
        power = min(max(p[SERSIC], 1.0), 4.0)
    if p[BULGE] > 0.0:
        low = 0.0
        high = max(high, _reach(p[BULGE_INDEX], p[BULGE_RADIUS], extent))
        power = max(power, min(max(p[BULGE_INDEX], 1.0), 4.0))
    return low, high, power


@njit
def farthest_radius(p, half_y, half_x, tallest):  # type: ignore[no-untyped-def]
    """Return the radius in arcsec beyond which a disk has no light in a field.

    Parameters
    ----------
    p : ndarray
    half_y, half_x : float
        Half of the lengths of the field in arcsec.
    tallest : float
        Scale heights beyond which there is no light.
    """
    x = half_x + abs(p[OFFSET_X])
    y = half_y + abs(p[OFFSET_Y])
    shear = math.sqrt(p[G1] * p[G1] + p[G2] * p[G2])
    shortest = math.sqrt(p[MAGNIFICATION] * (1.0 - shear) / (1.0 + shear))
    inclination = math.radians(p[INCLINATION])
    height = tallest * p[HEIGHT] * math.sin(inclination)
    return (math.sqrt(x * x + y * y) / shortest + height) / max(math.cos(inclination), 1e-9)


@njit
def orientation(p, radius):  # type: ignore[no-untyped-def]
    """Return inclination and position angle of a warped disk at a radius in arcsec, in radians.

    And their derivatives with respect to the radius over the half-light radius.
    """
    turns = radius / p[RADIUS]
    tilting, twisting = p[BEND_INCLINATION] * turns, p[BEND_ANGLE] * turns
    return (
        math.radians(p[INCLINATION] + (p[WARP_INCLINATION] + tilting) * turns),
        math.radians(p[POSITION_ANGLE] + (p[WARP_ANGLE] + twisting) * turns),
        math.radians(p[WARP_INCLINATION] + 2.0 * tilting),
        math.radians(p[WARP_ANGLE] + 2.0 * twisting),
    )


@njit
def _weight(share, digits):  # type: ignore[no-untyped-def]
    return max(1.0 + math.log10(max(share, 1e-12)) / digits, 0.0)


@njit
def ring_rule(p, choices, table, span, frequency, resolution, digits):  # type: ignore[no-untyped-def]
    """Return the row of `legendre_rule` that is fine enough for the radii.

    Gauss-Legendre with n nodes follows a phase of about 4 n radians over its range, if it changes
    evenly with the angle arccos(2 t - 1).

    Parameters
    ----------
    p, choices, table, span, resolution
        As those of `points.disk_points`.
    frequency : float
        Highest spatial frequency, rad/arcsec in the plane of the disk.
    digits : float
        -log10 of the accuracy.
    """
    low, high, power = span
    tilt = math.sin(math.radians(p[INCLINATION]))
    crests = 0.0
    if choices[3] > 0 and p[ARM_AMPLITUDE] > 0.0:
        crests = choices[3] / math.tan(math.radians(p[ARM_PITCH]))
    phase = 0.0
    before, slowest, turning = low, 0.0, 0.0
    for i in range(1, _PROBES):
        t = (i / _PROBES) ** 2
        radius = low + (high - low) * t**power
        velocity = rotation_velocity(choices[1], radius, p, table, choices[2])
        sigma = line_width(
            dispersion(choices[1], radius, velocity, p, table), resolution[0], resolution[1]
        )
        if choices[4]:
            inclination, _, tilting, twisting = orientation(p, radius)
            tilt = math.sin(inclination)
            # A ring that turns moves its light on the sky as well as one that is wider.
            turning = radius / p[RADIUS] * math.hypot(tilting, twisting)
        speed = plane_speed(velocity, radius, p, choices[5]) * tilt
        gradient = abs(speed - slowest) / (radius - before) / sigma
        # The less light there is inside a radius, the fewer digits of it matter.
        disk, bulge = surface_brightness(radius, p, choices[0])
        share = min(math.pi * radius * radius * (disk + bulge), 1.0)
        swing = (1.5 + 0.4 * digits) * gradient * _weight(share, digits)
        ratio = radius / p[RADIUS]
        fade = ratio * ratio / (ratio * ratio + ARM_CORE * ARM_CORE)
        winding = crests / radius * min(1.7 * _weight(share * fade, digits), 1.0)
        twist = math.hypot(1.0, turning * _weight(share, digits))
        local = math.hypot(frequency * twist + winding, swing)
        slope = 2.0 * power * t ** (power - 1.0) * math.sqrt(t * (1.0 - t))
        phase = max(phase, local * (high - low) * slope)
        before, slowest = radius, speed
    count = 3.0 + 2.5 * digits + 0.27 * phase
    return int(count / 4.0)


@njit
def azimuths(phase, digits):  # type: ignore[no-untyped-def]
    """Return an even number of azimuths that follow a phase amplitude in radians.

    The trapezoidal rule errs by the Bessel function J_n of the phase (Weideman 2002).
    """
    count = phase + (0.6 * digits + 0.5) * phase ** (1.0 / 3.0) + 2.0 + digits
    return 2 * math.ceil(0.5 * count)


@njit
def clump_rule(sigma, change, frequency, digits):  # type: ignore[no-untyped-def]
    """Return how a Gaussian clump is sampled.

    Parameters
    ----------
    sigma : float
        Arcsec.
    change : float
        Change of the velocity across sigma, over the width of the line.
    frequency : float
        Highest spatial frequency, rad/arcsec.
    digits : float
        -log10 of the accuracy.

    Returns
    -------
    row : int
        Of `legendre_rule`.
    count : int
        Azimuths.
    reach : float
        Standard deviations.
    """
    reach = math.sqrt(2.0 * math.log(10.0) * (digits + 0.5))
    phase = frequency * sigma * reach + 2.0 * change * reach
    rings = 2.0 + digits + 0.27 * phase
    return int(rings / 4.0), azimuths(0.6 * phase, digits), reach
