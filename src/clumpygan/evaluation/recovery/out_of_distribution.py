"""Whether an observed galaxy is unlike those that a network was trained on, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.observed_features import FEATURES

FloatArray = NDArray[np.float64]

UNUSUAL = 0.01
"""Share of the training's galaxies that are as unlike the rest: a galaxy below it is flagged."""

FEWEST = 500
"""Galaxies, at least, of which a population is measured."""

_KNOTS = 8
"""Of the brightness, between which the middle and the scatter of features are interpolated."""

_SCORES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Of a normal distribution, for which the quantiles of each feature are kept."""

_SHARES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Of the galaxies, for which their largest distances are kept."""

_STEP = 0.25
"""Of the brightness (asinh of S/N): so far beyond the population is like one standard deviation."""


@dataclass(frozen=True)
class Likeness:
    """How like the training's galaxies a galaxy is.

    Attributes
    ----------
    probability : float
        Share of them that are as unlike the rest as it is, 0.001 at least.
    reason : str
        By what it differs most, in words: "more compact", "brighter".
    """

    probability: float
    reason: str

    @property
    def unusual(self) -> bool:
        """Whether it is flagged: what is recovered is an extrapolation."""
        return self.probability < UNUSUAL

    def to_dict(self) -> dict[str, Any]:
        """Return `likeness`, `unusual`, `differs_by` and what that means, for JSON."""
        return {
            "likeness": self.probability,
            "unusual": self.unusual,
            "differs_by": self.reason,
            "meaning": "likeness is the share of the galaxies of the training that are as unlike"
            f" the rest; below {UNUSUAL:g} what is recovered is an extrapolation",
        }

    def __str__(self) -> str:
        """Say in a sentence what it is, and what that means."""
        return (
            f"unlike the galaxies that the network was trained on ({self.reason}; "
            f"{_percent(self.probability)} of them are as unusual): errors and probabilities may be"
            " wrong"
        )


def _percent(share: float) -> str:
    # Up to what is rounded to the smallest share that is known.
    return "0.1 % or fewer" if share < 1.5 * (1 - _SHARES[-1]) else f"{100 * share:.1f} %"


@dataclass(frozen=True)
class TrainingPopulation:
    """Features of the observed images of the population that a network was trained on.

    For its brightness, each feature has a middle and a scatter; what is left is made normal by its
    quantiles, and measured by the Mahalanobis distance.

    Attributes
    ----------
    knots : ndarray (K,)
        Brightness, as of `observed_features`.
    middle, scatter : ndarray (F, K)
    quantiles : ndarray (F, 7)
        Of (feature - middle) / scatter, at the normal scores -3 ... 3.
    covariance : ndarray (F, F)
        Of the scores.
    distances : ndarray
        Below which shares of the galaxies lie, those of `_SHARES`.
    """

    knots: FloatArray
    middle: FloatArray
    scatter: FloatArray
    quantiles: FloatArray
    covariance: FloatArray
    distances: FloatArray

    @classmethod
    def measured(cls, brightness: FloatArray, features: FloatArray) -> TrainingPopulation:
        """Measure a population.

        Parameters
        ----------
        brightness : ndarray (N,)
        features : ndarray (N, F)
            Of `observed_features`.

        Raises
        ------
        InputError
            If there are fewer than `FEWEST`.
        """
        if len(brightness) < FEWEST:
            raise InputError(
                f"{len(brightness)} galaxies: expected {FEWEST} or more, to say what is usual"
            )
        knots = np.quantile(brightness, np.linspace(0.005, 0.995, _KNOTS))
        place = np.argmin(np.abs(brightness[:, None] - knots), axis=1)
        middle = np.stack([np.median(features[place == i], axis=0) for i in range(_KNOTS)], 1)
        scatter = np.stack(
            [
                np.diff(np.quantile(features[place == i], (0.16, 0.84), axis=0), axis=0)[0] / 2
                for i in range(_KNOTS)
            ],
            1,
        )
        scatter = np.maximum(scatter, 1e-3)
        whole = cls(knots, middle, scatter, np.tile(_SCORES, (features.shape[1], 1)),
                    np.eye(features.shape[1]), np.array(_SHARES))  # fmt: skip
        from scipy.stats import norm

        levels = np.clip(norm.cdf(_SCORES), 1 / len(brightness), 1 - 1 / len(brightness))
        reduced = whole._reduced(brightness, features)
        quantiles = np.quantile(reduced, levels, axis=0).T
        # Strictly rising, so that scores can be interpolated.
        quantiles += 1e-4 * np.arange(len(_SCORES))
        normal = cls(knots, middle, scatter, quantiles, whole.covariance, whole.distances)
        covariance = np.cov(normal.scores(brightness, features).T)
        known = cls(knots, middle, scatter, quantiles, covariance, whole.distances)
        distances = np.quantile(known.distance(brightness, features), _SHARES)
        return cls(knots, middle, scatter, quantiles, covariance, distances)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> TrainingPopulation | None:
        """Read the section `population` of a network's card; None where there is none.

        Raises
        ------
        InputError
            If it isn't as `to_dict` makes it.
        """
        section = card.get("population")
        if section is None:
            return None
        count, scores = len(FEATURES), len(_SCORES)
        shapes = {"knots": (_KNOTS,), "middle": (count, _KNOTS), "scatter": (count, _KNOTS),
                  "quantiles": (count, scores), "covariance": (count, count),
                  "distances": (len(_SHARES),)}  # fmt: skip
        try:
            arrays = {
                name: np.array(
                    [section[name][one] for one in FEATURES] if len(shape) == 2 else section[name],
                    np.float64,
                )
                for name, shape in shapes.items()
            }
            whole = all(arrays[name].shape == shape and np.isfinite(arrays[name]).all()
                        for name, shape in shapes.items()) and bool(
                (np.linalg.eigvalsh(arrays["covariance"]) > 0).all()
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as problem:
            raise InputError(_DAMAGED) from problem
        if not whole:
            raise InputError(_DAMAGED)
        return cls(**arrays)

    def to_dict(self) -> dict[str, Any]:
        """Return the section of a card."""

        def plain(values: FloatArray) -> list[float]:
            return [round(float(one), 4) for one in values]

        rows = {
            name: dict(zip(FEATURES, map(plain, getattr(self, name)), strict=True))
            for name in ("middle", "scatter", "quantiles", "covariance")
        }
        return {"knots": plain(self.knots), **rows, "distances": plain(self.distances)}

    def scores(self, brightness: FloatArray, features: FloatArray) -> FloatArray:
        """Return features as normal scores (N, F), given the brightness."""
        reduced = self._reduced(brightness, features)
        found = np.empty_like(reduced)
        for i, known in enumerate(self.quantiles):
            values = reduced[:, i]
            found[:, i] = np.interp(values, known, _SCORES)
            # Beyond the outermost quantiles as between the last two.
            for end, inner in ((0, 1), (-1, -2)):
                slope = (_SCORES[end] - _SCORES[inner]) / (known[end] - known[inner])
                beyond = values < known[0] if end == 0 else values > known[-1]
                found[beyond, i] = _SCORES[end] + slope * (values[beyond] - known[end])
        return found

    def distance(self, brightness: FloatArray, features: FloatArray) -> FloatArray:
        """Return the distance (N,) from the middle of the population."""
        scores = self.scores(brightness, features)
        inverse = np.linalg.inv(self.covariance)
        squared = np.einsum("ni,ij,nj->n", scores, inverse, scores)
        return np.asarray(np.sqrt(np.maximum(squared, 0) + np.square(self._beyond(brightness))))

    def likeness(self, brightness: float, features: FloatArray) -> Likeness:
        """Return how like the population a galaxy is, by its `observed_features`."""
        bright, rows = np.array([brightness]), features[None]
        away = float(self.distance(bright, rows)[0])
        beyond = float(self._beyond(bright)[0])
        scores = self.scores(bright, rows)[0]
        most = int(np.argmax(np.abs(scores)))
        # Of other brightness than is known, nobody knows the other features.
        if abs(beyond) > min(abs(scores[most]), _SCORES[-1]):
            reason = "brighter" if beyond > 0 else "fainter"
        else:
            feature = list(FEATURES.values())[most]
            reason = feature.high if scores[most] > 0 else feature.low
        # Linear in the logarithm of the share that lies beyond.
        beyond_shares = np.log(1 - np.array(_SHARES))
        share = float(np.exp(np.interp(away, self.distances, beyond_shares)))
        return Likeness(share, reason)

    def _reduced(self, brightness: FloatArray, features: FloatArray) -> FloatArray:
        columns = [
            (values - np.interp(brightness, self.knots, middle))
            / np.interp(brightness, self.knots, scatter)
            for values, middle, scatter in zip(features.T, self.middle, self.scatter, strict=True)
        ]
        return np.stack(columns, 1)

    def _beyond(self, brightness: FloatArray) -> FloatArray:
        over = np.maximum(brightness - self.knots[-1], 0) - np.maximum(
            self.knots[0] - brightness, 0
        )
        return np.asarray(over / _STEP)


_DAMAGED = (
    "the card's section 'population' isn't as `evaluate.py outliers` makes it: leave it out or make"
    " it again"
)
