"""Priors integrate to one, and their coordinates are standard normal."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from clumpygan.errors import InputError
from clumpygan.fitting.priors import (
    FitPrior,
    concentration_prior,
    parse_prior,
    tully_fisher_prior,
)
from clumpygan.galaxies import DiskModel

PRIORS = [
    FitPrior("uniform", -2.0, 5.0),
    FitPrior("log_uniform", 0.02, 6.0),
    FitPrior("isotropic", 0.0, 90.0),
    FitPrior("isotropic", 30.0, 80.0),
    FitPrior("normal", -np.inf, np.inf, 200.0, 30.0),
    FitPrior("normal", 0.0, 2000.0, 20.0, 30.0),
    FitPrior("normal", 0.0, 50.0, 200.0, 30.0),
    FitPrior("normal", 300.0, 500.0, 200.0, 30.0),
    FitPrior("lognormal", 0.0, 2000.0, 150.0, 0.13),
    FitPrior("lognormal", 100.0, 120.0, 150.0, 0.13),
]


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_a_prior_integrates_to_one(prior):
    low, high = prior.value([-6.0, 6.0])
    middle = float(prior.value(0.0))
    total = sum(
        quad(lambda x: float(np.exp(prior.log_density(x))), a, b, limit=200)[0]
        for a, b in ((low, middle), (middle, high))
    )
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_a_coordinate_is_the_standard_normal_number_of_equal_rank(prior):
    for u in (-2.5, -0.3, 0.0, 1.1, 2.0):
        value = float(prior.value(u))
        low = float(prior.value(-8.0))
        share = quad(lambda x: float(np.exp(prior.log_density(x))), low, value, limit=200)[0]
        assert share == pytest.approx(norm.cdf(u), abs=1e-7)


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_values_and_coordinates_invert_each_other(prior):
    u = np.linspace(-5, 5, 41)
    np.testing.assert_allclose(prior.coordinate(prior.value(u)), u, atol=1e-6)


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_the_slope_is_that_of_finite_differences(prior):
    u = np.linspace(-2, 2, 9)
    expected = (prior.value(u + 1e-5) - prior.value(u - 1e-5)) / 2e-5
    assert np.abs(expected).min() > 0
    np.testing.assert_allclose(prior.derivative(u), expected, rtol=1e-6)


def test_what_lies_beyond_a_bound_has_no_density_and_a_far_coordinate():
    prior = FitPrior("uniform", 0.0, 1.0)
    np.testing.assert_array_equal(prior.log_density([-0.1, 1.1]), -np.inf)
    np.testing.assert_array_equal(prior.coordinate([-0.1, 0.0, 1.0, 1.1]), [-8, -8, 8, 8])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("maximum_velocity", "normal:200:30", FitPrior("normal", 0.0, 2000.0, 200.0, 30.0)),
        ("maximum_velocity", "uniform:50:300", FitPrior("uniform", 50.0, 300.0)),
        ("half_light_radius", "log_uniform:0.1:2", FitPrior("log_uniform", 0.1, 2.0)),
        ("inclination", "isotropic:20:80", FitPrior("isotropic", 20.0, 80.0)),
        ("flux", "lognormal:3:0.2", FitPrior("lognormal", 0.0, 1e30, 3.0, 0.2)),
        ("position_angle", "normal:30:5", FitPrior("normal", -150.0, 210.0, 30.0, 5.0)),
    ],
)
def test_a_prior_is_read_from_text(name, text, expected):
    model = DiskModel()
    assert parse_prior(text, model.table[model.index(name)]) == expected


def test_the_tully_fisher_relation_is_that_of_reyes():
    prior = tully_fisher_prior(10.10)
    assert prior.centre == pytest.approx(10**2.142)
    assert prior.width == pytest.approx(0.056 * np.log(10))
    model = DiskModel()
    row = model.table[model.index("maximum_velocity")]
    assert parse_prior("tully_fisher:11.1", row).centre == pytest.approx(10 ** (2.142 + 0.278))
    assert parse_prior("tully_fisher:11.1:0.1", row).width == pytest.approx(0.1 * np.log(10))


def test_priors_of_halos_are_those_of_relations():
    model = DiskModel()
    row = model.table[model.index("concentration")]
    prior = parse_prior("dutton_maccio:0", row)
    assert prior == concentration_prior(0.0)
    assert prior.width == pytest.approx(0.11 * np.log(10))
    # log c_200 = 0.905 - 0.101 log(M h / 1e12).
    for mass in (11.0, 12.0, 13.5):
        expected = 10 ** (0.905 - 0.101 * (mass - 12 + np.log10(0.6766)))
        assert prior.centre * prior.factor(mass) == pytest.approx(expected, rel=1e-9)
    assert "*exp(-0.232561*(log_halo_mass-12))" in str(prior)
    alone = concentration_prior(0.0).alone()
    assert alone.follows == ""
    assert alone.width == pytest.approx(np.hypot(0.11, 0.101) * np.log(10))
    assert alone.width > prior.width
    halo = parse_prior("abundance_matching:10.5:0.8", model.table[model.index("log_halo_mass")])
    assert halo.kind == "normal"
    assert 11.5 < halo.centre < 12.6


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("flux", "dutton_maccio:1", "expected that of concentration"),
        ("concentration", "dutton_maccio:9", "redshift is 9; expected 0 to 5"),
        ("concentration", "dutton_maccio:1:2", "scatter of the concentration is 2 dex"),
        ("concentration", "dutton_maccio", "prior of concentration is 'dutton_maccio'; expected"),
        ("log_halo_mass", "abundance_matching:3:1", "expected log10 of a stellar mass, 6 to 12.5"),
        ("log_halo_mass", "abundance_matching:11.8:2", "expected log10 of a stellar mass below"),
        ("log_halo_mass", "abundance_matching:10.5:6", "expected a redshift from 0 to 4"),
        ("flux", "normal", "prior of flux is 'normal'; expected e.g. normal:200:30"),
        ("flux", "normal:a:b", "prior of flux is 'normal:a:b'; expected"),
        ("flux", "normal:1:nan", "expected e.g. normal"),
        ("flux", "cauchy:1:2", "prior of flux is 'cauchy:1:2'; expected"),
        ("inclination", "uniform:50:40", "prior of inclination: a prior from 50 to 40"),
        ("inclination", "uniform:50:140", "inclination is 140 deg; expected a number from 0 to 90"),
        ("flux", "log_uniform:0:2", "prior of flux: a log_uniform prior from 0"),
        ("flux", "normal:1:0", "prior of flux: a normal prior of width 0"),
        ("flux", "lognormal:-1:1", "a lognormal prior of median -1; expected above 0"),
        ("inclination", "normal:200:5", "has nothing between 0 and 90, where the parameter is"),
        ("flux", "tully_fisher:10", "expected that of maximum_velocity"),
        ("maximum_velocity", "tully_fisher:3", "log10 of the stellar mass is 3; expected 6 to 13"),
        ("maximum_velocity", "tully_fisher:10:0", "scatter of the Tully-Fisher relation is 0 dex"),
    ],
)
def test_a_bad_prior_is_refused(name, text, message):
    model = DiskModel()
    with pytest.raises(InputError, match=message):
        parse_prior(text, model.table[model.index(name)])


def test_bad_numbers_are_refused():
    with pytest.raises(InputError, match="prior 'flat'; expected one of uniform"):
        FitPrior("flat", 0.0, 1.0)
    with pytest.raises(InputError, match="a lognormal prior up to -1"):
        FitPrior("lognormal", -2.0, -1.0, 1.0, 1.0)
    with pytest.raises(InputError, match="an isotropic prior from -5 to 90 degrees"):
        FitPrior("isotropic", -5.0, 90.0)
