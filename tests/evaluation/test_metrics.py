"""The registry of metrics: what is declared can be measured, reduced and printed."""

import numpy as np
import pytest

from clumpygan.evaluation.recovery import metrics
from clumpygan.evaluation.recovery.metrics import COLUMNS, METRICS, Column, Metric
from clumpygan.evaluation.recovery.recovered import Recovered
from clumpygan.evaluation.recovery.report import summarise, text_table


def blob(flux: float) -> np.ndarray:
    y, x = np.mgrid[:80, :80] - 39.5
    return flux * np.exp(-0.5 * (x**2 + y**2) / 16.0)


def test_names_are_given_once():
    assert len({one.name for one in METRICS}) == len(METRICS)
    assert len(COLUMNS) == sum(len(one.columns) for one in METRICS)
    assert all(column.definition for _, column in COLUMNS.values())


def test_magnitude_errors_have_one_sign_in_all_lists():
    faint = Recovered(0.5 * blob(10.0), 0.1, blob(10.0))
    dm = 2.5 * np.log10(2)
    assert metrics.measure_for_table(faint)["magnitude_error"] == pytest.approx(dm)
    assert metrics.measure_one(faint)["magnitude_error"] == pytest.approx(dm)
    assert metrics.measure_one(faint)["flux_error_percent"] == pytest.approx(-50.0)
    followed = metrics.reduce_followed([metrics.measure_followed(faint)])
    assert followed["dm"] == followed["abs_dm"] == pytest.approx(dm)


def test_chi2_is_that_of_the_pixels_that_are_judged():
    residual = np.array([1.0, -3.0])
    found = Recovered(blob(10.0), 0.1, blob(10.0), residual=residual)
    assert metrics.measure_for_table(found)["chi2"] == 5.0
    assert metrics.measure_one(found)["chi2"] == 5.0
    assert metrics.measure_followed(found)["chi2"] == 5.0


def test_what_is_not_known_is_not_measured():
    alone = metrics.measure_one(Recovered(blob(10.0), 0.1, around=(39.5, 39.5), unit="counts"))
    assert set(alone) == {"half_light_radius", "magnitude"}
    assert alone["magnitude"] is None
    assert alone["half_light_radius"] == pytest.approx(1.1774 * 4 * 0.06, rel=0.02)
    with_truth = Recovered(blob(10.0), 0.1, blob(10.0), truth_sigma=0.1)
    assert metrics.measure_one(with_truth)["psnr"] is None  # infinite
    assert metrics.measure_one(with_truth)["psnr_limit"] == pytest.approx(39.86, abs=0.01)
    assert "coverage" not in metrics.measure_for_table(with_truth)


def test_followed_columns_are_reduced_as_in_the_table():
    rows = [
        {"psnr": 20.0, "nrmse": 1.0},
        {"psnr": 40.0, "nrmse": 2.0},
        {"psnr": np.inf, "nrmse": 9},
    ]
    assert metrics.reduce_followed(rows) == {"psnr": 30.0, "nrmse": 2.0}
    assert np.isnan(metrics.reduce_followed([{"psnr": np.inf}])["psnr"])


def test_a_new_metric_is_one_entry(monkeypatch):
    column = Column("peak_ratio", lambda values: values.max(axis=1), "of the peaks; largest")
    new = Metric("peak", lambda f: float(f.image.max() / f.true.max()), columns=(column,))
    monkeypatch.setattr(metrics, "METRICS", (*METRICS, new))
    monkeypatch.setitem(COLUMNS, "peak_ratio", (new, column))
    found = metrics.measure_for_table(Recovered(0.5 * blob(10.0), 0.1, blob(10.0)))
    records = {"method": {name: np.array([value]) for name, value in found.items()}}
    values, _ = summarise(records, np.array([23.0]), np.random.default_rng(0))
    assert values["method"]["peak_ratio"]["all"] == pytest.approx(0.5)
    assert "peak_ratio" in text_table(values, {"all": 1})
