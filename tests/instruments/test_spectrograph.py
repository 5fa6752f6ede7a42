"""Spectrographs: their PSF and LSF at any wavelength, from formulas and from arrays."""

from dataclasses import replace
from math import pi

import galsim
import numpy as np
import pytest

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError
from clumpygan.instruments.line_spread import GaussianLSF, MeasuredLSF
from clumpygan.instruments.spectrograph_presets import MUSE_WFM, SPECTROGRAPHS, get_spectrograph
from clumpygan.instruments.spread import (
    GaussianPSF,
    MeasuredPSF,
    MoffatPSF,
)

KY, KX = np.fft.fftfreq(24, 0.2)[:, None], np.fft.rfftfreq(30, 0.2)[None, :]


def galsim_values(psf: galsim.GSObject) -> np.ndarray:
    return np.array([[psf.kValue(2 * pi * x, 2 * pi * y).real for x in KX.flat] for y in KY.flat])


@pytest.mark.parametrize(
    ("wavelength", "fwhm"), [(4750.0, 0.7054), (7000.0, 0.637), (9350.0, 0.56556)]
)
def test_the_moffat_of_muse_is_galsims(wavelength: float, fwhm: float) -> None:
    ours = MUSE_WFM.transfer(wavelength)(KY, KX)
    theirs = galsim_values(galsim.Moffat(beta=2.8, fwhm=fwhm))
    assert ours.dtype == np.float64
    assert theirs.min() < 0.02
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_channels_have_their_own_psf() -> None:
    waves = np.array([5000.0, 7000.0, 9000.0])
    cube = MUSE_WFM.transfer(waves)(KY, KX)
    assert cube.shape == (3, 24, 16)
    for plane, wave in zip(cube, waves, strict=True):
        np.testing.assert_array_equal(plane, MUSE_WFM.transfer(wave)(KY, KX))
    assert cube[2, 0, 5] > cube[0, 0, 5] + 0.05  # sharper in the red


def test_a_gaussian_psf_is_galsims() -> None:
    psf = GaussianPSF(0.8, reference=6000.0, slope=1e-5)
    np.testing.assert_allclose(
        psf.transfer(KY, KX, 7000.0), galsim_values(galsim.Gaussian(fwhm=0.81)), atol=1e-7
    )


@pytest.mark.parametrize("scale", [0.2, 0.1])
def test_a_measured_psf_is_the_one_that_was_drawn(scale: float) -> None:
    truth = galsim.Gaussian(fwhm=0.8)
    image = truth.drawImage(nx=41, ny=36, scale=scale, method="no_pixel", dtype=float).array
    array = image / image.sum()
    measured = replace(MUSE_WFM, psf=MeasuredPSF(array, scale))
    ours = measured.transfer(7000.0)(KY, KX)
    np.testing.assert_allclose(ours, galsim_values(truth), atol=2e-4)
    assert measured.transfer([6000.0, 7000.0])(KY, KX).shape == (2, 24, 16)


def test_a_measured_psf_transmits_nothing_above_its_nyquist_frequency() -> None:
    array = galsim.Gaussian(fwhm=0.8).drawImage(nx=33, ny=33, scale=0.2, method="no_pixel").array
    psf = MeasuredPSF(array / array.sum(), 0.2)
    values = psf.transfer(0.0, np.array([0.0, 2.4, 2.6, 5.0]), 7000.0)
    np.testing.assert_allclose(values, [1, 0, 0, 0], atol=1e-3)
    assert values[2] == values[3] == 0


@pytest.mark.parametrize(
    ("wavelength", "fwhm"), [(4750.0, 2.9997), (6500.0, 2.5469), (7000.0, 2.4834), (9350.0, 2.5784)]
)
def test_the_line_spread_of_muse(wavelength: float, fwhm: float) -> None:
    # Bacon et al. 2017, equation 8, worked out by hand.
    sigma = 299_792.458 * fwhm / 2.354820 / wavelength
    assert float(MUSE_WFM.line_spread(wavelength)) == pytest.approx(sigma, rel=1e-4)


def test_a_measured_lsf_is_as_wide_as_the_gaussian_that_it_is() -> None:
    place = 0.4 * (np.arange(41) - 20.3)
    lsf = MeasuredLSF(5 * np.exp(-0.5 * (place / 1.1) ** 2), 0.4)
    assert lsf.array.sum() == pytest.approx(1)
    np.testing.assert_allclose(lsf.width([5000.0, 6000.0]), 1.1 * 2.354820, rtol=1e-4)
    spectrograph = replace(MUSE_WFM, lsf=lsf)
    assert float(spectrograph.line_spread(6000.0)) == pytest.approx(1.1 * 299_792.458 / 6000)


def test_seeing_scales_the_psf_at_its_reference() -> None:
    worse = MUSE_WFM.with_seeing(1.0)
    assert worse.psf.width(7000.0) == pytest.approx(1.0)
    assert worse.psf.width(6000.0) == pytest.approx(1.0304)
    with pytest.raises(InputError, match="PSF FWHM is 0"):
        MUSE_WFM.with_seeing(0)
    image = np.exp(-(np.hypot(*(np.indices((9, 9)) - 4)) ** 2))
    with pytest.raises(InputError, match="PSF of muse_wfm is an image"):
        replace(MUSE_WFM, psf=MeasuredPSF(image / image.sum(), 0.2)).with_seeing(1.0)


@pytest.mark.parametrize("wavelength", [4749.0, 9351.0, float("nan"), [7000.0, 1e5]])
def test_a_wavelength_outside_the_range_names_the_range(wavelength: float) -> None:
    message = r"outside the range of muse_wfm, 4750 to 9350 Angstrom \(air\)"
    with pytest.raises(InputError, match=message):
        MUSE_WFM.transfer(wavelength)
    with pytest.raises(InputError, match=message):
        MUSE_WFM.line_spread(wavelength)


def test_the_noise_of_muse_rises_at_sky_lines_and_falls_with_time() -> None:
    waves = np.arange(4750.0, 9350.0, 1.25)
    sigma = MUSE_WFM.noise_sigma(waves, 36_000.0)
    assert sigma.shape == waves.shape
    assert 0.7 < np.median(sigma[waves < 7200]) < 1.3  # 1e-20 erg/s/cm2/A after 10 h
    for line in (5577.34, 6300.30, 8344.60, 8827.10):
        inside, beside = (np.abs(waves - line) < width for width in (1.0, 60.0))
        assert sigma[inside].max() > 3 * np.percentile(sigma[beside], 10)
        # As wide as the LSF: three widths away nothing is left of it.
        assert np.argmax(np.where(beside, sigma, 0)) in np.flatnonzero(inside)
    hour = MUSE_WFM.noise_sigma(waves, 3600.0)
    np.testing.assert_allclose(hour, 10**0.5 * sigma)


def test_noise_needs_a_time_and_a_model() -> None:
    with pytest.raises(InputError, match="the exposure time is 0, expected seconds > 0"):
        MUSE_WFM.noise_sigma([7000.0], 0)
    with pytest.raises(InputError, match="kmos_k has no model of its noise: give the noise"):
        get_spectrograph("kmos_k").noise_sigma([22_000.0], 3600.0)
    with pytest.raises(InputError, match="outside the range of muse_wfm"):
        MUSE_WFM.noise_sigma([4000.0], 3600.0)


def test_presets_are_found_by_name() -> None:
    assert get_spectrograph("MUSE_WFM") is MUSE_WFM
    with pytest.raises(InputError, match=r"no spectrograph 'osiris', expected one of: muse_wfm"):
        get_spectrograph("osiris")


@pytest.mark.parametrize(
    ("name", "wavelength", "band"),
    [
        ("kmos", None, "kmos_h"),
        ("KMOS", 12_000.0, "kmos_yj"),
        ("kmos", 22_000.0, "kmos_k"),
        ("kmos", 30_000.0, "kmos_k"),
        ("sinfoni", 13_000.0, "sinfoni_j"),
        ("jwst_nirspec_ifu", None, "jwst_nirspec_ifu_g235h"),
        # In two gratings: where it is further from the end.
        ("jwst_nirspec_ifu", 17_000.0, "jwst_nirspec_ifu_g140h"),
        ("jwst_nirspec_ifu", 18_500.0, "jwst_nirspec_ifu_g235h"),
        ("jwst_nirspec_ifu", 40_000.0, "jwst_nirspec_ifu_g395h"),
        ("jwst_nirspec_ifu_g140h", 40_000.0, "jwst_nirspec_ifu_g140h"),
    ],
)
def test_an_instrument_of_several_bands_takes_that_of_the_line(
    name: str, wavelength: float | None, band: str
) -> None:
    assert get_spectrograph(name, wavelength).name == band


@pytest.mark.parametrize("grating", ["g140h", "g235h", "g395h"])
def test_the_psf_of_nirspec_is_that_of_the_formula(grating: str) -> None:
    """Widths in arcsec of D'Eugenio et al. 2024, w in micron; the slices lie along y."""

    def widths(wave: float) -> np.ndarray:
        w = wave / 1e4
        return np.array([0.12 + 1.9 * w * np.exp(-24.4 / w), 0.09 + 0.2 * w * np.exp(-12.5 / w)])

    preset = get_spectrograph(f"jwst_nirspec_ifu_{grating}")
    psf, middle = preset.psf, np.mean(preset.wavelength_range)
    assert isinstance(psf, GaussianPSF)
    found = psf.fwhm * np.array([1.0, psf.axis_ratio])
    np.testing.assert_allclose(found, widths(middle), atol=0.0005)
    for wave in (middle - 3000, middle + 3000):
        assert psf.width(wave) == pytest.approx(widths(wave)[0], abs=0.003)
    step = (widths(middle + 50) - widths(middle - 50))[0] / 100
    assert psf.slope == pytest.approx(step, abs=1e-7)


def test_small_spaxels_have_the_noise_of_the_detector() -> None:
    """Sky falls with the area, readout and dark current don't: compared with the formula."""
    waves = np.array([5300.0])
    wide, narrow = (
        get_spectrograph(name).noise_sigma(waves, 36_000.0)[0] for name in ("muse_wfm", "muse_nfm")
    )
    # Electrons of the sky and of the detector, in spaxels of 1 and 1/64.
    sky, detector = 68.0 * np.interp(5300, [5250, 5500], [0.271, 0.277]) * 0.922, 9.1
    assert narrow / wide == pytest.approx(
        np.sqrt((sky / 64 + detector) / (sky + detector)), rel=0.01
    )


def test_wider_channels_than_the_own_are_integrated_over() -> None:
    waves = np.array([7000.0])
    spread, integrates = MUSE_WFM.channel_spread(waves, 1.25)
    assert not integrates
    assert spread == pytest.approx(MUSE_WFM.line_spread(waves))
    inner, integrates = MUSE_WFM.channel_spread(waves, 5.0)
    assert integrates
    own = SPEED_OF_LIGHT * 1.25 / 7000.0 / np.sqrt(12)
    assert np.hypot(inner, own) == pytest.approx(spread)
    beyond = replace(MUSE_WFM, lsf_includes_channel=False)
    for width in (1.25, 5.0):
        spread, integrates = beyond.channel_spread(waves, width)
        assert integrates
        assert spread == pytest.approx(MUSE_WFM.line_spread(waves))


@pytest.mark.parametrize("name", SPECTROGRAPHS)
def test_every_preset_works_over_its_range(name: str) -> None:
    preset = SPECTROGRAPHS[name]
    waves = np.linspace(*preset.wavelength_range, 5)
    transfer = preset.transfer(waves)(KY, KX)
    assert transfer[:, 0, 0] == pytest.approx(1)
    assert (preset.line_spread(waves) > 5).all()
    assert (preset.line_spread(waves) < 90).all()
    # The line is sampled: at least about two channels per FWHM.
    assert (preset.lsf.width(waves) > 1.9 * preset.channel_width).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((9, 9), np.nan), "p.fits has values that aren't finite"),
        (-np.ones((9, 9)), "p.fits sums to -81, expected a positive sum"),
        (np.ones(9), "p.fits has shape .9,., expected a 2-D image"),
    ],
)
def test_what_is_no_psf_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MeasuredPSF(array, 0.2, name="p.fits")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(9), "l.txt sums to 0, expected a positive sum"),
        (-np.ones(9), "l.txt sums to -9, expected a positive sum"),
        (np.array([-0.2, 1.0, 0.5]), "l.txt falls to -0.2 of its peak"),
        (np.array([1.0, np.nan, 0.5]), "l.txt has values that aren't finite"),
        (np.ones((3, 3)), r"l.txt has shape \(3, 3\), expected a 1-D array"),
    ],
)
def test_what_is_no_lsf_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MeasuredLSF(array, 0.5, name="l.txt")


def test_widths_and_scales_must_be_positive() -> None:
    with pytest.raises(InputError, match="pixel scale of PSF is 0"):
        MeasuredPSF(np.ones((3, 3)), 0)
    with pytest.raises(InputError, match="step of LSF is -1"):
        MeasuredLSF(np.ones(3), -1)
    with pytest.raises(InputError, match=r"expected 1\.6 to 8"):
        MoffatPSF(0.6, 1.2)
    with pytest.raises(InputError, match=r"PSF FWHM falls to -0\.4 arcsec"):
        MoffatPSF(0.6, 2.8, slope=-1e-3).width(8000.0)
    with pytest.raises(InputError, match=r"LSF FWHM falls to -1 Angstrom between 5000 and 5000"):
        GaussianLSF((4.0, -1e-3)).width(5000.0)
