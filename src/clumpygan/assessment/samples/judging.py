"""One truth among samples of it: its rank, and how far from the middle of the interval it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.calibration import ranks
from clumpygan.evaluation.recovery.intervals import SHARES, Widening, predict

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """By how much the intervals of a quantity are moved and widened.

    Attributes
    ----------
    shift, factor : ndarray (2,)
        For each of `SHARES`.
    """

    shift: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, widening: Widening, quantity: str, brightness: float) -> Intervals:
        """Return those of a galaxy of such a brightness."""
        return cls(
            np.array([widening.shift_of(quantity, brightness, share) for share in SHARES]),
            np.array([widening.of(quantity, brightness, share) for share in SHARES]),
        )


@dataclass(frozen=True)
class Judgement:
    """What is found of a quantity of a galaxy; NaN where one of its images doesn't have it.

    Attributes
    ----------
    rank : float
        Of the truth among independent draws.
    told : float
        The same among draws that are moved and widened as the 68 % interval is; of what is counted
        the same, for counts can't be.
    apart : ndarray (2,)
        Truth less mean over half of the interval of each of `SHARES`, as the samples scatter.
    shift, factor : ndarray (2,)
        As of `Intervals`.
    """

    rank: float
    told: float
    apart: FloatArray
    shift: FloatArray
    factor: FloatArray


def judge(
    values: FloatArray,
    intervals: Intervals,
    generator: np.random.Generator,
    other_draws: np.random.Generator,
    *,
    counted: bool = False,
) -> Judgement:
    """Hold a truth against samples.

    Parameters
    ----------
    values : ndarray (1 + S,)
        The truth, and the samples in antithetic pairs.
    intervals : Intervals
    generator, other_draws : numpy.random.Generator
        For `rank` and `told`.
    counted : bool
        See `Quantity`.
    """
    shift, factor = intervals.shift, intervals.factor
    # A quantity that isn't defined in every image says nothing of this galaxy.
    if not np.isfinite(values).all():
        return Judgement(np.nan, np.nan, np.full(len(SHARES), np.nan), shift, factor)
    truth, samples = float(values[0]), values[1:]
    draws, said = samples[::2], predict(samples)
    mean = float(said.mean)
    halves = np.array([said.half_width(share) for share in SHARES])
    # Where all samples agree, the truth agrees, or is as far as can be.
    agreed = np.full(len(SHARES), 0.0 if truth == mean else np.inf * np.sign(truth - mean))
    apart = np.divide(truth - mean, halves, out=agreed, where=halves > 0)
    # The truth is farther from the mean of the samples than these, which have a part in it.
    scatter = float(samples.std())
    farther = float(said.scale) / scatter if scatter > 0 else 1.0
    moved = mean + shift[0] * halves[0] + factor[0] * farther * (draws - mean)
    rank = rank_among(draws, truth, generator)
    told = rank if counted else rank_among(moved, truth, other_draws)
    return Judgement(rank, told, apart, shift, factor)


def rank_among(draws: FloatArray, truth: float, generator: np.random.Generator) -> float:
    """Return the share of draws (S,) below the truth, see `ranks`."""
    return float(ranks(draws[:, None], np.array([truth]), generator=generator)[0])


def tarp(
    samples: NDArray[np.float32],
    truth: NDArray[np.float32],
    other: NDArray[np.float32],
    sigma: float,
    generator: np.random.Generator,
) -> float:
    """Return the share of independent samples nearer to a reference than the truth is.

    Of samples of the true posterior it is uniform, whatever the reference (Lemos et al. 2023,
    arXiv:2302.03026, theorem 3): here another galaxy, in the flux of the mean of the samples.

    Parameters
    ----------
    samples : ndarray (S, Y, X)
    truth, other : ndarray (Y, X)
    sigma : float
        Depth of the observation per pixel.
    generator : numpy.random.Generator
    """

    def stretched(image: NDArray[np.float32]) -> FloatArray:
        return np.asarray(np.arcsinh(image / (2 * sigma)), np.float64)

    scale = samples.mean(0).sum(dtype=np.float64) / other.sum(dtype=np.float64)
    reference = stretched((other * max(scale, 0.0)).astype(np.float32))
    away = [np.linalg.norm(stretched(image) - reference) for image in (truth, *samples)]
    return rank_among(np.array(away[1:]), float(away[0]), generator)
