"""Are two sets of galaxies drawn from the same distribution? Tests on their features."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.frechet import Features, Scale, scale_of

FOLDS = 5
"""Parts of the cross-validation of a classifier on features."""

PERMUTATIONS = 500
"""Shuffles of the labels that give the distribution of the MMD between equal sets."""

LARGEST_KERNEL = 2000
"""Galaxies of each set that enter the MMD: its matrix has the square of twice as many entries."""


BOOTSTRAPS = 50
"""Samples, drawn again from both sets, whose scatter is the error of a mean distance."""


class Test(NamedTuple):
    """A statistic, and how often equal distributions give one as large."""

    statistic: float
    p_value: float


class Accuracy(NamedTuple):
    """Share of galaxies whose set a classifier tells right, or another number; standard error."""

    value: float
    error: float


def ks_distances(a: Features, b: Features) -> list[Test]:
    """Return the two-sample Kolmogorov-Smirnov test of each feature.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, F) and (M, F)
        Galaxies with NaN in a feature don't count in it; without any the test is NaN.

    Returns
    -------
    list of Test
        F largest distances of the cumulative distributions, with two-sided p-values.
    """
    tests = []
    for one, other in zip(np.asarray(a).T, np.asarray(b).T, strict=True):
        one, other = one[np.isfinite(one)], other[np.isfinite(other)]
        if not (one.size and other.size):
            tests.append(Test(float("nan"), float("nan")))
            continue
        found = ks_2samp(one, other, method="asymp")
        tests.append(Test(float(found.statistic), float(found.pvalue)))
    return tests


def largest_departures(a: Features, b: Features) -> dict[str, float]:
    """Return the mean and the largest Kolmogorov-Smirnov distance of the features (N, F)."""
    distances = [float(ks_2samp(x, y).statistic) for x, y in zip(a.T, b.T, strict=True)]
    return {"ks_mean": float(np.mean(distances)), "ks_worst": float(np.max(distances))}


def wasserstein_distances(
    a: Features, b: Features, scale: Scale | None = None
) -> NDArray[np.float64]:
    """Return the Wasserstein distance of the distributions of each feature, (F,).

    In one dimension it is the area between the cumulative distributions, of first order: so
    Holzschuh et al. 2022 (MNRAS 515, 652) compare the morphology of generated galaxies. The unit,
    the scatter of the reference, lets features be averaged.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, F) and (M, F)
    scale : Scale, optional
        Whose scatter is the unit of each feature; that of `b` by default.
    """
    _, scatter = scale_of(b) if scale is None else scale
    pairs = zip(np.asarray(a).T, np.asarray(b).T, strict=True)
    distances = [wasserstein_distance(one, other) for one, other in pairs]
    return np.asarray(distances, dtype=np.float64) / scatter


def mean_wasserstein(
    a: Features, b: Features, generator: np.random.Generator, scale: Scale | None = None
) -> Accuracy:
    """Return the mean of `wasserstein_distances` over the features, and its bootstrapped error.

    It isn't 0 between equal distributions: about 2 / sqrt(N) for N galaxies each, if normal.
    """
    scale = scale_of(b) if scale is None else scale
    value = float(wasserstein_distances(a, b, scale).mean())
    again = []
    for _ in range(BOOTSTRAPS):
        first, second = (one[generator.integers(len(one), size=len(one))] for one in (a, b))
        again.append(wasserstein_distances(first, second, scale).mean())
    return Accuracy(value, float(np.std(again)))


def mmd(
    a: Features, b: Features, generator: np.random.Generator, scale: Scale | None = None
) -> Test:
    """Return the maximum mean discrepancy of two sets and its permutation test.

    The unbiased estimate of MMD^2 (Gretton et al. 2012, JMLR 13, 723, eq. 3) with a Gaussian kernel
    whose width is the median distance, on features standardised by `b`.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, F) and (M, F)
        Of sets larger than 2000 a random part is taken.
    generator : numpy.random.Generator
        For that, and for the permutations.
    scale : Scale, optional
        By which both are standardised; that of `b` by default.

    Returns
    -------
    Test
        MMD^2 and the share of 500 random relabellings with one as large.

    Raises
    ------
    InputError
        If a set has fewer than two galaxies.
    """
    if min(len(a), len(b)) < 2:
        raise InputError(f"sets of {len(a)} and {len(b)} galaxies: expected at least 2 in each")
    mean, scatter = scale_of(b) if scale is None else scale
    parts = [
        (one if len(one) <= LARGEST_KERNEL else generator.permutation(one)[:LARGEST_KERNEL])
        for one in (a, b)
    ]
    number = len(parts[0])
    both = ((np.concatenate(parts) - mean) / scatter).astype(np.float32)
    squares = squared_distances(both, both)
    median = np.median(squares[np.triu_indices(len(both), 1)])
    kernel = np.exp(-squares / (2.0 * max(float(median), 1e-12)))
    np.fill_diagonal(kernel, 0.0)
    first = np.zeros((len(both), 1 + PERMUTATIONS), dtype=np.float32)
    first[:number, 0] = 1.0
    for column in first.T[1:]:
        column[generator.permutation(len(both))[:number]] = 1.0
    products = kernel @ first
    within = (first * products).sum(axis=0, dtype=np.float64)
    across = ((1.0 - first) * products).sum(axis=0, dtype=np.float64)
    others = kernel.sum(dtype=np.float64) - within - 2.0 * across
    rest = len(both) - number
    values = within / (number * (number - 1)) + others / (rest * (rest - 1))
    values -= 2.0 * across / (number * rest)
    larger = (values[1:] >= values[0]).sum()
    return Test(float(values[0]), float((1 + larger) / (1 + PERMUTATIONS)))


def squared_distances(a: Features, b: Features) -> NDArray[np.float32]:
    """Return the squared Euclidean distances (N, M) between the rows of (N, F) and (M, F)."""
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    squares -= 2.0 * (a @ b.T)
    return np.asarray(np.maximum(squares, 0.0))


def feature_classifier(a: Features, b: Features, generator: np.random.Generator) -> Accuracy:
    """Return how well gradient-boosted trees tell two sets apart by their features.

    A classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545): every galaxy is
    classified once by trees that have seen neither it nor its fold. 0.5 is indistinguishable.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, F) and (M, F)
        The larger set is cut at random to the size of the smaller, so that guessing gives 0.5.
    generator : numpy.random.Generator
        For the folds and the trees.

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        If a set has fewer galaxies than twice the number of folds.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    def predict(
        train: NDArray[np.float64], labels: NDArray[np.int64], test: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        trees = HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.08,
            max_leaf_nodes=8,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=int(generator.integers(2**31)),
        )
        return np.asarray(trees.fit(train, labels).predict(test))

    return cross_validated(np.asarray(a), np.asarray(b), predict, FOLDS, generator)


def cross_validated(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    predict: Callable[..., NDArray[np.int64]],
    folds: int,
    generator: np.random.Generator,
) -> Accuracy:
    """Return the cross-validated accuracy of a classifier that tells `a` (1) from `b` (0).

    Parameters
    ----------
    a, b : numpy.ndarray, (N, ...) and (M, ...)
        The larger set is cut at random to the size of the smaller.
    predict : callable
        From training samples, their labels and test samples to the predicted labels.
    folds : int
        Parts of the cross-validation.
    generator : numpy.random.Generator
        For the folds.

    Raises
    ------
    InputError
        If a set has fewer samples than twice the number of folds.
    """
    number = min(len(a), len(b))
    if number < 2 * folds:
        raise InputError(f"{number} galaxies in a set: expected {2 * folds} or more to classify")
    samples = np.concatenate([one[generator.permutation(len(one))[:number]] for one in (a, b)])
    labels = np.repeat([1, 0], number)
    # the same number of both sets in every fold
    fold = np.concatenate([generator.permutation(number) % folds for _ in range(2)])
    right = np.empty(2 * number, dtype=bool)
    for part in range(folds):
        test = fold == part
        right[test] = predict(samples[~test], labels[~test], samples[test]) == labels[test]
    value = float(right.mean())
    # half a galaxy more on either side, or a perfect classifier would have no error at all
    share = (right.sum() + 0.5) / (2 * number + 1)
    return Accuracy(value, float(np.sqrt(share * (1 - share) / (2 * number))))
