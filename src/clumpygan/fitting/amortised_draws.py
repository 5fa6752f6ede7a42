"""Draws of a trained network, as they are or weighted with the renderer."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.fitting.amortised import FEWEST_DRAWS, AmortisedPosterior, View
from clumpygan.fitting.draws import LARGEST_PARETO_K, Draws, effective_number, kish, pareto_k
from clumpygan.fitting.mixture import Component, Mixture, StudentT
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_TRIAL, _ROUND = 400, 300
"""Draws that are weighted at a time: of the network, and of what takes over."""

_FAIR = 0.15
"""Share of effective draws of the network, below which t distributions take over."""

_MISFIT = 8.0
"""Standard deviations of chi^2 by which the most probable draw may miss the data."""


def draw_amortised(
    posterior: AmortisedPosterior,
    view: View,
    target: Target,
    generator: np.random.Generator,
    wanted: int,
    most: int,
    correct: bool,
) -> tuple[Draws, Optimum]:
    """Draw from a posterior with a trained network.

    Corrected, as many draws are taken as have to be rendered for the number that is wanted. Where
    too few of the first ones are near the true posterior, they say where it is: t distributions
    that are matched to it take over, as in `clumpygan.fitting.importance`.

    Parameters
    ----------
    posterior : AmortisedPosterior
    view : View
        Of the cube.
    target : Target
        The true density, in the coordinates of the fit.
    generator : numpy.random.Generator
    wanted : int
        Effective draws for every parameter.
    most : int
        Cubes that are rendered at most.
    correct : bool
        Weight the draws with the true density. Otherwise one cube is rendered, for its chi^2.

    Returns
    -------
    Draws
        With problems where they can't be relied on.
    Optimum
        The most probable of the draws, with the curvature of their covariance.
    """
    noise = torch.Generator().manual_seed(int(generator.integers(2**62)))
    if not correct:
        u, proposal = _proposed(posterior, view, target, max(wanted, FEWEST_DRAWS), noise)
        count = len(u)
        best = u[int(np.argmax(proposal))]
        draws = Draws("amortised", u, np.full(count, 1 / count), np.full(u.shape[1], float(count)))
        optimum = _summary(target, best, draws)
        return replace(draws, problems=_misfit(target, optimum)), optimum
    u, proposal = _proposed(posterior, view, target, min(_TRIAL, most), noise)
    exact = _exact(target, u, proposal)
    efficiency = kish(exact - proposal) / len(u)
    if efficiency < _FAIR and len(u) < most:
        weighted = _adapted(target, u, exact - proposal, generator, wanted, most - len(u))
    else:
        while True:
            weighted = _Weighted(u, exact - proposal, exact)
            left = most - len(u)
            if weighted.suffices(wanted) or left <= 0:
                break
            size = int(1.1 * wanted / efficiency) - len(u)
            more, density = _proposed(posterior, view, target, min(max(size, _TRIAL), left), noise)
            u, proposal = np.concatenate([u, more]), np.concatenate([proposal, density])
            exact = np.concatenate([exact, _exact(target, more, density)])
    draws = weighted.draws(target, wanted, efficiency)
    return draws, _summary(target, weighted.best, draws)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Draws (S, n), the logarithms of their weights (S,), and of the true density (S,)."""

    u: FloatArray
    log_weights: FloatArray
    exact: FloatArray

    @property
    def best(self) -> FloatArray:
        """The most probable draw (n,)."""
        return np.asarray(self.u[int(np.argmax(self.exact))])

    @cached_property
    def weights(self) -> FloatArray:
        """Largest 1."""
        return np.asarray(np.exp(self.log_weights - self.log_weights.max()))

    @cached_property
    def effective(self) -> FloatArray:
        """Effective number of draws for the mean of each parameter."""
        # Where one draw has nearly all the weight, the first of the two says nothing.
        return np.minimum(effective_number(self.weights, self.u), kish(self.log_weights))

    @cached_property
    def shape(self) -> float:
        """Pareto k."""
        return pareto_k(self.log_weights)

    def suffices(self, wanted: int) -> bool:
        """Whether there are as many effective draws as wanted, of weights without a heavy tail."""
        return bool(self.effective.min() >= wanted and self.shape < LARGEST_PARETO_K)

    def draws(self, target: Target, wanted: int, efficiency: float) -> Draws:
        """Return the draws, with what is wrong with them."""
        problems = []
        if not self.shape < LARGEST_PARETO_K:
            problems.append(f"Pareto k of the importance weights is {self.shape:.2f}, above 0.7")
        if self.effective.min() < wanted:
            name = target.coordinates.names[int(self.effective.argmin())]
            problems.append(
                f"{self.effective.min():.0f} effective draws of {name}, fewer than {wanted}: of "
                f"the network's own, {100 * efficiency:.1f} % are near the true posterior"
            )
        return Draws(
            "amortised",
            self.u,
            self.weights / self.weights.sum(),
            self.effective,
            float(self.log_weights.max() + np.log(self.weights.mean())),
            self.shape,
            None,
            tuple(problems),
        )


def _adapted(
    target: Target,
    u: FloatArray,
    log_weights: FloatArray,
    generator: np.random.Generator,
    wanted: int,
    most: int,
) -> _Weighted:
    """Draw from t distributions, each matched to the draws before it."""
    mixture = Mixture(u.shape[1])
    student = StudentT.matched(u, log_weights)
    exact = np.empty(0)
    while True:
        size = min(_ROUND, most - len(exact))
        x = student.draw(generator, size)
        found = np.array([target.log_density(one) for one in x])
        mixture.add(Component(student.log_density), x, found)
        exact = np.concatenate([exact, found])
        weighted = _Weighted(mixture.places, mixture.log_weights(), exact)
        if weighted.suffices(wanted) or len(exact) >= most:
            return weighted
        student = StudentT.matched(mixture.places, weighted.log_weights)


def _proposed(
    posterior: AmortisedPosterior,
    view: View,
    target: Target,
    count: int,
    noise: torch.Generator,
) -> tuple[FloatArray, FloatArray]:
    u, density = posterior.draw([view], count, noise)
    return posterior.log_proposal(u[0], density[0], view, target.coordinates)


def _exact(target: Target, u: FloatArray, proposal: FloatArray) -> FloatArray:
    """Return the true log density (S,) of draws, -infinity where the prior has nothing."""
    return np.array(
        [
            target.log_density(one) if np.isfinite(density) else -np.inf
            for one, density in zip(u, proposal, strict=True)
        ]
    )


def _summary(target: Target, best: FloatArray, draws: Draws) -> Optimum:
    residuals = target.residuals(best)
    covariance = np.cov(draws.coordinates.T, aweights=draws.weights, bias=True)
    hessian = np.linalg.inv(covariance + 1e-9 * np.eye(best.size))
    density = target.log_density(best, residuals)
    return Optimum(best, density, residuals, np.asarray(hessian), True, 0, 0.0)


def _misfit(target: Target, optimum: Optimum) -> tuple[str, ...]:
    """Say so if not even the most probable of the draws is near the data."""
    z = optimum.residuals.astype(np.float64)
    # In sigma as the likelihood has it, which correlated noise makes wider than that of voxels.
    likelihood = target.likelihood
    scale = (likelihood.inflation / likelihood.settings.scale) ** 2
    chi_squared, expected = scale * float(z @ z), z.size
    away = (chi_squared - expected) / np.sqrt(2 * scale * expected)
    if away < _MISFIT:
        return ()
    return (
        f"chi^2 of the most probable draw is {chi_squared:.0f}, of {expected} voxels: the cube "
        "isn't like those that the trained posterior knows",
    )
