"""The noise that line-free voxels have: its size, channel by channel, and what neighbours share."""

import numpy as np
import pytest
from scipy import ndimage

from clumpygan.fitting import observe
from clumpygan.fitting.goodness.noise import check_noise
from tests.fitting.conftest import FRAME, GRID, make_mock


@pytest.mark.parametrize("wrong", [1 / 9, 1 / 3, 3.0, 9.0])
def test_a_wrong_variance_is_measured_and_corrected(mock, wrong):
    observation = observe(mock.data, wrong * mock.sigma**2, FRAME)
    check = check_noise(observation)
    assert check.wrong
    assert check.factor == pytest.approx(1 / wrong, rel=0.15)
    corrected = check.corrected(observation).variance
    assert np.sqrt(corrected).mean() == pytest.approx(mock.sigma, rel=0.08)


def test_a_right_variance_is_left_alone(mock):
    observation = observe(mock.data, mock.sigma**2, FRAME)
    check = check_noise(observation)
    assert not check.wrong
    assert check.factor == pytest.approx(1, abs=0.15)
    assert check.corrected(observation) is observation
    # The galaxy isn't among the voxels without signal.
    brightest = np.unravel_index(int(mock.clean.argmax()), mock.clean.shape)
    assert not check.free[brightest]
    assert check.free.mean() > 0.5


def test_channels_with_more_noise_are_found():
    mock = make_mock(5)
    scale = np.ones(GRID.shape[0])
    scale[3:7] = 2.0
    noisy = mock.clean + (mock.data - mock.clean) * scale[:, None, None]
    check = check_noise(observe(noisy, mock.sigma**2, FRAME))
    assert check.wrong
    assert check.channels[3:7].mean() == pytest.approx(4.0, rel=0.2)
    others = np.delete(check.channels, slice(3, 7))
    assert others.mean() == pytest.approx(1.0, rel=0.2)
    assert others.max() < check.channels[3:7].min()


def test_correlated_noise_is_no_wrong_variance():
    noise = np.random.default_rng(1).standard_normal((20, 30, 30))
    smooth = ndimage.gaussian_filter(noise, (0, 1, 1), mode="wrap")
    smooth /= smooth.std()
    grid = type(GRID).velocities((20, 30, 30), 0.2, 45.0)
    check = check_noise(observe(smooth, 1.0, type(FRAME)(grid, FRAME.transfer, FRAME.psf_fwhm)))
    assert not check.wrong
    middle = tuple(side // 2 for side in check.correlation.shape)
    assert check.correlation[middle] == 1
    # Of a field that a Gaussian of sigma made, neighbours are correlated by exp(-1 / 4 sigma^2).
    beside = check.correlation[middle[0], middle[1], middle[2] + 1]
    assert beside == pytest.approx(np.exp(-0.25), abs=0.05)
    # The noise of a sum over a large square is that of 4 pi sigma^2 voxels each.
    square = np.zeros(smooth.shape)
    square[10, 8:22, 8:22] = 1
    assert check.inflation(square) == pytest.approx(np.sqrt(4 * np.pi), rel=0.2)


def test_independent_noise_inflates_nothing(mock):
    check = check_noise(observe(mock.data, mock.sigma**2, FRAME))
    assert check.inflation(mock.clean) == pytest.approx(1.0, abs=0.1)


def test_data_without_noise_say_nothing(mock):
    observation = observe(mock.clean, mock.sigma**2, FRAME)
    check = check_noise(observation)
    assert check.factor is None
    assert check.corrected(observation) is observation
