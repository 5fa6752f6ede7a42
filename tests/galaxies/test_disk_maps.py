"""Maps in the plane of the disk: what they do to a cube that is known otherwise."""

import math

import numpy as np
import pytest
import torch

from clumpygan.galaxies import CubeGrid, DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.disk_maps import DiskMaps, Knots
from clumpygan.galaxies.disks.parameters import CURVES
from clumpygan.galaxies.gas.clouds import Cloud, seen_from
from clumpygan.instruments.spread import GaussianPSF, blur_beyond

GRID = CubeGrid.velocities((12, 16, 16), 0.25, 60.0)
MODEL = DiskModel()


def psf(fwhm):
    return lambda ky, kx: GaussianPSF(fwhm).transfer(ky, kx, wavelength=7000.0)


RENDERER = TorchCubeRenderer(GRID, MODEL, psf(0.7), 1e-3)


def vectors(model=MODEL, **values):
    vector = torch.tensor(model.defaults()[None])
    known = {"inclination": 55.0, "position_angle": 30.0, "half_light_radius": 0.7}
    for name, value in (known | values).items():
        vector[:, model.index(name)] = value
    return vector


def regular(side=32, extent=3.0, **changes):
    side = next(iter(changes.values())).shape[-1] if changes else side
    ones = torch.ones(1, side, side, dtype=torch.float64)
    maps = {"light": ones, "velocity": 0 * ones, "dispersion": ones} | changes
    return DiskMaps(**maps, extent=extent)


def largest_difference(a, b):
    return float((a - b).abs().max() / b.max())


def places(side, extent):
    axis = (torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 * extent - extent
    across, along = torch.meshgrid(axis, axis, indexing="ij")
    return along, across


def test_regular_maps_change_nothing():
    assert largest_difference(RENDERER(vectors(), maps=regular()), RENDERER(vectors())) < 1e-9


def test_more_light_everywhere_is_the_same_galaxy():
    bright = regular(light=torch.full((1, 8, 8), 3.0, dtype=torch.float64))
    assert largest_difference(RENDERER(vectors(), maps=bright), RENDERER(vectors())) < 1e-9


def test_a_velocity_everywhere_is_the_systemic_one():
    moved = regular(velocity=torch.full((1, 8, 8), 35.0, dtype=torch.float64))
    expected = RENDERER(vectors(systemic_velocity=35.0))
    assert largest_difference(RENDERER(vectors(), maps=moved), expected) < 1e-9
    assert largest_difference(RENDERER(vectors()), expected) > 0.05


def test_a_factor_of_the_dispersion_everywhere():
    broad = regular(dispersion=torch.full((1, 8, 8), 1.5, dtype=torch.float64))
    expected = RENDERER(vectors(velocity_dispersion=60.0))
    assert largest_difference(RENDERER(vectors(), maps=broad), expected) < 1e-4


def test_painted_light_lies_where_a_clump_of_the_model_does():
    """A Gaussian clump, painted as a factor of the disk's light, along +x of the map at +y."""
    share, x, y, sigma = 0.15, 0.9, -0.4, 0.3
    clumpy = DiskModel(clumps=1)
    values = {
        "clump_1_fraction": share,
        "clump_1_x": x,
        "clump_1_y": y,
        "clump_1_radius": sigma * 0.7 * math.sqrt(2 * math.log(2)),
        "clump_1_dispersion": 40.0,
    }
    expected = TorchCubeRenderer(GRID, clumpy, psf(0.7), 1e-3)(vectors(clumpy, **values))
    along, across = places(256, 4.0)
    b = 1.6783469900166605
    disk = b**2 / (2 * math.pi) * torch.exp(-b * torch.hypot(along, across))
    clump = torch.exp(-0.5 * ((along - x) ** 2 + (across - y) ** 2) / sigma**2)
    clump = clump / (2 * math.pi * sigma**2)
    light = (1 - share) + share * clump / disk
    painted = RENDERER(vectors(), maps=regular(light=light[None], extent=4.0))
    assert largest_difference(painted, expected) < 0.01
    mirrored = RENDERER(vectors(), maps=regular(light=light.flip(0)[None], extent=4.0))
    assert largest_difference(mirrored, expected) > 0.05


def test_gradients_of_maps_agree_with_finite_differences():
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(RENDERER(vectors()).shape, generator=generator, dtype=torch.float64)
    leaves = [
        torch.rand((1, 8, 8), generator=generator, dtype=torch.float64) + 0.5 for _ in range(3)
    ]

    def score(light, velocity, dispersion):
        maps = DiskMaps(light, 40 * velocity, dispersion, 3.0)
        return (weights * RENDERER(vectors(), maps=maps)).sum()

    for leaf in leaves:
        leaf.requires_grad_()
    gradients = torch.autograd.grad(score(*leaves), leaves)
    for place, gradient in enumerate(gradients):
        direction = torch.randn((1, 8, 8), generator=generator, dtype=torch.float64)
        ends = []
        for sign in (1, -1):
            moved = [leaf.detach().clone() for leaf in leaves]
            moved[place] += sign * 1e-4 * direction
            ends.append(score(*moved))
        expected = float(ends[0] - ends[1]) / 2e-4
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-3)
        assert abs(expected) > 1e-4


def test_clumps_take_part_in_the_motions():
    clumpy = DiskModel(clumps=1)
    renderer = TorchCubeRenderer(GRID, clumpy, psf(0.7), 1e-3)
    moved = regular(velocity=torch.full((1, 8, 8), 35.0, dtype=torch.float64))
    vector = vectors(clumpy, clump_1_fraction=0.5)
    expected = renderer(vectors(clumpy, clump_1_fraction=0.5, systemic_velocity=35.0))
    assert largest_difference(renderer(vector, maps=moved), expected) < 1e-9


def test_each_galaxy_is_blurred_to_its_own_seeing():
    wider = TorchCubeRenderer(GRID, MODEL, psf(0.9), 1e-3)(vectors())
    blur = blur_beyond(torch.tensor([0.7, 0.9], dtype=torch.float64), 0.7)
    both = RENDERER(vectors().expand(2, -1), blur=blur)
    assert largest_difference(both[:1], RENDERER(vectors())) < 1e-9
    assert largest_difference(both[1:], wider) < 1e-3


def test_points_beside_the_disk_are_those_of_a_compiled_cloud():
    vector = vectors(scale_height=0.1, systemic_velocity=10.0)
    generator = torch.Generator().manual_seed(0)

    def drawn(low, high):
        return low + (high - low) * torch.rand(1, 30, generator=generator, dtype=torch.float64)

    knots = Knots(
        *(drawn(-2.0, 2.0) for _ in range(2)),
        *(drawn(-0.3, 0.3) for _ in range(2)),
        drawn(0.0, 1 / 15),
        drawn(-50.0, 50.0),
        drawn(20.0, 60.0),
        torch.ones(1, dtype=torch.float64),
    )
    warp = torch.tensor([[4.0, -6.0]], dtype=torch.float64)
    regular_maps = regular()
    found = RENDERER(
        vector,
        maps=DiskMaps(
            regular_maps.light,
            regular_maps.velocity,
            regular_maps.dispersion,
            3.0,
            knots=knots,
            warp=warp,
        ),
    )
    told = vector[0].numpy().copy()
    told[MODEL.index("warp_inclination")], told[MODEL.index("warp_position_angle")] = 4.0, -6.0
    radius = told[MODEL.index("half_light_radius")]
    along, across = (one[0].numpy() * radius for one in (knots.along, knots.across))
    seen = seen_from(told, CURVES.index("arctan"), along, across, MODEL)
    share = along / np.maximum(np.hypot(along, across), 1e-9)
    cloud = Cloud(
        seen.x + knots.x[0].numpy(),
        seen.y + knots.y[0].numpy(),
        knots.share[0].numpy() * told[MODEL.index("flux")],
        10.0 + seen.rotation * share * seen.tilt + knots.velocity[0].numpy(),
        knots.dispersion[0].numpy(),
        np.ones((30, 1)),
    )
    expected = torch.from_numpy(RENDERER.compiled.render_cloud(told, cloud))
    assert largest_difference(found[0, 0], expected) < 3e-3


def test_a_warp_of_maps_is_that_of_the_parameters():
    warped = DiskModel(warped=True)
    told = vectors(warped, warp_inclination=5.0, warp_position_angle=-8.0, scale_height=0.01)
    expected = TorchCubeRenderer(GRID, warped, psf(0.7), 1e-3)(told)
    one = regular()
    warp = torch.tensor([[5.0, -8.0]], dtype=torch.float64)
    maps = DiskMaps(one.light, one.velocity, one.dispersion, 3.0, warp=warp)
    plain = vectors(scale_height=0.01)
    assert largest_difference(RENDERER(plain, maps=maps), expected) < 5e-3
    assert largest_difference(RENDERER(plain), expected) > 0.05


def test_points_take_their_light_from_the_disk():
    zero = torch.zeros(1, 1, dtype=torch.float64)
    one = regular()
    knots = Knots(*([zero] * 4), zero + 0.3, zero, zero + 30.0, zero[:, 0] + 0.3)
    maps = DiskMaps(one.light, one.velocity, one.dispersion, 3.0, knots=knots)
    whole, disk = RENDERER(vectors(), maps=maps), RENDERER(vectors())
    # A hundredth or two of the disk is outside of the field, nothing of the point is.
    assert 1.0 <= float(whole.sum() / disk.sum()) < 1.01
    alone = whole - 0.7 * disk
    assert float(alone.sum()) == pytest.approx(0.3, abs=2e-3)
