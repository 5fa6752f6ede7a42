"""PSFs: normalised, centred, and their transfer functions against GalSim's."""

import warnings
from math import pi
from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from astropy.io import fits
from torch import Tensor

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import (
    HST_WFC3_F160W,
    ObservationOperator,
    fwhm_of,
    galsim_transfer,
    moffat_transfer,
    normalise_psf,
    pixel_psf,
    radial_transfer,
    within_band,
)


def values(psf: galsim.GSObject, frequencies: tuple[Tensor, Tensor]) -> Tensor:
    """Transfer function, one frequency at a time."""
    ky, kx = (2 * pi * k.flatten() for k in frequencies)
    return torch.tensor([[psf.kValue(float(x), float(y)) for x in kx] for y in ky])


def moffat_array(shift: tuple[float, float] = (0.0, 0.0), flux: float = 1.0) -> np.ndarray:
    psf = galsim.Moffat(beta=3.5, fwhm=0.6).shift(0.168 * shift[0], 0.168 * shift[1])
    return flux * np.array(psf.drawImage(nx=41, ny=35, scale=0.168, method="no_pixel").array)


def test_a_good_psf_is_left_alone() -> None:
    array = moffat_array() / moffat_array().sum()
    np.testing.assert_allclose(normalise_psf(array), array, atol=2e-6)


@pytest.mark.parametrize("shift", [(0.37, -0.21), (3.3, 1.6)])
def test_an_off_centre_psf_is_centred(shift: tuple[float, float]) -> None:
    with pytest.warns(InputWarning, match=r"a.fits is off-centre by .* normalised and centred"):
        centred = normalise_psf(moffat_array(shift), name="a.fits")
    expected = moffat_array() / moffat_array().sum()
    assert centred.sum() == pytest.approx(1)
    np.testing.assert_allclose(centred, expected, atol=0.01 * expected.max())


def test_a_psf_of_another_sum_is_normalised_with_a_warning() -> None:
    with pytest.warns(InputWarning, match="PSF sums to 25.* instead of 1: normalised"):
        assert normalise_psf(moffat_array(flux=2535.0)).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 5, 5)), r"p.fits has shape \(2, 5, 5\), expected a 2-D image"),
        (np.full((5, 5), np.nan), "p.fits has values that aren't finite"),
        (-np.ones((5, 5)), "p.fits sums to -25, expected a positive sum"),
    ],
)
def test_what_is_no_psf_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        normalise_psf(array, name="p.fits")


def test_a_pixel_scale_must_be_positive() -> None:
    with pytest.raises(InputError, match="pixel scale of PSF is 0"):
        pixel_psf(moffat_array(), 0)


def test_a_pixel_psf_is_the_psf_that_was_drawn() -> None:
    psf = pixel_psf(moffat_array() / moffat_array().sum(), 0.168)
    assert psf.flux == pytest.approx(1)
    assert fwhm_of(psf) == pytest.approx(0.6, rel=0.01)


@pytest.mark.parametrize("beta", [1.8, 2.5, 5.0])
def test_fwhm_of_a_moffat(beta: float) -> None:
    assert fwhm_of(galsim.Moffat(beta=beta, fwhm=0.6)) == pytest.approx(0.6, rel=3e-3)


def test_fwhm_of_an_airy_disk() -> None:
    airy = galsim.Airy(lam=1536.9, diam=2.4)
    assert fwhm_of(airy) == pytest.approx(airy.fwhm, rel=3e-3)


def test_fwhm_of_what_is_no_psf_is_refused() -> None:
    with pytest.raises(InputError, match=r"transfer function .* doesn't fall to one half"):
        fwhm_of(galsim.DeltaFunction())
    hollow = galsim.Gaussian(sigma=1.0) - galsim.Gaussian(sigma=0.5, flux=0.3)
    with pytest.raises(InputError, match="no half maximum around its centre"):
        fwhm_of(hollow)


def test_a_peak_in_a_hole_is_no_psf() -> None:
    array = np.full((21, 21), 0.1)
    array[8:13, 8:13] = -0.5
    array[9:12, 9:12] = -0.15
    array[10, 10] = 1.0
    with pytest.raises(InputError, match="PSF has no peak that could be centred"):
        normalise_psf(array)


@pytest.mark.parametrize(
    ("fwhm", "beta", "g1", "g2"),
    [(0.55, 2.5, 0.0, 0.0), (0.75, 4.5, 0.05, -0.05), (1.0, 7.9, 0.2, 0.1), (0.6, 1.61, -0.1, 0.1)],
)
def test_moffat_transfer_equals_galsims(fwhm: float, beta: float, g1: float, g2: float) -> None:
    frequencies = ObservationOperator(0).frequencies((20, 30))
    other = 0.5 * (fwhm + 0.6)
    ours = moffat_transfer(
        torch.tensor([other, fwhm]),
        torch.tensor([3.0, beta]),
        frequencies,
        torch.tensor([0.0, g1]),
        torch.tensor([0.0, g2]),
    )
    theirs = values(galsim.Moffat(beta=beta, fwhm=fwhm).shear(g1=g1, g2=g2), frequencies).real
    assert ours.dtype == torch.float32
    assert float(theirs.min()) < 0.05
    torch.testing.assert_close(ours[1], theirs.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("beta", [1.5, 8.5, float("nan")])
def test_moffat_beta_outside_the_table_is_refused(beta: float) -> None:
    frequencies = ObservationOperator(0).frequencies((5, 5))
    with pytest.raises(InputError, match=r"Moffat beta from .* expected 1\.6 to 8"):
        moffat_transfer(torch.tensor([0.6]), torch.tensor([beta]), frequencies)
    with pytest.raises(InputError, match="Moffat FWHM 0, expected"):
        moffat_transfer(torch.tensor([0.0]), torch.tensor([3.0]), frequencies)


@pytest.mark.parametrize("shape", [(20, 20), (20, 35), (35, 20)])
def test_galsim_transfer_equals_k_values(shape: tuple[int, int]) -> None:
    frequencies = ObservationOperator(0).frequencies(shape)
    with pytest.warns(InputWarning):
        measured = pixel_psf(moffat_array(flux=3.0), 0.168)
    for psf in (galsim.Moffat(beta=3, fwhm=0.6).shear(g1=0.1, g2=0.05).shift(0.1, 0), measured):
        ours, theirs = galsim_transfer(psf, frequencies), values(psf, frequencies)
        assert ours.dtype == torch.complex64
        torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=0, atol=2e-4)


@pytest.mark.real_data
def test_the_presets_are_as_wide_as_measured_psfs(real_data: Path) -> None:
    candels = pixel_psf(fits.getdata(real_data / "psf/candels_vdwel_60mas_f160w.fits"), 0.06)
    assert fwhm_of(candels) == pytest.approx(fwhm_of(HST_WFC3_F160W.psf()), rel=0.02)
    frequencies = ObservationOperator().frequencies((40, 40))
    difference = galsim_transfer(candels, frequencies) - galsim_transfer(
        HST_WFC3_F160W.psf(), frequencies
    )
    assert float(difference.abs().max()) < 0.04


@pytest.mark.real_data
def test_measured_psfs_of_other_files_are_mended(real_data: Path) -> None:
    with pytest.warns(InputWarning, match="off-centre"):
        hst = pixel_psf(fits.getdata(real_data / "hsc_hst_cosmos/psf_hst_f814w.fits"), 0.03)
    assert 0.10 < fwhm_of(hst) < 0.11
    planes = fits.getdata(real_data / "hsc_hst_cosmos/psf_hsc_grizy.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        widths = [fwhm_of(pixel_psf(plane, 0.168)) for plane in planes]
    assert min(widths) > 0.53
    assert max(widths) < 0.78


def test_a_radial_transfer_is_the_mean_over_angles() -> None:
    psf = galsim.Gaussian(sigma=0.08, flux=3.0).shear(g1=0.1, g2=0.0)
    k = 2 * pi * 3.0
    angles = np.linspace(0, pi, 400, endpoint=False)
    expected = np.mean([psf.kValue(k * np.cos(a), k * np.sin(a)).real for a in angles]) / 3.0
    assert radial_transfer(psf, [0.0, 3.0]) == pytest.approx([1.0, expected], rel=1e-4)


def test_what_a_psf_lets_through_stays_and_what_is_finer_goes() -> None:
    psf = HST_WFC3_F160W.psf()
    disk = galsim.Convolve(galsim.Exponential(half_light_radius=0.2), psf)
    seen = disk.drawImage(nx=90, ny=81, scale=0.06, method="no_pixel", dtype=float).array
    image = torch.from_numpy(seen.copy())
    kept = within_band(image, psf, 0.06)
    assert kept.dtype == image.dtype
    assert (kept - image).abs().max() < 0.005 * image.max()
    assert kept.sum() == pytest.approx(float(image.sum()), rel=1e-4)
    # HST's mirror of 2.4 m lets nothing beyond 7.27 cycles per arcsec through, and F160W's
    # pixels hardly anything from 6.5 on; the pixels of 0.06" have up to 8.33.
    phase = 2 * pi * 0.06 * torch.arange(81.0, dtype=torch.float64)[:, None].expand(81, 90)
    inner = (slice(20, -20), slice(20, -20))
    for frequency, part in ((2.0, 0.999), (5.0, 0.937), (6.0, 0.437), (7.6, 0.0)):
        pattern = torch.cos(frequency * phase)
        left = within_band(pattern, psf, 0.06)[inner].std() / pattern[inner].std()
        assert left == pytest.approx(part, abs=0.02)


def test_a_filter_keeps_the_edges_apart_and_images_by_themselves() -> None:
    psf = HST_WFC3_F160W.psf()
    images = torch.zeros(20, 2, 1, 48, 60)
    images[3, 1, 0, 24, 0] = 100.0
    kept = within_band(images, psf, 0.06)
    assert kept.shape == images.shape
    assert kept[3, 1, ..., 24, 0] > 30
    assert kept[3, 1, ..., 40:].abs().max() < 0.5  # carried around the edge it has 13 there
    assert torch.equal(kept[3, 1, 0], within_band(images[3, 1, 0], psf, 0.06))
    kept[3, 1] = 0
    assert not kept.any()
