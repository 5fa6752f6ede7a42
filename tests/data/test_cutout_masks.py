"""Pixels that don't show the galaxy, and what fills them."""

import numpy as np
import pytest

from clumpygan.data.cutouts.masks import (
    NoiseFill,
    detected_neighbours,
    labelled_neighbours,
    without_data,
)


def test_pixels_without_data():
    images = np.ones((1, 6, 6), np.float32)
    images[0, 0, 0], images[0, 0, 1] = np.nan, np.inf
    weights = np.ones_like(images)
    weights[0, 1, :3] = 0, -1, np.nan
    found = without_data(images, weights)
    assert np.argwhere(found[0]).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]


def test_zeros_are_blank_if_many_and_without_weights():
    images = np.ones((2, 6, 6), np.float32)
    images[0, :2, :4], images[1, :4, :4] = 0, 0
    assert without_data(images, None).sum(axis=(1, 2)).tolist() == [0, 16]
    assert not without_data(images, np.ones_like(images)).any()


def test_a_neighbour_is_found_and_a_clump_that_touches_is_not_cut_off():
    significance = np.zeros((1, 32, 32), np.float32)
    significance[0, 13:19, 13:19] = 9
    significance[0, 19:22, 16:22] = 5
    significance[0, 3:7, 24:29] = 8
    significance[0, 28, 3] = 8
    found = detected_neighbours(significance)[0]
    assert found[3:7, 24:29].all()
    assert found[7, 24:29].all()
    assert not found[13:22, 13:22].any()
    # Four pixels or fewer are noise.
    assert not found[25:, :8].any()


def test_labels_of_a_map():
    labels = np.zeros((3, 20, 20), int)
    labels[:, 12:15, 9:12], labels[:, 2:4, 2:4] = 7, 4
    labels[1] = 0
    labels[1, :3, :3] = 5
    labels[2, 9:11, 9:11] = 3
    found = labelled_neighbours(labels)
    # No label in the middle: the nearest is the galaxy.
    assert found[0, 2:4, 2:4].all()
    assert not found[0, 12:15, 9:12].any()
    # None near the middle: all are neighbours.
    assert found[1, :3, :3].all()
    # A galaxy isn't masked where the neighbour has grown into it.
    assert found[2, 12:15, 9:12].all()
    assert found[2, 11, 9:12].all()
    assert not found[2, 9:11, 9:11].any()


def test_fill_has_the_noise_of_the_set():
    axis = np.array([0.25, 0.6, 1, 0.6, 0.25])
    correlation = np.outer(axis, axis)
    filler = NoiseFill(30, correlation, seed=3)
    noise = np.stack([filler.draw(row, 0) for row in range(200)])
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(1, rel=0.02)
    for lag, expected in ((1, 0.6), (2, 0.25), (4, 0.0)):
        assert np.mean(noise[:, lag:] * noise[:, :-lag]) == pytest.approx(expected, abs=0.03)
        assert np.mean(noise[..., lag:] * noise[..., :-lag]) == pytest.approx(expected, abs=0.03)
    # Nothing wraps around.
    assert abs(np.mean(noise[:, 0] * noise[:, -1])) < 0.05


def test_fill_depends_on_seed_row_and_band():
    white = np.ones((1, 1))
    draws = {
        NoiseFill(8, white, seed).draw(row, band).tobytes()
        for seed in (0, 1)
        for row in (0, 1)
        for band in (0, 1)
    }
    assert len(draws) == 8
    assert NoiseFill(8, white, 0).draw(1, 0).tobytes() in draws
