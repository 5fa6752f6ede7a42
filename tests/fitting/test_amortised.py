"""Draws of a trained posterior: corrected, uncorrected, and refused."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from clumpygan.errors import InputError
from clumpygan.fitting import (
    AmortisedPosterior,
    DiskFitter,
    NoiseSettings,
    ObservedFrame,
    SamplerSettings,
)
from clumpygan.fitting.amortised_choices import coordinates_of
from clumpygan.fitting.amortised_draws import draw_amortised
from clumpygan.fitting.choices import ParameterChoices
from clumpygan.fitting.draws import kish
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel
from clumpygan.instruments.cube_noise import MUSE_CORRELATION
from clumpygan.instruments.spread import GaussianPSF
from tests.fitting.amortised_toys import DOMAIN, MODEL, GaussianNetwork

FREE = DOMAIN.coordinates
GALAXY = {
    "flux": 400.0,
    "offset_x": 0.1,
    "offset_y": -0.05,
    "systemic_velocity": -20.0,
    "half_light_radius": 0.6,
    "inclination": 55.0,
    "position_angle": 200.0,
    "maximum_velocity": 180.0,
    "turnover_radius": 0.2,
    "velocity_dispersion": 50.0,
}


def _frame(shape=(16, 16, 16), falling=False, correlation=None):
    grid = CubeGrid.velocities(shape, 0.25, -60.0 if falling else 60.0, line_spread=30.0)
    psf = partial(GaussianPSF(0.7).transfer, wavelength=7000.0)
    return ObservedFrame(grid, psf, 0.7, correlation)


FRAME = _frame()


def _cube(frame=FRAME, sigma=1.0, seed=0, **changes):
    values = np.array([(GALAXY | changes)[name] for name in FREE.names])
    vector = FREE.with_values(values)
    clean = CubeRenderer(frame.grid, MODEL, frame.transfer, 1e-4)(vector[None])[0]
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    return sigma * (clean + noise), np.full(clean.shape, sigma**2)


def _fitter(posterior, frame=FRAME, sampler=None, **more):
    return DiskFitter(
        MODEL, frame, sampler=sampler or SamplerSettings("amortised"), posterior=posterior, **more
    )


@pytest.fixture(scope="module")
def known():
    """The posterior of a cube by importance, and a network that has learnt roughly that."""
    cube, variance = _cube(sigma=2.0)
    blank = AmortisedPosterior(GaussianNetwork(np.zeros(10), np.eye(10)), DOMAIN)
    fitter = _fitter(blank)
    view = blank.view(fitter.observe(cube, variance))
    coordinates = coordinates_of(blank, view, fitter.choices)
    priors = dict(zip(coordinates.names, coordinates.priors, strict=True))
    wanted = SamplerSettings("importance", wanted=1500, most=8000)
    exact = DiskFitter(MODEL, FRAME, priors=priors, sampler=wanted).fit(cube, variance)
    assert exact.converged, exact.problems
    values = exact.coordinates.values(exact.draws.coordinates)
    turned = view.orientation.turn_values(FREE.names, values)
    turned[:, FREE.names.index("flux")] /= view.sigma
    u = FREE.coordinates(FREE.with_values(turned))
    mean = exact.draws.weights @ u
    spread = np.cov(u.T, aweights=exact.draws.weights)
    network = GaussianNetwork(mean + 0.3 * np.sqrt(np.diag(spread)), 1.5 * spread)
    return SimpleNamespace(
        cube=cube, variance=variance, exact=exact, posterior=AmortisedPosterior(network, DOMAIN)
    )


def test_correction_makes_a_rough_network_exact(known):
    sampler = SamplerSettings("amortised", wanted=700, most=8000)
    result = _fitter(known.posterior, sampler=sampler).fit(known.cube, known.variance, seed=1)
    assert result.converged, result.problems
    assert result.draws.method == "amortised"
    assert 700 <= result.table["effective"].min() < len(result.samples)
    assert 0.1 < result.draws.efficiency < 0.9
    exact = known.exact.table
    error = exact["deviation"] * np.sqrt(1 / result.table["effective"] + 1 / exact["effective"])
    assert (np.abs(result.table["mean"] - exact["mean"]) < 4 * error).all()
    np.testing.assert_allclose(result.table["deviation"], exact["deviation"], rtol=0.2)
    assert result.log_evidence == pytest.approx(known.exact.log_evidence, abs=0.3)
    priors = list(zip(result.table["prior"], exact["prior"], strict=True))
    assert [a == b for a, b in priors] == [name != "position_angle" for name in exact["name"]]
    truth = np.array([(GALAXY | {"flux": 800.0})[name] for name in result.table["name"]])
    assert (np.abs(result.table["mean"] - truth) < 4 * exact["deviation"]).all()


def test_without_correction_one_cube_is_rendered_and_the_network_is_believed(known):
    sampler = SamplerSettings("amortised", correct=False)
    result = _fitter(known.posterior, sampler=sampler).fit(known.cube, known.variance, seed=1)
    assert result.converged, result.problems
    assert result.evaluations <= 2
    assert result.log_evidence is None
    assert result.settings["sampler"]["correct"] is False
    away = (result.table["mean"] - known.exact.table["mean"]) / known.exact.table["deviation"]
    assert 0.15 < np.abs(away).max() < 0.8  # as the network was made
    assert result.reduced_chi_squared == pytest.approx(1, abs=0.1)


def test_the_answer_doesnt_depend_on_mirror_images_or_units(known):
    """Cubes mirrored, reversed and in other units are the same to the network."""
    sampler = SamplerSettings("amortised", correct=False)
    plain = _fitter(known.posterior, sampler=sampler).fit(known.cube, known.variance)
    falling = _fitter(known.posterior, _frame(falling=True), sampler).fit(
        5 * known.cube[::-1], 25 * known.variance
    )
    names = plain.table["name"].tolist()
    scale = np.where(np.array(names) == "flux", 5.0, 1.0)
    np.testing.assert_allclose(falling.table["median"], scale * plain.table["median"], rtol=1e-5)
    mirrored = _fitter(known.posterior, sampler=sampler).fit(known.cube[:, :, ::-1], known.variance)
    rows, away = (dict(zip(names, one.table["median"], strict=True)) for one in (mirrored, plain))
    assert rows["position_angle"] == pytest.approx(360 - away["position_angle"], abs=1e-6)
    assert rows["offset_x"] == pytest.approx(-away["offset_x"], abs=1e-9)
    assert rows["inclination"] == pytest.approx(away["inclination"], abs=1e-6)


def test_a_larger_cube_is_cut_around_the_galaxy(known):
    frame = _frame((22, 27, 24))
    cube, variance = _cube(frame, offset_x=0.6, offset_y=-0.8, systemic_velocity=130.0)
    sampler = SamplerSettings("amortised", correct=False)
    fitter = _fitter(known.posterior, frame, sampler)
    view = known.posterior.view(fitter.observe(cube, variance))
    assert view.cube.shape == (16, 16, 16)
    assert view.middle["offset_x"] == pytest.approx(0.6, abs=0.3)
    assert view.middle["offset_y"] == pytest.approx(-0.8, abs=0.3)
    assert view.middle["systemic_velocity"] == pytest.approx(130, abs=61)
    result = fitter.fit(cube, variance)
    rows = dict(zip(result.table["name"], result.table["median"], strict=True))
    # The network's answer is where it looks, not where the galaxy is in the whole cube.
    seen = known.posterior.values(known.posterior.network.mean.numpy(), view)
    assert rows["offset_x"] == pytest.approx(seen[1], abs=0.02)
    assert rows["systemic_velocity"] == pytest.approx(seen[3], abs=3)


def test_the_correction_of_a_gaussian_toy_is_exact():
    generator = np.random.default_rng(4)
    axes = generator.standard_normal((10, 10)) * 0.1
    true = multivariate_normal(0.2 * np.ones(10), axes @ axes.T + 0.05 * np.eye(10))
    network = GaussianNetwork(true.mean + 0.05, 1.3 * true.cov)
    posterior = AmortisedPosterior(network, DOMAIN)
    observation = _fitter(posterior).observe(*_cube())
    view = posterior.view(observation)
    coordinates = coordinates_of(posterior, view, ParameterChoices())

    def canonical(u):
        values = coordinates.values(u)
        turned = view.orientation.turn_values(FREE.names, values)
        turned[FREE.names.index("flux")] /= view.sigma
        return FREE.coordinates(FREE.with_values(turned))

    target = SimpleNamespace(
        coordinates=coordinates,
        residuals=lambda u: np.zeros(3, np.float32),
        log_density=lambda u, residuals=None: 7.5 + float(true.logpdf(canonical(u))),
    )
    draws, optimum = draw_amortised(
        posterior, view, target, np.random.default_rng(5), 2000, 20_000, True
    )
    own = posterior.draw([view], 4000, torch.Generator().manual_seed(0))[0][0]
    kept = kish(true.logpdf(own) - multivariate_normal(network.mean, 1.3 * true.cov).logpdf(own))
    assert draws.efficiency == pytest.approx(kept / 4000, rel=0.2)
    assert not draws.problems
    assert draws.log_evidence == pytest.approx(7.5, abs=0.05)
    u = np.array([canonical(one) for one in draws.coordinates])
    error = np.sqrt(np.diag(true.cov) / draws.effective.min())
    assert (np.abs(draws.weights @ u - true.mean) < 4 * error).all()
    spread = np.cov(u.T, aweights=draws.weights)
    np.testing.assert_allclose(np.diag(spread), np.diag(true.cov), rtol=0.2)
    assert optimum.log_density <= 7.5 + true.logpdf(true.mean)


def test_where_the_network_is_too_rough_importance_sampling_takes_over(known):
    network = known.posterior.network
    rough = GaussianNetwork(network.mean, 6 * network.root @ network.root.T)
    fitter = _fitter(AmortisedPosterior(rough, DOMAIN))
    result = fitter.fit(known.cube, known.variance)
    assert result.converged, result.problems
    assert result.draws.method == result.summary()["drawn_by"] == "importance"
    assert result.draws.efficiency < 0.1
    exact = known.exact.table
    error = exact["deviation"] * np.sqrt(1 / result.table["effective"] + 1 / exact["effective"])
    assert (np.abs(result.table["mean"] - exact["mean"]) < 4 * error).all()


def test_a_bad_network_is_found_out(known):
    wrong = GaussianNetwork(known.posterior.network.mean + 1.5, 0.01 * np.eye(10))
    posterior = AmortisedPosterior(wrong, DOMAIN)
    sampler = SamplerSettings("amortised", most=400)
    result = _fitter(posterior, sampler=sampler).fit(known.cube, known.variance)
    assert any("effective draws" in problem for problem in result.problems)
    assert result.evaluations <= 402
    quick = _fitter(posterior, sampler=replace(sampler, correct=False))
    problems = quick.fit(*_cube(flux=2900.0)).problems
    assert any("isn't like those that the trained posterior knows" in one for one in problems)


def test_a_prior_of_ones_own_is_weighted_in(known):
    # Narrow, and off by two sigma: the answer goes there.
    row = known.exact.table[known.exact.table["name"] == "maximum_velocity"][0]
    centre, width = row["mean"] + 2 * row["deviation"], row["deviation"]
    fitter = _fitter(
        known.posterior,
        sampler=SamplerSettings("amortised", wanted=300, most=8000),
        priors={"maximum_velocity": f"normal:{centre}:{width}"},
    )
    result = fitter.fit(known.cube, known.variance)
    found = result.table[result.table["name"] == "maximum_velocity"][0]
    assert found["mean"] == pytest.approx(row["mean"] + row["deviation"], abs=0.35 * width)
    assert 0.55 * width < found["deviation"] < 0.95 * width
    assert "normal" in found["prior"]


def test_many_cubes_at_once(known):
    fitter = _fitter(known.posterior)
    observations = [fitter.observe(*_cube(sigma=sigma)) for sigma in (1.0, 3.0)]
    samples = known.posterior.samples(observations, 400, seed=3)
    assert samples.shape == (2, 400, 10)
    flux = FREE.names.index("flux")
    assert samples[1, :, flux].mean() == pytest.approx(3 * samples[0, :, flux].mean(), rel=0.02)
    angle = samples[..., FREE.names.index("position_angle")]
    assert 0 <= angle.min() <= angle.max() < 360
    assert np.median(angle) == pytest.approx(200, abs=8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fixed": {"inclination": 60.0}}, "inclination isn't; disk_posterior was trained"),
        ({"free": ["g1", "g2"]}, "g1 is free; disk_posterior was trained"),
        ({"fixed": {"sersic_index": 2.0}}, "sersic_index is fixed at 2"),
        ({"fixed": {"scale_height": 0.1}}, "scale_height is fixed at 0.1"),
        ({"tied": {"scale_height": "0.3*half_light_radius"}}, "scale_height tied"),
        ({"starts": {"inclination": 60.0}}, "starting values"),
        ({"model": DiskModel(curve="tanh")}, "a model with curve tanh"),
        ({"posterior": None}, "needs a trained posterior"),
        ({"sampler": SamplerSettings("laplace")}, "expected 'amortised'"),
        (
            {
                "sampler": SamplerSettings("amortised", correct=False),
                "priors": {"inclination": "normal:60:5"},
            },
            "priors of one's own and draws without correction",
        ),
        (
            {
                "sampler": SamplerSettings("amortised", correct=False),
                "noise": NoiseSettings(robust="huber"),
            },
            "a robust likelihood",
        ),
    ],
)
def test_settings_that_the_network_doesnt_know_are_refused(settings, message):
    network = GaussianNetwork(np.zeros(10), np.eye(10))
    arguments = {
        "model": MODEL,
        "instrument": FRAME,
        "sampler": SamplerSettings("amortised"),
        "posterior": AmortisedPosterior(network, DOMAIN),
    }
    with pytest.raises(InputError, match=message):
        DiskFitter(**(arguments | settings))


def test_cubes_that_the_network_doesnt_know_are_refused(known):
    fitter = _fitter(known.posterior)
    cube, variance = _cube()
    uneven = variance * np.linspace(0.3, 3, 16)[:, None, None]
    with pytest.raises(InputError, match=r"the noise varies by .* use another method"):
        fitter.fit(cube, uneven)
    with pytest.raises(InputError, match="6 % of the voxels are masked"):
        fitter.fit(cube, variance, mask=np.arange(16) == 3)
    bright = replace(known.posterior, domain=replace(DOMAIN, brightest=(0.5, 20.0)))
    with pytest.raises(InputError, match=r"brightest voxel is .* times the noise"):
        _fitter(bright).fit(*_cube(flux=20_000.0))
    with pytest.raises(InputError, match=r"prior .* of maximum_velocity reaches beyond 50 to 300"):
        _fitter(known.posterior, priors={"maximum_velocity": "normal:280:60"}).fit(cube, variance)


def test_correlated_noise_counts_in_sums(known):
    frame = _frame(correlation=MUSE_CORRELATION)
    view = known.posterior.view(_fitter(known.posterior, frame).observe(*_cube()))
    assert view.sigma == pytest.approx(np.sqrt(MUSE_CORRELATION.sum()))
    assert view.conditions[-1] == pytest.approx(1.0)


def test_a_card_without_a_domain_is_refused():
    with pytest.raises(InputError, match="doesn't say what it was trained on"):
        AmortisedPosterior.of(None, {"images": {}})
