"""What is free, fixed or tied, and the coordinates of the free parameters."""

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from clumpygan.errors import InputError
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.parameter_choices import ParameterChoices, default_prior
from clumpygan.fitting.priors import concentration_prior
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies import GALPAK_HEIGHT, CubeGrid, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import GALPAK_ASPECT
from clumpygan.galaxies.disks.halo_relations import concentration_relation, least_halo_slope
from tests.fitting.conftest import GRID, TRUTH

BY_DEFAULT = (
    "flux", "offset_x", "offset_y", "systemic_velocity", "half_light_radius", "sersic_index",
    "inclination", "position_angle", "maximum_velocity", "turnover_radius", "velocity_dispersion",
)  # fmt: skip


def coordinates(model=None, **choices):
    return Coordinates.of(model or DiskModel(), ParameterChoices(**choices), GRID, 1.0)


def test_what_is_free_by_default():
    assert coordinates().names == BY_DEFAULT


@pytest.mark.parametrize(
    ("model", "more"),
    [
        (DiskModel(curve="nfw"), {"halo_velocity", "halo_radius"}),
        (DiskModel(curve="courteau"), {"curve_slope"}),
        (
            DiskModel(curve="dekel_zhao_mass"),
            {"log_baryonic_mass", "log_halo_mass", "concentration", "halo_slope"},
        ),
        (DiskModel(light="ring"), {"ring_width"}),
        (DiskModel(arms=2), {"arm_amplitude", "arm_phase"}),
        (DiskModel(warped=True), {"warp_inclination", "warp_position_angle"}),
        (DiskModel(radial_flow=True), {"radial_velocity"}),
        (DiskModel(clumps=1), {"clump_1_fraction", "clump_1_x", "clump_1_y"}),
    ],
)
def test_more_is_free_where_the_model_has_more(model, more):
    assert set(coordinates(model).names) - set(BY_DEFAULT) == more


def test_concentrations_follow_the_mass_of_the_halo():
    chosen = coordinates(DiskModel(curve="nfw_mass"), fixed={"galaxy_redshift": 1.0})
    u = np.random.default_rng(6).standard_normal((2000, chosen.count))
    galaxies = chosen.vectors(u)
    mass, concentration = (
        galaxies[:, chosen.model.index(name)] for name in ("log_halo_mass", "concentration")
    )
    median, slope = concentration_relation(1.0)
    away = np.log10(concentration) - np.log10(median) - slope * (mass - 12)
    assert abs(away.mean()) < 0.01
    assert away.std() == pytest.approx(0.11, rel=0.1)
    np.testing.assert_allclose(chosen.coordinates(galaxies), u, atol=1e-7)
    fixed = coordinates(DiskModel(curve="nfw_mass"), fixed={"log_halo_mass": 11.0})
    at_zero = fixed.vectors(np.zeros(fixed.count))[fixed.model.index("concentration")]
    expected = concentration_relation(0.0)[0] * 10**0.101
    assert at_zero == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("bound", [(2.0, 20.0), (6.0, 9.0)])
def test_bounds_of_a_concentration_cut_the_relation_and_stay_where_they_are(bound):
    settings = FitSettings(
        curve=("nfw_mass",), bound={"concentration": bound}, redshift=1.0, psf_fwhm=0.6
    )
    (fitter,) = fitters_of(settings).values()
    told = fitter.choices
    chosen = coordinates(
        DiskModel(curve="nfw_mass"), priors=told.priors, fixed={"galaxy_redshift": 1.0}
    )
    prior = chosen.told()["priors"]["concentration"]
    assert prior == str(concentration_prior(1.0))
    u = np.random.default_rng(7).standard_normal((4000, chosen.count))
    vectors = chosen.vectors(u)
    mass, concentration = (
        vectors[:, chosen.model.index(name)] for name in ("log_halo_mass", "concentration")
    )
    assert bound[0] < concentration.min()
    assert concentration.max() < bound[1]
    np.testing.assert_allclose(chosen.coordinates(vectors), u, atol=1e-6)
    # At each mass it is the relation, cut there.
    near = np.abs(mass - 13) < 0.5
    median, slope = concentration_relation(1.0)
    middle, sigma = np.log(median * 10**slope), 0.11 * np.log(10)
    ends = (np.log(bound) - middle) / sigma
    expected = np.exp(truncnorm.mean(*ends, loc=middle, scale=sigma))
    assert np.exp(np.log(concentration[near]).mean()) == pytest.approx(expected, rel=0.02)
    # And the gradient is that of the values.
    weights = np.random.default_rng(8).standard_normal(vectors.shape[1])
    for start in u[:5]:
        steps = 1e-5 * np.eye(chosen.count)
        away = chosen.vectors(start + steps) - chosen.vectors(start - steps)
        found = chosen.gradient(start, weights)
        np.testing.assert_allclose(found, away @ weights / 2e-5, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("concentration", [None, 15.0])
def test_slopes_of_halos_are_those_that_a_concentration_allows(concentration):
    model = DiskModel(curve="dekel_zhao_mass")
    fixed = {"galaxy_redshift": 0.0}
    if concentration is not None:
        fixed["concentration"] = concentration
    chosen = coordinates(model, fixed=fixed)
    u = np.random.default_rng(9).standard_normal((3000, chosen.count))
    vectors = chosen.vectors(u)
    found, of = (vectors[:, model.index(name)] for name in ("halo_slope", "concentration"))
    least = np.maximum(least_halo_slope(of), 0.0)
    assert (least > 0).sum() > 100
    assert (found >= least).all()
    assert kstest((found - least) / (1.9 - least), "uniform").pvalue > 0.01
    np.testing.assert_allclose(chosen.coordinates(vectors), u, atol=1e-6)
    assert np.isfinite(DiskParameters.from_vector(vectors[int(np.argmax(least))], model).halo_slope)
    # And the gradient is that of the values, where there is a limit and where there is none.
    weights = np.random.default_rng(8).standard_normal(vectors.shape[1])
    for start in u[np.argsort(least)[[0, 1, -3, -2, -1]]]:
        steps = 1e-5 * np.eye(chosen.count)
        away = chosen.vectors(start + steps) - chosen.vectors(start - steps)
        gradient = chosen.gradient(start, weights)
        np.testing.assert_allclose(gradient, away @ weights / 2e-5, rtol=1e-4, atol=1e-5)


def test_a_fixed_slope_of_a_halo_ends_the_concentrations():
    model = DiskModel(curve="dekel_zhao_mass")
    chosen = coordinates(model, fixed={"halo_slope": 0.5, "log_halo_mass": 9.0})
    vectors = chosen.vectors(4 * np.ones((1, chosen.count)))
    assert 15 < vectors[0, model.index("concentration")] <= 16.0


@pytest.mark.parametrize("slope", ["uniform:0:1.9", "uniform:0:0.5", "normal:1:0.3"])
def test_whatever_a_fit_of_a_halo_draws_is_a_halo(slope):
    """Also at the largest concentrations, where little is left of the prior of the slope."""
    model = DiskModel(curve="dekel_zhao_mass")
    chosen = coordinates(
        model, priors={"concentration": "uniform:5:60", "halo_slope": slope, "flux": "uniform:1:2"}
    )
    u = np.random.default_rng(10).standard_normal((40, chosen.count))
    u[:, chosen.names.index("concentration")] = np.linspace(-8, 8, 40)
    u[::2, chosen.names.index("halo_slope")] = -8.0
    vectors = chosen.vectors(u)
    slopes = [DiskParameters.from_vector(vector, model).halo_slope for vector in vectors]
    least = least_halo_slope(vectors[:, model.index("concentration")])
    assert np.min(slopes - least) < 1e-6  # up to the limit


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"fixed": {"concentration": 30, "halo_slope": 0.5}},
            "halo_slope is 0.5 at a concentration of 30; expected at least 1.31, or a concentration"
            " of at most 16",
        ),
        ({"fixed": {"concentration": 60}}, "halo_slope is at most 1.9 at a concentration of 60; "),
        (
            {"fixed": {"concentration": 30}, "priors": {"halo_slope": "uniform:0.2:0.9"}},
            "halo_slope is at most 0.9 at a concentration of 30; expected at least 1.31",
        ),
        (
            {"fixed": {"halo_slope": 0.5}, "priors": {"concentration": "default:20:40"}},
            "halo_slope is 0.5 at a concentration of 20 or more; expected at least 0.817",
        ),
        (
            {"fixed": {"halo_slope": 0.5}, "priors": {"concentration": "lognormal:60:0.01"}},
            "prior of concentration, where halo_slope is 0.5: a lognormal prior .* has nothing",
        ),
        ({"tied": {"halo_slope": "g1"}}, "halo_slope of a dekel_zhao_mass curve is tied"),
    ],
)
def test_fits_of_halos_that_arent_there_are_refused(choices, message):
    with pytest.raises(InputError, match=message):
        coordinates(DiskModel(curve="dekel_zhao_mass"), **choices)


@pytest.mark.parametrize("curve", ["nfw_mass", "nfw_fraction"])
def test_the_relation_of_concentrations_is_the_default_one_if_it_is_asked_for(curve):
    own, asked = (
        coordinates(DiskModel(curve=curve), fixed={"galaxy_redshift": 1.0}, priors=priors)
        for priors in ({}, {"concentration": "dutton_maccio:1"})
    )
    assert own.priors == asked.priors
    (prior,) = (p for n, p in zip(own.names, own.priors, strict=True) if n == "concentration")
    assert bool(prior.follows) == (curve == "nfw_mass")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default:0.5:20", "concentration is 0.5; expected a number from 1 to 60"),
        ("default:20:2", "prior of concentration: a prior from 20 to 2"),
        (
            "default:50:60",
            "prior of concentration: .* has nothing between",
        ),
    ],
)
def test_impossible_parts_of_a_default_prior_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        coordinates(DiskModel(curve="nfw_mass"), priors={"concentration": text})


def test_a_mass_that_a_prior_follows_isnt_tied():
    with pytest.raises(InputError, match="log_halo_mass is tied, and a prior follows it"):
        coordinates(DiskModel(curve="nfw_mass"), tied={"log_halo_mass": "log_baryonic_mass"})


def test_the_ratio_of_two_lines_is_free():
    grid = CubeGrid.wavelengths(
        (20, 18, 18), 0.2, 7100.0, 1.25, lines=(3727.1, 3729.9), redshift=0.91
    )
    assert "doublet_ratio" in Coordinates.of(DiskModel(), ParameterChoices(), grid, 1.0).names


def test_choices_are_followed():
    chosen = coordinates(
        free=["g1"],
        fixed={"inclination": 60.0},
        tied={"turnover_radius": "0.3*half_light_radius", "offset_y": "offset_x"},
        priors={"maximum_velocity": "normal:200:30", "g2": "normal:0:0.1"},
    )
    assert set(chosen.names) == (set(BY_DEFAULT) | {"g1", "g2"}) - {
        "inclination", "turnover_radius", "offset_y",
    }  # fmt: skip
    u = np.random.default_rng(1).standard_normal((5, chosen.count))
    galaxies = [DiskParameters.from_vector(vector) for vector in chosen.vectors(u)]
    for galaxy in galaxies:
        assert galaxy.inclination == 60.0
        assert galaxy.turnover_radius == pytest.approx(0.3 * galaxy.half_light_radius)
        assert galaxy.offset_y == galaxy.offset_x
        assert galaxy.scale_height == pytest.approx(
            GALPAK_ASPECT / GALPAK_HEIGHT["gaussian"] * galaxy.half_light_radius
        )
    assert coordinates(fixed={"scale_height": 0.1}).tied == ()
    assert "scale_height" in coordinates(free=["scale_height"]).names


def test_vectors_and_coordinates_invert_each_other():
    chosen = coordinates()
    u = np.random.default_rng(2).standard_normal((20, chosen.count))
    np.testing.assert_allclose(chosen.coordinates(chosen.vectors(u)), u, atol=1e-9)


def test_angles_are_followed_through_north():
    vector = DiskParameters.from_dict(TRUTH | {"position_angle": 359.0}).to_vector()
    chosen = coordinates().centred(vector)
    place = chosen.names.index("position_angle")
    assert chosen.coordinates(vector)[place] == pytest.approx(0.0, abs=1e-12)
    beyond = vector.copy()
    beyond[chosen.model.index("position_angle")] = 1.0
    u = chosen.coordinates(beyond)
    assert 0 < u[place] < 0.05
    assert chosen.values(u)[place] == pytest.approx(361.0)


def test_a_prior_of_an_angle_stays_where_it_is():
    vector = DiskParameters.from_dict(TRUTH).to_vector()
    chosen = coordinates(priors={"position_angle": "normal:130:5"})
    assert chosen.centred(vector).priors == chosen.priors


@pytest.mark.parametrize("curve", ["arctan", "nfw_mass"])
def test_the_gradient_goes_through_priors_and_ties(curve):
    chosen = coordinates(DiskModel(curve=curve), tied={"turnover_radius": "0.3*half_light_radius"})
    weights = np.random.default_rng(3).standard_normal(chosen.base.size)
    u = np.random.default_rng(4).standard_normal(chosen.count)

    def value(u):
        return float(chosen.vectors(u) @ weights)

    expected = [(value(u + d) - value(u - d)) / 2e-5 for d in 1e-5 * np.eye(chosen.count)]
    np.testing.assert_allclose(chosen.gradient(u, weights), expected, rtol=1e-5)


def test_the_prior_of_coordinates_is_standard_normal():
    chosen = coordinates()
    u = np.random.default_rng(5).standard_normal((3, chosen.count))
    expected = -0.5 * (u**2).sum(1) - 0.5 * chosen.count * np.log(2 * np.pi)
    np.testing.assert_allclose(chosen.log_prior(u), expected)


def test_bounds_are_noticed():
    chosen = coordinates(priors={"maximum_velocity": "normal:200:30"})
    middle = np.zeros(chosen.count)
    wide = np.full(chosen.count, np.inf)
    assert not chosen.at_bounds(chosen.values(middle), wide).any()
    low, high = chosen.at_bounds(chosen.values(np.array([middle - 3, middle + 3])), wide)
    free_of_bounds = {"position_angle", "inclination", "maximum_velocity"}
    for side, sign in ((low, -1), (high, 1)):
        assert {n for n, at in zip(chosen.names, side, strict=True) if not at} == free_of_bounds
        assert set(side[side != 0]) == {sign}


def test_a_small_value_of_a_small_error_isnt_at_its_bound():
    """A dispersion of 2 km/s with an error of 0.2 is measured; with one of 5 it may be 0."""
    chosen = coordinates()
    place = chosen.names.index("velocity_dispersion")
    values = chosen.values(np.zeros(chosen.count))
    values[place] = 2.0
    errors = np.ones(chosen.count)
    for error, at in ((0.2, 0), (5.0, -1)):
        errors[place] = error
        assert chosen.at_bounds(values, errors)[place] == at


def test_default_priors_are_as_wide_as_the_cube():
    model = DiskModel()

    def prior(name):
        return default_prior(model.table[model.index(name)], GRID, 5.0)

    assert (prior("offset_x").minimum, prior("offset_x").maximum) == pytest.approx((-1.8, 1.8))
    assert (prior("systemic_velocity").minimum, prior("systemic_velocity").maximum) == (-450, 450)
    assert prior("half_light_radius").kind == "log_uniform"
    assert prior("half_light_radius").maximum == pytest.approx(3.6)
    assert prior("flux").minimum == pytest.approx(5e-3)
    assert prior("inclination").kind == "isotropic"
    assert prior("maximum_velocity").maximum == 1000
    assert (prior("g1").minimum, prior("g1").maximum) == (-0.5, 0.5)
    assert prior("sersic_index").maximum == 6.2
    assert str(prior("doublet_ratio")) == "log_uniform:0.3:3"
    assert str(prior("position_angle")) == "uniform:0:360"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"free": ["mass"]}, "no parameter 'mass': expected one of flux, offset_x"),
        ({"fixed": {"mass": 1}}, "no parameter 'mass'"),
        ({"free": ["g1"], "fixed": {"g1": 0}}, "g1 is both free and fixed; expected one of them"),
        ({"priors": {"g1": "normal:0:1"}, "fixed": {"g1": 0}}, "g1 is both free and fixed"),
        ({"fixed": {"g1": 0}, "tied": {"g1": "g2"}}, "g1 is both fixed and tied"),
        ({"free": ["g1"], "tied": {"g1": "g2"}}, "g1 is both free and tied"),
        ({"fixed": {"inclination": 95}}, "inclination is 95 deg; expected a number from 0 to 90"),
        ({"tied": {"g1": "x*g2"}}, r"g1 is tied to 'x\*g2'; expected NAME or FACTOR\*NAME"),
        ({"tied": {"g1": "2*mass"}}, "no parameter 'mass'"),
        ({"tied": {"g1": "g1"}}, "g1 is tied to itself"),
        ({"tied": {"g1": "g2", "g2": "offset_x"}}, "g1 is tied to g2, which is tied itself"),
        ({"fixed": dict.fromkeys(BY_DEFAULT, 1.0)}, "all parameters are fixed or tied"),
    ],
)
def test_contradictions_are_refused(choices, message):
    with pytest.raises(InputError, match=message):
        coordinates(**choices)
