"""What draws are proposed from: t distributions, and mixtures of all densities drawn from."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.special import gammaln, logsumexp

from clumpygan.fitting.sampling.draws import effective_number, kish, pareto_k, resample

FloatArray = NDArray[np.float64]

DEGREES = 6.0
"""Degrees of freedom of the t distribution from which draws are proposed."""

_FEWEST_PER_DIMENSION = 10
_TEMPERING = 0.7

_PARTS, _CLUSTERED = 8, 4000
"""Of a mixture of t distributions, and draws by which they are matched."""

_ROOM, _WHOLE = 1.3, 0.03
"""Of the covariance of a cluster and of all draws, in that of a part of the mixture."""


@dataclass(frozen=True, eq=False)
class StudentT:
    """A multivariate t distribution.

    Attributes
    ----------
    middle : ndarray (n,)
    axes : ndarray (n, n)
        Cholesky factor of its scale matrix.
    """

    middle: FloatArray
    axes: FloatArray

    @classmethod
    def matched(cls, x: FloatArray, log_weights: FloatArray) -> "StudentT":
        """Return the one with mean and covariance of weighted draws (S, n), as its scale matrix.

        The weights are tempered as long as few draws have them all.
        """
        dimensions = x.shape[1]
        weights = _tempered(log_weights, _FEWEST_PER_DIMENSION * dimensions)
        middle = weights @ x / weights.sum()
        spread = np.cov(x.T, aweights=weights).reshape(dimensions, dimensions)
        return cls(middle, _cholesky(spread))

    def draw(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return draws (count, n)."""
        standard = generator.standard_normal((count, self.middle.size))
        standard /= np.sqrt(generator.chisquare(DEGREES, count) / DEGREES)[:, None]
        return np.asarray(self.middle + standard @ self.axes.T)

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return the log density (S,) at places (S, n)."""
        n, nu = self.middle.size, DEGREES
        standard = np.linalg.solve(self.axes, (x - self.middle).T)
        constant = gammaln(0.5 * (nu + n)) - gammaln(0.5 * nu) - 0.5 * n * math.log(nu * math.pi)
        kernel = -0.5 * (nu + n) * np.log1p((standard**2).sum(0) / nu)
        return np.asarray(kernel + constant - float(np.log(np.diag(self.axes)).sum()))


@dataclass(frozen=True, eq=False)
class StudentMixture:
    """Several multivariate t distributions: for what is bent, or in several pieces.

    Attributes
    ----------
    parts : tuple of StudentT
    shares : ndarray (K,)
    """

    parts: tuple[StudentT, ...]
    shares: FloatArray

    @classmethod
    def matched(
        cls, x: FloatArray, log_weights: FloatArray, generator: np.random.Generator
    ) -> "StudentMixture":
        """Return the one whose parts are matched to clusters of weighted draws (S, n).

        Clusters are those of k-means, in units of the spread of the draws; the weights are tempered
        as for one distribution.
        """
        dimensions = x.shape[1]
        weights = _tempered(log_weights, _PARTS * _FEWEST_PER_DIMENSION * dimensions)
        chosen = x[resample(generator, weights, _CLUSTERED)]
        whole = np.cov(chosen.T).reshape(dimensions, dimensions)
        known = np.linalg.solve(_cholesky(whole), (chosen - chosen.mean(0)).T).T
        _, labels = kmeans2(known, _PARTS, minit="++", rng=generator)
        members = [chosen[labels == k] for k in range(_PARTS)]
        members = [one for one in members if len(one) > 2 * dimensions]
        # A little of the whole in each: clusters of k-means have sharp ends.
        parts = tuple(
            StudentT(
                one.mean(0),
                np.asarray(np.linalg.cholesky(_ROOM * np.cov(one.T) + _WHOLE * whole), np.float64),
            )
            for one in members
        )
        shares = np.array([len(one) for one in members], dtype=np.float64)
        return cls(parts, shares / shares.sum())

    def draw(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return draws (count, n)."""
        counts = generator.multinomial(count, self.shares)
        pairs = zip(self.parts, counts, strict=True)
        return np.concatenate([one.draw(generator, number) for one, number in pairs])

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return the log density (S,) at places (S, n)."""
        densities = [one.log_density(x) for one in self.parts]
        return np.asarray(logsumexp(densities, axis=0, b=self.shares[:, None]))


def _cholesky(covariance: FloatArray) -> FloatArray:
    """Return the factor of a covariance, which may have lost a direction to rounding."""
    # In units of its own: coordinates may be known to a part in a million.
    rounding = np.diag(1e-9 * np.diag(covariance))
    return np.asarray(np.linalg.cholesky(covariance + rounding), np.float64)


def _tempered(log_weights: FloatArray, fewest: float) -> FloatArray:
    """Return weights (S,), tempered as long as fewer draws have them all, at most half of them."""
    power, known = 1.0, log_weights[np.isfinite(log_weights)]
    while kish(power * known) < min(fewest, 0.5 * known.size):
        power *= _TEMPERING
    return np.asarray(np.exp(power * (log_weights - log_weights.max())))


@dataclass(frozen=True, eq=False)
class Component:
    """A density that is drawn from.

    Attributes
    ----------
    log_kernel : callable
        Of places (S, n).
    log_integral : float
        Of the kernel.
    effective : float
        Effective number of draws in the pool from which its draws are taken.
    """

    log_kernel: Callable[[FloatArray], FloatArray]
    log_integral: float = 0.0
    effective: float = math.inf

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return the normalised log density (S,) at places (S, n)."""
        return self.log_kernel(x) - self.log_integral


class Mixture:
    """Draws from several densities, each weighted as one from the mixture of them all.

    Adaptive multiple importance sampling (Cornuet et al. 2012, Scand. J. Stat. 39, 798).

    Parameters
    ----------
    dimensions : int
    """

    def __init__(self, dimensions: int) -> None:
        self.places = np.empty((0, dimensions))
        self._exact = np.empty(0)
        self._components: list[Component] = []
        self._counts: list[int] = []
        self._densities = np.empty((0, 0))

    def add(self, component: Component, x: FloatArray, exact: FloatArray) -> None:
        """Add draws (S, n) from a component, with the true log density (S,)."""
        self._exact = np.concatenate([self._exact, exact])
        old = [one.log_density(x) for one in self._components]
        self._densities = np.concatenate(
            [self._densities, np.array(old).reshape(-1, len(x))], axis=1
        )
        self.places = np.concatenate([self.places, x])
        if component in self._components:
            self._counts[self._components.index(component)] += len(x)
            return
        self._components.append(component)
        self._counts.append(len(x))
        self._densities = np.concatenate(
            [self._densities, component.log_density(self.places)[None]]
        )

    def log_weights(self) -> FloatArray:
        """Return the logarithm of the true density over that of the mixture (S,)."""
        shares = np.array(self._counts) / sum(self._counts)
        mixed = logsumexp(self._densities, axis=0, b=shares[:, None])
        return np.asarray(self._exact - mixed)

    def effective(self) -> FloatArray:
        """Return the effective numbers (n,) of draws, places that came twice taken together."""
        unique, weights = self._together()
        return np.asarray(1 / (1 / effective_number(weights, unique) + self._of_pools()))

    def evidence_variance(self) -> float:
        """Return the variance of the logarithm of the mean weight: the evidence's.

        From the scatter of the weights, and from the integrals of the densities, which are known
        from pools.
        """
        _, weights = self._together()
        shares = weights / weights.sum()
        return max(float((shares**2).sum()) - 1 / len(shares), 0.0) + self._of_pools()

    def _together(self) -> tuple[FloatArray, FloatArray]:
        """Return places (U, n) that differ, and the sums (U,) of the weights there."""
        log_weights = self.log_weights()
        unique, inverse = np.unique(self.places, axis=0, return_inverse=True)
        weights = np.zeros(len(unique))
        np.add.at(weights, inverse.reshape(-1), np.exp(log_weights - log_weights.max()))
        return unique, weights

    def _of_pools(self) -> float:
        shares = np.array(self._counts) / sum(self._counts)
        pools = np.array([one.effective for one in self._components])
        return float((shares**2 / pools).sum())

    def shape(self) -> float:
        """Return Pareto k of the weights."""
        return pareto_k(self.log_weights())
