"""The turbulent gas of a disk: random maps of its light, velocity and dispersion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError

_LARGEST = 20.0
"""Of any number: light, say, whose logarithm varies as much is one bright pixel."""


@dataclass(frozen=True)
class Turbulence:
    """How turbulent a disk is.

    Each map is a Gaussian random field in the plane of the disk with a power-law power spectrum;
    light and dispersion are its exponential.

    Attributes
    ----------
    light : float
        Standard deviation of the natural logarithm of the surface brightness.
    velocity : float
        Standard deviation of the velocity along the line of sight, in velocity dispersions of the
        disk.
    dispersion : float
        Standard deviation of the natural logarithm of the velocity dispersion.
    slope : float
        Of the power spectrum in two dimensions: P(k) ~ k^-slope. 8/3 is that of Kolmogorov's
        turbulence in a thin disk, near what gas disks in simulations have (Bournaud et al. 2010,
        MNRAS 409, 1088).
    side : int
        Pixels of a map.
    extent : float
        Half a side of the maps in half-light radii. Lumps are at most as large as that.

    Raises
    ------
    InputError
        If a value is below 0 or above 20, or the maps have fewer than 8 pixels.
    """

    light: float = 0.4
    velocity: float = 0.3
    dispersion: float = 0.15
    slope: float = 8 / 3
    side: int = 64
    extent: float = 3.0

    def __post_init__(self) -> None:
        for name in ("light", "velocity", "dispersion", "slope", "extent"):
            if not 0 <= getattr(self, name) <= _LARGEST:
                raise InputError(
                    f"{name} of turbulence is {getattr(self, name)}; expected 0 to {_LARGEST:g}"
                )
        if self.side < 8:
            raise InputError(f"maps of turbulence of {self.side} pixels; expected 8 or more")

    def draw(
        self, generator: np.random.Generator, velocity_dispersion: float
    ) -> NDArray[np.float32]:
        """Draw the maps of one galaxy.

        Parameters
        ----------
        generator : numpy.random.Generator
        velocity_dispersion : float
            Of the disk, km/s.

        Returns
        -------
        ndarray of shape (3, side, side), float32
            Factor of the light, velocity in km/s, factor of the dispersion.
        """
        light, velocity, dispersion = self._fields(generator)
        maps = np.stack(
            [
                np.exp(self.light * light),
                self.velocity * velocity_dispersion * velocity,
                np.exp(self.dispersion * dispersion),
            ]
        )
        return maps.astype(np.float32)

    def _fields(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return three independent fields (3, side, side) of variance 1 on average.

        They are cut out of fields twice as large, which are periodic.
        """
        size = 2 * self.side
        k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
        lowest = 1 / self.side
        power = np.where(k >= lowest, np.maximum(k, lowest) ** -self.slope, 0.0)
        # Every column of an rfft but the first and the last stands for two.
        weight = np.full(power.shape, 2.0)
        weight[:, [0, -1]] = 1.0
        amplitude = np.sqrt(power * size**2 / (power * weight).sum())
        white = generator.standard_normal((3, size, size))
        fields = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(size, size))
        return np.asarray(fields[:, : self.side, : self.side])
