"""Networks of cubes: what they are told, what they paint, what they see."""

import pytest
import torch

from clumpygan.galaxies import CubeGrid, DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, condition_rows
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.networks.blocks_3d import convolution_3d
from clumpygan.networks.conv3d_cube import Conv3dCubeGenerator
from clumpygan.networks.cube_conditions import LARGEST, ConditionEncoder
from clumpygan.networks.cube_discriminator import CubeDiscriminator
from clumpygan.networks.expected_moments import expected_moments, turned_to_axis
from clumpygan.networks.losses import zero_centred_penalty
from clumpygan.networks.physical_cube import PhysicalCubeGenerator

NAMES = list(CUBE_CONDITIONS)
ROWS = condition_rows(NAMES)
TYPICAL = {
    "flux": 2000.0,
    "half_light_radius": 0.7,
    "sersic_index": 1.0,
    "inclination": 55.0,
    "maximum_velocity": 180.0,
    "turnover_radius": 0.15,
    "velocity_dispersion": 40.0,
    "scale_height": 0.06,
    "seeing": 0.6,
}


def parameters(count=3, **values):
    known = TYPICAL | values
    return torch.tensor([[known.get(name, 0.0) for name in NAMES]]).repeat(count, 1)


def disk(inclination=55.0, angle=0.0, x=0.0, y=0.0):
    """A smooth disk (1, 1, 24, 24, 24) with little seeing."""
    model = DiskModel()
    vector = torch.tensor(model.defaults()[None])
    values = {
        "inclination": inclination,
        "position_angle": angle,
        "offset_x": x,
        "offset_y": y,
        "half_light_radius": 0.8,
    }
    for name, value in values.items():
        vector[:, model.index(name)] = value
    grid = CubeGrid.velocities((24, 24, 24), 0.2, 50.0)
    psf = GaussianPSF(0.6)
    renderer = TorchCubeRenderer(grid, model, lambda *k: psf.transfer(*k, wavelength=7000.0), 1e-3)
    return renderer(vector).float()


def test_conditions_are_told_as_declared():
    encoder = ConditionEncoder(ROWS)
    told = encoder(parameters(1, position_angle=90.0, flux=10**3.65, inclination=76.0))
    assert told.shape == (1, encoder.count) == (1, 16)
    by_name = dict(zip(NAMES[:9], told[0, :9].tolist(), strict=True))
    assert by_name["flux"] == pytest.approx(1.0, abs=1e-5)
    assert by_name["inclination"] == pytest.approx(1.0)
    angle = told[0, 9:11].tolist()
    assert angle == pytest.approx([0.0, 1.0], abs=1e-6)
    far = encoder(parameters(1, maximum_velocity=1e6))
    assert far.max() == LARGEST


def test_how_a_galaxy_lies_isnt_intrinsic():
    encoder = ConditionEncoder(ROWS)
    here = encoder.intrinsic(parameters(1))
    there = encoder.intrinsic(
        parameters(1, position_angle=77.0, offset_x=0.3, systemic_velocity=20.0, g1=0.1)
    )
    assert here.shape == (1, encoder.intrinsic_count)
    assert torch.equal(here, there)
    assert not torch.equal(here, encoder.intrinsic(parameters(1, inclination=60.0)))


def test_unknown_kinds_of_conditions_are_refused():
    with pytest.raises(ValueError, match="cubic"):
        ConditionEncoder([("flux", "cubic", 0.0, 1.0, False)])


@torch.no_grad()
def test_a_painter_begins_with_nearly_smooth_disks():
    torch.manual_seed(0)
    generator = PhysicalCubeGenerator(ROWS, latent_dim=8, side=16, channels=4, largest=8)
    noise = generator.draw_noise(3, torch.Generator().manual_seed(0))
    light, velocity, dispersion = generator.painter(torch.randn(3, 8), parameters(), noise).unbind(
        1
    )
    assert light.shape == (3, 16, 16)
    assert float(light.min()) > 0
    assert float(light.log().abs().mean()) < 0.3
    assert float(velocity.abs().mean()) < 20
    assert float(dispersion.log().abs().mean()) < 0.3


def test_a_painter_depends_on_z_and_noise_once_trained():
    torch.manual_seed(0)
    generator = PhysicalCubeGenerator(ROWS, latent_dim=8, side=8, channels=4, largest=8)
    for parameter in generator.parameters():
        parameter.data.normal_(std=0.3)
    drawn = torch.Generator().manual_seed(0)
    z, noise = torch.randn(3, 8), generator.draw_noise(3, drawn)
    first = generator.painter(z, parameters(), noise)
    assert not torch.allclose(first, generator.painter(torch.randn(3, 8), parameters(), noise))
    other = generator.draw_noise(3, drawn)
    assert not torch.allclose(first, generator.painter(z, parameters(), other))
    assert torch.equal(first, generator.painter(z, parameters(), noise))


def test_a_physical_generator_hands_its_maps_to_the_renderer():
    generator = PhysicalCubeGenerator(ROWS, latent_dim=8, side=8, channels=4, largest=8)
    with pytest.raises(RuntimeError, match="renderer"):
        generator(torch.zeros(1, 8), parameters(1))
    generator.renderer = lambda told, maps: maps.sum() * told[:, :1]
    result = generator(torch.zeros(2, 8), parameters(2))
    assert torch.equal(result, generator.painter(torch.zeros(2, 8), parameters(2)).sum() * 2000.0
                       * torch.ones(2, 1))  # fmt: skip
    assert not any("renderer" in name for name in generator.state_dict())


def test_maps_have_a_size_that_can_be_doubled_to():
    with pytest.raises(ValueError, match="24 pixels"):
        PhysicalCubeGenerator(ROWS, side=24)


@torch.no_grad()
def test_light_of_a_convolutional_generator_is_positive_and_follows_the_flux():
    torch.manual_seed(0)
    generator = Conv3dCubeGenerator(ROWS, (8, 16, 16), latent_dim=8, channels=2, largest=8)
    noise = generator.draw_noise(2, torch.Generator().manual_seed(0))
    z = torch.randn(2, 8)
    cube = generator(z, parameters(2, flux=1e8), noise)
    assert cube.shape == (2, 1, 8, 16, 16)
    assert float(cube.min()) > 0
    # What it is told of fluxes as large as that is the same.
    torch.testing.assert_close(generator(z, parameters(2, flux=3e8), noise), 3 * cube)
    with pytest.raises(ValueError, match="multiples of 8"):
        Conv3dCubeGenerator(ROWS, (12, 16, 16))


def test_expected_moments_have_the_noise_of_a_voxel():
    smooth = disk()
    noise = torch.randn((200, 1, 24, 24, 24), generator=torch.Generator().manual_seed(0))
    maps = expected_moments(noise, smooth.expand(200, -1, -1, -1, -1))
    assert maps.shape == (200, 3, 24, 24)
    scatter = maps.std(0)
    assert float((scatter - 1).abs().mean()) < 0.06
    assert float(maps.mean().abs()) < 0.01


def test_expected_moments_see_light_shifts_and_broadening_apart():
    smooth = 1000 * disk()
    seen = smooth[0, 0].sum(0) > 10
    light, shift, width = expected_moments(1.1 * smooth - smooth, smooth)[0]
    assert float(light[seen].min()) > 0
    assert float(shift[seen].abs().max()) < 0.12 * float(light[seen].max())
    assert float(width[seen].mean()) != 0
    moved = smooth.roll(1, 2) - smooth
    light, shift, width = expected_moments(moved, smooth)[0]
    assert float(shift[seen].min()) > 0
    assert float(shift[seen].mean()) > 2 * float(light[seen].abs().mean())


def test_maps_are_turned_so_that_the_receding_side_is_right():
    """A disk at any angle and place, turned, is the disk at the position angle 270."""
    expected = disk(angle=270.0)
    channel = torch.arange(24.0)[:, None, None] - 11.5
    for angle, x, y in ((30.0, 0.0, 0.0), (130.0, 0.25, -0.3), (250.0, -0.4, 0.1)):
        cube = disk(angle=angle, x=x, y=y)[:, 0]
        maps = torch.stack([cube.sum(1), (cube * channel).sum(1)], 1)
        wanted = torch.stack([expected[:, 0].sum(1), (expected[:, 0] * channel).sum(1)], 1)
        turned = turned_to_axis(
            maps, torch.tensor([angle]), torch.tensor([x / 0.2]), torch.tensor([y / 0.2])
        )
        for got, want in zip(turned[0], wanted[0], strict=True):
            assert float((got - want).abs().max()) < 0.12 * float(want.abs().max())
    # Velocities rise to the right.
    assert float(wanted[0, 1, :, 12:].sum()) > 0 > float(wanted[0, 1, :, :12].sum())


def discriminator(shape=(8, 8, 8)):
    torch.manual_seed(0)
    return CubeDiscriminator(ROWS, shape, 0.2, channels=4, largest=8, map_channels=4)


@torch.no_grad()
def test_a_pointwise_convolution_is_one():
    torch.manual_seed(0)
    layer = convolution_3d(3, 5, 1)
    torch.nn.init.normal_(layer.bias)
    features = torch.randn(2, 3, 2, 4, 3)
    expected = torch.nn.functional.conv3d(features, layer.weight, layer.bias)
    torch.testing.assert_close(layer(features), expected)


def test_penalties_in_half_precision_do_not_end_the_process():
    """As oneDNN's kernels do for convolutions of one voxel of this size."""
    network = CubeDiscriminator(ROWS, (32, 32, 32), 0.2)
    drawn = torch.Generator().manual_seed(0)
    cube = torch.randn((16, 1, 32, 32, 32), generator=drawn, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(cube, cube.detach().abs(), parameters(16))
        zero_centred_penalty(scores, cube).mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_penalties_of_cubes_have_the_gradient_of_finite_differences():
    network = discriminator()
    drawn = torch.Generator().manual_seed(0)
    cube, smooth = (torch.randn((2, 1, 8, 8, 8), generator=drawn) for _ in range(2))
    told = parameters(2)
    leaf = cube.clone().requires_grad_()
    scores = network(leaf, smooth.abs(), told)
    assert scores.shape == (2, 1)
    penalty = zero_centred_penalty(scores, leaf)
    assert penalty.shape == (2,)
    penalty.sum().backward()
    assert sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None) > 0
    direction = torch.randn(cube.shape, generator=drawn)
    with torch.no_grad():
        ends = [network(cube + s * 1e-3 * direction, smooth.abs(), told).sum() for s in (1, -1)]
    (gradient,) = torch.autograd.grad(network(leaf, smooth.abs(), told).sum(), leaf)
    expected = float(ends[0] - ends[1]) / 2e-3
    assert float((gradient.detach() * direction).sum()) == pytest.approx(expected, rel=2e-2)


def test_a_discriminator_can_tell_clumpy_galaxies_from_smooth_ones():
    """It has to find clumps at random places, in noise."""
    network = discriminator((8, 16, 16))
    drawn = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3, betas=(0.0, 0.99))
    y, x = torch.meshgrid(*(torch.arange(16.0) - 7.5,) * 2, indexing="ij")
    line = torch.exp(-0.5 * (torch.arange(8.0) - 3.5).square() / 2)[:, None, None]
    smooth = 20 * line * torch.exp(-0.5 * (x**2 + y**2) / 9)
    told = parameters(16)
    right = []
    for _ in range(60):
        place = torch.rand((16, 2, 1, 1), generator=drawn) * 8 - 4
        spot = torch.exp(-0.5 * ((x - place[:, 0]) ** 2 + (y - place[:, 1]) ** 2))
        clumpy = smooth + 12 * line * spot[:, None]
        real, fake = (
            cube[:, None] + torch.randn((16, 1, 8, 16, 16), generator=drawn)
            for cube in (clumpy, smooth.expand(16, -1, -1, -1))
        )
        known = smooth.expand(16, 1, -1, -1, -1)
        gap = network(real, known, told) - network(fake, known, told)
        right.append(float((gap.detach() > 0).float().mean()))
        optimiser.zero_grad()
        torch.nn.functional.softplus(-gap).mean().backward()
        optimiser.step()
    assert sum(right[-10:]) / 10 > 0.95


def test_shapes_that_cant_be_halved_thrice_are_refused():
    with pytest.raises(ValueError, match="multiples of 8"):
        discriminator((8, 12, 16))
