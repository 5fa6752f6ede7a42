"""A CANDELS-like sample of galaxies, drawn from the statistics of real ones.

A galaxy is a dictionary (or a table row) of numbers; `COLUMNS` says what each is and in which unit.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.galaxies.images.clumps import (
    MAXIMUM_CLUMPS,
    Clumps,
    clumpy_probability,
    draw_clumps,
)
from clumpygan.galaxies.images.density import MINIMUM_REDSHIFT, population_density
from clumpygan.galaxies.images.details import draw_bar, draw_ring, draw_tail, draw_texture
from clumpygan.galaxies.images.neighbours import draw_neighbours
from clumpygan.galaxies.images.structure import draw_arms, draw_body, draw_companion

POPULATION = 3
"""Number of the population, part of the name of what is rendered of it and kept. It changes
whenever another galaxy is drawn for the same seed."""

COLUMNS = {
    "index": ("", "number of the galaxy in its split"),
    "redshift": ("", "redshift"),
    "h_magnitude": ("mag", "total F160W AB magnitude, without the companion"),
    "flux": ("nJy", "total F160W flux, without the companion"),
    "log_stellar_mass": ("", "log10 of the stellar mass in solar masses"),
    "half_light_radius": ("arcsec", "of disk and bulge together, along the major axis"),
    "sersic_index": ("", "of disk and bulge together, a multiple of 0.1"),
    "axis_ratio": ("", "apparent, of the disk, or of the spheroid where there is none"),
    "inclination": ("deg", "0 is face-on"),
    "position_angle": ("deg", "from +y towards -x"),
    "disk_half_light_radius": ("arcsec", "of disk or spheroid, along the major axis"),
    "disk_sersic_index": ("", "of disk or spheroid, a multiple of 0.1"),
    "bulge_fraction": ("", "of the total light"),
    "bulge_half_light_radius": ("arcsec", "along the major axis"),
    "bulge_axis_ratio": ("", "apparent"),
    "bulge_sersic_index": ("", "a multiple of 0.1"),
    "arm_count": ("", "number of spiral arms"),
    "arm_fraction": ("", "of the total light"),
    "arm_pitch_angle": ("deg", "its sign is the sense of winding"),
    "arm_phase": ("deg", "where the first arm begins, from the major axis"),
    "bar_fraction": ("", "of the total light"),
    "bar_half_light_radius": ("arcsec", "along the bar, in the plane of the disk"),
    "bar_axis_ratio": ("", "in the plane of the disk"),
    "bar_angle": ("deg", "in the plane of the disk, from the major axis"),
    "ring_fraction": ("", "of the total light"),
    "ring_radius": ("", "in half-light radii of the disk"),
    "tail_fraction": ("", "of the total light, in a tidal tail"),
    "tail_angle": ("deg", "in the plane of the disk, where it leaves, from the major axis"),
    "tail_bend": ("deg", "by which it turns until its end"),
    "tail_length": ("", "in half-light radii of the disk"),
    "turbulence": ("", "rms of the logarithm of the disk's light about its profile"),
    "turbulence_slope": ("", "of the power spectrum of that, in two dimensions"),
    "turbulence_winding": ("rad", "by which rotation turned it for each e-folding in radius"),
    "turbulence_seed": ("", "of that random field"),
    "lopsidedness": ("", "amplitude at a half-light radius, of the disk's light"),
    "lopsidedness_angle": ("deg", "of the brighter side, in the plane, from the major axis"),
    "dust_depth": ("", "optical depth of a lane of dust along the major axis"),
    "dust_offset": ("", "of the lane along the minor axis, in half-light radii of the disk"),
    "dust_width": ("", "Gaussian sigma of the lane, in the same unit"),
    "clump_count": ("", "number of clumps"),
    "clump_fraction": ("", "of the total light, all clumps together"),
    "clump_flux": ("", "of the total light, each clump; 0 where there is none"),
    "clump_x": ("", "disk plane, along the major axis, in half-light radii of the disk"),
    "clump_y": ("", "disk plane, along the minor axis, in half-light radii of the disk"),
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
    "neighbour_count": ("", "number of other sources in the field"),
    "neighbour_flux": ("nJy", "of each; 0 where there is none"),
    "neighbour_x": ("arcsec", "from the galaxy, before shear"),
    "neighbour_y": ("arcsec", "from the galaxy, before shear"),
    "neighbour_half_light_radius": ("arcsec", "along the major axis; 0.001 of stars"),
    "neighbour_sersic_index": ("", "a multiple of 0.1"),
    "neighbour_axis_ratio": ("", "apparent"),
    "neighbour_position_angle": ("deg", "from +y towards -x"),
}
"""Unit and meaning of each column."""

COUNTS_SLOPE = 0.15
"""dN/dm ~ 10^(0.15 m): flatter than the sky's counts, so that bright galaxies are not rare."""

CLUMP_CLUSTER_SHARE = 0.12
"""Share of clumpy galaxies that are clump clusters or chains: about half of what Elmegreen et al.
(2007) find in the rest-frame UV."""

SMOOTH_SERSIC_INDEX = 1.5
"""Galaxies of a larger index and without a disk are early types, without arms and clumps."""

LARGEST_LUMPS = 0.97
"""Of the light, in all that is neither disk nor bulge."""

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

    Examples
    --------
    >>> table = draw_population(100, seed=0, max_magnitude=24)
    >>> len(table), bool(table["h_magnitude"].max() <= 24)
    (100, True)
    >>> draw_population([7], seed=0, max_magnitude=24)["redshift"] == table["redshift"][7]
    array([ True])
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

    Magnitudes follow dN/dm ~ 10^(0.15 m); redshift, stellar mass, half-light radius, Sersic index
    and axis ratio are drawn for the magnitude from the joint density of real galaxies, see
    `clumpygan.galaxies.images.density`. The rest is said where it is drawn.

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
    known = population_density().draw(generator, magnitude, max_redshift=max_redshift)
    flux = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - magnitude))
    body = draw_body(generator, known)
    # early types are smooth
    smooth = body["bulge_fraction"] == 0.0 and body["sersic_index"] > SMOOTH_SERSIC_INDEX
    mass, redshift = known.log_stellar_mass, known.redshift
    radius = body["disk_half_light_radius"]
    clumps = _draw_lumps(generator, mass, redshift, radius, smooth=smooth)
    arms = draw_arms(generator, mass, smooth=smooth)
    companion = draw_companion(generator, flux)
    details = {
        **draw_bar(generator, mass, radius),
        **draw_ring(generator),
        **draw_tail(generator, merging=companion["companion_flux"] > 0.0),
    }
    if smooth:
        details |= {"bar_fraction": 0.0, "ring_fraction": 0.0}
    # the bulge is a share of the smooth light, so that all shares sum to less than 1
    shares = [details[f"{name}_fraction"] for name in ("bar", "ring", "tail")]
    taken = arms["arm_fraction"] + clumps.flux.sum() + sum(shares)
    if taken > LARGEST_LUMPS:
        for name in ("bar", "ring", "tail"):
            details[f"{name}_fraction"] *= max(LARGEST_LUMPS - taken + sum(shares), 0.0) / sum(
                shares
            )
        taken = LARGEST_LUMPS
    body["bulge_fraction"] *= 1.0 - taken
    return {
        "redshift": redshift,
        "h_magnitude": magnitude,
        "flux": flux,
        "log_stellar_mass": mass,
        **body,
        **arms,
        **details,
        **draw_texture(generator, known.axis_ratio, spheroid=smooth),
        **_padded(clumps),
        "g1": generator.normal(0.0, SHEAR_SCATTER),
        "g2": generator.normal(0.0, SHEAR_SCATTER),
        "offset_x": generator.uniform(-LARGEST_OFFSET, LARGEST_OFFSET),
        "offset_y": generator.uniform(-LARGEST_OFFSET, LARGEST_OFFSET),
        **companion,
        **draw_neighbours(generator, magnitude, max_redshift),
    }


def _draw_magnitude(generator: np.random.Generator, brightest: float, faintest: float) -> float:
    """Invert the cumulative counts of dN/dm ~ 10^(COUNTS_SLOPE m)."""
    low, high = 10 ** (COUNTS_SLOPE * brightest), 10 ** (COUNTS_SLOPE * faintest)
    return float(np.log10(generator.uniform(low, high)) / COUNTS_SLOPE)


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
