"""Slopes of Dekel-Zhao halos: the prior of a slope begins where, at a concentration, halos do.

Below `halo_relations.least_halo_slope` there are none. A prior between `low` and `high` is squeezed
into what is left,

    slope = high - (high - value) (high - least) / (high - low),

which leaves a uniform prior uniform, and takes value and slope to one another in both ways. The
prior of a concentration ends where halos of the largest slope do.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.priors import FitPrior
from clumpygan.galaxies.disks.halo_relations import largest_concentration, least_halo_slope
from clumpygan.galaxies.disks.parameters import DiskModel

FloatArray = NDArray[np.float64]

CURVE, SLOPE, CONCENTRATION = "dekel_zhao_mass", "halo_slope", "concentration"

_NARROWEST = 1e-3
"""Share of the prior of a slope that is left at the largest concentration."""

_ROUNDING = 1e-9


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


def priors_of_halos(
    model: DiskModel, priors: Mapping[str, FitPrior], base: FloatArray, tied: Container[str]
) -> tuple[FitPrior, ...]:
    """Return the priors of the free parameters, between whose ends there are halos.

    Parameters
    ----------
    model : DiskModel
    priors : mapping of str to FitPrior
        Of the free parameters.
    base : ndarray (P,)
        Values of the others.
    tied : container of str
        Names of those that follow another.

    Raises
    ------
    InputError
        If there are no such halos, or slope or concentration follow another parameter.
    """
    if model.curve != CURVE:
        return tuple(priors.values())
    for name in (SLOPE, CONCENTRATION):
        if name in tied:
            raise InputError(f"{name} of a {CURVE} curve is tied; expected it free or fixed")
    slope, least = (float(base[model.index(name)]) for name in (SLOPE, CONCENTRATION))
    said, top = f"{SLOPE} is {slope:g}", slope
    if SLOPE in priors:
        low, high = priors[SLOPE].minimum, priors[SLOPE].maximum
        said, top = f"{SLOPE} is at most {high:g}", high - _NARROWEST * (high - low)
    most, prior = largest_concentration(top), priors.get(CONCENTRATION)
    least = least if prior is None else prior.minimum
    if least > most * (1 + _ROUNDING):
        more = " or more" if prior else ""
        raise InputError(
            f"{said} at a concentration of {least:g}{more}; expected at least "
            f"{least_halo_slope(least):.3g}, or a concentration of at most {most:.3g}"
        )
    if prior is None:
        return tuple(priors.values())
    try:
        prior = replace(prior, maximum=min(prior.maximum, most))
    except InputError as error:
        raise InputError(f"prior of {CONCENTRATION}, where {said}: {error}") from error
    return tuple({**priors, CONCENTRATION: prior}.values())


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
