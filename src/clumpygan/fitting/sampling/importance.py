"""Exact draws from the posterior: drawn from emulators of it, weighted with the renderer.

1. Some cubes around the optimum teach an `Emulator`.
2. A Student t, or several, matched to it, are drawn from and weighted with it: a pool of draws,
   for nothing.
3. Some of the pool are rendered. They are learnt from, and 2 and 3 repeated, until there are as
   many effective draws as asked for, in coordinates in which they are as wide in all directions.

All that was rendered counts, with the true density over that of the mixture of all emulators it was
drawn from for a weight (adaptive multiple importance sampling: Cornuet et al. 2012, Scand. J. Stat.
39, 798). The weights make the answer exact, whatever the emulators are like; `pareto_k` says
whether they can be relied on.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import LARGEST_PARETO_K, Draws, kish, resample
from clumpygan.fitting.sampling.emulator import SPARE, Emulator, Polynomial, Whitening, monomials
from clumpygan.fitting.sampling.mixture import Component, Mixture, StudentMixture, StudentT
from clumpygan.fitting.sampling.progress import tell
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_POOL, _TRIAL_POOL = 20_000, 5_000
_TRIAL = 100
_FAIR, _GOOD = 0.5, 0.9
"""Share of effective draws: below the first, few are rendered before learning from them; above the
second there is nothing to be learnt."""

_MATCHED, _ROUNDS = 0.1, 3
"""Share of effective draws of a pool below which it is drawn from several t distributions, and how
many times these are matched."""

_SURPLUS = 1.03
"""Draws over those that are expected to do: another round costs as much as a hundred cubes."""

_USED = 0.5
"""Draws over the effective ones of a pool, beyond which it is drawn anew: the same come again."""

_FLATTENING, _EXPLORING = 0.85, 0.5
"""Power of the emulated density that is drawn from: its tails may be too thin. And where draws have
outgrown their coordinates, to learn what is further out."""

_FARTHEST, _FARTHEST_BENT = 7.0, 12.0
"""Whitened coordinates beyond which a polynomial isn't believed: of the Laplace approximation, and
of draws that outgrew it, whose ends are long."""

_OUTGROWN = 1.6
"""Standard deviations, in whitened coordinates, of draws that ask for coordinates of their own."""


def draw_importance(
    target: Target, optimum: Optimum, settings: SamplerSettings, generator: np.random.Generator
) -> Draws:
    """Draw, as `posterior.draw_posterior` asks for, at most as many cubes as the settings say.

    The draws have problems where the weights can't be relied on, or there are too few of them.
    """
    wanted, most = settings.wanted, settings.most
    whitening = Whitening(optimum.coordinates, optimum.covariance)
    emulator = Emulator(target, optimum)
    count = target.coordinates.count
    mixture = Mixture(count)
    u = whitening.coordinates(generator.standard_normal((learnt_from(count), count)))
    tell("posterior: learning from %d cubes", len(u))
    mixture.add(Component(whitening.log_normal, 0.0, np.inf), u, emulator.add(u))
    component, pool, size, share, drawn = None, None, _TRIAL, 0.0, 0
    reach, power = _FARTHEST, _FLATTENING
    while True:
        if component is None or pool is None or share < _GOOD or drawn > _USED * pool.effective:
            drawn = 0
            polynomial = emulator.fit(whitening)
            kernel = _flattened(polynomial, reach, power)
            pool = _proposed(kernel, whitening, generator)
            component = Component(kernel, pool.log_integral, pool.effective)
        u = pool.draw(generator, size)
        exact = emulator.add(u)
        share = kish(exact - component.log_density(u)) / size
        mixture.add(component, u, exact)
        drawn += size
        effective, shape = mixture.effective(), mixture.shape()
        wider = _outgrown(whitening, mixture)
        tell("posterior: %.0f of %d effective draws, %d of at most %d cubes", effective.min(),
             wanted, emulator.count, most)  # fmt: skip
        enough = effective.min() >= wanted and shape < LARGEST_PARETO_K
        done = enough and wider is None and power == _FLATTENING
        if done or emulator.count >= most:
            break
        short = max(wanted - effective.min(), 0.1 * wanted)
        # What was drawn last teaches the next emulator, which weights it better, too.
        size = _TRIAL if share < _FAIR else int(_SURPLUS * short / (0.5 + 0.5 * share))
        if power < _FLATTENING:
            power, component = _FLATTENING, None
        if wider is not None:
            whitening, reach, power = wider, _FARTHEST_BENT, _EXPLORING
            component, size = None, 2 * _TRIAL
        size = min(max(size, _TRIAL // 2), most - emulator.count)
    problems = []
    if not shape < LARGEST_PARETO_K:
        problems.append(f"Pareto k of the importance weights is {shape:.2f}, above 0.7")
    if effective.min() < wanted:
        name = target.coordinates.names[int(effective.argmin())]
        problems.append(f"{effective.min():.0f} effective draws of {name}, fewer than {wanted}")
    log_weights = mixture.log_weights()
    weights = np.exp(log_weights - log_weights.max())
    return Draws(
        "importance",
        mixture.places,
        weights / weights.sum(),
        effective,
        float(log_weights.max() + np.log(weights.mean())),
        shape,
        None,
        tuple(problems),
        math.sqrt(mixture.evidence_variance()),
    )


def learnt_from(parameters: int) -> int:
    """Return how many cubes an emulator is first taught with."""
    return math.ceil(SPARE * len(monomials(parameters, 2)))


@dataclass(frozen=True, eq=False)
class _Pool:
    """Many draws from a t distribution, weighted with an emulator.

    Attributes
    ----------
    places : ndarray (S, n)
    weights : ndarray (S,)
    log_integral : float
        Of the flattened emulated density.
    """

    places: FloatArray
    weights: FloatArray
    log_integral: float

    @property
    def effective(self) -> float:
        """Effective number of draws."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    def draw(self, generator: np.random.Generator, count: int) -> FloatArray:
        """Return some, as often as their weights say."""
        places = resample(generator, self.weights, count)
        return np.asarray(self.places[generator.permutation(places)])


def _outgrown(whitening: Whitening, mixture: Mixture) -> Whitening | None:
    """Return whitened coordinates of the draws so far; None if those at hand are as wide.

    A posterior that is bent reaches many times as far as the Laplace approximation does in its
    narrow directions: beyond where draws are taken from, and polynomials in its coordinates hold.
    """
    student = StudentT.matched(mixture.places, mixture.log_weights())
    spread = np.linalg.solve(whitening.axes, student.axes)
    if np.linalg.norm(spread, 2) < _OUTGROWN:
        return None
    return Whitening(student.middle, student.axes @ student.axes.T)


def _flattened(
    polynomial: Polynomial, reach: float, power: float
) -> Callable[[FloatArray], FloatArray]:
    def log_kernel(u: FloatArray) -> FloatArray:
        inside = (np.abs(polynomial.whitening.whitened(u)) <= reach).all(1)
        return np.asarray(np.where(inside, power * polynomial(u), -np.inf))

    return log_kernel


def _proposed(
    kernel: Callable[[FloatArray], FloatArray],
    whitening: Whitening,
    generator: np.random.Generator,
) -> _Pool:
    """Draw from t distributions, each matched to what the last one found of the emulator."""
    student = StudentT(
        whitening.middle, np.asarray(np.linalg.cholesky(whitening.covariance), np.float64)
    )
    for size in (_TRIAL_POOL, _TRIAL_POOL, _TRIAL_POOL, _POOL):
        u = student.draw(generator, size)
        log_weights = kernel(u) - student.log_density(u)
        student = StudentT.matched(u, log_weights)
    for _ in range(_ROUNDS):
        if kish(log_weights) > _MATCHED * len(u):
            break
        # One t distribution doesn't follow what is bent.
        several = StudentMixture.matched(u, log_weights, generator)
        u = several.draw(generator, _POOL)
        log_weights = kernel(u) - several.log_density(u)
    highest = float(log_weights.max())
    weights = np.exp(log_weights - highest)
    return _Pool(u, weights, highest + float(np.log(weights.mean())))
