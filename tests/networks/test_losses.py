import math

import pytest
import torch
from torch import nn

from clumpygan.networks.losses import (
    ADVERSARIAL_LOSSES,
    adversarial_loss,
    aperture_sums,
    energy_score,
    misfit_excess,
    relative_error,
    zero_centred_penalty,
)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
@pytest.mark.parametrize("shape", [(4, 1), (4, 1, 7, 7), (4, 1, 3, 3, 3)])
def test_every_game_rewards_both_sides_for_the_right_thing(name, shape):
    game = adversarial_loss(name)
    low, high = -2 * torch.ones(shape), 2 * torch.ones(shape)
    good, bad = game.discriminator(high, low), game.discriminator(low, high)
    assert good.shape == (4,)
    assert (good < bad).all()
    assert (game.generator(low, high) < game.generator(high, low)).all()


def test_relativistic_loss_knows_differences_only():
    game = adversarial_loss("relativistic")
    real, fake = torch.randn(5, 1, generator=torch.Generator().manual_seed(0)), torch.zeros(5, 1)
    shifted = game.discriminator(real + 3, fake + 3)
    assert torch.allclose(game.discriminator(real, fake), shifted)
    assert math.isclose(float(game.generator(fake, fake).mean()), math.log(2), rel_tol=1e-6)


def test_unknown_game_is_named():
    with pytest.raises(ValueError, match=r"wasserstein.*relativistic"):
        adversarial_loss("wasserstein")


@pytest.mark.parametrize("shape", [(3, 2, 5, 5), (3, 1, 4, 4, 4), (4, 1, 4, 4, 4)])
def test_penalty_of_a_linear_critic_is_the_norm_of_its_weights(shape):
    # (4, 1, 4, 4, 4): batch and width are equal, where a partial sum would broadcast in silence.
    weights = torch.randn(shape[1:], generator=torch.Generator().manual_seed(1))
    images = torch.zeros(shape, requires_grad=True)
    scores = (images * weights).flatten(1).sum(1, keepdim=True)
    penalty = zero_centred_penalty(scores, images)
    assert penalty.shape == shape[:1]
    assert torch.allclose(penalty, weights.square().sum().expand(shape[0]))


def test_penalty_reaches_the_parameters():
    critic = nn.Linear(6, 1)
    images = torch.randn(2, 6, generator=torch.Generator().manual_seed(2)).requires_grad_()
    zero_centred_penalty(critic(images), images).sum().backward()
    assert torch.allclose(critic.weight.grad, 4 * critic.weight)


def test_energy_score_is_least_for_the_true_spread():
    generator = torch.Generator().manual_seed(3)
    truth = torch.randn(64, 1, 50, 50, generator=generator)
    draws = [torch.randn(64, 1, 50, 50, generator=generator) for _ in range(2)]
    scores = {
        spread: float(energy_score((spread * draws[0], spread * draws[1]), truth).mean())
        for spread in (0.0, 0.5, 1.0, 1.5, 2.0)
    }
    assert min(scores, key=scores.get) == 1.0
    # The CRPS of the right normal distribution is sigma / sqrt(pi) (Gneiting & Raftery, eq. 22).
    assert scores[1.0] == pytest.approx(1 / math.sqrt(math.pi), rel=0.01)


def test_energy_score_of_one_sample_is_the_absolute_error():
    sample, truth = torch.full((2, 1, 3, 3), 2.0), torch.zeros(2, 1, 3, 3)
    assert torch.equal(energy_score((sample, sample), truth), torch.full((2,), 2.0))


def test_energy_score_doesnt_depend_on_the_number_of_samples():
    generator = torch.Generator().manual_seed(6)
    truth = torch.randn(64, 1, 50, 50, generator=generator)
    draws = [torch.randn(64, 1, 50, 50, generator=generator) for _ in range(5)]
    scores = [float(energy_score(draws[:count], truth).mean()) for count in (2, 3, 5)]
    assert scores == pytest.approx(3 * [1 / math.sqrt(math.pi)], rel=0.01)


def test_sums_in_apertures_are_areas_and_follow_their_centres():
    radii = (2.0, 5.5, 8.0)
    areas = aperture_sums(torch.ones(1, 1, 41, 41), torch.tensor([[20, 20]]), radii)
    assert areas[0].tolist() == pytest.approx([math.pi * radius**2 for radius in radii], rel=0.05)
    images = torch.zeros(2, 1, 20, 30)
    images[0, 0, 5, 7] = images[1, 0, 12, 25] = 3.0
    sums = aperture_sums(images, torch.tensor([[5, 7], [5, 7]]), (1.0, 4.0))
    assert sums.tolist() == [[3.0, 3.0], [0.0, 0.0]]


def test_relative_error_ignores_the_spread_of_the_samples():
    generator = torch.Generator().manual_seed(4)
    truth = torch.ones(256, 1, 20, 20)
    narrow, wide = (
        tuple(1.1 + s * torch.randn(truth.shape, generator=generator) for _ in range(2))
        for s in (0.01, 0.2)
    )
    squared = [((a - truth) * (b - truth)).mean() for a, b in (narrow, wide)]
    assert float(squared[0]) == pytest.approx(float(squared[1]), rel=0.05)
    same = relative_error((truth * 1.1, truth * 1.1), truth, floor=0.0)
    assert torch.allclose(same, torch.full((256,), 0.1), rtol=1e-4)


def test_misfit_is_least_where_chi_squared_is_one():
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(8, 1, 64, 64, generator=generator)
    values = [float(misfit_excess(scale * noise).mean()) for scale in (0.5, 1.0, 2.0)]
    assert values[1] < 0.05 < min(values[0], values[2])
    assert values[2] == pytest.approx(math.log(4), rel=0.05)
    assert float(misfit_excess(noise, tolerance=0.2).max()) == 0
