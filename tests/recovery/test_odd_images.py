"""Images with a hot pixel, without noise, of a few values, too small: recovered or refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W
from clumpygan.recovery import recover
from tests.recovery.examples import galaxy

pytestmark = pytest.mark.usefixtures("without_network")

SEEING = HSC_WIDE_I.psf(fwhm=0.7)
QUICK = {"seed": 3, "samples": 2, "richardson_lucy": False}
OBSERVED = {"psf": SEEING, "pixel_scale": 0.168, "unit": "nJy", **QUICK}
SHARP = {"psf": HST_WFC3_F160W.psf(), "pixel_scale": 0.06, "unit": "nJy", **QUICK}


@pytest.fixture(scope="module")
def view() -> np.ndarray:
    return galaxy((40, 45), 0.168, SEEING, 5000, 2.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [(1e30, "1 pixel holds more than"), (1e12, "1 pixels are dead, hot"), (-1e4, "1 pixels are")],
)
def test_a_pixel_of_an_observed_image_that_no_source_has_is_masked(
    view: np.ndarray, value: float, words: str
) -> None:
    expected = recover(view, **OBSERVED).metrics["network"]
    data = view.copy()
    data[8, 9] = value
    with pytest.warns(InputWarning, match=words):
        recovery = recover(data, **OBSERVED)
    assert recovery.scene.observed_mask.sum() == recovery.scene.observed_mask[8, 9] == 1
    assert recovery.metrics["network"]["chi2"] == pytest.approx(expected["chi2"], abs=0.05)
    assert recovery.metrics["network"]["magnitude"] == pytest.approx(
        expected["magnitude"], abs=0.002
    )


def test_the_noise_is_measured_where_light_fills_the_image() -> None:
    generator = np.random.default_rng(5)
    # Neighbours share 17 % of their noise, as the pixels of coadds do, whose frames were resampled.
    shared = np.sqrt(1 + 2 * 0.17 * np.cos(2 * np.pi * np.fft.fftfreq(60)))
    white = np.fft.fft2(generator.normal(size=(60, 60)))
    noise = 4.0 * np.real(np.fft.ifft2(white * shared[:, None] * shared))
    assert noise.std() == pytest.approx(4.0, rel=0.05)
    y, x = np.indices((60, 60)) - 29.5
    light = 1000 * np.exp(-(y**2 + x**2) / (2 * 18**2))
    recovery = recover(light + noise, **OBSERVED)
    assert recovery.to_dict()["noise_from"] == "measured from differences of neighbouring pixels"
    assert recovery.scene.sigma == pytest.approx(4.0, rel=0.1)
    # It is as bright on all sides, as a sky is, but it is none.
    assert not recovery.to_dict()["sky_subtracted"]
    assert not recovery.scene.observed_mask.any()


def test_pixels_without_a_variance_are_masked(view: np.ndarray) -> None:
    variance = np.full(view.shape, 4.0)
    variance[:3], variance[5, 5], variance[7, 7] = np.inf, np.nan, 0
    recovery = recover(view, variance=variance, **OBSERVED)
    assert recovery.scene.observed_mask.sum() == 3 * 45 + 2
    assert recovery.scene.sigma == 2


@pytest.mark.parametrize("most", [200, 0])
def test_an_hst_image_without_noise_or_of_few_values_keeps_its_light(most: int) -> None:
    data = galaxy((112, 112), 0.06, HST_WFC3_F160W.psf(), 20000, 0.0)
    if most:
        data = np.rint(20 + data / data.max() * most)
        with pytest.warns(InputWarning, match="no noise but that of its quantisation"):
            recovery = recover(image=data.astype(np.uint8), **SHARP)
    else:
        recovery = recover(image=data, **SHARP)
    assert not recovery.scene.reference_mask.any()
    assert recovery.scene.reference.sum() == pytest.approx(data.sum(), rel=1e-3)


def test_what_is_written_of_a_synthetic_galaxy_can_be_read_again(tmp_path: Path) -> None:
    first = recover(**QUICK)
    first.write(tmp_path / "a.fits")
    again = recover(
        tmp_path / "a.fits", hdu="HSC", psf=first.scene.psf.blurred, **QUICK
    )  # fmt: skip
    assert again.scene.observed == pytest.approx(first.scene.observed)
    sharp = recover(image=tmp_path / "a.fits", hdu="HST", psf=SHARP["psf"], **QUICK)
    assert sharp.scene.reference == pytest.approx(first.scene.reference)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.ones((1, 1)), '1 x 1 pixels, 0.06" at the narrowest'),
        (np.eye(112)[:2], '112 x 2 pixels, 0.12" at the narrowest'),
        (np.ones((112, 112)), "the pixels are all 1: there is no galaxy"),
        (np.eye(1, 112**2, 6000).reshape(112, 112), "1 pixels hold data: too few"),
        (1e20 * galaxy((112, 112), 0.06, SHARP["psf"], 2000, 0.02), "no image of the sky, or"),
    ],
)
def test_what_shows_no_galaxy_is_refused(data: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        recover(image=data, **SHARP)
    with pytest.raises(InputError, match=words.replace("0.06", "0.17").replace("0.12", "0.34")):
        recover(data, **OBSERVED)


def test_a_scale_of_no_reference(save: Callable[..., Path], view: np.ndarray) -> None:
    with pytest.raises(InputError, match="`reference_scale` is the pixel scale of `reference`"):
        recover(view, reference_scale=0.03, **OBSERVED)


@pytest.mark.parametrize("sigmas", [3.0, 400.0])
def test_a_sky_that_was_left_in_is_said_and_subtracted(view: np.ndarray, sigmas: float) -> None:
    expected = recover(view, **OBSERVED)
    assert not any("sky" in remark for remark in expected.remarks)
    assert not expected.to_dict()["sky_subtracted"]
    recovery = recover(view + 2 * sigmas, **OBSERVED)
    told = recovery.to_dict()
    assert told["sky_subtracted"]
    assert told["sky"] == pytest.approx(2 * sigmas, abs=0.4)
    assert any("a sky that was left in; it is subtracted" in one for one in recovery.remarks)
    for name, tolerance in (("magnitude", 0.02), ("half_light_radius", 0.02)):
        found, wanted = (one.metrics["network"][name] for one in (recovery, expected))
        assert found == pytest.approx(wanted, abs=tolerance)
    kept = recover(view + 2 * sigmas, background="keep", **OBSERVED)
    assert kept.metrics["network"]["magnitude"] < expected.metrics["network"]["magnitude"] - 0.05
    assert any("fluxes and sizes include it" in remark for remark in kept.remarks)


def test_a_small_residual_of_the_sky_is_noted_and_left(view: np.ndarray) -> None:
    recovery = recover(view + 2.5, **OBSERVED)
    assert not recovery.to_dict()["sky_subtracted"]
    assert any("fluxes and sizes include it" in remark for remark in recovery.remarks)
    assert recover(view + 2.5, background="subtract", **OBSERVED).to_dict()["sky_subtracted"]


def test_wings_that_fill_the_field_are_no_sky() -> None:
    y, x = np.mgrid[-20:20, -20:20] + 0.5
    data = 5000 * np.exp(-np.hypot(x + 6, y) / 12)
    data += 2 * np.random.default_rng(0).normal(size=data.shape)
    recovery = recover(data, **OBSERVED)
    assert not recovery.to_dict()["sky_subtracted"]
    with pytest.raises(InputError, match="light fills the image"):
        recover(data[:18, :18], background="subtract", **OBSERVED)


def _exposure(path: Path, view: np.ndarray) -> Path:
    """Write an image as LSST's and HSC's pipeline does: IMAGE, MASK with named bits, VARIANCE."""
    flags = np.zeros(view.shape, np.int32)
    flags[5:8, 5:8] |= 1 << 1
    flags[9, 9] |= 1 << 0
    flags[18:25, 18:25] |= 1 << 5
    image = view.copy()
    image[5:8, 5:8] = 6e4
    mask = fits.ImageHDU(flags, name="MASK")
    mask.header.update(MP_BAD=0, MP_SAT=1)
    mask.header["HIERARCH MP_DETECTED"] = 5
    variance = fits.ImageHDU(np.full(view.shape, 9.0, np.float32), name="VARIANCE")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="IMAGE"), mask, variance]).writeto(
        path
    )
    return path


def test_the_planes_of_an_exposure_are_taken_by_their_names(
    tmp_path: Path, view: np.ndarray
) -> None:
    path = _exposure(tmp_path / "calexp.fits", view)
    with pytest.warns(InputWarning, match="10 pixels are BAD, SAT in its MASK: masked"):
        recovery = recover(path, variance=path, **OBSERVED)
    assert recovery.scene.observed_mask.sum() == 10
    assert recovery.scene.sigma == 3
    plain = recover(view, mask=path, **OBSERVED)
    assert plain.scene.observed_mask.sum() == 10
    expected = recover(view, variance=np.full(view.shape, 9.0), **OBSERVED)
    assert recovery.metrics["network"]["magnitude"] == pytest.approx(
        expected.metrics["network"]["magnitude"], abs=0.01
    )


def test_weights_and_rms_maps_are_taken_by_their_names(tmp_path: Path, view: np.ndarray) -> None:
    weight = np.ones(view.shape, np.float32)
    weight[:2] = 0
    drizzled = tmp_path / "drz.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(view, name="SCI"),
            fits.ImageHDU(weight, name="WHT"),
            fits.ImageHDU(np.full(view.shape, 3.0), name="ERR"),
        ]
    ).writeto(drizzled)
    recovery = recover(drizzled, weight=drizzled, variance=drizzled, **OBSERVED)
    assert recovery.scene.observed_mask.sum() == 2 * 45
    assert recovery.scene.sigma == 3
    fits.writeto(tmp_path / "field_rms.fits", np.full(view.shape, 4.0))
    fits.writeto(tmp_path / "field_var.fits", np.full(view.shape, 4.0))
    for name, sigma in (("field_rms.fits", 4), ("field_var.fits", 2)):
        assert recover(view, variance=tmp_path / name, **OBSERVED).scene.sigma == sigma


@pytest.mark.parametrize("unit", ["nanomaggy", "nanomaggies", "nmgy"])
def test_nanomaggies_are_a_flux_density(tmp_path: Path, view: np.ndarray, unit: str) -> None:
    path = tmp_path / "brick.fits"
    njy = 10 ** (0.4 * (31.4 - 22.5))
    fits.writeto(path, view / njy, fits.Header({"BUNIT": unit}))
    recovery = recover(path, psf=SEEING, pixel_scale=0.168, **QUICK)
    assert recovery.scene.observed == pytest.approx(
        recover(view, **OBSERVED).scene.observed, abs=1e-3
    )
