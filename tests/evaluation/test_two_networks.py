"""Two networks of two sets of training galaxies: copies are found, new galaxies cleared."""

import numpy as np
import pytest

from clumpygan.evaluation.realism.neighbours import nearest_neighbours, nearest_of, oriented
from clumpygan.evaluation.realism.two_networks import two_networks

SIDE = 16


def population(count, seed, width=(1.0, 2.5)):
    """Galaxies of three Gaussian knots, (count, SIDE, SIDE)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    y0, x0 = random.normal(0, 2.5, (2, count, 3, 1, 1))
    flux = random.uniform(5, 30, (count, 3, 1, 1))
    wide = random.uniform(*width, (count, 3, 1, 1))
    knots = flux * np.exp(-0.5 * ((y - y0) ** 2 + (x - x0) ** 2) / wide**2)
    return knots.sum(axis=1).astype(np.float32)


def remembered(training, count, seed):
    """Return copies of training galaxies, turned or mirrored, a little fainter and noisy."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, len(training), count)
    copies = [oriented(training[row], o) for row, o in zip(rows, rows % 8, strict=True)]
    return np.stack(copies) * 0.97 + random.normal(0, 0.2, (count, SIDE, SIDE))


@pytest.fixture(scope="module")
def halves():
    return population(300, 1), population(300, 2)


def compared(first, second, halves, seed=0):
    return two_networks((first, second), halves, np.random.default_rng(seed))


def test_what_returns_its_training_galaxies_is_found(halves):
    found = compared(remembered(halves[0], 60, 3), remembered(halves[1], 60, 4), halves)
    assert found.p_value == 0.001
    assert found.own_share > 0.95
    assert found.nearer > 0.5
    assert (found.galaxies, found.training) == (60, 300)
    assert "60 galaxies of each of two networks" in str(found)


def test_one_network_that_remembers_one_in_five_is_enough(halves):
    mixed = np.concatenate([remembered(halves[0], 20, 3), population(80, 5)])
    found = compared(mixed, population(100, 6), halves)
    assert found.p_value == 0.001
    assert found.own_share < 0.7


@pytest.mark.parametrize("width", [(1.0, 2.5), (2.0, 2.1)], ids=["alike", "smoother"])
def test_new_galaxies_are_cleared_whatever_their_quality(halves, width):
    found = [
        compared(population(60, 10 + s), population(60, 40 + s, width), halves, s)
        for s in range(20)
    ]
    p_values = np.array([one.p_value for one in found])
    # Uniform: at most 2 of 20 expected below 0.1; 7 or more have a probability of 0.2 %.
    assert (p_values < 0.1).sum() < 7
    assert p_values.min() > 0.002
    assert 0.25 < p_values.mean() < 0.75
    assert np.mean([one.own_share for one in found]) == pytest.approx(0.5, abs=0.04)


def test_swapped_halves_turn_the_sign(halves):
    found = compared(remembered(halves[1], 60, 3), remembered(halves[0], 60, 4), halves)
    assert found.nearer < -0.5
    assert found.p_value == 1.0


def test_the_nearest_few_begin_with_the_nearest(halves):
    images, training = population(10, 3), halves[0]
    distance, index = nearest_of(images, training, 5)
    best = nearest_neighbours(images, training)
    assert distance.shape == index.shape == (10, 5)
    np.testing.assert_array_equal(index[:, 0], best.index)
    np.testing.assert_allclose(distance[:, 0], best.distance, rtol=1e-6)
    assert (np.diff(distance) >= 0).all()
    assert all(len({*row}) == 5 for row in index.tolist())


def test_sets_of_different_sizes_are_refused(halves):
    with pytest.raises(ValueError, match="300 and 299 training images"):
        compared(population(5, 1), population(5, 2), (halves[0], halves[1][1:]))
