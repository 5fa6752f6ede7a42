"""Errors include what the model gets wrong of a galaxy, and nothing where it is right."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from clumpygan.fitting import DiskFitter, NoiseSettings, SamplerSettings
from clumpygan.fitting.goodness.misfit import Misfit, _of_kinds
from clumpygan.fitting.sampling.draws import Draws
from tests.fitting.conftest import FRAME, GRID, make_mock

LAPLACE = SamplerSettings("laplace")


def clumpy(mock, amplitude, seed):
    """Multiply the light by a field that is smooth over a beam, and the same at all velocities."""
    noise = np.random.default_rng(seed).standard_normal(GRID.shape[1:])
    field = ndimage.gaussian_filter(noise, 1.5)
    field *= amplitude / field.std()
    return mock.data + mock.clean * field


def fitted(data, mock):
    return DiskFitter(instrument=FRAME, sampler=LAPLACE).fit(data, mock.sigma**2)


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
    # The draws lie about the same middle, and give the same widths as the table.
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
