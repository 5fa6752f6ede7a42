"""Probabilities of clumps are right if as many of them are true as they say."""

import numpy as np
import pytest

from clumpygan.evaluation.recovery.clump_reliability import Clumps, match_clumps
from tests.evaluation.test_sources import SCALE, point


def drawn(count, honest=True):
    """Return clumps of random probability that are true as often as it says, or always."""
    generator = np.random.default_rng(0)
    probability = generator.uniform(0.1, 1, count)
    real = generator.random(count) < probability if honest else np.ones(count, bool)
    return Clumps(probability, real, int(real.sum()) + 10, probability)


def test_honest_probabilities_have_no_error_and_others_have():
    honest, modest = drawn(4000), drawn(4000, honest=False)
    assert honest.calibration_error < 0.02
    assert modest.calibration_error == pytest.approx(0.45, abs=0.02)
    assert modest.purity == 1.0
    assert honest.purity == pytest.approx(0.75, abs=0.02)
    assert 0 < honest.completeness < 1
    assert honest.reliability[0]["n"] > 100


def test_clumps_of_samples_are_matched_with_those_of_the_truth():
    truth = point(55, 56, 1000) + point(70, 55, 200) + point(40, 30, 200)
    shown = point(55, 56, 1000) + point(70.5, 55, 200) + point(80, 80, 200)
    samples = np.stack([shown] * 6 + [point(55, 56, 1000)] * 2)
    found = match_clumps(samples, truth, 0.2, (55, 56), SCALE)
    assert found.true == 2
    assert sorted(zip(found.probability, found.real, strict=True)) == [(0.75, False), (0.75, True)]
    assert found.completeness == 0.5
    assert found.purity == 0.5


def test_no_clumps_have_no_rates():
    found = match_clumps(
        np.stack([point(55, 56, 1000)] * 4), point(55, 56, 1000), 0.2, (55, 56), SCALE
    )
    assert found.to_dict() == {
        "true": 0, "shown": 0, "completeness": None, "purity": None,
        "expected_calibration_error": None, "reliability": [],
    }  # fmt: skip
    assert str(Clumps.joined([found, found])).startswith("0 true")
