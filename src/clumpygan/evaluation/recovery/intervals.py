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

    def interval(self, factor: float, shift: float) -> tuple[float, float, float]:
        """Return by how much one number is moved, and the ends of its interval of 68 %.

        Moved by `shift`, and `factor` times as wide, both in units of half of the interval as the
        samples have it: as `Widening` says.
        """
        half = float(self.half_width())
        moved = shift * half
        middle = float(self.mean) + moved
        return moved, middle - factor * half, middle + factor * half


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
    """By how much intervals are to be moved and widened (or narrowed) to hold what they say.

    Split-conformal factors (Papadopoulos et al. 2002; Lei et al. 2018, JASA 113, 1094): of
    galaxies that nobody trained on, the distance of the truth from the middle over half of the
    interval, of which the wanted share lies below the factor. The middle is the mean of the
    samples, or where that is wrong on average the mean and a shift: the median of the distances.

    Attributes
    ----------
    factors : mapping
        Quantity -> bin of `MAGNITUDE_BINS` -> a factor for each of `SHARES`, or for the first
        alone. Quantities and bins that aren't there have 1.
    shifts : mapping
        Quantity -> bin that has a factor -> what is to be added to the mean, in units of half of
        the interval of each share; nothing where it isn't there.
    """

    factors: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    shifts: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)

    @classmethod
    def from_card(cls, card: Mapping[str, Any], name: str = "widening") -> "Widening":
        """Read a section of a network's card, where there is one.

        Parameters
        ----------
        card : mapping
        name : str
            "widening", of single galaxies, with the section "shift" where there is one, or
            "survey_widening", of those of a survey.

        Raises
        ------
        InputError
            If it isn't as `measured` makes it.
        """
        # Of surveys the first share is enough.
        counts = (len(SHARES),) if name == "widening" else range(1, len(SHARES) + 1)
        factors = _section(card, name, (0.1, 10.0), counts)
        if name != "widening":
            return cls(factors)
        return cls(factors, _section(card, "shift", (-10.0, 10.0), counts))

    @classmethod
    def measured(
        cls,
        apart: Mapping[str, FloatArray],
        brightness: FloatArray,
        moved: Collection[str] = (),
    ) -> "Widening":
        """Find the factors.

        Parameters
        ----------
        apart : mapping
            Quantity -> (N, 2) or (N, 1), distance of the truth over half of the interval of each of
            `SHARES`, or of the first alone; NaN where it isn't defined. Above 0 where the truth
            is larger, if the interval may be moved.
        brightness : ndarray (N,)
            Magnitudes as `brightness_of` gives them.
        moved : collection of str
            Quantities whose intervals are moved, where the median of the distances is farther from
            0 than twice its error.
        """
        labels = np.array([bin_of(one) for one in brightness])
        found: dict[str, dict[str, tuple[float, ...]]] = {}
        shifts: dict[str, dict[str, tuple[float, ...]]] = {}
        for name, signed in apart.items():
            for label in MAGNITUDE_BINS:
                rows = np.isfinite(signed[:, 0]) & ((labels == label) | (label == "all"))
                count = int(rows.sum())
                if count < FEWEST_TO_WIDEN:
                    continue
                middle = _bias(signed[rows]) if name in moved else np.zeros(signed.shape[1])
                ordered = np.sort(np.abs(signed[rows] - middle), axis=0)
                places = [min(int(np.ceil((count + 1) * share)), count) - 1 for share in SHARES]
                factors = [
                    float(ordered[place, i]) for i, place in enumerate(places[: signed.shape[1]])
                ]
                # Where most samples are of one mind, no factor makes an interval of it.
                if all(0.1 <= one <= 10 for one in factors):
                    found.setdefault(name, {})[label] = tuple(round(one, 3) for one in factors)
                    if middle.any():
                        shifts.setdefault(name, {})[label] = tuple(map(float, middle))
        return cls(found, shifts)

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
        label = self._bin(quantity, brightness)
        return 1.0 if label is None else self.factors[quantity][label][SHARES.index(share)]

    def shift_of(self, quantity: str, brightness: float, share: float = ONE_SIGMA) -> float:
        """Return what is added to the mean, in units of half of the interval; see `of`."""
        label = self._bin(quantity, brightness)
        shifts = self.shifts.get(quantity, {}).get(label or "")
        return 0.0 if shifts is None else shifts[SHARES.index(share)]

    def _bin(self, quantity: str, brightness: float) -> str | None:
        bins = self.factors.get(quantity, {})
        return next((one for one in (bin_of(brightness), "all") if one in bins), None)

    def replaced_by(self, other: "Widening") -> "Widening":
        """Return the factors of another one, and these of quantities that it doesn't have."""
        kept = {name: one for name, one in self.shifts.items() if name not in other.factors}
        return Widening({**self.factors, **other.factors}, {**kept, **other.shifts})

    def to_dict(self) -> dict[str, dict[str, list[float]]]:
        """Return the section of a card with the factors."""
        return _lists(self.factors)

    def sections(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """Return the sections of a card: "widening", and "shift" where something is moved."""
        shifts = {"shift": _lists(self.shifts)} if self.shifts else {}
        return {"widening": self.to_dict()} | shifts


def _bias(signed: FloatArray) -> FloatArray:
    """Return the medians (2,) of distances (N, 2), 0 for those within twice their errors."""
    low, middle, high = np.quantile(signed, (0.16, 0.5, 0.84), axis=0)
    # The median of normal deviates scatters by the root of pi / 2 more than their mean.
    error = (np.pi / 2 / len(signed)) ** 0.5 * (high - low) / 2
    return np.asarray(np.where(np.abs(middle) > 2 * error, middle.round(3), 0.0))


def _lists(
    table: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> dict[str, dict[str, list[float]]]:
    return {
        name: {label: list(numbers) for label, numbers in bins.items()}
        for name, bins in table.items()
    }


def _section(
    card: Mapping[str, Any], name: str, limits: tuple[float, float], counts: Collection[int]
) -> dict[str, dict[str, tuple[float, ...]]]:
    """Return quantity -> bin -> numbers of a section of a card.

    Raises
    ------
    InputError
        If it is something else.
    """
    low, high = limits
    try:
        return {
            str(quantity): {
                str(label): _numbers(numbers, limits, counts) for label, numbers in bins.items()
            }
            for quantity, bins in (card.get(name) or {}).items()
        }
    except (AttributeError, TypeError, ValueError) as problem:
        what = "shifts" if name == "shift" else "factors"
        raise InputError(
            f"the card's section '{name}' isn't quantity -> magnitudes -> {what} from {low:g} to "
            f"{high:g}, {' or '.join(map(str, counts))} of them: leave it out"
        ) from problem


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


def _numbers(
    values: Sequence[Any], limits: tuple[float, float], counts: Collection[int]
) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in values)
    if len(numbers) not in counts or not all(limits[0] <= one <= limits[1] for one in numbers):
        raise ValueError(values)
    return numbers


def brightness_of(flux: float) -> float:
    """Return the AB magnitude of a flux in nJy, NaN of one that isn't positive or known."""
    return NANOJANSKY_ZERO_POINT - 2.5 * float(np.log10(flux)) if flux > 0 else float("nan")
