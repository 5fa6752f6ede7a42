"""The noise of observed images: maps of it, weights, what neighbours share, uneven fields."""

from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from astropy.io.fits import Header
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.baselines import richardson_lucy
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W, ObservationOperator
from clumpygan.io import Image
from clumpygan.recovery import SuperResolver, recover
from clumpygan.recovery.observed_noise import (
    ASSUMED,
    BY_DIFFERENCES,
    IN_SKY,
    SharedNoise,
    depth_of,
    noise_model,
    of_map,
    shared_noise,
)
from clumpygan.recovery.scene import SeenThrough
from tests.recovery.examples import galaxy

SEEING = HSC_WIDE_I.psf(fwhm=0.7)
QUICK = {"seed": 3, "samples": 2, "richardson_lucy": False}
OBSERVED = {"psf": SEEING, "pixel_scale": 0.168, "unit": "nJy", **QUICK}
SHAPE = (40, 45)


def uneven_view(factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a galaxy whose right half is `factor` times as noisy as the left, and its noise."""
    noise = np.full(SHAPE, 2.0)
    noise[:, 22:] *= factor
    drawn = np.random.default_rng(1).normal(size=SHAPE)
    return galaxy(SHAPE, 0.168, SEEING, 5000, 0.0) + noise * drawn, noise


@pytest.mark.usefixtures("without_network")
@pytest.mark.filterwarnings("ignore:.*hot or hit:clumpygan.errors.InputWarning")
@pytest.mark.parametrize("odd", [1e300, 1e-300, 1e30])
@pytest.mark.parametrize("role", ["variance", "weight"])
def test_one_absurd_pixel_of_a_map_counts_for_itself_alone(role: str, odd: float) -> None:
    data, noise = uneven_view(1)
    given = noise**2
    given[3, 4] = odd
    recovery = recover(data, **{role: given}, **OBSERVED)
    levels = recovery.scene.sigma_map[:40, :45]
    assert np.isfinite(levels.astype(np.float32)).all()
    assert (levels.astype(np.float32) > 0).all()
    assert np.ptp(np.delete(levels.ravel(), 3 * 45 + 4)) < 0.1
    assert np.isfinite(recovery.best).all()


def test_a_variance_that_nothing_has_is_refused() -> None:
    data = uneven_view(1)[0]
    for level, words in (
        (1e300, "noise is 1.0e\\+150 nJy a pixel"),
        (-1.0, "median variance is -1"),
    ):
        with pytest.raises(InputError, match=words):
            recover(data, variance=np.full(SHAPE, level), **OBSERVED)


@pytest.mark.usefixtures("without_network")
def test_chi_squared_and_residuals_weigh_each_pixel_by_the_map() -> None:
    data, noise = uneven_view(4)
    recovery = recover(data, variance=noise**2, **OBSERVED)
    np.testing.assert_allclose(recovery.scene.sigma_map, noise)
    assert recovery.scene.sigma == 8
    # Wiener's filter knows the median alone, and misses the quiet half.
    residual = recovery.residual[:, 30:]
    assert residual.std() == pytest.approx(1, abs=0.15)
    assert any("the variance differs by a factor of 16.0" in one for one in recovery.remarks)
    even = recover(uneven_view(1)[0], variance=np.full(SHAPE, 4.0), **OBSERVED)
    assert even.scene.sigma_map is None
    assert not any("variance differs" in remark for remark in even.remarks)
    wrong = np.mean(np.square(recovery.residual[:, 30:] * 8 / 2))
    assert wrong > 10


def test_the_network_is_told_of_the_noise_that_neighbours_share() -> None:
    drawn = np.random.default_rng(4).normal(size=(60, 60))
    shared = gaussian_filter(drawn, 0.5)
    light = galaxy((60, 60), 0.168, SEEING, 5000, 0.0)
    white, coadd = (recover(light + one / one.std(), **OBSERVED) for one in (drawn, shared))
    assert white.scene.shared_noise < 1.1
    assert not any("share noise" in remark for remark in white.remarks)
    assert coadd.scene.shared_noise == pytest.approx(1.4)  # the most that is believed
    factor = f"{coadd.scene.shared_noise:.2f} times as much in apertures"
    assert any(factor in remark for remark in coadd.remarks)
    assert coadd.to_dict()["shared_noise"] == coadd.scene.shared_noise
    # Where the galaxy ends: as in the sky, the noise says how large errors are.
    away = 0.06 * np.hypot(*(place - 83.5 for place in np.indices(coadd.error.shape)))
    ring = (away > 1) & (away < 1.5)
    assert np.median(coadd.error[ring]) > 1.1 * np.median(white.error[ring])
    # chi^2 is of pixels, whose noise is as it was.
    assert coadd.scene.sigma == pytest.approx(1, abs=0.1)


@pytest.mark.usefixtures("without_network")
def test_hot_pixels_are_judged_by_their_own_noise() -> None:
    data, noise = uneven_view(1)
    data[8, 9] += 60
    with pytest.warns(UserWarning, match="1 pixels are dead, hot"):
        assert recover(data, variance=noise**2, **OBSERVED).scene.observed_mask[8, 9]
    noise[8, 9] = 30
    assert not recover(data, variance=noise**2, **OBSERVED).scene.observed_mask[8, 9]


@pytest.mark.usefixtures("without_network")
def test_a_weight_map_distributes_the_noise_that_is_measured() -> None:
    data, noise = uneven_view(4)
    for weight in (noise**-2, 1e6 * noise**-2):
        recovery = recover(data, weight=weight, **OBSERVED)
        assert recovery.scene.sigma_map is not None
        ratio = recovery.scene.sigma_map / noise
        assert np.ptp(ratio) < 1e-6
        assert "distributed as weight says" in recovery.scene.facts["noise_from"]
    alike = recover(uneven_view(1)[0], weight=np.ones(SHAPE), **OBSERVED)
    assert alike.scene.sigma_map is None
    weight = noise**-2
    weight[:, 40:] = 0
    assert recover(data, weight=weight, **OBSERVED).scene.observed_mask[:, 40:].all()


@pytest.mark.usefixtures("without_network")
def test_a_part_has_the_noise_of_its_own_pixels() -> None:
    data, noise = uneven_view(4)
    recovery = recover(data, variance=noise**2, position=(10, 20), size=2.0, **OBSERVED)
    assert recovery.scene.sigma == 2


def test_what_quieter_pixels_would_have_shown_has_their_noise() -> None:
    resolver = SuperResolver.from_checkpoint()
    psf = SeenThrough(SEEING, HST_WFC3_F160W.psf())
    truth = galaxy((112, 126), 0.06, HST_WFC3_F160W.psf(), 5000, 0.0)
    data, noise = uneven_view(4)
    images = torch.tensor(truth, dtype=torch.float32)[None, None, None]
    transfer = psf(resolver.operator.frequencies(SHAPE))
    shown = resolver._shown(
        images, torch.tensor(data, dtype=torch.float32)[None, None],
        torch.tensor(noise, dtype=torch.float32)[None, None], torch.tensor([2.0]), transfer,
        [torch.Generator().manual_seed(0)],
    )[0, 0, 0].numpy()  # fmt: skip
    clean = galaxy(SHAPE, 0.168, SEEING, 5000, 0.0)
    assert (shown - clean)[:, :22] == pytest.approx((data - clean)[:, :22], abs=1e-3)
    assert (shown - clean)[:, 22:].std() == pytest.approx(2, rel=0.1)


def test_the_network_believes_noisy_pixels_less() -> None:
    resolver = SuperResolver.from_checkpoint()
    psf = SeenThrough(SEEING, HST_WFC3_F160W.psf())
    truth = galaxy((112, 126), 0.06, HST_WFC3_F160W.psf(), 2000, 0.0)
    noise = np.full(SHAPE, 2.0)
    noise[:, 22:] *= 4
    data = galaxy(SHAPE, 0.168, SEEING, 2000, 0.0)
    data += noise * np.random.default_rng(2).normal(size=SHAPE)
    observed, each = (torch.tensor(a, dtype=torch.float32)[None, None] for a in (data, noise))
    sigma = torch.tensor([2.0])
    errors = [
        float(np.std((resolver.recover(
            observed, sigma, psf, samples=4, seed=0, noise=map_
        ).best[0, 0].numpy() - truth)[:, 62:]))
        for map_ in (None, each)
    ]  # fmt: skip
    assert errors[1] < 0.9 * errors[0]
    alike = resolver.recover(observed, sigma, psf, samples=2, noise=torch.full_like(each, 2.0))
    same = resolver.recover(observed, sigma, psf, samples=2)
    torch.testing.assert_close(alike.best, same.best)


def test_richardson_lucy_weighs_pixels() -> None:
    operator = ObservationOperator()
    psf = SeenThrough(SEEING, HST_WFC3_F160W.psf())
    transfer = psf(operator.frequencies((40, 40)))
    data = galaxy((40, 40), 0.168, SEEING, 5000, 0.3)
    spoilt = data.copy()
    spoilt[5:9, 5:9] += 500
    weight = np.ones((1, 1, 40, 40), np.float32)
    weight[..., 5:9, 5:9] = 1e-4
    how = {"iterations": (30,)}
    sigma = torch.tensor([0.3])
    clean, hit, weighed = (
        richardson_lucy(
            torch.tensor(image, dtype=torch.float32)[None, None], sigma, transfer, operator,
            weight=None if w is None else torch.from_numpy(w), **how,
        )[30][0, 0].numpy()
        for image, w in ((data, None), (spoilt, None), (spoilt, weight))
    )  # fmt: skip
    assert abs(hit - clean).max() > 20 * abs(weighed - clean)[:35, :35].max()


def image_of(data: np.ndarray) -> Image:
    blank = np.zeros(data.shape, bool)
    return Image(data.astype(np.float32), 0.168, None, 31.4, blank, Header(), Path("image"))


def halo_of(side: int) -> np.ndarray:
    """Return light that fills an image of such a side."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    return 500 * np.exp(-np.hypot(y, x) / 8)


@pytest.mark.parametrize("smoothing", [0, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("flux", [2000, 20000])
def test_the_noise_of_correlated_fields_and_their_depth(smoothing: float, flux: float) -> None:
    field = np.random.default_rng(5).normal(size=(600, 600))
    field = gaussian_filter(field, smoothing) if smoothing else field
    field *= 2.28 / field.std()
    y, x = np.mgrid[-8:9, -8:9] * 0.168
    aperture = np.clip((1.0 - np.hypot(x, y)) / 0.168 + 0.5, 0, 1)
    depth = 31.4 - 2.5 * np.log10(5 * fftconvolve(field, aperture, "valid").std())
    found = []
    for k in range(6):
        light = galaxy((40, 40), 0.168, SEEING, flux, 0.0)
        image = image_of(light + field[80 * k : 80 * k + 40, 100:140])
        model, how = noise_model(image)
        assert how == IN_SKY
        noise = of_map(np.full((40, 40), model.sigma**2), image.mask, how)
        found.append((model.sigma, depth_of(image, noise, shared_noise(image))))
    sigma, reached = np.mean(found, axis=0)
    assert sigma == pytest.approx(2.28, rel=0.05)
    assert reached == pytest.approx(depth, abs=0.1)


@pytest.mark.parametrize("side", [12, 16, 24])
def test_the_noise_of_a_few_pixels_that_a_bright_galaxy_fills(side: int) -> None:
    light = galaxy((side, side), 0.168, SEEING, 30_000, 0.0)
    assert light.max() > 400  # sigma below is 2
    found = []
    for seed in range(12):
        model, how = noise_model(
            image_of(light + 2 * np.random.default_rng(seed).normal(size=light.shape))
        )
        assert how == BY_DIFFERENCES
        found.append(model.sigma / 2)
    # 60 differences scatter by 0.2; white noise is taken for that of coadds, 8 % larger.
    assert np.mean(found) == pytest.approx(1.08, abs=0.15)
    assert max(found) < 2


@pytest.mark.parametrize("flux", [3e4, 3e5])
@pytest.mark.parametrize("radius", [1.5, 3.0])
def test_halos_of_large_galaxies_are_no_noise(flux: float, radius: float) -> None:
    places = np.random.default_rng(1).normal(0, radius / 2, (10, 2))
    clumps = [galsim.Gaussian(sigma=0.1, flux=0.02 * flux).shift(*place) for place in places]
    disk = galsim.Exponential(half_light_radius=radius, flux=flux).shear(g1=0.3)
    light = galsim.Convolve(galsim.Add([disk, *clumps]), SEEING).drawImage(
        nx=40, ny=40, scale=0.168, method="no_pixel", dtype=float
    ).array  # fmt: skip
    found = [
        noise_model(image_of(light + 2 * np.random.default_rng(seed).normal(size=light.shape)))[0]
        for seed in range(6)
    ]
    assert np.mean([model.sigma for model in found]) == pytest.approx(2.16, rel=0.1)


@pytest.mark.parametrize(("side", "smoothing"), [(20, 0), (40, 0), (40, 0.6)])
def test_what_neighbours_share_is_assumed_where_light_leaves_no_sky(
    side: int, smoothing: float
) -> None:
    light = galaxy((side, side), 0.168, SEEING, 30_000, 0.0) + halo_of(side)
    noise = gaussian_filter(np.random.default_rng(3).normal(size=light.shape), smoothing)
    image = image_of(light + 2 * noise / noise.std())
    shared = shared_noise(image)
    assert shared.how == ASSUMED
    assert shared.excess == pytest.approx(1.11)
    # The network and the depth are told by the same.
    assert shared.correlation.sum() ** 0.5 == pytest.approx(1.11, abs=1e-3)
    level = of_map(np.full(light.shape, 4.0), image.mask, "")
    white = depth_of(image, level, SharedNoise(1.0, np.ones((1, 1)), ASSUMED))
    assert depth_of(image, level, shared) == pytest.approx(white - 2.5 * np.log10(1.11), abs=0.02)


@pytest.mark.usefixtures("without_network")
def test_what_neighbours_share_is_said_to_be_assumed() -> None:
    light = halo_of(40) + np.random.default_rng(3).normal(size=(40, 40))
    recovery = recover(light, **OBSERVED)
    [said] = [remark for remark in recovery.remarks if "share noise" in remark]
    assert said.endswith("1.11 times as much in apertures, assumed, as in HSC's coadds")
    assert recovery.to_dict()["shared_noise_from"] == ASSUMED
