"""How two galaxies lie that overlap on the sky: how far apart, how bright, how unlike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEPARATIONS = (0.2, 1.2)
"""Arcsec, between which the two of a pair are apart: uniform."""

FLUX_RATIOS = (1.0, 10.0)
"""Of the brighter to the fainter one: uniform in its logarithm."""

BLENDED_MAGNITUDES = (20.5, 24.5)
"""H (AB) of the brighter one, and of single galaxies."""


@dataclass(frozen=True)
class Layout:
    """How a pair lies on the sky.

    Attributes
    ----------
    ratio : float
        Flux of the brighter over that of the fainter one.
    separation : float
        Arcsec.
    offsets : ndarray (2, 2)
        (y, x) in arcsec of each from the middle of the stamp, where the middle of their light is.
    """

    ratio: float
    separation: float
    offsets: NDArray[np.float64]

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Layout:
        """Draw one, from `SEPARATIONS` and `FLUX_RATIOS`, in any direction."""
        ratio = float(np.exp(generator.uniform(*np.log(FLUX_RATIOS))))
        separation = float(generator.uniform(*SEPARATIONS))
        angle = generator.uniform(0, 2 * np.pi)
        apart = separation * np.array([np.cos(angle), np.sin(angle)])
        return cls(ratio, separation, np.stack([-apart / (1 + ratio), apart * ratio / (1 + ratio)]))
