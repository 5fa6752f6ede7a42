"""Draws from a posterior, and what says whether they can be trusted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LARGEST_PARETO_K = 0.7
"""Vehtari et al. (2024, JMLR 25, 72): importance weights with a heavier tail aren't reliable."""

LARGEST_R_HAT = 1.01
"""Vehtari et al. (2021, Bayesian Analysis 16, 667): chains that differ more haven't mixed."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws from a posterior in coordinates, with weights.

    Attributes
    ----------
    method : str
        "laplace", "importance" or "nuts".
    coordinates : ndarray (S, n)
    weights : ndarray (S,)
        They sum to 1.
    effective : ndarray (n,)
        Effective number of independent draws for the mean of each parameter.
    log_evidence : float or None
        Of the model, relative to no line at all.
    pareto_k : float or None
        Shape of the tail of the importance weights.
    r_hat : ndarray (n,) or None
        Rank-normalised, of several chains.
    problems : tuple of str
        Why the draws can't be trusted; empty if they can.
    log_evidence_error : float or None
        Standard error.
    """

    method: str
    coordinates: FloatArray
    weights: FloatArray
    effective: FloatArray
    log_evidence: float | None = None
    pareto_k: float | None = None
    r_hat: FloatArray | None = None
    problems: tuple[str, ...] = ()
    log_evidence_error: float | None = None

    def quantiles(self, values: FloatArray, shares: tuple[float, ...]) -> FloatArray:
        """Return weighted quantiles (len(shares), n) of values (S, n) at the draws."""
        return np.stack([_quantiles(column, self.weights, shares) for column in values.T], axis=1)

    def equal_places(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Return places (S,) of draws without weights, some of them more than once."""
        if np.ptp(self.weights) == 0:
            return np.arange(len(self.weights))
        return resample(generator, self.weights, len(self.weights))


def resample(generator: np.random.Generator, weights: FloatArray, count: int) -> NDArray[np.int64]:
    """Return places of draws, each as often as its weight says, to the next whole number.

    Systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1).
    """
    steps = (generator.random() + np.arange(count)) / count
    places = np.searchsorted(np.cumsum(weights) / weights.sum(), steps)
    return np.minimum(places, len(weights) - 1)


def effective_number(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return how many independent draws tell the means (n,) of values (S, n) as well.

    The variance of the values over that of their weighted mean.
    """
    share = weights / weights.sum()
    away = (values - share @ values) ** 2
    error = (share**2) @ away
    return np.asarray((share @ away) / np.where(error > 0, error, np.inf))


def kish(log_weights: FloatArray) -> float:
    """Return the effective number of draws with weights: (sum w)^2 / sum w^2."""
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum())


def pareto_k(log_weights: FloatArray) -> float:
    """Return the shape of the generalised Pareto distribution that the largest weights follow.

    Fitted as by Zhang & Stephens (2009, Technometrics 51, 316), with the weak prior of Vehtari et
    al. (2024, appendix G), to as many of the largest weights as those take.
    """
    ordered = np.sort(np.exp(log_weights - log_weights.max()))
    count = int(min(0.2 * ordered.size, 3 * np.sqrt(ordered.size)))
    if count < 5:
        return np.inf
    excess = ordered[-count:] - ordered[-count - 1]
    if not excess[-1] > 1e-12:
        return -np.inf  # all are alike
    if not excess[int(count / 4 + 0.5) - 1] > 1e-300:
        return np.inf  # a few have everything
    points = 30 + int(np.sqrt(count))
    spread = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    slopes = spread / (3 * excess[int(count / 4 + 0.5) - 1]) + 1 / excess[-1]
    shapes = np.log1p(-slopes[:, None] * excess).mean(axis=1)
    fits = count * (np.log(-slopes / shapes) - shapes - 1)
    shares = np.exp(fits - fits.max())
    slope = float(slopes @ shares / shares.sum())
    shape = float(np.log1p(-slope * excess).mean())
    return (count * shape + 10 * 0.5) / (count + 10)


def _quantiles(values: FloatArray, weights: FloatArray, shares: tuple[float, ...]) -> FloatArray:
    order = np.argsort(values)
    middle = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(shares, middle / weights.sum(), values[order]))
