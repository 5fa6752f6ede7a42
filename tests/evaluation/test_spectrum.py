"""Radial power spectra of images whose spectrum is known."""

import numpy as np
from scipy.ndimage import gaussian_filter

from clumpygan.evaluation.recovery.spectrum import FREQUENCY_EDGES, log_power_ratio, radial_power


def noise(seed=0):
    return np.random.default_rng(seed).standard_normal((112, 112))


def test_white_noise_has_the_power_of_its_variance():
    power = np.mean([radial_power(3.0 * noise(seed)) for seed in range(8)], axis=0)
    expected = 9.0 * np.square(np.outer(np.hanning(112), np.hanning(112))).sum()
    np.testing.assert_allclose(power, expected, rtol=0.15)


def test_a_wave_lies_in_its_ring():
    frequency = 2.0
    x = np.arange(112) * 0.06
    power = radial_power(np.tile(np.cos(2 * np.pi * frequency * x), (112, 1)))
    ring = int(np.argmax(power))
    assert FREQUENCY_EDGES[ring] <= frequency <= FREQUENCY_EDGES[ring + 1] + 0.1


def test_ratio_of_a_scaled_image():
    truth = 100 * noise()
    np.testing.assert_allclose(log_power_ratio(10 * truth, truth, sigma=1e-3), 2.0, atol=1e-6)


def test_a_smoothed_image_lacks_power_at_high_frequencies():
    truth = 100 * noise()
    ratio = log_power_ratio(gaussian_filter(truth, 1.0), truth, sigma=1.0)
    assert ratio[-1] < ratio[0] < 0


def test_power_below_the_noise_does_not_count():
    truth = 1e-3 * noise()
    np.testing.assert_allclose(log_power_ratio(0 * truth, truth, sigma=1.0), 0, atol=1e-4)
