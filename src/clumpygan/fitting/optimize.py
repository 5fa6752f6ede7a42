"""The most probable parameters: Levenberg-Marquardt on unconstrained coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.likelihood import Residuals
from clumpygan.fitting.sampling.progress import tell
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
"""Gain in the log density that is left where central differences begin."""

_FIRST_DAMPING, _LARGEST_DAMPING = 1.0, 1e10
"""Times the prior's curvature that is added to the Hessian: at first, and where a run ends in vain.

With its diagonal in place of it a run creeps along a valley that two stiff parameters make, as
maximum velocity and turnover radius do: both are damped, and with them their sum."""

_PROBE, _MOST_BENT = 0.1, 0.75
"""Share of a step after which it is seen how the way bends, and the length of the acceleration over
that of the step up to which it is believed, both as Transtrum & Sethna (2012) have them."""

_LONGEST_STEP = 1.0
"""Standard deviations of the prior."""

_MOST_STEPS, _ROUGH_STEPS = 60, 4
"""Steps of a run, and of each of several before all but the best are given up."""

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
    jacobian : ndarray (n, N), float32, optional
        Of the residuals; results of fits are without, for it is large.
    """

    coordinates: FloatArray
    log_density: float
    residuals: Residuals
    hessian: FloatArray
    converged: bool
    steps: int
    gain: float
    jacobian: NDArray[np.float32] | None = None

    @property
    def covariance(self) -> FloatArray:
        """Inverse (n, n) of the Hessian."""
        return np.asarray(np.linalg.inv(self.hessian))


def find_optimum(target: Target, starts: Sequence[FloatArray]) -> Optimum:
    """Go up from several starts, and on from the best of them.

    Parameters
    ----------
    target : Target
    starts : sequence of ndarray (n,)
        Coordinates.

    Returns
    -------
    Optimum

    Raises
    ------
    InputError
        If the model isn't finite near any of the starts.
    """
    runs = [LevenbergMarquardt(target, start) for start in starts]
    if len(runs) > 1:
        runs = _advanced(runs, _ROUGH_STEPS)
        best = max(run.log_density for run in runs)
        runs = [run for run in runs if run.log_density > best - _HOPELESS]
        runs = _distinct(runs)
    runs = _advanced(runs, _MOST_STEPS)
    return max(runs, key=lambda run: run.log_density).finish()


class LevenbergMarquardt:
    """One run of Levenberg-Marquardt.

    The damping follows Nielsen (1999, IMM-REP-1999-05). Steps follow the bend of valleys: with the
    second derivative r'' of the residuals along a step s, and A the damped Hessian, a step is
    s + a / 2 with a = -A^-1 J' r'' (geodesic acceleration: Transtrum & Sethna 2012,
    arXiv:1201.5885). Derivatives are forward differences until the optimum is close, and central
    ones from there.

    Parameters
    ----------
    target : Target
    start : ndarray (n,)

    Attributes
    ----------
    lost : bool
        The model isn't finite here or near: there is no way on.
    """

    def __init__(self, target: Target, start: FloatArray) -> None:
        self.target, self.u = target, start.astype(np.float64)
        self.residuals = target.residuals(self.u)
        self.log_density = target.log_density(self.u, self.residuals)
        self.damping, self._raise = _FIRST_DAMPING, 2.0
        self.steps, self.gain, self.converged = 0, np.inf, False
        self.lost = not np.isfinite(self.log_density)
        self.hessian = np.eye(start.size)
        self._central, self._idle = False, 0
        self._gradient: FloatArray | None = None
        self._inverse_widths: FloatArray | None = None
        self._jacobian: NDArray[np.float32] | None = None

    def go(self, steps: int) -> None:
        """Take at most so many more steps, until the next would gain next to nothing."""
        last = self.steps + steps
        while (
            self.steps < last
            and not self.converged
            and not self.lost
            and self.damping < _LARGEST_DAMPING
        ):
            self._differentiate()
            tell("optimum, step %d: log density %.1f, %.2g to be gained", self.steps,
                 self.log_density, self.gain)  # fmt: skip
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
            self.gain < NEAR, self.steps, self.gain, self._jacobian,
        )  # fmt: skip

    def _differentiate(self) -> None:
        if self._gradient is not None:
            return
        jacobian = self.target.jacobian(self.u, self.residuals, self._inverse_widths, self._central)
        self._jacobian = jacobian
        self._gradient, self.hessian = self.target.curvature(self.u, self.residuals, jacobian)
        self._inverse_widths = np.sqrt(np.diag(self.hessian))
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
        while True:
            damped = self.hessian + self.damping * np.eye(self.u.size)
            step = np.asarray(-np.linalg.solve(damped, self._gradient), dtype=np.float64)
            if float(np.abs(step).max()) <= _LONGEST_STEP:
                break
            if not np.isfinite(step).all():
                self.lost = True
                return
            # A shorter step of the same direction would zigzag along a valley.
            self.damping *= 2.0
        expected = -float(step @ self._gradient + 0.5 * step @ self.hessian @ step)
        if expected > _CLOSE:
            step = step + 0.5 * self._acceleration(step, damped)
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

    def _acceleration(self, step: FloatArray, damped: FloatArray) -> FloatArray:
        """Return the acceleration (n,) along a step (n,), or none if it isn't to be believed."""
        assert self._jacobian is not None
        likelihood = self.target.likelihood
        ahead = (self.target.residuals(self.u + _PROBE * step) - self.residuals) / _PROBE
        second = 2 / _PROBE * (ahead - step @ self._jacobian)
        weights = likelihood.weights(self.residuals)
        slope = self._jacobian @ (second if weights is None else second * weights)
        found = -np.linalg.solve(damped, likelihood.bend(self.residuals) * slope.astype(np.float64))
        believed = np.linalg.norm(found) < _MOST_BENT * np.linalg.norm(step)
        return np.asarray(found if believed else np.zeros_like(step))


def _advanced(runs: list[LevenbergMarquardt], steps: int) -> list[LevenbergMarquardt]:
    """Take so many more steps of each run, and return those that aren't lost."""
    for run in runs:
        run.go(steps)
    found = [run for run in runs if not run.lost]
    if not found:
        raise InputError(
            "the model isn't finite near the starting values: expected others; give `start`, or "
            "`bound`s that hold them"
        )
    return found


def _distinct(runs: list[LevenbergMarquardt]) -> list[LevenbergMarquardt]:
    """Return the best of the runs that have come to the same place."""
    chosen: list[LevenbergMarquardt] = []
    for run in sorted(runs, key=lambda one: -one.log_density):
        near = (
            float((run.u - one.u) @ one.hessian @ (run.u - one.u)) < run.u.size for one in chosen
        )
        if not any(near):
            chosen.append(run)
    return chosen
