import pytest
from astropy.io.fits import Header

from clumpygan.io.photometry import (
    filter_of,
    nanojansky_per_count,
    zero_point_from_keywords,
    zero_point_from_unit,
    zero_point_of_filter,
)


def test_a_count_of_magnitude_31_4_is_a_nanojansky() -> None:
    assert nanojansky_per_count(31.4) == 1.0
    assert nanojansky_per_count(28.9) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("unit", "nanojansky"),
    [
        ("nJy", 1.0),
        ("uJy", 1e3),
        ("Jy", 1e9),
        # 1 MJy/sr in a pixel of 0.02 arcsec: 1e15 nJy x (0.02 / 206264.806)^2
        ("MJy/sr", 9.4017),
    ],
)
def test_a_flux_density_is_its_own_zero_point(unit: str, nanojansky: float) -> None:
    zero_point = zero_point_from_unit(Header({"BUNIT": unit}), 0.02)
    assert zero_point is not None
    assert nanojansky_per_count(zero_point) == pytest.approx(nanojansky, rel=1e-4)


@pytest.mark.parametrize("unit", ["ELECTRONS/S", "counts", "", "m"])
def test_other_units_say_nothing(unit: str) -> None:
    assert zero_point_from_unit(Header({"BUNIT": unit}), 0.06) is None


def test_the_calibration_of_hst() -> None:
    # WFC3/IR F160W as calibrated in 2012: AB zero point 25.9463 (WFC3 web pages, STScI).
    header = Header({"PHOTFLAM": 1.9275602e-20, "PHOTPLAM": 15369.176, "PHOTZPT": -21.1})
    assert zero_point_from_keywords(header) == pytest.approx(25.9463, abs=0.001)


def test_counts_of_a_whole_exposure_are_fainter() -> None:
    rate = Header({"PHOTFLAM": 1.9e-20, "PHOTPLAM": 15369.0, "EXPTIME": 100.0})
    total = rate.copy()
    total["BUNIT"] = "ELECTRONS"
    rate["BUNIT"] = "ELECTRONS/S"
    of_rate, of_total = zero_point_from_keywords(rate), zero_point_from_keywords(total)
    assert of_rate is not None
    assert of_total == pytest.approx(of_rate + 5.0)


def test_hsc_gives_the_counts_of_magnitude_0() -> None:
    assert zero_point_from_keywords(Header({"FLUXMAG0": 63095734448.0})) == pytest.approx(27.0)


def test_the_zero_point_of_st_magnitudes_is_passed_over() -> None:
    assert zero_point_from_keywords(Header({"PHOTZPT": -21.1, "PHOTFLAM": 0.0})) is None


def test_other_headers_count_only_if_they_agree() -> None:
    one, two = Header({"MAGZPT": 25.0}), Header({"MAGZPT": 26.0})
    assert zero_point_from_keywords(Header(), [Header(), one, one.copy()]) == 25.0
    assert zero_point_from_keywords(Header(), [one, two]) is None
    assert zero_point_from_keywords(two, [one]) == 26.0


def test_the_filter_is_the_wheel_that_is_not_clear() -> None:
    assert filter_of(Header({"FILTER1": "CLEAR1L", "FILTER2": "F435W"})) == "F435W"
    wfpc2 = {"FILTER1": 28, "FILTER2": 0, "FILTNAM1": "F606W", "FILTNAM2": ""}
    assert filter_of(Header(wfpc2)) == "F606W"
    assert filter_of(Header({"FILTER1": 28, "FILTER2": 0})) == ""
    assert filter_of(Header({"FILTER": " F160W "})) == "F160W"
    assert filter_of(Header()) == ""


def test_an_unknown_filter_has_no_zero_point() -> None:
    assert zero_point_of_filter("F105W") is None
    assert zero_point_of_filter(" hsc-nothing ") is None
    assert zero_point_of_filter("f814w") == pytest.approx(25.94, abs=0.02)
