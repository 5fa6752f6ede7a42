import math

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from clumpygan.errors import InputError
from clumpygan.gan.adversarial import AdversarialModule, frozen
from clumpygan.gan.gan_settings import AdversarialSettings, Schedule

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:.*in eval mode"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
]


class Shift(nn.Module):
    """The simplest generator: noise plus a learnt shift."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, noise):
        return noise + self.shift


class Toy(AdversarialModule):
    """Learn the mean of a normal distribution from a game alone."""

    def sample(self, batch, noise):
        shape = batch["real"].shape
        return (self.generator(torch.randn(shape, generator=noise)),)

    def truth(self, batch):
        return batch["real"]

    def judged(self, images, batch):
        return images

    def conditions(self, batch):
        return ()

    def fidelity(self, samples, batch):
        return {"nothing": 0 * samples[0].sum()}


def toy(batch_size=16, images=4096, mean=2.0, total_images=None, **game):
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    module = Toy(
        Shift(),
        critic,
        total_images=total_images or images,
        seed=0,
        game=AdversarialSettings(**({"r1": 0.1, "r2": 0.1} | game)),
        schedule=Schedule(peak=8e-2, final=1e-3, discriminator=3e-2, warm_up=0),
        ema_half_life=500,
    )
    real = mean + torch.randn(images, 1, generator=torch.Generator().manual_seed(1))
    loader = DataLoader([{"real": row} for row in real], batch_size)
    return module, loader


def fit(module, loader, **options):
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, loader)
    return trainer


@pytest.mark.parametrize("loss", ["relativistic", "non_saturating", "hinge"])
def test_every_game_finds_the_distribution(loss):
    module, loader = toy(batch_size=64, loss=loss)
    fit(module, loader)
    assert module.generator.shift.item() == pytest.approx(2.0, abs=0.4)
    assert module.average.shift.item() == pytest.approx(2.0, abs=0.5)


def test_images_are_counted_not_steps():
    module, loader = toy(batch_size=16, images=64)
    trainer = fit(module, loader)
    assert int(module.images_seen) == 64
    # Lightning's own count has both optimisers.
    assert trainer.global_step == 8


def test_penalties_are_computed_at_every_so_many_steps_and_weigh_as_much_more():
    gradients = {}
    for interval in (1, 4):
        module, loader = toy(images=80, penalty_interval=interval)
        seen = gradients.setdefault(interval, [])
        original = module._discriminator_step

        def watched(fake, batch, optimiser, original=original, seen=seen):
            logs = original(fake, batch, optimiser)
            seen.append(set(logs) & {"r1", "r2"})
            return logs

        module._discriminator_step = watched
        fit(module, loader)
    both, none = {"r1", "r2"}, set()
    assert gradients[1] == [both] * 5
    assert gradients[4] == [both, none, none, none, both]


def test_a_rare_penalty_weighs_as_much_as_a_frequent_one():
    losses = []
    for interval, weight in ((1, 0.4), (4, 0.1)):
        module, loader = toy(images=16, r1=weight, r2=weight, penalty_interval=interval)
        module._step = lambda loss, *_, losses=losses: losses.append(loss.item()) or loss.detach()
        fit(module, loader)
    # Of each run the discriminator's and the generator's loss.
    assert losses[0] == pytest.approx(losses[2])


def test_the_discriminator_waits_for_its_start():
    module, loader = toy(images=64, start=1000, total_images=2000)
    before = [p.clone() for p in module.discriminator.parameters()]
    fit(module, loader)
    assert not module.playing
    assert all(map(torch.equal, before, module.discriminator.parameters()))


def test_a_generator_step_leaves_the_gradients_of_the_discriminator_alone():
    module, loader = toy(images=16)
    seen = {}
    original = module._generator_step

    def watched(samples, batch, optimiser):
        before = [p.grad.clone() for p in module.discriminator.parameters()]
        logs = original(samples, batch, optimiser)
        seen["same"] = all(
            torch.equal(a, p.grad)
            for a, p in zip(before, module.discriminator.parameters(), strict=True)
        )
        seen["moved"] = module.generator.shift.grad.abs().item() > 0
        return logs

    module._generator_step = watched
    fit(module, loader)
    assert seen == {"same": True, "moved": True}


def test_a_discriminator_step_leaves_the_generator_alone():
    module, loader = toy(images=16)
    seen = {}
    original = module._discriminator_step

    def watched(fake, batch, optimiser):
        logs = original(fake, batch, optimiser)
        seen["grad"] = module.generator.shift.grad
        return logs

    module._discriminator_step = watched
    fit(module, loader)
    assert seen == {"grad": None}


def test_the_average_does_not_depend_on_the_batch_size():
    averages = []
    for batch in (1, 8):
        module, _ = toy(images=64)
        module.images_seen += 10**6
        with torch.no_grad():
            module.generator.shift.fill_(1.0)
        for _ in range(64 // batch):
            module._update_average(batch)
        averages.append(module.average.shift.item())
    assert averages[0] == pytest.approx(averages[1], abs=1e-6)
    assert averages[0] == pytest.approx(1 - 0.5 ** (64 / 500), abs=1e-6)


def test_the_half_life_of_the_average_grows_with_the_training():
    for images in (100, 1000, 10**6):
        module, _ = toy()
        module.images_seen += images
        with torch.no_grad():
            module.generator.shift.fill_(1.0)
        module._update_average(16)
        # A tenth of the images so far, and no more than the 500 of the settings.
        expected = 1 - 0.5 ** (16 / min(0.1 * images, 500))
        assert module.average.shift.item() == pytest.approx(expected, abs=1e-6)


def test_the_average_follows_buffers_too():
    module, _ = toy()
    module.generator.register_buffer("count", torch.tensor(7.0))
    module.average.register_buffer("count", torch.tensor(0.0))
    module._update_average(1)
    assert module.average.count.item() == 7.0


def test_schedule_falls_twice_when_the_game_starts_late():
    schedule = Schedule(peak=1.0, final=0.0, adversarial_peak=0.5, warm_up=10)
    rates = [schedule.generator(images, 100, 200) for images in (0, 10, 50, 99, 100, 150, 200)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[1] == pytest.approx(0.5 * (1 + math.cos(math.pi / 10)))
    assert rates[2] == pytest.approx(0.5)
    assert rates[3] < 0.001
    assert rates[4] == pytest.approx(0.5)
    assert rates[5] == pytest.approx(0.25)
    assert rates[6] == pytest.approx(0.0, abs=1e-9)
    assert Schedule(peak=1.0, final=0.1, warm_up=0).generator(200, 0, 200) == pytest.approx(0.1)


def test_adversarial_weight_ramps_from_its_start():
    module, _ = toy(weight=2.0, start=100, ramp=50)
    weights = []
    for images in (100, 124, 200):
        module.images_seen = images
        weights.append(module._adversarial_weight())
    assert weights == pytest.approx([2 / 50, 1.0, 2.0])


def test_random_input_depends_on_seed_and_images_only():
    module, _ = toy()
    first = torch.randn(3, generator=module.random_input())
    assert torch.equal(first, torch.randn(3, generator=module.random_input()))
    module.images_seen += 16
    assert not torch.equal(first, torch.randn(3, generator=module.random_input()))


def test_a_gradient_that_is_not_finite_moves_nothing():
    module, loader = toy(images=16)
    module.fidelity = lambda samples, batch: {"broken": samples[0].sum() * float("nan")}
    fit(module, loader)
    assert module.generator.shift.item() == 0.0


def test_a_gradient_that_stays_infinite_ends_the_training():
    # The discriminator's steps are finite all the while.
    module, loader = toy(batch_size=1, images=64)
    module.fidelity = lambda samples, batch: {"broken": samples[0].sum() * float("nan")}
    with pytest.raises(InputError, match="for 50 steps the gradient has not been finite"):
        fit(module, loader)


def fail_while_frozen(layer):
    with frozen(layer):
        assert not layer.weight.requires_grad
        raise KeyError


def test_frozen_thaws_even_after_an_error():
    layer = nn.Linear(1, 1)
    with pytest.raises(KeyError):
        fail_while_frozen(layer)
    assert layer.weight.requires_grad
