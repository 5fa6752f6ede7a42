"""Clumps put at known places are found, and matched one to one."""

import galsim
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter

from clumpygan.evaluation.recovery import clumps
from clumpygan.evaluation.recovery.clumps import (
    POINT_SOURCE_SHARE,
    ClumpCount,
    clumps_of_stamps,
    count_clumps,
    find_peaks,
    local_peaks,
)

NUCLEUS = (55.5, 55.5)
SIGMA = 0.3


def scene(*clumps, nucleus_flux=500.0):
    """A smooth galaxy with clumps of (x, y, flux), arcsec from the centre."""
    parts = [galsim.Exponential(scale_radius=0.4, flux=1000.0)]
    parts += [galsim.Gaussian(fwhm=0.1, flux=f).shift(x, y) for x, y, f in clumps]
    parts.append(galsim.Gaussian(fwhm=0.1, flux=nucleus_flux))
    psf = galsim.Gaussian(fwhm=0.185)
    image = galsim.Convolve(galsim.Sum(parts), psf)
    return image.drawImage(nx=112, ny=112, scale=0.06, method="no_pixel").array


def test_peaks_are_where_the_clumps_are():
    peaks = find_peaks(scene((0.6, 0.0, 200.0), (-0.3, 0.54, 150.0)), SIGMA)
    expected = np.array([[55.5, 55.5], [55.5, 65.5], [64.5, 50.5]])
    assert len(peaks) == 3
    np.testing.assert_allclose(peaks, expected, atol=0.8)


def test_noise_alone_has_no_peaks_and_faint_clumps_are_below_the_threshold():
    noise = SIGMA * np.random.default_rng(5).standard_normal((112, 112))
    assert len(find_peaks(noise, SIGMA)) == 0
    assert len(find_peaks(noise, SIGMA / 10)) > 0


def test_peaks_below_three_per_cent_of_the_highest_do_not_count():
    image = scene((0.9, 0.0, 20.0), nucleus_flux=5e3)
    assert len(find_peaks(image, sigma=0.01)) == 1


def test_clumps_near_the_nucleus_are_the_nucleus():
    truth = scene((0.6, 0.0, 200.0))
    assert count_clumps(truth, truth, SIGMA, NUCLEUS) == ClumpCount(1, 1, 1)


def test_a_smooth_recovery_misses_and_a_false_clump_is_found():
    truth = scene((0.6, 0.0, 200.0))
    assert count_clumps(scene(), truth, SIGMA, NUCLEUS) == ClumpCount(1, 0, 0)
    assert count_clumps(truth, scene(), SIGMA, NUCLEUS) == ClumpCount(0, 1, 0)


@pytest.mark.parametrize(("moved", "matched"), [(0.10, 1), (0.25, 0)])
def test_matching_radius(moved, matched):
    truth, recovered = scene((0.6, 0.0, 200.0)), scene((0.6 + moved, 0.0, 200.0))
    assert count_clumps(recovered, truth, SIGMA, NUCLEUS).matched == matched


def test_one_recovered_clump_cannot_stand_for_two_true_ones():
    truth = scene((0.6, 0.0, 300.0), (0.6, 0.36, 300.0))
    recovered = scene((0.6, 0.0, 300.0))
    assert count_clumps(recovered, truth, SIGMA, NUCLEUS) == ClumpCount(2, 1, 1)


def sharpened(images):
    return gaussian_filter(images, (0, 1.0, 1.0)) - gaussian_filter(images, (0, 4.0, 4.0))


def test_a_bright_galaxy_hides_no_faint_one_beyond_the_neighbourhood():
    image = scene((1.8, 0.0, 100.0), nucleus_flux=20000.0)
    assert len(find_peaks(image, SIGMA)) == 1
    assert len(find_peaks(image, SIGMA, reach=25)) == 2
    assert len(find_peaks(image, SIGMA, reach=35)) == 1


def test_the_difference_of_gaussians_is_that_of_scipy():
    images = np.random.default_rng(4).normal(size=(3, 20, 41)).astype(np.float32)
    expected = sharpened(images.astype(np.float64))
    np.testing.assert_allclose(clumps.sharpened(images), expected, atol=1e-12)
    np.testing.assert_allclose(clumps.sharpened(images[1]), expected[1], atol=1e-12)


def test_local_peaks_are_the_highest_of_nine():
    images = np.random.default_rng(2).normal(size=(3, 20, 25))
    expected = (images == maximum_filter(images, size=(1, 3, 3))) & (images > 0.5)
    expected[:, :4] = expected[:, -4:] = expected[:, :, :4] = expected[:, :, -4:] = False
    assert expected.sum() > 5
    np.testing.assert_array_equal(local_peaks(images, 0.5), expected)
    np.testing.assert_array_equal(local_peaks(images[1], 0.5), expected[1])


def test_a_point_source_has_the_stated_share_in_the_difference_of_gaussians():
    point = galsim.Gaussian(fwhm=0.185).drawImage(nx=41, ny=41, scale=0.06, method="no_pixel")
    assert sharpened(point.array[None]).max() == pytest.approx(POINT_SOURCE_SHARE, rel=0.03)


def test_number_and_light_of_clumps_on_noisy_stamps():
    noise = np.random.default_rng(5).normal(size=(2, 112, 112))
    clumpy = scene((0.6, 0.0, 400.0), (-0.3, 0.54, 300.0), (2.0, 1.0, 350.0))
    images = np.stack([scene(), clumpy]) + noise
    scatter = sharpened(noise).std(axis=(1, 2))
    y, x = np.mgrid[:112, :112] - 55.5
    radius = np.tile(np.hypot(x, y), (2, 1, 1))
    number, light = clumps_of_stamps(sharpened(images), scatter, radius, radius < 25)
    assert number.tolist() == [0, 3]
    # The third one isn't inside the galaxy. Clumps wider than a point or between pixels lose light.
    np.testing.assert_allclose(light, [0.0, 700.0 * 0.77], rtol=0.15)
