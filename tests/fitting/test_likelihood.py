"""Weights, correlated noise, and noise with outliers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from clumpygan.errors import InputError
from clumpygan.fitting import NoiseSettings, observe
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.instruments import MUSE_CORRELATION, draw_cube_noise
from tests.fitting.conftest import FRAME

CORRELATED = replace(FRAME, correlation=MUSE_CORRELATION)


def likelihood(mock, frame=FRAME, mask=None, **settings):
    return Likelihood(
        observe(mock.data, mock.sigma**2, frame, mask=mask), NoiseSettings(**settings)
    )


def test_it_is_half_of_chi_squared_relative_to_no_line(mock):
    ours = likelihood(mock)
    chi_squared = float((((mock.clean - mock.data) / mock.sigma) ** 2).sum())
    empty = float(((mock.data / mock.sigma) ** 2).sum())
    value = ours.log_likelihood(ours.residuals(mock.clean))
    assert value == pytest.approx(0.5 * (empty - chi_squared), rel=1e-5)
    assert ours.chi_squared(mock.clean) == pytest.approx(chi_squared, rel=1e-5)
    assert ours.log_likelihood(ours.residuals(0 * mock.clean)) == pytest.approx(0.0, abs=1e-2)
    assert ours.count == mock.data.size


def test_masked_voxels_count_for_nothing(mock):
    mask = np.zeros(mock.data.shape, dtype=bool)
    mask[:, 9, 9] = True
    spoilt = replace(mock, data=np.where(mask, 1e3, mock.data))
    ours, clean = likelihood(spoilt, mask=mask), likelihood(mock, mask=mask)
    assert ours.count == mock.data.size - mock.data.shape[0]
    z = ours.residuals(mock.clean)
    assert ours.log_likelihood(z) == clean.log_likelihood(clean.residuals(mock.clean))


def test_a_scale_of_the_noise(mock):
    plain, scaled = likelihood(mock), likelihood(mock, scale=2.0)
    np.testing.assert_allclose(
        2 * scaled.residuals(mock.clean), plain.residuals(mock.clean), rtol=1e-5
    )
    assert scaled.chi_squared(mock.clean) == pytest.approx(plain.chi_squared(mock.clean) / 4)
    assert scaled.signal_to_noise(mock.clean) == pytest.approx(
        plain.signal_to_noise(mock.clean) / 2
    )


@pytest.mark.parametrize(
    ("correlated", "low", "high"),
    [("ignore", 1.25, 1.5), ("scale", 0.9, 1.1), ("covariance", 0.9, 1.12)],
)
def test_errors_of_a_flux_are_right_where_noise_is_correlated(mock, correlated, low, high):
    """The scatter of the best flux over many noises, over the error that is expected."""
    generator = np.random.default_rng(5)
    ours = likelihood(replace(mock, data=mock.clean), CORRELATED, correlated=correlated)
    model = ours.response(mock.clean)
    expected = 1 / np.sqrt(float(model @ model))
    noises = draw_cube_noise(generator, (400, *mock.clean.shape), mock.sigma, MUSE_CORRELATION)
    fluxes = [float(model @ ours.response(noise)) * expected**2 for noise in noises]
    assert low < np.std(fluxes) / expected < high


def test_the_covariance_whitens(mock):
    ours = likelihood(mock, CORRELATED, correlated="covariance")
    generator = np.random.default_rng(6)
    noises = draw_cube_noise(generator, (60, *mock.clean.shape), mock.sigma, MUSE_CORRELATION)
    z = np.stack([ours.response(noise).reshape(ours._padded)[3:15, 3:15, 3:15] for noise in noises])
    assert z.std() == pytest.approx(1.0, abs=0.02)
    for axis in (1, 2, 3):
        near = np.take(z, range(1, 12), axis) * np.take(z, range(11), axis)
        assert abs(near.mean()) < 0.02


def test_correlation_is_scaled_away_by_default(mock):
    assert likelihood(mock, CORRELATED).inflation == pytest.approx(np.sqrt(MUSE_CORRELATION.sum()))
    assert likelihood(mock).inflation == 1.0


@pytest.mark.parametrize(
    ("robust", "correlated"),
    [("none", "scale"), ("none", "covariance"), ("huber", "scale"), ("student", "scale")],
)
def test_gradient_and_weights_are_those_of_finite_differences(mock, robust, correlated):
    noisy = replace(mock, data=mock.data + 4 * mock.sigma)
    ours = likelihood(noisy, CORRELATED, robust=robust, correlated=correlated)
    change = np.random.default_rng(7).standard_normal(mock.clean.shape) * mock.sigma
    step = 1e-2

    def value(share):
        z = ours.residuals(mock.clean + share * change)
        return -ours.rho(z).sum()

    expected = (value(step) - value(-step)) / (2 * step)
    slope = float((ours.gradient(ours.residuals(mock.clean)) * change).sum())
    assert abs(expected) > 10
    assert slope == pytest.approx(expected, rel=1e-3)


def test_the_shapes_of_robust_noise(mock):
    z = np.array([0.0, 1.0, 2.9, 3.0, 10.0], dtype=np.float32)
    huber = likelihood(mock, robust="huber").rho(z)
    np.testing.assert_allclose(huber[:4], 0.5 * z[:4] ** 2, rtol=1e-6)
    assert huber[4] == pytest.approx(3 * (10 - 1.5))
    ours = likelihood(mock, robust="student").rho(z)
    np.testing.assert_allclose(ours, student.logpdf(0, 4) - student.logpdf(z, 4), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": 0.0}, "`scale` is 0: expected a number > 0"),
        ({"correlated": "maybe"}, "`correlated` is 'maybe': expected one of scale, covariance"),
        ({"robust": "yes"}, "`robust` is 'yes': expected one of none, huber, student"),
        ({"robust": "huber", "correlated": "covariance"}, "robust noise with a covariance"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        NoiseSettings(**settings)
