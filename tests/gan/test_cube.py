"""Training generators of cubes: what is compared with what; both learn."""

import numpy as np
import pytest
import torch

from clumpygan.galaxies import CubeGrid
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, condition_rows
from clumpygan.gan.checkpoint import build_network, load_checkpoint, save_checkpoint
from clumpygan.gan.cube import CubeGanModule
from clumpygan.gan.cube_rendering import ConditionRenderer, rows_of
from clumpygan.gan.gan_settings import AdversarialSettings, CubeWeights, Schedule
from clumpygan.instruments.spread import FWHM_PER_SIGMA, blur_beyond
from clumpygan.networks.cube_discriminator import CubeDiscriminator

NAMES = list(CUBE_CONDITIONS)
ROWS = condition_rows(NAMES)
SHAPE = (8, 16, 16)
VALUES = {
    "flux": 800.0, "half_light_radius": 0.8, "sersic_index": 1.0, "inclination": 55.0,
    "maximum_velocity": 180.0, "turnover_radius": 0.2, "velocity_dispersion": 50.0,
    "scale_height": 0.08, "seeing": 0.8, "position_angle": 30.0,
}  # fmt: skip


class Frame:
    grid = CubeGrid.velocities(SHAPE, 0.3, 80.0)
    transfer = None
    psf_fwhm = None


NETWORKS = {
    "physical": {
        "name": "cube_physical",
        "arguments": {
            "conditions": ROWS, "latent_dim": 8, "side": 16, "channels": 8, "largest": 16,
        },
    },
    "gas": {
        "name": "cube_gas",
        "arguments": {
            "conditions": ROWS, "latent_dim": 8, "side": 16, "channels": 8, "largest": 16,
        },
    },
    "conv3d": {
        "name": "cube_conv3d",
        "arguments": {
            "conditions": ROWS, "shape": list(SHAPE), "latent_dim": 8, "channels": 4, "largest": 8,
        },
    },
}  # fmt: skip


def network(kind):
    torch.manual_seed(0)
    made = build_network(NETWORKS[kind]["name"], NETWORKS[kind]["arguments"])
    if kind != "conv3d":
        made.renderer = ConditionRenderer(NAMES, Frame())
    return made


def module(kind="physical", energy=0.0, **game):
    return CubeGanModule(
        network(kind),
        CubeDiscriminator(ROWS, SHAPE, 0.3, channels=4, largest=8, map_channels=4),
        weights=CubeWeights(energy),
        pixel_scale=0.3,
        validation_samples=8,
        total_images=100,
        seed=0,
        game=AdversarialSettings(**game),
        schedule=Schedule(),
    )


@pytest.fixture
def batch():
    drawn = torch.Generator().manual_seed(0)
    told = torch.tensor([[VALUES.get(name, 0.0) for name in NAMES]]).repeat(4, 1)
    told[:, NAMES.index("position_angle")] += 50.0 * torch.arange(4)
    smooth = ConditionRenderer(NAMES, Frame())(told)
    noise = torch.randn((2, *smooth.shape), generator=drawn)
    return {
        "cube": 1.2 * smooth.roll(1, -1),
        "smooth": smooth,
        "parameters": told,
        "noise": noise[0],
        "second_noise": noise[1],
    }


@pytest.mark.parametrize("kind", list(NETWORKS))
def test_generated_cubes_get_noise_of_their_own(kind, batch):
    one = module(kind)
    (noisy,) = one.sample(batch, one.random_input())
    silent = {**batch, "second_noise": torch.zeros_like(batch["noise"])}
    (bare,) = one.sample(silent, one.random_input())
    torch.testing.assert_close(noisy - bare, batch["second_noise"], atol=1e-4, rtol=0)
    if kind == "physical":
        assert bare.flatten(1).sum(1).tolist() == pytest.approx([800.0] * 4, rel=0.1)
    assert torch.equal(one.truth(batch), batch["cube"] + batch["noise"])
    assert one.conditions(batch)[0] is batch["smooth"]


def test_an_untrained_physical_generator_rotates_as_asked(batch):
    one = module()
    bare = one.generated(batch, torch.Generator().manual_seed(0))
    away = (bare - batch["smooth"]).flatten(1).norm(dim=1) / batch["smooth"].flatten(1).norm(dim=1)
    assert float(away.max()) < 0.25


def test_two_samples_for_the_energy_score_are_independent(batch):
    one = module("conv3d", energy=2.0)
    with torch.no_grad():
        for block in one.generator.blocks:
            block.second.weight.normal_(std=0.1)
    first, second = (cube.detach() for cube in one.sample(batch, one.random_input()))
    assert not torch.allclose(first, second, atol=0.1)
    (name, score), = one.fidelity((first, second), batch).items()  # fmt: skip
    assert name == "energy"
    twice = module("conv3d", energy=4.0).fidelity((first, second), batch)["energy"]
    assert float(twice) == pytest.approx(2 * float(score))
    near = one.truth(batch)
    assert float(one.fidelity((near, near), batch)["energy"]) < float(score)


def test_a_late_discriminator_needs_another_loss():
    with pytest.raises(ValueError, match=r"game\.start` is 10: .*weights\.energy"):
        module(start=10)
    module("conv3d", energy=1.0, start=10)


@pytest.mark.parametrize("kind", list(NETWORKS))
def test_a_generator_can_be_pulled_towards_light_that_isnt_smooth(kind, batch):
    """Gradients reach the painter through the renderer, and the voxels of the other."""
    generator = network(kind)
    optimiser = torch.optim.Adam(generator.parameters(), lr=3e-3)
    drawn = torch.Generator().manual_seed(0)
    wanted = batch["smooth"].clone()
    wanted[..., 8:] *= 1.5
    wanted *= batch["smooth"].sum() / wanted.sum()
    z, noise = torch.zeros(4, 8), generator.draw_noise(4, drawn)
    losses = []
    for _ in range(25):
        loss = (generator(z, batch["parameters"], noise) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("kind", list(NETWORKS))
def test_a_checkpoint_gives_the_same_cubes(kind, batch, tmp_path):
    trained = network(kind)
    save_checkpoint(tmp_path / "cubes", trained, {"network": NETWORKS[kind]})
    loaded, _ = load_checkpoint(str(tmp_path / "cubes"), (NETWORKS[kind]["name"],))
    if kind != "conv3d":
        loaded.renderer = trained.renderer
    drawn = torch.Generator().manual_seed(1)
    z, noise = torch.randn(4, 8, generator=drawn), trained.draw_noise(4, drawn)
    with torch.no_grad():
        a, b = (one(z, batch["parameters"], noise) for one in (trained, loaded))
    # Where weights begin in memory decides how products are rounded.
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_maps_of_a_real_and_a_generated_galaxy_are_measured_alike(batch):
    one = module()
    maps = one._maps(batch["smooth"], batch)
    assert maps.shape == (4, 4, 16, 16)
    # Of the smooth disk itself, light is light of the smooth disk.
    torch.testing.assert_close(maps[:, 0], maps[:, 3])
    assert float(maps[:, 1].abs().max()) < 0.15 * float(maps[:, 0].max())


class Blurred(Frame):
    transfer = staticmethod(lambda ky, kx: np.exp(-0.5 * (2 * np.pi * 0.08) ** 2 * (ky**2 + kx**2)))
    psf_fwhm = 0.08 * FWHM_PER_SIGMA


@pytest.mark.parametrize(("kind", "most"), [("smooth", 4e-3), ("gas", 0.02)])
def test_galaxies_of_any_seeing_are_rendered_in_their_place(kind, most):
    """Together with those of about their seeing, and as finely as alone with the sharpest PSF.

    Maps that are finer than the PSF are averaged over by however many points there are.
    """
    told = torch.tensor([[VALUES.get(name, 0.0) for name in NAMES]]).repeat(6, 1)
    told[:, NAMES.index("seeing")] = torch.tensor([1.1, 0.19, 0.6, 0.25, 0.19, 0.4])
    told[:, NAMES.index("inclination")] = 10.0 + 12.0 * torch.arange(6)
    renderer, painted = ConditionRenderer(NAMES, Blurred(), 1e-3), None
    blurs = blur_beyond(told[:, NAMES.index("seeing")], Blurred.psf_fwhm)
    with torch.no_grad():
        if kind == "gas":
            generator = network("gas")
            noise = generator.draw_noise(6, torch.Generator().manual_seed(2))
            painted = generator.paint(torch.zeros(6, 8), told, noise)
        together = renderer(told, painted)
        alone = [
            renderer._render(
                told[i : i + 1], rows_of(painted, torch.tensor([i])), 0.0, blurs[i : i + 1]
            )
            for i in range(6)
        ]
    expected = torch.cat(alone)
    away = (together - expected).abs().amax((1, 2, 3, 4)) / expected.amax((1, 2, 3, 4))
    assert float(away.max()) < most
