"""Galaxies that are drawn against 13,395 real ones of the same magnitudes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from clumpygan.galaxies import draw_population
from clumpygan.galaxies.images.density import (
    MINIMUM_REDSHIFT,
    population_density,
    to_coordinates,
    to_quantities,
)

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = ("cosmos_3dhst.v4.1_f160w.galfit.gz", "cosmos_3dhst.v4.1.fout.gz")

REAL = {
    20: {
        "h_magnitude": (20.49, 20.78, 20.93),
        "half_light_radius": (0.24, 0.474, 0.796),
        "sersic_index": (0.979, 1.783, 3.996),
        "axis_ratio": (0.333, 0.625, 0.861),
        "redshift": (0.35, 0.73, 1.03),
        "log_stellar_mass": (9.428, 10.25, 10.72),
        "n_above_2.5": 0.351,
    },
    21: {
        "h_magnitude": (21.224, 21.595, 21.885),
        "half_light_radius": (0.204, 0.421, 0.704),
        "sersic_index": (0.807, 1.394, 2.946),
        "axis_ratio": (0.339, 0.584, 0.814),
        "redshift": (0.43, 0.85, 1.23),
        "log_stellar_mass": (9.21, 9.87, 10.46),
        "n_above_2.5": 0.216,
    },
    22: {
        "h_magnitude": (22.192, 22.548, 22.865),
        "half_light_radius": (0.202, 0.377, 0.617),
        "sersic_index": (0.729, 1.294, 2.573),
        "axis_ratio": (0.331, 0.555, 0.784),
        "redshift": (0.52, 0.93, 1.57),
        "log_stellar_mass": (8.89, 9.51, 10.17),
        "n_above_2.5": 0.173,
    },
    23: {
        "h_magnitude": (23.19, 23.565, 23.862),
        "half_light_radius": (0.17, 0.309, 0.529),
        "sersic_index": (0.721, 1.271, 2.494),
        "axis_ratio": (0.303, 0.509, 0.76),
        "redshift": (0.49, 0.95, 1.64),
        "log_stellar_mass": (8.398, 9.08, 9.56),
        "n_above_2.5": 0.16,
    },
    24: {
        "h_magnitude": (24.193, 24.537, 24.85),
        "half_light_radius": (0.143, 0.265, 0.474),
        "sersic_index": (0.679, 1.348, 3.129),
        "axis_ratio": (0.288, 0.484, 0.727),
        "redshift": (0.47, 0.94, 1.62),
        "log_stellar_mass": (7.93, 8.58, 9.07),
        "n_above_2.5": 0.225,
    },
    25: {
        "h_magnitude": (25.134, 25.44, 25.796),
        "half_light_radius": (0.115, 0.205, 0.356),
        "sersic_index": (0.503, 1.211, 3.105),
        "axis_ratio": (0.242, 0.457, 0.71),
        "redshift": (0.48, 0.95, 1.63),
        "log_stellar_mass": (7.5, 8.15, 8.64),
        "n_above_2.5": 0.225,
    },
}
"""16, 50 and 84 % of each, and the share with n above 2.5, at H = 20-21, 21-22, ...

As `benchmarks/population_density.py` prints them for the catalogues.
"""

ERRORS = {
    20: (0.005, 0.01, 0.025), 21: (0.007, 0.015, 0.04), 22: (0.012, 0.03, 0.08),
    23: (0.026, 0.075, 0.16), 24: (0.063, 0.17, 0.39), 25: (0.135, 0.30, 0.90),
}  # fmt: skip
"""Median errors of log size, log n and logit q in the same magnitudes."""


@pytest.fixture(scope="module", params=sorted(REAL))
def magnitude(request):
    return request.param


@pytest.fixture(scope="module")
def drawn(magnitude):
    """Galaxies of one magnitude, with the numbers of the catalogue as H rises within it."""
    generator = np.random.default_rng([5, magnitude])
    density = population_density()
    quantiles = (magnitude, *REAL[magnitude]["h_magnitude"], magnitude + 1)
    h = np.interp(generator.random(6000), [0.0, 0.16, 0.5, 0.84, 1.0], quantiles)
    rows = [density.draw(generator, one, max_redshift=2.0) for one in h]
    found = {name: np.array([getattr(row, name) for row in rows]) for name in rows[0]._fields}
    return {"h_magnitude": h, **found}


def measured(drawn, magnitude):
    """The same with the errors that the catalogue has."""
    x = to_coordinates(drawn)
    noise = np.random.default_rng(1).standard_normal((len(x), 3))
    x[:, 3:] += noise * ERRORS[magnitude]
    return to_quantities(x)


def test_sizes_are_those_of_real_galaxies(drawn, magnitude):
    _, real, _ = REAL[magnitude]["half_light_radius"]
    for radius in (drawn, measured(drawn, magnitude)):
        assert np.median(radius["half_light_radius"]) == pytest.approx(real, rel=0.05)


def test_as_many_have_a_high_sersic_index(drawn, magnitude):
    """Once the catalogue's errors are put on them; without, fewer do where errors are large."""
    share = np.mean(measured(drawn, magnitude)["sersic_index"] > 2.5)
    assert share == pytest.approx(REAL[magnitude]["n_above_2.5"], abs=0.04)
    assert np.mean(drawn["sersic_index"] > 2.5) < REAL[magnitude]["n_above_2.5"] + 0.04


def test_shapes_redshifts_and_masses_are_those_of_real_galaxies(drawn, magnitude):
    found, real = measured(drawn, magnitude), REAL[magnitude]
    for name, tolerance in (("redshift", 0.05), ("axis_ratio", 0.03), ("log_stellar_mass", 0.08)):
        assert np.median(found[name]) == pytest.approx(real[name][1], abs=tolerance)
    spread = np.subtract.outer(np.percentile(found["axis_ratio"], [16, 84]), [0.0])[:, 0]
    np.testing.assert_allclose(spread, [real["axis_ratio"][0], real["axis_ratio"][2]], atol=0.04)


def test_compact_galaxies_are_drawn_at_all_magnitudes(drawn, magnitude):
    """A tenth of the real ones are below 0.15" at H > 23, and 1 % below 0.07"."""
    low, _, high = REAL[magnitude]["half_light_radius"]
    inside = np.percentile(measured(drawn, magnitude)["half_light_radius"], [16, 84])
    np.testing.assert_allclose(inside, [low, high], rtol=0.13)


def test_quantities_are_correlated_as_in_the_catalogue():
    """Massive galaxies of one magnitude are farther, and rounder ones more concentrated."""
    generator = np.random.default_rng(0)
    rows = [population_density().draw(generator, 22.5, max_redshift=2.0) for _ in range(3000)]
    redshift, mass, _, index, ratio = np.array(rows).T
    assert np.corrcoef(redshift, mass)[0, 1] > 0.6
    assert 0.05 < np.corrcoef(np.log(index), ratio)[0, 1] < 0.6


def test_coordinates_and_back(drawn):
    back = to_quantities(to_coordinates(drawn))
    for name, values in drawn.items():
        np.testing.assert_allclose(back[name], values, rtol=1e-9)


@pytest.mark.parametrize("highest", [0.11, 0.6, 1.2, 3.5])
def test_redshifts_end_at_the_limit(highest):
    generator = np.random.default_rng(0)
    magnitudes = np.linspace(17.0, 28.0, 40)
    drawn = [population_density().draw(generator, h, max_redshift=highest) for h in magnitudes]
    redshift = np.array([row.redshift for row in drawn])
    assert redshift.min() >= MINIMUM_REDSHIFT
    assert redshift.max() <= highest
    assert redshift.max() > min(0.5 * highest, 1.2)


def test_magnitudes_beyond_the_catalogue_weigh_what_they_shine():
    draws = {
        h: population_density().draw(np.random.default_rng(3), h, max_redshift=2.0)
        for h in (26.5, 28.5)
    }
    assert draws[28.5].log_stellar_mass == pytest.approx(draws[26.5].log_stellar_mass - 0.8)
    assert draws[28.5].half_light_radius == draws[26.5].half_light_radius


def test_the_numbers_are_those_of_the_catalogues(real_data):
    paths = [real_data / "catalogs" / name for name in CATALOGUES]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"no catalogues {CATALOGUES} in {real_data}")
    script = ROOT / "benchmarks" / "population_density.py"
    spec = importlib.util.spec_from_file_location("population_density_script", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    columns = module.read(*paths)
    for magnitude, expected in REAL.items():
        inside = (columns["h_magnitude"] > magnitude) & (columns["h_magnitude"] < magnitude + 1)
        real = module.chosen(columns, inside & (columns["redshift"] < 2.0))
        found = module.summary(real)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=2e-3)


def test_the_population_has_the_shapes_of_the_density():
    """Columns of a table are the galaxy's, whatever it is made of."""
    table = draw_population(1500, seed=2, split="density", min_magnitude=23.0, max_magnitude=24.0)
    assert np.median(table["half_light_radius"]) == pytest.approx(
        REAL[23]["half_light_radius"][1], rel=0.08
    )
    assert np.median(table["redshift"]) == pytest.approx(REAL[23]["redshift"][1], abs=0.08)
    share = np.mean(table["sersic_index"] > 2.5)
    assert share == pytest.approx(REAL[23]["n_above_2.5"], abs=0.05)
