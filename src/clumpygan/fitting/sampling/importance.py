"""Exact draws from the posterior: drawn from emulators of it, weighted with the renderer.

1. Some cubes around the optimum teach an `Emulator`.
2. A Student t, matched to it, is drawn from and weighted with it: a pool of draws, for nothing.
3. Some of the pool are rendered. They are learnt from, and 2 and 3 repeated, until there are as
   many effective draws as asked for.

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
from clumpygan.fitting.sampling.mixture import Component, Mixture, StudentT
from clumpygan.fitting.sampling.progress import tell
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_POOL, _TRIAL_POOL = 20_000, 5_000
_TRIAL = 100
_FAIR, _GOOD = 0.5, 0.9
"""Share of effective draws: below the first, few are rendered before learning from them; above the
second there is nothing to be learnt."""

_FLATTENING = 0.85
"""Power of the emulated density that is drawn from: its tails may be too thin."""

_FARTHEST = 7.0
"""Whitened coordinates beyond which a polynomial isn't believed."""


def draw_importance(
    target: Target, optimum: Optimum, settings: SamplerSettings, generator: np.random.Generator
) -> Draws:
    """Draw, as `posterior.draw_posterior` asks for, at most as many cubes as the settings say.

    The draws have problems where the weights can't be relied on, or there are too few of them.
    """
    wanted, most = settings.wanted, settings.most
    whitening = Whitening(optimum)
    emulator = Emulator(target, optimum, whitening)
    count = target.coordinates.count
    mixture = Mixture(count)
    x = generator.standard_normal((learnt_from(count), count))
    tell("posterior: learning from %d cubes", len(x))
    mixture.add(Component(_log_normal, 0.0, np.inf), x, emulator.add(x))
    component, pool, size, share = None, None, _TRIAL, 0.0
    while True:
        if component is None or pool is None or share < _GOOD:
            polynomial = emulator.fit()
            pool = _proposed(polynomial, generator)
            component = Component(_flattened(polynomial), pool.log_integral, pool.effective)
        x = pool.draw(generator, size)
        exact = emulator.add(x)
        share = kish(exact - component.log_density(x)) / size
        mixture.add(component, x, exact)
        effective, shape = mixture.effective(), mixture.shape()
        tell("posterior: %.0f of %d effective draws, %d of at most %d cubes", effective.min(),
             wanted, emulator.count, most)  # fmt: skip
        done = effective.min() >= wanted and shape < LARGEST_PARETO_K
        if done or emulator.count >= most:
            break
        short = max(wanted - effective.min(), 0.1 * wanted)
        size = _TRIAL if share < _FAIR else int(1.1 * short / share)
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
        whitening.coordinates(mixture.places),
        weights / weights.sum(),
        effective,
        whitening.log_volume + float(log_weights.max() + np.log(weights.mean())),
        shape,
        None,
        tuple(problems),
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
        Whitened.
    weights : ndarray (S,)
    log_integral : float
        Of the flattened emulated density over the whitened coordinates.
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


def _log_normal(x: FloatArray) -> FloatArray:
    return np.asarray(-0.5 * (x**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi))


def _flattened(polynomial: Polynomial) -> Callable[[FloatArray], FloatArray]:
    def log_kernel(x: FloatArray) -> FloatArray:
        inside = (np.abs(x) <= _FARTHEST).all(1)
        return np.asarray(np.where(inside, _FLATTENING * polynomial(x), -np.inf))

    return log_kernel


def _proposed(polynomial: Polynomial, generator: np.random.Generator) -> _Pool:
    """Draw from t distributions, each matched to what the last one found of the emulator."""
    kernel = _flattened(polynomial)
    dimensions = polynomial.whitening.middle.size
    student = StudentT(np.zeros(dimensions), np.eye(dimensions))
    for size in (_TRIAL_POOL, _TRIAL_POOL, _TRIAL_POOL, _POOL):
        x = student.draw(generator, size)
        log_weights = kernel(x) - student.log_density(x)
        student = StudentT.matched(x, log_weights)
    highest = float(log_weights.max())
    weights = np.exp(log_weights - highest)
    return _Pool(x, weights, highest + float(np.log(weights.mean())))
