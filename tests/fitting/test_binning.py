"""Bins of pixels that are much smaller than the PSF."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings, observe
from clumpygan.fitting.binning import bin_size, binned, channels_per_bin
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.galaxies import CubeGrid, CubeRenderer
from clumpygan.instruments.spread import GaussianPSF
from tests.fitting.conftest import MODEL, TRUTH, make_mock

FWHM = 1.5


def frame_of(shape=(14, 45, 46), scale=0.15, response=False, correlation=None):
    grid = CubeGrid.velocities(shape, scale, 60.0, pixel_response=response)
    transfer = partial(GaussianPSF(FWHM).transfer, wavelength=7000.0)
    return ObservedFrame(grid, transfer, FWHM, correlation)


@pytest.mark.parametrize("response", [False, True])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_binned_model_is_the_model_in_bins(size, response):
    frame = frame_of(response=response)
    vector = make_mock(1, frame=frame).vector
    fine = CubeRenderer(frame.grid, MODEL, frame.transfer, 1e-5)(vector[None])[0]
    coarse = binned(observe(fine, 1.0, frame), size)
    known = coarse.valid & (fine.sum() > 0)
    other = coarse.frame
    model = CubeRenderer(other.grid, MODEL, other.transfer, 1e-5)(vector[None])[0]
    assert known.mean() > 0.7
    whole = (coarse.variance == size**2)[0]  # all pixels of a bin known
    assert whole.sum() > 50
    error = np.abs(model - coarse.data)[:, whole].max()
    assert 0 < error < 3e-4 * coarse.data.max()


def test_only_pixels_much_smaller_than_the_psf_are_binned():
    assert bin_size(make_observation(0.15, (200, 60, 60))) == 3  # three bins per FWHM
    assert bin_size(make_observation(0.5, (200, 60, 60))) == 1
    few = make_observation(0.1, (400, 18, 18))
    assert bin_size(few) == 2  # there are nine
    assert bin_size(replace(few, frame=ObservedFrame(few.frame.grid))) == 1
    # Cubes that aren't large stay as they are, and large ones become no smaller than that.
    assert bin_size(make_observation(0.15, (3, 60, 60))) == 1
    assert bin_size(make_observation(0.15, (15, 60, 60))) == 2


def make_observation(scale, shape):
    return observe(np.ones(shape), 1.0, frame_of(shape, scale))


def test_noise_of_bins_is_that_of_their_sums():
    rng = np.random.default_rng(0)
    kernel = np.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5])
    correlation = np.zeros((1, 5, 5))
    for y in range(-2, 3):
        for x in range(-2, 3):
            a = kernel[max(0, y) : 3 + min(0, y), max(0, x) : 3 + min(0, x)]
            b = kernel[max(0, -y) : 3 + min(0, -y), max(0, -x) : 3 + min(0, -x)]
            correlation[0, y + 2, x + 2] = (a * b).sum() / (kernel**2).sum()
    from scipy import ndimage

    white = rng.standard_normal((40, 60, 60))
    noise = ndimage.convolve(white, kernel[None] / np.sqrt((kernel**2).sum()), mode="wrap")
    frame = frame_of(noise.shape, correlation=correlation)
    coarse = binned(observe(noise, 1.0, frame), 3)
    z = coarse.data / np.sqrt(coarse.variance)
    assert z.std() == pytest.approx(1, abs=0.02)
    shared = coarse.frame.correlation
    middle = shared.shape[1] // 2
    seen = (z[:, :, 1:] * z[:, :, :-1]).mean()
    assert shared[0, middle, middle + 1] == pytest.approx(seen, abs=0.03)
    assert shared[0, middle, middle + 1] > 0.1
    # Sums over many voxels have the same noise in bins.
    fine = Likelihood(observe(noise, 1.0, frame)).signal_to_noise(np.ones(noise.shape))
    sums = Likelihood(coarse).signal_to_noise(np.full(coarse.data.shape, 9.0))
    assert sums == pytest.approx(fine, rel=1e-6)


def test_bins_that_are_mostly_unknown_are_left_out():
    frame = frame_of((2, 12, 12))
    data = np.ones((2, 12, 12))
    data[0, 0, 0] = np.nan
    data[1, :2, :2] = np.nan
    coarse = binned(observe(data, 1.0, frame), 3)
    assert coarse.data[0, 0, 0] == pytest.approx(9)
    assert coarse.variance[0, 0, 0] == pytest.approx(8 * (9 / 8) ** 2)
    assert not coarse.valid[1, 0, 0]
    assert coarse.valid.sum() == 31


@pytest.mark.parametrize("count", [30, 31])
def test_a_model_in_fewer_channels_is_the_model_in_bins(count):
    grid = CubeGrid.velocities((count, 18, 18), 0.2, 20.0, line_spread=30.0, pixel_response=False)
    frame = ObservedFrame(grid, frame_of().transfer, FWHM)
    vector = make_mock(1, frame=frame).vector
    fine = CubeRenderer(grid, MODEL, frame.transfer, 1e-5)(vector[None])[0]
    coarse = binned(observe(fine, 1.0, frame), 1, 3)
    model = CubeRenderer(coarse.frame.grid, MODEL, frame.transfer, 1e-5)(vector[None])[0]
    known = coarse.valid & (coarse.variance == 3)
    assert known.any(axis=(1, 2)).sum() == 10
    assert np.abs(model - coarse.data)[known].max() < 3e-4 * coarse.data.max()
    falling = replace(grid, edges=grid.edges[:, ::-1])
    other = binned(observe(fine[::-1], 1.0, ObservedFrame(falling, frame.transfer, FWHM)), 1, 3)
    assert (np.diff(other.frame.grid.edges) < 0).all()


def test_only_channels_much_narrower_than_the_line_are_summed():
    frame = frame_of((60, 60, 60))
    observation = observe(np.ones((60, 60, 60)), 1.0, frame)
    assert channels_per_bin(observation, 30.0) == 1
    assert channels_per_bin(observation, 160.0) == 2
    assert channels_per_bin(observation, 1e5) == 5  # no more than a large cube needs
    small = observe(np.ones((40, 20, 20)), 1.0, frame_of((40, 20, 20)))
    assert channels_per_bin(small, 160.0) == 1


def test_a_fit_in_bins_is_the_fit(monkeypatch):
    monkeypatch.setattr("clumpygan.fitting.binning._LARGE", 1000)
    frame = frame_of((14, 45, 46))
    mock = make_mock(2, 8.0, frame, half_light_radius=1.2)
    fitter = DiskFitter(MODEL, frame, sampler=SamplerSettings("laplace"))
    result = fitter.fit(mock.data, mock.sigma**2)
    assert result.settings["binned"] == [3, 1]
    assert result.model_cube.shape == mock.data.shape
    assert result.observation.data.shape == mock.data.shape
    z = result.residual_cube / mock.sigma
    assert z.std() == pytest.approx(1, abs=0.05)
    truth = TRUTH | {"half_light_radius": 1.2}
    for row in result.table:
        assert abs(row["median"] - truth[row["name"]]) < 4 * row["deviation"]
    small = ObservedFrame(frame.grid, frame.transfer, frame.psf_fwhm)
    whole = DiskFitter(MODEL, small, sampler=SamplerSettings("laplace"), bins=False)
    other = whole.fit(mock.data, mock.sigma**2)
    assert other.settings["binned"] == [1, 1]
    for row, same in zip(result.table, other.table, strict=True):
        assert abs(row["median"] - same["median"]) < 0.6 * same["deviation"]
        assert row["deviation"] == pytest.approx(same["deviation"], rel=0.08)
