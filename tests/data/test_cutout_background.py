"""The sky of stamps: against the truth, and against the measurement of single images."""

import numpy as np
import pytest
import torch

from clumpygan.data.cutouts.background import grown, measure_sky
from clumpygan.instruments import NoiseModel, drizzled_correlation, estimate_noise


@pytest.fixture(scope="module")
def noise():
    model = NoiseModel(2.0, 0.06, drizzled_correlation(0.06, 0.128))
    return model.draw((60, 64, 64), torch.Generator().manual_seed(0)).numpy()


@pytest.fixture(scope="module")
def stamps(noise):
    radius = np.hypot(*(np.mgrid[:64, :64] - 31.5))
    return noise + np.float32(0.7) + (90 * np.exp(-radius / 3)).astype(np.float32)


def test_background_and_noise_are_those_put_in(stamps):
    sky = measure_sky(stamps, np.zeros(stamps.shape, bool))
    assert np.mean(sky.background) == pytest.approx(0.7, abs=0.1)
    assert np.mean(sky.sigma) == pytest.approx(2.0, rel=0.03)
    assert not sky.free[:, 28:36, 28:36].any()
    assert sky.free[:, :10].mean() > 0.9
    assert (sky.significance[:, 31, 31] > 20).all()


def test_it_is_that_of_single_images(stamps):
    sky = measure_sky(stamps, np.zeros(stamps.shape, bool))
    judged = [estimate_noise(stamp, 0.06).sigma for stamp in stamps]
    np.testing.assert_allclose(sky.sigma, judged, rtol=0.08)


def test_bad_pixels_do_not_count(stamps):
    bad = np.zeros(stamps.shape, bool)
    bad[:, :, :20] = True
    spoilt = np.where(bad, np.float32(1e6), stamps)
    sky = measure_sky(spoilt, bad)
    assert np.mean(sky.sigma) == pytest.approx(2.0, rel=0.04)
    assert not (sky.free & bad).any()
    np.testing.assert_array_equal(sky.sigma, measure_sky(stamps * ~bad, bad).sigma)


@pytest.mark.parametrize("value", [0, 1, -3])
def test_stamps_without_a_sky(stamps, value):
    flat, hidden = np.full_like(stamps[:2], value), np.zeros((2, 64, 64), bool)
    assert np.isnan(measure_sky(flat, hidden).sigma).all()
    hidden[:] = True
    sky = measure_sky(stamps[:2], hidden)
    assert np.isnan(sky.sigma).all()
    assert np.isnan(sky.background).all()
    assert not sky.free.any()
    assert np.isfinite(sky.significance).all()


def test_no_stamps():
    sky = measure_sky(np.empty((0, 8, 8), np.float32), np.empty((0, 8, 8), bool))
    assert sky.sigma.shape == (0,)


def test_regions_grow_by_diamonds():
    marked = np.zeros((2, 7, 7), bool)
    marked[0, 3, 3] = marked[1, 0, 6] = True
    rows, columns = np.mgrid[:7, :7]
    wider = grown(marked, 2)
    np.testing.assert_array_equal(wider[0], abs(rows - 3) + abs(columns - 3) <= 2)
    np.testing.assert_array_equal(wider[1], rows + abs(columns - 6) <= 2)
    assert marked.sum() == 2
