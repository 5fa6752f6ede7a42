"""Weights of draws: resampling, effective numbers, and the tail that can't be trusted."""

import numpy as np
import pytest
from scipy.stats import genpareto

from clumpygan.fitting.sampling.draws import Draws, effective_number, kish, pareto_k, resample


def test_resampling_follows_the_weights():
    weights = np.array([0.1, 0.0, 0.4, 0.5])
    places = resample(np.random.default_rng(1), weights, 1000)
    np.testing.assert_allclose(np.bincount(places, minlength=4) / 1000, weights, atol=0.001)


def test_resampling_is_right_on_average_however_few_are_drawn():
    weights = np.array([0.7, 0.3])
    # Of one draw the offset alone decides: without it the first would always be taken.
    first = [resample(np.random.default_rng(seed), weights, 1)[0] for seed in range(4000)]
    assert np.mean(first) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 4000) ** 0.5)


def test_effective_numbers_are_those_of_the_error_of_the_mean():
    generator = np.random.default_rng(2)
    x = generator.standard_normal((4000, 300, 1))
    weights = np.exp(0.6 * x[..., 0])
    means = np.array([w @ one[:, 0] / w.sum() for w, one in zip(weights, x, strict=True)])
    numbers = [effective_number(w, one)[0] for w, one in zip(weights, x, strict=True)]
    # The weighted draws are those of a normal distribution around 0.6.
    assert np.mean(means) == pytest.approx(0.6, abs=0.02)
    assert np.median(numbers) == pytest.approx(1 / means.var(), rel=0.2)


def test_equal_weights_are_all_effective():
    x = np.random.default_rng(3).standard_normal((500, 2))
    np.testing.assert_allclose(effective_number(np.ones(500), x), 500)
    assert kish(np.full(500, -3.0)) == pytest.approx(500)


@pytest.mark.parametrize("shape", [-0.2, 0.2, 0.5, 0.9])
def test_pareto_k_is_that_of_the_tail(shape):
    seen = [
        pareto_k(np.log(genpareto.rvs(shape, size=4000, random_state=seed) + 1e-3))
        for seed in range(30)
    ]
    assert np.mean(seen) == pytest.approx(shape, abs=0.08)


def test_pareto_k_of_too_few_or_equal_weights():
    assert pareto_k(np.zeros(500)) == -np.inf
    assert pareto_k(np.arange(10.0)) == np.inf
    # One that has everything.
    assert pareto_k(np.where(np.arange(500) == 7, 0.0, -1e4)) == np.inf


def test_quantiles_are_weighted():
    x = np.linspace(0, 1, 1001)[:, None]
    weights = x[:, 0] / x.sum()
    draws = Draws("importance", x, weights, np.ones(1))
    # The distribution function is x^2.
    np.testing.assert_allclose(
        draws.quantiles(x, (0.16, 0.5))[:, 0], np.sqrt([0.16, 0.5]), atol=2e-3
    )
    equal = x[draws.equal_places(np.random.default_rng(4))]
    assert equal.shape == x.shape
    np.testing.assert_allclose(np.median(equal), np.sqrt(0.5), atol=3e-3)
    flat = Draws("laplace", x, np.full(1001, 1 / 1001), np.ones(1))
    assert (flat.equal_places(np.random.default_rng(5)) == np.arange(1001)).all()
