"""What draws are proposed from: t distributions, and mixtures of all densities drawn from."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from clumpygan.fitting.sampling.draws import effective_number, kish, pareto_k

FloatArray = NDArray[np.float64]

DEGREES = 6.0
"""Degrees of freedom of the t distribution from which draws are proposed."""

_FEWEST_PER_DIMENSION = 10
_TEMPERING = 0.7


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
        power = 1.0
        known = log_weights[np.isfinite(log_weights)]
        fewest = min(_FEWEST_PER_DIMENSION * dimensions, 0.5 * known.size)
        while kish(power * known) < fewest:
            power *= _TEMPERING
        weights = np.exp(power * (log_weights - log_weights.max()))
        middle = weights @ x / weights.sum()
        spread = np.cov(x.T, aweights=weights).reshape(dimensions, dimensions)
        return cls(middle, np.asarray(np.linalg.cholesky(spread + 1e-9 * np.eye(dimensions))))

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
        log_weights = self.log_weights()
        unique, inverse = np.unique(self.places, axis=0, return_inverse=True)
        weights = np.zeros(len(unique))
        np.add.at(weights, inverse.reshape(-1), np.exp(log_weights - log_weights.max()))
        drawn = effective_number(weights, unique)
        shares = np.array(self._counts) / sum(self._counts)
        pools = np.array([one.effective for one in self._components])
        return np.asarray(1 / (1 / drawn + float((shares**2 / pools).sum())))

    def shape(self) -> float:
        """Return Pareto k of the weights."""
        return pareto_k(self.log_weights())
