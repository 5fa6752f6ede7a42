import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.line_maps import CubeAxes, line_maps

VELOCITIES = np.arange(-400.0, 401.0, 25.0)


@pytest.fixture
def cubes():
    """Two galaxies whose lines lie at 60 and -90 km/s and are 70 km/s wide."""
    y, x = np.mgrid[:16, :16] - 7.5
    light = 40.0 * np.exp(-0.5 * (x**2 + y**2) / 9.0)
    lines = [np.exp(-0.5 * ((VELOCITIES - v) / 70.0) ** 2) for v in (60.0, -90.0)]
    return np.stack([line[:, None, None] * light for line in lines])


def test_without_noise_lines_are_where_they_are(cubes):
    maps = line_maps(cubes, CubeAxes(VELOCITIES, 0.2, channel_response=False), noisy=False)
    assert len(maps) == 2
    for place, velocity in enumerate((60.0, -90.0)):
        known = maps.mask[place]
        np.testing.assert_allclose(maps.velocity[place][known], velocity, atol=0.1)
        np.testing.assert_allclose(maps.dispersion[place][known], 70.0, rtol=1e-3)
    np.testing.assert_allclose(maps.flux, cubes.sum(axis=1))
    assert (maps.velocity_error[maps.mask] == 0).all()


def test_faint_spaxels_are_left_out(cubes):
    axes = CubeAxes(VELOCITIES, 0.2)
    few, many = (line_maps(cubes, axes, noisy=False, faintest=share) for share in (0.5, 0.0))
    np.testing.assert_array_equal(few.mask, few.flux >= 0.5 * few.flux.max((1, 2), keepdims=True))
    assert many.mask.all()


def test_noise_leaves_errors_that_hold(cubes):
    noisy = cubes + np.random.default_rng(3).normal(size=cubes.shape)
    maps = line_maps(noisy, CubeAxes(VELOCITIES, 0.2), noisy=True)
    assert 20 < maps.mask[0].sum() < 256
    pulls = (maps.velocity[0] - 60.0)[maps.mask[0]] / maps.velocity_error[0][maps.mask[0]]
    assert 0.5 < pulls.std() < 1.6


def test_other_channels_than_velocities_are_refused(cubes):
    with pytest.raises(InputError, match=r"cubes of shape .*expected \(N, 3, y, x\)"):
        line_maps(cubes, CubeAxes(VELOCITIES[:3], 0.2), noisy=False)
