"""The verdict: what is wrong with a cube or a fit is said, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.fitting.goodness.remains import chance_of
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from tests.fitting.conftest import FRAME, GRID, TRUTH, make_mock

LAPLACE = SamplerSettings("laplace")
PIXEL = GRID.pixel_scale


def fitted(data, sigma, frame=FRAME, **choices):
    return DiskFitter(instrument=frame, sampler=LAPLACE, **choices).fit(data, sigma**2)


def rendered(**changes):
    galaxy = DiskParameters.from_dict(TRUTH | changes, DiskModel())
    return CubeRenderer(GRID, DiskModel(), FRAME.transfer, 1e-4)(galaxy.to_vector()[None])[0]


def test_a_good_fit_is_good(mock):
    verdict = fitted(mock.data, mock.sigma).verdict
    assert verdict.word == "good"
    assert verdict.reasons == ()
    assert all("a PSF 10 % wider would change" in remark for remark in verdict.remarks)
    assert verdict.chi_squared_of_signal == pytest.approx(1.0, abs=0.15)
    assert verdict.share_left < 0.1
    assert verdict.gain > 1000
    assert verdict.chance < 1e-30
    assert verdict.variance_factor == pytest.approx(1.0, abs=0.15)


def test_noise_alone_is_no_detection():
    for seed in range(3):
        noise = np.random.default_rng(seed).standard_normal(GRID.shape)
        result = DiskFitter(instrument=FRAME).fit(noise, np.ones(GRID.shape))
        assert result.verdict.word == "no detection"
        (reason,) = result.problems
        assert "noise alone lets a model gain" in reason
        assert "flux < " in reason
        assert result.draws.method == "laplace"


def test_a_line_in_absorption_is_no_detection(mock):
    verdict = fitted(mock.data - 2 * mock.clean, mock.sigma).verdict
    assert verdict.word == "no detection"
    assert "a line in absorption" in verdict.reasons[1]


def test_a_wrong_variance_is_said_and_corrected(mock):
    right, wrong = fitted(mock.data, mock.sigma), fitted(mock.data, mock.sigma / 3)
    assert wrong.verdict.word == "good"
    (remark,) = (one for one in wrong.verdict.remarks if "PSF" not in one)
    assert "times too small, as line-free voxels have it: corrected" in remark
    np.testing.assert_allclose(wrong.table["deviation"], right.table["deviation"], rtol=0.1)


def test_a_hot_voxel_is_named(mock):
    data = mock.data.copy()
    data[4, 3, 14] += 40 * mock.sigma
    (reason,) = fitted(data, mock.sigma).problems
    assert "a single voxel, (v, y, x) = (4, 3, 14), is +4" in reason


def test_continuum_is_named():
    mock = make_mock(4, maximum_velocity=80.0, velocity_dispersion=30.0)
    flux = mock.clean.sum(axis=0)
    level = 0.15 * mock.clean.sum(axis=(1, 2)).max() * flux / flux.sum()
    reasons = fitted(mock.data + level, mock.sigma).problems
    assert any("continuum is left, +1" in text for text in reasons)
    free = fitted(mock.data + level, mock.sigma, free=["continuum"])
    assert not any("continuum" in text for text in free.problems)


def test_another_source_is_named(mock):
    other = rendered(flux=0.5, half_light_radius=0.25, maximum_velocity=60.0, offset_x=-1.3,
                     offset_y=1.3, systemic_velocity=200.0)  # fmt: skip
    reasons = fitted(mock.data + other, mock.sigma).problems
    assert any("another source" in text for text in reasons)


def test_another_line_is_named():
    mock = make_mock(4, maximum_velocity=80.0, velocity_dispersion=30.0)
    other = 0.3 * np.roll(mock.clean, 6, axis=0)
    reasons = fitted(mock.data + other, mock.sigma).problems
    assert any("at velocities that it hasn't, another line" in text for text in reasons)


def test_a_line_that_is_cut_off_is_named(mock):
    edges = GRID.edges[:, 9:]
    part = CubeGrid((11, *GRID.shape[1:]), PIXEL, edges, line_spread=GRID.line_spread,
                    pixel_response=False, channel_response=False)  # fmt: skip
    frame = ObservedFrame(part, FRAME.transfer, FRAME.psf_fwhm)
    reasons = fitted(mock.data[9:], mock.sigma, frame).problems
    assert any("runs out of the channels at -" in text for text in reasons)


def test_a_ring_that_is_fitted_by_a_disk_leaves_light():
    model = DiskModel(light="ring")
    galaxy = DiskParameters.from_dict(
        TRUTH | {"half_light_radius": 1.0, "ring_width": 0.12, "inclination": 40.0}, model
    )
    clean = CubeRenderer(GRID, model, FRAME.transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / 15
    data = clean + sigma * np.random.default_rng(0).standard_normal(clean.shape)
    disk = fitted(data, sigma)
    assert disk.verdict.word == "doubtful"
    assert any("% of the light" in text for text in disk.problems)
    ring = DiskFitter(model, FRAME, sampler=LAPLACE).fit(data, sigma**2)
    assert ring.verdict.word == "good"
    assert ring.verdict.share_left < 0.5 * disk.verdict.share_left


def test_a_curve_that_rises_over_all_of_the_light_is_said(mock):
    result = fitted(mock.data, mock.sigma, fixed={"turnover_radius": 0.25})
    assert not any("extrapolated" in text for text in result.problems)
    late = fitted(mock.data, mock.sigma, priors={"turnover_radius": "uniform:2.5:4"})
    assert any("maximum_velocity is extrapolated" in text for text in late.problems)


def test_chance_falls_with_the_gain_and_grows_with_what_was_searched():
    assert chance_of(0.0, 10, 5.0) == 1.0
    assert chance_of(60, 10, 1.0) < chance_of(60, 10, 1000.0) < chance_of(40, 10, 1000.0)
    # Of one parameter at one place it is that of 3 sigma.
    assert chance_of(9.0, 1, 1.0) == pytest.approx(0.0027, rel=0.01)


def test_numbers_are_all_but_words(mock):
    result = fitted(mock.data, mock.sigma)
    numbers = result.verdict.numbers()
    assert set(numbers) == {"gain", "chance", "chi_squared_of_signal", "share_left",
                            "variance_factor", "misfit", "departure"}  # fmt: skip
    assert result.summary()["goodness"] == numbers
    assert "! why" in repr(replace(result, verdict=replace(result.verdict, reasons=("why",))))
