"""What real disks have beside clumps and grand arms: bars, rings, tails, turbulence, dust.

What they draw are columns of `clumpygan.galaxies.COLUMNS`.
"""

import numpy as np

BAR_SHARE = 0.25
"""Share of barred galaxies among massive disks (Sheth et al. 2008: 20 to 30 % at z = 0.8)."""

RING_SHARE = 0.06
"""Share of disks with a ring (Buta et al. 2015: more nearby, most of them faint)."""

TAIL_SHARE, MERGER_TAIL_SHARE = 0.03, 0.3
"""Share of galaxies with a tidal tail, alone and with a near companion."""

TURBULENCE, TURBULENCE_SCATTER = 0.55, 0.15
"""Median rms of the logarithm of the light of a disk about its smooth profile, and its scatter in
dex: set so that asymmetry and small-scale light are those of real galaxies."""

SPHEROID_TURBULENCE = 0.15
"""The same of galaxies without a disk."""

LARGEST_TURBULENCE = 1.0

LOPSIDEDNESS = 0.18
"""Scale of a Rayleigh distribution: a third of disks has more than 0.2 (Zaritsky et al. 2013)."""

EDGE_ON = 0.4
"""Axis ratio below which dust lanes are seen."""


def draw_bar(generator: np.random.Generator, mass: float, radius: float) -> dict[str, float]:
    """Draw a bar, of 5 to 20 % of the light, in a quarter of the massive disks, in others fewer."""
    share = BAR_SHARE * np.interp(mass, [8.5, 10.0], [0.2, 1.0])
    present = generator.random() < share
    return {
        "bar_fraction": generator.uniform(0.05, 0.2) if present else 0.0,
        "bar_half_light_radius": radius * generator.uniform(0.25, 0.6),
        "bar_axis_ratio": generator.uniform(0.2, 0.5),
        "bar_angle": generator.uniform(0.0, 180.0),
    }


def draw_ring(generator: np.random.Generator) -> dict[str, float]:
    """Draw a ring with 5 to 25 % of the light."""
    present = generator.random() < RING_SHARE
    return {
        "ring_fraction": generator.uniform(0.05, 0.25) if present else 0.0,
        "ring_radius": generator.uniform(0.8, 1.8),
    }


def draw_tail(generator: np.random.Generator, *, merging: bool) -> dict[str, float]:
    """Draw a tidal tail with 3 to 15 % of the light."""
    present = generator.random() < (MERGER_TAIL_SHARE if merging else TAIL_SHARE)
    return {
        "tail_fraction": generator.uniform(0.03, 0.15) if present else 0.0,
        "tail_angle": generator.uniform(0.0, 360.0),
        "tail_bend": generator.uniform(20.0, 100.0) * generator.choice([-1.0, 1.0]),
        "tail_length": generator.uniform(1.5, 4.0),
    }


def draw_texture(
    generator: np.random.Generator, axis_ratio: float, *, spheroid: bool
) -> dict[str, float]:
    """Draw how uneven the disk is.

    Turbulence is a log-normal random field, wound up by differential rotation in two of three
    disks: with little winding it is a chain of patches, with much a flocculent spiral.

    Parameters
    ----------
    generator : numpy.random.Generator
    axis_ratio : float
        Apparent, of the disk.
    spheroid : bool
        Whether there is no disk.
    """
    usual = SPHEROID_TURBULENCE if spheroid else TURBULENCE
    strength = usual * 10 ** generator.normal(0.0, TURBULENCE_SCATTER)
    winding = generator.uniform(0.5, 3.5) * generator.choice([-1.0, 1.0])
    dusty = not spheroid and axis_ratio < EDGE_ON and generator.random() < 0.5
    side = generator.choice([-1.0, 1.0])
    return {
        "turbulence": float(min(strength, LARGEST_TURBULENCE)),
        "turbulence_slope": float(np.round(generator.uniform(-3.4, -2.0), 1)),
        "turbulence_winding": winding if not spheroid and generator.random() < 0.67 else 0.0,
        "turbulence_seed": int(generator.integers(2**31)),
        "lopsidedness": 0.0 if spheroid else min(float(generator.rayleigh(LOPSIDEDNESS)), 0.6),
        "lopsidedness_angle": generator.uniform(0.0, 360.0),
        "dust_depth": generator.uniform(0.5, 2.5) if dusty else 0.0,
        "dust_offset": side * generator.uniform(0.1, 0.6),
        "dust_width": generator.uniform(0.15, 0.4),
    }
