"""The files of surveys: what they must hold, and pairs of a survey and a target."""

from pathlib import Path

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.instruments import INSTRUMENTS, SurveyPair, fwhm_of, get_instrument
from clumpygan.instruments.imaging import noise_equivalent_radius
from clumpygan.instruments.presets import read_survey

FILE = """
description: A survey of this test
pixel_scale: 0.2
zero_point: 27
moffat_beta_range: [2.5, 4.5]
depth_aperture_radius: point_source
noise_correlation: white
bands:
  g: {psf_fwhm: 0.9, psf_fwhm_range: [0.8, 1.2], depth_magnitude: 26}
sources: {pixel_scale: here, zero_point: here, psf: here, depth: here, noise: here}
"""


def test_what_ships_is_what_is_asked_for() -> None:
    families = {"hsc_wide", "hsc_deep", "lsst", "lsst_y1", "des", "decals"}
    ground = {n for n, one in INSTRUMENTS.items() if one.moffat_beta_range is not None}
    assert {n.rsplit("_", 1)[0] for n in ground} == families
    space = {"hst_wfc3_f160w", "hst_acs_f814w_30mas", "hst_acs_f814w_60mas", "jwst_nircam_f150w",
             "euclid_vis"}  # fmt: skip
    assert set(INSTRUMENTS) - ground == space


def test_a_file_is_a_survey(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    (instrument,) = read_survey(path).values()
    assert instrument.name == "mine_g"
    # Three pixels of such a PSF: what is noise in its photometry is noise in that aperture.
    assert instrument.depth_aperture_radius == pytest.approx(noise_equivalent_radius(0.9, 3.5))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("depth: here, ", "", r"sources\.depth is missing"),
        (
            "pixel_scale: 0.2",
            "pixel_scale: -1",
            r"`pixel_scale` is -1: expected a number from 0.0001 to 10",
        ),
        ("pixel_scale: 0.2", "pixel_scales: 0.2", r"`pixel_scales`: there is no such setting"),
        ("zero_point: 27\n", "", r"`zero_point` is missing"),
        ("[0.8, 1.2]", "[1.0, 1.2]", r"`psf_fwhm` is 0\.9: expected a number in `psf_fwhm_range`"),
        ("bands:", "bands: 3\nother:", "the fields of each band under `bands`"),
        ("description", "{", "can't be read"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"mine\.yaml.*{words}"):
        read_survey(path)


def test_noise_equivalent_radius_is_that_of_the_psf() -> None:
    psf = get_instrument("lsst_i").psf()
    image = psf.drawImage(nx=801, ny=801, scale=0.02, method="no_pixel").array.astype(np.float64)
    area = 0.02**2 * image.sum() ** 2 / np.square(image).sum()
    assert noise_equivalent_radius(0.71, 3.5) == pytest.approx((area / np.pi) ** 0.5, rel=0.01)
    # The area that LSST calls 2.266 FWHM_eff^2, with its effective width of 0.80".
    assert area == pytest.approx(2.266 * 0.80**2, rel=0.25)


def test_the_mirror_is_part_of_the_data() -> None:
    webb, hubble = get_instrument("jwst_nircam_f150w"), get_instrument("hst_wfc3_f160w")
    assert webb.mirror_diameter == 6.5
    assert hubble.mirror_diameter == 2.4
    assert fwhm_of(webb.psf()) < 0.4 * fwhm_of(hubble.psf())


def test_pairs_go_into_cards_and_come_back() -> None:
    pair = SurveyPair.of("des_r")
    assert SurveyPair.from_card(pair.to_card()) == pair
    assert pair.adapted
    assert pair.target.pixel_scale == pair.grid.target_scale
    old = SurveyPair.from_card(None)
    assert old == SurveyPair.of("hsc_wide_i", "hst_wfc3_f160w")
    assert not old.adapted
    assert old.depth_range == (0.0, 0.7)
    with pytest.raises(InputError, match="`observation` is damaged"):
        SurveyPair.from_card({"survey": "hsc_wide_i"})


def test_bands_of_a_survey_are_its_own() -> None:
    assert SurveyPair.of("lsst_i").survey_in("u").name == "lsst_u"
    assert SurveyPair.of("des_i").survey_in("y").name == "des_y"
    with pytest.raises(InputError, match="`band` is 'u': expected one of g, r, i, z, y of hsc_wi"):
        SurveyPair.of().survey_in("u")


@pytest.mark.parametrize(
    ("survey", "target", "words"),
    [
        ("euclid_vis", "hst_wfc3_f160w", "without an atmosphere: expected a survey from the gr"),
        ("lsst_r", "hsc_wide_i", "no sharper than lsst_r at its best"),
        ("hsc_wide_i", "decals_g", "can't be recovered from hsc_wide_i: .* smaller than the"),
        ("lst_i", "hst_wfc3_f160w", r"did you mean lsst_i\?"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(survey: str, target: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        SurveyPair.of(survey, target)
