"""Clumps that were put in are found, with their light and size."""

import numpy as np
import pytest

from clumpygan.evaluation.cubes.cube_clumps import LEAST_SHARE, clumps_of_disks, difference_noise

SIDE, SCALE, SEEING = 32, 0.2, np.array([0.6])
PSF = 0.6 / 2.3548 / SCALE


def gaussian(x0, y0, width):
    """Return a Gaussian of unit flux; the width in pixels."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    return np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / width**2) / (2 * np.pi * width**2)


SMOOTH = 1000.0 * gaussian(15.5, 15.5, 4.0)[None]


def with_clumps(*clumps):
    """Return the disk with clumps (x, y, share of its flux, half-light radius in arcsec)."""
    image = SMOOTH[0].copy()
    for x, y, share, radius in clumps:
        width = np.hypot(PSF, radius / SCALE / np.sqrt(2 * np.log(2)))
        image += 1000.0 * share * gaussian(x, y, width)
    return image[None]


def test_a_smooth_disk_has_none():
    found = clumps_of_disks(SMOOTH, SMOOTH, SEEING, SCALE)
    assert found.number.tolist() == [0]
    assert found.light.tolist() == [0.0]
    assert found.share.size == 0


def test_point_sources_come_back_with_their_light():
    made = with_clumps((10, 11, 0.08, 0.0), (22, 20, 0.03, 0.0))
    found = clumps_of_disks(made, SMOOTH, SEEING, SCALE)
    assert found.number.tolist() == [2]
    np.testing.assert_allclose(np.sort(found.share), [0.03, 0.08], rtol=0.05)
    assert found.light[0] == pytest.approx(0.11, rel=0.05)
    assert (found.radius < 0.08).all()


@pytest.mark.parametrize("radius", [0.2, 0.35])
def test_sizes_come_back_without_the_psf(radius):
    found = clumps_of_disks(with_clumps((12, 18, 0.1, radius)), SMOOTH, SEEING, SCALE)
    assert found.radius[0] == pytest.approx(radius, abs=0.03)


def test_faint_clumps_do_not_count():
    made = with_clumps((10, 11, 0.8 * LEAST_SHARE, 0.0))
    assert clumps_of_disks(made, SMOOTH, SEEING, SCALE).number.tolist() == [0]


def test_noise_hides_clumps_and_makes_hardly_any():
    generator = np.random.default_rng(5)
    noise = generator.normal(size=(200, 4, SIDE, SIDE))
    sigma = difference_noise(noise)
    maps = noise.sum(axis=1)
    smooth = np.repeat(SMOOTH, len(maps), axis=0)
    seeing = np.full(len(maps), 0.6)
    alone = clumps_of_disks(smooth + maps, smooth, seeing, SCALE, sigma)
    assert alone.number.sum() <= 2
    clumpy = smooth + with_clumps((12, 18, 0.1, 0.0)) - SMOOTH + maps
    assert clumps_of_disks(clumpy, smooth, seeing, SCALE, sigma).number.mean() > 0.9
    assert clumps_of_disks(clumpy, smooth, seeing, SCALE, 4 * sigma).number.mean() < 0.5
