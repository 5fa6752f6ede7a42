"""A truth among samples: ranks and distances, of samples that are right, narrow, or too low."""

import numpy as np
import pytest
from scipy import stats

from clumpygan.assessment.samples.judging import Intervals, Judgement, judge
from clumpygan.evaluation.recovery.intervals import SHARES, Widening

PLAIN = Intervals(np.zeros(2), np.ones(2))


def judgements(
    seed: int, widening: Widening, *, scatter: float, bias: float = 0.0, number: int = 400
) -> list[Judgement]:
    """Judge truths about centres that 16 samples scatter around, all by 1 if `scatter` is."""
    draws = np.random.default_rng(seed)
    intervals = Intervals.of(widening, "flux", 21.0)
    rows = draws.normal(size=(number, 17)) * np.r_[1.0, np.full(16, scatter)]
    rows[:, 0] += bias
    return [judge(row, intervals, draws, draws) for row in rows]


def uniform(found: list[Judgement], name: str) -> float:
    return float(stats.kstest([getattr(one, name) for one in found], "uniform").pvalue)


def held(found: list[Judgement]) -> list[float]:
    inside = [np.abs(one.apart - one.shift) <= one.factor for one in found]
    return list(np.mean(inside, axis=0))


def test_right_samples_are_uniform_as_they_are() -> None:
    found = judgements(1, Widening(), scatter=1.0)
    assert uniform(found, "rank") > 0.01
    assert uniform(found, "told") > 0.01
    assert held(found) == pytest.approx(list(SHARES), abs=0.05)


@pytest.mark.parametrize(("scatter", "bias"), [(0.4, 0.0), (1.0, 0.8), (0.4, -0.8)])
def test_wrong_samples_are_uniform_once_they_are_moved_and_widened(
    scatter: float, bias: float
) -> None:
    other = judgements(2, Widening(), scatter=scatter, bias=bias)
    assert uniform(other, "rank") < 1e-6
    assert max(held(other)) < 0.93
    apart = np.array([one.apart for one in other])
    card = Widening.measured({"flux": apart}, np.full(len(apart), 21.0), ["flux"])
    assert (card.shift_of("flux", 21.0) != 0) == (bias != 0)
    found = judgements(3, card, scatter=scatter, bias=bias)
    assert held(found) == pytest.approx(list(SHARES), abs=0.05)
    assert uniform(found, "told") > 0.01
    # Ranks are of the samples as they are.
    assert uniform(found, "rank") < 1e-6


def test_what_is_counted_keeps_its_ranks() -> None:
    draws = np.random.default_rng(0)
    widening = Intervals(np.full(2, 0.5), np.full(2, 2.0))
    row = draws.poisson(2.0, 17).astype(float)
    found = judge(row, widening, draws, draws, counted=True)
    assert found.told == found.rank
    assert judge(row, widening, draws, draws).told != found.rank


def test_samples_of_one_mind_and_those_that_are_not_defined() -> None:
    draws = np.random.default_rng(0)
    for truth, expected in ((1.0, 0.0), (2.0, np.inf), (0.0, -np.inf)):
        found = judge(np.r_[truth, np.ones(16)], PLAIN, draws, draws)
        assert found.apart.tolist() == [expected] * 2
    nothing = judge(np.r_[1.0, np.nan, np.ones(15)], PLAIN, draws, draws)
    assert np.isnan([nothing.rank, nothing.told, *nothing.apart]).all()
