"""HST images on the grid and at the PSF that the network recovers."""

from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from astropy.io.fits import Header

from clumpygan.instruments import HST_WFC3_F160W, NoiseModel, SurveyPair
from clumpygan.io import Image
from clumpygan.recovery.hst_stamp import placed, sharp_stamp
from clumpygan.recovery.resampling import Placement
from tests.recovery.examples import galaxy, sky_wcs


def image_of(data: np.ndarray, pixel_scale: float, mask: np.ndarray | None = None) -> Image:
    mask = np.zeros(data.shape, dtype=bool) if mask is None else mask
    wcs = sky_wcs(pixel_scale, data.shape)
    return Image(
        data.astype(np.float32), pixel_scale, wcs, 31.4, mask, Header(), Path("image.fits")
    )


def test_an_image_of_finer_pixels_and_sharper_psf_becomes_one_of_the_target_camera() -> None:
    sharp, target = galsim.Gaussian(fwhm=0.11), HST_WFC3_F160W.psf()
    image = image_of(galaxy((224, 224), 0.03, sharp, 1000, 0.0), 0.03)
    stamp = sharp_stamp(image, sharp, NoiseModel(0.1, 0.03), SurveyPair.of())
    wanted = galaxy((112, 112), 0.06, target, 1000, 0.0)
    assert wanted.max() > 5
    assert stamp.data[10:-10, 10:-10] == pytest.approx(wanted[10:-10, 10:-10], abs=0.01)
    assert stamp.psf is not stamp.own_psf
    middle = stamp.wcs.pixel_to_world_values(55.5, 55.5)
    assert middle == pytest.approx((150.1, 2.2), abs=1e-7)


def test_a_placed_image_moves_by_the_shift_and_knows_its_edges() -> None:
    psf = HST_WFC3_F160W.psf()
    data = galaxy((112, 112), 0.06, psf, 1000, 0.0)
    moved = placed(image_of(data, 0.06), psf, (112, 112), SurveyPair.of(), Placement((0.6, -1.2)))
    assert moved.data[10:80, 20:100] == pytest.approx(data[30:100, 10:90], abs=0.01)
    assert moved.mask[-19:].all()
    assert not moved.mask[:80, 12:].any()


def test_the_noise_of_a_resampled_stamp_is_predicted() -> None:
    sharp = galsim.Gaussian(fwhm=0.11)
    noise = NoiseModel(0.1, 0.03)
    sky = noise.draw((448, 448), torch.Generator().manual_seed(0)).numpy()
    stamp = sharp_stamp(image_of(sky, 0.03), sharp, noise, SurveyPair.of())
    _, predicted = stamp.filled(torch.Generator().manual_seed(1))
    assert stamp.data[10:-10, 10:-10].std() == pytest.approx(predicted, rel=0.05)
    assert predicted < 0.2  # white noise of 0.1 in pixels of a quarter of the area, smoothed
