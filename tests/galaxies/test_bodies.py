"""Disks, bulges and spheroids of galaxies whose profile is known."""

import numpy as np
import pytest

from clumpygan.galaxies import StampRenderer
from clumpygan.galaxies.images.density import Drawn
from clumpygan.galaxies.images.profiles import sersic_enclosed
from clumpygan.galaxies.images.structure import (
    BULGE_AND_DISK,
    BULGE_SIZES,
    decompose,
    draw_body,
    late_type_radius,
    spheroid_probability,
)

RADII = np.geomspace(0.1, 4.0, 30)


def bodies(n=400, **known):
    galaxy = Drawn(**{
        "redshift": 1.0, "log_stellar_mass": 10.0, "half_light_radius": 0.5, "sersic_index": 2.0,
        "axis_ratio": 0.5, **known,
    })  # fmt: skip
    generator = np.random.default_rng(4)
    return [draw_body(generator, galaxy) for _ in range(n)]


@pytest.mark.parametrize("index", [1.2, 1.6, 2.0, 2.5, 3.0, 3.5])
@pytest.mark.parametrize("size", BULGE_SIZES)
def test_bulge_and_disk_look_like_the_sersic_profile(index, size):
    share, disk = decompose(index, size, 4.0)
    found = share * sersic_enclosed(RADII / (disk * size), 4.0)
    found += (1.0 - share) * sersic_enclosed(RADII / disk, 1.0)
    assert np.abs(found - sersic_enclosed(RADII, index)).max() < 0.08
    half = share * sersic_enclosed(1.0 / (disk * size), 4.0)
    assert half + (1.0 - share) * sersic_enclosed(1.0 / disk, 1.0) == pytest.approx(0.5, abs=1e-6)


def test_bulges_grow_with_the_sersic_index():
    shares = [decompose(index, 0.3, 4.0).bulge_fraction for index in (1.2, 1.6, 2.0, 2.5, 3.0)]
    assert (np.diff(shares) > 0).all()
    assert shares[0] < 0.1
    assert shares[-1] > 0.4


def test_late_types_are_van_der_wel_et_al_2014():
    """8.9 x 2^-0.75 kpc at z = 1 and 5e10 solar masses; 8.01 kpc/arcsec."""
    assert late_type_radius(np.log10(5e10), 1.0) * 8.01 == pytest.approx(5.29, rel=2e-3)
    assert late_type_radius(np.log10(5e9), 1.0) * 8.01 == pytest.approx(3.19, rel=2e-3)


def test_spheroids_are_concentrated_and_compact():
    usual = late_type_radius(10.0, 1.0)

    def share(index, radius):
        return spheroid_probability(Drawn(1.0, 10.0, radius, index, 0.7))

    assert share(1.4, 0.1 * usual) == 0.0
    assert share(2.5, usual * 10**-0.2) == pytest.approx(0.5)
    assert share(2.5, usual) < 0.2
    assert share(2.5, 0.4 * usual) > 0.8
    assert share(3.6, 3.0 * usual) == 1.0


def test_below_the_bulges_all_is_disk():
    for body in bodies(20, sersic_index=0.7321):
        assert body["sersic_index"] == body["disk_sersic_index"] == 0.7
        assert body["bulge_fraction"] == 0.0
        assert body["disk_half_light_radius"] == 0.5


def test_between_are_disks_with_bulges_and_spheroids():
    found = bodies(sersic_index=2.6, half_light_radius=0.3)
    bulged = [body for body in found if body["bulge_fraction"] > 0.0]
    assert 0.2 < len(bulged) / len(found) < 0.8
    for body in bulged:
        assert body["disk_sersic_index"] == 1.0
        assert body["disk_half_light_radius"] > body["half_light_radius"]
        assert body["bulge_half_light_radius"] < body["half_light_radius"]
        assert body["bulge_axis_ratio"] >= body["axis_ratio"] == 0.5
    assert BULGE_AND_DISK == (1.2, 3.5)
    assert all(body["bulge_fraction"] == 0.0 for body in bodies(20, sersic_index=4.4))


@pytest.mark.parametrize("ratio", [0.08, 0.2, 0.6, 1.0])
def test_the_axis_ratio_says_the_inclination(ratio):
    for body in bodies(30, axis_ratio=ratio, sersic_index=1.0):
        assert body["axis_ratio"] == ratio
        cosine = np.cos(np.radians(body["inclination"]))
        assert cosine**2 <= ratio**2 + 1e-12
        assert ratio**2 - cosine**2 <= 0.3**2 + 1e-12


@pytest.mark.parametrize("index", [2.0, 3.0])
def test_the_whole_has_its_half_light_radius_in_the_image(index, psf, plain):
    """As much as of a galaxy that is one Sersic body, half of it but for what the PSF spreads."""
    known = bodies(1, sersic_index=index, half_light_radius=1.0, axis_ratio=1.0)[0]
    whole = {"sersic_index": index, "half_light_radius": 1.0}
    y, x = np.indices((300, 300)) - 149.5
    inside = np.hypot(x, y) * 0.06 < 1.0
    split, single = (
        StampRenderer(300, psf=psf).render(plain | galaxy)[inside].sum() / 1000.0
        for galaxy in (known, whole)
    )
    assert split == pytest.approx(single, abs=0.01)
    assert split == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("index", [0.7, 1.0, 2.5, 4.0])
def test_galaxies_smaller_than_a_pixel_equal_galsim(index, psf, exact, plain):
    galaxy = plain | {"sersic_index": index, "half_light_radius": 0.02, "axis_ratio": 0.4}
    stamp, expected = StampRenderer(psf=psf).render(galaxy), exact(galaxy, psf)
    assert np.abs(stamp - expected).max() < 1e-4 * expected.max()
