"""A CANDELS-like sample of galaxies, drawn from published statistics.

A galaxy is a dictionary (or a table row) of numbers; `COLUMNS` says what each is and in which unit.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.galaxies.clumps import (
    MAXIMUM_CLUMPS,
    Clumps,
    clumpy_probability,
    draw_clumps,
)
from clumpygan.galaxies.structure import (
    MINIMUM_REDSHIFT,
    draw_arms,
    draw_companion,
    draw_disk,
    draw_half_light_radius,
    draw_spheroid,
)

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
    chosen = range(indices) if isinstance(indices, int | np.integer) else indices
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
    body = draw_spheroid(generator, radius) if quiescent else draw_disk(generator, mass, radius)
    clumps = _draw_lumps(generator, mass, redshift, radius, smooth=bool(quiescent))
    arms = draw_arms(generator, mass, smooth=bool(quiescent))
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
        **draw_companion(generator, flux),
    }


def _draw_magnitude(generator: np.random.Generator, brightest: float, faintest: float) -> float:
    """Invert the cumulative counts of dN/dm ~ 10^(COUNTS_SLOPE m)."""
    low, high = 10 ** (COUNTS_SLOPE * brightest), 10 ** (COUNTS_SLOPE * faintest)
    return float(np.log10(generator.uniform(low, high)) / COUNTS_SLOPE)


def _draw_redshift(generator: np.random.Generator, magnitude: float, highest: float) -> float:
    typical = 0.45 + 0.12 * (magnitude - 20.0)
    grid = np.linspace(MINIMUM_REDSHIFT, highest, 400)
    cumulative = np.cumsum(grid**2 * np.exp(-((grid / typical) ** 1.5)))
    cumulative -= cumulative[0]
    return float(np.interp(generator.random() * cumulative[-1], cumulative, grid))


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
