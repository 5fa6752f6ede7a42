"""A batch of made-up galaxies, recovered by made-up methods, measured."""

import galsim
import numpy as np
import pytest
import torch

from clumpygan.evaluation.recovery import fidelity, measure
from clumpygan.evaluation.recovery.measure import Estimate
from clumpygan.evaluation.recovery.observations import MoffatSeeing, Observations, SyntheticGalaxies
from clumpygan.instruments import (
    DEFAULT_GRID,
    HST_WFC3_F160W,
    ObservationOperator,
    SurveyPair,
    get_instrument,
)

SIGMA = 2.28


@pytest.fixture(scope="module")
def operator():
    return ObservationOperator()


@pytest.fixture(scope="module")
def batch(operator):
    sharp = galsim.Gaussian(fwhm=0.185)
    galaxy = galsim.Convolve(galsim.Exponential(half_light_radius=0.3), sharp)
    drawn = galaxy.drawImage(nx=112, ny=112, scale=0.06, method="no_pixel").array
    truth = torch.from_numpy(np.stack([f * drawn for f in (4000.0, 900.0)]))[:, None].float()
    psf = MoffatSeeing(torch.tensor([0.6, 0.7]), torch.tensor([3.0, 3.5]), sharp)
    clean = operator(truth, psf(operator.frequencies((40, 40))))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    return Observations(
        truth=truth,
        observed=clean + SIGMA * noise,
        sigma=torch.full((2,), SIGMA),
        psf=psf,
        magnitude=np.array([22.4, 24.0]),
        index=(0, 1),
    )


def test_the_truth_is_perfect_but_for_the_noise_of_the_data(batch, operator):
    numbers = measure.measure_estimate(batch, Estimate(batch.truth), operator)
    assert np.isinf(numbers["psnr"]).all()
    for name in ("nrmse", "magnitude_error", "half_light_radius_error", "centroid_shift"):
        np.testing.assert_allclose(numbers[name], 0, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(numbers["ssim"], 1)
    np.testing.assert_allclose(numbers["chi2"], 1, atol=0.15)
    np.testing.assert_allclose(numbers["log_power_ratio"], 0, atol=1e-9)


def test_every_number_has_one_value_per_galaxy(batch, operator):
    records, seconds = measure.measure_batch(
        batch,
        {"half": lambda seen: {"half": Estimate(0.5 * seen.truth, 0.1 * seen.truth)}},
        operator,
    )
    assert set(records) == set(seconds) == {"half"}
    assert all(len(values) == 2 for values in records["half"].values())
    np.testing.assert_allclose(records["half"]["nrmse"], 0.5, rtol=1e-5)
    np.testing.assert_allclose(records["half"]["magnitude_error"], 2.5 * np.log10(2), rtol=1e-5)


def test_numbers_are_those_of_the_functions(batch, operator):
    image = 0.9 * batch.truth
    numbers = measure.measure_estimate(batch, Estimate(image), operator)
    sigma = fidelity.sigma_per_target_pixel(SIGMA, DEFAULT_GRID)
    expected = fidelity.ssim_asinh(image[1, 0].numpy(), batch.truth[1, 0].numpy(), sigma)
    assert numbers["ssim"][1] == pytest.approx(expected)
    assert 0.5 < expected < 1


def test_coverage_of_gaussian_errors_is_that_of_a_gaussian():
    rng = np.random.default_rng(0)
    truth = np.full((200, 200), 10.0)
    error = rng.uniform(0.5, 2.0, truth.shape)
    image = truth + error * rng.standard_normal(truth.shape)
    first, second = fidelity.coverage(image, truth, error, sigma=0.1)
    assert first == pytest.approx(0.6827, abs=0.01)
    assert second == pytest.approx(0.95, abs=0.01)


def test_coverage_leaves_the_empty_sky_out():
    truth = np.zeros((20, 20))
    truth[:10] = 5.0
    image = truth.copy()
    image[:5] += 1.0
    first, second = fidelity.coverage(image, truth, np.full((20, 20), 0.6), sigma=1.0)
    assert (first, second) == (0.5, 1.0)
    assert np.isnan(fidelity.coverage(0 * truth, 0 * truth, truth, sigma=1.0)).all()


def test_joined_records_keep_the_order():
    parts = [{"a": {"x": np.array([1, 2])}}, {"a": {"x": np.array([3])}}]
    np.testing.assert_array_equal(measure.join(parts)["a"]["x"], [1, 2, 3])


def test_iterative_methods_give_one_estimate_per_snapshot(batch, operator, monkeypatch):
    asked = {}

    def short(observed, sigma, transfer, operator, *, start):
        asked["start"] = start
        return {3: observed, 7: observed}

    monkeypatch.setattr("clumpygan.evaluation.recovery.baselines.richardson_lucy", short)
    methods = measure.baseline_methods(operator)
    assert list(methods["richardson_lucy"](batch)) == ["richardson_lucy@3", "richardson_lucy@7"]
    assert asked["start"] is None
    assert list(methods["richardson_lucy_disk"](batch)) == [
        "richardson_lucy_disk@3",
        "richardson_lucy_disk@7",
    ]
    assert asked["start"].shape == batch.truth.shape


def test_a_synthetic_galaxy_depends_on_seed_and_index_alone():
    galaxies = SyntheticGalaxies(seed=5)
    pair, single = galaxies.batch([2, 3]), galaxies.batch([3])
    for name in ("truth", "observed", "sharp_noisy"):
        torch.testing.assert_close(getattr(pair, name)[1:], getattr(single, name))
    other = SyntheticGalaxies(seed=6).batch([3])
    assert not torch.equal(other.truth, single.truth)
    assert not torch.equal(other.observed, single.observed)


def test_synthetic_galaxies_are_observed_as_stated():
    galaxies = SyntheticGalaxies(seed=1)
    seen = galaxies.batch(range(4))
    survey = get_instrument("hsc_wide_i")
    lowest, highest = survey.psf_fwhm_range
    assert ((seen.psf.fwhm >= lowest) & (seen.psf.fwhm <= highest)).all()
    assert len(set(seen.psf.fwhm.tolist())) == 4
    clean = galaxies.operator(seen.truth, seen.psf(galaxies.operator.frequencies((40, 40))))
    assert (seen.observed - clean).std().item() == pytest.approx(survey.sky_sigma, rel=0.03)
    noise = seen.sharp_noisy - seen.truth
    assert noise.std().item() == pytest.approx(HST_WFC3_F160W.sky_sigma, rel=0.01)


def test_galaxies_of_another_survey_have_its_pixels_and_its_depth():
    galaxies = SyntheticGalaxies(seed=1, pair=SurveyPair.of("lsst_r"))
    seen = galaxies.batch(range(2))
    assert seen.truth.shape[-2:] == (120, 120)
    assert seen.observed.shape[-2:] == (36, 36)
    clean = galaxies.operator(seen.truth, seen.psf(galaxies.operator.frequencies((36, 36))))
    depth = get_instrument("lsst_r").sky_sigma
    assert (seen.observed - clean).std().item() == pytest.approx(depth, rel=0.05)
