"""Noise as pipelines leave it: sky lines, residuals, uneven depth, spikes."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.instruments.cube_noise import MUSE_CORRELATION, draw_cube_noise
from clumpygan.instruments.spectrograph_presets import KMOS_H, MUSE_WFM
from clumpygan.instruments.uneven_noise import UnevenNoise, sky_pattern, smooth_field

SHAPE = (24, 30, 30)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_even_noise_is_that_of_cubes():
    even = UnevenNoise(depth=0, residuals=0, spikes=0)
    channels = np.ones(24)
    sigma = even.draw_sigma(rng(), SHAPE, channels)
    np.testing.assert_array_equal(sigma, np.ones(SHAPE))
    drawn = even.draw(rng(1), sigma, channels, MUSE_CORRELATION)
    expected = draw_cube_noise(rng(1), SHAPE, 1.0, MUSE_CORRELATION)
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)


def test_sky_patterns_are_the_instruments_and_differ():
    patterns = np.stack([sky_pattern(rng(i), MUSE_WFM, 24, 1.25) for i in range(200)])
    assert np.median(patterns, axis=1) == pytest.approx(1)
    peaks = patterns.max(axis=1)
    assert (peaks > 1.5).mean() > 0.1
    assert (peaks < 1.1).mean() > 0.1
    for unknown in (KMOS_H, None):
        np.testing.assert_array_equal(sky_pattern(rng(), unknown, 24, 2.0), np.ones(24))


def test_fields_are_smooth_and_of_unit_variance():
    fields = np.stack([smooth_field(rng(i), (30, 30)) for i in range(100)])
    assert fields.std() == pytest.approx(1, abs=0.08)
    assert np.mean(fields[:, 1:] * fields[:, :-1]) > 0.9


def test_each_ingredient_adds_what_it_says():
    channels = np.ones(24)
    channels[10] = 3.0
    calm = {"depth": 0.0, "residuals": 0.0, "spikes": 0.0}
    uneven = UnevenNoise(**calm | {"depth": 0.3})
    spread = np.log(np.stack([uneven.draw_sigma(rng(i), SHAPE, channels)[0] for i in range(60)]))
    assert spread.std() == pytest.approx(0.3, abs=0.06)
    flat = np.ones(SHAPE) * channels[:, None, None]
    left = UnevenNoise(**calm | {"residuals": 2.0})
    cubes = np.stack([left.draw(rng(i), flat, channels, None) for i in range(60)])
    scatter = cubes.std(axis=(0, 2, 3))
    assert scatter[10] == pytest.approx(np.sqrt(9 + 4 * 8), rel=0.15)
    assert np.delete(scatter, 10) == pytest.approx(1, abs=0.03)
    # Neighbours have the same of it.
    assert np.mean(cubes[:, 10, 1:] * cubes[:, 10, :-1]) > 15
    hit = UnevenNoise(**calm | {"spikes": 0.01, "height": 4.0}).draw(rng(), flat, channels, None)
    share = (np.abs(hit / flat) > 4.5).mean()
    assert share == pytest.approx(0.01 * 0.93, rel=0.25)


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="spikes"):
        UnevenNoise(spikes=0.5)
