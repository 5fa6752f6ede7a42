import galsim
import numpy as np
import pytest

from clumpygan.galaxies import sheared_disk_image

BRIGHT = {"flux": 1e8, "sky_level": 100.0}


def shape(image):
    moments = galsim.hsm.FindAdaptiveMom(galsim.Image(image.astype(np.float64), scale=0.168))
    return moments.observed_shape


def test_flux_and_sky_noise():
    image = sheared_disk_image(np.random.default_rng(0), flux=1e5, sky_level=400.0, size=96)
    assert image.dtype == np.float32
    assert image.shape == (96, 96)
    border = np.concatenate([image[:10].ravel(), image[-10:].ravel()])
    assert border.mean() == pytest.approx(0.0, abs=2.0)
    assert border.std() == pytest.approx(20.0, rel=0.05)
    assert image.sum() == pytest.approx(1e5, abs=5.0 * np.sqrt(96**2 * 400.0 + 1e5))


def test_same_generator_same_image():
    one, two = (sheared_disk_image(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, sheared_disk_image(np.random.default_rng(6)))


@pytest.mark.parametrize(("angle", "sign"), [(0.0, -1.0), (90.0, 1.0)])
def test_position_angle_0_is_north(angle, sign):
    """GalSim's e1 is negative for an image that is long in y."""
    image = sheared_disk_image(np.random.default_rng(0), position_angle=angle, **BRIGHT)
    assert sign * shape(image).e1 > 0.1


def test_position_angle_turns_towards_minus_x():
    image = sheared_disk_image(np.random.default_rng(0), position_angle=45.0, **BRIGHT)
    assert shape(image).e2 < -0.1


def test_shear_stretches_a_face_on_disk():
    image = sheared_disk_image(np.random.default_rng(0), inclination=0.0, g1=0.1, **BRIGHT)
    assert 0.03 < shape(image).g1 < 0.1
    assert shape(image).g2 == pytest.approx(0.0, abs=2e-3)
