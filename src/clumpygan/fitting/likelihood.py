"""How well a model cube fits: Gaussian noise, correlated or not, or noise with outliers.

The residuals of a model are whitened: z = (model - data) / sigma, or, with the covariance of
neighbouring voxels, what makes their squares add up to chi^2. The logarithm of the likelihood is
-sum rho(z), relative to that of no line at all, with rho = z^2 / 2 for Gaussian noise.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from clumpygan.fitting.observation import Observation
from clumpygan.fitting.settings import NoiseSettings

FloatArray = NDArray[np.float64]
Residuals = NDArray[np.float32]

HUBER_BEND = 3.0
"""Sigma beyond which Huber's rho grows linearly: noise itself is hardly touched."""

STUDENT_DEGREES = 4.0
"""Degrees of freedom of Student's t."""

_SMALLEST_POWER = 0.02
"""Least power of noise, over that of independent voxels: no mode is trusted 50 times as much."""


class Likelihood:
    """The likelihood of model cubes.

    Parameters
    ----------
    observation : Observation
    settings : NoiseSettings, optional

    Attributes
    ----------
    inflation : float
        Of sigma, relative to the variance handed in.
    shared : float
        The part of it that noise of the instrument which neighbours share makes.
    count : int
        Number of voxels that are fitted.
    departure : float
        What a simpler model got wrong of its light, root mean square, where this one integrates
        over what it may be.
    """

    departure = 0.0

    def __init__(
        self,
        observation: Observation,
        settings: NoiseSettings | None = None,
    ) -> None:
        self.observation, self.settings = observation, settings or NoiseSettings()
        correlation = observation.frame.correlation
        self.scale = self.settings.scale or 1.0
        self.shared = 1.0
        self._amplitude: NDArray[np.float32] | None = None
        if correlation is not None and self.settings.correlated == "scale":
            self.shared = float(np.sqrt(correlation.sum()))
        self.inflation = self.scale * self.shared
        if correlation is not None and self.settings.correlated == "covariance":
            self._padded = tuple(
                fft.next_fast_len(n + side // 2, real=True)
                for n, side in zip(observation.data.shape, correlation.shape, strict=True)
            )
            self._amplitude = _inverse_amplitude(correlation, self._padded)
        self.count = int(observation.valid.sum())
        self._inverse = (1 / (np.sqrt(observation.variance) * self.inflation)).astype(np.float32)
        self._data = observation.data.astype(np.float32)
        self._empty = float(self.rho(self.whiten(-self._data * self._inverse)).sum())

    def residuals(self, cube: NDArray[np.floating]) -> Residuals:
        """Return the whitened residuals (N,) of a model cube (v, y, x)."""
        return self.whiten((cube.astype(np.float32, copy=False) - self._data) * self._inverse)

    def completed(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a model cube with what is integrated over at its most probable: here nothing."""
        return cube

    def left_of(
        self, changes: NDArray[np.float32], part: tuple[slice, ...] | None = None
    ) -> NDArray[np.float32]:
        """Return what integration leaves of changes of whitened residuals: here all.

        Parameters
        ----------
        changes : ndarray (n, N), float32
        part : tuple of slice, optional
            Of the cube (v, y, x), if changes are of voxels of it, and elsewhere there are none.
        """
        return changes

    def response(self, change: NDArray[np.floating]) -> Residuals:
        """Return the change (N,) of the whitened residuals with a change of the cube (v, y, x)."""
        return self.whiten(change.astype(np.float32, copy=False) * self._inverse)

    def whiten(self, z: NDArray[np.float32]) -> Residuals:
        """Return residuals in sigma (v, y, x), flat and without their correlation."""
        if self._amplitude is None:
            return np.asarray(z.reshape(-1))
        modes = fft.rfftn(z, self._padded)
        modes *= self._amplitude
        return np.asarray(fft.irfftn(modes, self._padded, overwrite_x=True).reshape(-1))

    def log_likelihood(self, z: Residuals) -> float:
        """Return the logarithm of the likelihood, relative to that of an empty model."""
        if self.settings.robust == "none":
            return self._empty - 0.5 * float(np.dot(z, z))
        return self._empty - float(self.rho(z).sum())

    def rho(self, z: Residuals) -> FloatArray:
        """Return minus the logarithm of the likelihood (N,) of each residual."""
        squared = np.square(z, dtype=np.float64)
        if self.settings.robust == "huber":
            far = HUBER_BEND * (np.abs(z) - 0.5 * HUBER_BEND)
            return np.asarray(np.where(squared <= HUBER_BEND**2, 0.5 * squared, far))
        if self.settings.robust == "student":
            return np.asarray(0.5 * (STUDENT_DEGREES + 1) * np.log1p(squared / STUDENT_DEGREES))
        return np.asarray(0.5 * squared)

    def weights(self, z: Residuals) -> NDArray[np.float32] | None:
        """Return rho'(z) / z (N,), the weights of iterated least squares; None if all are 1."""
        if self.settings.robust == "huber":
            return np.asarray(HUBER_BEND / np.maximum(np.abs(z), np.float32(HUBER_BEND)))
        if self.settings.robust == "student":
            degrees = np.float32(STUDENT_DEGREES)
            return np.asarray((degrees + 1) / (degrees + np.square(z)))
        return None

    def bend(self, z: Residuals) -> float:
        """Return the mean of rho'' over that of rho'(z) / z: 1 for Gaussian noise.

        With it, weighted least squares have the curvature of the likelihood: residuals know
        nothing of where the model changes.
        """
        weights = self.weights(z)
        if weights is None:
            return 1.0
        if self.settings.robust == "huber":
            second = (np.abs(z) <= HUBER_BEND).astype(np.float64)
        else:
            second = weights * (STUDENT_DEGREES - np.square(z)) / (STUDENT_DEGREES + np.square(z))
        return max(float(second.mean() / weights.mean()), 0.1)

    def gradient(self, z: Residuals) -> NDArray[np.float32]:
        """Return the derivative (v, y, x) of the log-likelihood with respect to the model cube."""
        weights = self.weights(z)
        slope = -z if weights is None else -z * weights
        if self._amplitude is not None:
            modes = fft.rfftn(slope.reshape(self._padded))
            modes *= self._amplitude
            slope = fft.irfftn(modes, self._padded)[tuple(map(slice, self._inverse.shape))]
        return np.asarray(slope.reshape(self._inverse.shape) * self._inverse)

    def chi_squared(self, cube: NDArray[np.floating]) -> float:
        """Return the sum of the squared residuals over the variance handed in."""
        residual = (cube - self.observation.data) ** 2 / self.observation.variance
        return float(residual.sum()) / self.scale**2

    def signal_to_noise(self, cube: NDArray[np.floating]) -> float:
        """Return the S/N of a model cube as a whole: the square root of its chi^2 from zero."""
        z = self.response(cube)
        return float(np.sqrt(np.dot(z, z)))


def _inverse_amplitude(
    correlation: NDArray[np.float64], padded: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return one over the root of the power spectrum of noise with a correlation."""
    table = np.zeros(padded)
    half = [side // 2 for side in correlation.shape]
    for place, value in np.ndenumerate(correlation):
        where = tuple(p - h for p, h in zip(place, half, strict=True))
        table[where] += value
    power = np.maximum(fft.rfftn(table).real, _SMALLEST_POWER)
    return np.asarray(1 / np.sqrt(power), dtype=np.float32)
