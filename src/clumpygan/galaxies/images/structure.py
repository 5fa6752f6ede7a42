"""Disks, bulges, spheroids, arms and neighbours of galaxies whose size and profile are known.

What they draw are columns of `clumpygan.galaxies.COLUMNS`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from numpy.typing import NDArray

from clumpygan.galaxies.geometry import apparent_axis_ratio, inclination_of
from clumpygan.galaxies.images.density import MINIMUM_REDSHIFT, Drawn
from clumpygan.galaxies.images.profiles import MINIMUM_SERSIC_INDEX, sersic_enclosed

COMPANION_SHARE = 0.10
"""Share of galaxies with a neighbour 0.2 to 1.2 arcsec away: the blends of HSC seeing."""

BULGE_AND_DISK = (1.2, 3.5)
"""Sersic indices of galaxies that are a disk with a bulge; below are disks, above spheroids."""

BULGE_SIZES = (0.2, 0.25, 0.3, 0.4)
"""Half-light radii of bulges over those of their disks."""

BULGE_INDICES = (2.0, 4.0)
"""Sersic index of pseudo-bulges, in galaxies below n = 2 only, and of classical bulges."""

_RADII = np.geomspace(0.1, 4.0, 40)
_BULGE_SHARES = np.arange(0.0, 0.605, 0.01)


@lru_cache(maxsize=1)
def _kpc_per_arcsec_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Redshifts and proper kpc per arcsec, flat LCDM with H0 = 70, Omega_m = 0.3."""
    redshift = np.linspace(MINIMUM_REDSHIFT, 8.0, 800)
    scale = FlatLambdaCDM(H0=70.0, Om0=0.3).kpc_proper_per_arcmin(redshift).value / 60.0
    return redshift, np.asarray(scale, dtype=np.float64)


def late_type_radius(log_stellar_mass: float, redshift: float) -> float:
    """Return the median half-light radius of late types in arcsec.

    8.9 kpc (M / 5e10)^0.22 (1 + z)^-0.75 (van der Wel et al. 2014, ApJ 788, 28, abstract).
    """
    size = 8.9 * 10 ** (0.22 * (log_stellar_mass - np.log10(5e10))) * (1 + redshift) ** -0.75
    return float(size / np.interp(redshift, *_kpc_per_arcsec_table()))


def spheroid_probability(galaxy: Drawn) -> float:
    """Return the share of galaxies like this that are early types, without a disk to speak of.

    Those with a high Sersic index that are smaller than late types of their mass: half of them at
    n = 2.5 and 0.2 dex below the late types' median, where the two sequences of van der Wel et al.
    (2014) part; none below n = 1.5, all above n = 3.5.
    """
    if galaxy.sersic_index < 1.5:
        return 0.0
    if galaxy.sersic_index > BULGE_AND_DISK[1]:
        return 1.0
    usual = late_type_radius(galaxy.log_stellar_mass, galaxy.redshift)
    smaller = np.log10(usual / galaxy.half_light_radius)
    score = (galaxy.sersic_index - 2.5) / 0.5 + (smaller - 0.2) / 0.12
    return float(1.0 / (1.0 + np.exp(-score)))


class Decomposition(NamedTuple):
    """A disk and a bulge that look like one Sersic profile: share of the bulge, size of the disk.

    The disk is exponential; its half-light radius is in units of that of the whole.
    """

    bulge_fraction: float
    disk_half_light_radius: float


@lru_cache(maxsize=1024)
def decompose(sersic_index: float, bulge_size: float, bulge_index: float) -> Decomposition:
    """Split a Sersic profile into an exponential disk and a bulge.

    Half of their light is inside the half-light radius of the whole, and of all shares of the bulge
    that with the nearest growth curve from 0.1 to 4 half-light radii is taken.

    Parameters
    ----------
    sersic_index : float
        Of the whole; more than 1.
    bulge_size : float
        Half-light radius of the bulge over that of the disk, below 1.
    bulge_index : float
        Sersic index of the bulge.
    """
    shares = _BULGE_SHARES

    def enclosed(radius: NDArray[np.float64], disk: NDArray[np.float64]) -> NDArray[np.float64]:
        bulge = sersic_enclosed(radius / (disk * bulge_size), bulge_index)
        light = shares * bulge + (1.0 - shares) * sersic_enclosed(radius / disk, 1.0)
        return np.asarray(light)

    low, high = np.ones_like(shares), np.full_like(shares, 1.0 / bulge_size)
    for _ in range(40):
        middle = 0.5 * (low + high)
        large = enclosed(np.ones(1), middle) < 0.5
        high = np.where(large, middle, high)
        low = np.where(large, low, middle)
    misfit = enclosed(_RADII[:, None], low) - sersic_enclosed(_RADII, sersic_index)[:, None]
    best = int(np.argmin(np.square(misfit).sum(axis=0)))
    return Decomposition(float(shares[best]), float(low[best]))


def _rounded(sersic_index: float, low: float, high: float) -> float:
    """Sersic index to 0.1, so that few transforms have to be tabulated."""
    return float(np.round(np.clip(sersic_index, low, high), 1))


def draw_body(generator: np.random.Generator, galaxy: Drawn) -> dict[str, float]:
    """Draw the smooth light of a galaxy: a disk, a disk with a bulge, or a spheroid.

    Disk and bulge together look like the Sersic profile that was drawn: their growth curve is the
    nearest that there is to it. Disks are oblate spheroids of thickness 0.15 to 0.3 or, seen
    edge-on, as thin as the galaxy; the axis ratio that was drawn says how they are inclined.

    Parameters
    ----------
    generator : numpy.random.Generator
    galaxy : Drawn

    Returns
    -------
    dict
        Columns of disk and bulge, angles in degrees, sizes in arcsec.
    """
    radius, ratio = galaxy.half_light_radius, galaxy.axis_ratio
    index = _rounded(galaxy.sersic_index, MINIMUM_SERSIC_INDEX, 6.0)
    spheroid = generator.random() < spheroid_probability(galaxy)
    thickness = min(generator.uniform(*((0.3, 0.9) if spheroid else (0.15, 0.3))), 0.98 * ratio)
    inclination = inclination_of(ratio, thickness)
    size, bulge_index = generator.choice(BULGE_SIZES), generator.choice(BULGE_INDICES)
    if index >= BULGE_INDICES[0]:
        bulge_index = BULGE_INDICES[-1]
    bulge_ratio = max(ratio, apparent_axis_ratio(inclination, generator.uniform(0.5, 0.9)))
    body = {
        "half_light_radius": radius,
        "sersic_index": index,
        "axis_ratio": ratio,
        "inclination": inclination,
        "position_angle": generator.uniform(0.0, 180.0),
        "disk_half_light_radius": radius,
        "disk_sersic_index": index,
        "bulge_fraction": 0.0,
        "bulge_half_light_radius": radius * size,
        "bulge_axis_ratio": bulge_ratio,
        "bulge_sersic_index": float(bulge_index),
    }
    if spheroid or not BULGE_AND_DISK[0] <= index <= BULGE_AND_DISK[1]:
        return body
    share, disk = decompose(index, float(size), float(bulge_index))
    return body | {
        "disk_half_light_radius": radius * disk,
        "disk_sersic_index": 1.0,
        "bulge_fraction": share,
        "bulge_half_light_radius": radius * disk * size,
    }


def draw_arms(generator: np.random.Generator, mass: float, *, smooth: bool) -> dict[str, float]:
    """Draw two to four arms with 8 to 25 % of the light in a third of the more massive disks."""
    present = not smooth and generator.random() < np.interp(mass, [9.0, 10.3], [0.05, 0.4])
    count = int(generator.choice([2, 3, 4], p=[0.7, 0.15, 0.15])) if present else 0
    return {
        "arm_count": count,
        "arm_fraction": generator.uniform(0.08, 0.25) if present else 0.0,
        "arm_pitch_angle": generator.uniform(12.0, 30.0) * generator.choice([-1.0, 1.0]),
        "arm_phase": generator.uniform(0.0, 360.0),
    }


def draw_companion(generator: np.random.Generator, flux: float) -> dict[str, float]:
    """Draw a neighbour 0.2 to 1.2 arcsec away, 1 to 10 times fainter, in one of ten galaxies."""
    present = generator.random() < COMPANION_SHARE
    separation, direction = generator.uniform(0.2, 1.2), generator.uniform(0.0, 2.0 * np.pi)
    return {
        "companion_flux": flux * 10 ** -generator.uniform(0.0, 1.0) if present else 0.0,
        "companion_x": separation * np.cos(direction),
        "companion_y": separation * np.sin(direction),
        "companion_half_light_radius": float(
            np.clip(0.2 * 10 ** generator.normal(0.0, 0.2), 0.05, 0.6)
        ),
        "companion_sersic_index": _rounded(1.3 * 10 ** generator.normal(0.0, 0.2), 0.5, 4.0),
        "companion_axis_ratio": generator.uniform(0.3, 1.0),
        "companion_position_angle": generator.uniform(0.0, 180.0),
    }
