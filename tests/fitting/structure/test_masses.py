"""Fits of curves that are given by masses."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, SamplerSettings
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.forecast import expected_covariance
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.fitting.structure.distance import with_scale
from clumpygan.galaxies import CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.halo_relations import (
    CONCENTRATION_SCATTER,
    PIVOT,
    concentration_relation,
)
from clumpygan.galaxies.disks.parameters import CURVES
from clumpygan.galaxies.measuring.profiles import curves_of
from clumpygan.galaxies.rendering.halos import halo_velocity, log_halo_mass
from tests.fitting.conftest import FRAME, GRID, TRUTH

REDSHIFT = 1.0
MASSES = {"log_baryonic_mass": 10.6, "concentration": 5.5, "angular_scale": 8.2313}


def made(curve, **values):
    """Return the galaxy, its cube with noise, and sigma."""
    galaxy = DiskParameters(curve=curve, **TRUTH, **MASSES, galaxy_redshift=REDSHIFT, **values)
    clean = CubeRenderer(GRID, galaxy.model, FRAME.transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / 30
    return galaxy, clean + sigma * np.random.default_rng(8).standard_normal(clean.shape), sigma


def fitter(curve, **choices):
    own = {"redshift": REDSHIFT, "sampler": SamplerSettings("laplace")} | choices
    return DiskFitter(DiskModel(curve=curve), FRAME, **own)


@pytest.mark.parametrize(
    ("curve", "values"),
    [
        ("nfw_mass", {"log_halo_mass": 11.7}),
        ("dekel_zhao_mass", {"log_halo_mass": 11.9, "halo_slope": 0.8}),
        ("nfw_fraction", {"dark_matter_fraction": 0.35}),
    ],
)
def test_masses_are_found(curve, values):
    galaxy, data, sigma = made(curve, **values)
    result = fitter(curve).fit(data, sigma**2)
    assert result.verdict.word == "good", result.problems
    rows = {str(row["name"]): row for row in result.table}
    for name in ("log_baryonic_mass", *values):
        half = 0.5 * (rows[name]["upper"] - rows[name]["lower"])
        assert 0 < half < 0.7
        assert abs(rows[name]["median"] - getattr(galaxy, name)) < 3 * half, name
    told = {str(row["name"]): row for row in result.quantities}
    assert told["baryonic_mass"]["median"] == pytest.approx(
        10 ** rows["log_baryonic_mass"]["median"], rel=1e-3
    )
    share = told["dark_matter_fraction_re"]
    assert 0 < share["lower"] < share["upper"] < 1
    if curve == "nfw_fraction":
        mass = log_halo_mass(galaxy.to_vector())
        halo = told["log_halo_mass"]
        assert abs(halo["median"] - mass) < 3 * (halo["upper"] - halo["lower"])
    assert result.settings["fixed"]["angular_scale"] == pytest.approx(8.2313, rel=1e-4)


def test_masses_need_a_distance():
    _, data, sigma = made("nfw_mass")
    with pytest.raises(InputError, match="given by masses: expected `redshift`, `distance`, or"):
        fitter("nfw_mass", redshift=None).fit(data, sigma**2)
    fixed = {"angular_scale": 8.0, "galaxy_redshift": REDSHIFT}
    told = fitter("nfw_mass", redshift=None, fixed=fixed)
    assert told.fit(data, sigma**2).values["angular_scale"] == 8.0


def test_halos_of_distant_galaxies_need_a_redshift():
    observation = fitter("nfw_mass").observe(*made("nfw_mass")[1:])

    def scaled(distance=None, **fixed):
        choices = ParameterChoices(fixed=fixed)
        return with_scale(choices, DiskModel(curve="nfw_mass"), observation, None, distance).fixed

    for known in ({"angular_scale": 8.0}, {"distance": 1700.0}):
        with pytest.raises(InputError, match="expected `redshift`, galaxy_redshift among `fix`, o"):
            scaled(**known)
    assert scaled(angular_scale=8.0, galaxy_redshift=1.0)["galaxy_redshift"] == 1.0
    near = scaled(distance=20.0)
    assert near["galaxy_redshift"] == 0.0
    assert near["angular_scale"] == pytest.approx(0.09696, rel=1e-3)


def test_errors_of_masses_can_be_forecast():
    galaxy, _, _ = made("nfw_mass", log_halo_mass=11.7)
    names, covariance = expected_covariance(fitter("nfw_mass"), galaxy, 30.0)
    assert covariance.shape == (len(names), len(names))
    error = float(np.sqrt(covariance[names.index("log_halo_mass"), names.index("log_halo_mass")]))
    assert 0.02 < error < 1.0


def test_intervals_of_masses_hold_by_default():
    """Of velocities at four radii, by weighting draws from the prior.

    With a flat log10 of the baryonic mass down to 6, 52 % of the 68 % intervals hold f_DM.
    """
    model, random = DiskModel(curve="nfw_mass"), np.random.default_rng(1)
    radii, error, size = np.array([0.4, 0.8, 1.6, 2.8]), 15.0, 0.8
    fixed = {
        "galaxy_redshift": REDSHIFT, "angular_scale": MASSES["angular_scale"],
        "half_light_radius": size, "sersic_index": 1.0,
    }  # fmt: skip
    baryons, halo, concentration = (
        model.index(name) for name in ("log_baryonic_mass", "log_halo_mass", "concentration")
    )

    def seen(vectors):
        """Return velocities (S, 4), and f_DM and log10 of the baryonic mass (2, S)."""
        places = np.broadcast_to(radii, (len(vectors), radii.size))
        velocities = curves_of(model, vectors, places)[0]
        number = CURVES.index(model.curve)
        dark = np.array([halo_velocity(number, size, vector) for vector in vectors])
        return velocities, np.stack([(dark / velocities[:, 1]) ** 2, vectors[:, baryons]])

    chosen = Coordinates.of(model, ParameterChoices(fixed=fixed), GRID, 1.0)
    drawn = chosen.vectors(random.standard_normal((80_000, chosen.count)))
    truths = drawn[:800].copy()
    truths[:, baryons] = random.uniform(10, 11, len(truths))
    truths[:, halo] = random.uniform(11, 13, len(truths))
    median, slope = concentration_relation(REDSHIFT)
    scatter = CONCENTRATION_SCATTER * random.standard_normal(len(truths))
    truths[:, concentration] = median * 10 ** (slope * (truths[:, halo] - PIVOT) + scatter)
    velocities, values = seen(drawn)
    clean, wanted = seen(truths)
    noisy = clean + error * random.standard_normal(clean.shape)
    held = np.zeros(2)
    for one, truth in zip(noisy, wanted.T, strict=True):
        weights = np.exp(-0.5 * (((velocities - one) / error) ** 2).sum(axis=1))
        below = (values < truth[:, None]) @ weights / weights.sum()
        held += (below > 0.16) & (below < 0.84)
    np.testing.assert_allclose(held / len(truths), 0.68, atol=0.06)


def test_the_baryonic_mass_is_wide_open_where_it_alone_is_free():
    def prior(**choices):
        told = Coordinates.of(
            DiskModel(curve="nfw_mass"), ParameterChoices(**choices), GRID, 1.0
        ).told()
        return told["priors"]["log_baryonic_mass"]

    assert prior() == "uniform:9:13"
    assert prior(fixed={"log_halo_mass": 11.0}) == "uniform:6:13"
    assert prior(priors={"log_baryonic_mass": "default:7:11"}) == "uniform:7:11"
