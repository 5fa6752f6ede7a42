"""The presets: their units, PSFs and messages."""

from dataclasses import replace

import galsim
import pytest

from clumpygan.errors import InputError
from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_ACS_F814W_30MAS,
    HST_WFC3_F160W,
    INSTRUMENTS,
    fwhm_of,
    get_instrument,
)
from clumpygan.instruments.presets import QUANTITIES


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_preset_has_a_psf_of_its_width_a_noise_and_a_source(name: str) -> None:
    preset = get_instrument(name.upper())
    assert preset is INSTRUMENTS[name]
    psf = preset.psf()
    assert psf.flux == pytest.approx(1)
    assert fwhm_of(psf) == pytest.approx(preset.psf_fwhm, rel=2e-3)
    assert preset.psf_fwhm_range[0] <= preset.psf_fwhm <= preset.psf_fwhm_range[1]
    assert 0.3 < preset.noise().sigma < 120
    assert " et al. " in preset.source
    assert set(dict(preset.sources)) == set(QUANTITIES)


def test_units() -> None:
    assert HSC_WIDE_I.sky_sigma == pytest.approx(2.279, abs=1e-3)
    assert HSC_WIDE_I.nanojansky_per_count == pytest.approx(57.54, abs=0.01)
    assert HST_WFC3_F160W.nanojansky_per_count == pytest.approx(151.9, abs=0.1)


def test_psf_of_a_given_seeing_and_exponent() -> None:
    assert HSC_WIDE_I.psf(0.7, 2.5) == galsim.Moffat(beta=2.5, fwhm=0.7)
    assert fwhm_of(HST_WFC3_F160W.psf(0.2)) == pytest.approx(0.2, rel=2e-3)


def test_what_no_psf_can_be_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"no instrument 'jwst'.*, expected one of: hst_wfc3_f160w"
    ):
        get_instrument("jwst")
    with pytest.raises(InputError, match=r"PSF FWHM of hsc_wide_i is -1.0, expected arcsec > 0"):
        HSC_WIDE_I.psf(-1)
    with pytest.raises(InputError, match=r"Moffat beta of hsc_wide_i is 1.0, expected above 1.1"):
        HSC_WIDE_I.psf(beta=1.0)
    with pytest.raises(InputError, match="hst_wfc3_f160w is diffraction-limited"):
        HST_WFC3_F160W.psf(beta=3.0)
    with pytest.raises(InputError, match=r'FWHM of 0\.1" is below .* 1536\.9 nm, 0\.161"'):
        HST_WFC3_F160W.psf(0.1)
    unknown = replace(HST_WFC3_F160W, detector_pixel_scale=None)
    with pytest.raises(InputError, match="neither a Moffat range nor a wavelength, mirror"):
        unknown.psf()
    with pytest.raises(InputError, match="is drizzled: give its detector_pixel_scale"):
        unknown.noise()


def test_an_instrument_is_a_constant() -> None:
    with pytest.raises(AttributeError):
        HST_ACS_F814W_30MAS.pixel_scale = 0.05  # type: ignore[misc]
