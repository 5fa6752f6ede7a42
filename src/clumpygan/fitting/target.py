"""The posterior of a fit as a function of unconstrained coordinates."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.likelihood import Likelihood, Residuals

FloatArray = NDArray[np.float64]

STEP = 0.1
"""Step of differences, in the standard deviation of a coordinate if all others were known.

At it, forward differences of cubes of the compiled renderer are within 0.2 % (relative L2) of exact
derivatives, and central ones within 0.02 %; both cost less than an exact Jacobian on tensors."""

_FIRST_STEP, _LARGEST_STEP = 1e-3, 0.1
"""Steps in coordinates: where nothing is known of the widths, and at most."""


class Renderer(Protocol):
    """Makes of parameter vectors what is compared with the data."""

    def __call__(self, vectors: FloatArray, /) -> NDArray[np.float32]:
        """Return models (B, ...) of vectors (B, P)."""


class Target:
    """The density from which samples are drawn: likelihood times prior.

    Parameters
    ----------
    coordinates : Coordinates
    likelihood : Likelihood
    renderer : Renderer
        A `CubeRenderer`, or one of velocity maps.

    Attributes
    ----------
    evaluations : int
        How many cubes were rendered.
    """

    def __init__(
        self, coordinates: Coordinates, likelihood: Likelihood, renderer: Renderer
    ) -> None:
        self.coordinates, self.likelihood, self.renderer = coordinates, likelihood, renderer
        self.evaluations = 0

    def cube(self, u: FloatArray) -> NDArray[np.float32]:
        """Return the model cube (v, y, x) at coordinates (n,)."""
        self.evaluations += 1
        return np.asarray(self.renderer(self.coordinates.vectors(u)[None])[0])

    def residuals(self, u: FloatArray) -> Residuals:
        """Return the whitened residuals (N,) at coordinates (n,)."""
        return self.likelihood.residuals(self.cube(u))

    def residuals_at(self, places: FloatArray) -> Iterator[Residuals]:
        """Yield the whitened residuals (N,) at each of some coordinates (S, n)."""
        # Priors take vectors of places in the time of one.
        for vector in self.coordinates.vectors(places):
            self.evaluations += 1
            yield self.likelihood.residuals(np.asarray(self.renderer(vector[None])[0]))

    def log_density(self, u: FloatArray, residuals: Residuals | None = None) -> float:
        """Return the logarithm of likelihood times prior at coordinates (n,).

        Parameters
        ----------
        u : ndarray (n,)
        residuals : ndarray (N,), optional
            Those at u, where they are known.
        """
        z = self.residuals(u) if residuals is None else residuals
        return self.likelihood.log_likelihood(z) + float(self.coordinates.log_prior(u))

    def jacobian(
        self, u: FloatArray, residuals: Residuals, inverse_widths: FloatArray | None, central: bool
    ) -> NDArray[np.float32]:
        """Return the derivatives (n, N) of the whitened residuals, by differences.

        Parameters
        ----------
        u : ndarray (n,)
        residuals : ndarray (N,)
            Those at u.
        inverse_widths : ndarray (n,), optional
            One over the standard deviation of each coordinate if all others were known, to choose
            the steps by (see `STEP`).
        central : bool
            Differences to both sides, for twice the cost.
        """
        steps = np.full(u.size, _FIRST_STEP)
        if inverse_widths is not None:
            steps = np.clip(STEP / inverse_widths, 1e-6, _LARGEST_STEP)
        # Towards the middle of the prior, away from bounds.
        signed = np.diag(np.where(u > 0, -steps, steps))
        rows = np.empty((u.size, residuals.size), dtype=np.float32)
        backwards = self.residuals_at(u - signed) if central else repeat(residuals)
        for row, step, ahead, behind in zip(
            rows, np.diag(signed), self.residuals_at(u + signed), backwards, strict=False
        ):
            np.subtract(ahead, behind, out=row)
            row *= np.float32(1 / (2 * step if central else step))
        return rows

    def curvature(
        self, u: FloatArray, residuals: Residuals, jacobian: NDArray[Any]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the gradient (n,) of minus the logarithm of the density, and its Gauss-Newton
        Hessian (n, n).
        """  # noqa: D205
        weights = self.likelihood.weights(residuals)
        if weights is None:
            gradient, hessian = jacobian @ residuals, jacobian @ jacobian.T
        else:
            weighted = jacobian * weights
            gradient = weighted @ residuals
            hessian = self.likelihood.bend(residuals) * (weighted @ jacobian.T)
        prior = np.eye(u.size)
        return gradient.astype(np.float64) + u, hessian.astype(np.float64) + prior
