"""Models of the same cube are compared by their evidences."""

import numpy as np
import pytest
from scipy.integrate import quad

from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, SamplerSettings, compare_models
from clumpygan.galaxies import DiskModel
from tests.fitting.conftest import FRAME, TRUTH, make_mock

FIXED = {name: value for name, value in TRUTH.items() if name != "maximum_velocity"}


def fitter(curve, method="importance", **choices):
    return DiskFitter(
        DiskModel(curve=curve), FRAME, sampler=SamplerSettings(method=method), **choices
    )


@pytest.fixture(scope="module")
def compared():
    """Curves that rise slowly, at once, and as the truth does."""
    mock = make_mock(seed=5, signal_to_noise=50.0, turnover_radius=0.3)
    fitters = {curve: fitter(curve) for curve in ("freeman", "tanh", "arctan")}
    variance = np.full(mock.data.shape, mock.sigma**2)
    return compare_models(fitters, fitters["tanh"].observe(mock.data, variance))


def test_the_curve_of_the_truth_is_the_most_probable(compared):
    assert compared.best == "arctan"
    assert sum(compared.probabilities.values()) == pytest.approx(1)
    assert compared.probabilities["arctan"] > 0.9


def test_the_table_is_sorted_and_complete(compared):
    table = compared.table
    assert table["model"][0] == "arctan"
    assert (np.diff(table["probability"]) <= 0).all()
    assert table["log_bayes_factor"][0] == 0
    ratio = np.exp(table["log_bayes_factor"]) * table["probability"][0]
    np.testing.assert_allclose(table["probability"], ratio, rtol=1e-10)
    # Of a model that leaves more than noise the evidence is that of the normal approximation.
    exact = [compared.results[name].draws.method == "importance" for name in table["model"]]
    assert exact[0]
    assert exact.count(True) == 2
    assert (table["log_evidence_error"][exact] < 0.1).all()
    assert np.isfinite(table["log_evidence"]).all()
    free = {row["model"]: row["degrees_of_freedom"] for row in table}
    assert free["freeman"] == free["tanh"] + 1


def test_the_evidence_is_the_likelihood_averaged_over_the_prior():
    """Of one free parameter, by quadrature."""
    mock = make_mock(seed=6)
    one = fitter("arctan", fixed=FIXED, priors={"maximum_velocity": "uniform:50:400"})
    observation = one.observe(mock.data, np.full(mock.data.shape, mock.sigma**2))
    result = one.fit_observation(observation)
    empty = float((mock.data**2).sum()) / mock.sigma**2
    best = result.values["maximum_velocity"]

    def ratio(speed):
        known = fitter("arctan", "laplace", fixed=FIXED | {"maximum_velocity": speed}, free=["g1"],
                       priors={"g1": "normal:0:1e-9"})  # fmt: skip
        chi2 = known.fit_observation(observation).chi_squared
        return np.exp(0.5 * (result.chi_squared - chi2)) / 350

    width = float(result.table["deviation"][0])
    integral, _ = quad(ratio, best - 5 * width, best + 5 * width, epsrel=1e-3)
    expected = 0.5 * (empty - result.chi_squared) + np.log(integral)
    assert result.log_evidence == pytest.approx(expected, abs=0.1)


def test_a_single_model_and_chains_are_refused(compared):
    observation = compared.results["tanh"].observation
    with pytest.raises(InputError, match="1 models to compare; expected two or more"):
        compare_models({"tanh": fitter("tanh")}, observation)
    with pytest.raises(InputError, match="'nuts' gives no evidence"):
        compare_models({c: fitter(c, "nuts") for c in ("tanh", "arctan")}, observation)
