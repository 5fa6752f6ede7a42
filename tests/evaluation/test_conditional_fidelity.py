import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.conditional_fidelity import (
    PARAMETERS,
    conditional_fidelity,
    departures,
)


@pytest.fixture
def asked():
    generator = np.random.default_rng(1)
    return {name: generator.uniform(40.0, 80.0, 400) for name in PARAMETERS}


def fitted(asked, bias, scatter, seed):
    generator = np.random.default_rng(seed)
    return {
        name: values + bias + scatter * generator.normal(size=values.size)
        for name, values in asked.items()
    }


def test_bias_and_scatter_come_back(asked):
    made, true = (
        departures(asked, fitted(asked, bias, scatter, seed))
        for bias, scatter, seed in ((3.0, 2.0, 5), (0.5, 1.0, 6))
    )
    found = conditional_fidelity(made, true, np.random.default_rng(0))["inclination"]
    assert found.bias.value == pytest.approx(3.0, abs=4 * found.bias.error)
    assert found.scatter.value == pytest.approx(2.0, abs=0.3)
    assert found.true_bias.value == pytest.approx(0.5, abs=0.25)
    assert found.true_scatter.value == pytest.approx(1.0, abs=0.15)
    assert found.excess_bias.value == pytest.approx(2.5, abs=0.5)
    assert found.scatter_ratio.value == pytest.approx(2.0, abs=4 * found.scatter_ratio.error)
    # 1.25 sigma / sqrt(N) for medians of normal numbers
    assert found.bias.error == pytest.approx(1.25 * 2.0 / 20.0, rel=0.3)


def test_velocities_are_in_per_cent_and_angles_turn_the_short_way():
    asked = {name: np.array([200.0, 10.0, 350.0]) for name in PARAMETERS}
    back = {name: np.array([210.0, 355.0, 4.0]) for name in PARAMETERS}
    found = departures(asked, back)
    np.testing.assert_allclose(found["position_angle"], [10.0, -15.0, 14.0])
    assert found["maximum_velocity"][0] == pytest.approx(5.0)
    assert found["inclination"][0] == pytest.approx(10.0)


def test_the_truth_is_as_obedient_as_itself(asked):
    true = departures(asked, fitted(asked, 0.3, 1.0, 2))
    for one in conditional_fidelity(true, true, np.random.default_rng(0)).values():
        assert one.scatter_ratio == (1.0, 0.0)
        assert one.excess_bias == (0.0, 0.0)


def test_other_numbers_of_galaxies_are_refused(asked):
    few = {name: values[:2] for name, values in asked.items()}
    with pytest.raises(InputError, match="fits of 2, 400 galaxies"):
        conditional_fidelity(few, asked, np.random.default_rng(0))
