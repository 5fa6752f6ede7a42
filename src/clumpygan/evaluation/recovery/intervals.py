"""Errors and intervals from a few samples of a posterior, which hold the truth as often as said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.report import MAGNITUDE_BINS, bin_of

FloatArray = NDArray[np.float64]

ONE_SIGMA = 0.682689
"""Share of a normal distribution within one standard deviation."""


SHARES = (ONE_SIGMA, 0.95)
"""Shares of the truths for which intervals are widened, and of which calibrations tell."""

FEWEST_TO_WIDEN = 100
"""Galaxies of a bin of magnitude, at least, for factors of its own: the 95 % interval of 100 then
holds 93 to 97 %."""


@dataclass(frozen=True)
class Prediction:
    """What samples say of a quantity: t-distributed about their mean.

    Attributes
    ----------
    mean : ndarray
        Over the samples.
    scale : ndarray
        Standard deviation of truth less mean: that of the samples, and that of their mean.
    freedom : ndarray
        Degrees of freedom with which the scale is known.
    """

    mean: FloatArray
    scale: FloatArray
    freedom: FloatArray

    def half_width(self, share: float = ONE_SIGMA) -> FloatArray:
        """Return half of the interval about the mean that holds that share of the truths."""
        return np.asarray(self.scale * stdtrit(self.freedom, (1 + share) / 2))


def predict(samples: ArrayLike) -> Prediction:
    """Predict a quantity from samples that come in pairs, antithetic ones or independent.

    The samples' own scatter is too small twice: it is about their mean, which isn't the
    posterior's, and of a few draws one knows it badly. In an antithetic pair (from random inputs z
    and -z) half of the difference d scatters, the mean p hardly does; in an independent one both
    do alike. With A the mean of d^2 and B the variance of p over n pairs, the variance of a draw
    is A + B and that of the mean of all B / n: the truth lies about that mean with A + (1 + 1/n) B.
    Its degrees of freedom are Welch's and Satterthwaite's.

    Parameters
    ----------
    samples : array_like (S, ...)
        S is even; 2 i and 2 i + 1 are a pair. Of a single pair B is unknown, and taken as 0.

    Returns
    -------
    Prediction
        Arrays (...), float64.
    """
    values = np.asarray(samples, dtype=np.float64)
    first, second = values[0::2], values[1::2]
    pairs = len(first)
    apart = np.square((first - second) / 2).mean(0)
    mean = values.mean(0)
    if pairs < 2:
        return Prediction(mean, np.sqrt(apart), np.ones_like(apart))
    moved = (1 + 1 / pairs) * ((first + second) / 2).var(0, ddof=1)
    variance = apart + moved
    spread = np.square(apart) / pairs + np.square(moved) / (pairs - 1)
    known = spread > 0
    freedom = np.where(known, np.square(variance) / np.where(known, spread, 1), pairs)
    return Prediction(mean, np.sqrt(variance), np.maximum(freedom, 1.0))


@dataclass(frozen=True)
class Widening:
    """By how much intervals are to be widened (or narrowed), so that they hold what they say.

    Split-conformal factors (Papadopoulos et al. 2002; Lei et al. 2018, JASA 113, 1094): of
    galaxies that nobody trained on, the distance of the truth from the mean over half of the
    interval, of which the wanted share lies below the factor.

    Attributes
    ----------
    factors : mapping
        Quantity -> bin of `MAGNITUDE_BINS` -> a factor for each of `SHARES`, or for the first
        alone. Quantities and bins that aren't there have 1.
    """

    factors: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)

    @classmethod
    def from_card(cls, card: Mapping[str, Any], name: str = "widening") -> "Widening":
        """Read a section of a network's card, where there is one.

        Parameters
        ----------
        card : mapping
        name : str
            "widening", of single galaxies, or "survey_widening", of those of a survey.

        Raises
        ------
        InputError
            If it isn't as `measured` makes it.
        """
        section = card.get(name) or {}
        # Of surveys the first share is enough.
        counts = (len(SHARES),) if name == "widening" else range(1, len(SHARES) + 1)
        try:
            return cls(
                {
                    str(quantity): {
                        str(label): _factors(factors, counts) for label, factors in bins.items()
                    }
                    for quantity, bins in section.items()
                }
            )
        except (AttributeError, TypeError, ValueError) as problem:
            raise InputError(
                f"the card's section '{name}' isn't quantity -> magnitudes -> factors from 0.1 to "
                f"10, {' or '.join(map(str, counts))} of them: leave it out"
            ) from problem

    @classmethod
    def measured(cls, apart: Mapping[str, FloatArray], brightness: FloatArray) -> "Widening":
        """Find the factors.

        Parameters
        ----------
        apart : mapping
            Quantity -> (N, 2) or (N, 1), distance of the truth over half of the interval of each of
            `SHARES`, or of the first alone; NaN where it isn't defined.
        brightness : ndarray (N,)
            Magnitudes as `brightness_of` gives them.
        """
        labels = np.array([bin_of(one) for one in brightness])
        found: dict[str, dict[str, tuple[float, ...]]] = {}
        for name, distances in apart.items():
            for label in MAGNITUDE_BINS:
                rows = np.isfinite(distances[:, 0]) & ((labels == label) | (label == "all"))
                count = int(rows.sum())
                if count < FEWEST_TO_WIDEN:
                    continue
                ordered = np.sort(distances[rows], axis=0)
                places = [min(int(np.ceil((count + 1) * share)), count) - 1 for share in SHARES]
                factors = [
                    float(ordered[place, i]) for i, place in enumerate(places[: distances.shape[1]])
                ]
                # Where most samples are of one mind, no factor makes an interval of it.
                if all(0.1 <= one <= 10 for one in factors):
                    found.setdefault(name, {})[label] = tuple(round(one, 3) for one in factors)
        return cls(found)

    def of(self, quantity: str, brightness: float, share: float = ONE_SIGMA) -> float:
        """Return the factor of an interval.

        Parameters
        ----------
        quantity : str
        brightness : float
            Magnitude as `brightness_of` gives it; NaN if it isn't known.
        share : float
            One of `SHARES`.
        """
        bins = self.factors.get(quantity, {})
        factors = bins.get(bin_of(brightness), bins.get("all"))
        return 1.0 if factors is None else factors[SHARES.index(share)]

    def replaced_by(self, other: "Widening") -> "Widening":
        """Return the factors of another one, and these of quantities that it doesn't have."""
        return Widening({**self.factors, **other.factors})

    def to_dict(self) -> dict[str, dict[str, list[float]]]:
        """Return the section of a card."""
        return {
            name: {label: list(factors) for label, factors in bins.items()}
            for name, bins in self.factors.items()
        }


@dataclass(frozen=True)
class Crowding:
    """By how much intervals are wider where samples show two galaxies in an image.

    Whose light is whose is known worse than samples scatter. `Widening`'s factors are those of all
    galaxies, of which few are such; this one comes on top of them, one for all quantities.

    Attributes
    ----------
    p_blend : float
        Share of the samples that show two, above which it is applied.
    factor : float
    """

    p_blend: float = 1.0
    factor: float = 1.0

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "Crowding":
        """Read the section "survey_crowding" of a network's card, where there is one.

        Raises
        ------
        InputError
            If it isn't as `to_dict` makes it.
        """
        section = card.get("survey_crowding")
        if not section:
            return cls()
        try:
            found = cls(float(section["p_blend"]), float(section["factor"]))
            if not (0 <= found.p_blend <= 1 and 0.1 <= found.factor <= 10):
                raise ValueError(section)
        except (KeyError, TypeError, ValueError) as problem:
            raise InputError(
                "the card's section 'survey_crowding' isn't 'p_blend' from 0 to 1 and 'factor' from"
                " 0.1 to 10: leave it out"
            ) from problem
        return found

    @classmethod
    def measured(cls, apart: Mapping[str, FloatArray], crowded: ArrayLike, p_blend: float) -> Self:
        """Find the factor with which 68 % of the intervals of crowded galaxies hold the truth.

        Parameters
        ----------
        apart : mapping
            Quantity -> (N,), distance of the truth over half of the interval, as `Widening` has
            made it; NaN where it isn't defined.
        crowded : array_like (N,) of bool
            Those above `p_blend`; of fewer than `FEWEST_TO_WIDEN` nothing is said.
        p_blend : float
        """
        rows = np.asarray(crowded, dtype=bool)
        if rows.sum() < FEWEST_TO_WIDEN:
            return cls()
        distances = np.concatenate([values[rows] for values in apart.values()])
        factor = float(np.quantile(distances[np.isfinite(distances)], ONE_SIGMA))
        return cls(p_blend, round(factor, 3))

    def of(self, p_blend: ArrayLike) -> FloatArray:
        """Return the factor of galaxies of which that share of the samples shows two."""
        return np.where(np.asarray(p_blend) > self.p_blend, self.factor, 1.0)

    def to_dict(self) -> dict[str, float]:
        """Return the section of a card."""
        return asdict(self)


def _factors(values: Sequence[Any], counts: Collection[int]) -> tuple[float, ...]:
    factors = tuple(float(one) for one in values)
    if len(factors) not in counts or not all(0.1 <= one <= 10 for one in factors):
        raise ValueError(values)
    return factors


def brightness_of(flux: float) -> float:
    """Return the AB magnitude of a flux in nJy, NaN of one that isn't positive or known."""
    return NANOJANSKY_ZERO_POINT - 2.5 * float(np.log10(flux)) if flux > 0 else float("nan")
