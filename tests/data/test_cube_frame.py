"""Frames of mock cubes: where their channels are, and which PSF and LSF they get."""

import numpy as np
import pytest

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.data.cubes.frame import make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskParameters, render_cube
from clumpygan.galaxies.emission_lines import LINES, rest_wavelengths
from clumpygan.instruments.spectrograph_presets import MUSE_WFM, SPECTROGRAPHS
from clumpygan.io.cubes.spectral_axis import air_of


def frame(**settings):
    return make_frame(FrameSettings(**settings))


def test_without_an_instrument_channels_are_equal_in_velocity_around_the_line():
    made = frame(shape=(5, 6, 7), channel_width=40.0, redshift=2.0)
    assert np.allclose(made.grid.edges, [[-100, -60, -20, 20, 60, 100]], atol=1e-9)
    assert np.allclose(made.velocities, [-80, -40, 0, 40, 80], atol=1e-9)
    assert made.grid.pixel_response
    assert made.grid.channel_response
    assert (made.transfer, made.psf_fwhm, made.correlation) == (None, None, None)


def test_the_observed_line_is_in_the_middle_of_the_range_by_default():
    made = frame(shape=(31, 8, 8), instrument="muse_wfm")
    assert pytest.approx(2 * made.axis.values[15], abs=10) == 4750 + 9350
    assert made.axis.values[15] == pytest.approx(float(air_of(5008.240 * (1 + made.redshift))))
    assert made.velocities[15] == pytest.approx(0, abs=1e-6)
    assert made.axis.medium == "air"


def test_channels_of_an_instrument_are_relativistic_velocities():
    made = frame(shape=(101, 4, 4), instrument="kmos_k", lines=("halpha",), redshift=2.3)
    ratio = made.axis.values / (6564.61 * 3.3)
    beta = (ratio**2 - 1) / (ratio**2 + 1)
    assert np.allclose(made.velocities, SPEED_OF_LIGHT * beta, atol=1e-6)
    assert np.allclose(0.5 * (made.grid.edges[0, 1:] + made.grid.edges[0, :-1]), made.velocities,
                       atol=0.02)  # fmt: skip


def test_psf_lsf_and_responses_are_the_instruments():
    made = frame(shape=(9, 8, 8), instrument="MUSE_WFM", redshift=0.3)
    where = float(air_of(5008.240 * 1.3))
    assert made.psf_fwhm == pytest.approx(float(MUSE_WFM.psf.width(where)))
    assert made.grid.line_spread == pytest.approx((float(MUSE_WFM.line_spread(where)),))
    assert not made.grid.pixel_response
    assert not made.grid.channel_response
    k = np.array([0.0, 0.5])
    assert np.allclose(made.transfer(k, 0 * k), MUSE_WFM.transfer(where)(k, 0 * k))
    assert made.correlation is MUSE_WFM.noise_correlation
    assert (made.grid.pixel_scale, made.axis.step) == (0.2, 1.25)


def test_wide_channels_are_the_sum_of_narrow_ones():
    still = {"inclination": 0.0, "velocity_dispersion": 1.0, "systemic_velocity": 60.0}
    cubes = []
    for channels, width in ((48, 1.25), (12, 5.0)):
        made = frame(shape=(channels, 12, 12), instrument="muse_wfm", channel_width=width)
        cubes.append(render_cube(DiskParameters(**still), made.grid, psf=made.transfer))
    summed = cubes[0].reshape(12, 4, 12, 12).sum(1)
    assert np.abs(cubes[1] - summed).max() < 0.01 * summed.max()
    assert cubes[1].sum() == pytest.approx(cubes[0].sum(), rel=1e-3)


@pytest.mark.parametrize("instrument", SPECTROGRAPHS)
def test_every_instrument_has_a_frame_without_further_choices(instrument):
    lines = ("oiii",) if instrument == "muse_wfm" else ("halpha",)
    made = frame(shape=(16, 4, 4), instrument=instrument, lines=lines)
    assert made.redshift > 0


@pytest.mark.parametrize("instrument", [None, "muse_wfm"])
def test_edges_of_a_doublet_differ_by_its_separation(instrument):
    made = frame(shape=(40, 4, 4), instrument=instrument, lines=("oii",), redshift=0.9)
    stretch = np.sqrt(
        (1 + made.grid.edges / SPEED_OF_LIGHT) / (1 - made.grid.edges / SPEED_OF_LIGHT)
    )
    assert np.allclose(stretch[0] / stretch[1], 3729.875 / 3727.092, rtol=1e-12)
    assert made.line_offsets == pytest.approx((0, 223.77), abs=0.01)
    assert abs(made.velocities[[0, -1]].mean() - 111.9) < 2
    assert len(made.grid.line_spread) == 2


def test_seeing_is_a_gaussian_without_an_instrument_and_its_own_kind_with_one():
    k = np.linspace(0, 1, 5)
    plain = frame(seeing=0.8).transfer(0 * k, k)
    sigma = 0.8 / 2.354820045
    assert np.allclose(plain, np.exp(-2 * (np.pi * sigma * k) ** 2), atol=1e-9)
    sharp = frame(instrument="muse_wfm", seeing=0.4)
    assert sharp.psf_fwhm == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"instrument": "muze"}, "no spectrograph 'muze'"),
        ({"lines": ("oi",)}, "no line 'oi'; expected one of lya, oii"),
        ({"lines": ()}, "no line: expected at least one"),
        ({"lines": (-1.0,)}, "a rest wavelength of -1.0; expected"),
        ({"instrument": "muse_wfm", "lines": ("oii",), "redshift": 5.0},
         "the line oii at redshift 5 is observed at 22365 Angstrom, outside the range of muse_wfm, "
         "4750 to 9350"),
        ({"instrument": "muse_wfm", "lines": (2.1e9,)}, "at redshift -0.999 is observed at 2099"),
        ({"instrument": "muse_wfm", "lines": (5000.0,), "redshift": 0.94, "shape": (32, 8, 8)},
         None),
        ({"instrument": "muse_wfm", "lines": (5000.0,), "redshift": 0.868, "shape": (32, 8, 8)},
         "32 channels of 1.25 Angstrom around 9337.4 Angstrom reach beyond the range of muse_wfm"),
        ({"shape": (0, 4, 4)}, "`shape` is (0, 4, 4): expected 3 values, each an integer >= 1"),
        ({"shape": (4, 4)}, "`shape` is (4, 4): expected 3 values"),
        ({"shape": (4.5, 4, 4)}, "each an integer"),
        ({"shape": (1000, 1000, 1000)}, "more than 268435456 voxels"),
        ({"pixel_scale": 0.0}, "`pixel_scale` is 0: expected a number from 0.0001 to 100"),
        ({"channel_width": -5.0}, "`channel_width` is -5: expected"),
        ({"channel_width": -5.0, "instrument": "muse_wfm"}, "`channel_width` is -5: expected"),
        ({"channel_width": float("nan")}, "`channel_width` is nan"),
        ({"seeing": -1.0}, "`seeing` is -1: expected"),
        ({"redshift": -1.0}, "`redshift` is -1: expected a number > -1"),
        ({"line_spread": -1.0}, "`line_spread` is -1: expected a number from 0 to 100000"),
        ({"line_spread": 9.0, "instrument": "muse_wfm"}, "muse_wfm has its own"),
    ],
)  # fmt: skip
def test_bad_settings(settings, words):
    with pytest.raises(InputError) as caught:
        frame(**settings)
    assert "\n" not in str(caught.value)
    assert words is None or words in str(caught.value)


def test_lines_by_name_and_number():
    assert rest_wavelengths(("OII", 5000)) == (*LINES["oii"], 5000.0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ha", "halpha"), ("H-alpha", "halpha"), ("h\N{GREEK SMALL LETTER ALPHA}", "halpha"),
        ("Hb", "hbeta"), ("[OII]", "oii"), ("[O II]", "oii"), ("[OIII]5007", "oiii"),
        ("[SII]", "sii"), ("Lya", "lya"), ("Ly-alpha", "lya"),
    ],
)  # fmt: skip
def test_lines_as_they_are_written(text, name):
    assert rest_wavelengths((text,)) == LINES[name]


def test_an_unknown_line():
    with pytest.raises(InputError, match="no line 'boz'; expected one of lya, oii"):
        rest_wavelengths(("boz",))
