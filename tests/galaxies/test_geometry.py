import galsim
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies.geometry import (
    apparent_axis_ratio,
    disk_to_sky,
    inclination_of,
    shear_matrix,
)


def test_position_angle_counts_from_north_towards_minus_x():
    major = [1.0, 0.0]
    np.testing.assert_allclose(disk_to_sky(0.0, 0.5) @ major, [0.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(disk_to_sky(90.0, 0.5) @ major, [-1.0, 0.0], atol=1e-15)


def test_minor_axis_is_foreshortened():
    assert np.hypot(*(disk_to_sky(33.0, 0.4) @ [0.0, 1.0])) == pytest.approx(0.4)


@pytest.mark.parametrize("g", [(0.1, 0.0), (0.0, -0.2), (0.3, 0.25)])
def test_shear_matrix_is_galsim_s(g):
    np.testing.assert_allclose(shear_matrix(*g), galsim.Shear(g1=g[0], g2=g[1]).getMatrix())


def test_inclination_0_is_face_on():
    assert apparent_axis_ratio(0.0, 0.2) == 1.0
    assert apparent_axis_ratio(90.0, 0.2) == pytest.approx(0.2)
    assert apparent_axis_ratio(60.0, 0.0) == pytest.approx(0.5)


def test_impossible_shapes_are_named():
    with pytest.raises(InputError, match=r"axis_ratio is 0\.0"):
        disk_to_sky(0.0, 0.0)
    with pytest.raises(InputError, match=r"shear is \(0\.8, 0\.7\)"):
        shear_matrix(0.8, 0.7)


@pytest.mark.parametrize("inclination", [0.0, 35.0, 80.0, 90.0])
def test_inclination_of_an_apparent_axis_ratio(inclination):
    ratio = apparent_axis_ratio(inclination, 0.2)
    assert inclination_of(ratio, 0.2) == pytest.approx(inclination, abs=1e-5)
