"""What is known of dark halos and of disks in them: concentrations, stellar masses, velocities.

Cosmology: flat, H0 = 67.66 km/s/Mpc and Omega_m = 0.30966 (Planck Collaboration 2020).
"""

import math
from typing import Any

from clumpygan.errors import InputError

HUBBLE_CONSTANT = 67.66
"""km/s/Mpc today."""

MATTER = 0.30966
"""Density of matter today over the critical one."""

CONCENTRATION_SCATTER = 0.11
"""Dex, of halos of one mass (Dutton & Maccio 2014)."""

STELLAR_SCATTER = 0.15
"""Dex of the stellar mass in halos of one mass (Moster et al. 2013)."""

LARGEST_HALO = 15.0
"""log10 of the largest halo mass, in solar masses, to which the relation of stars is inverted."""

INNER_RADIUS = 0.01
"""Share of R_200 at which the slope of a Dekel-Zhao halo is given (Freundlich et al. 2020)."""

STEEPEST_TURN = 1.2
"""Largest (3.5 - slope) (0.01 c)^(1/2) of Dekel-Zhao halos, of at most 1.5: profiles that turn
faster don't exist, those near to it are cores with a step."""

PIVOT = 12.0
"""log10 of the halo mass in solar masses at which relations are given."""


def concentration_relation(redshift: float) -> tuple[float, float]:
    """Return the concentration of halos of 10^12 solar masses, and how it goes with the mass.

    log10 c_200 = a + b log10(M_200 / [1e12 / h]) with a = 0.520 + 0.385 exp(-0.617 z^1.21) and
    b = -0.101 + 0.026 z: Dutton & Maccio 2014 (MNRAS 441, 3359), for z < 5.

    Parameters
    ----------
    redshift : float

    Returns
    -------
    concentration : float
    slope : float
        Of log10 c_200 over log10 M_200.
    """
    a = 0.520 + (0.905 - 0.520) * math.exp(-0.617 * redshift**1.21)
    slope = -0.101 + 0.026 * redshift
    return 10 ** (a + slope * math.log10(HUBBLE_CONSTANT / 100)), slope


def least_halo_slope(concentration: Any) -> Any:
    """Return the least slope at 0.01 R_200 of Dekel-Zhao halos, a number or an array as given.

    Where (3.5 - s_1) (0.01 c_2)^(1/2) = `STEEPEST_TURN` (see `rendering.halos`); negative below a
    concentration of 11.8, 1 at 23.
    """
    return 3.5 - STEEPEST_TURN / (INNER_RADIUS * concentration) ** 0.5


def largest_concentration(slope: float) -> float:
    """Return the concentration at which a slope is the least one: `least_halo_slope` inverted."""
    return (STEEPEST_TURN / (3.5 - slope)) ** 2 / INNER_RADIUS


def log_stellar_mass(log_halo_mass: float, redshift: float) -> float:
    """Return log10 of the mass of the stars in a halo, by abundance matching.

    m / M = 2 N / [(M / M_1)^-beta + (M / M_1)^gamma]: Moster, Naab & White 2013 (MNRAS 428, 3121),
    equations 2 and 11 to 14, with the values of table 1; solar masses, Chabrier IMF.

    Parameters
    ----------
    log_halo_mass : float
        log10 of M_200 in solar masses.
    redshift : float
    """
    late = redshift / (1 + redshift)
    middle, norm = 11.590 + 1.195 * late, 0.0351 - 0.0247 * late
    beta, gamma = 1.376 - 0.826 * late, 0.608 + 0.329 * late
    away = log_halo_mass - middle
    return log_halo_mass + math.log10(2 * norm / (10 ** (-beta * away) + 10 ** (gamma * away)))


def matched_halo_mass(stellar: float, redshift: float) -> tuple[float, float]:
    """Return log10 of the halo mass of a log10 stellar mass, and its scatter in dex.

    The inverse of `log_stellar_mass`; the scatter is that of the stellar mass, 0.15 dex, over the
    slope of the relation there. Halos aren't weighted with how many there are of each mass (the
    mass function): the mean mass of the halos of massive galaxies is lower than this.

    Parameters
    ----------
    stellar : float
        log10 of the stellar mass in solar masses.
    redshift : float
        0 to 4, where the relation was measured.

    Raises
    ------
    InputError
        If the redshift is another, or halos of up to 10^15 solar masses have no such mass of stars.
    """
    asked = f"abundance_matching:{stellar:g}:{redshift:g}"
    if not 0 <= redshift <= 4:
        raise InputError(f"{asked}: expected a redshift from 0 to 4, where the relation holds")
    most = log_stellar_mass(LARGEST_HALO, redshift)
    if not stellar < most:
        raise InputError(
            f"{asked}: expected log10 of a stellar mass below {most:.2f}, that of the largest "
            f"halos at that redshift; give a normal prior of log_halo_mass instead"
        )
    low, high = 8.0, LARGEST_HALO
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if log_stellar_mass(middle, redshift) < stellar:
            low = middle
        else:
            high = middle
    ahead, behind = (log_stellar_mass(low + step, redshift) for step in (0.01, -0.01))
    return low, STELLAR_SCATTER * 0.02 / (ahead - behind)


def tully_fisher_velocity(log_mass: float) -> float:
    """Return the velocity in km/s that disks of a stellar mass (log10, Kroupa IMF) rotate with.

    log10 V = 2.142 + 0.278 (log10 M - 10.10), Reyes et al. 2011 (MNRAS 417, 2347): at the radius
    that holds 80 % of the i-band light, of 189 disks at z < 0.1.
    """
    return float(10 ** (2.142 + 0.278 * (log_mass - 10.10)))
