"""Prior distributions of parameters, as maps from a standard normal number to a value.

A parameter x with the distribution function F has the coordinate u = Phi^-1(F(x)), Phi being that
of the standard normal distribution: any u is allowed, the prior of u is the standard normal one,
and a value next to a bound is a large u. No Jacobian is left to be minded.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.declaration import Parameter
from clumpygan.galaxies.disks.halo_relations import (
    CONCENTRATION_SCATTER,
    PIVOT,
    concentration_relation,
    matched_halo_mass,
    tully_fisher_velocity,
)

FloatArray = NDArray[np.float64]

Kind = Literal["uniform", "log_uniform", "isotropic", "normal", "lognormal"]
KINDS: tuple[str, ...] = get_args(Kind)

TULLY_FISHER_SCATTER = 0.056
"""Dex of velocity, as Reyes et al. 2011 measure it."""

_TEN = math.log(10)

_FARTHEST = 8.0
"""Standard normal numbers are kept within this: beyond it, Phi is 0 or 1 in double precision."""


@dataclass(frozen=True)
class FitPrior:
    """The prior of one parameter of a fit.

    Attributes
    ----------
    kind : str
        "uniform", "log_uniform", or "isotropic" (an angle in degrees whose cosine is uniform),
        between `minimum` and `maximum`; "normal" with a mean and a standard deviation, or
        "lognormal" with a median and the standard deviation of the natural logarithm, both cut at
        `minimum` and `maximum`.
    minimum, maximum : float
        Bounds.
    centre, width : float
        Of the kinds "normal" and "lognormal".
    follows : str
        Name of a parameter with which the median of a "lognormal" prior goes; none if empty.
    slope, pivot : float
        The median is `centre` exp(`slope` [x - `pivot`]), x being the value of that parameter; the
        bounds stay where they are.

    Raises
    ------
    InputError
        If the kind is unknown, the bounds are in the wrong order, or nothing lies between them.
    """

    kind: Kind
    minimum: float
    maximum: float
    centre: float = 0.0
    width: float = 1.0
    follows: str = ""
    slope: float = 0.0
    pivot: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"prior {self.kind!r}; expected one of {', '.join(KINDS)}")
        if not self.minimum < self.maximum:
            raise InputError(
                f"a prior from {self.minimum:g} to {self.maximum:g}; expected the lower end first"
            )
        if self.kind in ("log_uniform", "lognormal") and self.maximum <= 0:
            raise InputError(f"a {self.kind} prior up to {self.maximum:g}; expected more than 0")
        if self.kind == "log_uniform" and self.minimum <= 0:
            raise InputError(
                f"a log_uniform prior from {self.minimum:g}; expected its lower end above 0"
            )
        if self.kind == "isotropic" and not 0 <= self.minimum < self.maximum <= 180:
            raise InputError(
                f"an isotropic prior from {self.minimum:g} to {self.maximum:g} degrees; expected "
                "0 to 180"
            )
        if self.kind in ("normal", "lognormal"):
            if not 0 < self.width < math.inf:
                raise InputError(f"a {self.kind} prior of width {self.width:g}; expected above 0")
            if self.kind == "lognormal" and not 0 < self.centre < math.inf:
                raise InputError(f"a lognormal prior of median {self.centre:g}; expected above 0")
            low, high = self._ends
            if low > _FARTHEST - 1 or high < 1 - _FARTHEST:
                raise InputError(
                    f"a {self.kind} prior around {self.centre:g} of width {self.width:g} has "
                    f"nothing between {self.minimum:g} and {self.maximum:g}, where the parameter is"
                )

    @property
    def _ends(self) -> tuple[float, float]:
        """The ends of a normal or lognormal prior in standard deviations from its middle."""
        return self._standard(self.minimum), self._standard(self.maximum)

    def _shift(self, factor: ArrayLike) -> FloatArray:
        """Return by how many standard deviations a factor (...) of the median moves the prior."""
        return np.asarray(np.log(np.asarray(factor, dtype=np.float64)) / self.width)

    def _standard(self, value: float) -> float:
        if self.kind == "lognormal":
            if value <= 0:
                return -math.inf
            return (math.log(value) - math.log(self.centre)) / self.width
        return (value - self.centre) / self.width

    def value(self, coordinate: ArrayLike, factor: ArrayLike = 1.0) -> FloatArray:
        """Return the value of a standard normal number, between the bounds.

        Parameters
        ----------
        coordinate : array_like (...)
        factor : array_like (...)
            What the median of a prior that follows a parameter is multiplied with; see `factor`.
        """
        u = np.clip(np.asarray(coordinate, dtype=np.float64), -_FARTHEST, _FARTHEST)
        share = ndtr(u)
        low, high = self.minimum, self.maximum
        if self.kind == "uniform":
            answer = low + (high - low) * share
        elif self.kind == "log_uniform":
            answer = low * np.exp(math.log(high / low) * share)
        elif self.kind == "isotropic":
            near, far = math.cos(math.radians(low)), math.cos(math.radians(high))
            answer = np.degrees(np.arccos(np.clip(near + (far - near) * share, -1.0, 1.0)))
        else:
            answer = self._cut(u, self._shift(factor))
        return np.asarray(np.clip(answer, low, high))

    def _cut(self, u: FloatArray, shift: FloatArray) -> FloatArray:
        """Return the value of a normal or lognormal prior that is cut at the bounds."""
        start, stop = self._ends[0] - shift, self._ends[1] - shift
        whole = _between(start, stop)
        # The share of the nearer tail: that of the other is close to 1, and imprecise.
        below = ndtr(start) + whole * ndtr(u)
        above = ndtr(-stop) + whole * ndtr(-u)
        z = np.where(below < 0.5, ndtri(below), -ndtri(above)) + shift
        if self.kind == "lognormal":
            return np.asarray(self.centre * np.exp(self.width * z))
        return np.asarray(self.centre + self.width * z)

    def coordinate(self, value: ArrayLike, factor: ArrayLike = 1.0) -> FloatArray:
        """Return the standard normal number of a value: the inverse of `value`.

        Values at the bounds, or beyond them, are 8 standard deviations away.
        """
        low, high = self.minimum, self.maximum
        x = np.clip(np.asarray(value, dtype=np.float64), low, high)
        if self.kind == "uniform":
            below, above = (x - low) / (high - low), (high - x) / (high - low)
        elif self.kind == "log_uniform":
            length = math.log(high / low)
            below, above = np.log(x / low) / length, np.log(high / x) / length
        elif self.kind == "isotropic":
            near, far = math.cos(math.radians(low)), math.cos(math.radians(high))
            here = np.cos(np.radians(x))
            below, above = (near - here) / (near - far), (here - far) / (near - far)
        else:
            shift = self._shift(factor)
            start, stop = self._ends[0] - shift, self._ends[1] - shift
            z = np.asarray([self._standard(float(one)) for one in x.ravel()]).reshape(x.shape)
            z, whole = z - shift, _between(start, stop)
            below, above = _between(start, z) / whole, _between(z, stop) / whole
        u = np.where(below < 0.5, ndtri(np.clip(below, 0, 1)), -ndtri(np.clip(above, 0, 1)))
        return np.asarray(np.clip(u, -_FARTHEST, _FARTHEST))

    def log_density(self, value: ArrayLike) -> FloatArray:
        """Return the logarithm of the density, -infinity outside the bounds."""
        x = np.asarray(value, dtype=np.float64)
        low, high = self.minimum, self.maximum
        inside = (x >= low) & (x <= high)
        safe = np.where(inside, x, 0.5 * (low + high))
        if self.kind == "uniform":
            answer = np.full(x.shape, -math.log(high - low))
        elif self.kind == "log_uniform":
            answer = -np.log(safe) - math.log(math.log(high / low))
        elif self.kind == "isotropic":
            near, far = math.cos(math.radians(low)), math.cos(math.radians(high))
            with np.errstate(divide="ignore"):
                sine = np.log(np.abs(np.sin(np.radians(safe))) * math.pi / 180)
            answer = sine - math.log(near - far)
        else:
            answer = self._cut_density(safe) - np.log(_between(*self._ends))
        return np.where(inside, answer, -np.inf)

    def _cut_density(self, x: FloatArray) -> FloatArray:
        log_scale = math.log(self.width) + 0.5 * math.log(2 * math.pi)
        if self.kind == "normal":
            return np.asarray(-0.5 * ((x - self.centre) / self.width) ** 2 - log_scale)
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = np.log(x)
            z = (logarithm - math.log(self.centre)) / self.width
            return np.asarray(np.where(x > 0, -0.5 * z**2 - log_scale - logarithm, -np.inf))

    def factor(self, value: ArrayLike) -> FloatArray:
        """Return what the median is multiplied with, given the parameter that it follows."""
        return np.exp(self.slope * (np.asarray(value, dtype=np.float64) - self.pivot))

    def derivative(self, coordinate: ArrayLike) -> FloatArray:
        """Return the derivative of the value with respect to the standard normal number."""
        u = np.asarray(coordinate, dtype=np.float64)
        return np.exp(_log_normal(u) - self.log_density(self.value(u)))

    def followed_derivatives(
        self, coordinate: ArrayLike, factor: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of the value of a prior that follows a parameter.

        With the distribution function of the prior between its bounds held at that of the number.

        Parameters
        ----------
        coordinate : array_like (...)
            Standard normal number.
        factor : array_like (...)
            See `value`.

        Returns
        -------
        of_number, of_leader : ndarray (...)
            With respect to the number, and to the parameter that is followed.
        """
        u = np.clip(np.asarray(coordinate, dtype=np.float64), -_FARTHEST, _FARTHEST)
        value, shift = self.value(u, factor), self._shift(factor)
        start, stop = self._ends[0] - shift, self._ends[1] - shift
        z = (np.log(value) - math.log(self.centre)) / self.width - shift
        share = np.exp(_log_normal(u) - _log_normal(z)) * _between(start, stop)
        at_ends = np.exp(_log_normal(start) - _log_normal(z)) * ndtr(-u)
        at_ends += np.exp(_log_normal(stop) - _log_normal(z)) * ndtr(u)
        return value * self.width * share, value * self.slope * (1 - at_ends)

    def alone(self) -> "FitPrior":
        """Return the prior where there is no parameter to follow.

        Its median is that at the pivot, and its width larger by what one unit of the parameter
        that it follows changes.
        """
        width = math.hypot(self.width, self.slope)
        return replace(self, width=width, follows="", slope=0.0, pivot=0.0)

    def __str__(self) -> str:
        if self.kind in ("normal", "lognormal"):
            median = f"{self.centre:.6g}"
            if self.follows:
                median += f"*exp({self.slope:.6g}*({self.follows}-{self.pivot:g}))"
            return f"{self.kind}:{median}:{self.width:.6g}"
        return f"{self.kind}:{self.minimum:.6g}:{self.maximum:.6g}"


def _between(start: ArrayLike, stop: ArrayLike) -> FloatArray:
    """Return the share of the standard normal distribution between two numbers."""
    # Of two shares close to 1 the difference is imprecise.
    low, high = np.asarray(start), np.asarray(stop)
    return np.asarray(np.where(low < 0, ndtr(high) - ndtr(low), ndtr(-low) - ndtr(-high)))


def _log_normal(z: ArrayLike) -> FloatArray:
    """Return the logarithm of the standard normal density."""
    return np.asarray(-0.5 * np.asarray(z) ** 2 - 0.5 * math.log(2 * math.pi))


def tully_fisher_prior(log_mass: float, scatter: float = TULLY_FISHER_SCATTER) -> FitPrior:
    """Return the prior of the maximum velocity that the Tully-Fisher relation gives.

    See `clumpygan.galaxies.disks.halo_relations.tully_fisher_velocity`. With it the inclination
    is known from the velocities alone, and the shear from the shape (kinematic lensing: Huff et al.
    2013, arXiv:1311.1489). Curves that rise far out reach their maximum velocity beyond that
    radius, and at high redshift disks are faster at the same mass: widen the scatter, or give a
    "lognormal" prior.

    Parameters
    ----------
    log_mass : float
        log10 of the stellar mass in solar masses (Kroupa IMF).
    scatter : float
        Dex; 0.056 as measured, 0.036 of which is intrinsic.

    Raises
    ------
    InputError
        If the mass isn't that of a galaxy, or the scatter isn't above 0.
    """
    if not 6 <= log_mass <= 13:
        raise InputError(f"log10 of the stellar mass is {log_mass:g}; expected 6 to 13")
    if not 0 < scatter < 1:
        raise InputError(
            f"scatter of the Tully-Fisher relation is {scatter:g} dex; expected 0 to 1"
        )
    velocity = tully_fisher_velocity(log_mass)
    return FitPrior("lognormal", 0.0, 2000.0, velocity, scatter * _TEN)


def concentration_prior(redshift: float, scatter: float = CONCENTRATION_SCATTER) -> FitPrior:
    """Return the prior of the concentration of a halo that simulations give.

    Lognormal around the relation of Dutton & Maccio 2014, and its median goes with `log_halo_mass`:
    see `clumpygan.galaxies.disks.halo_relations.concentration_relation`.

    Parameters
    ----------
    redshift : float
    scatter : float
        Dex.

    Raises
    ------
    InputError
        If the redshift isn't that of the relation, or the scatter isn't above 0.
    """
    if not 0 <= redshift <= 5:
        raise InputError(f"redshift is {redshift:g}; expected 0 to 5 for dutton_maccio")
    if not 0 < scatter < 1:
        raise InputError(f"scatter of the concentration is {scatter:g} dex; expected 0 to 1")
    median, power = concentration_relation(redshift)
    prior = FitPrior("lognormal", 1.0, 60.0, median, scatter * _TEN)
    return replace(prior, follows="log_halo_mass", slope=power * _TEN, pivot=PIVOT)


def halo_mass_prior(stellar: float, redshift: float) -> FitPrior:
    """Return the prior of log10 of the halo mass that abundance matching gives.

    Normal, with the median and the scatter of
    `clumpygan.galaxies.disks.halo_relations.matched_halo_mass`, which doesn't weight halos with
    their mass function.

    Parameters
    ----------
    stellar : float
        log10 of the stellar mass in solar masses.
    redshift : float

    Raises
    ------
    InputError
        If the mass isn't that of a galaxy, or the relation doesn't reach it at the redshift, which
        is 0 to 4.
    """
    if not 6 <= stellar <= 12.5:
        raise InputError(
            f"abundance_matching:{stellar:g}:{redshift:g}: expected log10 of a stellar mass, 6 to "
            "12.5"
        )
    return FitPrior("normal", 8.0, 16.0, *matched_halo_mass(stellar, redshift))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


_RELATIONS: dict[str, tuple[str, tuple[int, ...], Callable[..., FitPrior]]] = {
    "tully_fisher": ("maximum_velocity", (1, 2), tully_fisher_prior),
    "dutton_maccio": ("concentration", (1, 2), concentration_prior),
    "abundance_matching": ("log_halo_mass", (2,), halo_mass_prior),
}
"""Priors that relations give: whose, with how many numbers, and how."""


def parse_prior(text: str, row: Parameter) -> FitPrior:
    """Return the prior that `KIND:A:B` describes, for one parameter of the table.

    Parameters
    ----------
    text : str
        "uniform:LOW:HIGH", "log_uniform:LOW:HIGH", "isotropic:LOW:HIGH", "normal:MEAN:SIGMA" or
        "lognormal:MEDIAN:SIGMA", where that SIGMA is the one of the natural logarithm; for the
        maximum velocity also "tully_fisher:MASS" or "tully_fisher:MASS:SCATTER", see
        `tully_fisher_prior`; for the concentration "dutton_maccio:REDSHIFT", see
        `concentration_prior`; for `log_halo_mass` "abundance_matching:LOG_STELLAR_MASS:REDSHIFT".
    row : Parameter
        Its range cuts the prior.

    Raises
    ------
    InputError
        If the text is something else, or not possible for the parameter.
    """
    kind, *numbers = text.strip().split(":")
    usage = "expected e.g. normal:200:30, lognormal:200:0.1, uniform:50:300 or log_uniform:50:300"
    values = [_number(number) for number in numbers]
    if kind in _RELATIONS and np.isfinite(values).all():
        name, counts, relation = _RELATIONS[kind]
        if row.name != name:
            raise InputError(f"prior of {row.name} is {text!r}; expected that of {name}")
        if len(values) in counts:
            return relation(*values)
    if kind not in KINDS or len(values) != 2 or not np.isfinite(values).all():
        raise InputError(f"prior of {row.name} is {text!r}; {usage}")
    first, second = values
    try:
        if kind in ("normal", "lognormal"):
            low, high = row.minimum, row.maximum
            if row.period is not None:
                # An angle is the same after a turn: its prior has the turn around its mean.
                low, high = first - row.period / 2, first + row.period / 2
            return FitPrior(kind, low, high, first, second)  # type: ignore[arg-type]
        low, high = row.check(first), row.check(second)
        return FitPrior(kind, low, high)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"prior of {row.name}: {error}") from error
