"""H II regions: how bright they are, and how many it takes."""

import numpy as np
from numpy.typing import NDArray

SLOPE, SLOPE_SCATTER = 1.73, 0.15
"""dN/dL ~ L^-slope, and its scatter between 19 galaxies (PHANGS-MUSE: Santoro et al. 2022, A&A 658,
A188, abstract)."""

BRIGHTEST = 40.0
"""log10 of the H alpha luminosity in erg/s of the brightest regions: giant ones, of which a galaxy
has a few. Brighter are the giant clumps of distant galaxies, which are drawn apart."""

FAINTEST = 37.0
"""log10 of the luminosity of the faintest regions."""

MOST_REGIONS = 500
"""Of a galaxy: where there are more, the faintest go to the diffuse gas."""

_SHARE = 0.5
"""Of all the light of the regions, that the brightest may have."""

FloatArray = NDArray[np.float64]


def draw_luminosities(
    generator: np.random.Generator, log_total: float, slope: float = SLOPE
) -> FloatArray:
    """Draw the luminosities of the regions of a galaxy, as shares of their total.

    A power law between the faintest and the brightest luminosity, as many as make up the total on
    average. Only the `MOST_REGIONS` brightest of them are returned; what the others have, at its
    mean, is missing in the sum.

    Parameters
    ----------
    generator : numpy.random.Generator
    log_total : float
        log10 of the H alpha luminosity of all of them in erg/s.
    slope : float
        Of the luminosity function, between 1 and 2.

    Returns
    -------
    ndarray of shape (N,), float64
        At least one; the sum is 1 unless regions are left out.
    """
    high = min(BRIGHTEST, log_total + np.log10(_SHARE))
    low = min(FAINTEST, high - 1.0)
    faintest = 10 ** (low - high)
    count = max(int(generator.poisson(expected_number(log_total, low, high, slope))), 1)
    if count <= MOST_REGIONS:
        luminosities = power_law(generator.random(count), faintest, 1.0, slope)
        return np.asarray(luminosities / luminosities.sum())
    # The smallest of `count` uniform numbers: sums of exponential ones over that of them all.
    steps = generator.standard_exponential(MOST_REGIONS)
    others = generator.gamma(count + 1 - MOST_REGIONS)
    above = np.cumsum(steps) / (steps.sum() + others)
    luminosities = power_law(1 - above, faintest, 1.0, slope)
    rest = (count - MOST_REGIONS) * _mean(faintest / luminosities[-1], slope) * luminosities[-1]
    return np.asarray(luminosities / (luminosities.sum() + rest))


def expected_number(log_total: float, low: float, high: float, slope: float) -> float:
    """Return how many regions between two luminosities (log10) have a total: it over the mean."""
    return float(10 ** (log_total - high) / _mean(10 ** (low - high), slope))


def _mean(ratio: float, slope: float) -> float:
    """Return the mean over the largest luminosity, the smallest being `ratio` of that, below 1."""
    share = (1 - ratio ** (2 - slope)) / (1 - ratio ** (1 - slope))
    return float((1 - slope) / (2 - slope) * share)


def power_law(share: FloatArray, low: float, high: float, slope: float) -> FloatArray:
    """Return the values below which shares of a population with dN/dL ~ L^-slope lie."""
    power = 1 - slope
    return np.asarray((low**power + share * (high**power - low**power)) ** (1 / power))
