"""The table, from numbers whose means and medians are known."""

import numpy as np
import pytest

from clumpygan.evaluation.recovery import report

MAGNITUDE = np.array([20.0, 21.9, 22.0, 24.5, 25.5, 26.5])


def numbers(nrmse):
    nrmse = np.asarray(nrmse, dtype=float)
    zero = np.zeros(len(nrmse))
    return {
        "psnr": 10 * nrmse,
        "nrmse": nrmse,
        "ssim": zero,
        "magnitude_error": -nrmse,
        "half_light_radius_error": zero,
        "centroid_shift": zero,
        # true, found, matched
        "clumps": np.array([[2, 3, 2], [2, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        "chi2": zero + 1,
        "log_power_ratio": np.outer(np.ones(len(nrmse)), [-0.4, 0.2]),
    }


@pytest.fixture
def table():
    records = {"a": numbers([1, 2, 3, 4, 5, 60])}
    return report.summarise(records, MAGNITUDE, np.random.default_rng(0))


def test_bins_are_half_open():
    members = {name: report.in_bin(MAGNITUDE, name).sum() for name in report.MAGNITUDE_BINS}
    assert members == {"all": 6, "20-22": 2, "22-24": 1, "24-25": 1, "25-26": 1}


def test_means_medians_and_shares(table):
    values = table[0]["a"]
    assert values["psnr"]["all"] == pytest.approx(125.0)
    assert values["nrmse"]["all"] == pytest.approx(3.5)
    assert values["nrmse"]["20-22"] == pytest.approx(1.5)
    assert values["dm"]["all"] == pytest.approx(-3.5)
    assert values["abs_dm"]["all"] == pytest.approx(3.5)
    assert values["clump_completeness"]["20-22"] == pytest.approx(3 / 4)
    assert values["clump_purity"]["20-22"] == pytest.approx(3 / 4)
    assert values["clump_purity"]["all"] == pytest.approx(3 / 5)
    assert values["power_spectrum_distance"]["all"] == pytest.approx(0.3)
    assert values["power_spectrum_bias"]["all"] == pytest.approx(-0.1)


def test_nothing_to_measure_is_none(table):
    values, uncertainties = table
    assert values["a"]["clump_completeness"]["24-25"] is None
    assert values["a"]["clump_purity"]["24-25"] == 0
    assert "coverage_68" not in values["a"]
    bright = {"a": {k: v[:2] for k, v in numbers([1, 2, 3, 4, 5, 6]).items()}}
    values, uncertainties = report.summarise(bright, MAGNITUDE[:2], np.random.default_rng(0))
    assert values["a"]["nrmse"]["25-26"] is None
    assert uncertainties["a"]["nrmse"]["25-26"] is None


def test_bootstrap_gives_the_standard_error_of_a_mean():
    rng = np.random.default_rng(2)
    sample = {"psnr": rng.normal(30, 4, 400)}
    records = {"a": sample}
    _, uncertainties = report.summarise(records, np.full(400, 23.0), rng)
    assert uncertainties["a"]["psnr"]["all"] == pytest.approx(4 / 20, rel=0.2)


def test_the_best_iteration_is_chosen_per_bin():
    records = {
        "other": numbers([9, 9, 9, 9, 9, 9]),
        "rl@10": numbers([3, 3, 3, 1, 1, 1]),
        "rl@90": numbers([1, 1, 5, 4, 4, 4]),
    }
    joined, choices = report.choose_iterations(records, MAGNITUDE)
    assert list(joined) == ["other", "rl"]
    assert choices["rl"].iterations == {
        "all": 10, "20-22": 90, "22-24": 10, "24-25": 10, "25-26": 10,
    }  # fmt: skip
    # the galaxy of 26.5 mag lies in no bin and takes the iteration of the whole sample
    np.testing.assert_array_equal(joined["rl"]["nrmse"], [1, 1, 3, 1, 1, 1])
    np.testing.assert_array_equal(joined["rl"]["psnr"], [10, 10, 30, 10, 10, 10])
    assert choices["rl"].nrmse["22-24"] == {"10": 3.0, "90": 5.0}


def test_text_has_every_method_and_leaves_empty_bins_out(table):
    text = report.text_table(table[0], {"all": 6, "20-22": 2, "22-24": 0})
    assert "magnitude all: 6 galaxies" in text
    assert "magnitude 20-22: 2 galaxies" in text
    assert "22-24" not in text
    row = next(line for line in text.splitlines() if line.startswith("a "))
    assert row.split()[1:3] == ["125.00", "3.500"]
