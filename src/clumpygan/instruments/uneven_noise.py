"""Noise of cubes as pipelines leave it: more at sky lines, residuals of them, uneven depth, spikes.

In units of the noise of a usual voxel: that of the median channel and spaxel is 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.settings import check, setting

FloatArray = NDArray[np.float64]

_EXPOSURE_TIME = 36_000.0
"""Seconds; the pattern of the sky lines hardly depends on it."""

_SMOOTH = 0.12
"""Of the side of the field: scale of what changes over it."""


@dataclass(frozen=True)
class UnevenNoise:
    """How uneven the noise of cubes is.

    Attributes
    ----------
    depth : float
        Standard deviation of ln(sigma) over the field, where exposures overlap differently.
    residuals : float
        What the subtraction of the sky leaves, in units of what its lines add to the noise.
    spikes : float
        Share of voxels with the rest of a cosmic ray or a bad pixel.
    height : float
        Of those, in units of the noise, on average beyond 5.
    """

    depth: float = setting(0.12, "scatter of ln(sigma) over the field", least=0, most=1)
    residuals: float = setting(
        0.5, "of sky lines, over what these add to the noise", least=0, most=5
    )
    spikes: float = setting(3e-4, "share of voxels with a spike", "share", least=0, most=0.1)
    height: float = setting(8.0, "of spikes beyond 5 sigma, on average", "sigma", above=0)

    def __post_init__(self) -> None:
        check(self)

    def draw_sigma(
        self, generator: np.random.Generator, shape: tuple[int, int, int], channels: FloatArray
    ) -> FloatArray:
        """Draw the noise of the voxels of one cube.

        Parameters
        ----------
        generator : numpy.random.Generator
        shape : tuple of int
            (v, y, x).
        channels : ndarray (v,)
            Noise of the channels, 1 in the median: `sky_pattern`.

        Returns
        -------
        ndarray of shape (v, y, x)
        """
        field = np.exp(self.depth * smooth_field(generator, shape[1:]))
        return np.asarray(channels[:, None, None] * field / np.median(field))

    def draw(
        self,
        generator: np.random.Generator,
        sigma: FloatArray,
        channels: FloatArray,
        correlation: NDArray[np.float64] | None,
    ) -> NDArray[np.float32]:
        """Draw the noise of one cube.

        Parameters
        ----------
        generator : numpy.random.Generator
        sigma : ndarray (v, y, x)
            Of `draw_sigma`.
        channels : ndarray (v,)
            With which that was drawn.
        correlation : ndarray or None
            See `draw_cube_noise`.

        Returns
        -------
        ndarray of shape (v, y, x), float32
        """
        noise = draw_cube_noise(generator, sigma.shape, sigma, correlation).astype(np.float64)
        added = np.sqrt(np.maximum(channels**2 - channels.min() ** 2, 0.0))
        # One field for all lines: what is too much of one line is too much of all of them.
        left = self.residuals * smooth_field(generator, sigma.shape[1:])
        noise += added[:, None, None] * left
        hit = generator.random(sigma.shape) < self.spikes
        count = int(hit.sum())
        size = 5.0 + self.height * generator.exponential(size=count)
        noise[hit] += sigma[hit] * size * generator.choice([-1.0, 1.0], count)
        return noise.astype(np.float32)


def smooth_field(generator: np.random.Generator, sides: tuple[int, ...]) -> FloatArray:
    """Draw a smooth Gaussian random field of unit variance over a field of view (y, x)."""
    width = [max(_SMOOTH * side, 0.5) for side in sides]
    field = gaussian_filter(generator.standard_normal(sides), width, mode="wrap")
    # That of white noise behind a Gaussian of such a width.
    return np.asarray(field * np.sqrt(4 * np.pi * width[0] * width[1]))


def sky_pattern(
    generator: np.random.Generator, instrument: Spectrograph | None, channels: int, step: float
) -> FloatArray:
    """Return the noise of the channels (v,) at a random wavelength of an instrument, median 1.

    Even where the noise of the instrument isn't known.

    Parameters
    ----------
    generator : numpy.random.Generator
    instrument : Spectrograph or None
    channels : int
    step : float
        Width of the channels, Angstrom.
    """
    if instrument is None or instrument.sky is None:
        return np.ones(channels)
    low, high = instrument.wavelength_range
    first = generator.uniform(low, high - step * (channels - 1))
    sigma = instrument.noise_sigma(first + step * np.arange(channels), _EXPOSURE_TIME)
    return np.asarray(sigma / np.median(sigma))
