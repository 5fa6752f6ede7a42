"""The published and the residual networks of stamps: shapes, light, conditions and penalties."""

import pytest
import torch

from clumpygan.networks.blocks import stretch
from clumpygan.networks.dcgan import build_discriminator, build_generator
from clumpygan.networks.losses import adversarial_loss, zero_centred_penalty
from clumpygan.networks.stamp_shapes import resolutions

VARIANTS = ("residual", "published")
SIGNAL = (3.0, 0.6)


def generator_of(size=16, conditions=(), variant="residual", **arguments):
    torch.manual_seed(0)
    arguments = {"latent_dim": 8, "channels": 4, "largest": 16} | arguments
    return build_generator(size, conditions, variant, **arguments)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [8, 16, 24, 40, 64])
@pytest.mark.parametrize("conditions", [(), ("signal", "redshift")])
def test_any_multiple_of_eight_is_made_and_judged(variant, size, conditions):
    network = generator_of(size, conditions, variant, signal=SIGNAL)
    told = torch.zeros(3, 2) if conditions else None
    noise = network.draw_noise(3, torch.Generator().manual_seed(0))
    images = network(torch.randn(3, 8), told, noise)
    assert images.shape == (3, 1, size, size)
    assert images.isfinite().all()
    judge = build_discriminator(size, conditions, variant, channels=4, largest=16)
    assert judge(stretch(images), told).shape == (3, 1)


@pytest.mark.parametrize("size", [0, 4, 12, 63, -8])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"stamps of {size} pixels: expected a multiple of 8"):
        resolutions(size)


def test_sides_double_up_to_the_size():
    assert resolutions(64) == (4, 8, 16, 32, 64)
    assert resolutions(40) == (5, 10, 20, 40)
    assert resolutions(8) == (4, 8)


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_an_unknown_variant_is_refused(build):
    with pytest.raises(ValueError, match="unknown variant 'stylegan': expected residual or"):
        build(16, (), "stylegan")


def test_the_signal_needs_its_scale():
    with pytest.raises(ValueError, match="signal needs its centre and scale"):
        generator_of(16, ("signal",))


def test_light_is_positive_and_has_the_flux_that_is_asked_for():
    network = generator_of(16, ("redshift", "signal"), signal=SIGNAL)
    told = torch.tensor([[0.0, -1.0], [1.0, 0.0], [0.0, 2.0]])
    images = network(torch.randn(3, 8), told)
    assert (images > 0).all()
    expected = 10 ** (3.0 + 0.6 * told[:, 1])
    # At the start nothing is said to lie outside the stamp.
    torch.testing.assert_close(images.sum((1, 2, 3)), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_conditions_and_z_change_the_image(variant):
    network = generator_of(16, ("redshift",), variant).eval()
    z = torch.randn(1, 8)
    first, second = (network(z, torch.full((1, 1), value)) for value in (0.0, 1.0))
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, network(z + 1, torch.zeros(1, 1)))
    assert torch.equal(first, network(z, torch.zeros(1, 1)))


def test_inner_noise_is_silent_until_it_is_learnt():
    network = generator_of()
    z, noise = torch.randn(2, 8), network.draw_noise(2, torch.Generator().manual_seed(1))
    assert torch.equal(network(z), network(z, None, noise))
    with torch.no_grad():
        for block in network.blocks:
            block.second.weight.normal_(std=0.1)
            block.noise.weight.fill_(1.0)
    assert not torch.allclose(network(z), network(z, None, noise))


def test_the_residual_networks_judge_each_image_by_itself():
    judge = build_discriminator(16, ("redshift",), channels=4, largest=16)
    images, told = torch.randn(4, 1, 16, 16), torch.randn(4, 1)
    together = judge(images, told)
    alone = torch.cat([judge(images[i : i + 1], told[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_the_penalty_is_that_of_finite_differences():
    torch.manual_seed(0)
    judge = build_discriminator(8, (), channels=4, largest=8).double()
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    penalty = zero_centred_penalty(judge(images), images)
    assert (penalty > 1e-4).all()
    # Scores are in single precision: a wide step.
    step = 1e-2 * torch.eye(64, dtype=torch.float64).view(64, 1, 8, 8)
    for i in range(2):
        with torch.no_grad():
            slope = (judge(images[i] + step) - judge(images[i] - step))[:, 0] / 2e-2
        expected = slope.square().sum().double()
        torch.testing.assert_close(penalty[i].double(), expected, rtol=0.02, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_galaxy_is_learnt_by_heart(variant):
    """Overfit: against a single image, the generator comes near it whatever z is."""
    torch.manual_seed(1)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    truth = (40 * torch.exp(-((y - 9) ** 2 + (x - 6) ** 2) / 8)).expand(8, 1, 16, 16)
    network = generator_of(16, (), variant, channels=8)
    judge = build_discriminator(16, (), variant, channels=8, largest=16)
    game = adversarial_loss("relativistic" if variant == "residual" else "non_saturating")
    optimisers = [
        torch.optim.Adam(one.parameters(), lr=3e-3, betas=(0.5, 0.99)) for one in (network, judge)
    ]
    real = stretch(truth)
    before = (stretch(network(torch.randn(8, 8))) - real).square().mean()
    for step in range(150):
        fake = stretch(network(torch.randn(8, 8)))
        seen, made = real.clone().requires_grad_(), fake.detach().requires_grad_()
        scores = judge(seen), judge(made)
        loss = game.discriminator(*scores).mean()
        if variant == "residual" and step % 4 == 0:
            loss = loss + sum(
                zero_centred_penalty(score, image).mean()
                for score, image in zip(scores, (seen, made), strict=True)
            )
        optimisers[1].zero_grad()
        loss.backward()
        optimisers[1].step()
        optimisers[0].zero_grad()
        game.generator(judge(real), judge(fake)).mean().backward()
        optimisers[0].step()
    after = (stretch(network(torch.randn(8, 8))) - real).square().mean()
    assert after < 0.25 * before
