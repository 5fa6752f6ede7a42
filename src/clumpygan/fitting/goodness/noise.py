"""The noise of a cube as its line-free voxels have it: the variance, and what neighbours share.

Pipelines' variances are wrong by factors of a few, because resampling or the sky's subtraction
aren't in them. What is measured here is the scatter of voxels without signal, from its lower half,
which sources that nobody found hardly touch.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from clumpygan.fitting.observation import Observation
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.signal_mask import signal_mask

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RIGHT = 0.15
"""Natural logarithm of the factor up to which a variance passes for right: 8 % of sigma."""

_SURE = 4.0
"""Standard errors of the factor beyond which it isn't chance."""

_FEWEST, _FEWEST_OF_CHANNEL = 300, 60
"""Independent line-free voxels that a factor of the cube, and of a channel, takes."""

_NO_NOISE = 1e-3
"""Factor below which the data have no noise: mocks of which a forecast is made."""

_QUANTILE = 0.15865525393145707
"""Share of a normal distribution below -1 sigma."""

_ERROR = 2.97
"""Standard error of the logarithm of a variance from median and quantile of n numbers, sqrt(n)."""

_TURNS = 3
"""Times that signal is looked for, each with the noise that the last one found."""

_REACH = (3, 8)
"""Most channels, and pixels, over which neighbours are compared."""

_BEAMS = 1.5
"""Widths of the PSF over which they are."""

_SIGNIFICANT = 4.0
"""Standard errors above which a correlation counts."""

_CLIP = 4.0
"""Sigma beyond which voxels don't count more."""


@dataclass(frozen=True, eq=False)
class NoiseCheck:
    """What the line-free voxels say of the noise.

    Attributes
    ----------
    factor : float or None
        Of the variance: what it would have to be multiplied with. None where there are too few
        voxels without signal, or no noise in them.
    error : float
        Standard error of its natural logarithm.
    channels : ndarray (v,)
        The same for each channel, drawn towards `factor` as far as their scatter is chance; 1 where
        the variance passes for right.
    correlation : ndarray (v, y, x)
        Of neighbouring voxels, sides odd, 1 in the middle; 0 where it isn't significant.
    free : ndarray (v, y, x), bool
        Voxels without signal.
    """

    factor: float | None
    error: float
    channels: FloatArray
    correlation: FloatArray
    free: BoolArray

    @property
    def wrong(self) -> bool:
        """Whether the variance is wrong by more than chance."""
        return bool((self.channels != 1).any())

    def corrected(self, observation: Observation, channels: int = 1) -> Observation:
        """Return the observation with the variance that its line-free voxels have.

        Parameters
        ----------
        observation : Observation
        channels : int
            Of the observation in one of those that were looked at.
        """
        if not self.wrong:
            return observation
        factor = np.repeat(self.channels, channels)[: len(observation.variance)]
        variance = observation.variance * factor[:, None, None]
        return replace(observation, variance=variance)

    def inflation(self, pattern: NDArray[np.floating]) -> float:
        """Return the noise of a sum over voxels, over that of independent voxels.

        Parameters
        ----------
        pattern : ndarray (v, y, x)
            The weights of the sum, times sigma.
        """
        if self.correlation.size == 1:
            return 1.0
        shared = _products(pattern, self.correlation.shape)
        middle = tuple(side // 2 for side in shared.shape)
        if not shared[middle] > 0:
            return 1.0
        return float(np.sqrt(max((shared * self.correlation).sum() / shared[middle], 1.0)))


def check_noise(observation: Observation) -> NoiseCheck:
    """Compare the variance of a cube with the scatter of its line-free voxels.

    Parameters
    ----------
    observation : Observation
    """
    shape = observation.data.shape
    known = observation.valid & (observation.data != 0)
    sigma = np.sqrt(np.where(known, observation.variance, 1.0))
    z = np.where(known, observation.data / sigma, 0.0)
    free, factor = known, 1.0
    for _ in range(_TURNS):
        free = known & ~_with_signal(np.where(known, z / np.sqrt(factor), np.nan))
        before, factor = factor, _variance(z[free])
        if not factor > _NO_NOISE or abs(np.log(factor / before)) < 0.5 * RIGHT:
            break
    unknown = NoiseCheck(None, np.inf, np.ones(shape[0]), np.ones((1, 1, 1)), free)
    if not factor > _NO_NOISE:
        return unknown
    correlation, shared = _correlation(z, free, factor, observation)
    count = free.sum() / shared
    if count < _FEWEST:
        return unknown
    error = _ERROR / np.sqrt(count)
    channels = _channels(z, free, factor, shared)
    # Scatter among channels beyond chance is a wrong variance too.
    uneven = float(np.std(np.log(channels)))
    if abs(np.log(factor)) < max(RIGHT, _SURE * error) and uneven < RIGHT:
        channels = np.ones(shape[0])
    return NoiseCheck(factor, float(error), channels, correlation, free)


def _with_signal(z: FloatArray) -> BoolArray:
    """Return the voxels in which a line stands out of noise of 1, and their neighbours."""
    cube = MeasuredCube.of(z, np.arange(len(z)), 1.0)
    return np.asarray(ndimage.binary_dilation(signal_mask(cube), np.ones((3, 3, 3), bool)))


def _variance(values: FloatArray) -> float:
    """Return the variance that the lower half of values has; 0 of hardly any values."""
    if values.size < 10:
        return 0.0
    middle, low = np.quantile(values, (0.5, _QUANTILE))
    return float((middle - low) ** 2)


def _channels(z: FloatArray, free: BoolArray, factor: float, shared: float) -> FloatArray:
    """Return the factor (v,) of each channel, drawn towards that of all as far as it is chance."""
    count = free.sum(axis=(1, 2)) / shared
    enough = count >= _FEWEST_OF_CHANNEL
    away = np.zeros(len(z))
    for channel in np.flatnonzero(enough):
        own = _variance(z[channel][free[channel]])
        away[channel] = np.log(own / factor) if own > 0 else 0.0
    if enough.sum() < 2:
        return np.full(len(z), factor)
    chance = _ERROR**2 / np.where(enough, count, 1.0)
    real = max(float(np.mean(away[enough] ** 2 - chance[enough])), 0.0)
    return np.asarray(factor * np.exp(away * real / (real + chance)))


def _correlation(
    z: FloatArray, free: BoolArray, factor: float, observation: Observation
) -> tuple[FloatArray, float]:
    """Return the correlation of neighbours, and the sum of its squares.

    As many voxels share their information when a variance is estimated (Bartlett's formula).
    """
    frame = observation.frame
    beam = _BEAMS * (frame.psf_fwhm or 0.0) / frame.grid.pixel_scale
    reach = (_REACH[0], *(2 * [int(np.clip(np.ceil(beam), 1, _REACH[1]))]))
    reach = tuple(min(r, (n - 1) // 2) for r, n in zip(reach, z.shape, strict=True))
    middle = np.median(z[free])
    noise = np.where(free, np.clip((z - middle) / np.sqrt(factor), -_CLIP, _CLIP), 0.0)
    sides = tuple(2 * r + 1 for r in reach)
    pairs = np.maximum(_products(free.astype(np.float64), sides), 1.0)
    correlation = _products(noise, sides) / pairs
    correlation /= correlation[reach]
    correlation[np.abs(correlation) < _SIGNIFICANT / np.sqrt(pairs)] = 0.0
    return correlation, float((correlation**2).sum())


def _products(pattern: NDArray[np.floating], sides: tuple[int, ...]) -> FloatArray:
    """Return sums (sides) of the products of voxels that lie so far apart, 0 in the middle."""
    padded = tuple(
        fft.next_fast_len(n + side // 2, real=True)
        for n, side in zip(pattern.shape, sides, strict=True)
    )
    power = np.abs(fft.rfftn(pattern, padded)) ** 2
    table = fft.irfftn(power, padded)
    table = np.roll(table, [side // 2 for side in sides], axis=(0, 1, 2))
    return np.asarray(table[tuple(slice(side) for side in sides)])
