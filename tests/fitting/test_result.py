"""The tables of a fit: intervals hold the share of the draws that they are said to hold."""

import numpy as np
import pytest
from astropy.table import Table

from clumpygan.fitting.batch.summary import text_of
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.result import tabulate
from clumpygan.fitting.sampling.draws import Draws
from tests.fitting.test_coordinates import coordinates


def test_intervals_hold_68_percent_of_the_draws():
    free = coordinates()
    generator = np.random.default_rng(1)
    u = 0.1 * generator.standard_normal((20_000, free.count))
    draws = Draws("laplace", u, np.full(len(u), 1 / len(u)), np.full(free.count, 2e4))
    optimum = Optimum(u[0], 0.0, np.zeros(3), np.eye(free.count), True, 1, 0.0)
    table, samples = tabulate(free, optimum, draws, generator, {})
    for row in table:
        values = np.asarray(samples[row["name"]])
        below = np.mean(values < row["lower"])
        above = np.mean(values > row["upper"])
        assert below == pytest.approx(0.1587, abs=0.003), row["name"]
        assert above == pytest.approx(0.1587, abs=0.003), row["name"]
        assert np.mean(values < row["median"]) == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize(
    ("limit", "words"), [("< 9", "V/sigma > 20 (84 %)"), ("", "V/sigma 80 +- 2.4e+02")]
)
def test_a_limit_of_the_dispersion_is_one_of_v_over_sigma(limit, words):
    row = {"name": "velocity_dispersion", "unit": "km/s", "median": 2.0, "lower": 0.3,
           "upper": 8.0, "limit": limit}  # fmt: skip
    ratio = {"name": "velocity_over_dispersion", "unit": "", "median": 80.0, "lower": 20.0,
             "upper": 500.0}  # fmt: skip
    meta = {
        "chi_squared": 10.0, "degrees_of_freedom": 9, "signal_to_noise": 30.0, "verdict": "good",
        "log_evidence": None, "remarks": [], "quantities": [ratio],
        "goodness": {"chi_squared_of_signal": 1.0, "share_left": 0.0},
    }  # fmt: skip
    assert words in text_of(Table([row], meta=meta))
