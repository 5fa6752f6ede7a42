"""Slopes of Dekel-Zhao halos: the prior of a slope begins where, at a concentration, halos do.

Below `halo_relations.least_halo_slope` there are none. A prior between `low` and `high` is squeezed
into what is left,

    slope = high - (high - value) (high - least) / (high - low),

which leaves a uniform prior uniform, and takes value and slope to one another in both ways.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.priors import FitPrior
from clumpygan.galaxies.disks.halo_relations import least_halo_slope
from clumpygan.galaxies.disks.parameters import DiskModel

FloatArray = NDArray[np.float64]

CURVE, SLOPE, CONCENTRATION = "dekel_zhao_mass", "halo_slope", "concentration"

_NARROWEST = 1e-3
"""Share of a prior that is always left."""


@dataclass(frozen=True)
class SlopeLimit:
    """What the concentration leaves of the prior of a slope.

    Attributes
    ----------
    place : int
        Of the slope among the free parameters.
    leader : int or None
        That of the concentration; None if it is fixed.
    concentration : float
        The fixed one.
    low, high : float
        Of the prior of the slope.
    """

    place: int
    leader: int | None
    concentration: float
    low: float
    high: float

    def _share(self, values: FloatArray) -> FloatArray:
        """Return the share (...) of the prior that is left, at values (..., n)."""
        at = self.concentration if self.leader is None else values[..., self.leader]
        share = (self.high - least_halo_slope(at)) / (self.high - self.low)
        return np.asarray(np.clip(share, _NARROWEST, 1.0))

    def squeezed(self, values: FloatArray) -> FloatArray:
        """Return the slopes (...) of values (..., n) as the prior has them."""
        return self.high - (self.high - values[..., self.place]) * self._share(values)

    def widened(self, values: FloatArray) -> FloatArray:
        """Return the values (...) that the prior has of slopes, at values (..., n)."""
        return self.high - (self.high - values[..., self.place]) / self._share(values)

    def derivatives(self, values: FloatArray) -> tuple[float, float]:
        """Return those of the slope, at values (n,) that are squeezed already.

        With respect to the value of the prior, and to the concentration.
        """
        share = float(self._share(values))
        if self.leader is None or not _NARROWEST < share < 1:
            return share, 0.0
        at, step = float(values[self.leader]), 1e-4
        slope = (least_halo_slope(at + step) - least_halo_slope(at - step)) / (2 * step)
        left = (self.high - float(values[self.place])) / (share * (self.high - self.low))
        return share, float(left * slope)


def slope_limit(
    model: DiskModel, names: tuple[str, ...], priors: tuple[FitPrior, ...], base: FloatArray
) -> SlopeLimit | None:
    """Return the limit of the slope of a halo; None if the slope isn't free, or has none.

    Parameters
    ----------
    model : DiskModel
    names : tuple of str
        Of the free parameters.
    priors : tuple of FitPrior
        Of them.
    base : ndarray (P,)
        Values of the others.
    """
    if model.curve != CURVE or SLOPE not in names:
        return None
    place = names.index(SLOPE)
    leader = names.index(CONCENTRATION) if CONCENTRATION in names else None
    fixed = float(base[model.index(CONCENTRATION)])
    return SlopeLimit(place, leader, fixed, priors[place].minimum, priors[place].maximum)
