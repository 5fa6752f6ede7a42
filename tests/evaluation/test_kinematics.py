"""Kinematic quantities of disks whose motions are known."""

from dataclasses import replace

import numpy as np
import pytest

from clumpygan.evaluation.cubes.kinematics import FEATURES, kinematic_features, velocity_residuals
from clumpygan.evaluation.cubes.kinemetry import Ellipses
from clumpygan.evaluation.cubes.line_maps import LineMaps

PLACE = {name: i for i, name in enumerate(FEATURES)}
SIDE = 24


@pytest.fixture
def disk() -> LineMaps:
    y, x = np.mgrid[:SIDE, :SIDE] - 11.5
    radius = np.hypot(x, y)
    velocity = 150.0 * y / np.maximum(radius, 1e-9) * np.tanh(radius / 2.0)
    flux = np.exp(-radius / 3.0)
    known = np.where(radius < 9.0, 1.0, np.nan)[None]
    return LineMaps(flux[None], velocity * known, 50.0 * known, 4.0 * known)


@pytest.fixture
def ellipses() -> Ellipses:
    return Ellipses(*(np.array([value]) for value in (11.5, 11.5, 0.0, 0.0)))


def test_a_smooth_disk_departs_from_itself_in_nothing(disk, ellipses):
    quiet = replace(disk, velocity_error=0.0 * disk.velocity_error)
    row = kinematic_features(quiet, quiet, ellipses)[0]
    assert row[PLACE["rotation_over_dispersion"]] == pytest.approx(150.0 / 50.0, rel=0.08)
    assert row[PLACE["velocity_residual"]] == 0.0
    assert row[PLACE["dispersion_excess"]] == 1.0
    assert row[PLACE["kinematic_misalignment"]] < 1.0
    assert row[PLACE["k5_over_k1"]] < -2.0
    assert row[PLACE["velocity_asymmetry"]] < -1.7


def test_residuals_lose_what_noise_adds(disk, ellipses):
    noise = np.random.default_rng(0).normal(0.0, 4.0, disk.velocity.shape)
    noisy = replace(disk, velocity=disk.velocity + noise)
    found = [
        kinematic_features(one, disk, ellipses)[0, PLACE["velocity_residual"]]
        for one in (noisy, replace(noisy, velocity=noisy.velocity + 9.0))
    ]
    assert abs(found[0]) < 2.0
    assert found[1] == pytest.approx(9.0, abs=1.0)


def test_large_residuals_survive_smoothing_and_small_ones_do_not(disk, ellipses):
    y, x = np.mgrid[:SIDE, :SIDE]
    checks = 20.0 * (-1.0) ** (x + y)
    small, large = (
        kinematic_features(replace(disk, velocity=disk.velocity + one), disk, ellipses)[0]
        for one in (checks, 0 * checks + 20.0)
    )
    place = PLACE["velocity_residual_large"]
    assert small[PLACE["velocity_residual"]] == pytest.approx(large[PLACE["velocity_residual"]])
    assert small[place] < 0.2 * large[place]


def test_turned_rotation_is_misaligned(disk, ellipses):
    turned = ellipses._replace(position_angle=np.array([25.0]))
    row = kinematic_features(disk, disk, turned)[0]
    assert row[PLACE["kinematic_misalignment"]] == pytest.approx(25.0, abs=1.0)


def test_galaxies_without_velocities_have_no_kinematics(disk, ellipses):
    blank = replace(disk, velocity=np.full_like(disk.velocity, np.nan))
    assert np.isnan(kinematic_features(blank, disk, ellipses)).all()
    assert (velocity_residuals(blank, disk) == 0).all()


def test_velocity_residuals_are_in_units_of_their_errors(disk):
    faster = replace(disk, velocity=disk.velocity + 8.0)
    residual = velocity_residuals(faster, disk)
    np.testing.assert_allclose(residual[disk.mask], 2.0)
    assert (residual[~disk.mask] == 0).all()
