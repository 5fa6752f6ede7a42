"""Whether clumps are there as often as the samples say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.clumps import MATCHING_RADIUS, NUCLEUS_RADIUS, find_peaks
from clumpygan.evaluation.recovery.sources import ClumpProbability, find_sources

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the bins of probability."""

PROBABLE = 0.5
"""A clump is taken to be there above it."""


@dataclass(frozen=True)
class Clumps:
    """Clumps that samples show, and those of the truth.

    Attributes
    ----------
    probability : ndarray (M,)
        That each of them is there, as is said.
    real : ndarray (M,) of bool
        Whether the truth has one there.
    true : int
        Clumps of the truth.
    share : ndarray (M,)
        Of the samples that have each of them.
    """

    probability: NDArray[np.float64]
    real: NDArray[np.bool_]
    true: int
    share: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of several galaxies together."""
        return cls(
            np.concatenate([part.probability for part in parts]),
            np.concatenate([part.real for part in parts]),
            sum(part.true for part in parts),
            np.concatenate([part.share for part in parts]),
        )

    @property
    def completeness(self) -> float | None:
        """Share of the true clumps that are shown with a probability above 1/2."""
        found = int((self.real & (self.probability > PROBABLE)).sum())
        return found / self.true if self.true else None

    @property
    def purity(self) -> float | None:
        """Share of those shown with a probability above 1/2 that are true."""
        probable = self.probability > PROBABLE
        return float(self.real[probable].mean()) if probable.any() else None

    @property
    def reliability(self) -> list[dict[str, float | int]]:
        """For each bin of probability that isn't empty: n, mean probability, share that is true."""
        bins = np.clip(np.digitize(self.probability, EDGES) - 1, 0, len(EDGES) - 2)
        return [
            {
                "n": int(inside.sum()),
                "probability": float(self.probability[inside].mean()),
                "true": float(self.real[inside].mean()),
            }
            for number in range(len(EDGES) - 1)
            if (inside := bins == number).any()
        ]

    @property
    def calibration_error(self) -> float | None:
        """Mean distance of probability and share, over the bins, weighted by their clumps."""
        table = self.reliability
        if not table:
            return None
        apart = sum(one["n"] * abs(one["probability"] - one["true"]) for one in table)
        return float(apart / len(self.probability))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, for JSON."""
        return {
            "true": self.true,
            "shown": len(self.probability),
            "completeness": self.completeness,
            "purity": self.purity,
            "expected_calibration_error": self.calibration_error,
            "reliability": self.reliability,
        }

    def __str__(self) -> str:
        """Say all of it in a line."""

        def said(value: float | None) -> str:
            return "-" if value is None else f"{value:.2f}"

        bins = ", ".join(f"{one['probability']:.2f}: {one['true']:.2f}" for one in self.reliability)
        return (
            f"{self.true} true, completeness {said(self.completeness)} and purity "
            f"{said(self.purity)} at p > {PROBABLE:g}, calibration error "
            f"{said(self.calibration_error)} ({bins})"
        )


def match_clumps(
    samples: NDArray[np.floating],
    truth: NDArray[np.floating],
    sigma: float,
    nucleus: fidelity.Position,
    pixel_scale: float,
    chance: ClumpProbability | None = None,
) -> Clumps:
    """Hold the sources outside the nucleus that samples show against those of the truth.

    Parameters
    ----------
    samples : ndarray (S, Y, X)
    truth : ndarray (Y, X)
    sigma : float
        Depth of the observation per pixel.
    nucleus : tuple of float
        (y, x) in pixels.
    pixel_scale : float
        Arcsec.
    chance : ClumpProbability, optional
        Of the network; without it probabilities are shares of the samples.
    """
    peaks = find_peaks(truth, sigma)
    away = np.hypot(*(peaks - np.asarray(nucleus)).T) * pixel_scale
    peaks = peaks[away >= NUCLEUS_RADIUS]
    found = find_sources(samples, sigma, nucleus, pixel_scale, chance=chance)
    shown = [one for one in found if not one.nucleus]
    real = np.zeros(len(shown), dtype=bool)
    if len(shown) and len(peaks):
        places = np.array([(one.y[1], one.x[1]) for one in shown])
        distance = np.linalg.norm(places[:, None] - peaks[None], axis=2) * pixel_scale
        # Pairs too far apart cost the same, however far they are.
        rows, columns = linear_sum_assignment(np.minimum(distance, 10 * MATCHING_RADIUS))
        real[rows] = distance[rows, columns] <= MATCHING_RADIUS
    return Clumps(
        np.array([one.probability for one in shown]),
        real,
        len(peaks),
        np.array([one.share for one in shown]),
    )
