import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network
from clumpygan.gan.gan_settings import AdversarialSettings, Schedule, SuperResolutionWeights
from clumpygan.gan.super_resolution import SuperResolutionModule
from clumpygan.instruments import moffat_transfer
from clumpygan.networks.discriminator import SuperResolutionDiscriminator

TINY = {"channels": 8, "blocks": [1, 1], "fine_channels": 4, "noise_channels": 2}


def module(weights=None, start=0, **options):
    torch.manual_seed(0)
    return SuperResolutionModule(
        build_network("super_resolution", TINY),
        SuperResolutionDiscriminator(channels=4),
        weights=weights or SuperResolutionWeights(),
        total_images=100,
        seed=0,
        game=AdversarialSettings(start=start),
        schedule=Schedule(),
        **options,
    )


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    operator = build_network("super_resolution", TINY).observation
    axis = torch.arange(112) - 55.5
    hst = 50 * torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 50)
    hst = hst.expand(2, 1, 112, 112).clone()
    width = torch.full((2,), 0.6)
    transfer = moffat_transfer(width, 5 * width, operator.frequencies((40, 40)))
    observed = operator(hst, transfer) + 2 * torch.randn(2, 1, 40, 40, generator=generator)
    sigma = torch.full((2,), 2.0)
    return {"target": hst, "observed": observed, "sigma": sigma, "transfer": transfer}


def test_losses_vanish_for_the_truth(batch):
    losses = module(crop_blocks=0).fidelity((batch["target"], batch["target"]), batch)
    assert set(losses) == {"pixel", "relative", "blocks", "apertures", "misfit", "flux"}
    assert sum(loss.item() for loss in losses.values()) < 1e-3


def test_pixels_that_share_noise_are_held_against_their_own_scatter(batch):
    """Sigma is that of apertures there: a pixel scatters by less."""
    told = {**batch, "sigma": 1.25 * batch["sigma"]}
    images = (batch["target"], batch["target"])
    shared = {**told, "shared_noise": torch.full((2,), 1.25)}
    assert module(crop_blocks=0).fidelity(images, shared)["misfit"].item() < 1e-3
    assert module(crop_blocks=0).fidelity(images, told)["misfit"].item() > 5e-3


@pytest.mark.parametrize("name", ["pixel", "relative", "blocks", "apertures", "misfit", "flux"])
def test_every_loss_minds_lost_flux_and_its_weight(batch, name):
    fainter = 0.8 * batch["target"]
    loss = module(crop_blocks=0).fidelity((fainter, fainter), batch)[name].item()
    twice = SuperResolutionWeights(**{name: 2 * getattr(SuperResolutionWeights(), name)})
    doubled = module(twice, crop_blocks=0).fidelity((fainter, fainter), batch)[name].item()
    assert loss > 1e-3
    assert doubled == pytest.approx(2 * loss, rel=1e-5)


@pytest.mark.parametrize("name", ["blocks", "apertures"])
def test_scores_of_fluxes_are_least_for_errors_that_hang_together_as_those_of_the_truth(
    batch, name
):
    """Fluxes that scatter too little, or errors of pixels that don't add up, lose."""
    draw = torch.Generator().manual_seed(1)
    scatter = 0.2

    def scattered(amount):
        factors = 1 + amount * torch.randn(64, 1, 1, 1, generator=draw)
        return factors * batch["target"][:1]

    def independent(amount):
        noise = torch.randn(64, 1, 112, 112, generator=draw)
        return (1 + amount * noise) * batch["target"][:1]

    network = module(SuperResolutionWeights(blocks=1.0, apertures=1.0), crop_blocks=0)
    many = {key: batch[key][:1].expand(64, *batch[key].shape[1:]) for key in batch}
    many["target"] = scattered(scatter)
    scores = {}
    for kind, draws in (
        ("true", lambda: scattered(scatter)),
        ("narrow", lambda: scattered(0.3 * scatter)),
        ("wide", lambda: scattered(3 * scatter)),
        ("independent", lambda: independent(scatter)),
    ):
        samples = tuple(draws() for _ in range(4))
        scores[kind] = network.fidelity(samples, many)[name].item()
    assert min(scores, key=scores.get) == "true"


def test_as_many_samples_as_are_asked_for(batch):
    network = module(training_samples=3)
    samples = network.sample(batch, torch.Generator().manual_seed(0))
    assert len(samples) == 3
    with pytest.raises(InputError, match=r"`model.training_samples` is 1: expected an integer"):
        module(training_samples=1)


def test_flux_term_is_the_relative_error_and_joins_when_it_is_told(batch):
    fainter = (0.9 * batch["target"], 0.9 * batch["target"])
    late = module(SuperResolutionWeights(flux=1.0, flux_start=64), crop_blocks=0)
    assert "flux" not in late.fidelity(fainter, batch)
    late.images_seen += 64
    assert late.fidelity(fainter, batch)["flux"].item() == pytest.approx(0.1, rel=1e-3)


def test_crops_hold_the_centre_and_vary():
    network = module(crop_blocks=4)
    observed = torch.zeros(1, 1, 40, 40)
    crops = {network._draw_crop(observed, torch.Generator().manual_seed(i)) for i in range(300)}
    assert len(crops) == 17
    assert all(crop.top <= 4 <= crop.top + crop.height for crop in crops)
    assert network._draw_crop(torch.zeros(1, 1, 20, 20), torch.Generator()) is None


def test_two_independent_samples_once_the_game_is_on(batch):
    playing, waiting = module(start=0), module(start=10)
    assert len(waiting.sample(batch, torch.Generator().manual_seed(0))) == 1
    for parameter in playing.generator.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    noise = torch.Generator().manual_seed(0)
    batch = playing.prepared(batch, noise)
    first, second = playing.sample(batch, noise)
    assert first.shape == (2, 1, 56, 56)
    assert not torch.equal(first, second)
    assert playing.truth(batch).shape == first.shape
    assert playing.conditions(batch)[0].shape == (2, 1, 20, 20)


def test_what_is_judged_is_in_units_of_the_noise(batch):
    judged = module(crop_blocks=0).judged(batch["target"], batch)
    assert torch.allclose(torch.sinh(judged) * 2.0 / 7.84, batch["target"], rtol=1e-4, atol=1e-4)


def test_best_estimate_is_the_mean_of_antithetic_pairs(batch):
    network = module()
    for parameter in network.average.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    best = network.best_estimate(batch, 2, generators[0])
    noise = network.average.draw_noise(2, (40, 40), generators[1])
    arguments = (batch["observed"], batch["sigma"], batch["transfer"])
    with torch.no_grad():
        pair = network.average(*arguments, (noise, noise.opposite()))
    assert torch.allclose(best, (pair[0] + pair[1]) / 2)
    assert not torch.allclose(pair[0], pair[1])
