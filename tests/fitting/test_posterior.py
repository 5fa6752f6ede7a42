"""Draws follow the posterior: of a density that is known, and of a mock, by all methods."""

import itertools
import sys
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting import SamplerSettings
from clumpygan.fitting.optimize import Optimum, find_optimum
from clumpygan.fitting.sampling.draws import LARGEST_PARETO_K
from clumpygan.fitting.sampling.emulator import Emulator, Whitening, evaluate, monomials
from clumpygan.fitting.sampling.importance import draw_importance
from clumpygan.fitting.sampling.mixture import Component, Mixture
from clumpygan.fitting.sampling.nuts import WhitenedDensity
from clumpygan.fitting.sampling.posterior import draw_laplace, draw_posterior
from tests.fitting.test_target import make_target


class Curved:
    """A posterior whose residuals are a polynomial: a banana of unit evidence.

    A standard normal density of (a, b - bend (a^2 - 1), c, ...), times the prior's.
    """

    def __init__(self, dimensions: int, bend: float) -> None:
        self.bend = bend
        names = tuple(f"x{k}" for k in range(dimensions))
        self.coordinates = SimpleNamespace(count=dimensions, names=names)
        self.likelihood = SimpleNamespace(weights=lambda z: None)
        self.scale = 0.1

    def residuals_at(self, places):
        return map(self.residuals, places)

    def residuals(self, u):
        y = u / self.scale
        y = np.concatenate([y[:1], y[1:2] - self.bend * (y[0] ** 2 - 1), y[2:]])
        return np.concatenate([y, np.zeros(30)]).astype(np.float32)

    def log_density(self, u, residuals=None):
        z = self.residuals(u).astype(float)
        normal = -len(u) * (np.log(self.scale) + 0.5 * np.log(2 * np.pi))
        return -0.5 * float(z @ z) + normal

    def optimum(self):
        u = np.zeros(self.coordinates.count)
        u[1] = -self.bend * self.scale
        z = self.residuals(u)
        hessian = np.eye(len(u)) / self.scale**2
        return Optimum(u, self.log_density(u, z), z, hessian, True, 3, 0.0)


@pytest.fixture(scope="module")
def fitted(mock):
    """A target of ten parameters, and its optimum."""
    target = make_target(mock, 3e-3, fixed={"sersic_index": 1.0})
    return target, find_optimum(target, [target.coordinates.coordinates(mock.vector)])


def test_monomials():
    assert monomials(3, 2) == [
        (), (0,), (1,), (2,), (0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2),
    ]  # fmt: skip
    x = np.random.default_rng(1).standard_normal((7, 6))
    terms = monomials(6, 4)
    expected = np.stack([np.prod(x[:, list(term)], axis=1) for term in terms], axis=1)
    np.testing.assert_allclose(evaluate(x, terms), expected)
    # The third degree in five directions, the fourth in three.
    assert max(term[-1] for term in terms if len(term) == 3) == 4
    assert max(term[-1] for term in terms if len(term) == 4) == 2


def test_an_emulator_knows_the_posterior(fitted):
    target, optimum = fitted
    whitening = Whitening(optimum.coordinates, optimum.covariance)
    # Widest first, and standard normal in the Laplace approximation.
    lengths = np.sqrt((whitening.axes**2).sum(0))
    assert (np.diff(lengths) < 0).all()
    np.testing.assert_allclose(whitening.axes @ whitening.axes.T, optimum.covariance, rtol=1e-6)
    # Around a place that isn't the optimum, so that there is a slope.
    aside = whitening.coordinates(np.array([0.0, -1.0, 1.0, -1.0, 0, 0, 0, 0, 0, 0]))
    residuals = target.residuals(aside)
    optimum = replace(
        optimum,
        coordinates=aside,
        residuals=residuals,
        log_density=target.log_density(aside, residuals),
    )
    whitening = Whitening(optimum.coordinates, optimum.covariance)
    emulator = Emulator(target, optimum)
    generator = np.random.default_rng(2)
    emulator.add(whitening.coordinates(generator.standard_normal((150, 10))))
    polynomial = emulator.fit(whitening)
    places = whitening.coordinates(generator.standard_normal((30, 10)))
    exact = emulator.add(places) - optimum.log_density
    assert np.ptp(exact) > 5
    np.testing.assert_allclose(polynomial(places), exact, atol=0.4)
    assert emulator.count == 180


def test_whitened_coordinates_are_the_same_whatever_signs_eigenvectors_come_with(monkeypatch):
    covariance = np.array([[2.0, 1.0, 0.1], [1.0, 2.0, 0.1], [0.1, 0.1, 0.5]])
    plain, eigh = Whitening(np.zeros(3), covariance), np.linalg.eigh
    for signs in itertools.product((-1, 1), repeat=3):

        def other_library(matrix, signs=signs):
            values, vectors = eigh(matrix)
            # Another order of sums: components that are equal differ by rounding.
            return values, vectors * signs * (1 + 1e-15 * np.arange(3)[:, None])

        monkeypatch.setattr(np.linalg, "eigh", other_library)
        other = Whitening(np.zeros(3), covariance)
        np.testing.assert_allclose(other.axes, plain.axes, rtol=0, atol=1e-13)
    np.testing.assert_allclose(plain.axes @ plain.axes.T, covariance)


def test_importance_draws_are_those_of_a_banana_of_known_moments():
    target = Curved(5, 0.6)
    draws = draw_importance(
        target,
        target.optimum(),
        SamplerSettings(wanted=3000, most=20_000),
        np.random.default_rng(3),
    )
    assert draws.problems == ()
    assert draws.effective.min() >= 3000
    assert draws.pareto_k < LARGEST_PARETO_K
    x = draws.coordinates / target.scale
    mean = draws.weights @ x
    np.testing.assert_allclose(mean, 0, atol=4 / np.sqrt(3000) * 1.5)
    variance = draws.weights @ (x - mean) ** 2
    # Of b: 1 + Var(0.6 a^2) = 1 + 0.36 * 2.
    np.testing.assert_allclose(variance, [1, 1.72, 1, 1, 1], rtol=0.15)
    third = draws.weights @ (x[:, 0] ** 2 * x[:, 1])
    assert third == pytest.approx(0.6 * 2, abs=0.3)
    # The evidence of the normalised density is 1, with the prior left out.
    correction = -0.5 * (draws.coordinates**2).sum(1)
    assert np.abs(correction).max() < 1
    assert draws.log_evidence == pytest.approx(0.0, abs=0.06)


@pytest.mark.parametrize(("dimensions", "seed"), [(4, 1), (4, 3), (8, 2)])
def test_posteriors_that_are_bent_are_drawn_to_their_ends(dimensions, seed):
    """They reach many times as far as the Laplace approximation, in a direction narrow there."""
    target = Curved(dimensions, 3.0 if dimensions == 4 else 2.0)
    generator = np.random.default_rng(seed)
    draws = draw_importance(target, target.optimum(), SamplerSettings(), generator)
    assert draws.problems == ()
    assert len(draws.weights) < 1500
    x = draws.coordinates / target.scale
    variance = draws.weights @ (x - draws.weights @ x) ** 2
    assert variance[0] == pytest.approx(1, abs=0.2)
    assert variance[1] == pytest.approx(1 + 2 * target.bend**2, rel=0.4)
    assert draws.log_evidence == pytest.approx(0.0, abs=0.1)


def test_the_error_of_the_evidence_has_that_of_the_proposals_integrals():
    """Equal weights don't scatter, but the density drawn from is known as well as its pool."""
    places = np.linspace(-1, 1, 50)[:, None]
    for pool, expected in ((100.0, 0.01), (np.inf, 0.0)):
        mixture = Mixture(1)
        density = Component(lambda u: -np.abs(u[:, 0]), 0.0, pool)
        mixture.add(density, places, density.log_density(places))
        assert mixture.evidence_variance() == pytest.approx(expected, abs=1e-12)


def test_laplace_draws_and_evidence():
    target = Curved(4, 0.0)
    draws = draw_laplace(target.optimum(), np.random.default_rng(4), 20_000)
    np.testing.assert_allclose(np.cov(draws.coordinates.T) / 0.01, np.eye(4), atol=0.05)
    np.testing.assert_allclose(draws.coordinates.mean(0), 0, atol=0.005)
    assert draws.log_evidence == pytest.approx(0.0, abs=1e-6)
    assert draws.problems == ()


def test_too_few_draws_are_a_problem():
    target = Curved(5, 0.6)
    draws = draw_importance(
        target, target.optimum(), SamplerSettings(most=150), np.random.default_rng(5)
    )
    assert any("effective draws of x" in one and "fewer than 400" in one for one in draws.problems)


def test_weights_with_a_heavy_tail_are_a_problem(monkeypatch):
    monkeypatch.setattr("clumpygan.fitting.sampling.mixture.pareto_k", lambda _: 0.9)
    target = Curved(3, 0.1)
    draws = draw_importance(
        target, target.optimum(), SamplerSettings(most=600), np.random.default_rng(6)
    )
    assert draws.problems[0] == "Pareto k of the importance weights is 0.90, above 0.7"


def test_importance_and_laplace_agree_on_a_mock(fitted):
    target, optimum = fitted
    generator = np.random.default_rng(7)
    exact = draw_posterior(target, optimum, SamplerSettings(), generator)
    rough = draw_posterior(target, optimum, SamplerSettings("laplace"), generator)
    assert exact.problems == ()
    errors = rough.coordinates.std(0)
    mean = exact.weights @ exact.coordinates
    assert (np.abs(mean - optimum.coordinates) < 0.6 * errors).all()
    spread = np.sqrt(exact.weights @ (exact.coordinates - mean) ** 2)
    np.testing.assert_allclose(spread, errors, rtol=0.3)
    assert exact.log_evidence == pytest.approx(rough.log_evidence, abs=0.6)


def test_the_gradient_of_the_density_on_tensors(fitted):
    target, optimum = fitted
    density = WhitenedDensity(
        target, Whitening(optimum.coordinates, optimum.covariance), np.random.default_rng(8)
    )
    x = np.random.default_rng(9).standard_normal(10)
    value, gradient = density(x)
    assert value == pytest.approx(target.log_density(density.whitening.coordinates(x)), abs=0.05)
    step = 0.02
    expected = [
        (density(x + step * e)[0] - density(x - step * e)[0]) / (2 * step) for e in np.eye(10)
    ]
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(gradient, expected, atol=0.03)


@pytest.mark.skipif(find_spec("nutpie") is None, reason="needs the extra fit")
@pytest.mark.parametrize(("wanted", "problem"), [(400, None), (4000, "fewer than 4000")])
def test_nuts_draws_are_those_of_the_density(monkeypatch, wanted, problem):
    monkeypatch.setattr(
        "clumpygan.fitting.sampling.nuts.WhitenedDensity",
        lambda *_: lambda x: (-0.5 * float(x @ x), -x),
    )
    monkeypatch.setattr(
        "clumpygan.fitting.sampling.nuts._EFFICIENCY", 0.4 if problem is None else 20.0
    )
    target = Curved(4, 0.0)
    draws = draw_posterior(
        target, target.optimum(), SamplerSettings("nuts", wanted), np.random.default_rng(10)
    )
    assert draws.r_hat.shape == draws.effective.shape == (4,)
    if problem is not None:
        assert any(problem in one for one in draws.problems)
        return
    assert draws.problems == ()
    assert (draws.r_hat < 1.01).all()
    np.testing.assert_allclose(draws.coordinates.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(draws.coordinates.std(0), 0.1, rtol=0.12)


@pytest.mark.skipif(find_spec("nutpie") is None, reason="needs the extra fit")
def test_chains_that_differ_are_a_problem(monkeypatch):
    class TwoPeaks:
        """Two narrow peaks far apart."""

        def __init__(self, *_):
            pass

        def __call__(self, x):
            middle = np.where(x[0] > 0, 30.0, -30.0) * (np.arange(len(x)) == 0)
            return -0.5 * float((x - middle) @ (x - middle)), middle - x

    monkeypatch.setattr("clumpygan.fitting.sampling.nuts.WhitenedDensity", TwoPeaks)
    target = Curved(2, 0.0)
    draws = draw_posterior(
        target, target.optimum(), SamplerSettings("nuts"), np.random.default_rng(11)
    )
    assert any("R-hat of x0 is" in one and "above 1.01" in one for one in draws.problems)


def test_nuts_asks_for_its_extra(mock, monkeypatch):
    monkeypatch.setattr("clumpygan.fitting.sampling.nuts.find_spec", lambda name: None)
    target = make_target(mock)
    optimum = Curved(10, 0.0).optimum()
    with pytest.raises(InputError, match=r"needs nutpie: install the extra, pip install"):
        draw_posterior(target, optimum, SamplerSettings("nuts"), np.random.default_rng(1))
    assert "nutpie" not in sys.modules or find_spec("nutpie")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "mcmc"}, "`method` is 'mcmc': expected one of importance, laplace, nuts"),
        ({"wanted": 0}, "`wanted` is 0: expected an integer from 1 to"),
        ({"most": 0}, "`most` is 0: expected an integer from 1 to"),
        ({"chains": 1}, "`chains` is 1: expected an integer from 2 to"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        SamplerSettings(**settings)
