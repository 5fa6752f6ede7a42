"""Cubes from both generators: each galaxy is its own, and conditions are checked."""

import numpy as np
import pytest
import torch

from clumpygan.data.cubes.frame import make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.errors import InputError
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, condition_rows
from clumpygan.galaxies.disks.light_radius import radii_of
from clumpygan.gan import cubes as module
from clumpygan.gan.checkpoint import build_network
from clumpygan.gan.cubes import CubeGenerator

NAMES = tuple(CUBE_CONDITIONS)
SHAPE = (8, 16, 16)
FRAME = {"shape": list(SHAPE), "instrument": "muse_wfm", "channel_width": 3.0, "seeing": 0.5}
SMALL = {"latent_dim": 4, "channels": 4, "largest": 4}
OWN = {"physical": {"side": 8}, "gas": {"side": 8}, "conv3d": {"shape": list(SHAPE)}}
CARD = {
    "images": {
        "frame": FRAME,
        "condition_names": list(NAMES),
        "ranges": {name: [0.0, 1.0] for name in NAMES if name != "flux"}
        | {"inclination": [20.0, 80.0]},
        "signal_to_noise": [5.0, 30.0],
    },
    "data": {"galaxies": {"parameters": {"bulge_fraction": 0.0}}},
}
VALUES = {
    "flux": 500.0, "half_light_radius": 0.7, "sersic_index": 1.0, "inclination": 55.0,
    "maximum_velocity": 150.0, "turnover_radius": 0.2, "velocity_dispersion": 40.0,
    "scale_height": 0.08, "seeing": 0.6, "position_angle": 30.0,
}  # fmt: skip


def loaded(kind):
    torch.manual_seed(1)
    arguments = {**SMALL, **OWN[kind], "conditions": condition_rows(NAMES)}
    network = build_network(f"cube_{kind}", arguments).eval().requires_grad_(False)
    if kind == "physical":
        # untrained, it paints next to nothing
        network.painter.leave.weight.mul_(30.0)
    return CubeGenerator(network, CARD, "tiny")


@pytest.fixture(scope="module")
def frame():
    return make_frame(FrameSettings(**{**FRAME, "shape": SHAPE}))


def parameters(count):
    table = np.array([[VALUES.get(name, 0.0) for name in NAMES]] * count)
    table[:, NAMES.index("position_angle")] = 40.0 * np.arange(count)
    return table


@pytest.mark.parametrize("kind", list(OWN))
def test_a_galaxy_depends_on_seed_index_and_parameters_alone(kind, frame, monkeypatch):
    generator, told = loaded(kind), parameters(5)
    seen = []
    together = generator.cubes(told, 3, frame, progress=seen.append)
    assert together.shape == (5, *SHAPE)
    assert together.dtype == np.float32
    assert sum(seen) == 5
    monkeypatch.setattr(module, "BATCH", 2)
    apart = generator.cubes(told[[4, 1]], 3, frame, indices=[4, 1])
    peak = together.max()
    np.testing.assert_allclose(apart, together[[4, 1]], atol=1e-4 * peak)
    other = generator.cubes(told[:1], 4, frame)
    assert np.abs(other - together[:1]).max() > 1e-2 * peak


def test_half_of_the_light_of_gas_disks_is_within_their_radius():
    generator, told = loaded("gas"), parameters(4)
    told[:, [NAMES.index("inclination"), NAMES.index("scale_height")]] = 0.0
    told[:, NAMES.index("seeing")] = 0.1
    wide = make_frame(
        FrameSettings(**FRAME | {"shape": (24, 72, 72), "seeing": 0.1, "pixel_scale": 0.08})
    )
    flux = generator.cubes(told, 2, wide).sum(1)
    curves = generator.growth_curves(told, 2, range(4))
    found = told[:, NAMES.index("half_light_radius")] * radii_of(curves)
    step = 0.08 * (np.arange(72) - 35.5)
    away = np.hypot(step[:, None], step)
    for one, radius in zip(flux, found, strict=True):
        # Of line and continuum alike.
        assert one[away < radius].sum() / one.sum() == pytest.approx(0.5, abs=0.03)
    assert np.ptp(found) > 0.02


def test_the_physical_generator_departs_from_the_smooth_disk_by_its_painting(frame):
    generator, told = loaded("physical"), parameters(2)
    smooth = generator.smooth(told, frame)
    made = generator.cubes(told, 0, frame)
    assert smooth.sum((1, 2, 3)) == pytest.approx(500.0, rel=0.1)
    assert np.abs(made - smooth).max() > 0.02 * smooth.max()


def test_any_grid_for_the_physical_one_and_no_other_for_the_convolutions(frame):
    wide = make_frame(FrameSettings((12, 20, 18), instrument="muse_wfm", seeing=0.5))
    assert loaded("physical").cubes(parameters(1), 0, wide).shape == (1, 12, 20, 18)
    with pytest.raises(InputError, match=r"makes cubes of shape \(8, 16, 16\) alone, not \(12"):
        loaded("conv3d").cubes(parameters(1), 0, wide)


def test_conditions_are_those_of_the_training():
    # Of real galaxies nobody has drawn the parameters: the limits are their own.
    card = {**CARD, "data": {**CARD["data"], "measured_seeing": None}}
    generator = CubeGenerator(loaded("physical").network, card, "tiny")
    generator.check("inclination", 20.0, 80.0)
    generator.check("position_angle", -90.0, 400.0)
    generator.check("flux", 1e-3, 1e9)
    with pytest.raises(InputError, match=r"inclination of 10:30: .*\(20 to 80 deg\)"):
        generator.check("inclination", 10.0, 30.0)
    with pytest.raises(InputError, match=r"isn't told 'mass'.*maximum_velocity \(0 to 1 km/s\)"):
        generator.check("mass", 1.0, 2.0)


def test_real_galaxies_are_drawn_from_their_ranges():
    assert loaded("physical").population == {"bulge_fraction": 0.0}
    card = {**CARD, "data": {**CARD["data"], "measured_seeing": None}}
    population = CubeGenerator(loaded("physical").network, card, "tiny").population
    assert population["inclination"] == (20.0, 80.0)
    assert "seeing" not in population


def test_what_follows_from_the_mass_of_gas_disks_has_the_limits_of_its_galaxies():
    galaxies = {"population": "gas_disks", "gas": {"redshift": [1.0, 2.0]},
                "parameters": {"half_light_radius": [0.5, 1.1], "bulge_fraction": 0.0}}  # fmt: skip
    network = loaded("physical").network
    ranges = {**CARD["images"]["ranges"], "maximum_velocity": [60.0, 320.0]}
    images = {**CARD["images"], "ranges": ranges}
    generator = CubeGenerator(network, {"images": images, "data": {"galaxies": galaxies}}, "tiny")
    assert generator.gas.redshift == (1.0, 2.0)
    assert loaded("physical").gas is None
    generator.check("maximum_velocity", 60.0, 320.0)
    generator.check("half_light_radius", 0.5, 1.1)
    with pytest.raises(InputError, match=r"maximum_velocity \(60 to 320 km/s\)"):
        generator.check("maximum_velocity", 50.0, 100.0)


def test_networks_of_other_images_are_refused():
    with pytest.raises(InputError, match="doesn't know what its cubes are"):
        CubeGenerator(loaded("conv3d").network, {"images": {"sigma": 1.0}}, "dcgan")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("seeing", 0.1, 1.2), ("half_light_radius", 0.2, 2.5), ("inclination", 0, 90),
        ("maximum_velocity", 20, 400),
    ],
)  # fmt: skip
def test_the_shipped_network_of_gas_disks_takes_its_nominal_limits(name, low, high):
    generator = CubeGenerator.load("cube_gas")
    assert generator.check(name, low, high) == (low, high)
    with pytest.raises(InputError, match=rf"{name} of {low:g}:{2 * high:g}: .* the nearest is "):
        generator.check(name, low, 2 * high)
    assert generator.signal_to_noise == (3, 100)
