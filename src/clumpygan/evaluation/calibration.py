"""Whether posteriors are what they say: ranks of the truth among the draws, and coverage.

Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): where parameters are drawn from
the prior and cubes rendered with them, the share of the posterior below the true value is uniform
from 0 to 1. A posterior that is too narrow has too many shares near 0 and 1, one that is too broad
too few, and a biased one too many on one side.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from clumpygan.errors import InputError

FloatArray = NDArray[np.float64]

BINS = 20
"""Of the histogram of ranks."""

CENTRAL = (0.5, 0.68, 0.9, 0.95)
"""Shares of the posterior in the central intervals whose coverage is looked at."""


class Uniformity(NamedTuple):
    """Tests of uniform ranks, one number for each parameter.

    Attributes
    ----------
    distance : ndarray (n,)
        Kolmogorov-Smirnov distance from the uniform distribution.
    ks : ndarray (n,)
        Probability of a distance as large, or larger, of uniform ranks.
    chi_squared : ndarray (n,)
        The same of the scatter among the counts of the histogram.
    """

    distance: FloatArray
    ks: FloatArray
    chi_squared: FloatArray


def ranks(
    samples: ArrayLike,
    truth: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    generator: np.random.Generator,
) -> FloatArray:
    """Return the share of a posterior below the truth, for each parameter.

    Draws that equal the truth count in part, at random, and so does the one draw that the truth
    itself makes: of equally weighted draws the rank is uniform exactly, however few there are.

    Parameters
    ----------
    samples : array_like (S, n)
        Draws from the posterior. Angles are taken to within half a turn of the truth by the caller.
    truth : array_like (n,)
    weights : array_like (S,), optional
        Of the draws; equal by default.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray (n,), float64
        From 0 to 1.

    Raises
    ------
    InputError
        If the shapes don't fit together.
    """
    values, true = np.asarray(samples, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if values.ndim != 2 or true.shape != values.shape[1:] or not len(values):
        raise InputError(
            f"draws of shape {values.shape} and a truth of shape {true.shape}: expected (S, n), "
            "with at least one draw, and (n,)"
        )
    share = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != values.shape[:1] or not share.sum() > 0:
        raise InputError(
            f"weights of shape {share.shape} for {len(values)} draws: expected one for each, and a "
            "sum above 0"
        )
    share = share / share.sum()
    # The number of draws of equal weight that tell as much.
    count = 1 / float((share**2).sum())
    below = share @ (values < true)
    level = share @ (values == true)
    return np.asarray((count * (below + generator.random(true.size) * level)
                       + generator.random(true.size)) / (count + 1))  # fmt: skip


def uniformity(rank: ArrayLike, bins: int = BINS) -> Uniformity:
    """Test whether ranks are uniform.

    Parameters
    ----------
    rank : array_like (N, n)
        Of N mocks.
    bins : int
        Of the histogram.

    Returns
    -------
    Uniformity

    Raises
    ------
    InputError
        If there are fewer than 5 mocks for each bin.
    """
    table = _table(rank)
    if len(table) < 5 * bins:
        raise InputError(f"{len(table)} mocks for {bins} bins; expected at least {5 * bins} mocks")
    tests = [stats.kstest(column, "uniform") for column in table.T]
    scatter = [stats.chisquare(counts) for counts in histograms(table, bins)]
    return Uniformity(
        np.array([float(test.statistic) for test in tests]),
        np.array([float(test.pvalue) for test in tests]),
        np.array([float(test.pvalue) for test in scatter]),
    )


def histograms(rank: ArrayLike, bins: int = BINS) -> NDArray[np.int64]:
    """Return how many ranks (N, n) are in each of equal bins, (n, bins)."""
    edges = np.linspace(0, 1, bins + 1)
    return np.array([np.histogram(column, edges)[0] for column in _table(rank).T])


def coverage(rank: ArrayLike, shares: tuple[float, ...] = CENTRAL) -> tuple[FloatArray, FloatArray]:
    """Return how often central intervals hold the truth.

    Parameters
    ----------
    rank : array_like (N, n)
        Of N mocks.
    shares : tuple of float
        Of the posterior, in the intervals.

    Returns
    -------
    covered, error : ndarray (len(shares), n)
        Share of the mocks, and the standard deviation it has where the intervals are right.
    """
    table = _table(rank)
    away = 2 * np.abs(table - 0.5)
    covered = np.array([(away <= share).mean(axis=0) for share in shares])
    right = np.array(shares)[:, None]
    return covered, np.broadcast_to(np.sqrt(right * (1 - right) / len(table)), covered.shape)


def _table(rank: ArrayLike) -> FloatArray:
    table = np.asarray(rank, dtype=np.float64)
    if table.ndim != 2 or not len(table):
        raise InputError(f"ranks of shape {table.shape}: expected (mocks, parameters)")
    if not ((table >= 0) & (table <= 1)).all():
        raise InputError("ranks outside of 0 to 1: expected shares of posteriors below the truth")
    return table
