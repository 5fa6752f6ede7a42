"""The generator of gas disks: it begins with the population it is to learn."""

import numpy as np
import pytest
import torch

from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.disks.cube_conditions import GAS_CONDITIONS, condition_rows
from clumpygan.galaxies.gas.population import GasDisks
from clumpygan.galaxies.gas.regions import MOST_REGIONS, draw_luminosities
from clumpygan.networks.gas.cube import GasCubeGenerator
from clumpygan.networks.gas.knots import REGIONS, giants, regions
from clumpygan.networks.gas.structure import COMPANION_POINTS, SCALARS, Painting

NAMES = list(GAS_CONDITIONS)
MASSES, REDSHIFTS = (8.0, 11.5), (0.2, 2.0)
COUNT = 400


def generator():
    torch.manual_seed(0)
    return GasCubeGenerator(
        condition_rows(NAMES), 8, 8, 4, 8, log_stellar_mass=MASSES, redshift=REDSHIFTS
    ).requires_grad_(False)


@pytest.fixture(scope="module")
def galaxies():
    """True gas disks."""
    disks = GasDisks(log_stellar_mass=MASSES, redshift=REDSHIFTS)
    return [disks.draw(np.random.default_rng([5, i])) for i in range(COUNT)]


@pytest.fixture(scope="module")
def told(galaxies):
    """Their parameters as a network is told them."""
    model, rows = DiskModel(), []
    for galaxy in galaxies:
        known = dict(zip(model.names, galaxy.vector, strict=True)) | {"seeing": 0.6}
        known |= galaxy.conditions
        rows.append([known[name] for name in NAMES])
    return torch.tensor(np.array(rows), dtype=torch.float32)


@pytest.fixture(scope="module")
def drawn(told):
    """What the generator makes of these parameters, and its noise."""
    network = generator()
    noise = network.draw_noise(COUNT, torch.Generator().manual_seed(3))
    return network.structure(told, noise[:7]), noise


def apart(ours, theirs):
    """The largest distance between two cumulative distributions."""
    ours, theirs = (np.asarray(one, dtype=float).ravel() for one in (ours, theirs))
    every = np.sort(np.concatenate([ours, theirs]))
    below = [
        np.searchsorted(np.sort(one), every, side="right") / one.size for one in (ours, theirs)
    ]
    return np.abs(below[0] - below[1]).max()


def test_masses_and_redshifts_suit_the_parameters(galaxies, drawn):
    found = drawn[0].numbers
    masses = np.array([one.scaling.log_stellar_mass for one in galaxies])
    assert np.corrcoef(found["mass"][:, 0], masses)[0, 1] > 0.9
    assert apart(found["mass"], masses) < 0.1
    assert apart(found["redshift"], [one.scaling.redshift for one in galaxies]) < 0.12
    assert apart(found["log_luminosity"], [one.scaling.log_luminosity for one in galaxies]) < 0.12


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("arms", "arms"), ("bar", "bar_fraction"), ("ring", "ring_fraction"),
        ("hole", "hole_depth"), ("bulge", "bulge_fraction"), ("lopsidedness", "lopsidedness"),
        ("pitch", "arm_pitch"), ("bar_radius", "bar_radius"), ("bulge_radius", "bulge_radius"),
        ("lane", "lane_depth"), ("lane_offset", "lane_offset"), ("arm_dust", "arm_dust"),
    ],
)  # fmt: skip
def test_structure_is_that_of_the_population(galaxies, drawn, ours, theirs):
    true = np.array([getattr(one.structure, theirs) for one in galaxies])
    made = drawn[0].numbers[ours][:, 0]
    # Where there are none, neither the pitch of arms nor the size of bars has been drawn alike.
    largest = 0.14
    if ours == "pitch":
        largest = 0.25
        there = np.array([one.structure.arms > 0 for one in galaxies])
        true, made = true[there], made[drawn[0].numbers["arms"][:, 0] > 0]
    assert apart(made, true) < largest


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("diffuse", lambda one: one.diffuse),
        ("central", lambda one: one.motions.central_dispersion),
        ("wind", lambda one: one.outflow.fraction),
        ("companion", lambda one: one.companion.flux),
        ("warp", lambda one: one["warp_inclination"]),
        ("twist", lambda one: one["warp_position_angle"]),
        ("continuum", lambda one: one["continuum"]),
    ],
)
def test_the_rest_is_that_of_the_population(galaxies, drawn, ours, theirs):
    assert apart(drawn[0].numbers[ours], [theirs(one) for one in galaxies]) < 0.12


def test_clumps_and_regions_are_those_of_the_population(galaxies, told, drawn):
    gas, noise = drawn
    radius = told[:, NAMES.index("half_light_radius"), None]
    share = giants(gas, radius, noise[4])[2].sum(1)
    assert apart(share, [one.clumps.flux.sum() for one in galaxies]) < 0.12
    *_, points, crowd = regions(gas, noise[3])
    assert points.shape == (COUNT, REGIONS)
    true = [np.sort(one.regions)[::-1] for one in galaxies]
    assert apart(points[:, 0], [one[0] for one in true]) < 0.12
    assert apart(points.sum(1), [one[:REGIONS].sum() for one in true]) < 0.12
    assert apart(points.sum(1) + crowd[:, 0], [one.sum() for one in true]) < 0.12


def test_regions_of_a_galaxy_have_the_luminosity_function(drawn):
    gas = drawn[0]
    numbers = {name: value[:1].expand(300, 1) for name, value in gas.numbers.items()}
    numbers |= {"log_luminosity": torch.full((300, 1), 40.6), "slope": torch.full((300, 1), 1.7)}
    numbers |= {"diffuse": torch.full((300, 1), 0.5)}
    one = gas._replace(numbers=numbers, base=gas.base[:300], crowded=gas.crowded[:300])
    even = torch.rand((300, 4, REGIONS), generator=torch.Generator().manual_seed(1))
    *_, points, crowd = regions(one, even)
    true = [
        draw_luminosities(np.random.default_rng(i), 40.6 + np.log10(0.5), 1.7) for i in range(300)
    ]
    assert max(len(one) for one in true) < MOST_REGIONS
    for rank in (0, 2, 10, 40):
        assert apart(points[:, rank], [np.sort(one)[::-1][rank] for one in true]) < 0.12
    assert torch.allclose(points.sum(1) + crowd[:, 0], torch.ones(300), atol=0.02)


def test_what_is_painted_is_whole(told):
    network = generator()
    rows = told[:32]
    noise = network.draw_noise(32, torch.Generator().manual_seed(4))
    found = network.paint(torch.randn(32, 8), rows, noise)
    assert isinstance(found, Painting)
    share = found.knots[:, 4]
    assert torch.isfinite(found.maps).all()
    assert torch.isfinite(found.knots).all()
    assert (share >= 0).all()
    assert (found.maps[:, [0, 2]] > 0).all()
    # Points of the galaxy and its disk make up the flux, a companion comes on top.
    assert torch.allclose(share[:, :-COMPANION_POINTS].sum(1), found.taken, atol=1e-4)
    assert (found.taken <= 1 + 1e-4).all()
    with pytest.raises(RuntimeError, match="renderer"):
        network(torch.randn(32, 8), rows, noise)


def test_some_galaxies_turn_the_other_way_round(told):
    network = generator()
    noise = list(network.draw_noise(1, torch.Generator().manual_seed(4)))
    z = torch.zeros(1, 8)
    place = SCALARS.index("mirrored")
    noise[0][0, place] = 1.0
    one = network.paint(z, told[:1], tuple(noise))
    noise[0] = noise[0].clone()
    noise[0][0, place] = -1.0
    other = network.paint(z, told[:1], tuple(noise))
    assert torch.equal(one.maps, other.maps.flip(2))
    assert torch.equal(one.knots[:, 1], -other.knots[:, 1])
    assert torch.equal(one.knots[:, 0], other.knots[:, 0])


def test_light_structure_and_painting_learn(told):
    network = generator().requires_grad_(True)
    noise = network.draw_noise(8, torch.Generator().manual_seed(4))
    network.renderer = lambda parameters, painted: (
        painted.maps.square().mean((1, 2, 3)) + painted.knots.square().mean((1, 2))
    )
    network(torch.randn(8, 8), told[:8], noise).sum().backward()
    assert network.structure.shifts.weight.grad.abs().max() > 0
    assert network.painter.leave.weight.grad.abs().max() > 0
