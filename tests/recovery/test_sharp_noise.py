"""The noise of sharp images: measured, where light fills them too, and by maps."""

from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.io.fits import Header

from clumpygan.errors import InputError
from clumpygan.instruments import HST_WFC3_F160W, NoiseModel, small_scale_noise
from clumpygan.instruments.correlation import drizzled_correlation
from clumpygan.io import Image
from clumpygan.recovery import recover
from clumpygan.recovery.sharp_noise import noise_of
from tests.recovery.examples import galaxy

PSF = HST_WFC3_F160W.psf()
QUICK = {"seed": 3, "samples": 2, "richardson_lucy": False}
DRIZZLED = drizzled_correlation(0.06, 0.128)
SHARED = 0.455
"""Scatter of a pixel of XDF's infrared mosaics over what their weights say: measured in the empty
sky of galaxies 15, 37 and 912 and of the stamps of 12" in the same mosaic."""


def filled(scale: float = 0.06) -> np.ndarray:
    """Return a spiral's worth of light that reaches all edges, with clumps."""
    places = np.random.default_rng(4).normal(0, 1.5, (15, 2))
    light = galsim.Exponential(half_light_radius=1.5, flux=1e5).shear(g1=0.2)
    clumps = [galsim.Gaussian(sigma=0.06, flux=1500).shift(*place) for place in places]
    side = round(6.72 / scale)
    return galsim.Convolve(galsim.Add([light, *clumps]), PSF).drawImage(
        nx=side, ny=side, scale=scale, method="no_pixel", dtype=float
    ).array  # fmt: skip


def image_of(data: np.ndarray, mask: np.ndarray | None = None) -> Image:
    blank = np.zeros(data.shape, bool) if mask is None else mask
    return Image(data.astype(np.float32), 0.06, None, 31.4, blank, Header(), Path("image"))


@pytest.mark.parametrize("correlation", [np.ones((1, 1)), DRIZZLED], ids=["white", "drizzled"])
@pytest.mark.parametrize("sigma", [0.05, 0.5, 2.0])
def test_noise_behind_light_that_fills_the_image(correlation: np.ndarray, sigma: float) -> None:
    noise = NoiseModel(sigma, 0.06, correlation)
    drawn = noise.draw((112, 112), torch.Generator().manual_seed(1)).numpy()
    found = noise_of(image_of(filled() + drawn), HST_WFC3_F160W)
    assert found.sigma == pytest.approx(sigma, rel=0.15)
    assert found.white_sigma == pytest.approx(noise.white_sigma, rel=0.2)


def test_differences_pass_over_masked_pixels_and_need_some() -> None:
    data = np.random.default_rng(0).normal(size=(80, 80))
    mask = np.zeros(data.shape, bool)
    mask[20:30] = True
    data[mask] = 1e6
    assert small_scale_noise(data, 0.06, mask).sigma == pytest.approx(1, rel=0.1)
    # 12 pixels of HSC are 2" wide: enough for a small galaxy.
    assert small_scale_noise(data[40:52, 40:52], 0.168).sigma == pytest.approx(1, rel=0.5)
    with pytest.raises(InputError, match="differences of neighbours: give a larger stamp"):
        small_scale_noise(data[:9, :9], 0.06)
    for few in (data[:3], data[:, :1], data[:0]):
        with pytest.raises(InputError, match=r"differences of neighbours in .*: give a larger st"):
            small_scale_noise(few, 0.06)
    with pytest.raises(InputError, match="don't differ"):
        small_scale_noise(np.ones((40, 40)), 0.06)


def test_noise_that_neighbours_share_is_measured_or_taken() -> None:
    noise = NoiseModel(1.0, 0.06, drizzled_correlation(1.0, 2.0, pixfrac=1.0))
    data = noise.draw((112, 112), torch.Generator().manual_seed(1)).numpy()
    measured, usual, white = (
        small_scale_noise(data, 0.06, largest_drop=largest, usual_drop=drop)
        for largest, drop in ((3.0, 0.6), (None, 0.6), (None, 0.0))
    )
    assert measured.sigma == pytest.approx(1, rel=0.1)
    assert np.array_equal(usual.correlation, drizzled_correlation(1.0, 0.6, pixfrac=1.0))
    assert white.sigma < usual.sigma < 0.8 * measured.sigma


@pytest.mark.parametrize("name", ["1", "3", "15", "37", "912"])
@pytest.mark.parametrize("band", ["f606w", "f814w", "f125w", "f160w"])
def test_noise_of_galaxies_in_the_deep_field(real_data: Path, name: str, band: str) -> None:
    start = real_data / "xdf_galaxies" / f"{name}_60mas_{band}"
    data, weight = (fits.getdata(f"{start}_{kind}.fits.gz") for kind in ("sci", "wht"))
    stated = float(np.median(weight)) ** -0.5
    truth = stated * (SHARED if band in ("f125w", "f160w") else 1.0)
    found = noise_of(image_of(data), HST_WFC3_F160W)
    # The spiral's own light adds noise in the bands where sky is faint.
    shot = 0.2 if name == "1" and band in ("f606w", "f814w") else 0.15
    assert found.sigma == pytest.approx(truth, rel=shot)


def test_a_spiral_of_the_deep_field_gives_a_deep_view(real_data: Path) -> None:
    start = real_data / "xdf_galaxies" / "1_60mas_f160w"
    files = {"image": f"{start}_sci.fits.gz", "psf": PSF, "zero_point": 25.94}
    for how in ({}, {"weight": f"{start}_wht.fits.gz"}):
        told = recover(**files, **how, **QUICK).to_dict()
        assert told["depth"] == pytest.approx(told["depth_asked"], abs=0.05)


def test_noise_inside_segments(real_data: Path) -> None:
    paths = sorted((real_data / "goodss_galaxies").glob("gal_*.fits.gz"))[:12]
    found = []
    for path in paths:
        data = fits.getdata(path, 2)
        mask = data == 0
        found.append(noise_of(image_of(data, mask), HST_WFC3_F160W).white_sigma)
    # 5 sigma in r = 0.17" is 28.2 mag in GOODS-S (Grogin et al. 2011, table 6: 27.8 to 28.9).
    depth = 25.947 - 2.5 * np.log10(5 * np.median(found) * (np.pi * (0.17 / 0.06) ** 2) ** 0.5)
    assert 27.5 < depth < 29.2


@pytest.mark.usefixtures("without_network")
class TestMaps:
    """Maps of the noise of a sharp image."""

    HOW = {"pixel_scale": 0.06, "unit": "nJy", "psf": PSF, **QUICK}  # noqa: RUF012

    def test_a_variance_map_says_the_noise(self) -> None:
        data = galaxy((112, 112), 0.06, PSF, 2000, 0.05)
        variance = np.full(data.shape, 0.05**2)
        variance[:4], variance[9, 9] = np.inf, 0
        recovery = recover(image=data, variance=variance, **self.HOW)
        assert recovery.scene.reference_mask.sum() == 4 * 112 + 1
        assert recovery.scene.reference_sigma == pytest.approx(0.05, rel=0.05)
        assert not any("variance differs" in remark for remark in recovery.remarks)
        for factor in (1, 100):  # up to a factor, the rest is measured
            weight = factor / np.where(variance > 0, variance, np.inf)
            again = recover(image=data, weight=weight, **self.HOW)
            assert again.scene.reference_mask.sum() == 4 * 112 + 1
            assert again.scene.reference_sigma == pytest.approx(0.05, rel=0.05)

    def test_maps_of_drizzled_images_are_of_noise_that_is_not_shared(self) -> None:
        noise = NoiseModel(0.05, 0.06, DRIZZLED)
        data = galaxy((112, 112), 0.06, PSF, 2000, 0.0)
        data += noise.draw((112, 112), torch.Generator().manual_seed(1)).numpy()
        for level in (0.05, noise.white_sigma):
            variance = np.full(data.shape, level**2)
            recovery = recover(image=data, variance=variance, **self.HOW)
            assert recovery.scene.reference_sigma == pytest.approx(0.05, rel=0.15)

    def test_an_uneven_map_is_said_and_judges_hot_pixels(self) -> None:
        data = galaxy((112, 112), 0.06, PSF, 2000, 0.05)
        variance = np.full(data.shape, 0.05**2)
        variance[:, 80:] *= 16
        data[:, 80:] += 0.19 * np.random.default_rng(3).normal(size=(112, 32))
        data[9, 90] += 1.2
        recovery = recover(image=data, variance=variance, **self.HOW)
        assert any("variance differs by a factor of 16.0" in one for one in recovery.remarks)
        assert not recovery.scene.reference_mask[9, 90]

    def test_maps_of_another_shape_are_refused(self) -> None:
        data = galaxy((112, 112), 0.06, PSF, 2000, 0.05)
        with pytest.raises(InputError, match=r"variance map has shape \(9, 9\)"):
            recover(image=data, variance=np.ones((9, 9)), **self.HOW)

    def test_a_part_takes_its_part_of_the_map(self) -> None:
        data = galaxy((140, 140), 0.06, PSF, 2000, 0.05)
        variance = np.full(data.shape, 0.05**2)
        variance[:70] = 0.2**2
        where = {"position": (70, 105), "size": 4.2}
        recovery = recover(image=data, variance=variance, **where, **self.HOW)
        assert recovery.scene.reference_sigma == pytest.approx(0.05, rel=0.05)
