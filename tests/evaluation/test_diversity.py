import numpy as np
import pytest

from clumpygan.evaluation.cubes.diversity import diversity, flux_differences, velocity_differences


def test_light_that_is_elsewhere_differs_wholly_and_the_same_light_not_at_all():
    maps = np.zeros((1, 3, 4, 4))
    maps[0, 0, 0, 0] = maps[0, 1, 0, 0] = 2.0
    maps[0, 2, 3, 3] = 2.0
    np.testing.assert_allclose(flux_differences(maps), [[0.0, 1.0, 1.0]])


def test_velocities_differ_where_both_are_known():
    maps = np.full((1, 3, 2, 2), np.nan)
    maps[0, 0] = [[10.0, 20.0], [np.nan, 0.0]]
    maps[0, 1] = [[13.0, 16.0], [5.0, np.nan]]
    found = velocity_differences(maps)
    assert found[0, 0] == pytest.approx(np.sqrt((9.0 + 16.0) / 2))
    assert np.isnan(found[0, 1:]).all()


def test_half_as_different_is_half_as_diverse():
    generator = np.random.default_rng(0)
    true, made = generator.uniform(1.0, 2.0, (2, 40, 6))
    found = diversity(0.5 * made, true, generator)
    assert found.value == pytest.approx(0.5, abs=4 * found.error)
    assert 0 < found.error < 0.1
    assert diversity(0.0 * made, true, generator).value == 0.0
