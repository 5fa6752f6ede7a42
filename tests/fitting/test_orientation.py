"""Cubes turned into one orientation: the renderer has to agree."""

from itertools import product

import numpy as np
import pytest

from clumpygan.fitting.orientation import Orientation
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel
from tests.fitting.conftest import TRUTH

MODEL = DiskModel()
NAMES = MODEL.names
RENDERER = CubeRenderer(CubeGrid.velocities((14, 17, 17), 0.25, 60.0), MODEL, None, 1e-5)


def _vector(**changes):
    vector = MODEL.defaults()
    for name, value in (TRUTH | changes).items():
        vector[MODEL.index(name)] = value
    return vector


@pytest.mark.parametrize("steps", list(product([False, True], repeat=4)))
def test_a_turned_cube_is_that_of_the_turned_parameters(steps):
    orientation, vector = Orientation(*steps), _vector(systemic_velocity=40.0)
    cube = RENDERER(vector[None])[0]
    turned = orientation.turn_values(NAMES, vector)
    assert any(steps) == (not np.allclose(orientation.turn(cube), cube, atol=1e-3 * cube.max()))
    np.testing.assert_allclose(
        orientation.turn(cube), RENDERER(turned[None])[0], atol=1e-4 * cube.max()
    )
    back = orientation.turn_values_back(NAMES, turned)
    away = back - vector
    away[MODEL.index("position_angle")] = (away[MODEL.index("position_angle")] + 180) % 360 - 180
    np.testing.assert_allclose(away, 0, atol=1e-9)


@pytest.mark.parametrize("angle", range(5, 360, 30))
@pytest.mark.parametrize("velocity", [-50.0, 50.0])
def test_the_orientation_is_the_same_for_all_mirror_images(angle, velocity):
    vector = _vector(position_angle=angle, systemic_velocity=velocity, offset_x=0.0, offset_y=0.0)
    cube = RENDERER(vector[None])[0]
    orientation = Orientation.of(cube * (30 / cube.max()))
    turned = orientation.turn_values(NAMES, vector)
    assert -3 < (turned[MODEL.index("position_angle")] + 180) % 360 - 180 < 48
    assert turned[MODEL.index("systemic_velocity")] == 50.0


def test_noise_alone_has_an_orientation_too():
    noise = np.random.default_rng(0).standard_normal((8, 9, 9))
    assert Orientation.of(noise).turn(noise).shape == noise.shape
    assert Orientation.of(np.zeros((8, 9, 9))) == Orientation()
