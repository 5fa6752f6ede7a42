"""Noise of cubes: drawn as asked, measured as drawn, and as in real MUSE cubes."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.errors import InputError
from clumpygan.instruments.cube_noise import (
    MUSE_CORRELATION,
    draw_cube_noise,
    measure_cube_noise,
    neighbour_correlation,
)
from clumpygan.instruments.sky_lines import OPTICAL_SKY_LINES, sky_line_spectrum
from clumpygan.instruments.spectrograph_presets import MUSE_WFM


def coefficient(noise: np.ndarray, dv: int, dy: int, dx: int) -> float:
    """Correlation of voxels with those (dv, dy, dx) farther on, pair by pair."""
    v, y, x = noise.shape
    first, second = noise[: v - dv, : y - dy, : x - dx], noise[dv:, dy:, dx:]
    return float((first * second).mean() / (noise**2).mean())


def test_noise_is_as_strong_and_as_correlated_as_asked() -> None:
    shape = (100, 61, 50)
    noise = draw_cube_noise(np.random.default_rng(5), shape, 1.0, MUSE_CORRELATION)
    assert noise.dtype == np.float32
    assert noise.shape == shape
    assert noise.std() == pytest.approx(1, abs=0.006)
    for lag, expected in {
        (0, 0, 1): 0.12,
        (0, 1, 0): 0.12,
        (0, 1, 1): 0.0,
        (0, 0, 2): 0.0,
        (1, 0, 0): 0.18,
        (1, 0, 1): 0.0216,
        (2, 0, 0): 0.0,
    }.items():
        assert coefficient(noise, *lag) == pytest.approx(expected, abs=0.007)
    # Sums are noisier by the sum of the coefficients, less what the edges cut off.
    sums = noise.reshape(10, 10, 61, 50)[:, :, :60].reshape(10, 10, 6, 10, 5, 10).sum((1, 3, 5))
    edge = (1 + 2 * 0.18 * 0.9) * (1 + 4 * 0.12 * 0.9)
    assert sums.var() == pytest.approx(1000 * edge, rel=0.2)


def test_opposite_faces_are_independent() -> None:
    noise = draw_cube_noise(np.random.default_rng(5), (8, 100, 400), 1.0, MUSE_CORRELATION)
    assert (noise[0] * noise[-1]).mean() == pytest.approx(0, abs=0.02)
    assert (noise[:, 0] * noise[:, -1]).mean() == pytest.approx(0, abs=0.06)


def test_an_impossible_table_still_draws_the_variance_asked() -> None:
    table = np.zeros((1, 3, 3))
    table[0, 1, :] = table[0, :, 1] = 0.5  # its power spectrum falls to -1
    table[0, 1, 1] = 1.0
    noise = draw_cube_noise(np.random.default_rng(5), (40, 50, 50), 1.0, table)
    assert noise.std() == pytest.approx(1, abs=0.012)


def test_sigma_per_channel_per_voxel_and_for_batches() -> None:
    rng = np.random.default_rng(2)
    sigma = np.linspace(1, 3, 5)
    noise = draw_cube_noise(rng, (5, 100, 90), sigma, MUSE_CORRELATION)
    np.testing.assert_allclose(noise.std(axis=(1, 2)), sigma, rtol=0.04)
    assert coefficient(noise[:, :, :] / sigma[:, None, None], 1, 0, 0) == pytest.approx(
        0.18, abs=0.02
    )
    voxels = rng.uniform(1, 2, size=(4, 8, 9))
    batch = draw_cube_noise(rng, (700, 4, 8, 9), voxels, MUSE_CORRELATION)
    np.testing.assert_allclose(batch.std(axis=0), voxels, rtol=0.15)
    white = draw_cube_noise(rng, (30, 30, 30), 2.0)
    assert white.std() == pytest.approx(2, rel=0.02)
    assert coefficient(white, 0, 0, 1) == pytest.approx(0, abs=0.02)
    assert (draw_cube_noise(rng, (3, 4, 5), 0.0) == 0).all()


def test_noise_depends_on_the_generator_alone() -> None:
    one, same, other = (
        draw_cube_noise(np.random.default_rng(seed), (4, 5, 6), 1.0, MUSE_CORRELATION)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.5


def test_what_was_drawn_is_measured_despite_sources_and_bad_voxels() -> None:
    rng = np.random.default_rng(4)
    shape = (120, 30, 32)
    correlation = neighbour_correlation(0.2, 0.3)
    variance = np.broadcast_to(np.linspace(1, 4, 120)[:, None, None], shape).copy()
    data = draw_cube_noise(rng, shape, 2 * np.sqrt(variance), correlation).astype(float)
    y, x = np.indices(shape[1:])
    data += 20 * np.exp(-((x - 8) ** 2 + (y - 20) ** 2) / 8)
    data[50], variance[60] = np.nan, 0.0
    data[:, :3] = np.nan
    data[30, 5, 25] = 1e4
    mask = np.zeros(shape, dtype=bool)
    data[70:80, 10:15, 20:28] += 30
    mask[70:80, 10:15, 20:28] = True
    measured = measure_cube_noise(data, variance, mask=mask)
    assert measured.scale == pytest.approx(2, rel=0.02)
    assert measured.correlation.shape == (5, 7, 7)
    assert measured.correlation[2, 3, 3] == pytest.approx(1)
    expected = np.zeros((5, 7, 7))
    expected[1:4, 2:5, 2:5] = correlation
    np.testing.assert_allclose(measured.correlation, expected, atol=0.025)
    # A measured table, noisy as it is, draws noise of the right variance again.
    again = draw_cube_noise(rng, (40, 40, 40), 1.0, measured.correlation)
    assert again.std() == pytest.approx(1, abs=0.02)
    assert coefficient(again, 1, 0, 0) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("shape", "sigma", "correlation", "message"),
    [
        ((4, 5, 6), [1.0, 2.0], None, r"sigma of shape \(2,\) for noise of shape \(4, 5, 6\)"),
        ((5, 6), 1.0, None, r"sigma of shape \(\) for noise of shape \(5, 6\)"),
        ((4, 5, 6), -1.0, None, "sigma of the noise: expected finite numbers, none below 0"),
        ((4, 5, 6), np.nan, None, "sigma of the noise: expected finite numbers"),
        ((4, 5, 6), 1.0, np.ones((3, 3)), r"correlation of shape \(3, 3\), expected 3-D"),
        ((4, 5, 6), 1.0, np.ones((2, 3, 3)), r"correlation of shape \(2, 3, 3\), expected 3-D"),
        ((4, 5, 6), 1.0, np.zeros((3, 3, 3)), "correlation of 0 at lag 0, expected 1"),
        ((1, 5, 6), 1.0, np.ones((9, 3, 3)), "lags that the cubes hold"),
    ],
)
def test_what_is_no_noise_is_refused(
    shape: tuple[int, ...], sigma: float, correlation: np.ndarray | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        draw_cube_noise(np.random.default_rng(0), shape, sigma, correlation)


def test_what_cant_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match=r"only \d+ spaxels are free of sources, expected 100"):
        measure_cube_noise(np.zeros((9, 8, 8)), np.ones((9, 8, 8)))
    with pytest.raises(InputError, match=r"data of shape \(9, 8, 8\) and variance of shape \(9,"):
        measure_cube_noise(np.zeros((9, 8, 8)), np.ones((9, 8)))
    with pytest.raises(InputError, match=r"0\.3 in space .* expected 0 to 0\.25"):
        neighbour_correlation(0.3, 0.1)


def test_sky_lines_keep_their_brightness() -> None:
    assert (np.diff(OPTICAL_SKY_LINES[:, 0]) > 0).all()
    waves = np.arange(4700.0, 9450.0, 0.5)
    spectrum = sky_line_spectrum(waves, 2.5)
    assert spectrum.sum() * 0.5 == pytest.approx(OPTICAL_SKY_LINES[:, 1].sum(), rel=1e-6)
    near = np.abs(waves - 5577.34) < 10
    assert spectrum[near].sum() * 0.5 == pytest.approx(215.4, rel=1e-3)
    half = waves[near][spectrum[near] > spectrum[near].max() / 2]
    assert np.ptp(half) == pytest.approx(2.5, abs=0.6)


def read_muse(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with fits.open(path) as hdus:
        return hdus["DATA"].data.astype(float), hdus["STAT"].data.astype(float)


@pytest.mark.real_data
def test_the_noise_of_the_muse_udf_mosaic(real_data: Path) -> None:
    data, variance = read_muse(real_data / "cubes/MUSE_UDF_mosaic_subcube.fits")
    measured = measure_cube_noise(data, variance)
    # The variance extension is right for single voxels, and silent about their correlation.
    assert measured.scale == pytest.approx(1.01, abs=0.01)
    around = measured.correlation[1:4, 2:5, 2:5]
    np.testing.assert_allclose(around, MUSE_CORRELATION, atol=0.007)
    farther = measured.correlation.copy()
    farther[1:4, 2:5, 2:5] = 0
    assert np.abs(farther).max() < 0.007
    # Sums are noisier than independent voxels by the square root of the sum of the coefficients.
    assert around[1].sum() ** 0.5 == pytest.approx(1.21, abs=0.02)
    assert around.sum() ** 0.5 == pytest.approx(1.41, abs=0.03)


@pytest.mark.real_data
def test_the_noise_of_a_single_muse_exposure(real_data: Path) -> None:
    # The channels before the H alpha of the cluster's filaments.
    data, variance = (a[:80] for a in read_muse(real_data / "cubes/MUSE_A478_Ha_crop.fits"))
    measured = measure_cube_noise(data, variance)
    assert measured.scale == pytest.approx(0.95, abs=0.07)
    around = measured.correlation[2, 2:5, 2:5]
    np.testing.assert_allclose(around[[0, 1, 1, 2], [1, 0, 2, 1]], 0.136, atol=0.02)
    np.testing.assert_allclose(around[[0, 0, 2, 2], [0, 2, 0, 2]], 0.02, atol=0.01)
    assert measured.correlation[3, 3, 3] == pytest.approx(0.14, abs=0.02)


@pytest.mark.real_data
def test_the_noise_level_follows_the_variance_of_real_cubes(real_data: Path) -> None:
    _, variance = read_muse(real_data / "cubes/MUSE_UDF_mosaic_subcube.fits")
    waves = 4750 + 1.25 * np.arange(500)
    ratio = np.sqrt(np.median(variance, axis=(1, 2))) / MUSE_WFM.noise_sigma(waves, 36_000.0)
    coarse = np.median(ratio.reshape(10, 50), axis=1)
    np.testing.assert_allclose(coarse, 1, atol=0.07)
    nitrogen = (waves > 5190) & (waves < 5210)  # [N I] 5200, a sky line
    assert ratio[nitrogen].max() < 1.2
    _, variance = read_muse(real_data / "cubes/MUSE_A478_Ha_crop.fits")
    sigma = np.sqrt(np.percentile(variance[:80], 10))
    # 15 minutes instead of 10 hours, and light of the galaxy all over the field.
    expected = float(MUSE_WFM.noise_sigma([7050.0], 900.0)[0])
    assert 1 < sigma / expected < 1.4
