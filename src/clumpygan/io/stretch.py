"""From pixels in units of the noise to 256 levels, and back within half a level."""

import math
from dataclasses import dataclass

import numpy as np

from clumpygan.errors import InputError

STRETCHES = ("asinh", "linear")

_HIGHEST = 255


@dataclass(frozen=True)
class Stretch:
    r"""A monotonic map of pixels x, in units of the noise sigma, to the levels 0 to 255.

    .. math:: n = 255 \frac{f(x) - f(low)}{f(high) - f(low)}, \quad
        f(x) = \mathrm{asinh}(x / scale) \;\mathrm{or}\; x

    rounded and clipped. With asinh (Lupton, Gunn & Szalay 1999) the error of the rounding is a
    fraction of the noise in the sky and a fixed percentage of bright pixels; linearly it is the
    same everywhere, so that bright galaxies cost the faint ones their levels.

    Attributes
    ----------
    name : {"asinh", "linear"}
    low, high : float
        In units of the noise: become levels 0 and 255.
    scale : float
        In units of the noise: where asinh turns from linear to logarithmic.
    """

    name: str
    low: float
    high: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in STRETCHES:
            raise InputError(f"no stretch {self.name!r}; expected {' or '.join(STRETCHES)}")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(
                f"a stretch from {self.low:g} to {self.high:g} sigma; expected two rising numbers"
            )
        if not 0 < self.scale < math.inf:
            raise InputError(f"the scale of the stretch is {self.scale:g}; expected a number > 0")

    def levels(self, pixels: np.ndarray) -> np.ndarray:
        """Return the nearest level of each pixel, uint8.

        Parameters
        ----------
        pixels : numpy.ndarray
            In units of the noise; what is beyond the ends is clipped.
        """
        stretched = self._forward(np.asarray(pixels, dtype=np.float64))
        return np.clip(np.rint((stretched - self._start) / self._step), 0, _HIGHEST).astype(
            np.uint8
        )

    def pixels(self, levels: np.ndarray) -> np.ndarray:
        """Return the pixels that levels stand for, float32, in units of the noise."""
        stretched = self._start + self._step * np.arange(_HIGHEST + 1)
        table = self.scale * np.sinh(stretched) if self.name == "asinh" else stretched
        return table.astype(np.float32)[levels]

    def rounding_error(self) -> tuple[float, float]:
        """Return the largest error of the rounding: absolute, in sigma, and relative.

        With asinh the first holds for pixels near 0 and the second, a fraction of the pixel, for
        bright ones. When linear the first holds everywhere and the second is 0.
        """
        half = self._step / 2
        if self.name == "asinh":
            return self.scale * math.sinh(half), math.expm1(half)
        return half, 0.0

    @property
    def _start(self) -> float:
        return float(self._forward(np.float64(self.low)))

    @property
    def _step(self) -> float:
        return (float(self._forward(np.float64(self.high))) - self._start) / _HIGHEST

    def _forward(self, pixels: np.ndarray) -> np.ndarray:
        return np.arcsinh(pixels / self.scale) if self.name == "asinh" else pixels
