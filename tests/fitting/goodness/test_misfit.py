"""Errors include what the model gets wrong of a galaxy, and nothing where it is right."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from clumpygan.fitting import DiskFitter, NoiseSettings, SamplerSettings
from clumpygan.fitting.goodness.misfit import (
    Misfit,
    _of_kinds,
    _share_of_way,
    _told_of_modes,
)
from clumpygan.fitting.sampling.draws import Draws
from tests.fitting.conftest import FRAME, GRID, make_mock

LAPLACE = SamplerSettings("laplace")


def clumpy(mock, amplitude, seed):
    """Multiply the light by a field that is smooth over a beam, and the same at all velocities."""
    noise = np.random.default_rng(seed).standard_normal(GRID.shape[1:])
    field = ndimage.gaussian_filter(noise, 1.5)
    field *= amplitude / field.std()
    return mock.data + mock.clean * field


def fitted(data, mock, **choices):
    return DiskFitter(instrument=FRAME, sampler=LAPLACE, **choices).fit(data, mock.sigma**2)


def test_a_right_model_has_no_misfit(mock):
    verdict = fitted(mock.data, mock).verdict
    assert verdict.misfit == 1
    assert not any("the residuals allow" in text for text in verdict.remarks)


def test_clumps_widen_the_errors():
    mock = make_mock(8, 20.0)
    right, weak, strong = (fitted(clumpy(mock, a, 2), mock) for a in (0.0, 0.15, 0.4))
    assert right.verdict.misfit == 1 < weak.verdict.misfit < strong.verdict.misfit
    assert any("the residuals allow lumps of" in text for text in strong.verdict.remarks)
    assert (strong.table["deviation"] > 1.5 * right.table["deviation"]).all()
    # The draws give the same widths as the table.
    for row in strong.table:
        spread = np.subtract(*np.percentile(strong.samples[row["name"]], [84.13, 15.87]))
        assert spread == pytest.approx(row["upper"] - row["lower"], rel=0.15)


def test_draws_are_widened_about_their_mean():
    random = np.random.default_rng(0)
    x = random.standard_normal((4000, 2)) + 3
    draws = Draws("laplace", x, np.full(4000, 1 / 4000), np.full(2, 4000.0))
    assert Misfit().widened(draws, np.eye(2), random) is draws
    ends = np.array([[[1.0, 1.0], [1.0, 8.0]], [[7.0, 3.0], [3.0, 12.0]]])
    wide = Misfit(0.1, ends, 2.5).widened(draws, np.eye(2), random)
    np.testing.assert_allclose(wide.coordinates.mean(0), x.mean(0))
    np.testing.assert_allclose(np.cov(wide.coordinates.T), [[4, 2], [2, 10]], rtol=0.1, atol=0.1)
    assert replace(wide, coordinates=x).effective is draws.effective
    # Of draws that count unequally, too: each covariance has as much weight.
    weights = random.dirichlet(np.ones(4000))
    uneven = replace(draws, weights=weights)
    wide = Misfit(0.1, ends, 2.5).widened(uneven, np.eye(2), random)
    np.testing.assert_allclose(weights @ wide.coordinates, weights @ x)
    spread = np.cov(wide.coordinates.T, aweights=weights)
    np.testing.assert_allclose(spread, [[4, 2], [2, 10]], rtol=0.15, atol=0.15)


def test_draws_are_moved_by_what_residuals_say():
    random = np.random.default_rng(0)
    x = random.standard_normal((4000, 2))
    weights = random.dirichlet(np.ones(4000))
    draws = Draws("laplace", x, weights, np.full(2, 4000.0))
    covariances, shifts = np.stack([np.eye(2), 4 * np.eye(2)]), np.array([[1.0, 0.0], [5.0, -2.0]])
    still = Misfit(0.1, covariances, 1.5).widened(draws, np.eye(2), np.random.default_rng(1))
    moved = Misfit(0.1, covariances, 1.5, shifts).widened(
        draws, np.eye(2), np.random.default_rng(1)
    )
    away = moved.coordinates - still.coordinates
    # Each with the draws of its own covariance, which weigh as much as those of the other.
    for shift, covariance in zip(shifts, covariances, strict=True):
        own = np.isclose(away, shift).all(axis=1)
        assert weights[own].sum() == pytest.approx(0.5, abs=0.01)
        spread = np.cov(still.coordinates[own].T, aweights=weights[own])
        np.testing.assert_allclose(spread, covariance, rtol=0.15, atol=0.2)
    np.testing.assert_allclose(weights @ moved.coordinates, weights @ x + [3, -1], atol=0.05)
    total = covariances.mean(axis=0) + np.cov(shifts.T, bias=True)
    np.testing.assert_allclose(
        np.cov(moved.coordinates.T, aweights=weights), total, rtol=0.15, atol=0.15
    )


def test_lumps_move_medians_less_than_optima():
    """Residuals say where a lump is, and with it by what it turns and drags the optimum."""
    mock = make_mock(8, 20.0)
    results = [fitted(clumpy(mock, 0.4, seed), mock) for seed in range(2, 7)]
    for name in ("systemic_velocity", "position_angle"):
        rows = [one.table[list(one.table["name"]).index(name)] for one in results]
        errors = np.array([[row["median"], row["best"]] for row in rows])
        medians, optima = np.sqrt(np.square(errors - getattr(mock.galaxy, name)).mean(axis=0))
        assert medians < 0.6 * optima, name
        assert medians < np.mean([row["deviation"] for row in rows]), name


def test_what_is_told_of_modes():
    kept, pull, scales = np.diag([50.0, 2.0]), np.array([-60.0, 3.0]), np.array([0.8, 0.3])
    # As the equations of the module have it, for modes that know nothing of each other.
    for extra in (1.0, 2.0):
        gains = scales**2 * pull**2 / (1 + scales**2 * np.diag(kept) / extra) / extra
        variance = 4 * extra + 2 * max(gains.mean() - extra, 0)
        covariance = scales**2 / (1 + scales**2 * np.diag(kept) / variance)
        amplitudes, left = _told_of_modes(scales, kept, pull, extra)
        np.testing.assert_allclose(left, np.diag(covariance))
        np.testing.assert_allclose(amplitudes, -covariance * pull / variance)
    # What isn't there isn't found, and nothing is learnt where residuals see nothing.
    amplitudes, left = _told_of_modes(scales, 1e-9 * kept, np.zeros(2), 1.0)
    np.testing.assert_allclose(left, np.diag(scales**2))
    assert not amplitudes.any()
    assert not np.any(_told_of_modes(np.zeros(2), kept, pull, 1.0)[1])


def test_amplitudes_are_those_that_residuals_of_model_minus_data_have():
    random = np.random.default_rng(2)
    modes, truth = random.standard_normal((10, 4000)), random.standard_normal(10)
    residuals = random.standard_normal(4000) - truth @ modes
    amplitudes, left = _told_of_modes(np.ones(10), modes @ modes.T, modes @ residuals, 1.0)
    # In proportion, and a third of them where they explain far more than noise would: real
    # irregularities are no sums of modes. What isn't told stays in the errors.
    assert np.corrcoef(amplitudes, truth)[0, 1] > 0.99
    assert 0.25 < amplitudes @ truth / (truth @ truth) < 0.5
    assert (np.abs(truth - amplitudes) < 3 * np.sqrt(np.diag(left))).all()


def test_a_model_is_moved_as_far_as_it_explains_the_data_better():
    observation = SimpleNamespace(data=np.zeros((2, 1, 2)))
    likelihood = SimpleNamespace(observation=observation, rho=lambda z: 0.5 * np.square(z))
    part, change = (slice(0, 1), slice(0, 1), slice(0, 2)), np.array([-2.0, 0.0])

    def share(slope, way, change=change):
        """Of a model whose residuals are 2 in a voxel, and turn with a parameter in another."""

        def residuals(u):
            return np.array([2.0, 0.0, slope * u[0], 0.0])

        target = SimpleNamespace(likelihood=likelihood, residuals=residuals)
        optimum = SimpleNamespace(coordinates=np.zeros(1))
        return _share_of_way(target, optimum, np.array([way]), change, part)

    # All of it where that costs less than the irregularities gain, a half or a quarter where not.
    assert share(1.0, 0.1) == 1
    assert share(10.0, 0.25) == 0.5
    assert share(10.0, 0.4) == 0.25
    assert share(10.0, 1.0) == 0
    assert share(0.0, 0.1, -change) == 0
    assert share(0.0, 0.1, 0 * change) == 0
    # Coordinates are less probable, too, far from the middle of the prior.
    assert share(0.0, 2.5) == 0.5


def test_a_parameter_at_the_end_of_its_prior_is_not_moved():
    mock = make_mock(8, 20.0)
    data = clumpy(mock, 0.4, 2)
    result = fitted(data, mock, priors={"sersic_index": "uniform:2:4"})
    away = (result.draws.weights @ result.draws.coordinates) - result.optimum.coordinates
    moved = dict(zip(result.coordinates.names, np.abs(away), strict=True))
    end = list(result.coordinates.names).index("sersic_index")
    assert result.optimum.coordinates[end] < -2.33
    assert moved["sersic_index"] < 0.03
    assert max(moved.values()) > 0.1


@pytest.mark.parametrize("robust", ["huber", "student"])
def test_a_right_model_has_no_misfit_where_outliers_count_less(robust):
    mock = make_mock(9, 10.0)
    fitter = DiskFitter(instrument=FRAME, sampler=LAPLACE, noise=NoiseSettings(robust=robust))
    assert fitter.fit(mock.data, mock.sigma**2).verdict.misfit < 1.1


def test_streams_and_warps_are_as_irregular_as_their_own_residuals_say():
    kinds, levels = np.repeat([0, 1, 2], [8, 8, 2]), np.ones(16)
    random = np.random.default_rng(1)
    truth = np.where(kinds == 0, 1.0, 0.1) * random.standard_normal(18)
    known = 400 * np.eye(18)
    found = _of_kinds(levels, known, known @ truth + 20 * random.standard_normal(18), 1.0, kinds)
    assert (found[:, kinds == 0] == 1).all()
    assert np.median(found[:, kinds == 1]) < 0.3
    # Where noise hides them, they are in proportion to the light, as in the population.
    hidden = _of_kinds(levels, 1e-8 * known, np.zeros(18), 1.0, kinds)
    for kind in (1, 2):
        assert np.median(hidden[:, kinds == kind]) == pytest.approx(1, rel=0.1)
    assert not _of_kinds(np.zeros(16), known, np.zeros(18), 1.0, kinds).any()


def test_noise_that_neighbours_share_widens_the_errors(mock):
    """What the likelihood doesn't know of the noise is in the errors all the same."""
    noise = np.random.default_rng(3).standard_normal(GRID.shape)
    smooth = ndimage.gaussian_filter(noise, (0, 0.8, 0.8), mode="wrap")
    data = mock.clean + mock.sigma * smooth / smooth.std()
    shared, alone = fitted(data, mock), fitted(mock.data, mock)
    assert shared.verdict.word == "good"
    ratio = np.median(shared.table["deviation"] / alone.table["deviation"])
    # A sum over a galaxy that is larger than 0.8 pixels has sqrt(4 pi) 0.8 = 2.8 times the noise.
    assert 1.5 < ratio < 3.5
