"""Measures of fidelity against cases whose answer is known."""

import galsim
import numpy as np
import pytest

from clumpygan.evaluation.recovery import fidelity

CENTRE = (55.5, 55.5)


def galaxy(flux=1000.0, half_light_radius=0.4, shift=(0.0, 0.0)):
    profile = galsim.Gaussian(half_light_radius=half_light_radius, flux=flux).shift(*shift)
    return profile.drawImage(nx=112, ny=112, scale=0.06, method="no_pixel").array


def test_psnr_of_a_known_error():
    truth = galaxy()
    error = truth.max() / 100
    assert fidelity.psnr(truth + error, truth) == pytest.approx(40.0, abs=1e-3)
    assert fidelity.psnr(truth, truth) == float("inf")


def test_nrmse_of_a_scaled_and_of_an_empty_image():
    truth = galaxy()
    assert fidelity.nrmse(1.1 * truth, truth) == pytest.approx(0.1, rel=1e-5)
    assert fidelity.nrmse(np.zeros_like(truth), truth) == pytest.approx(1.0)


def test_ssim_is_one_for_the_truth_and_falls_with_noise():
    truth = galaxy()
    noise = np.random.default_rng(1).standard_normal(truth.shape)
    values = [fidelity.ssim_asinh(truth + s * noise, truth, sigma=0.3) for s in (0, 0.1, 0.5)]
    assert values[0] == pytest.approx(1.0)
    assert values[0] > values[1] > values[2]


def test_ssim_looks_at_the_centre_only():
    truth = galaxy()
    spoiled = truth.copy()
    spoiled[:20] = 100.0
    assert fidelity.ssim_asinh(spoiled, truth, sigma=0.3) == pytest.approx(1.0)


def test_aperture_flux_of_a_uniform_disk():
    radii = np.array([0.5, 1.0, 1.5])
    flux = fidelity.aperture_flux(np.ones((112, 112)), CENTRE, radii)
    np.testing.assert_allclose(flux, np.pi * radii**2 / 0.06**2, rtol=3e-3)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.3])
def test_magnitude_difference_of_a_scaled_image(ratio):
    truth = galaxy()
    dm = fidelity.magnitude_difference(ratio * truth, truth, CENTRE)
    assert dm == pytest.approx(-2.5 * np.log10(ratio), abs=1e-5)


def test_magnitude_difference_of_a_lost_galaxy_is_finite():
    truth = galaxy()
    assert fidelity.magnitude_difference(-truth, truth, CENTRE) == pytest.approx(5.0)


@pytest.mark.parametrize("radius", [0.2, 0.35, 0.5])
def test_half_light_radius_of_a_gaussian(radius):
    # the flux beyond 1.5" of these Gaussians is negligible
    measured = fidelity.half_light_radius(galaxy(half_light_radius=radius), CENTRE)
    assert measured == pytest.approx(radius, rel=0.01)


def test_half_light_radius_error():
    truth, wide = galaxy(half_light_radius=0.3), galaxy(half_light_radius=0.36)
    assert fidelity.half_light_radius_error(wide, truth, CENTRE) == pytest.approx(0.2, abs=0.01)
    assert fidelity.half_light_radius_error(-truth, truth, CENTRE) == -1.0


def test_centroid_shift_of_a_moved_galaxy():
    truth = galaxy(half_light_radius=0.2)
    moved = galaxy(half_light_radius=0.2, shift=(0.03, -0.04))
    assert fidelity.centroid_shift(moved, truth, CENTRE) == pytest.approx(0.05, abs=1e-3)
    assert fidelity.centroid_shift(-truth, truth, CENTRE) == 1.0


def test_nucleus_is_the_brightest_near_the_centre():
    image = galaxy(half_light_radius=0.2, shift=(0.15, -0.09))
    image[:12, :12] += 1e4  # a brighter star in the corner
    assert fidelity.nucleus_of(image) == pytest.approx((54.0, 58.0), abs=0.51)


def test_chi_squared_of_noise_in_the_centre_only():
    clean = np.zeros((40, 40))
    seen = 2.0 * np.random.default_rng(3).standard_normal((40, 40))
    seen[:4] = 1e3
    value = fidelity.chi_squared(fidelity.residual_of(clean, seen, sigma=2.0, size=24))
    assert value == pytest.approx(1.0, abs=0.15)
    twice = fidelity.residual_of(clean, seen, sigma=1.0, size=24)
    assert fidelity.chi_squared(twice) == pytest.approx(4 * value)


def test_central_keeps_an_axis_that_is_shorter():
    assert fidelity.central(np.zeros((112, 56)), 70).shape == (70, 56)


def test_noise_of_the_truth_doesnt_count_as_an_error():
    generator = np.random.default_rng(5)
    axis = np.arange(100) - 49.5
    truth = 10 * np.exp(-(axis[:, None] ** 2 + axis**2) / 200)
    recovered = 1.2 * truth
    valid = np.zeros(truth.shape, bool)
    valid[20:80, 20:80] = True
    noisy = [truth + generator.normal(0, 2.0, truth.shape) for _ in range(200)]
    plain = np.median([fidelity.nrmse(recovered, image) for image in noisy])
    mended = np.median([fidelity.nrmse(recovered, image, 2.0, valid) for image in noisy])
    assert plain > 0.7
    assert mended == pytest.approx(0.2, abs=0.02)
    assert np.isnan(fidelity.nrmse(np.zeros((9, 9)), np.zeros((9, 9)), 1.0))
