"""What a rotating disk gets wrong of a velocity map, as a part of the errors.

Bars, arms, warps and inflows leave residuals that neighbours share, and so do resampling and the
PSF. Their covariance is taken as R = (c_0 - A) 1 + A K with K = exp(-d^2 / 2 l^2), from the mean
products of residuals (in sigma) at distances d. The covariance of the parameters is then

    H^-1 + H^-1 J (R - 1) J' H^-1,

the "sandwich" of White (1982, Econometrica 50, 1), with the Jacobian J of the residuals, where that
is more than H^-1. What parameters absorb no residual tells of: the part of A beyond a variance of 1
counts f times. What neighbours share without such an excess is the noise of resampled spaxels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.maps.observation import MapObservation
from clumpygan.fitting.optimize import Optimum

FloatArray = NDArray[np.float64]

_LENGTHS = (0.7, 1.0, 1.5, 2.2, 3.3, 5.0, 7.5)
"""Lengths l that are tried, in spaxels."""

_REACH = 0.35
"""Share of the extent of the map over which residuals are compared."""

_SURE = 3.0
"""Standard errors of the correlation beyond which it isn't chance."""

_ABSORBED = 7.0
"""The factor f: with it 68 % intervals hold the truth of 65 % of mocks with departures of 3 to 6 %
of the rotation that go together over 2 arcsec in a field of 20 (benchmarks/velocity_maps.py)."""


@dataclass(frozen=True)
class Correlated:
    """Residuals of a velocity map, in sigma.

    Attributes
    ----------
    variance : float
        Mean square, c_0, with the free parameters taken off.
    shared : float
        The part A of it that neighbours share.
    length : float
        l, in spaxels.
    sharing : float
        Number of bins over which it is shared: the sum of K.
    """

    variance: float
    shared: float
    length: float
    sharing: float


def correlation_of(observation: MapObservation, residuals: FloatArray, free: int) -> Correlated:
    """Measure how much of the residuals (bins,) neighbours share.

    Parameters
    ----------
    observation : MapObservation
    residuals : ndarray (bins,)
        In sigma.
    free : int
        Number of free parameters.
    """
    y, x = observation.places()
    shape = observation.data.shape[1:]
    count, total = residuals.size, max(residuals.size - free, 1)
    variance = float(residuals @ residuals) / total
    image, present = np.zeros(shape), np.zeros(shape)
    np.add.at(image, (y, x), residuals)
    np.add.at(present, (y, x), 1.0)
    products = _lagged(image)
    pairs = np.maximum(np.rint(_lagged(present)), 0.0)
    rows, columns = np.indices(products.shape)
    distance = np.hypot(rows - shape[0] + 1, columns - shape[1] + 1)
    extent = 2 * np.sqrt((np.asarray(observation.bins) >= 0).sum() / np.pi)
    near = (distance > 0) & (distance < max(_REACH * extent, 3.0)) & (pairs > 0)
    weight, at = pairs[near], distance[near]
    means = products[near] / weight
    best = Correlated(variance, 0.0, 1.0, 1.0)
    least = float(weight @ means**2)
    for length in _LENGTHS:
        kernel = np.exp(-0.5 * (at / length) ** 2)
        power = float(weight @ kernel**2)
        amplitude = float(weight @ (kernel * means)) / power
        # Each pair is counted twice.
        error = variance * np.sqrt(2.0 / power)
        left = float(weight @ (means - amplitude * kernel) ** 2)
        if left < least and amplitude > _SURE * error:
            sharing = 1.0 + float(weight @ kernel) / count
            least = left
            best = Correlated(variance, min(amplitude, variance), length, sharing)
    return best


def measure_map_misfit(
    observation: MapObservation, optimum: Optimum, correlated: Correlated
) -> Misfit:
    """Return how much wider draws have to be for residuals that neighbours share.

    Parameters
    ----------
    observation : MapObservation
    optimum : Optimum
        With its Jacobian.
    correlated : Correlated
        Of the residuals there.
    """
    alone = max(correlated.variance - correlated.shared, 1.0)
    if optimum.jacobian is None or (correlated.shared == 0 and alone == 1):
        return Misfit()
    jacobian = optimum.jacobian.reshape(len(optimum.jacobian), -1).astype(np.float64)
    inverse = optimum.covariance
    middle = alone * jacobian @ jacobian.T
    if correlated.shared > 0:
        moved = np.stack([_smoothed(observation, row, correlated.length) for row in jacobian])
        beyond = min(correlated.shared, max(correlated.variance - 1.0, 0.0))
        level = correlated.shared + (_ABSORBED - 1) * beyond
        middle = middle + level * jacobian @ moved.T
    covariance = inverse + inverse @ (middle - jacobian @ jacobian.T) @ inverse
    covariance = 0.5 * (covariance + covariance.T)
    # The sum over distances of a correlation that was measured may fall short of independence.
    values, vectors = np.linalg.eigh(
        np.linalg.solve(np.linalg.cholesky(inverse), np.linalg.solve(
            np.linalg.cholesky(inverse), covariance).T))  # fmt: skip
    root = np.linalg.cholesky(inverse)
    widening = root @ (vectors * np.sqrt(np.maximum(values, 1.0))) @ vectors.T @ np.linalg.inv(root)
    spread = widening @ inverse @ widening.T
    factor = float(np.median(np.sqrt(np.diag(spread) / np.diag(inverse))))
    spread = 0.5 * (spread + spread.T)
    return Misfit(float(np.sqrt(correlated.shared)), spread[None], factor)


def _smoothed(observation: MapObservation, values: FloatArray, length: float) -> FloatArray:
    """Return K times values (bins,)."""
    y, x = observation.places()
    image = np.zeros(observation.data.shape[1:])
    np.add.at(image, (y, x), values)
    reach = int(np.ceil(4 * length))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.exp(-0.5 * (rows**2 + columns**2) / length**2)
    return np.asarray(fftconvolve(image, kernel, mode="same")[y, x])


def _lagged(image: FloatArray) -> FloatArray:
    """Return sums of products of an image with itself, moved; the middle is no move."""
    return np.asarray(fftconvolve(image, image[::-1, ::-1]))
