import numpy as np
import pytest
from scipy.linalg import sqrtm

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.frechet import (
    Scale,
    frechet_distance,
    frechet_extrapolated,
    scale_of,
)

UNIT = Scale(np.zeros(3), np.ones(3))


def exact(generator: np.random.Generator, number: int, mean, covariance) -> np.ndarray:
    """Draw features whose sample mean and covariance are exactly these."""
    draws = generator.normal(size=(number, len(mean)))
    draws -= draws.mean(axis=0)
    draws = draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws, rowvar=False))).T
    return draws @ np.linalg.cholesky(covariance).T + mean


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def test_distance_of_normal_distributions_is_the_formula(generator):
    factors = generator.normal(size=(2, 3, 3))
    covariances = [f @ f.T + 0.1 * np.eye(3) for f in factors]
    means = generator.normal(size=(2, 3))
    a, b = (exact(generator, 50, m, c) for m, c in zip(means, covariances, strict=True))
    shared = np.trace(sqrtm(covariances[0] @ covariances[1])).real
    expected = np.square(means[0] - means[1]).sum()
    expected += np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared
    assert expected > 1.0
    assert frechet_distance(a, b, UNIT) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a, UNIT) == pytest.approx(expected, rel=1e-9)


def test_a_shift_counts_in_standard_deviations_of_the_reference(generator):
    b = generator.normal(size=(400, 2)) * [1.0, 1000.0] + [3.0, -7.0]
    scale = scale_of(b)
    a = b + [2.0, 0.0] * scale.scatter
    assert frechet_distance(a, b) == pytest.approx(4.0, rel=1e-6)
    assert frechet_distance(b, b) == pytest.approx(0.0, abs=1e-9)


def test_constant_and_dependent_features_do_no_harm(generator):
    b = generator.normal(size=(30, 1)) * np.ones(4)
    b[:, 3] = 0.25
    a = b.copy()
    a[:, 3] += 1.0
    assert frechet_distance(a, b) == pytest.approx(1.0, rel=1e-6)


def test_distance_of_one_feature(generator):
    a, b = generator.normal(size=(2, 500, 1)) * [[[2.0]], [[1.0]]]
    expected = (a.mean() / b.std() - b.mean() / b.std()) ** 2
    expected += ((a.std(ddof=1) - b.std(ddof=1)) / b.std()) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_extrapolation_removes_the_bias(generator):
    features = 20
    biased, extrapolated = [], []
    for _ in range(6):
        a, b = generator.normal(size=(2, 300, features))
        biased.append(frechet_distance(a, b))
        extrapolated.append(frechet_extrapolated(a, b, generator))
    # the bias that the docstring states
    expected = features * (features + 5) / 4 * (1 / 300 + 1 / 300)
    assert np.mean(biased) == pytest.approx(expected, rel=0.15)
    assert abs(np.mean([one.value for one in extrapolated])) < 0.15 * expected
    assert all(0.0 < one.error < expected for one in extrapolated)
    shifted = frechet_extrapolated(a + 0.5, b, generator)
    assert shifted.value == pytest.approx(features * 0.25, rel=0.3)
    assert shifted.error < 1.0


@pytest.mark.parametrize(
    ("a", "b"), [((10, 3), (10, 4)), ((1, 3), (10, 3)), ((10, 3), (10,)), ((10, 3), (0, 3))]
)
def test_unequal_or_too_small_sets_are_refused(a, b):
    with pytest.raises(InputError, match=r"expected \(N, F\) and \(M, F\)"):
        frechet_distance(np.zeros(a), np.zeros(b))


def test_too_few_galaxies_to_extrapolate(generator):
    with pytest.raises(InputError, match="7 galaxies: expected 8"):
        frechet_extrapolated(np.zeros((7, 2)), np.zeros((9, 2)), generator)
