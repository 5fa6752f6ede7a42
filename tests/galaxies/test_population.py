import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies import COLUMNS, MAXIMUM_CLUMPS, draw_galaxy, draw_population
from clumpygan.galaxies.images.neighbours import NEIGHBOUR_FIELD
from clumpygan.galaxies.images.scene import FRACTIONS


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
    row = draw_population([18], seed=11, split="test")[0]
    assert row["h_magnitude"] == pytest.approx(PINNED[0], abs=1e-9)
    assert row["half_light_radius"] == pytest.approx(PINNED[1], abs=1e-9)
    assert row["clump_fraction"] == pytest.approx(PINNED[2], abs=1e-9)


PINNED = (22.823296267981778, 0.49835574513319325, 0.22037992813745494)


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


def test_shapes_are_those_of_candels(sample):
    """The joint density is tested beside; here what tables make of it."""
    late = sample[sample["sersic_index"] < 2.0]
    assert np.median(late["sersic_index"]) == pytest.approx(1.05, abs=0.1)
    assert 0.12 < np.mean(sample["sersic_index"] > 2.5) < 0.22
    assert 0.21 < np.median(sample["half_light_radius"]) < 0.29
    assert 0.02 <= sample["half_light_radius"].min() < 0.06
    assert sample["axis_ratio"].min() < 0.16
    np.testing.assert_allclose(
        np.percentile(sample["position_angle"], [25, 50, 75]), [45, 90, 135], atol=6
    )


def test_disks_have_bulges_and_early_types_have_no_disk(sample):
    bulged = sample[sample["bulge_fraction"] > 0.0]
    assert 0.25 < len(bulged) / len(sample) < 0.6
    assert bulged["sersic_index"].min() >= 1.2
    assert set(bulged["disk_sersic_index"]) == {1.0}
    alone = sample[sample["bulge_fraction"] == 0.0]
    for name in ("half_light_radius", "sersic_index"):
        assert np.array_equal(alone[f"disk_{name}"], alone[name])
    early = alone["sersic_index"] > 1.5
    assert 0.08 < early.sum() / len(sample) < 0.25
    assert not alone["arm_count"][early].any()


def test_a_substantial_share_is_clumpy_and_a_substantial_share_smooth(sample):
    """Guo et al. (2015): 40 to 60 % of star-forming galaxies; none of the early types."""
    clumpy = sample["clump_count"] > 0
    early = (sample["sersic_index"] > 1.5) & (sample["bulge_fraction"] == 0.0)
    assert 0.45 < clumpy.mean() < 0.6
    assert (sample["clump_count"] >= 3).mean() > 0.2
    assert not clumpy[early].any()
    each = sample["clump_flux"][sample["clump_flux"] > 0.0]
    assert 0.013 < np.median(each) < 0.026
    assert np.mean((each > 0.01) & (each < 0.10)) > 0.55
    np.testing.assert_allclose(sample["clump_flux"].sum(axis=1), sample["clump_fraction"])
    assert np.array_equal((sample["clump_flux"] > 0.0).sum(axis=1), sample["clump_count"])


def test_no_galaxy_has_more_than_all_its_light(sample):
    lumps = sum(sample[name] for name in FRACTIONS)
    assert 0.5 < np.max(lumps) < 1.0


def test_bars_rings_and_tails_are_as_frequent_as_said(sample):
    late = (sample["bulge_fraction"] > 0.0) | (sample["sersic_index"] <= 1.5)
    massive = late & (sample["log_stellar_mass"] > 10.0)
    assert np.mean(sample["bar_fraction"][massive] > 0.0) == pytest.approx(0.25, abs=0.08)
    assert np.mean(sample["ring_fraction"][late] > 0.0) == pytest.approx(0.06, abs=0.02)
    assert not sample["bar_fraction"][~late].any()
    assert not sample["ring_fraction"][~late].any()
    near = sample["companion_flux"] > 0.0
    assert np.mean(sample["tail_fraction"][near] > 0.0) == pytest.approx(0.30, abs=0.09)
    assert np.mean(sample["tail_fraction"][~near] > 0.0) == pytest.approx(0.03, abs=0.015)


def test_neighbours_are_as_many_as_on_the_sky(sample):
    """3D-HST: 0.0444 sources to H = 26.5 in a square arcsec, a twentieth of them stars."""
    area = (2 * NEIGHBOUR_FIELD) ** 2
    # those that would be the galaxy themselves are left out
    assert sample["neighbour_count"].mean() / area == pytest.approx(0.0435, rel=0.04)
    there = sample["neighbour_flux"] > 0.0
    assert np.array_equal(there.sum(axis=1), sample["neighbour_count"])
    star = (sample["neighbour_half_light_radius"] < 0.01) & there
    assert star.sum() / there.sum() == pytest.approx(0.05, abs=0.02)
    distance = np.hypot(sample["neighbour_x"], sample["neighbour_y"])
    flux = np.asarray(sample["flux"])[:, None]
    assert not (there & (distance < 1.0) & (sample["neighbour_flux"] > flux)).any()
    sizes = sample["neighbour_half_light_radius"][there & ~star]
    assert 0.12 < np.median(sizes) < 0.25


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
