"""What a model gets wrong of a real galaxy, as a part of the errors.

Lumps, turbulence and warps leave residuals that go together, and move the optimum. They are taken
for what irregular disks have in common (`goodness.irregular_disks`): changes s R a of the cube, in
sigma, with R (N, m) and a ~ N(0, 1), and one number s for how irregular a disk is. With the
residuals r at the optimum, J (N, n) and H the Jacobian and the Hessian there, and the noise k^2,

    G = R' R - R' J H^-1 J' R,
    ln p(r | s) = r' R (k^4 / s^2 + k^2 G)^-1 R' r / 2 - ln det(1 + s^2 G / k^2) / 2 + const.

A priori some galaxies are as smooth as the model, s = 0; that of the others is lognormal.
A posteriori the covariance of the parameters is k^2 H^-1 + s^2 T T', with T = H^-1 J' R, the sum of
squares of what the irregularities move the optimum by. Draws are of all s, each as often as it is
probable, so that what residuals don't tell is in the errors as far as it is probable. Where the
half-light radius is that of the galaxy's own light, which the irregularities move too, T is less by
that.

Where the likelihood integrates over the light (`structure.light_map`), R is what that leaves of the
irregularities; s is at least that of the fit without a map, which has absorbed a part of them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.fitting.goodness.irregular_disks import irregularities
from clumpygan.fitting.goodness.noise import NoiseCheck
from clumpygan.fitting.optimize import NEAR, Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.target import Target
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks

FloatArray = NDArray[np.float64]

_SMOOTH = ClumpyDisks().clumpless
"""Share of galaxies that are as smooth as the model, a priori: those without a clump."""

_MEDIAN, _SCATTER = 0.5, 0.6
"""Of the lognormal prior of s of the others. The population of `ClumpyDisks` has 0.4 by turbulence
alone, and clumps and arms on top."""

_AMPLITUDES = np.geomspace(0.02, 3.0, 60)
"""Those s of which the probability is computed."""

_UNLIKELY = 0.15
"""Probability of a misfit below which there is none."""

_LEVELS = 16
"""Numbers s that stand for their distribution: the middles of as many parts, equally probable."""

_ROUND = 1.1
"""Factor of the variance below which it is chance that neighbours share more than is known."""

_NOTABLE = 1.2
"""Factor of the errors beyond which the misfit, not the noise, says how wide they are."""

_RADIUS_STEP = 0.01
"""Of ln R, for a derivative."""


@dataclass(frozen=True, eq=False)
class Misfit:
    """What a model gets wrong.

    Attributes
    ----------
    amplitude : float
        Root mean square of the departure of the light over that of the model.
    covariances : ndarray (K, n, n), optional
        Of the coordinates, with the misfit, equally probable; None if there is none.
    factor : float
        Median factor of the errors.
    """

    amplitude: float = 0.0
    covariances: FloatArray | None = None
    factor: float = 1.0

    @property
    def rules(self) -> bool:
        """Whether it is the misfit that says how wide the errors are."""
        return self.factor > _NOTABLE

    def settled(self, optimum: Optimum) -> Optimum:
        """Return the optimum, reached where all that is left to gain is small for the errors."""
        near = NEAR * self.factor**2 if self.rules else NEAR
        return replace(optimum, converged=optimum.converged or optimum.gain < near)

    def widened(
        self, draws: Draws, covariance: FloatArray, generator: np.random.Generator
    ) -> Draws:
        """Return the draws around the same mean, with the misfit in their spread.

        Parameters
        ----------
        draws : Draws
        covariance : ndarray (n, n)
            Of the Gaussian that is closest to what they were drawn from.
        generator : numpy.random.Generator
            Says which draw has which of the covariances.
        """
        if self.covariances is None:
            return draws
        back = np.linalg.inv(np.linalg.cholesky(covariance))
        middle = draws.weights @ draws.coordinates
        away = (draws.coordinates - middle) @ back.T
        level = generator.permutation(len(away)) % len(self.covariances)
        coordinates = np.empty_like(draws.coordinates)
        for k, one in enumerate(self.covariances):
            own = level == k
            coordinates[own] = middle + away[own] @ np.linalg.cholesky(one).T
        return replace(draws, coordinates=coordinates)


def measure_misfit(target: Target, optimum: Optimum, noise: NoiseCheck) -> Misfit:
    """Measure what a model gets wrong from its residuals at the optimum.

    Parameters
    ----------
    target : Target
    optimum : Optimum
        With its Jacobian.
    noise : NoiseCheck
        Noise that neighbours share, as far as the likelihood doesn't know of it, is a part of the
        errors too.
    """
    likelihood, shape = target.likelihood, target.likelihood.observation.data.shape
    if optimum.jacobian is None or optimum.residuals.size != np.prod(shape):
        return Misfit()  # a likelihood with the covariance of neighbours has modes, not voxels
    model = likelihood.response(target.cube(optimum.coordinates)).reshape(shape)
    part = _around(np.asarray(model))
    jacobian = optimum.jacobian.reshape(-1, *shape)[(slice(None), *part)]
    jacobian = jacobian.reshape(len(jacobian), -1)
    rest = optimum.residuals.reshape(shape)[part].ravel()
    inverse = optimum.covariance
    extra = max((noise.inflation(model) / likelihood.shared) ** 2, 1.0)
    extra = extra if extra > _ROUND else 1.0
    irregular = irregularities(target, optimum.coordinates, part)
    modes = likelihood.left_of(irregular.cubes, part)
    moving = (jacobian @ modes.T).astype(np.float64)
    kept = (modes @ modes.T).astype(np.float64) - moving.T @ inverse @ moving
    levels = _probable(kept, (modes @ rest).astype(np.float64), extra)
    levels = np.maximum(levels, likelihood.departure)
    if extra == 1 and not levels.any():
        return Misfit()
    moved = inverse @ moving - np.outer(_of_radius(target, optimum.coordinates), irregular.radii)
    wide = moved @ moved.T
    covariances = np.stack([_within_prior(extra * inverse + s**2 * wide) for s in levels])
    middle = covariances.mean(axis=0)
    factor = float(np.median(np.sqrt(np.diag(middle) / np.diag(inverse))))
    return Misfit(float(np.sqrt((levels**2).mean())), covariances, factor)


def _probable(kept: FloatArray, pull: FloatArray, extra: float) -> FloatArray:
    """Return numbers s (`_LEVELS`,), equally probable; zeros where there is no misfit.

    Parameters
    ----------
    kept : ndarray (m, m)
        G: products of the modes, less what the parameters absorb of them.
    pull : ndarray (m,)
        Products of the modes and the residuals.
    extra : float
        k^2, the variance of the noise that neighbours share.
    """
    powers, axes = np.linalg.eigh(0.5 * (kept + kept.T))
    powers, along = np.maximum(powers, 0.0), (axes.T @ pull) ** 2
    squared = _AMPLITUDES[:, None] ** 2
    gain = 0.5 * (squared * along / (extra * (extra + squared * powers))).sum(axis=1)
    gain -= 0.5 * np.log1p(squared * powers / extra).sum(axis=1)
    prior = np.exp(-0.5 * (np.log(_AMPLITUDES / _MEDIAN) / _SCATTER) ** 2)
    highest = max(float(gain.max()), 0.0)
    weights = (1 - _SMOOTH) * prior / prior.sum() * np.exp(gain - highest)
    smooth = _SMOOTH * np.exp(-highest)
    share = float(weights.sum() / (weights.sum() + smooth))
    if share < _UNLIKELY:
        return np.zeros(_LEVELS)
    grown = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum() * share + 1 - share
    middles = (np.arange(_LEVELS) + 0.5) / _LEVELS
    found = np.interp(middles, grown, np.concatenate([_AMPLITUDES[:1], _AMPLITUDES]))
    return np.where(middles < 1 - share, 0.0, found)


def _of_radius(target: Target, coordinates: FloatArray) -> FloatArray:
    """Return the changes (n,) of the coordinates with ln R, of the half-light radius.

    None of them with a map, of whose light the radius is.
    """
    mapped = target.coordinates.model.light_map is not None
    if mapped or "half_light_radius" not in target.coordinates.names:
        return np.zeros(coordinates.size)
    place = target.coordinates.model.index("half_light_radius")
    here = target.coordinates.vectors(coordinates)
    ends = []
    for step in (-_RADIUS_STEP, _RADIUS_STEP):
        moved = here.copy()
        moved[place] *= np.exp(step)
        ends.append(target.coordinates.coordinates(moved))
    return np.asarray((ends[1] - ends[0]) / (2 * _RADIUS_STEP))


def _within_prior(covariance: FloatArray) -> FloatArray:
    """Return a covariance (n, n) that in no direction is wider than the prior, which has 1."""
    # Rounding may leave it a little short of symmetric.
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return np.asarray((vectors * np.minimum(values, 1.0)) @ vectors.T)


def _around(model: NDArray[np.floating]) -> tuple[slice, ...]:
    """Return the part of the cube where the model has light, of which alone a misfit can be."""
    bright = np.abs(model) > 1e-3 * float(np.abs(model).max())
    (part,) = ndimage.find_objects(bright.astype(np.int8))
    return part  # type: ignore[no-any-return]
