"""Sizes, disks, bulges, spheroids, arms and neighbours, drawn from published statistics.

What they draw are columns of `clumpygan.galaxies.COLUMNS`.
"""

from functools import lru_cache

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from numpy.typing import NDArray

from clumpygan.galaxies.geometry import apparent_axis_ratio

COMPANION_SHARE = 0.10
"""Share of galaxies with a neighbour 0.2 to 1.2 arcsec away: the blends of HSC seeing."""

MINIMUM_REDSHIFT = 0.1
"""Nearer galaxies are larger than a stamp."""


@lru_cache(maxsize=1)
def _kpc_per_arcsec_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Redshifts and proper kpc per arcsec, flat LCDM with H0 = 70, Omega_m = 0.3."""
    redshift = np.linspace(MINIMUM_REDSHIFT, 8.0, 800)
    scale = FlatLambdaCDM(H0=70.0, Om0=0.3).kpc_proper_per_arcmin(redshift).value / 60.0
    return redshift, np.asarray(scale, dtype=np.float64)


def draw_half_light_radius(
    generator: np.random.Generator, log_stellar_mass: float, redshift: float, *, quiescent: bool
) -> float:
    """Draw a half-light radius in arcsec from the size-mass relation of van der Wel et al. (2014).

    ApJ 788, 28: late types 8.9 kpc (M / 5e10)^0.22 (1 + z)^-0.75 with 0.17 dex scatter; early types
    5.6 kpc (M / 5e10)^0.75 (1 + z)^-1.48 with 0.13 dex, flat below 2e10 solar masses, where their
    fit ends (slopes, evolution and scatter are those of the abstract). At least
    0.05 arcsec and at most 2 arcsec, so that a galaxy fits a stamp.
    """
    relative = log_stellar_mass - np.log10(5e10)
    if quiescent:
        relative = max(relative, np.log10(2e10 / 5e10))
        size = np.log10(5.6) + 0.75 * relative - 1.48 * np.log10(1 + redshift)
    else:
        size = np.log10(8.9) + 0.22 * relative - 0.75 * np.log10(1 + redshift)
    size += generator.normal(0.0, 0.13 if quiescent else 0.17)
    return float(np.clip(10**size / np.interp(redshift, *_kpc_per_arcsec_table()), 0.05, 2.0))


def _rounded(sersic_index: float, low: float, high: float) -> float:
    """Sersic index to 0.1, so that few transforms have to be tabulated."""
    return float(np.round(np.clip(sersic_index, low, high), 1))


def draw_disk(generator: np.random.Generator, mass: float, radius: float) -> dict[str, float]:
    """Draw disk and bulge of a star-forming galaxy.

    Disks are randomly inclined oblate spheroids of thickness 0.15 to 0.3; n is log-normal about 1
    (0.12 dex), which with the bulge gives the late types of van der Wel et al. (2012). The bulge
    fraction is a beta distribution whose mean rises with mass from 5 to 25 %, as in Lang et al.
    (2014).
    """
    inclination = float(np.degrees(np.arccos(generator.uniform(0.0, 1.0))))
    mean = np.interp(mass, [9.0, 11.0], [0.05, 0.25])
    return {
        "sersic_index": _rounded(10 ** generator.normal(0.0, 0.12), 0.5, 2.0),
        "axis_ratio": apparent_axis_ratio(inclination, generator.uniform(0.15, 0.3)),
        "inclination": inclination,
        "position_angle": generator.uniform(0.0, 180.0),
        "bulge_fraction": generator.beta(1.2, 1.2 * (1 - mean) / mean),
        "bulge_half_light_radius": float(np.clip(radius * generator.uniform(0.12, 0.4), 0.03, 0.6)),
        "bulge_axis_ratio": apparent_axis_ratio(inclination, generator.uniform(0.6, 0.9)),
        "bulge_sersic_index": _rounded(2.5 * 10 ** generator.normal(0.0, 0.2), 1.0, 5.0),
    }


def draw_spheroid(generator: np.random.Generator, radius: float) -> dict[str, float]:
    """Draw an early type: one Sersic body, n log-normal about 3.2 (van der Wel et al. 2012)."""
    inclination = float(np.degrees(np.arccos(generator.uniform(0.0, 1.0))))
    return {
        "sersic_index": _rounded(3.2 * 10 ** generator.normal(0.0, 0.15), 1.5, 6.0),
        "axis_ratio": apparent_axis_ratio(inclination, generator.uniform(0.3, 0.9)),
        "inclination": inclination,
        "position_angle": generator.uniform(0.0, 180.0),
        "bulge_fraction": 0.0,
        "bulge_half_light_radius": radius,
        "bulge_axis_ratio": 1.0,
        "bulge_sersic_index": 4.0,
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
