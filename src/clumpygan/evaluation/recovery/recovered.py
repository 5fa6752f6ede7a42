"""A recovered image of one galaxy, and what is known of the galaxy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.clumps import ClumpCount, count_clumps
from clumpygan.instruments.grid_pair import DEFAULT_GRID

Image = NDArray[np.floating]


@dataclass(frozen=True)
class Judge:
    """An image of the truth with independent noise.

    Attributes
    ----------
    image : numpy.ndarray, (Y, X)
    sigma : float
        Noise of a pixel.
    valid : numpy.ndarray, (Y, X) of bool
        Pixels with data.
    """

    image: Image
    sigma: float
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Recovered:
    """A recovered image of one galaxy, and what is known of the galaxy.

    Attributes
    ----------
    image : numpy.ndarray, (Y, X)
        In `unit` per pixel.
    sigma : float
        Depth of the observation per pixel of `image`, see `fidelity.sigma_per_target_pixel`.
    truth : numpy.ndarray, (Y, X), optional
        The true image, or a noisy image of it.
    truth_sigma : float
        Noise of its pixels; 0 if it has none.
    judge : Judge, optional
        An image of the truth whose noise is independent of the recovery, where there is one.
    error : numpy.ndarray, (Y, X), optional
        Standard error of `image`.
    residual : numpy.ndarray, optional
        Observed image less the recovered one seen through the telescope, in units of the noise, in
        the pixels that are judged; any shape.
    around : tuple of float, optional
        (y, x) in pixels around which light is counted; the truth's nucleus by default.
    unit : str
        Of the light; magnitudes are known of nJy alone.
    pixel_scale : float
        Arcsec.
    """

    image: Image
    sigma: float
    truth: Image | None = None
    truth_sigma: float = 0.0
    judge: Judge | None = None
    error: Image | None = None
    residual: Image | None = None
    around: fidelity.Position | None = None
    unit: str = "nJy"
    pixel_scale: float = DEFAULT_GRID.target_scale

    @property
    def true(self) -> Image:
        """The truth, of a metric that needs one."""
        assert self.truth is not None
        return self.truth

    @cached_property
    def nucleus(self) -> fidelity.Position:
        """(y, x) in pixels around which light is counted."""
        return self.around or fidelity.nucleus_of(self.true, self.pixel_scale)

    @cached_property
    def magnitude_error(self) -> float:
        """AB magnitude less the true one: positive is too faint."""
        return fidelity.magnitude_difference(*self._measured)

    @cached_property
    def clumps(self) -> ClumpCount:
        """Clumps outside the nucleus."""
        return count_clumps(self.image, self.true, self.sigma, self.nucleus, self.pixel_scale)

    @property
    def _measured(self) -> tuple[Image, Image, fidelity.Position, float]:
        return self.image, self.true, self.nucleus, self.pixel_scale
