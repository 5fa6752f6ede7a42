"""The Frechet distance between two sets of galaxies in the space of their features."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError

SUBSETS = 8
"""Random halves and quarters from which the distance at infinite number is extrapolated."""

Features = NDArray[np.floating]


class Scale(NamedTuple):
    """Mean and scatter (F,) by which features are standardised."""

    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]


class Extrapolated(NamedTuple):
    """A distance without the bias of finite numbers, and its standard error."""

    value: float
    error: float


def scale_of(reference: Features) -> Scale:
    """Return mean and scatter (F,) of features (N, F); a constant feature has scatter 1."""
    reference = np.asarray(reference, dtype=np.float64)
    scatter = reference.std(axis=0)
    constant = scatter <= 1e-9 * np.maximum(np.abs(reference).max(axis=0), 1e-30)
    return Scale(reference.mean(axis=0), np.where(constant, 1.0, scatter))


def frechet_distance(a: Features, b: Features, scale: Scale | None = None) -> float:
    r"""Return the Frechet distance between the normal distributions of two sets of features.

    .. math:: d^2 = |m_a - m_b|^2 + \mathrm{Tr}(C_a + C_b - 2 (C_a C_b)^{1/2})

    (Heusel et al. 2017, arXiv:1706.08500, eq. 6; like FID this is d^2). With N galaxies of F
    features it is biased upwards, between equal sets by about F (F + 5) / 4 (1 / N_a + 1 / N_b):
    compare sets of equal size, or see `frechet_extrapolated`.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, F) and (M, F)
        Features of the galaxies in question and of the reference.
    scale : Scale, optional
        By which both are standardised; that of `b` by default.

    Returns
    -------
    float
        In squared standard deviations of the reference, not negative.

    Raises
    ------
    InputError
        If the sets differ in the number of features or one has fewer than two galaxies.
    """
    a, b = (np.asarray(one, dtype=np.float64) for one in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise InputError(
            f"features of shapes {a.shape} and {b.shape}: expected (N, F) and (M, F) with N, M >= 2"
        )
    mean, scatter = scale_of(b) if scale is None else scale
    a, b = (a - mean) / scatter, (b - mean) / scatter
    difference = a.mean(axis=0) - b.mean(axis=0)
    cov_a, cov_b = (np.atleast_2d(np.cov(one, rowvar=False)) for one in (a, b))
    values, vectors = np.linalg.eigh(cov_b)
    root = (vectors * np.sqrt(values.clip(0.0))) @ vectors.T
    # the product of two positive matrices has the eigenvalues of this symmetric one
    shared = np.sqrt(np.linalg.eigvalsh(root @ cov_a @ root).clip(0.0)).sum()
    distance = difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2.0 * shared
    return max(float(distance), 0.0)


def frechet_extrapolated(
    a: Features, b: Features, generator: np.random.Generator, scale: Scale | None = None
) -> Extrapolated:
    """Return the Frechet distance extrapolated to infinitely many galaxies.

    The bias is proportional to 1 / N (Chong & Forsyth 2020, arXiv:1911.07023): a straight line in
    1 / N through the distances of all galaxies and of random halves and quarters of both sets
    gives the value at 0.

    Parameters
    ----------
    a, b, scale
        As for `frechet_distance`; each set has at least 8 galaxies.
    generator : numpy.random.Generator
        Draws the subsets.

    Returns
    -------
    Extrapolated
        The value may be slightly negative between equal distributions; its error is from the
        scatter among the subsets.

    Raises
    ------
    InputError
        As `frechet_distance`, or for fewer than 8 galaxies.
    """
    if min(len(a), len(b)) < 8:
        raise InputError(f"{min(len(a), len(b))} galaxies: expected 8 or more to extrapolate")
    scale = scale_of(b) if scale is None else scale
    whole = frechet_distance(a, b, scale)
    halves: list[float] = []
    quarters: list[float] = []
    for _ in range(SUBSETS):
        order_a, order_b = generator.permutation(len(a)), generator.permutation(len(b))
        for found, parts in ((halves, 2), (quarters, 4)):
            distances = [
                frechet_distance(a[order_a[i::parts]], b[order_b[i::parts]], scale)
                for i in range(parts)
            ]
            found.append(float(np.mean(distances)))
    # d(N) = d + c / N at N, N / 2 and N / 4, least squares with equal weights
    x = np.array([1.0, 2.0, 4.0])
    y = np.array([whole, np.mean(halves), np.mean(quarters)])
    weights = (x - x.mean()) / np.square(x - x.mean()).sum()
    slope = weights @ y
    value = float(y.mean() - slope * x.mean())
    error = _jackknife_error(np.asarray(a), np.asarray(b), scale, generator)
    return Extrapolated(value, error)


def _jackknife_error(
    a: Features, b: Features, scale: Scale, generator: np.random.Generator, groups: int = 10
) -> float:
    """Return the delete-a-group jackknife error of the distance, over both sets together."""
    groups = min(groups, len(a) // 2, len(b) // 2)
    group_a, group_b = (generator.permutation(len(one)) % groups for one in (a, b))
    left = [frechet_distance(a[group_a != g], b[group_b != g], scale) for g in range(groups)]
    return float(np.sqrt((groups - 1) * np.var(left)))
