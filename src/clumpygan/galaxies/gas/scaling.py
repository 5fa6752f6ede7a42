"""What mass and redshift say of a star-forming galaxy: size, rotation, turbulence, lines.

Published relations, each with its scatter. Cosmology: flat, H0 = 70 km/s/Mpc, Omega_m = 0.3.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from astropy import units
from astropy.cosmology import FlatLambdaCDM
from numpy.typing import NDArray
from scipy.special import gammaincinv

from clumpygan.galaxies.disks.halo_relations import tully_fisher_velocity
from clumpygan.galaxies.images.structure import late_type_radius

SIZE_SCATTER = 0.18
"""Dex: less than 0.2 at all masses and redshifts (van der Wel et al. 2014, ApJ 788, 28)."""

VELOCITY_SCATTER = 0.056
"""Dex about the Tully-Fisher relation (Reyes et al. 2011, MNRAS 417, 2347)."""

_CANDIDATES = 200
"""Galaxies of which one is chosen by its velocity and size."""

DISPERSION_SCATTER = 10.0
"""km/s, intrinsic, about the mean at a redshift (Uebler et al. 2019, ApJ 880, 48, abstract)."""

LEAST_DISPERSION = 10.0
"""km/s: the thermal width of ionised hydrogen."""

STAR_FORMATION_SCATTER = 0.2
"""Dex about the main sequence (Speagle et al. 2014, ApJS 214, 15)."""

ATTENUATION_SCATTER = 0.28
"""Magnitudes (Garn & Best 2010, MNRAS 409, 421)."""

_FLUX_UNIT = 1e-20
"""erg s-1 cm-2: in which fluxes are given, as in cubes of instruments."""

_REDSHIFTS = np.geomspace(0.005, 6.0, 400)


class Scaling(NamedTuple):
    """What follows from a galaxy's mass and redshift, and from chance.

    Attributes
    ----------
    log_stellar_mass, redshift : float
    half_light_radius : float
        Arcsec.
    rotation_velocity, velocity_dispersion : float
        km/s; the rotation at the radius that holds 80 % of the light.
    star_formation_rate : float
        Solar masses per year.
    log_luminosity : float
        log10 of the H alpha luminosity in erg/s, before dust.
    flux : float
        Of H alpha behind the dust, 1e-20 erg s-1 cm-2.
    """

    log_stellar_mass: float
    redshift: float
    half_light_radius: float
    rotation_velocity: float
    velocity_dispersion: float
    star_formation_rate: float
    log_luminosity: float
    flux: float


def draw_scaling(
    generator: np.random.Generator, log_stellar_mass: float, redshift: float
) -> Scaling:
    """Draw a galaxy of a mass (log10, solar masses) at a redshift."""
    scatter = generator.standard_normal(5)
    size = late_type_radius(log_stellar_mass, redshift) * 10 ** (SIZE_SCATTER * scatter[0])
    speed = mean_velocity(log_stellar_mass, redshift) * 10 ** (VELOCITY_SCATTER * scatter[1])
    dispersion = mean_dispersion(redshift) + DISPERSION_SCATTER * scatter[2]
    rate = main_sequence(log_stellar_mass, redshift) * 10 ** (STAR_FORMATION_SCATTER * scatter[3])
    luminosity = halpha_luminosity(rate)
    dust = max(halpha_attenuation(log_stellar_mass) + ATTENUATION_SCATTER * scatter[4], 0.0)
    return Scaling(
        log_stellar_mass,
        redshift,
        float(size),
        float(speed),
        float(max(dispersion, LEAST_DISPERSION)),
        float(rate),
        luminosity,
        flux_of(luminosity - 0.4 * dust, redshift),
    )


def draw_mass(
    generator: np.random.Generator,
    log_stellar_mass: tuple[float, float],
    redshift: tuple[float, float],
    rotation_velocity: float | None = None,
    half_light_radius: float | None = None,
) -> tuple[float, float]:
    """Draw the mass and the redshift of a galaxy, given what is known of it.

    They are uniform in their ranges; of several the scatter of the relations says which one is a
    galaxy of that velocity and size.

    Parameters
    ----------
    generator : numpy.random.Generator
    log_stellar_mass, redshift : (float, float)
        log10, solar masses.
    rotation_velocity : float, optional
        km/s at the radius that holds 80 % of the light.
    half_light_radius : float, optional
        Arcsec.

    Returns
    -------
    log_stellar_mass, redshift : float
    """
    if rotation_velocity is None and half_light_radius is None:
        return generator.uniform(*log_stellar_mass), generator.uniform(*redshift)
    masses = generator.uniform(*log_stellar_mass, _CANDIDATES)
    redshifts = generator.uniform(*redshift, _CANDIDATES)
    away = np.zeros(_CANDIDATES)
    for known, relation, scatter in (
        (rotation_velocity, mean_velocity, VELOCITY_SCATTER),
        (half_light_radius, late_type_radius, SIZE_SCATTER),
    ):
        if known is not None:
            mean = np.array([relation(*one) for one in zip(masses, redshifts, strict=True)])
            away += (np.log10(known / mean) / scatter) ** 2
    # Relative to the nearest: of galaxies far from the relations that is taken.
    chance = np.exp(-0.5 * (away - away.min()))
    chosen = int(generator.choice(_CANDIDATES, p=chance / chance.sum()))
    return float(masses[chosen]), float(redshifts[chosen])


def mean_velocity(log_stellar_mass: float, redshift: float) -> float:
    """Return the rotation, km/s, at the radius of 80 % of the light: `tully_fisher_velocity`."""
    return tully_fisher_velocity(log_stellar_mass) * 10 ** faster_since(redshift)


def rotation_share(sersic_index: float, half_light_radius: float, turnover_radius: float) -> float:
    """Return the rotation at the radius that holds 80 % of the light over the maximum velocity.

    (2 / pi) arctan(R_80 / R_t) of the arctan curve, which reaches its maximum at infinity only;
    R_80 is 1.78 half-light radii of an exponential disk.
    """
    near, far = gammaincinv(2 * sersic_index, [0.5, 0.8])
    outer = half_light_radius * (far / near) ** sersic_index
    return float(2 / np.pi * np.arctan(outer / turnover_radius))


def faster_since(redshift: float) -> float:
    """Return by how many dex disks rotated faster at a redshift than those of that mass today.

    At 2.0 < z < 2.5 they have 0.25 dex less mass at the same velocity, for a slope of 0.29
    (Straatman et al. 2017, ApJ 839, 57, abstract): 0.0725 dex of velocity at z = 2.25, and in
    proportion to the redshift before.
    """
    return 0.25 * 0.29 * redshift / 2.25


def mean_dispersion(redshift: float) -> float:
    """Return the mean velocity dispersion of ionised gas in disks, km/s.

    30 km/s at z = 0.9 and 45 km/s at z = 2.3 (Uebler et al. 2019, ApJ 880, 48, abstract), linear.
    """
    return 30.0 + (45.0 - 30.0) * (redshift - 0.9) / (2.3 - 0.9)


def main_sequence(log_stellar_mass: float, redshift: float) -> float:
    """Return the star formation rate in solar masses per year.

    log SFR = (0.84 - 0.026 t) log M - (6.51 - 0.11 t), t being the age of the universe in Gyr
    (Speagle et al. 2014, ApJS 214, 15, equation 28; Kroupa IMF).
    """
    redshifts, ages, _ = _cosmology()
    age = float(np.interp(redshift, redshifts, ages))
    return float(10 ** ((0.84 - 0.026 * age) * log_stellar_mass - (6.51 - 0.11 * age)))


def halpha_luminosity(star_formation_rate: float) -> float:
    """Return log10 of the luminosity of H alpha in erg/s without dust.

    log L = log SFR + 41.27 (Kennicutt & Evans 2012, ARA&A 50, 531, table 1; Kroupa IMF).
    """
    return float(np.log10(star_formation_rate) + 41.27)


def halpha_attenuation(log_stellar_mass: float) -> float:
    """Return the mean attenuation of H alpha in magnitudes.

    0.91 + 0.77 X + 0.11 X^2 - 0.09 X^3, X = log M - 10 (Garn & Best 2010, MNRAS 409, 421), from
    10^8.5 to 10^11.5 solar masses; beyond, as at the nearest of these.
    """
    x = float(np.clip(log_stellar_mass, 8.5, 11.5)) - 10.0
    return 0.91 + 0.77 * x + 0.11 * x**2 - 0.09 * x**3


def flux_of(log_luminosity: float, redshift: float) -> float:
    """Return the flux in 1e-20 erg s-1 cm-2 of a luminosity (log10, erg/s) at a redshift."""
    redshifts, _, distances = _cosmology()
    centimetres = float(np.interp(redshift, redshifts, distances)) * float(units.Mpc.to(units.cm))
    return float(10**log_luminosity / (4 * np.pi * centimetres**2) / _FLUX_UNIT)


def kpc_per_arcsec(redshift: float) -> float:
    """Return proper kpc per arcsec."""
    redshifts, _, distances = _cosmology()
    angular = float(np.interp(redshift, redshifts, distances)) * 1000.0 / (1 + redshift) ** 2
    return float(np.radians(angular / 3600.0))


@lru_cache(maxsize=1)
def _cosmology() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Redshifts, ages of the universe in Gyr, and luminosity distances in Mpc."""
    cosmology = FlatLambdaCDM(H0=70.0, Om0=0.3)
    ages = np.asarray(cosmology.age(_REDSHIFTS).value, dtype=np.float64)
    distances = np.asarray(cosmology.luminosity_distance(_REDSHIFTS).value, dtype=np.float64)
    return _REDSHIFTS, ages, distances
