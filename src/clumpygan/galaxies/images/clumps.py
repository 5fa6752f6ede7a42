"""Star-forming clumps: what makes a disk lumpy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAXIMUM_CLUMPS = 8
"""Soto et al. (2017) count 8 clumps at most in one host."""


class Clumps(NamedTuple):
    """Clumps of one galaxy: arrays of equal length, float64.

    `flux` is each clump's fraction of the galaxy's light; `x`, `y` are disk-plane coordinates along
    the major and minor axis in half-light radii; `size` is the FWHM in arcsec of a Gaussian, round
    on the sky before shear.
    """

    flux: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    size: NDArray[np.float64]


def clumpy_probability(log_stellar_mass: float, redshift: float) -> float:
    """Share of star-forming galaxies with an off-centre clump in the rest-frame UV.

    About 60 % at all 0.5 < z < 3 below 10^9.8 solar masses; at z = 0.5 it has fallen to 40 % up to
    10^10.6 and to 15 % above, both from 55 % at z = 3 (Guo et al. 2015, ApJ 800, 39, abstract);
    linear in redshift in between.
    """
    late = 0.60 if log_stellar_mass < 9.8 else 0.40 if log_stellar_mass < 10.6 else 0.15
    early = 0.60 if log_stellar_mass < 9.8 else 0.55
    return float(np.interp(redshift, [0.5, 3.0], [late, early]))


def draw_clumps(
    generator: np.random.Generator,
    *,
    redshift: float,
    half_light_radius: float,
    very_clumpy: bool,
    contrast: float | None = None,
) -> Clumps:
    """Draw the clumps of one clumpy galaxy, as seen in F160W unless a contrast is given.

    - Number: 1 + Poisson(1.6); "very clumpy" galaxies (clump clusters and chains,
      Elmegreen et al. 2007) have 4 to 8; 8 at most. Hosts have
      2 on average above 8 % of the UV light (Soto et al. 2017); fainter ones are drawn here too.
    - Light: clumps give 19 % of the far-UV on average (Soto et al. 2017), drawn log-normal with
      0.25 dex scatter; 45 to 70 % in very clumpy galaxies. F160W is rest-frame optical, where
      clumps stand out less: times 0.25 at z = 0.5 rising to 0.4 at z = 2, which makes of a common
      clump 2 % of the galaxy's light, as in the near infrared of COSMOS-Web (arXiv 2506.13881).
    - Luminosity function: dN/dL ~ L^-2 over a factor of 5 (Dessauges-Zavadsky & Adamo 2018).
    - Radius: 0.35 to 2.2 half-light radii, as the light of an exponential disk outside the
      nucleus, and, where the galaxy is large enough, at least 0.2 arcsec from it.
    - Size: FWHM log-normal about 0.09 arcsec with 0.13 dex, clipped to 0.05 to 0.15 arcsec
      (0.4 to 1.2 kpc at z = 1).

    Parameters
    ----------
    generator : numpy.random.Generator
    redshift : float
    half_light_radius : float
        Arcsec, of the disk.
    very_clumpy : bool
        Draw a clump cluster instead of a common clumpy disk.
    contrast : float, optional
        Share of the clumps in the light over that in the far-UV: 1 there and in H alpha.

    Returns
    -------
    Clumps
    """
    if contrast is None:
        contrast = float(np.interp(redshift, [0.5, 2.0], [0.25, 0.4]))
    if very_clumpy:
        count = int(generator.integers(4, MAXIMUM_CLUMPS + 1))
        ultraviolet = generator.uniform(0.45, 0.70)
    else:
        count = min(1 + int(generator.poisson(1.6)), MAXIMUM_CLUMPS)
        ultraviolet = min(0.19 * 10 ** generator.normal(-0.07, 0.25), 0.6)
    luminosity = 1.0 / (1.0 - 0.8 * generator.random(count))
    nearest = min(max(0.35, 0.2 / half_light_radius), 1.2)
    radius = _disk_radii(generator, count, nearest, 2.2)
    angle = generator.uniform(0.0, 2.0 * np.pi, count)
    size = np.clip(0.09 * 10 ** generator.normal(0.0, 0.13, count), 0.05, 0.15)
    flux = contrast * ultraviolet * luminosity / luminosity.sum()
    return Clumps(flux, radius * np.cos(angle), radius * np.sin(angle), size)


def _disk_radii(
    generator: np.random.Generator, count: int, inner: float, outer: float
) -> NDArray[np.float64]:
    """Radii distributed as the light of an exponential disk, r exp(-1.678 r), between two radii."""
    grid = np.linspace(inner, outer, 200)
    cumulative = np.cumsum(grid * np.exp(-1.678 * grid))
    cumulative -= cumulative[0]
    return np.interp(generator.random(count), cumulative / cumulative[-1], grid)
