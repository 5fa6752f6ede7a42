"""What a model gets wrong of a real galaxy, as a part of the errors.

Clumps, arms and warps leave residuals that go together over a beam and a line, and that move the
optimum. They are taken for a random field with which the light of the model is multiplied,
delta m = m epsilon, with the covariance M = m_i m_j K_ij of its neighbours, K being a Gaussian.
The variance of epsilon is that which the score statistic r' M r asks for (r: residuals in sigma),
beyond what noise has, and less what the parameters have absorbed of M (P projects on them):

    e^2 = (r' M r - tr (1 - P) M) / tr ((1 - P) M (1 - P) M).

The covariance of the parameters is then H^-1 + f e^2 H^-1 J M J' H^-1, with the Jacobian J of the
residuals. No residual tells of departures that the parameters can absorb altogether; those are
larger than the rest, by the factor f.

Where the likelihood integrates over the light (`structure.light_map`), what that leaves of M in the
residuals, S M S', takes the place of M in this covariance. The traces in e^2 stay those of all of
M, though the map has absorbed a part of it, so that e comes out too small: e^2 f is at least
e_0^2 f_0, e_0 being that of the fit without a map.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.fitting.goodness.noise import NoiseCheck
from clumpygan.fitting.optimize import NEAR, Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.target import Target
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_NARROW, _WIDE = 0.7, 1.5
"""Standard deviations of K in those of the PSF: where the amplitude is measured, as residuals show
it best, and of the departures that move the optimum."""

_LINES = 1.2
"""The same along the spectrum, in standard deviations of the observed line."""

_ABSORBED = 4.0
"""The factor f: with it, 68 % intervals of generated clumpy galaxies hold the truth as often."""

_MAPPED = 2.5
"""The factor f_0: with it, 68 % intervals of generated clumpy galaxies hold the truth as often."""

_SURE = 3.0
"""Standard deviations of the score beyond which there is a misfit."""

_ROUND = 1.1
"""Factor of the variance below which it is chance that neighbours share more than is known."""

_NOTABLE = 1.2
"""Factor of the errors beyond which it is drawn from a likelihood of that width."""

_REACH = 3.0


@dataclass(frozen=True, eq=False)
class Misfit:
    """What a model gets wrong.

    Attributes
    ----------
    amplitude : float
        Root mean square of epsilon, the departure of the light over that of the model.
    covariance : ndarray (n, n), optional
        Of the coordinates, with the misfit; None if there is none.
    factor : float
        Median factor of the errors.
    """

    amplitude: float = 0.0
    covariance: FloatArray | None = None
    factor: float = 1.0

    @property
    def tempering(self) -> float:
        """By how much sigma is larger in the likelihood that is drawn from.

        Where the model leaves much, the likelihood of independent noise is so narrow that the
        steps of the renderer are larger, and says nothing of the shape of the posterior.
        """
        return self.factor if self.factor > _NOTABLE else 1.0

    def settled(self, optimum: Optimum) -> Optimum:
        """Return the optimum, reached where all that is left to gain is small for the errors."""
        return replace(
            optimum, converged=optimum.converged or optimum.gain < NEAR * self.tempering**2
        )

    def widened(self, draws: Draws, covariance: FloatArray) -> Draws:
        """Return the draws around the same mean, with the misfit in their spread.

        Parameters
        ----------
        draws : Draws
        covariance : ndarray (n, n)
            Of the Gaussian that is closest to what they were drawn from.
        """
        if self.covariance is None:
            return draws
        widening = np.linalg.cholesky(self.covariance) @ np.linalg.inv(
            np.linalg.cholesky(covariance)
        )
        middle = draws.weights @ draws.coordinates
        return replace(draws, coordinates=middle + (draws.coordinates - middle) @ widening.T)


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
    light, rest = model[part], optimum.residuals.reshape(shape)[part]
    jacobian = optimum.jacobian.reshape(-1, *shape)[(slice(None), *part)]
    widths = _widths(target, optimum)
    inverse = optimum.covariance
    extra = max((noise.inflation(model) / likelihood.shared) ** 2, 1.0)
    extra = extra if extra > _ROUND else 1.0
    narrow = (widths[0], _NARROW * widths[1])
    seen = np.stack([_with_neighbours(light, row, narrow).ravel() for row in jacobian])
    flat = jacobian.reshape(len(jacobian), -1)
    absorbed = inverse @ (flat @ seen.T)
    score = float((rest * _with_neighbours(light, rest, narrow)).sum())
    score -= extra * (float((light**2).sum()) - float(np.trace(absorbed)))
    power = float((light**2 * _smoothed(light**2, *(w / np.sqrt(2) for w in narrow))).sum())
    power += float(-2 * np.trace(inverse @ (seen @ seen.T)) + np.trace(absorbed @ absorbed))
    real = power > 0 and score > _SURE * extra * np.sqrt(2 * power)
    before = likelihood.departure
    if not real and extra == 1 and not before:
        return Misfit()
    squared, covariance = score / power if real else 0.0, extra * inverse
    if real or before:
        wide = (widths[0], _WIDE * widths[1])
        left = likelihood.left_of(optimum.jacobian).reshape(-1, *shape)[(slice(None), *part)]
        moved = np.stack([_with_neighbours(light, row, wide).ravel() for row in left])
        moved_by = left.reshape(len(left), -1) @ moved.T
        size = max(_ABSORBED * squared, _MAPPED * before**2)
        covariance = covariance + size * inverse @ moved_by @ inverse
    covariance = _within_prior(covariance)
    factor = float(np.median(np.sqrt(np.diag(covariance) / np.diag(inverse))))
    return Misfit(max(float(np.sqrt(squared)), before), covariance, factor)


def _within_prior(covariance: FloatArray) -> FloatArray:
    """Return a covariance (n, n) that in no direction is wider than the prior, which has 1."""
    # Rounding may leave it a little short of symmetric.
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return np.asarray((vectors * np.minimum(values, 1.0)) @ vectors.T)


def _widths(target: Target, optimum: Optimum) -> tuple[float, float]:
    """Return the standard deviations of the line in channels, and of the PSF in pixels."""
    frame = target.likelihood.observation.frame
    vector = target.coordinates.vectors(optimum.coordinates)
    own = float(vector[target.coordinates.model.index("velocity_dispersion")])
    line = np.hypot(own, frame.grid.line_spread[0]) / frame.grid.channel_width
    beam = (frame.psf_fwhm or 0.0) / frame.grid.pixel_scale / FWHM_PER_SIGMA
    return max(_LINES * float(np.hypot(line, 12**-0.5)), 0.5), max(beam, 0.5)


def _around(model: NDArray[np.floating]) -> tuple[slice, ...]:
    """Return the part of the cube where the model has light, of which alone a misfit can be."""
    bright = np.abs(model) > 1e-3 * float(np.abs(model).max())
    (part,) = ndimage.find_objects(bright.astype(np.int8))
    return part  # type: ignore[no-any-return]


def _with_neighbours(
    light: NDArray[np.floating], values: NDArray[np.floating], widths: tuple[float, float]
) -> NDArray[np.float32]:
    """Return M times values (v, y, x)."""
    return np.asarray(light * _smoothed(light * values, *widths))


def _smoothed(values: NDArray[np.floating], line: float, beam: float) -> NDArray[np.float32]:
    """Return K times values (v, y, x): a Gaussian that is 1 in the middle."""
    answer = ndimage.gaussian_filter(
        values.astype(np.float32), (line, beam, beam), mode="constant", truncate=_REACH
    )
    return np.asarray(answer * np.float32((2 * np.pi) ** 1.5 * line * beam**2))
