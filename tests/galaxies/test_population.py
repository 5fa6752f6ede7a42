import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies import COLUMNS, MAXIMUM_CLUMPS, draw_galaxy, draw_population
from clumpygan.galaxies.structure import draw_half_light_radius


@pytest.fixture(scope="module")
def sample():
    return draw_population(3000, seed=0, split="statistics")


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in COLUMNS)


def test_a_galaxy_depends_on_seed_split_and_index_alone():
    table = draw_population(6, seed=0, split="train")
    assert same(table[3:5], draw_population([3, 4], seed=0, split="train"))
    assert same(table[[5, 2]], draw_population([5, 2], seed=0, split="train"))
    for other in (
        draw_population(6, seed=1, split="train"),
        draw_population(6, seed=0, split="val"),
        draw_population(range(6, 12), seed=0, split="train"),
    ):
        assert not np.isin(table["flux"], other["flux"]).any()


def test_a_galaxy_keeps_its_parameters_for_good():
    """Stamps that were rendered and cached once stay those of today's tables."""
    row = draw_population([17], seed=11, split="test")[0]
    assert row["h_magnitude"] == pytest.approx(PINNED[0], abs=1e-9)
    assert row["half_light_radius"] == pytest.approx(PINNED[1], abs=1e-9)
    assert row["clump_fraction"] == pytest.approx(PINNED[2], abs=1e-9)


PINNED = (25.114203873522108, 0.3648310846662059, 0.0)


def test_columns_have_units_and_meanings(sample):
    assert tuple(sample.colnames) == tuple(COLUMNS)
    assert str(sample["flux"].unit) == "nJy"
    assert str(sample["half_light_radius"].unit) == "arcsec"
    assert all(sample[name].description for name in COLUMNS)
    assert sample["clump_flux"].shape == (len(sample), MAXIMUM_CLUMPS)


def test_limits_hold_and_fluxes_are_ab(sample):
    assert sample["h_magnitude"].min() >= 20.0
    assert sample["h_magnitude"].max() <= 26.0
    assert sample["redshift"].max() <= 2.0
    np.testing.assert_allclose(-2.5 * np.log10(sample["flux"]) + 31.4, sample["h_magnitude"])


def test_counts_rise_as_published(sample):
    """dN/dm ~ 10^(0.15 m): 10^(0.15 2) = 2.0 times more at 24-26 than at 22-24."""
    counts, _ = np.histogram(sample["h_magnitude"], [20, 22, 24, 26])
    assert counts[2] / counts[1] == pytest.approx(10**0.3, rel=0.12)
    assert counts[1] / counts[0] == pytest.approx(10**0.3, rel=0.18)


@pytest.mark.parametrize(
    ("quiescent", "mass", "expected"),
    [(False, 10.7, 5.29), (True, 10.7, 2.01), (False, 9.7, 3.19), (True, 9.7, 1.01)],
)
def test_sizes_are_van_der_wel_et_al_2014(quiescent, mass, expected):
    """At z = 1 and 5e10 solar masses: 8.9 x 2^-0.75 and 5.6 x 2^-1.48 kpc; 8.01 kpc/arcsec.

    A tenth of the mass: 10^-0.22 times that; early types stay as large as at 2e10 solar masses.
    """
    generator = np.random.default_rng(0)
    sizes = [draw_half_light_radius(generator, mass, 1.0, quiescent=quiescent) for _ in range(800)]
    assert np.median(sizes) * 8.01 == pytest.approx(expected, rel=0.03)
    assert np.std(np.log10(sizes)) < 0.2


def test_shapes_are_those_of_candels(sample):
    """Van der Wel et al. (2012): disks with n about 1, and a minority of early types n > 2."""
    late = sample[sample["sersic_index"] < 2.0]
    assert np.median(late["sersic_index"]) == pytest.approx(1.0, abs=0.1)
    assert 0.04 < np.mean(sample["sersic_index"] > 2.0) < 0.2
    assert 0.25 < np.median(sample["half_light_radius"]) < 0.45
    assert late["axis_ratio"].min() > 0.15
    np.testing.assert_allclose(
        np.percentile(sample["position_angle"], [25, 50, 75]), [45, 90, 135], atol=6
    )


def test_a_substantial_share_is_clumpy_and_a_substantial_share_smooth(sample):
    """Guo et al. (2015): 40 to 60 % of star-forming galaxies; none of the early types."""
    clumpy = sample["clump_count"] > 0
    assert 0.45 < clumpy.mean() < 0.6
    assert (sample["clump_count"] >= 3).mean() > 0.2
    assert not clumpy[sample["sersic_index"] > 2.5].any()
    each = sample["clump_flux"][sample["clump_flux"] > 0.0]
    assert 0.03 < np.median(each) < 0.06
    assert np.mean((each > 0.03) & (each < 0.15)) > 0.55
    np.testing.assert_allclose(sample["clump_flux"].sum(axis=1), sample["clump_fraction"])
    assert np.array_equal((sample["clump_flux"] > 0.0).sum(axis=1), sample["clump_count"])


def test_no_galaxy_has_more_than_all_its_light(sample):
    lumps = sample["bulge_fraction"] + sample["arm_fraction"] + sample["clump_fraction"]
    assert 0.5 < np.max(lumps) < 1.0


def test_one_in_ten_has_a_companion(sample):
    blends = sample[sample["companion_flux"] > 0.0]
    assert len(blends) / len(sample) == pytest.approx(0.10, abs=0.02)
    separation = np.hypot(blends["companion_x"], blends["companion_y"])
    assert separation.min() >= 0.2
    assert separation.max() <= 1.2
    ratio = blends["flux"] / blends["companion_flux"]
    assert ratio.min() >= 1.0
    assert ratio.max() <= 10.0


def test_one_numpy_integer_is_a_count():
    assert len(draw_population(np.int64(3), seed=0)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"indices": 0}, "indices 0 name no galaxy"),
        ({"seed": -1}, "seed -1"),
        ({"indices": [2, -4]}, r"\[2, -4\] must not be negative"),
        ({"min_magnitude": 27.0}, r"min_magnitude 27.0 must be below max_magnitude 26.0"),
        ({"max_redshift": 0.0}, r"max_redshift is 0.0; expected more than 0.1"),
        ({"max_redshift": float("nan")}, "max_redshift is nan"),
    ],
)
def test_bad_limits_are_named(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        draw_population(**{"indices": 2, "seed": 0, **arguments})
    assert "\n" not in str(error.value)


def test_the_default_limits_are_optional():
    galaxy = draw_galaxy(np.random.default_rng(0), min_magnitude=21.0, max_magnitude=21.5)
    assert 21.0 <= galaxy["h_magnitude"] <= 21.5
    assert set(galaxy) == set(COLUMNS) - {"index"}
