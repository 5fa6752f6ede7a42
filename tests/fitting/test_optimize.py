"""The optimum is found from poor starts, and its curvature is that of the density."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting.optimize import LevenbergMarquardt, find_optimum
from tests.fitting.conftest import make_mock
from tests.fitting.test_target import make_target


def start(target, mock, **changes):
    vector = mock.vector.copy()
    for name, value in changes.items():
        vector[target.coordinates.model.index(name)] = value
    return target.coordinates.coordinates(vector)


def test_the_optimum_is_near_the_truth_and_nothing_near_it_is_better(mock):
    target = make_target(mock, 1e-4)
    truth = start(target, mock)
    optimum = find_optimum(target, [start(target, mock, inclination=30.0, maximum_velocity=300.0)])
    assert optimum.converged
    assert optimum.gain < 0.01
    away = optimum.coordinates - truth
    assert away @ optimum.hessian @ away < 30  # chi^2 of 11 numbers
    assert optimum.log_density > target.log_density(truth)
    generator = np.random.default_rng(1)
    root = np.linalg.cholesky(optimum.covariance)
    for _ in range(20):
        step = root @ generator.standard_normal(optimum.coordinates.size)
        lost = optimum.log_density - target.log_density(optimum.coordinates + 0.3 * step)
        assert lost == pytest.approx(0.045 * step @ optimum.hessian @ step, rel=0.3)


@pytest.mark.parametrize(
    "changes",
    [
        {"inclination": 80.0},
        {"inclination": 20.0, "maximum_velocity": 400.0},
        {"position_angle": 175.0, "half_light_radius": 0.25, "flux": 0.8},
        {"offset_x": -0.3, "systemic_velocity": -40.0, "velocity_dispersion": 100.0},
    ],
)
def test_poor_starts_come_to_the_same_place(mock, changes):
    target = make_target(mock, 1e-3)
    good = find_optimum(target, [start(target, mock)])
    poor = find_optimum(target, [start(target, mock, **changes)])
    assert poor.converged
    assert poor.log_density == pytest.approx(good.log_density, abs=0.05)


def test_the_best_of_several_starts_wins(mock):
    target = make_target(mock)
    turned = start(target, mock, position_angle=mock.galaxy.position_angle + 175)
    alone = LevenbergMarquardt(target, turned)
    alone.go(4)
    both = find_optimum(target, [turned, start(target, mock, inclination=70.0)])
    assert both.log_density > alone.log_density
    angle = both.coordinates[target.coordinates.names.index("position_angle")]
    assert abs(angle) < 0.1


def test_a_bent_valley_of_a_small_disk_is_followed_to_its_end():
    """Of a disk much smaller than the beam speed, turnover and dispersion look alike."""
    truth = {"half_light_radius": 0.28, "inclination": 85.0, "velocity_dispersion": 5.0,
             "maximum_velocity": 350.0, "turnover_radius": 0.9, "scale_height": 0.03}  # fmt: skip
    mock = make_mock(3, 60.0, **truth)
    target = make_target(mock)
    far = start(target, mock, velocity_dispersion=40.0, maximum_velocity=60.0, turnover_radius=0.05)
    optimum = find_optimum(target, [far])
    assert optimum.converged
    assert optimum.steps <= 25
    assert optimum.log_density > target.log_density(start(target, mock))


def test_steps_that_lead_nowhere_are_given_up():
    mock = make_mock(4, 3.0)
    target = make_target(mock)
    run = LevenbergMarquardt(target, start(target, mock, inclination=75.0))
    run.go(1)
    optimum = run.finish()
    assert optimum.steps == 1
    assert not optimum.converged
    assert optimum.gain > 0.01


def test_the_optimum_of_noise_with_outliers():
    mock = make_mock(5, 10.0)
    mock.data[13] += 30 * mock.sigma  # the residual of a sky line
    plain, robust = make_target(mock), make_target(mock, robust="student")
    truth = start(plain, mock)
    run = LevenbergMarquardt(plain, truth)
    run.go(5)
    worst = []
    for optimum in (run.finish(), find_optimum(robust, [truth])):
        errors = np.sqrt(np.diag(optimum.covariance))
        worst.append(np.abs((optimum.coordinates - truth) / errors).max())
    assert worst[0] > 6
    assert worst[1] < 4


@pytest.mark.parametrize("width", [2.0, 0.0])
def test_a_start_near_which_the_model_is_not_finite_is_left_out(mock, width):
    """At the start itself, or only where its derivatives are taken."""
    target = make_target(mock, 1e-3)
    good = start(target, mock, inclination=70.0)
    alone = find_optimum(target, [good])
    place, render = target.coordinates.model.index("inclination"), target.renderer
    bad = start(target, mock, inclination=30.0)

    def partly_finite(vectors):
        away = np.abs(vectors[:, place] - 30.0)
        near = (away < 2.0) & ((away > 1e-9) | (width > 0))
        return np.where(near[:, None, None, None], np.float32(np.nan), render(vectors))

    target.renderer = partly_finite
    both = find_optimum(target, [bad, good])
    assert both.log_density == pytest.approx(alone.log_density, abs=0.01)
    with pytest.raises(InputError, match="isn't finite near the starting values"):
        find_optimum(target, [bad, bad])


def test_a_model_that_is_not_finite_ends_the_fit(mock):
    target = make_target(mock, 1e-3)
    target.renderer = lambda vectors: np.full((len(vectors), *mock.data.shape), np.nan, np.float32)
    with pytest.raises(InputError, match="isn't finite near the starting values"):
        find_optimum(target, [start(target, mock)])
