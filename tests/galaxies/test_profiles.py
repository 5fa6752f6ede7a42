import galsim
import numpy as np
import pytest
from scipy.integrate import quad

from clumpygan.errors import InputError
from clumpygan.galaxies.images.profiles import (
    sersic_b,
    sersic_enclosed,
    sersic_surface_brightness,
    sersic_transform,
)

K = np.geomspace(2e-4, 5e3, 300)


def test_exponential_disk_has_its_analytic_transform():
    expected = (1.0 + (K / sersic_b(1.0)) ** 2) ** -1.5
    np.testing.assert_allclose(sersic_transform(1.0)(K**2), expected, atol=2e-6)


def test_gaussian_has_its_analytic_transform():
    expected = np.exp(-0.25 * K**2 / sersic_b(0.5))
    np.testing.assert_allclose(sersic_transform(0.5)(K**2), expected, atol=2e-6)


@pytest.mark.parametrize("index", [0.7, 2.6])
def test_transform_agrees_with_galsim(index):
    accuracy = galsim.GSParams(
        kvalue_accuracy=1e-8, integration_relerr=1e-8, integration_abserr=1e-11
    )
    judge = galsim.Sersic(n=index, half_light_radius=1.0, gsparams=accuracy)
    expected = [judge.kValue(k, 0.0).real for k in K]
    np.testing.assert_allclose(sersic_transform(index)(K**2), expected, atol=1e-5)


def test_transform_far_outside_the_table_is_its_limit():
    values = sersic_transform(4.0)(np.array([0.0, 1e-20, 1e20]))
    np.testing.assert_allclose(values, [1.0, 1.0, 0.0], atol=1e-5)


@pytest.mark.parametrize("index", [0.5, 1.0, 4.0])
def test_half_of_the_light_is_inside_the_half_light_radius(index):
    inside, _ = quad(lambda r: 2 * np.pi * r * sersic_surface_brightness(r, index), 0.0, 1.0)
    assert inside == pytest.approx(0.5, abs=1e-6)
    assert sersic_enclosed(1.0, index) == pytest.approx(0.5)
    assert sersic_enclosed(100.0, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize("index", [0.2, 6.3, float("nan")])
def test_an_impossible_index_is_named(index):
    with pytest.raises(InputError, match=f"sersic_index is {index}; expected 0.3 to 6.2"):
        sersic_transform(index)
