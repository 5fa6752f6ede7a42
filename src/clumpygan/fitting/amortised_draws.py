"""Draws of a trained network, as they are or weighted with the renderer."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.fitting.amortised import FEWEST_DRAWS, AmortisedPosterior, View
from clumpygan.fitting.draws import LARGEST_PARETO_K, Draws, effective_number, kish, pareto_k
from clumpygan.fitting.importance import draw_importance
from clumpygan.fitting.optimize import Optimum, find_optimum
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_TRIAL = 400
"""Draws that are weighted at a time, at least."""

_FAIR = 0.1
"""Share of effective draws of the network, below which importance sampling takes over."""

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

    Corrected, as many draws are rendered as it takes for the number that is wanted. Where too few
    of the first ones are near the true posterior, the most probable one is where to start from:
    its optimum is climbed to, and importance sampling around that takes over (then the draws'
    `method` is "importance").

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
        optimum = find_optimum(target, [u[int(np.argmax(exact))]])
        draws = draw_importance(target, optimum, generator, wanted, most - len(u))
        return replace(draws, efficiency=efficiency), optimum
    while True:
        draws = _weighted(target, u, exact - proposal, wanted)
        left = most - len(u)
        if not draws.problems or left <= 0:
            return draws, _summary(target, u[int(np.argmax(exact))], draws)
        size = int(1.1 * wanted / efficiency) - len(u)
        more, density = _proposed(posterior, view, target, min(max(size, _TRIAL), left), noise)
        u, proposal = np.concatenate([u, more]), np.concatenate([proposal, density])
        exact = np.concatenate([exact, _exact(target, more, density)])


def _weighted(target: Target, u: FloatArray, log_weights: FloatArray, wanted: int) -> Draws:
    """Return draws (S, n) with weights, and what is wrong with them."""
    weights = np.exp(log_weights - log_weights.max())
    whole = kish(log_weights)
    # Where one draw has nearly all the weight, the numbers for means say nothing.
    effective = np.minimum(effective_number(weights, u), whole)
    shape = pareto_k(log_weights)
    problems = []
    if not shape < LARGEST_PARETO_K:
        problems.append(f"Pareto k of the importance weights is {shape:.2f}, above 0.7")
    if effective.min() < wanted:
        name = target.coordinates.names[int(effective.argmin())]
        problems.append(f"{effective.min():.0f} effective draws of {name}, fewer than {wanted}")
    return Draws(
        "amortised",
        u,
        weights / weights.sum(),
        effective,
        float(log_weights.max() + np.log(weights.mean())),
        shape,
        None,
        tuple(problems),
        whole / len(u),
    )


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
