"""Turbulence, flocculent arms, lopsidedness and dust in the plane of the disk."""

import galsim
import numpy as np
import pytest

from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.galaxies.geometry import disk_to_sky
from clumpygan.galaxies.images.texture import REACH, modulation, texture_map, turbulence

UNEVEN = {
    "disk_half_light_radius": 0.5,
    "disk_sersic_index": 1.0,
    "axis_ratio": 0.6,
    "position_angle": 30.0,
    "turbulence": 0.6,
    "turbulence_slope": -2.6,
    "turbulence_winding": 1.5,
    "turbulence_seed": 17,
    "lopsidedness": 0.3,
    "lopsidedness_angle": 40.0,
    "dust_depth": 0.0,
    "dust_offset": 0.3,
    "dust_width": 0.2,
}


@pytest.fixture
def uneven(plain):
    return plain | UNEVEN


def test_the_field_has_its_spectrum():
    fields = np.array([turbulence(seed, -2.6) for seed in range(200)])
    assert fields.std(axis=(1, 2)) == pytest.approx(1.0, abs=1e-5)
    power = np.mean(np.abs(np.fft.fft2(fields)) ** 2, axis=0)
    ratio = np.log(power[0, 16] / power[0, 4]) / np.log(4.0)
    assert ratio == pytest.approx(-2.6, abs=0.25)
    assert not np.array_equal(turbulence(1, -2.6), turbulence(2, -2.6))


def test_structure_neither_adds_nor_takes_light(uneven):
    to_sky = 0.5 * disk_to_sky(30.0, 0.6)
    for finest in (0.02, 0.05):
        values, x, y = texture_map(uneven, to_sky, 800.0, finest)
        assert values.shape == (y.size, x.size)
        assert values.sum() == pytest.approx(0.0, abs=1e-9)
        assert 0.1 < np.abs(values).sum() / 800.0 < 1.0


def test_the_flux_of_a_galaxy_stays_its_flux(uneven):
    psf = galsim.Gaussian(fwhm=0.2)
    stamp = StampRenderer(psf=psf).render(uneven | {"dust_depth": 2.0})
    assert stamp.sum(dtype=np.float64) == pytest.approx(1000.0, rel=1e-3)
    assert stamp.min() > -1e-4 * stamp.max()


def test_a_galaxy_of_one_seed_is_one_image(psf, uneven):
    renderer = StampRenderer(psf=psf)
    assert np.array_equal(renderer.render(uneven), renderer.render(dict(uneven)))
    other = renderer.render(uneven | {"turbulence_seed": 18})
    assert np.abs(renderer.render(uneven) - other).sum() > 0.05 * other.sum()


def test_the_image_is_the_map_through_the_psf(psf, uneven):
    """Brute force: a finer map, and a sum of waves for each of its pixels.

    How finely it is sampled changes structure by 3 % of its own peak.
    """
    smooth = uneven | {"turbulence": 0.0, "lopsidedness": 0.0}
    renderer = StampRenderer(64, psf=psf)
    fine = texture_map(uneven, 0.5 * disk_to_sky(30.0, 0.6), 1000.0, 0.025)
    k = 2.0 * np.pi / (64 * 0.06)
    found = renderer.render(uneven).astype(float) - renderer.render(smooth)
    expected = np.zeros((64, 64))
    where = (np.arange(64) - 31.5) * 0.06
    for j in range(-60, 61):
        for i in range(61):
            kx, ky = k * i / 2.0, k * j / 2.0
            wave = np.exp(-1j * ky * fine.y) @ fine.values @ np.exp(-1j * kx * fine.x)
            wave *= psf.kValue(kx, ky)
            back = np.multiply.outer(np.exp(1j * ky * where), np.exp(1j * kx * where))
            expected += (2.0 if i else 1.0) * (wave * back).real
    expected *= (k / 2.0) ** 2 / (2.0 * np.pi) ** 2 * 0.06**2
    assert np.abs(found - expected).max() < 0.04 * np.abs(expected).max()


def test_the_brighter_side_is_where_it_is_said(uneven):
    u, v = np.array([0.8, -0.8]), np.zeros(2)
    lopsided = uneven | {"turbulence": 0.0, "lopsidedness_angle": 0.0}
    bright, faint = modulation(lopsided, u, v)
    assert bright > 1.1
    assert faint < 0.9


def test_a_lane_of_dust_takes_light_along_the_major_axis(uneven):
    dusty = uneven | {"turbulence": 0.0, "lopsidedness": 0.0, "dust_depth": 2.0}
    u = np.array([0.0, 0.3, 0.0, 2.9])
    v = np.array([0.3, 0.3, -0.6, 0.3])
    in_lane, along, beside, end = modulation(dusty, u, v)
    assert in_lane == pytest.approx(np.exp(-2.0), rel=1e-6)
    assert in_lane < along < 0.2
    assert beside > 0.99
    assert end > 0.85


def test_beyond_its_reach_the_disk_is_smooth(uneven):
    u = np.array([REACH, 0.0, 4.0])
    values = modulation(uneven, u, np.array([0.0, -REACH, 1.0]))
    np.testing.assert_allclose(values, 1.0)


def test_winding_makes_spirals(uneven):
    """Turned back by the winding, the field is the one that was drawn."""
    radius, angle = 1.3, np.linspace(0.0, 6.0, 40)
    wound = modulation(uneven, radius * np.cos(angle), radius * np.sin(angle))
    turn = -np.log(radius) * 1.5
    still = uneven | {"turbulence_winding": 0.0, "lopsidedness_angle": 40.0 + np.degrees(turn)}
    unwound = modulation(still, radius * np.cos(angle + turn), radius * np.sin(angle + turn))
    np.testing.assert_allclose(wound, unwound, rtol=1e-9)


def test_every_disk_of_the_population_is_uneven_and_spheroids_little():
    table = draw_population(600, seed=1)
    smooth = (table["sersic_index"] > 1.5) & (table["bulge_fraction"] == 0.0)
    assert (table["turbulence"] > 0.0).all()
    assert np.median(table["turbulence"][~smooth]) == pytest.approx(0.55, rel=0.1)
    assert np.median(table["turbulence"][smooth]) < 0.2
    assert not table["lopsidedness"][smooth].any()
    dusty = table["dust_depth"] > 0.0
    assert table["axis_ratio"][dusty].max() < 0.4
    assert 0.05 < dusty.mean() < 0.3
