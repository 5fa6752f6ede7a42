"""How sharp a galaxy is: the highest spatial frequency that a cube of it needs."""

import math

from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.light import ARM_CORE, line_width, surface_brightness
from clumpygan.galaxies.rendering.quadrature import CLUMP_LENGTH, FIRST_CLUMP
from clumpygan.galaxies.rendering.rotation import (
    dispersion,
    plane_speed,
    rotation_velocity,
    sersic_b,
)

_MODEL = DiskModel()
_RADIUS = _MODEL.index("half_light_radius")
_SERSIC = _MODEL.index("sersic_index")
_RING_WIDTH = _MODEL.index("ring_width")
_BULGE = _MODEL.index("bulge_fraction")
_BULGE_RADIUS = _MODEL.index("bulge_radius")
_BULGE_INDEX = _MODEL.index("bulge_index")
_INCLINATION = _MODEL.index("inclination")
_HEIGHT = _MODEL.index("scale_height")
_G1 = _MODEL.index("g1")
_G2 = _MODEL.index("g2")
_MAGNIFICATION = _MODEL.index("magnification")
_ARM_PITCH = _MODEL.index("arm_pitch")
_ARM_AMPLITUDE = _MODEL.index("arm_amplitude")

_DIRECTIONS = 5


@njit
def _cusp(index):  # type: ignore[no-untyped-def]
    """Return b_n of a Sersic profile, one over its index, and the frequency that its cusp has.

    In rad per half-light radius; 0 of a Gaussian, which has no cusp.
    """
    b, power = sersic_b(index), 1.0 / index
    if abs(power - 2.0) < 1e-3:
        return b, power, 0.0
    half = -0.5 * power
    # 1 / |Gamma(-v / 2)| by reflection, as lgamma loses the sign.
    inverse = abs(math.sin(math.pi * half)) * math.exp(math.lgamma(1.0 - half)) / math.pi
    central = math.exp(2.0 * index * math.log(b) - math.lgamma(2.0 * index + 1.0)) / math.pi
    amplitude = (
        central * b * math.pi * 2.0 ** (power + 2.0) * math.gamma(1.0 + 0.5 * power) * inverse
    )
    return b, power, amplitude ** (1.0 / (2.0 + power))


@njit
def _transform(k, cusp, radius):  # type: ignore[no-untyped-def]
    """Bound the Fourier transform of a Sersic profile by its behaviour at high frequencies.

    For n = 1 it is exact; in general the cusp 1 - b rho^(1 / n) decides.
    """
    b, power, scale = cusp
    kappa = k * radius
    smooth = math.exp(-min(kappa * kappa / (4.0 * b), 700.0))
    if scale == 0.0:
        return smooth
    return max(smooth, (1.0 + (kappa / scale) ** 2) ** (-1.0 - 0.5 * power))


@njit
def _arms(k, p, choices):  # type: ignore[no-untyped-def]
    """Return the Fourier transform of spiral arms, by the radius R where they have that frequency.

    It is k = m / (R sin(pitch)); waves as bright as the arms there, at all phases.
    """
    pitch, arms = math.radians(p[_ARM_PITCH]), choices[3]
    radius = arms / (k * math.sin(pitch))
    ratio = radius / p[_RADIUS]
    fade = ratio * ratio / (ratio * ratio + ARM_CORE * ARM_CORE)
    light, _ = surface_brightness(radius, p, choices[0])
    return p[_ARM_AMPLITUDE] * fade * 2.0 * math.pi * light / (k * k)


@njit
def _rotation(k, p, choices, table, resolution):  # type: ignore[no-untyped-def]
    """Return the Fourier transform of what rotation carves out of the light of one channel.

    The centre is the sharpest: within the radius 1 / k the velocity changes by so many widths of
    the line.
    """
    radius = 1.0 / k
    velocity = rotation_velocity(choices[1], radius, p, table, choices[2])
    sigma = line_width(
        dispersion(choices[1], radius, velocity, p, table), resolution[0], resolution[1]
    )
    speed = plane_speed(velocity, radius, p, choices[5])
    swing = speed * math.sin(math.radians(p[_INCLINATION])) / sigma
    if swing < 0.1:
        return 0.0
    disk, bulge = surface_brightness(radius, p, choices[0])
    return 2.0 * math.pi * radius * radius * (disk + bulge) * math.exp(-0.2 / (swing * swing))


@njit
def vertical_transform(k, vertical):  # type: ignore[no-untyped-def]
    """Return the Fourier transform of a vertical profile of unit scale height at k (radians).

    exp(-k^2 / 2), 1 / (1 + k^2), (pi k / 2) / sinh(pi k / 2).
    """
    if vertical == 0:
        return math.exp(-0.5 * k * k)
    if vertical == 1:
        return 1.0 / (1.0 + k * k)
    x = 0.5 * math.pi * abs(k)
    if x < 1e-4:
        return 1.0
    return x / math.sinh(min(x, 700.0))


@njit
def highest_frequency(p, choices, table, vertical, resolution, frequencies, response, tolerance):  # type: ignore[no-untyped-def]
    """Return the frequency beyond which the observed image has less than a share of its peak.

    Parameters
    ----------
    p, choices, table, resolution
        As those of `points.disk_points`.
    vertical : int
    frequencies : ndarray
        Logarithmic steps, rad/arcsec.
    response : ndarray
        Modulus of the transfer function of PSF and pixel there.
    tolerance : float
        Share of the integral of the modulus over all frequencies, a bound to the peak.
    """
    cosine = math.cos(math.radians(p[_INCLINATION]))
    sine = math.sin(math.radians(p[_INCLINATION]))
    shear = math.sqrt(p[_G1] ** 2 + p[_G2] ** 2)
    compress = math.sqrt(p[_MAGNIFICATION]) * math.sqrt((1.0 - shear) / (1.0 + shear))
    with_arms = choices[3] > 0 and p[_ARM_AMPLITUDE] > 0.0
    of_disk, of_bulge = _cusp(p[_SERSIC]), _cusp(p[_BULGE_INDEX])
    content = frequencies * 0.0
    total = 0.0
    for f in range(frequencies.size):
        if response[f] < 1e-9:
            continue
        k = frequencies[f] * compress
        rotation = _rotation(k, p, choices, table, resolution)
        mean = 0.0
        for a in range(_DIRECTIONS):
            theta = 0.5 * math.pi * (a + 0.5) / _DIRECTIONS
            across = k * math.sin(theta)
            flat = math.sqrt((k * math.cos(theta)) ** 2 + (across * cosine) ** 2)
            if choices[0]:
                disk = math.exp(-min(0.5 * (flat * p[_RING_WIDTH]) ** 2, 700.0))
            else:
                disk = _transform(flat, of_disk, p[_RADIUS])
            if p[_BULGE] > 0.0:
                bulge = _transform(flat, of_bulge, p[_BULGE_RADIUS])
                disk += p[_BULGE] * (bulge - disk)
            disk = max(disk, rotation)
            if with_arms:
                disk = max(disk, _arms(flat, p, choices))
            for first in range(FIRST_CLUMP, p.size, CLUMP_LENGTH):
                wave = flat * p[first + 3] / 1.17741
                disk += p[first] * math.exp(-min(0.5 * wave * wave, 700.0))
            mean += disk * vertical_transform(across * sine * p[_HEIGHT], vertical)
        content[f] = mean / _DIRECTIONS * response[f] * frequencies[f] ** 2
        total += content[f]
    beyond = 0.0
    for f in range(frequencies.size - 1, -1, -1):
        beyond += content[f]
        if beyond > tolerance * total:
            return frequencies[min(f + 1, frequencies.size - 1)]
    return frequencies[0]
