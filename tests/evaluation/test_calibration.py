"""Ranks of the truth, their uniformity, and the coverage of intervals."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.calibration import coverage, histograms, ranks, uniformity


def _gaussian_ranks(width: float, shift: float = 0.0, weighted: bool = False) -> np.ndarray:
    """Ranks of a Gaussian whose posterior is N(x / 2, 1 / 2), from draws of another width."""
    generator = np.random.default_rng(5)
    table = []
    for _ in range(1000):
        truth = generator.standard_normal(2)
        data = truth + generator.standard_normal(2)
        middle, sigma = data / 2, np.sqrt(0.5)
        if weighted:
            draws = middle + 2 * sigma * generator.standard_normal((2000, 2))
            z = (draws - middle) / sigma
            weights = np.exp((-0.5 * z**2 + 0.125 * z**2).sum(1))
        else:
            draws = middle + shift + width * sigma * generator.standard_normal((99, 2))
            weights = None
        table.append(ranks(draws, truth, weights, generator=generator))
    return np.array(table)


@pytest.mark.parametrize("weighted", [False, True])
def test_right_posteriors_have_uniform_ranks_and_cover(weighted):
    rank = _gaussian_ranks(1.0, weighted=weighted)
    tests = uniformity(rank)
    assert (tests.ks > 0.01).all()
    assert (tests.chi_squared > 0.01).all()
    covered, error = coverage(rank, (0.68, 0.9))
    assert error[0] == pytest.approx(np.sqrt(0.68 * 0.32 / 1000))
    assert (np.abs(covered - np.array([[0.68], [0.9]])) < 3 * error).all()


def test_narrow_and_biased_posteriors_are_found():
    narrow, biased = _gaussian_ranks(0.7), _gaussian_ranks(1.0, shift=0.2)
    assert (uniformity(narrow).chi_squared < 1e-6).all()
    assert (uniformity(biased).ks < 1e-6).all()
    assert (coverage(narrow, (0.68,))[0] < 0.6).all()
    counts = histograms(narrow)
    assert counts.sum() == 2000
    assert (counts[:, [0, -1]] > 2 * counts[:, 9:11]).all()


def test_a_rank_counts_draws_below_by_their_weight():
    generator = np.random.default_rng(0)
    draws, truth = np.array([[0.0], [1.0], [2.0]]), np.array([1.5])
    rank = [ranks(draws, truth, [1, 2, 1], generator=generator)[0] for _ in range(2000)]
    count = 16 / 6
    assert min(rank) >= count * 0.75 / (count + 1)
    assert max(rank) <= (count * 0.75 + 1) / (count + 1)
    tied = [ranks(draws, np.array([1.0]), generator=generator)[0] for _ in range(2000)]
    assert np.mean(tied) == pytest.approx(0.5, abs=0.02)
    assert (np.ptp(tied)) > 0.4


def test_bad_input_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"draws of shape \(3,\)"):
        ranks(np.zeros(3), np.zeros(3), generator=generator)
    with pytest.raises(InputError, match="weights of shape"):
        ranks(np.zeros((3, 1)), np.zeros(1), np.zeros(2), generator=generator)
    with pytest.raises(InputError, match="at least 100 mocks"):
        uniformity(np.full((50, 2), 0.5))
    with pytest.raises(InputError, match="outside of 0 to 1"):
        coverage(np.array([[1.2]]))
