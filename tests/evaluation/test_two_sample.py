import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.frechet import scale_of
from clumpygan.evaluation.realism.two_sample import (
    cross_validated,
    feature_classifier,
    ks_distances,
    mean_wasserstein,
    mmd,
    squared_distances,
    wasserstein_distances,
)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def sets(generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two equal sets and one whose first feature is shifted by two standard deviations."""
    a, b, shifted = generator.normal(size=(3, 150, 4))
    shifted[:, 0] += 2.0
    return a, b, shifted


def test_ks_is_scipys_and_leaves_nan_out(sets):
    a, b, shifted = sets
    a[:10, 1] = np.nan
    tests = ks_distances(a, shifted)
    expected = ks_2samp(a[10:, 1], shifted[:, 1], method="asymp")
    assert tests[1] == pytest.approx((expected.statistic, expected.pvalue))
    assert tests[0].statistic > 0.6
    assert tests[0].p_value < 1e-6
    assert all(test.p_value > 1e-3 for test in ks_distances(a, b))
    a[:, 2] = np.nan
    assert np.isnan(ks_distances(a, b)[2]).all()


def test_distances_are_scipys(sets):
    a, b, _ = sets
    np.testing.assert_allclose(squared_distances(a, b), cdist(a, b) ** 2, rtol=1e-9, atol=1e-9)


def test_mmd_is_the_formula(sets, generator):
    a, _, b = sets
    b = b[:120]
    mean, scatter = b.mean(axis=0), b.std(axis=0)
    x, y = (a - mean) / scatter, (b - mean) / scatter
    both = np.concatenate([x, y])
    squares = cdist(both, both) ** 2
    kernel = np.exp(-squares / (2 * np.median(squares[np.triu_indices(len(both), 1)])))
    xx, yy, xy = kernel[:150, :150], kernel[150:, 150:], kernel[:150, 150:]
    expected = (xx.sum() - 150) / (150 * 149) + (yy.sum() - 120) / (120 * 119) - 2 * xy.mean()
    found = mmd(a, b, generator)
    assert expected > 0.05
    assert found.statistic == pytest.approx(expected, rel=1e-3)
    assert found.p_value == pytest.approx(1 / 501)


def test_mmd_of_equal_sets_is_about_nought(generator):
    tests = [mmd(*generator.normal(size=(2, 40, 3)), generator) for _ in range(40)]
    p_values = [test.p_value for test in tests]
    assert abs(np.mean([test.statistic for test in tests])) < 0.01
    # p-values of true hypotheses are uniform
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) < 0.1) < 0.3


def test_classifier_finds_a_difference_and_none_where_there_is_none(sets, generator):
    a, b, shifted = sets
    equal, unequal = feature_classifier(a, b, generator), feature_classifier(a, shifted, generator)
    assert equal.value == pytest.approx(0.5, abs=0.1)
    # the best classifier of two normal distributions 2 sigma apart is right in 84 %
    assert unequal.value == pytest.approx(0.81, abs=0.06)
    assert unequal.error == pytest.approx(np.sqrt(unequal.value * (1 - unequal.value) / 300), 0.02)
    assert feature_classifier(a, a + 100.0, generator).value == 1.0


def test_a_larger_set_gives_no_advantage(generator):
    a, b = generator.normal(size=(400, 3)), generator.normal(size=(60, 3))
    assert feature_classifier(a, b, generator).value == pytest.approx(0.5, abs=0.15)


def test_classifier_depends_on_the_seed_alone(sets):
    a, b, _ = sets
    first, second = (feature_classifier(a, b, np.random.default_rng(3)) for _ in range(2))
    assert first == second


def test_every_sample_is_tested_once_by_what_has_not_seen_it(generator):
    a, b = np.arange(20.0)[:, None], np.arange(20.0, 40.0)[:, None]
    tested = []

    def predict(train, labels, test):
        assert not set(train.ravel()) & set(test.ravel())
        assert labels.mean() == 0.5
        assert ((train.ravel() < 20) == (labels == 1)).all()
        tested.extend(test.ravel())
        return (test.ravel() < 20).astype(int)

    accuracy = cross_validated(a, b, predict, 4, generator)
    assert sorted(tested) == list(range(40))
    assert accuracy.value == 1.0
    assert accuracy.error > 0.0


def test_too_few_galaxies_are_refused(generator):
    with pytest.raises(InputError, match="9 galaxies in a set: expected 10 or more"):
        feature_classifier(np.zeros((9, 2)), np.zeros((30, 2)), generator)
    with pytest.raises(InputError, match="sets of 1 and 30 galaxies: expected at least 2"):
        mmd(np.zeros((1, 2)), np.zeros((30, 2)), generator)


def test_wasserstein_is_the_shift_in_units_of_the_scatter(sets, generator):
    a, b, shifted = sets
    distances = wasserstein_distances(shifted, a, scale_of(a))
    assert distances[0] == pytest.approx((shifted[:, 0].mean() - a[:, 0].mean()) / a[:, 0].std())
    assert distances[1:].max() < 0.35
    # Of equally many: the mean difference of the sorted values.
    expected = np.abs(np.sort(a[:, 1]) - np.sort(b[:, 1])).mean() / a[:, 1].std()
    assert wasserstein_distances(b, a)[1] == pytest.approx(expected)
    equal, apart = (mean_wasserstein(one, a, generator) for one in (b, shifted))
    assert equal.value == pytest.approx(2 / np.sqrt(150), rel=0.4)
    assert apart.value > equal.value + 5 * apart.error > 0
