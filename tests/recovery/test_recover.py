"""Galaxies recovered from Python: files, arrays and CCDData; a Wiener filter is the network."""

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS

import clumpygan
from clumpygan.errors import InputError, InputWarning
from clumpygan.evaluation.recovery.intervals import Widening
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W, ObservationOperator
from clumpygan.networks.super_resolution import SuperResolutionGenerator
from clumpygan.recovery import (
    Recovery,
    RecoverySettings,
    SuperResolver,
    recover,
    recover_with,
)
from tests.recovery.examples import WienerResolver, galaxy, sky_wcs

pytestmark = pytest.mark.usefixtures("without_network")

SEEING = HSC_WIDE_I.psf(fwhm=0.7)
SHAPE = (40, 45)
QUICK = {"seed": 3, "samples": 2, "richardson_lucy": False}


@pytest.fixture(scope="module")
def observed() -> np.ndarray:
    """Return a galaxy in nJy as HSC sees it, one corner of it without data."""
    data = galaxy(SHAPE, 0.168, SEEING, 2000, 0.5).astype(np.float32)
    data[:4, :5] = np.nan
    return data


@pytest.fixture(scope="module")
def kernel() -> np.ndarray:
    return SEEING.drawImage(nx=31, ny=31, scale=0.168, method="no_pixel", dtype=np.float32).array


def same(one: Recovery, other: Recovery) -> None:
    np.testing.assert_array_equal(one.samples, other.samples)
    assert one.metrics == other.metrics
    assert one.scene.sigma == other.scene.sigma


def test_a_file_is_recovered(
    tmp_path: Path, save: Callable[..., Path], observed: np.ndarray, kernel: np.ndarray
) -> None:
    path, psf = save("hsc.fits", observed, 0.168), save("psf.fits", kernel, None)
    hst = save("hst.fits", galaxy((112, 126), 0.06, HST_WFC3_F160W.psf(), 2000, 0.02), 0.06)
    with pytest.warns(InputWarning, match="no PSF given; that of hst_wfc3_f160w"):
        recovery = recover(str(path), psf=psf, reference=str(hst), **QUICK)
    assert recovery.best.shape == recovery.error.shape == (112, 126)
    assert recovery.samples.shape == (2, 112, 126)
    assert recovery.mask.mean() == pytest.approx(20 / (40 * 45), rel=0.1)
    assert recovery.unit == "nJy"
    assert recovery.settings.seed == 3
    assert recovery.metrics["network"]["centroid_shift"] < 0.05
    assert any("reference registered" in remark for remark in recovery.remarks)
    assert len(recovery.warnings) == 1
    middle = recovery.wcs.pixel_to_world_values(62.5, 55.5)
    assert middle == pytest.approx((150.1, 2.2), abs=1e-7)
    assert "hsc.fits" in str(recovery)
    assert json.loads(json.dumps(recovery.to_dict()))["source"] == "hsc"
    recovery.write(tmp_path / "a.fits")
    written = fits.getdata(tmp_path / "a.fits", "RECOVERED")
    np.testing.assert_array_equal(np.isnan(written), recovery.mask)
    assert WCS(fits.getheader(tmp_path / "a.fits", "RECOVERED")).has_celestial
    assert recovery.plot().axes


def test_an_array_is_recovered_as_a_file_is(
    save: Callable[..., Path], observed: np.ndarray, kernel: np.ndarray
) -> None:
    path, psf = save("hsc.fits", observed, 0.168), save("psf.fits", kernel, None)
    expected = recover(path, psf=psf, **QUICK)
    filled, mask = np.nan_to_num(observed, nan=7.0), np.isnan(observed)
    how = {"pixel_scale": 0.168, "psf": kernel, **QUICK}
    same(recover(observed, unit="nJy", **how), expected)
    same(recover(filled, unit="nJy", mask=mask, **how), expected)
    same(recover(filled, zero_point=31.4, weight=~mask, **how), expected)
    same(recover(np.ma.MaskedArray(filled, mask), unit="nJy", **how), expected)
    same(recover(observed * units.nJy, **how), expected)
    found = recover(observed / 1000, unit="uJy", variance=np.full(SHAPE, 1e-6), **how)
    assert found.scene.sigma == pytest.approx(1.0)
    assert found.metrics["network"]["magnitude"] == pytest.approx(23.4, abs=0.2)
    assert found.wcs is None


def test_ccddata_brings_its_mask_unit_uncertainty_and_wcs(observed: np.ndarray) -> None:
    image = CCDData(
        np.nan_to_num(observed) / 1000, unit="uJy", mask=np.isnan(observed),
        wcs=sky_wcs(0.168, SHAPE), uncertainty=StdDevUncertainty(np.full(SHAPE, 6e-4)),
    )  # fmt: skip
    recovery = recover(image, psf=SEEING, **QUICK)
    assert recovery.scene.sigma == pytest.approx(0.6)
    assert recovery.scene.facts["noise_from"] == "the median of the image's uncertainty"
    assert recovery.scene.title == "observed"
    assert recovery.unit == "nJy"
    assert recovery.scene.observed_mask[:4, :5].all()
    assert recovery.wcs.pixel_to_world_values(62.5, 55.5) == pytest.approx((150.1, 2.2), abs=1e-7)


def test_ccddata_comes_out_and_goes_in_again(observed: np.ndarray) -> None:
    image = CCDData(
        np.nan_to_num(observed), unit="nJy", mask=np.isnan(observed), wcs=sky_wcs(0.168, SHAPE),
        uncertainty=StdDevUncertainty(np.full(SHAPE, 0.6)),
    )  # fmt: skip
    recovery = recover(image, psf=SEEING, **QUICK)
    best = recovery.to_ccddata()
    assert best.unit == units.nJy
    np.testing.assert_array_equal(best.data, recovery.best)
    np.testing.assert_array_equal(best.uncertainty.array, recovery.error)
    np.testing.assert_array_equal(best.mask, recovery.mask)
    assert best.wcs.pixel_to_world_values(62.5, 55.5) == pytest.approx((150.1, 2.2), abs=1e-7)
    again = recover(recovery.to_ccddata("observed"), psf=SEEING, **QUICK)
    assert again.scene.sigma == pytest.approx(recovery.scene.sigma)
    np.testing.assert_allclose(again.best, recovery.best, rtol=1e-4, atol=1e-3)
    with pytest.raises(InputError, match="expected best or observed"):
        recovery.to_ccddata("sharp")


def test_ccddata_of_counts_is_in_adu(observed: np.ndarray) -> None:
    with pytest.warns(InputWarning, match="fluxes stay in counts"):
        recovery = recover(np.nan_to_num(observed), pixel_scale=0.168, psf=SEEING, **QUICK)
    assert recovery.to_ccddata().unit == units.adu
    assert recovery.to_ccddata().wcs is None


def test_an_hst_image_in_memory_is_degraded_and_recovered() -> None:
    psf = HST_WFC3_F160W.psf()
    data = galaxy((98, 112), 0.06, psf, 500, 0.02)
    recovery = recover(image=data, pixel_scale=0.06, unit="nJy", psf=psf, **QUICK)
    assert recovery.scene.reference == pytest.approx(data, abs=1e-5)
    assert recovery.scene.observed.shape == (35, 40)
    assert recovery.metrics["network"]["flux_error_percent"] == pytest.approx(0, abs=20)


def test_a_synthetic_galaxy_is_the_default() -> None:
    recovery = clumpygan.recover(seed=7, samples=2)
    assert recovery.scene.title == "Synthetic galaxy, seed 7"
    assert set(recovery.metrics) == {"network", "sample", "richardson_lucy"}
    assert recovery.magnitude == recovery.scene.magnitude
    drawn = [recover(samples=2, richardson_lucy=False).settings.seed for _ in range(2)]
    assert drawn[0] != drawn[1]


def test_intervals_are_widened_as_the_card_says(monkeypatch: pytest.MonkeyPatch) -> None:
    told = recover(seed=7, samples=8).to_dict()["quantities"]
    monkeypatch.setattr(WienerResolver, "widening", Widening())
    plain = recover(seed=7, samples=8).to_dict()["quantities"]
    for name, factor in (("flux_1", 2.0), ("flux_1.5", 1.0)):
        assert (told[name]["widened"], plain[name]["widened"]) == (factor, 1.0)
        assert told[name]["value"] == plain[name]["value"]
        width = plain[name]["high"] - plain[name]["low"]
        assert told[name]["high"] - told[name]["low"] == pytest.approx(factor * width)


def test_intervals_are_moved_as_the_card_says(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = recover(seed=7, samples=8).to_dict()["quantities"]
    moved = Widening({"flux_1": {"all": (2.0, 3.0)}}, {"flux_1": {"all": (0.5, 0.4)}})
    monkeypatch.setattr(WienerResolver, "widening", moved)
    told = recover(seed=7, samples=8).to_dict()["quantities"]
    half = (plain["flux_1"]["high"] - plain["flux_1"]["low"]) / 4  # as the samples scatter
    assert plain["flux_1"]["moved"] == told["flux_1.5"]["moved"] == 0
    assert told["flux_1"]["moved"] == pytest.approx(half / 2)
    for name in ("value", "low", "high"):
        assert told["flux_1"][name] == pytest.approx(plain["flux_1"][name] + half / 2)
        assert told["flux_1.5"][name] == plain["flux_1.5"][name]


def test_a_scene_is_never_changed() -> None:
    recovery = recover(seed=7, samples=2, richardson_lucy=False)
    with pytest.raises(AttributeError):
        recovery.scene.title = "another"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        recovery.best = recovery.error  # type: ignore[misc]


def test_a_network_of_ones_own() -> None:
    settings = RecoverySettings(seed=7, samples=2, richardson_lucy=False)
    network = SuperResolutionGenerator(ObservationOperator(), channels=8)
    found = recover_with(settings, SuperResolver(network.eval(), {}))
    assert np.isfinite(found.best).all()
    assert (found.best != recover_with(settings).best).any()


def test_the_signature_names_the_settings() -> None:
    parameters = inspect.signature(clumpygan.recover).parameters
    assert next(iter(parameters)) == "observed"
    assert {*parameters} == {one.name for one in fields(RecoverySettings)}
    assert parameters["samples"].default == 16


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"observed": np.ones((40, 40)), "seeing": 0.7},
         "`observed` has no WCS: give `pixel_scale`, in arcsec"),
        ({"observed": np.ones((40, 40)), "pixel_scale": 0.168}, "`observed` needs one PSF"),
        ({"observed": 5, "seeing": 0.7}, "`observed` is int: expected a FITS file, an array"),
        ({"observed": {"a": 1}, "seeing": 0.7}, "`observed` is dict: expected a FITS file"),
        ({"observed": np.ones(7), "seeing": 0.7, "pixel_scale": 0.168},
         r"`observed`: the image is 1-D \(7\)"),
        ({"observed": np.ones((40, 40)), "seeing": 0.7, "pixel_scale": 0.3},
         "`observed`: the pixel scale is 0.3 arcsec"),
        ({"observed": np.eye(40), "seeing": 0.7, "pixel_scale": 0.168, "unit": "K"},
         "`unit` is 'K': expected a flux density"),
        ({"observed": np.eye(40), "seeing": 0.7, "unit": "nJy", "zero_point": 30},
         "`zero_point` and `unit` both say"),
        ({"observed": np.eye(40), "seeing": 0.7, "pixel_scale": 0.168, "mask": np.ones(3)},
         r"the mask: the image is 1-D"),
        ({"observed": np.eye(40), "seeing": 0.7, "pixel_scale": 0.168, "mask": np.ones((3, 3))},
         "the mask is 3 x 3 pixels; expected 40 x 40"),
        ({"observed": "a.fits", "image": np.ones((9, 9)), "seeing": 0.7},
         "`image` and `observed` name two galaxies"),
        ({"samples": 1}, "`samples` is 1: expected an integer from 2 to 256"),
        ({"seed": "seven"}, "`seed` is 'seven': expected an integer"),
        ({"sample": 4}, r"`sample`: there is no such setting \(did you mean samples\?\)"),
        ({"reference": np.ones((9, 9))}, "`reference` goes with `observed`"),
        ({"band": "u"}, "`band` is 'u': expected one of g, r, i, z, y"),
        ({"device": "warp"}, "`device` warp: not available here"),
    ],
)  # fmt: skip
def test_bad_input_is_named_by_its_parameter(settings: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        recover(**settings)


def test_headings_are_words() -> None:
    """They are drawn as they are, and stand in pages and in terminals."""
    made = recover(**QUICK)
    for words in (made.headline, made.scene.subtitle, *made.remarks):
        assert not set("$\\") & set(words), words
    assert '(5 sigma in 2")' in made.scene.subtitle
