"""The most probable parameters: Levenberg-Marquardt on unconstrained coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.likelihood import Residuals
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

TOLERANCE = 1e-3
"""A fit has converged when the next step would gain less than this in the log density."""

NEAR = 0.05
"""As much may be left to gain where the renderer's own steps hide the way: 0.3 sigma of one
parameter, which draws from the posterior make up for."""

_IDLE = 3
"""Steps in a row without a gain, that near."""

_CLOSE = 0.3
_FIRST_DAMPING = 1e-2
_LARGEST_DAMPING = 1e8
_LONGEST_STEP = 1.0
_MOST_STEPS = 60
_ROUGH_STEPS = 4
"""From each of several starts, before all but the best are given up."""

_HOPELESS = 30.0
"""Starts that are worse than the best by more, in the log density, after those steps."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the density is largest.

    Attributes
    ----------
    coordinates : ndarray (n,)
    log_density : float
    residuals : ndarray (N,), float32
        Whitened.
    hessian : ndarray (n, n)
        Gauss-Newton approximation of that of minus the logarithm of the density.
    converged : bool
    steps : int
        Of Levenberg-Marquardt, from the best start.
    gain : float
        What the next step would gain in the log density.
    """

    coordinates: FloatArray
    log_density: float
    residuals: Residuals
    hessian: FloatArray
    converged: bool
    steps: int
    gain: float

    @property
    def covariance(self) -> FloatArray:
        """Inverse (n, n) of the Hessian."""
        return np.asarray(np.linalg.inv(self.hessian))


def find_optimum(target: Target, starts: Sequence[FloatArray]) -> Optimum:
    """Climb from several starts, and on from the best of them.

    Parameters
    ----------
    target : Target
    starts : sequence of ndarray (n,)
        Coordinates.

    Returns
    -------
    Optimum
    """
    climbs = [Climb(target, start) for start in starts]
    if len(climbs) > 1:
        for climb in climbs:
            climb.go(_ROUGH_STEPS)
        best = max(climb.log_density for climb in climbs)
        climbs = [climb for climb in climbs if climb.log_density > best - _HOPELESS]
        climbs = _distinct(climbs)
    for climb in climbs:
        climb.go(_MOST_STEPS)
    return max(climbs, key=lambda climb: climb.log_density).finish()


class Climb:
    """One run of Levenberg-Marquardt.

    The damping follows Nielsen (1999, IMM-REP-1999-05). Derivatives are forward differences until
    the optimum is close, and central ones from there.

    Parameters
    ----------
    target : Target
    start : ndarray (n,)
    """

    def __init__(self, target: Target, start: FloatArray) -> None:
        self.target, self.u = target, start.astype(np.float64)
        self.residuals = target.residuals(self.u)
        self.log_density = target.log_density(self.u, self.residuals)
        self.damping, self._raise = _FIRST_DAMPING, 2.0
        self.steps, self.gain, self.converged = 0, np.inf, False
        self.hessian = np.eye(start.size)
        self._central, self._idle = False, 0
        self._gradient: FloatArray | None = None
        self._sharpness: FloatArray | None = None

    def go(self, steps: int) -> None:
        """Take at most so many more steps, until the next would gain next to nothing."""
        last = self.steps + steps
        while self.steps < last and not self.converged and self.damping < _LARGEST_DAMPING:
            self._differentiate()
            if self.gain < TOLERANCE or (self.gain < NEAR and self._idle >= _IDLE):
                self.converged = True
                return
            self._step()

    def finish(self) -> Optimum:
        """Return where this run has come to, with a Hessian of central differences."""
        if not self._central:
            self._gradient, self._central = None, True
        self._differentiate()
        return Optimum(
            self.u, self.log_density, self.residuals, self.hessian,
            self.gain < NEAR, self.steps, self.gain,
        )  # fmt: skip

    def _differentiate(self) -> None:
        if self._gradient is not None:
            return
        jacobian = self.target.jacobian(self.u, self.residuals, self._sharpness, self._central)
        self._gradient, self.hessian = self.target.curvature(self.u, self.residuals, jacobian)
        self._sharpness = np.sqrt(np.diag(self.hessian))
        newton = np.linalg.solve(self.hessian, self._gradient)
        self.gain = 0.5 * float(self._gradient @ newton)
        if self.gain < _CLOSE and not self._central:
            # Where the model misses something, forward differences see a slope at the optimum.
            self._central = True
            if self.gain < TOLERANCE:
                self._gradient = None
                self._differentiate()

    def _step(self) -> None:
        assert self._gradient is not None
        self.steps += 1
        scale = np.diag(np.diag(self.hessian))
        while True:
            step = -np.linalg.solve(self.hessian + self.damping * scale, self._gradient)
            if float(np.abs(step).max()) <= _LONGEST_STEP:
                break
            # A shorter step of the same direction would zigzag along a valley.
            self.damping *= 2.0
        expected = -float(step @ self._gradient + 0.5 * step @ self.hessian @ step)
        residuals = self.target.residuals(self.u + step)
        log_density = self.target.log_density(self.u + step, residuals)
        won = log_density - self.log_density
        ratio = won / expected
        self._idle = self._idle + 1 if won < TOLERANCE else 0
        if ratio > 0:
            self.u, self.residuals, self.log_density = self.u + step, residuals, log_density
            self._gradient = None
            self.damping *= max(1 / 10, 1 - (2 * ratio - 1) ** 3) if ratio < 1.5 else 1.0
            self._raise = 2.0
            return
        if self._raise > 2.0 and not self._central:
            # The second step in vain: forward differences may point the wrong way.
            self._central, self._gradient = True, None
        self.damping *= self._raise
        self._raise *= 2.0


def _distinct(climbs: list[Climb]) -> list[Climb]:
    """Return the best of the climbs that have come to the same place."""
    chosen: list[Climb] = []
    for climb in sorted(climbs, key=lambda one: -one.log_density):
        near = (
            float((climb.u - one.u) @ one.hessian @ (climb.u - one.u)) < climb.u.size
            for one in chosen
        )
        if not any(near):
            chosen.append(climb)
    return chosen
