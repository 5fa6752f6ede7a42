"""A CANDELS-like sample of galaxies, drawn from published statistics.

A galaxy is a dictionary (or a table row) of numbers; `COLUMNS` says what each is and in which unit.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from astropy.cosmology import FlatLambdaCDM
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.galaxies.clumps import (
    MAXIMUM_CLUMPS,
    Clumps,
    clumpy_probability,
    draw_clumps,
)
from clumpygan.galaxies.geometry import apparent_axis_ratio

COLUMNS = {
    "index": ("", "number of the galaxy in its split"),
    "redshift": ("", "redshift"),
    "h_magnitude": ("mag", "total F160W AB magnitude, without the companion"),
    "flux": ("nJy", "total F160W flux, without the companion"),
    "log_stellar_mass": ("", "log10 of the stellar mass in solar masses"),
    "half_light_radius": ("arcsec", "of the main body, along the major axis"),
    "sersic_index": ("", "of the main body, a multiple of 0.1"),
    "axis_ratio": ("", "apparent, of the main body"),
    "inclination": ("deg", "0 is face-on"),
    "position_angle": ("deg", "from +y towards -x"),
    "bulge_fraction": ("", "of the total light"),
    "bulge_half_light_radius": ("arcsec", "along the major axis"),
    "bulge_axis_ratio": ("", "apparent"),
    "bulge_sersic_index": ("", "a multiple of 0.1"),
    "arm_count": ("", "number of spiral arms"),
    "arm_fraction": ("", "of the total light"),
    "arm_pitch_angle": ("deg", "its sign is the sense of winding"),
    "arm_phase": ("deg", "where the first arm begins, from the major axis"),
    "clump_count": ("", "number of clumps"),
    "clump_fraction": ("", "of the total light, all clumps together"),
    "clump_flux": ("", "of the total light, each clump; 0 where there is none"),
    "clump_x": ("", "disk plane, along the major axis, in half-light radii"),
    "clump_y": ("", "disk plane, along the minor axis, in half-light radii"),
    "clump_size": ("arcsec", "FWHM, round on the sky before shear"),
    "g1": ("", "reduced shear"),
    "g2": ("", "reduced shear"),
    "offset_x": ("arcsec", "of the galaxy from the centre of the stamp"),
    "offset_y": ("arcsec", "of the galaxy from the centre of the stamp"),
    "companion_flux": ("nJy", "0 where there is none"),
    "companion_x": ("arcsec", "from the galaxy, before shear"),
    "companion_y": ("arcsec", "from the galaxy, before shear"),
    "companion_half_light_radius": ("arcsec", "along the major axis"),
    "companion_sersic_index": ("", "a multiple of 0.1"),
    "companion_axis_ratio": ("", "apparent"),
    "companion_position_angle": ("deg", "from +y towards -x"),
}
"""Unit and meaning of each column."""

COUNTS_SLOPE = 0.15
"""dN/dm ~ 10^(0.15 m): flatter than the sky's counts, so that bright galaxies are not rare."""

CLUMP_CLUSTER_SHARE = 0.22
"""Share of clumpy galaxies that are clump clusters or chains (Elmegreen et al. 2007)."""

COMPANION_SHARE = 0.10
"""Share of galaxies with a neighbour 0.2 to 1.2 arcsec away: the blends of HSC seeing."""

LARGEST_OFFSET = 0.084
"""Half an HSC pixel in arcsec: a catalogue's position is on the nearest pixel."""

SHEAR_SCATTER = 0.02
"""Scatter of each component of cosmic shear."""


def draw_population(
    indices: int | Sequence[int],
    *,
    seed: int,
    split: str = "train",
    min_magnitude: float = 20.0,
    max_magnitude: float = 26.0,
    max_redshift: float = 2.0,
) -> Table:
    """Draw galaxies; galaxy i depends on (seed, split, i) and the limits alone.

    Parameters
    ----------
    indices : int or sequence of int
        How many galaxies (0 to n - 1), or which ones.
    seed : int
        Not negative.
    split : str
        Name of the part of the sample; different names share no galaxy.
    min_magnitude, max_magnitude : float
        Limits of the F160W AB magnitude.
    max_redshift : float
        Upper limit of the redshift.

    Returns
    -------
    astropy.table.Table
        One row per galaxy with the columns of `COLUMNS`; clump columns are arrays of length
        `MAXIMUM_CLUMPS`.

    Raises
    ------
    InputError
        If the limits leave no galaxy or the seed or an index is negative.
    """
    chosen = range(indices) if isinstance(indices, int) else indices
    if seed < 0 or any(i < 0 for i in chosen):
        raise InputError(f"seed {seed} and indices {indices!r} must not be negative")
    key = zlib.crc32(split.encode())
    rows = [
        {
            "index": int(i),
            **draw_galaxy(
                np.random.default_rng([seed, key, int(i)]),
                min_magnitude=min_magnitude,
                max_magnitude=max_magnitude,
                max_redshift=max_redshift,
            ),
        }
        for i in chosen
    ]
    if not rows:
        raise InputError(f"indices {indices!r} name no galaxy; give a count of at least 1")
    table = Table({name: np.array([row[name] for row in rows]) for name in COLUMNS})
    for name, (unit, description) in COLUMNS.items():
        table[name].unit = unit or None
        table[name].description = description
    return table


def draw_galaxy(
    generator: np.random.Generator,
    *,
    min_magnitude: float = 20.0,
    max_magnitude: float = 26.0,
    max_redshift: float = 2.0,
) -> dict[str, Any]:
    """Draw one galaxy.

    Magnitudes follow dN/dm ~ 10^(0.15 m), redshifts z^2 exp(-(z / z0)^1.5) with z0 rising with
    magnitude (the shape of Baugh & Efstathiou 1993). The stellar mass is a mean relation to H and
    z with 0.2 dex of scatter. The rest is said where it is drawn.

    Parameters
    ----------
    generator : numpy.random.Generator
    min_magnitude, max_magnitude, max_redshift : float
        As for `draw_population`.

    Returns
    -------
    dict
        The columns of `COLUMNS` but "index".

    Raises
    ------
    InputError
        If the limits leave no galaxy.
    """
    if not min_magnitude < max_magnitude:
        raise InputError(
            f"min_magnitude {min_magnitude} must be below max_magnitude {max_magnitude}"
        )
    if not max_redshift > MINIMUM_REDSHIFT:
        raise InputError(f"max_redshift is {max_redshift}; expected more than {MINIMUM_REDSHIFT}")
    magnitude = _draw_magnitude(generator, min_magnitude, max_magnitude)
    redshift = _draw_redshift(generator, magnitude, max_redshift)
    mass = 10.3 - 0.44 * (magnitude - 22.0) + 0.6 * (redshift - 1.0) + generator.normal(0.0, 0.2)
    # van der Wel et al. (2014), figure 2: the early types take over above 10^10.7, later at high z
    quiescent = generator.random() < 0.7 / (
        1.0 + np.exp(-(mass - 10.5 - 0.25 * (redshift - 1)) / 0.3)
    )
    radius = draw_half_light_radius(generator, mass, redshift, quiescent=bool(quiescent))
    flux = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - magnitude))
    body = _draw_spheroid(generator, radius) if quiescent else _draw_disk(generator, mass, radius)
    clumps = _draw_lumps(generator, mass, redshift, radius, smooth=bool(quiescent))
    arms = _draw_arms(generator, mass, smooth=bool(quiescent))
    # the bulge is a share of the smooth light, so that all shares sum to less than 1
    body["bulge_fraction"] *= 1.0 - arms["arm_fraction"] - clumps.flux.sum()
    return {
        "redshift": redshift,
        "h_magnitude": magnitude,
        "flux": flux,
        "log_stellar_mass": mass,
        "half_light_radius": radius,
        **body,
        **arms,
        **_padded(clumps),
        "g1": generator.normal(0.0, SHEAR_SCATTER),
        "g2": generator.normal(0.0, SHEAR_SCATTER),
        "offset_x": generator.uniform(-LARGEST_OFFSET, LARGEST_OFFSET),
        "offset_y": generator.uniform(-LARGEST_OFFSET, LARGEST_OFFSET),
        **_draw_companion(generator, flux),
    }


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

    ApJ 788, 28, sections 3.2 and 3.3 and figure 6: late types 8.9 kpc (M / 5e10)^0.22
    (1 + z)^-0.75 with 0.17 dex scatter; early types 5.6 kpc (M / 5e10)^0.75 (1 + z)^-1.48 with
    0.13 dex, flat below 2e10 solar masses. At least 0.05 arcsec and at most 2 arcsec, so that a
    galaxy fits a stamp.
    """
    relative = log_stellar_mass - np.log10(5e10)
    if quiescent:
        relative = max(relative, np.log10(2e10 / 5e10))
        size = np.log10(5.6) + 0.75 * relative - 1.48 * np.log10(1 + redshift)
    else:
        size = np.log10(8.9) + 0.22 * relative - 0.75 * np.log10(1 + redshift)
    size += generator.normal(0.0, 0.13 if quiescent else 0.17)
    return float(np.clip(10**size / np.interp(redshift, *_kpc_per_arcsec_table()), 0.05, 2.0))


def _draw_magnitude(generator: np.random.Generator, faintest: float, brightest: float) -> float:
    """Invert the cumulative counts of dN/dm ~ 10^(COUNTS_SLOPE m)."""
    low, high = 10 ** (COUNTS_SLOPE * faintest), 10 ** (COUNTS_SLOPE * brightest)
    return float(np.log10(generator.uniform(low, high)) / COUNTS_SLOPE)


def _draw_redshift(generator: np.random.Generator, magnitude: float, highest: float) -> float:
    typical = 0.45 + 0.12 * (magnitude - 20.0)
    grid = np.linspace(MINIMUM_REDSHIFT, highest, 400)
    cumulative = np.cumsum(grid**2 * np.exp(-((grid / typical) ** 1.5)))
    cumulative -= cumulative[0]
    return float(np.interp(generator.random() * cumulative[-1], cumulative, grid))


def _rounded(sersic_index: float, low: float, high: float) -> float:
    """Sersic index to 0.1, so that few transforms have to be tabulated."""
    return float(np.round(np.clip(sersic_index, low, high), 1))


def _draw_disk(generator: np.random.Generator, mass: float, radius: float) -> dict[str, float]:
    """Disk and bulge of a star-forming galaxy.

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


def _draw_spheroid(generator: np.random.Generator, radius: float) -> dict[str, float]:
    """An early type: one Sersic body, n log-normal about 3.2 (van der Wel et al. 2012)."""
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


def _draw_arms(generator: np.random.Generator, mass: float, *, smooth: bool) -> dict[str, float]:
    """Two to four arms with 8 to 25 % of the light in a third of the more massive disks."""
    present = not smooth and generator.random() < np.interp(mass, [9.0, 10.3], [0.05, 0.4])
    count = int(generator.choice([2, 3, 4], p=[0.7, 0.15, 0.15])) if present else 0
    return {
        "arm_count": count,
        "arm_fraction": generator.uniform(0.08, 0.25) if present else 0.0,
        "arm_pitch_angle": generator.uniform(12.0, 30.0) * generator.choice([-1.0, 1.0]),
        "arm_phase": generator.uniform(0.0, 360.0),
    }


def _draw_lumps(
    generator: np.random.Generator, mass: float, redshift: float, radius: float, *, smooth: bool
) -> Clumps:
    if smooth or generator.random() > clumpy_probability(mass, redshift):
        return Clumps(*(np.zeros(0) for _ in Clumps._fields))
    return draw_clumps(
        generator,
        redshift=redshift,
        half_light_radius=radius,
        very_clumpy=bool(generator.random() < CLUMP_CLUSTER_SHARE),
    )


def _padded(clumps: Clumps) -> dict[str, Any]:
    """Clump columns of equal length; the unused ones have no flux."""
    count = len(clumps.flux)
    columns = {
        f"clump_{name}": np.pad(values, (0, MAXIMUM_CLUMPS - count))
        for name, values in clumps._asdict().items()
    }
    return {"clump_count": count, "clump_fraction": float(clumps.flux.sum()), **columns}


def _draw_companion(generator: np.random.Generator, flux: float) -> dict[str, float]:
    """A neighbour 0.2 to 1.2 arcsec away and 1 to 10 times fainter, in one of ten galaxies."""
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
