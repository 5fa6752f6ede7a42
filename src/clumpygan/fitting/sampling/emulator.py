"""The posterior near its optimum without rendering: residuals as polynomials of the coordinates.

Cubes change smoothly with their parameters. Over the few standard deviations that matter, each
residual is a polynomial of the whitened coordinates x, of second degree, and of third and fourth
degree in those directions in which the posterior is wide: where data say little, the model has room
to be curved. Its coefficients are fitted to rendered cubes, chi^2 is a quadratic form of the
monomials, and costs microseconds. What is drawn from it is corrected with the renderer afterwards.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.likelihood import Residuals
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_KEPT = 0.999
"""Share of the variation of the residuals in the voxels that are emulated."""

_ENOUGH = 64
"""Cubes after which those voxels are chosen."""

_BUCKETS = 8192
"""Sums of voxels with random signs, in place of voxels, where there are many times as many. They
keep the lengths of changes within 2 % (Charikar et al. 2002, count sketch), at a tenth of the time
and the memory; the products with the residuals, which are long themselves, are exact."""

_RIDGE = 1e-6
_DIRECTIONS = {2: 14, 3: 5, 4: 3}
"""Degree -> number of the widest directions in which there are monomials of it."""

_LARGE = 0.99
"""Of the largest component of an eigenvector, above which others are as large."""

SPARE = 1.5
"""Cubes per coefficient that are rendered before a degree is fitted."""


class Whitening:
    """Coordinates in which a Gaussian is standard normal, widest direction first.

    Parameters
    ----------
    middle : ndarray (n,)
    covariance : ndarray (n, n)
        As of the Laplace approximation, or of draws from the posterior.
    """

    def __init__(self, middle: FloatArray, covariance: FloatArray) -> None:
        values, vectors = np.linalg.eigh(covariance)
        vectors = _signed(vectors)
        self.middle, self.covariance = middle, covariance
        self.axes = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1]
        self._inverse = np.linalg.inv(self.axes)
        self._log_volume = 0.5 * float(np.log(values).sum())

    def coordinates(self, x: FloatArray) -> FloatArray:
        """Return coordinates (..., n) of whitened ones (..., n)."""
        return np.asarray(self.middle + x @ self.axes.T)

    def whitened(self, u: FloatArray) -> FloatArray:
        """Return whitened coordinates (..., n): `coordinates` inverted."""
        return np.asarray((u - self.middle) @ self._inverse.T)

    def log_normal(self, u: FloatArray) -> FloatArray:
        """Return the logarithm of the density (S,) of the Gaussian at coordinates (S, n)."""
        x = self.whitened(u)
        constant = 0.5 * x.shape[1] * np.log(2 * np.pi) + self._log_volume
        return np.asarray(-0.5 * (x**2).sum(1) - constant)


def _signed(vectors: FloatArray) -> FloatArray:
    """Return eigenvectors, in columns, whose largest component is positive.

    A library of linear algebra returns either sign, and another build of it the other: draws of one
    seed would be others there. Of components that are as large up to rounding the first counts.
    """
    large = np.abs(vectors) > _LARGE * np.abs(vectors).max(axis=0)
    signs = np.sign(np.take_along_axis(vectors, large.argmax(axis=0)[None], axis=0))
    return np.asarray(vectors * signs)


@dataclass(frozen=True, eq=False)
class Polynomial:
    """The emulated log density.

    Attributes
    ----------
    terms : list of tuple of int
        Monomials.
    form : ndarray (M, M)
        Of which chi^2 is the quadratic form.
    slope : ndarray (M,)
    whitening : Whitening
        Of whose coordinates the monomials are.
    optimum : ndarray (n,)
    """

    terms: list[tuple[int, ...]]
    form: FloatArray
    slope: FloatArray
    whitening: Whitening
    optimum: FloatArray

    def __call__(self, u: FloatArray) -> FloatArray:
        """Return the log density (S,) at coordinates (S, n), relative to the optimum."""
        design = evaluate(self.whitening.whitened(u), self.terms)
        half = 0.5 * np.einsum("ij,ij->i", design @ self.form, design) + design @ self.slope
        prior = 0.5 * (u**2).sum(1) - 0.5 * (self.optimum**2).sum()
        return np.asarray(-half - prior)


class Emulator:
    """Learns the log density as a polynomial from rendered cubes.

    Parameters
    ----------
    target : Target
    optimum : Optimum
    """

    def __init__(self, target: Target, optimum: Optimum) -> None:
        self.target, self._optimum = target, optimum.coordinates
        self._middle = optimum.residuals
        weights = target.likelihood.weights(optimum.residuals)
        self._root = None if weights is None else np.sqrt(weights)
        self._places: list[FloatArray] = []
        self._changes: list[Residuals] = []
        self._products: list[float] = []
        self._kept: NDArray[np.int64] | None = None
        self._buckets: NDArray[np.int64] | None = None
        self._signs: NDArray[np.float32] | None = None

    def add(self, places: FloatArray) -> FloatArray:
        """Render cubes at coordinates (S, n), to be learnt from.

        Returns
        -------
        ndarray (S,)
            The logarithm of the true density.
        """
        answer = np.empty(len(places))
        rendered = self.target.residuals_at(places)
        for k, (u, residuals) in enumerate(zip(places, rendered, strict=True)):
            answer[k] = self.target.log_density(u, residuals)
            change = residuals - self._middle
            if self._root is not None:
                change *= self._root
            self._places.append(u)
            self._changes.append(change if self._kept is None else self._shortened(change))
            if self._kept is None and len(self._changes) == _ENOUGH:
                self._keep()
        return answer

    @property
    def count(self) -> int:
        """How many cubes have been added."""
        return len(self._places)

    def fit(self, whitening: Whitening, largest_degree: int = 4) -> Polynomial:
        """Fit polynomials in whitened coordinates, of as high degrees as there are cubes for."""
        if self._kept is None:
            self._keep()
        x = whitening.whitened(np.array(self._places))
        terms = monomials(x.shape[1], 1)
        for degree in range(2, largest_degree + 1):
            more = monomials(x.shape[1], degree)
            if SPARE * len(more) > len(x):
                break
            terms = more
        design = evaluate(x, terms)
        normal = design.T @ design + _RIDGE * len(x) * np.eye(design.shape[1])
        pseudo = np.linalg.solve(normal, design.T).astype(np.float32)
        coefficients = pseudo @ np.stack(self._changes)
        return Polynomial(
            terms,
            (coefficients @ coefficients.T).astype(np.float64),
            pseudo @ np.array(self._products),
            whitening,
            self._optimum,
        )

    def _keep(self) -> None:
        """Choose the voxels in which the model changes."""
        changes = np.stack(self._changes)
        power = np.einsum("ij,ij->j", changes, changes)
        order = np.argsort(power)[::-1]
        total = np.cumsum(power[order])
        self._kept = np.sort(order[: 1 + int(np.searchsorted(total, _KEPT * total[-1]))])
        if len(self._kept) > 2 * _BUCKETS:
            # Which voxels go together has nothing to do with what is drawn.
            generator = np.random.default_rng(0)
            self._buckets = generator.integers(_BUCKETS, size=len(self._kept))
            self._signs = generator.choice(np.array([-1, 1], np.float32), len(self._kept))
        self._changes = [self._shortened(change) for change in self._changes]

    def _shortened(self, change: Residuals) -> Residuals:
        """Return what is kept of a change (N,), and remember its product with the residuals."""
        assert self._kept is not None
        kept = change[self._kept]
        middle = self._middle[self._kept]
        if self._root is not None:
            middle = middle * self._root[self._kept]
        self._products.append(float(kept @ middle))
        if self._buckets is None or self._signs is None:
            return kept
        sums = np.bincount(self._buckets, kept * self._signs, minlength=_BUCKETS)
        return sums.astype(np.float32)


def monomials(dimensions: int, degree: int) -> list[tuple[int, ...]]:
    """Return the monomials up to a degree, as the places of their factors."""
    answer: list[tuple[int, ...]] = [()]
    answer += [(k,) for k in range(dimensions)]
    for power in range(2, degree + 1):
        widest = range(min(dimensions, _DIRECTIONS[power]))
        answer += combinations_with_replacement(widest, power)
    return answer


def evaluate(x: FloatArray, terms: list[tuple[int, ...]]) -> FloatArray:
    """Return the values (S, M) of monomials at places (S, n)."""
    values = np.empty((len(terms), len(x)))
    known: dict[tuple[int, ...], int] = {}
    for row, term in enumerate(terms):
        known[term] = row
        if not term:
            values[row] = 1.0
        elif term[:-1] in known:
            np.multiply(values[known[term[:-1]]], x[:, term[-1]], out=values[row])
        else:
            values[row] = np.prod(x[:, term], axis=1)
    return values.T
