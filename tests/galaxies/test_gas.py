"""Gas disks that follow from mass and redshift: relations, regions, lines, structure, motions."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units
from astropy.cosmology import FlatLambdaCDM
from scipy.stats import kstest

from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel
from clumpygan.galaxies.gas.galaxy import Chemistry, Companion, GasGalaxy, Outflow
from clumpygan.galaxies.gas.lines import (
    CASE_B,
    doublet_ratio,
    line_strengths,
    oxygen_abundance,
)
from clumpygan.galaxies.gas.motions import EPICYCLE, Motions
from clumpygan.galaxies.gas.population import GasDisks
from clumpygan.galaxies.gas.regions import (
    BRIGHTEST,
    FAINTEST,
    MOST_REGIONS,
    SLOPE,
    draw_luminosities,
    expected_number,
    power_law,
)
from clumpygan.galaxies.gas.scaling import (
    VELOCITY_SCATTER,
    Scaling,
    draw_scaling,
    faster_since,
    flux_of,
    halpha_attenuation,
    halpha_luminosity,
    kpc_per_arcsec,
    main_sequence,
    mean_dispersion,
    mean_velocity,
    rotation_share,
)
from clumpygan.galaxies.gas.structure import ARM_SHARE, Structure, draw_structure
from clumpygan.galaxies.images.clumps import Clumps

COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
HALPHA, NII = 6564.61, 6585.27
MODEL = DiskModel()
SHAPE = ("sersic_index", "half_light_radius", "turnover_radius")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def still(vector: np.ndarray, **changes) -> GasGalaxy:
    """Return a galaxy of diffuse gas alone that is nothing but its smooth disk."""
    size = 8
    maps = np.stack([np.ones((size, size)), np.zeros((size, size)), np.ones((size, size))])
    none = Clumps(*(np.zeros(1) for _ in range(3)), np.full(1, 0.1))
    calm = GasGalaxy(
        vector=vector, scaling=draw_scaling(rng(), 10.0, 0.5), structure=Structure(),
        motions=Motions(), turbulence=maps.astype(np.float32), extent=3.0, diffuse=1.0,
        regions=np.ones(1), clumps=none, outflow=Outflow(), companion=Companion(),
        chemistry=Chemistry(), seed=1,
    )  # fmt: skip
    return replace(calm, **changes)


def disk(**values: float) -> np.ndarray:
    vector = MODEL.defaults()
    for name, value in values.items():
        vector[MODEL.index(name)] = value
    return vector


def psf(ky, kx):
    """A Gaussian of 0.6 arcsec FWHM."""
    return np.exp(-2 * (np.pi * 0.6 / 2.3548) ** 2 * (ky**2 + kx**2))


# Relations


@pytest.mark.parametrize("redshift", [0.3, 0.9, 2.0])
def test_distances_are_those_of_astropy(redshift):
    distance = COSMOLOGY.luminosity_distance(redshift).to_value(units.cm)
    assert flux_of(42.0, redshift) == pytest.approx(1e62 / (4 * np.pi * distance**2), rel=1e-4)
    scale = COSMOLOGY.kpc_proper_per_arcmin(redshift).value / 60
    assert kpc_per_arcsec(redshift) == pytest.approx(scale, rel=1e-4)


def test_relations_have_their_published_values():
    assert mean_dispersion(0.9) == 30
    assert mean_dispersion(2.3) == pytest.approx(45)
    assert faster_since(2.25) == pytest.approx(0.0725)
    assert faster_since(0) == 0
    age = COSMOLOGY.age(1.0).value
    expected = (0.84 - 0.026 * age) * 10.5 - (6.51 - 0.11 * age)
    assert np.log10(main_sequence(10.5, 1.0)) == pytest.approx(expected, abs=1e-4)
    assert halpha_luminosity(10.0) == pytest.approx(42.27)
    assert halpha_attenuation(10.0) == 0.91
    assert halpha_attenuation(7.0) == halpha_attenuation(8.5)
    assert oxygen_abundance(10.11, 1.0) == pytest.approx(8.779 - 0.31 / 2.1 * np.log10(2))
    assert oxygen_abundance(10.11 + 0.56, 10.0) == pytest.approx(oxygen_abundance(10.11, 1.0))


def test_scatter_is_about_the_relations():
    drawn = [draw_scaling(generator, 10.0, 0.9) for generator in [rng(1)] for _ in range(2000)]
    table = {name: np.array([getattr(one, name) for one in drawn]) for name in Scaling._fields}
    speed = np.log10(table["rotation_velocity"])
    assert speed.mean() == pytest.approx(2.142 - 0.0278 + faster_since(0.9), abs=0.005)
    assert speed.std() == pytest.approx(0.056, rel=0.06)
    assert np.log10(table["half_light_radius"]).std() == pytest.approx(0.18, rel=0.06)
    assert table["velocity_dispersion"].mean() == pytest.approx(30, abs=1)
    assert np.log10(table["star_formation_rate"]).std() == pytest.approx(0.2, rel=0.06)
    assert (table["velocity_dispersion"] >= 10).all()


def test_size_and_flux_go_with_velocity():
    disks, generator = GasDisks(), rng(2)
    drawn = [
        draw_scaling(generator, generator.uniform(*disks.log_stellar_mass),
                     generator.uniform(*disks.redshift))
        for _ in range(4000)
    ]  # fmt: skip
    speed, size, flux = (
        np.log10([getattr(one, name) for one in drawn])
        for name in ("rotation_velocity", "half_light_radius", "flux")
    )
    assert np.corrcoef(size, speed)[0, 1] >= 0.5
    assert np.corrcoef(flux, speed)[0, 1] >= 0.5


# H II regions


def test_luminosities_follow_the_power_law():
    slope, low = 1.73, 1e-3
    values = power_law(rng(3).random(20_000), low, 1.0, slope)

    def cumulative(x):
        power = 1 - slope
        return (x**power - low**power) / (1 - low**power)

    assert kstest(values, cumulative).pvalue > 1e-3
    assert kstest(values, lambda x: cumulative(x) ** 1.1).pvalue < 1e-6
    mean = values.mean()
    assert expected_number(0.0, -3.0, 0.0, slope) * mean == pytest.approx(1.0, rel=0.05)


def test_bright_galaxies_have_hundreds_of_regions_and_faint_ones_few():
    bright = draw_luminosities(rng(4), 41.5)
    assert 100 < len(bright) <= MOST_REGIONS
    assert 0.7 < bright.sum() <= 1
    faint = draw_luminosities(rng(4), 39.0)
    assert faint.sum() == pytest.approx(1)
    assert len(faint) < len(bright)
    assert faint.max() > bright.max()
    assert expected_number(41.5, 37, 40, 1.4) < 0.3 * expected_number(41.5, 37, 40, 1.9)


@pytest.mark.parametrize("log_total", [42.6, 43.0, 43.5, 44.5])
def test_of_many_regions_the_brightest_are_kept_with_their_share(log_total):
    drawn = draw_luminosities(rng(5), log_total)
    assert len(drawn) == MOST_REGIONS
    luminosity = drawn * 10 ** (log_total - BRIGHTEST)
    assert luminosity.max() == pytest.approx(1.0, rel=0.05)
    # All that a power law of that total has above the faintest of them.
    faintest = np.log10(luminosity.min()) + BRIGHTEST
    p, low = 1 - SLOPE, 10 ** (FAINTEST - BRIGHTEST)
    share = (1 - luminosity.min() ** p) / (1 - low**p)
    number = expected_number(log_total, FAINTEST, BRIGHTEST, SLOPE) * share
    assert number == pytest.approx(MOST_REGIONS, rel=0.15)
    held = (1 - luminosity.min() ** (p + 1)) / (1 - low ** (p + 1))
    assert drawn.sum() == pytest.approx(held, rel=0.15)
    assert FAINTEST < faintest < BRIGHTEST


def test_the_light_of_regions_that_are_left_out_is_diffuse():
    regions = np.full(20, 0.01)
    galaxy = still(disk(half_light_radius=0.8, flux=2.0), diffuse=0.5, regions=regions)
    cloud = galaxy.cloud((HALPHA,), 0.2)
    assert cloud.flux.sum() == pytest.approx(2.0)
    assert cloud.flux[-20:] == pytest.approx(0.01)


# Lines


def test_lines_have_the_ratios_of_their_calibrations():
    solar = np.array([8.69])
    waves = (6564.61, 6585.27, 6549.86, 4862.683, 5008.240, 4960.295)
    ha, nii, faint, hb, oiii, weak = np.ravel(line_strengths(waves, solar, np.array(100.0)))
    assert ha == 1
    assert np.log10(nii) == pytest.approx(-0.489)
    assert nii / faint == pytest.approx(3.05)
    assert hb == pytest.approx(1 / CASE_B)
    assert np.log10(oiii / hb) == pytest.approx(-0.277)
    assert oiii / weak == pytest.approx(2.98)


def test_doublets_go_with_density_between_their_limits():
    assert doublet_ratio("oii", 0.0) == pytest.approx(1.46, abs=0.01)
    assert doublet_ratio("oii", 1e6) == pytest.approx(0.38, abs=0.01)
    assert doublet_ratio("sii", 0.0) == pytest.approx(1.45, abs=0.01)
    for ion, waves in (("oii", (3727.092, 3729.875)), ("sii", (6718.29, 6732.67))):
        first, second = np.ravel(line_strengths(waves, np.array([8.5]), np.array(200.0)))
        ratio = second / first if ion == "oii" else first / second
        assert ratio == pytest.approx(doublet_ratio(ion, 200.0))
    oii = sum(line_strengths((3727.092, 3729.875), np.array(8.69), np.array(200.0)))
    assert np.log10(oii * CASE_B) == pytest.approx(0.435)


# Structure


@pytest.fixture(scope="module")
def plane():
    galaxy = still(disk(half_light_radius=1.0))
    return galaxy._plane(0.05)


def test_structure_keeps_the_light_and_puts_its_shares_where_it_says(plane):
    structure = Structure(
        arms=2, arm_phase=30.0, bar_fraction=0.15, bar_radius=0.3, ring_fraction=0.2,
        bulge_fraction=0.1, ring_radius=1.5, ring_width=0.1, lopsidedness=0.3,
    )  # fmt: skip
    light = structure.light(plane.base, plane.radius, plane.azimuth, ARM_SHARE)
    assert light.min() >= 0
    assert light.sum() == pytest.approx(plane.base.sum())
    ring = Structure(ring_fraction=0.2, ring_radius=1.5, ring_width=0.1)
    added = ring.light(plane.base, plane.radius, plane.azimuth, 0.0) - 0.8 * plane.base
    assert added.sum() == pytest.approx(0.2)
    assert added[np.abs(plane.radius - 1.5) < 0.2].sum() == pytest.approx(0.2 * 0.954, abs=0.005)
    bar = Structure(bar_fraction=0.3, bar_radius=0.4, bar_angle=60.0)
    added = bar.light(plane.base, plane.radius, plane.azimuth, 0.0) - 0.7 * plane.base
    turned = plane.azimuth - np.radians(60)
    along, across = plane.radius * np.cos(turned), plane.radius * np.sin(turned)
    lengths = [np.sqrt(np.average(one**2, weights=added)) for one in (along, across)]
    assert lengths[1] < 0.5 * lengths[0]


def test_arms_are_logarithmic_spirals_that_trail(plane):
    structure = Structure(arms=2, arm_pitch=20.0, arm_phase=40.0)
    ring = np.linspace(0, 2 * np.pi, 721)[:-1]
    for radius in (0.8, 1.0, 1.7):
        profile = structure.crest(np.full_like(ring, radius), ring)
        assert profile.mean() == pytest.approx(1.0, rel=1e-6)
        crest = 40.0 - np.degrees(np.log(radius) / np.tan(np.radians(20.0)))
        found = np.degrees(ring[np.argmax(profile)])
        assert (found - crest + 90) % 180 - 90 == pytest.approx(0, abs=0.5)


def test_a_hole_empties_the_centre(plane):
    full = plane.base
    hollow = Structure(hole_depth=0.8, hole_radius=0.3).light(full, plane.radius, plane.azimuth, 0)
    inner = plane.radius < 0.15
    assert hollow[inner].sum() < 0.4 * full[inner].sum()


def test_dust_dims_a_lane_and_the_inner_edges_of_arms_and_keeps_the_flux(plane):
    radius, azimuth = plane.radius, plane.azimuth
    assert (Structure().transmission(radius, azimuth) == 1).all()
    lane = Structure(lane_depth=1.5, lane_offset=0.3, lane_width=0.1)
    assert lane.transmission(np.array([0.3]), np.array([np.pi / 2])) == pytest.approx(np.exp(-1.5))
    assert lane.transmission(np.array([0.3]), np.array([-np.pi / 2])) == pytest.approx(1)
    arms = Structure(arms=2, arm_pitch=20.0, arm_dust=1.0)
    ring = np.linspace(0, 2 * np.pi, 721)[:-1]
    dimmed = arms.transmission(np.full_like(ring, 2.0), ring)
    darkest = arms.arm_angle(np.full(1, 2.0), ring[[np.argmin(dimmed)]])
    assert np.degrees(darkest) % 360 == pytest.approx(315, abs=1)
    assert dimmed.min() == pytest.approx(np.exp(-4 / (4 + 0.3**2)), rel=1e-3)
    vector = disk(half_light_radius=1.0, inclination=75.0, flux=3.0)
    bare, dusty = (
        still(vector, structure=one).cloud((HALPHA,), 0.1)
        for one in (Structure(), Structure(lane_depth=2.0, lane_offset=0.4))
    )
    assert dusty.flux.sum() == pytest.approx(3.0)
    # More of the light is on the side without the lane, across the major axis (+y at 0 degrees).
    assert abs(np.average(bare.x, weights=bare.flux)) < 1e-3
    assert abs(np.average(dusty.x, weights=dusty.flux)) > 0.02


def test_fast_disks_seen_from_the_side_have_a_lane_of_dust():
    def lanes(speed, inclination):
        return sum(
            draw_structure(rng(i), 10.5, speed, inclination).lane_depth > 0 for i in range(9)
        )

    assert lanes(200.0, 80.0) == 9
    assert lanes(100.0, 80.0) == 0
    assert lanes(200.0, 50.0) == 0


def test_massive_disks_have_arms_bars_and_holes_more_often():
    shares = []
    for mass in (9.0, 11.0):
        drawn = [draw_structure(rng(i), mass, 150.0, 45.0) for i in range(400)]
        shares.append([
            np.mean([one.arms > 0 for one in drawn]),
            np.mean([one.bar_fraction > 0 for one in drawn]),
            np.mean([one.hole_depth > 0 for one in drawn]),
        ])  # fmt: skip
    assert (np.array(shares[1]) > 1.5 * np.array(shares[0])).all()


# Motions


def test_flows_vanish_on_average_and_have_their_amplitudes():
    ring = np.linspace(0, 2 * np.pi, 361)[:-1]
    rotation, radius = np.full_like(ring, 200.0), np.full_like(ring, 0.2)
    structure = Structure(bar_fraction=0.1, bar_radius=0.4, bar_angle=35.0)
    along, outwards = Motions(bar_flow=0.2).flows(structure, rotation, radius, ring)
    amplitude = 0.2 * 200 * np.exp(-0.5 * 0.25)
    assert along.mean() == pytest.approx(200)
    assert outwards.mean() == pytest.approx(0, abs=1e-9)
    assert along.min() == pytest.approx(200 - amplitude, rel=1e-3)
    # Slowest along the bar, where orbits are at their apocentres.
    assert np.degrees(ring[np.argmin(along)]) % 180 == pytest.approx(35)
    arms = Structure(arms=2)
    along, outwards = Motions(arm_flow=0.05).flows(arms, rotation, radius + 0.8, ring)
    crest = np.argmax(arms.crest(radius + 0.8, ring))
    assert outwards[crest] == pytest.approx(-10, rel=1e-3)
    assert (along - 200).max() == pytest.approx(EPICYCLE * 10, rel=1e-3)
    plain = Motions().flows(Structure(), rotation, radius, ring)
    np.testing.assert_array_equal(plain[0], rotation)
    assert not plain[1].any()


def test_dispersion_rises_inwards():
    radius = np.linspace(0, 5, 50)
    sigma = Motions(central_dispersion=1.0).dispersion(30.0, radius)
    assert sigma[0] == pytest.approx(30 * np.sqrt(2))
    assert (np.diff(sigma) < 0).all()
    assert sigma[-1] == pytest.approx(30, abs=0.01)


def test_galaxies_turn_both_ways_with_arms_that_trail():
    vector = disk(half_light_radius=0.7, inclination=40.0, position_angle=0.0)
    arms = {"structure": Structure(arms=1, arm_pitch=20.0), "motions": Motions(0.0, 0.08)}
    one, other = (still(vector, mirrored=it, **arms).cloud((HALPHA,), 0.1) for it in (False, True))
    np.testing.assert_allclose(other.x, -one.x)
    for name in ("y", "flux", "velocity", "dispersion"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name))
    drawn = [GasDisks().draw(rng(seed)).mirrored for seed in range(40)]
    assert 10 < sum(drawn) < 30


# What is seen


GRID = CubeGrid.velocities((24, 24, 24), 0.2, 40.0)


def test_diffuse_gas_without_structure_is_the_smooth_disk():
    vector = disk(
        half_light_radius=0.7, inclination=55.0, position_angle=130.0, maximum_velocity=180.0,
        sersic_index=1.2, offset_x=0.1, systemic_velocity=20.0, flux=3.0,
    )  # fmt: skip
    renderer = CubeRenderer(GRID, MODEL, psf, 1e-3)
    expected = renderer.render_disk(vector)
    found = renderer.render_cloud(vector, still(vector).cloud((HALPHA,), 0.2))
    assert np.abs(found - expected).max() < 0.015 * expected.max()
    assert found.sum() == pytest.approx(expected.sum(), rel=0.01)
    wider = renderer.render_cloud(vector, still(vector).cloud((HALPHA,), 0.2), blur=0.3)
    blurred = renderer.render_disk(vector, blur=0.3)
    assert np.abs(wider - blurred).max() < 0.015 * blurred.max()
    assert wider.max() < 0.8 * found.max()


def test_warped_gas_is_the_warped_disk():
    vector = disk(
        half_light_radius=0.7, inclination=50.0, maximum_velocity=180.0, scale_height=0.0,
        warp_inclination=10.0, warp_position_angle=15.0,
    )  # fmt: skip
    expected = CubeRenderer(GRID, DiskModel(warped=True), psf, 1e-3)(vector)[0]
    renderer = CubeRenderer(GRID, MODEL, psf, 1e-3)
    found = renderer.render_cloud(vector, still(vector).cloud((HALPHA,), 0.2))
    assert np.abs(found - expected).max() < 0.02 * expected.max()
    flat = CubeRenderer(GRID, MODEL, psf, 1e-3).render_disk(vector)
    assert np.abs(flat - expected).max() > 0.1 * expected.max()


def test_each_point_has_its_own_line_ratios():
    vector = disk(half_light_radius=0.7, inclination=55.0)
    grid = CubeGrid.wavelengths((40, 20, 20), 0.2, 6530.0, 2.0, lines=(HALPHA, NII))
    galaxy = still(vector, chemistry=Chemistry(8.6, -0.3))
    cloud = galaxy.cloud((HALPHA, NII), 0.2)
    assert cloud.shares.sum(axis=1) == pytest.approx(1)
    both = CubeRenderer(grid, MODEL, psf).render_cloud(vector, cloud)
    apart = np.zeros_like(both)
    for i, line in enumerate((HALPHA, NII)):
        single = CubeGrid.wavelengths((40, 20, 20), 0.2, 6530.0, 2.0, lines=(line,))
        own = cloud._replace(
            flux=cloud.flux * cloud.shares[:, i], shares=np.ones((len(cloud.x), 1))
        )
        apart += CubeRenderer(single, MODEL, psf).render_cloud(vector, own)
    np.testing.assert_allclose(both, apart, atol=2e-3 * both.max())
    radius = np.hypot(cloud.x, cloud.y / np.cos(np.radians(55)))
    inner = cloud.shares[radius < 0.3, 1].mean()
    outer = cloud.shares[radius > 1.5, 1].mean()
    assert inner > 1.2 * outer


def test_parts_have_their_shares_of_the_flux():
    vector = disk(half_light_radius=0.8, flux=2.0)
    giants = Clumps(np.array([0.1, 0.05]), np.array([1.0, 0.0]), np.zeros(2), np.full(2, 0.1))
    galaxy = still(
        vector, diffuse=0.5, regions=np.full(30, 1 / 30), clumps=giants,
        outflow=Outflow(0.1, 200.0, -80.0), companion=Companion(0.3, 1.2, 0.5),
    )  # fmt: skip
    cloud = galaxy.cloud((HALPHA,), 0.2)
    assert cloud.flux.sum() == pytest.approx(2.0 * 1.3)
    broad = cloud.dispersion == 200.0
    assert cloud.flux[broad].sum() == pytest.approx(0.2)
    assert np.average(cloud.velocity[broad]) == pytest.approx(-80, abs=25)
    far = np.hypot(cloud.x - 1.2, cloud.y - 0.5) < 0.4
    assert cloud.flux[far].sum() > 0.5


def test_regions_crowd_in_arms():
    vector = disk(half_light_radius=1.0, inclination=0.0)
    galaxy = still(vector, diffuse=0.0, regions=np.full(2000, 1 / 2000),
                   structure=Structure(arms=2, arm_pitch=25.0))  # fmt: skip
    cloud = galaxy.cloud((HALPHA,), 0.2)
    points = cloud.flux > 0
    # The major axis of a disk at a position angle of 0 lies along +y, the azimuth grows to -x.
    radius, azimuth = np.hypot(cloud.x, cloud.y)[points], np.arctan2(-cloud.x, cloud.y)[points]
    outside = radius > 0.7
    phase = np.cos(galaxy.structure.arm_angle(radius, azimuth))[outside]
    assert phase.mean() > 0.4


# The population


def test_a_galaxy_depends_on_its_seed_and_keeps_within_ranges():
    disks = GasDisks()
    ranges = {"half_light_radius": (0.5, 0.8), "inclination": (40.0, 40.0)}
    first, again, other = (disks.draw(rng(seed), ranges, (HALPHA,)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.vector, again.vector)
    for one, two in zip(first.cloud((HALPHA,), 0.2), again.cloud((HALPHA,), 0.2), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.vector, other.vector)
    for galaxy in (first, other):
        assert 0.5 <= galaxy["half_light_radius"] <= 0.8
        assert galaxy["inclination"] == 40
    with pytest.raises(InputError, match=r"half_light_radius from 50 to 60: widen"):
        disks.draw(rng(), {"half_light_radius": (50.0, 60.0)})


def test_disks_are_seen_from_every_side():
    seen = np.cos(np.radians([GasDisks().draw(rng(seed))["inclination"] for seed in range(300)]))
    assert kstest(seen, "uniform").pvalue > 1e-3
    # Beyond what the prior of other disks has.
    assert seen.max() > np.cos(np.radians(10.0))
    assert seen.min() < np.cos(np.radians(85.0))


def test_disks_rotate_as_tully_fisher_says_at_the_radius_of_80_percent_of_the_light():
    # Of the light of an exponential disk 80 % is inside of 2.994 scale lengths, half of 1.678.
    assert rotation_share(1.0, 1.678, 0.5) == pytest.approx(
        2 / np.pi * np.arctan(2.994 / 0.5), rel=1e-3
    )
    for seed in range(5):
        galaxy = GasDisks().draw(rng(seed))
        share = rotation_share(*(galaxy[name] for name in SHAPE))
        assert galaxy["maximum_velocity"] * share == pytest.approx(galaxy.scaling.rotation_velocity)
        assert share < 0.97


def test_other_galaxies_of_a_velocity_have_masses_that_go_with_it():
    disks = GasDisks()
    for speed in (80.0, 300.0):
        fixed = {"maximum_velocity": speed, "half_light_radius": 0.6}
        drawn = [disks.draw(rng(s), {n: (v, v) for n, v in fixed.items()}) for s in range(60)]
        rotation = [speed * rotation_share(*(one[name] for name in SHAPE)) for one in drawn]
        away = np.log10(rotation) - [
            np.log10(mean_velocity(one.scaling.log_stellar_mass, one.scaling.redshift))
            for one in drawn
        ]
        assert np.abs(away).max() < 4 * VELOCITY_SCATTER
        assert 0.5 * VELOCITY_SCATTER < away.std() < 1.3 * VELOCITY_SCATTER
    far = disks.draw(rng(), {"maximum_velocity": (900.0, 900.0)})
    assert far.scaling.log_stellar_mass > 11


def test_what_is_fixed_is_kept_and_the_rest_follows_it():
    for seed in range(8):
        galaxy = GasDisks().draw(rng(seed), {"half_light_radius": (3.0, 3.0)})
        assert galaxy["half_light_radius"] == 3
        assert 0.3 <= galaxy["turnover_radius"] <= 1.51
        assert 0.15 < galaxy["scale_height"] < 1.5
    lines = (HALPHA, NII)
    free = [GasDisks().draw(rng(seed), None, lines)["flux"] for seed in range(30)]
    low, high = np.percentile(free, [30, 70])
    for seed in range(10):
        assert low <= GasDisks().draw(rng(seed), {"flux": (low, high)}, lines)["flux"] <= high


@pytest.mark.parametrize(
    "ranges",
    [{"warp_inclination": (0, 0)}, {"continuum": (0, 0)}, {"warp_inclination": (1, 5)},
     {"bulge_fraction": (0.3, 0.3)}, {"arm_amplitude": (0.1, 0.2)}, {"clump_1_x": (0, 1)}],
)  # fmt: skip
def test_parameters_that_gas_disks_do_not_have_are_refused(ranges):
    with pytest.raises(InputError, match=rf"{next(iter(ranges))} of gas disks can't be chosen"):
        GasDisks().draw(rng(), ranges)
    GasDisks().draw(rng(), {"bulge_fraction": (0.0, 0.0)})


def test_bulges_and_oxygen_are_as_asked_for():
    disks, lines = GasDisks(), (HALPHA, NII)
    asked = {"nuclear_fraction": (0.1, 0.12), "oxygen_abundance": (8.3, 8.5),
             "abundance_gradient": (-0.2, -0.2), "electron_density": (300.0, 300.0)}  # fmt: skip
    found = [disks.draw(rng(i), asked, lines) for i in range(30)]
    for name, (low, high) in asked.items():
        values = [one.conditions[name] for one in found]
        assert low <= min(values) <= max(values) <= high
    assert not any(one.structure.hole_depth for one in found)
    # Bulges go with any galaxy, oxygen with those that have as much.
    free = [disks.draw(rng(i), None, lines) for i in range(30)]
    poor = [disks.draw(rng(i), {"oxygen_abundance": (8.2, 8.4)}, lines) for i in range(30)]
    mean = [np.mean([one.scaling.log_stellar_mass for one in some]) for some in (poor, free)]
    assert mean[0] < mean[1] - 0.4
    # A range from 0 on keeps the holes that the population has.
    some = [disks.draw(rng(i), {"nuclear_fraction": (0.0, 0.1)}, lines) for i in range(30)]
    holes = [one.structure.hole_depth > 0 for one in some]
    assert holes == [one.structure.hole_depth > 0 for one in free]
    assert 0 < sum(holes) < 30
    hollow = disks.draw(rng(0), {"nuclear_fraction": (0.0, 0.0)}, lines)
    assert hollow.structure.hole_depth > 0
    assert hollow.structure.bulge_fraction == 0


@pytest.mark.parametrize(
    "ranges", [{"nuclear_fraction": (0.2, 0.1)}, {"oxygen_abundance": (3.0, 8.0)}]
)
def test_bulges_and_oxygen_that_none_has_are_refused(ranges):
    with pytest.raises(InputError, match=rf"{next(iter(ranges))} from .*: expected rising numbers"):
        GasDisks().draw(rng(), ranges)


def test_fluxes_are_those_of_the_lines_that_are_seen():
    disks = GasDisks()
    one, both = (disks.draw(rng(3), None, lines) for lines in ((HALPHA,), (HALPHA, NII)))
    assert one["flux"] == pytest.approx(one.scaling.flux)
    strength = line_strengths((NII,), np.array(both.chemistry.oxygen_abundance), np.array(1.0))[0]
    assert both["flux"] == pytest.approx(one["flux"] * (1 + strength))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log_stellar_mass": (11.0, 10.0)}, "log_stellar_mass"),
        ({"redshift": (0.01, 0.5)}, "redshift"),
        ({"warp_inclination": -1.0}, "warp_inclination"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(InputError, match=words):
        GasDisks(**changes)
