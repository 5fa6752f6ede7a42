"""Where a disk is sampled, and how finely, so that a cube is as accurate as was asked for.

The light of a thin disk is integrated in polar coordinates of its plane: Gauss-Legendre over the
radius, the trapezoidal rule over the azimuth. Both converge exponentially as soon as they follow
the phase k.x of the highest spatial frequency k that the telescope passes, and the phase of the
rotation velocity across the line width; the cusp in the centre costs nothing in these coordinates.
"""

import math
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammainccinv, roots_legendre

from clumpygan.galaxies.parameters import DiskModel
from clumpygan.galaxies.rotation import sersic_b

FloatArray = NDArray[np.float64]

_MODEL = DiskModel()
RADIUS = _MODEL.index("half_light_radius")
SERSIC = _MODEL.index("sersic_index")
RING_WIDTH = _MODEL.index("ring_width")
BULGE = _MODEL.index("bulge_fraction")
BULGE_RADIUS = _MODEL.index("bulge_radius")
BULGE_INDEX = _MODEL.index("bulge_index")
INCLINATION = _MODEL.index("inclination")
HEIGHT = _MODEL.index("scale_height")
G1 = _MODEL.index("g1")
G2 = _MODEL.index("g2")
MAGNIFICATION = _MODEL.index("magnification")
MAXIMUM_VELOCITY = _MODEL.index("maximum_velocity")
ARM_PITCH = _MODEL.index("arm_pitch")
ARM_AMPLITUDE = _MODEL.index("arm_amplitude")
FIRST_CLUMP = len(_MODEL.names)
CLUMP_LENGTH = len(DiskModel(clumps=1).names) - FIRST_CLUMP

MAXIMUM_RINGS = 512

_INDICES = np.linspace(0.3, 6.2, 119)


@cache
def legendre_rules() -> tuple[FloatArray, FloatArray]:
    """Return the nodes and weights on [0, 1] of the Gauss-Legendre rules of 4, 8, 12, ... nodes.

    Returns
    -------
    ndarray of shape (MAXIMUM_RINGS / 4, MAXIMUM_RINGS), twice
        Row r has 4 (r + 1) of them.
    """
    count = MAXIMUM_RINGS // 4
    nodes, weights = np.zeros((count, MAXIMUM_RINGS)), np.zeros((count, MAXIMUM_RINGS))
    for r in range(count):
        n = 4 * (r + 1)
        x, w = roots_legendre(n)
        nodes[r, :n], weights[r, :n] = 0.5 * (x + 1), 0.5 * w
    return nodes, weights


@cache
def extents(accuracy: float) -> FloatArray:
    """Return how far a Sersic profile reaches: u = b (R / R_half)^(1 / n) at Sersic indices.

    The light beyond is half the accuracy, for the indices 0.3, 0.35, ... 6.2.
    """
    return np.asarray(gammainccinv(2 * _INDICES, 0.5 * accuracy))


@cache
def vertical_rule(profile: str, count: int) -> tuple[FloatArray, FloatArray]:
    """Return heights, in scale heights, and weights of a rule for a vertical profile.

    Gauss rules for the densities exp(-z^2 / 2), exp(-|z|) and sech^2(z), by the Stieltjes procedure
    on a fine grid (Gautschi 2004, section 2.2).

    Parameters
    ----------
    profile : str
        "gaussian", "exponential" or "sech2".
    count : int

    Returns
    -------
    ndarray of shape (count,), twice
        The weights add up to 1.
    """
    z = np.linspace(-40, 40, 80001)
    density = {
        "gaussian": np.exp(-0.5 * z**2),
        "exponential": np.exp(-np.abs(z)),
        "sech2": 1 / np.cosh(z) ** 2,
    }[profile]
    density /= density.sum()
    previous, present = np.zeros_like(z), np.ones_like(z)
    off_diagonal = np.zeros(count)
    norm = 1.0
    for i in range(count - 1):
        # All three are even: the diagonal of the Jacobi matrix is zero.
        following = z * present - (off_diagonal[i] ** 2) * previous
        new_norm = float(density @ following**2)
        off_diagonal[i + 1] = math.sqrt(new_norm / norm)
        previous, present, norm = present, following, new_norm
    matrix = np.diag(off_diagonal[1:], 1) + np.diag(off_diagonal[1:], -1)
    heights, vectors = np.linalg.eigh(matrix)
    return np.asarray(heights), np.asarray(vectors[0] ** 2)


@njit(cache=True, nogil=True)
def stretch_of(p):  # type: ignore[no-untyped-def]
    """Return the largest factor by which shear and magnification lengthen the sky."""
    shear = math.sqrt(p[G1] * p[G1] + p[G2] * p[G2])
    return math.sqrt(p[MAGNIFICATION] * (1.0 + shear) / (1.0 - shear))


@njit(cache=True, nogil=True)
def _reach(index, radius, extent):  # type: ignore[no-untyped-def]
    place = min(max((index - 0.3) / 0.05, 0.0), extent.size - 1.001)
    low = int(place)
    u = extent[low] + (place - low) * (extent[low + 1] - extent[low])
    return radius * (u / sersic_b(index)) ** index


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def ring_rule(p, arms, low, high, power, frequency, digits):  # type: ignore[no-untyped-def]
    """Return the row of `legendre_rules` that is fine enough over a range of radii.

    Gauss-Legendre with n nodes follows a phase of about 4 n radians over its range.

    Parameters
    ----------
    p : ndarray
    arms : int
    low, high, power : float
        Of `radial_range`.
    frequency : float
        Highest spatial frequency, rad/arcsec in the plane of the disk.
    digits : float
        -log10 of the accuracy.
    """
    slope = 1.0
    if power > 1.0:
        t = (power - 0.5) / power
        slope = 2.0 * power * t ** (power - 1.0) * math.sqrt(t * (1.0 - t))
    phase = frequency * (high - low) * slope
    if arms > 0 and p[ARM_AMPLITUDE] > 0.0:
        phase += 3.0 * arms / math.tan(math.radians(p[ARM_PITCH]))
    count = 3.0 + 2.5 * digits + 0.27 * phase
    return min(int(count / 4.0), MAXIMUM_RINGS // 4 - 1)


@njit(cache=True, nogil=True)
def azimuths(phase, digits):  # type: ignore[no-untyped-def]
    """Return an even number of azimuths that follow a phase amplitude in radians.

    The trapezoidal rule errs by the Bessel function J_n of the phase (Weideman 2002).
    """
    count = phase + (0.6 * digits + 0.5) * phase ** (1.0 / 3.0) + 2.0 + digits
    return 2 * math.ceil(0.5 * count)


@njit(cache=True, nogil=True)
def _transform(k, index, radius):  # type: ignore[no-untyped-def]
    """Bound the Fourier transform of a Sersic profile by its behaviour at high frequencies.

    For n = 1 it is exact; in general the cusp 1 - b rho^(1 / n) decides.
    """
    b = sersic_b(index)
    kappa = k * radius
    smooth = math.exp(-min(kappa * kappa / (4.0 * b), 700.0))
    power = 1.0 / index
    if abs(power - 2.0) < 1e-3:
        return smooth
    half = -0.5 * power
    # 1 / |Gamma(-v / 2)| by reflection, as lgamma loses the sign.
    inverse = abs(math.sin(math.pi * half)) * math.exp(math.lgamma(1.0 - half)) / math.pi
    central = math.exp(2.0 * index * math.log(b) - math.lgamma(2.0 * index + 1.0)) / math.pi
    amplitude = (
        central * b * math.pi * 2.0 ** (power + 2.0) * math.gamma(1.0 + 0.5 * power) * inverse
    )
    scale = amplitude ** (1.0 / (2.0 + power))
    return max(smooth, (1.0 + (kappa / scale) ** 2) ** (-1.0 - 0.5 * power))


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def highest_frequency(p, clumps, ring, vertical, frequencies, response, tolerance):  # type: ignore[no-untyped-def]
    """Return the frequency beyond which the observed image has less than a share of its peak.

    Parameters
    ----------
    p : ndarray
    clumps : int
    ring : bool
    vertical : int
    frequencies : ndarray
        Logarithmic steps, rad/arcsec.
    response : ndarray
        Modulus of the transfer function of PSF and pixel there.
    tolerance : float
        Share of the integral of the modulus over all frequencies, a bound to the peak.
    """
    cosine = math.cos(math.radians(p[INCLINATION]))
    sine = math.sin(math.radians(p[INCLINATION]))
    compress = math.sqrt(p[MAGNIFICATION]) * math.sqrt(
        (1.0 - math.sqrt(p[G1] ** 2 + p[G2] ** 2)) / (1.0 + math.sqrt(p[G1] ** 2 + p[G2] ** 2))
    )
    angles = 5
    content = np.empty(frequencies.size)
    total = 0.0
    for f in range(frequencies.size):
        k = frequencies[f] * compress
        mean = 0.0
        if response[f] > 1e-9:
            for a in range(angles):
                theta = 0.5 * math.pi * (a + 0.5) / angles
                across = k * math.sin(theta)
                flat = math.sqrt((k * math.cos(theta)) ** 2 + (across * cosine) ** 2)
                if ring:
                    disk = math.exp(-min(0.5 * (flat * p[RING_WIDTH]) ** 2, 700.0))
                else:
                    disk = _transform(flat, p[SERSIC], p[RADIUS])
                if p[BULGE] > 0.0:
                    bulge = _transform(flat, p[BULGE_INDEX], p[BULGE_RADIUS])
                    disk += p[BULGE] * (bulge - disk)
                for c in range(clumps):
                    clump = p[FIRST_CLUMP + CLUMP_LENGTH * c :]
                    wave = flat * clump[3] / 1.17741
                    disk += clump[0] * math.exp(-min(0.5 * wave * wave, 700.0))
                mean += disk * vertical_transform(across * sine * p[HEIGHT], vertical)
        content[f] = mean / angles * response[f] * frequencies[f] ** 2
        total += content[f]
    beyond = 0.0
    for f in range(frequencies.size - 1, -1, -1):
        beyond += content[f]
        if beyond > tolerance * total:
            return frequencies[min(f + 1, frequencies.size - 1)]
    return frequencies[0]


@njit(cache=True, nogil=True)
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
        Of `legendre_rules`.
    count : int
        Azimuths.
    reach : float
        Standard deviations.
    """
    reach = math.sqrt(2.0 * math.log(10.0) * (digits + 0.5))
    # Light falls as exp(-k^2 sigma^2 / 2): it has no phases beyond a few sigma.
    phase = min(frequency * sigma, reach) * reach + 2.0 * change * reach
    rings = 2.0 + digits + 0.27 * phase
    return int(rings / 4.0), azimuths(0.6 * phase, digits), reach
