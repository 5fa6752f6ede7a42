"""Sources of samples: their places, fluxes and how many samples have them."""

import galsim
import numpy as np
import pytest

from clumpygan.evaluation.recovery.sources import find_sources

SCALE = 0.06
PSF = galsim.Gaussian(fwhm=0.186)


def point(y, x, flux):
    """Return a point source at (y, x) pixels of a stamp of 112."""
    seen = (flux * PSF).shift((x - 55.5) * SCALE, (y - 55.5) * SCALE)
    return seen.drawImage(nx=112, ny=112, scale=SCALE, method="no_pixel").array.astype(float)


def samples(count=16, with_clump=12):
    """Return samples of a nucleus with a clump that some of them have, 0.9" away."""
    generator = np.random.default_rng(0)
    images = []
    for number in range(count):
        image = point(55, 56, 1000 * generator.normal(1, 0.05))
        if number < with_clump:
            dy, dx = generator.normal(0, 0.5, 2)
            image += point(70 + dy, 55 + dx, 200 * generator.normal(1, 0.1))
        images.append(image + generator.normal(0, 0.01, image.shape))
    return np.stack(images)


def test_sources_have_place_flux_and_probability():
    nucleus, clump = find_sources(samples(), 0.2, (55, 56), SCALE)
    assert nucleus.nucleus
    assert not clump.nucleus
    assert nucleus.probability == 1.0
    assert clump.probability == 0.75
    assert (clump.y[1], clump.x[1]) == pytest.approx((70, 55), abs=0.6)
    assert nucleus.flux[1] == pytest.approx(1000, rel=0.1)
    # A peak between four pixels is up to a quarter too low.
    assert clump.flux[1] == pytest.approx(190, rel=0.15)
    assert clump.flux[0] < clump.flux[1] < clump.flux[2]
    assert nucleus.half_light_radius[1] == pytest.approx(0.186 / 2, abs=0.02)


def test_a_source_of_one_sample_is_noise():
    assert len(find_sources(samples(with_clump=1), 0.2, (55, 56), SCALE)) == 1
    assert find_sources(np.zeros((4, 112, 112)), 0.2, (55, 56), SCALE) == []


def test_two_near_peaks_of_a_sample_are_two_sources():
    images = np.stack([point(50, 50, 500) + point(50, 54, 400) for _ in range(8)])
    found = find_sources(images, 0.2, (50, 50), SCALE)
    assert [one.probability for one in found] == [1.0, 1.0]
    assert sorted(round(one.x[1]) for one in found) == [50, 54]
