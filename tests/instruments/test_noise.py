"""Noise: power spectra against drawn realisations, real stamps and GalSim's bookkeeping."""

from contextlib import suppress
from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from clumpygan.errors import InputError
from clumpygan.instruments import (
    DEFAULT_GRID,
    HSC_WIDE_I,
    HST_ACS_F814W_30MAS,
    HST_WFC3_F160W,
    NoiseModel,
    ObservationOperator,
    carried_noise_power,
    cosmos_noise,
    draw_noise,
    drizzled_correlation,
    effective_depth,
    estimate_noise,
    matching_transfer,
    missing_noise_power,
    noise_at_depth,
    sky_sigma,
)
from clumpygan.instruments.correlation import excess_of_apertures

SIGMA = HSC_WIDE_I.sky_sigma
DRIZZLED = drizzled_correlation(0.06, 0.128)


@pytest.fixture(scope="module")
def transfer() -> torch.Tensor:
    frequencies = ObservationOperator(5).frequencies((40, 40))
    return matching_transfer(HSC_WIDE_I.psf(), HST_WFC3_F160W.psf(), frequencies)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def aperture_sums(images: torch.Tensor, radius: float, scale: float) -> torch.Tensor:
    half = images.shape[-1] / 2 - 0.5
    inside = np.hypot(*(np.indices(images.shape[-2:]) - half)) * scale < radius
    return (images * torch.from_numpy(inside)).sum((-2, -1))


def test_sigma_from_depth() -> None:
    assert sky_sigma(26.2, 1.0, 0.168) == pytest.approx(2.279, abs=1e-3)
    assert sky_sigma(23.7, 1.0, 0.168) == pytest.approx(10 * sky_sigma(26.2, 1.0, 0.168))
    with pytest.raises(InputError, match=r"aperture radius 0 and pixel scale 0.168"):
        sky_sigma(26.2, 0, 0.168)


def test_effective_depth_inverts_sky_sigma_and_sees_correlation() -> None:
    frequencies = ObservationOperator(5).frequencies((40, 40))
    white = NoiseModel(SIGMA, 0.168).power(frequencies)
    assert effective_depth(white, 0.168) == pytest.approx(26.2, abs=1e-3)
    correlated = NoiseModel(SIGMA, 0.168, drizzled_correlation(0.168, 0.336)).power(frequencies)
    noise = draw_noise(correlated, (3000, 40, 40), seeded(1))
    scatter = float(aperture_sums(noise, 1.0, 0.168).std())
    drawn_depth = 31.4 - 2.5 * np.log10(5 * scatter)
    assert effective_depth(correlated, 0.168) < 25.6
    assert effective_depth(correlated, 0.168) == pytest.approx(drawn_depth, abs=0.05)


@pytest.mark.parametrize("correlation", [np.ones((1, 1)), DRIZZLED])
def test_drawn_noise_has_the_wanted_covariance(correlation: np.ndarray) -> None:
    model = NoiseModel(1.3, 0.06, correlation)
    noise = model.draw((40, 64, 51), seeded(2)).double()
    assert noise.shape == (40, 64, 51)
    half = correlation.shape[0] // 2
    for lag in range(half + 1):
        pairs = (noise[:, lag:] * noise[:, : 64 - lag]).mean()
        assert float(pairs) == pytest.approx(1.3**2 * correlation[half + lag, half], abs=0.04)
    assert torch.equal(model.draw((2, 9, 9), seeded(3)), model.draw((2, 9, 9), seeded(3)))


def test_each_image_of_a_batch_has_its_own_power() -> None:
    frequencies = ObservationOperator(5).frequencies((20, 25))
    power = torch.stack([NoiseModel(s, 0.168).power(frequencies) for s in (1.0, 3.0)])
    noise = draw_noise(power, (2, 4, 20, 25), seeded(4))
    assert noise.shape == (2, 4, 20, 25)
    torch.testing.assert_close(noise.std((1, 2, 3)), torch.tensor([1.0, 3.0]), rtol=0.05, atol=0)


def test_carried_power_is_that_of_noise_sent_through_the_operator(transfer: torch.Tensor) -> None:
    operator = ObservationOperator(5)
    model = NoiseModel(0.8, 0.06, DRIZZLED)
    seen = operator(model.draw((600, 1, 112, 112), seeded(5)), transfer)[..., 8:-8, 8:-8]
    carried = carried_noise_power(
        model.power(operator.frequencies((40, 40))), transfer, DEFAULT_GRID.area_ratio
    )
    drawn = draw_noise(carried, (600, 1, 40, 40), seeded(6))
    assert float(seen.std()) == pytest.approx(float(drawn.std()), rel=0.03)
    for radius in (0.5, 1.0):
        through, direct = (
            aperture_sums(n, radius, 0.168).std() for n in (seen, drawn[..., 8:-8, 8:-8])
        )
        assert float(through) == pytest.approx(float(direct), rel=0.1)


def test_candels_wide_noise_is_weak_per_pixel_and_strong_in_apertures(
    transfer: torch.Tensor,
) -> None:
    """White noise of that depth: 0.36 HSC sigma per pixel, 1.6 in 2 arcsec; drizzled: more."""
    frequencies = ObservationOperator(5).frequencies((40, 40))
    wanted = torch.full_like(transfer.real, SIGMA**2)
    for model, per_pixel, in_aperture in (
        (NoiseModel(HST_WFC3_F160W.sky_sigma, 0.06), 0.361, 1.63),
        (HST_WFC3_F160W.noise(), 0.387, 1.76),
    ):
        carried = carried_noise_power(model.power(frequencies), transfer, DEFAULT_GRID.area_ratio)
        noise = draw_noise(carried, (400, 40, 40), seeded(7))
        assert float(noise.std()) / SIGMA == pytest.approx(per_pixel, abs=0.02)
        loss = 26.2 - effective_depth(carried, 0.168)
        assert 10 ** (0.4 * loss) == pytest.approx(in_aperture, abs=0.05)
        total = carried + missing_noise_power(wanted, carried)
        assert bool((total >= wanted * 0.9999).all())
        assert effective_depth(carried, 0.168) > effective_depth(total, 0.168) > 25.4


def test_missing_noise_fills_up_and_never_subtracts() -> None:
    wanted, carried = torch.tensor([4.0, 4.0]), torch.tensor([1.0, 9.0])
    torch.testing.assert_close(missing_noise_power(wanted, carried), torch.tensor([3.0, 0.0]))


def test_galsims_bookkeeping_is_off_by_the_square_of_the_area_ratio() -> None:
    """Drawing an image at 0.168" instead of 0.06": GalSim's variance is 61.5 times too small."""
    rng = galsim.BaseDeviate(3)
    image = galsim.ImageD(280, 280, scale=0.06)
    noise = galsim.UncorrelatedNoise(1.0, rng=rng, scale=0.06)
    image.addNoise(noise)
    sky = galsim.InterpolatedImage(image, x_interpolant="quintic")
    sky.noise = noise
    seen = galsim.Convolve(sky, galsim.Gaussian(fwhm=0.6))
    drawn = seen.drawImage(nx=60, ny=60, scale=0.168, method="no_pixel").array
    model = NoiseModel(1.0, 0.06)
    frequencies = ObservationOperator(0).frequencies((100, 100))
    ky, kx = frequencies
    blur = torch.exp(-(np.pi**2) * 0.6**2 / (4 * np.log(2)) * (ky**2 + kx**2))
    power = carried_noise_power(model.power(frequencies), blur, DEFAULT_GRID.area_ratio)
    ours = draw_noise(power, (40, 100, 100), seeded(8)).var()
    assert float(ours) == pytest.approx(float(drawn.var()), rel=0.15)
    theirs = seen.noise.getVariance()
    assert float(ours) / theirs == pytest.approx(DEFAULT_GRID.area_ratio**2, rel=0.1)


def test_noise_at_depth_has_that_depth() -> None:
    model = noise_at_depth(27.45, 0.17, 0.06, DRIZZLED)
    assert model.sigma < sky_sigma(27.45, 0.17, 0.06) < model.white_sigma
    sums = aperture_sums(model.draw((4000, 17, 17), seeded(9)), 0.5, 0.06)
    frequencies = torch.fft.fftfreq(60, 0.06)[:, None], torch.fft.rfftfreq(60, 0.06)[None]
    depth = effective_depth(model.power(frequencies), 0.06, 0.5)
    assert 31.4 - 2.5 * np.log10(5 * float(sums.std())) == pytest.approx(depth, abs=0.05)
    assert effective_depth(model.power(frequencies), 0.06, 0.17) == pytest.approx(27.45, abs=0.05)


def test_presets_have_the_noise_of_their_depth() -> None:
    assert HSC_WIDE_I.noise().sigma == pytest.approx(SIGMA)
    assert HST_WFC3_F160W.noise().correlation.shape == DRIZZLED.shape
    assert HST_ACS_F814W_30MAS.noise().sigma == pytest.approx(0.483, abs=1e-3)


def test_cosmos_noise_is_galsims() -> None:
    model = cosmos_noise(1.0)
    galsims = galsim.getCOSMOSNoise(cosmos_scale=0.03)
    assert model.sigma**2 == pytest.approx(galsims.getVariance())
    assert model.correlation[10, 11] == pytest.approx(0.476, abs=1e-3)


def test_estimate_recovers_the_noise_around_a_source() -> None:
    model = NoiseModel(0.8, 0.06, DRIZZLED)
    image = model.draw((150, 150), seeded(10)).numpy().astype(float)
    galaxy = galsim.Exponential(half_light_radius=0.4, flux=3000).shift(0.5, 0.3)
    image += galaxy.drawImage(nx=150, ny=150, scale=0.06).array + 0.3
    mask = np.zeros(image.shape, bool)
    mask[:30] = True
    image[:30] = np.nan
    found = estimate_noise(image, 0.06, mask)
    assert found.sigma == pytest.approx(0.8, rel=0.05)
    assert found.white_sigma == pytest.approx(model.white_sigma, rel=0.2)
    np.testing.assert_allclose(found.correlation[5, 5:8], DRIZZLED[2, 2:5], atol=0.06)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15])
@pytest.mark.parametrize("light", [0.0, 0.3])
def test_noise_of_apertures_is_that_of_neighbours_without_faint_light(
    share: float, light: float
) -> None:
    along = np.array([share, 1.0, share])
    noise = NoiseModel(1.0, 0.168, np.outer(along, along)).draw((300, 300), seeded(3)).numpy()
    # As many sources as pixels, none of which stands out.
    sky = gaussian_filter(np.random.default_rng(2).normal(size=(300, 300)), 6)
    found = estimate_noise(noise + light * sky / sky.std(), 0.168)
    assert excess_of_apertures(found) == pytest.approx(1 + 2 * share, abs=0.05)


def test_noise_of_apertures_is_never_less_than_white() -> None:
    along = np.array([-0.2, 1.0, -0.2])
    assert excess_of_apertures(NoiseModel(1.0, 0.2, np.pad(np.outer(along, along), 4))) == 1


@pytest.mark.real_data
def test_neighbours_share_noise_in_coadds_of_hsc(real_data: Path) -> None:
    found = []
    for path in sorted((real_data / "hsc_cosmos_blends").glob("*.npz")):
        with np.load(path) as blend, suppress(InputError):
            images, weights = blend["images"], blend["weights"]
            found.append(excess_of_apertures(estimate_noise(images[2], 0.168, ~(weights[2] > 0))))
    assert len(found) > 20
    assert 1.05 < np.median(found) < 1.25
    # What a training may draw, see `Conditions.shared_noise`: 1.02 to 1.25.
    assert np.mean((np.array(found) > 1.01) & (np.array(found) < 1.26)) > 0.9


@pytest.mark.real_data
def test_the_drizzle_model_has_the_correlation_of_candels(real_data: Path) -> None:
    image = fits.getdata(real_data / "candels_uds/h_5.fits", 1).astype(float)
    found = estimate_noise(image * HST_WFC3_F160W.nanojansky_per_count, 0.06, image == 0)
    model = HST_WFC3_F160W.noise()
    np.testing.assert_allclose(found.correlation[5, 5:8], DRIZZLED[2, 2:5], atol=0.06)
    assert found.sigma == pytest.approx(model.sigma, rel=0.1)


def test_bad_noise_is_refused() -> None:
    with pytest.raises(InputError, match="only 0 pixels are free of sources, expected 400"):
        estimate_noise(np.full((50, 50), np.nan), 0.06)
    with pytest.raises(InputError, match="source-free pixels are all equal"):
        estimate_noise(np.zeros((50, 50)), 0.06)
    with pytest.raises(InputError, match=r"correlation of shape \(2, 3\), expected 2-D with odd"):
        NoiseModel(1.0, 0.06, np.ones((2, 3)))
    with pytest.raises(InputError, match=r"correlation of 0.5 at lag 0, expected 1"):
        NoiseModel(1.0, 0.06, np.full((1, 1), 0.5))
    with pytest.raises(InputError, match="noise sigma -1"):
        NoiseModel(-1.0, 0.06)
