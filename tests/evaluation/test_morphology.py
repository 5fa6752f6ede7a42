import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation import morphology
from clumpygan.evaluation.morphology import (
    BAD_FLAG,
    FAILED,
    NOT_DETECTED,
    QUANTITIES,
    measure_morphology,
)

pytest.importorskip("statmorph")

SIDE = 64


def disk(flux: float, scale: float, ratio: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - 31.5
    image = np.exp(-np.hypot(x, y / ratio) / scale)
    return flux * image / image.sum()


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(4, SIDE, SIDE))


@pytest.fixture(scope="module")
def measured(noise):
    lopsided = disk(8000.0, 3.0)
    lopsided[29:34, 39:44] += 40.0
    images = [disk(8000.0, 3.0), disk(8000.0, 3.0, 0.5), lopsided, np.zeros((SIDE, SIDE))]
    return measure_morphology(np.array(images) + noise)


def test_exponential_disks_are_measured_right(measured):
    assert tuple(measured.values) == tuple(QUANTITIES)
    assert measured.table.shape == (4, len(QUANTITIES))
    assert 10 ** measured.values["flux"][0] == pytest.approx(8000, rel=0.05)
    assert 10 ** measured.values["r_half"][0] == pytest.approx(1.678 * 3.0, rel=0.08)
    assert measured.values["ellipticity"][0] < 0.1
    assert measured.values["ellipticity"][1] == pytest.approx(0.5, abs=0.08)
    assert 10 ** measured.values["sersic_index"][0] == pytest.approx(1.0, abs=0.15)
    # an ideal exponential disk has 2.7 (Conselice 2003)
    assert measured.values["concentration"][0] == pytest.approx(2.7, abs=0.25)
    assert measured.values["asymmetry"][2] > measured.values["asymmetry"][0] + 0.1
    assert 0.4 < measured.values["gini"][0] < 0.6
    assert -2.0 < measured.values["m20"][0] < -1.5


def test_what_has_no_galaxy_is_flagged_and_counted(measured):
    assert measured.flags[3] in (NOT_DETECTED, 2)
    assert np.isnan(measured.table[3]).all()
    assert measured.measured == 3


def test_nothing_at_all_is_not_detected():
    found = measure_morphology(np.zeros((1, SIDE, SIDE)), sersic=False)
    assert found.flags.tolist() == [NOT_DETECTED]
    assert "sersic_index" not in found.values


def test_a_failure_is_of_one_galaxy_alone(noise, monkeypatch):
    real, calls = morphology._segments, []

    def fails_once(image):
        calls.append(None)
        if len(calls) == 1:
            raise IndexError("deep inside")
        return real(image)

    monkeypatch.setattr(morphology, "_segments", fails_once)
    found = measure_morphology(noise[:2] + disk(8000.0, 3.0), sersic=False)
    assert found.flags[0] == FAILED >= BAD_FLAG
    assert np.isnan(found.table[0]).all()
    assert found.flags[1] == 0
    assert np.isfinite(found.table[1]).all()


def test_the_psf_makes_the_fit_steeper(noise):
    y, x = np.mgrid[:25, :25] - 12.0
    psf = np.exp(-0.5 * (x**2 + y**2) / 2.0**2)
    images = noise[:1] + disk(20000.0, 3.0)
    plain, through = (measure_morphology(images, one) for one in (None, 5.0 * psf))
    assert through.values["sersic_index"][0] > plain.values["sersic_index"][0] + 0.05
    assert through.values["gini"][0] == plain.values["gini"][0]


def test_processes_change_nothing(noise):
    images = np.concatenate([noise[:1] + disk(8000.0, scale) for scale in (2.0, 3.0, 4.0)])
    images = np.concatenate([images] * 6)
    done = []
    one = measure_morphology(images[:3], sersic=False)
    two = measure_morphology(images, sersic=False, workers=2, progress=done.append)
    np.testing.assert_array_equal(two.table, np.tile(one.table, (6, 1)))
    assert done == [16, 2]


def test_no_stamps_at_all():
    found = measure_morphology(np.empty((0, SIDE, SIDE)))
    assert found.table.shape == (0, len(QUANTITIES))
    assert found.measured == 0


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r'statmorph is missing .* pip install "clumpygan\[eval\]"'
    ):
        measure_morphology(np.zeros((1, SIDE, SIDE)))
