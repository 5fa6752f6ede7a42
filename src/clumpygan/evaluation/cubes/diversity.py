"""How galaxies of the same parameters differ from each other: generated and true ones."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BOOTSTRAPS = 500


class Diversity(NamedTuple):
    """Median difference of two generated galaxies of the same parameters over that of true ones.

    Attributes
    ----------
    value, error : float
        1 is as diverse as the truth; the error is from bootstraps over the parameters.
    """

    value: float
    error: float


def flux_differences(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much the light of two galaxies differs: the share that is elsewhere.

    Half the sum of |a - b| over the mean of their sums, for all pairs of the same parameters.

    Parameters
    ----------
    flux : numpy.ndarray, (G, R, y, x)
        R galaxies of each of G parameters, without noise.

    Returns
    -------
    numpy.ndarray, (G, R (R - 1) / 2)
    """
    maps = np.asarray(flux, dtype=np.float64)
    total = maps.sum(axis=(2, 3))
    return np.stack(
        [
            np.abs(maps[:, i] - maps[:, j]).sum(axis=(1, 2)) / (total[:, i] + total[:, j])
            for i, j in combinations(range(maps.shape[1]), 2)
        ],
        axis=1,
    )


def velocity_differences(velocity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the rms difference of the velocities of two galaxies in km/s, where both are known.

    Parameters
    ----------
    velocity : numpy.ndarray, (G, R, y, x)
        R galaxies of each of G parameters, NaN where unknown.

    Returns
    -------
    numpy.ndarray, (G, R (R - 1) / 2)
        NaN for pairs without a common spaxel.
    """
    maps = np.asarray(velocity, dtype=np.float64)
    pairs = []
    for i, j in combinations(range(maps.shape[1]), 2):
        squares = np.square(maps[:, i] - maps[:, j])
        known = np.isfinite(squares)
        count = known.sum(axis=(1, 2))
        total = np.where(known, squares, 0.0).sum(axis=(1, 2))
        pairs.append(np.sqrt(np.where(count > 0, total / np.maximum(count, 1), np.nan)))
    return np.stack(pairs, axis=1)


def diversity(
    generated: NDArray[np.float64], true: NDArray[np.float64], generator: np.random.Generator
) -> Diversity:
    """Compare the differences among generated galaxies with those among true ones.

    Parameters
    ----------
    generated, true : numpy.ndarray, (G, P)
        Differences of P pairs of each of G parameters.
    generator : numpy.random.Generator
        For the error.

    Returns
    -------
    Diversity
        Of generated galaxies that are all alike it is 0.
    """
    number = len(true)
    draws = [generator.integers(number, size=number) for _ in range(_BOOTSTRAPS)]
    again = [_ratio(generated[rows], true[rows]) for rows in draws]
    return Diversity(_ratio(generated, true), float(np.std(again)))


def _ratio(generated: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    return float(np.nanmedian(generated) / max(float(np.nanmedian(true)), 1e-12))
