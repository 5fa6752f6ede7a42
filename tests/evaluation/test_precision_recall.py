import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.precision_recall import precision_and_recall


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(8)


def test_equal_distributions_cover_each_other(generator):
    a, b = generator.normal(size=(2, 400, 2))
    found = precision_and_recall(a, b)
    assert found.precision.value > 0.9
    assert found.recall.value > 0.9
    assert 0.005 < found.precision.error < 0.02


def test_a_narrow_generator_is_precise_but_misses_most(generator):
    real = generator.normal(size=(400, 2))
    narrow = 0.2 * generator.normal(size=(400, 2))
    found = precision_and_recall(narrow, real)
    assert found.precision.value > 0.93
    assert found.recall.value < 0.3


def test_a_wide_generator_covers_all_but_is_imprecise(generator):
    real = generator.normal(size=(400, 2))
    wide = 5.0 * generator.normal(size=(400, 2))
    found = precision_and_recall(wide, real)
    assert found.precision.value < 0.3
    assert found.recall.value > 0.9


def test_balls_reach_the_third_neighbour():
    real = np.array([[0.0], [1.0], [3.0], [6.0]])
    scale = (np.zeros(1), np.ones(1))
    # radii 6, 5, 3, 6: together they reach from -6 to 12
    made = np.array([[-6.1], [-5.9], [11.9], [12.1]])
    assert precision_and_recall(made, real, scale).precision.value == 0.5
    # radii of the candidates are 18: they hold every real one
    assert precision_and_recall(made, real, scale).recall.value == 1.0
    # nearest neighbours at 1, 1, 2, 3: they reach from -1 to 9
    assert precision_and_recall(made, real, scale, neighbours=1).precision.value == 0.0


def test_chunks_do_not_matter(generator, monkeypatch):
    a, b = generator.normal(size=(2, 50, 3))
    whole = precision_and_recall(a, b)
    monkeypatch.setattr("clumpygan.evaluation.realism.precision_recall._ROWS", 7)
    assert precision_and_recall(a, b) == whole


def test_too_few_galaxies_are_refused():
    with pytest.raises(InputError, match="sets of 3 and 9 galaxies: expected more than 3"):
        precision_and_recall(np.zeros((3, 2)), np.zeros((9, 2)))
