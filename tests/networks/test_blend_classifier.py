"""What the classifier of blends says depends on the middle of the image and on the PSF alone."""

import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network
from clumpygan.instruments import SurveyPair, moffat_transfer
from clumpygan.networks.orientations import ORIENTATIONS

SMALL = {"channels": [8, 8, 8], "blocks": [1, 1, 1], "conditions": 8}


@pytest.fixture(scope="module")
def network():
    """Untrained, with weights in the layers that start silent."""
    torch.manual_seed(0)
    made = build_network("blend_classifier", SMALL)
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return made.requires_grad_(False)


@pytest.fixture(scope="module")
def scene(network):
    """Three noisy images (3, 1, 40, 40) with something in the middle, their sigma and transfer."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.arange(40) - 19.5
    bump = torch.exp(-((axis[:, None] / 3) ** 2 + (axis / 2) ** 2))
    observed = 60 * bump + 2 * torch.randn(3, 1, 40, 40, generator=generator)
    width = torch.tensor([0.5, 0.6, 0.7])
    frequencies = network.observation.frequencies((40, 40))
    return observed, torch.full((3,), 2.0), moffat_transfer(width, 4 * width, frequencies)


def test_turned_images_get_the_same_odds(network, scene):
    observed, sigma, transfer = scene
    odds = network.log_odds(observed, sigma, transfer)
    assert odds.shape == (3,)
    assert odds.dtype == torch.float32
    single = network(observed, sigma, transfer)
    for one in ORIENTATIONS[1:]:
        turned = one.of(observed)
        again = network.log_odds(turned, sigma, one.transfer(transfer, 80))
        assert torch.allclose(again, odds, atol=1e-4)
        assert not torch.allclose(network(turned, sigma, transfer), single, atol=1e-4)


def test_each_image_is_judged_by_itself_in_any_unit(network, scene):
    observed, sigma, transfer = scene
    odds = network.log_odds(observed, sigma, transfer)
    alone = network.log_odds(observed[1:2], sigma[1:2], transfer[1:2])
    assert torch.allclose(alone, odds[1:2], atol=1e-5)
    assert torch.allclose(network.log_odds(7 * observed, 7 * sigma, transfer), odds, atol=1e-4)
    deeper = network.log_odds(observed, sigma / 3, transfer)
    assert not torch.allclose(deeper, odds, atol=1e-3)


def test_it_knows_the_psf(network, scene):
    observed, sigma, transfer = scene
    odds = network.log_odds(observed, sigma, transfer)
    assert (network.log_odds(observed, sigma, transfer.flip(0)) - odds).abs()[[0, 2]].min() > 1e-4


def test_only_the_middle_is_looked_at(network, scene):
    observed, sigma, transfer = scene
    assert network.window == 26
    edges = observed.clone()
    edges[..., :7, :] = edges[..., 33:, :] = 1e4
    assert torch.equal(network(edges, sigma, transfer), network(observed, sigma, transfer))
    inside = observed.clone()
    inside[..., 7, :] = 1e4
    assert not torch.allclose(network(inside, sigma, transfer), network(observed, sigma, transfer))


@pytest.mark.parametrize("side", [20, 25, 30])
def test_images_of_any_size_are_looked_at(network, scene, side):
    observed, sigma, _ = scene
    part = observed[..., :side, :side]
    width = torch.full((3,), 0.6)
    transfer = moffat_transfer(width, 4 * width, network.observation.frequencies((side, side)))
    assert network.log_odds(part, sigma, transfer).isfinite().all()


def test_half_precision_says_the_same_where_it_is_used(network, scene):
    odds, single = network.log_odds(*scene), network(*scene)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.log_odds(*scene), odds)
        assert not torch.equal(network(*scene), single)


def test_other_surveys_have_windows_as_wide():
    pair = SurveyPair.of("des_i", "hst_wfc3_f160w")
    other = build_network("blend_classifier", SMALL, pair.to_card())
    assert other.window * pair.grid.observed_scale == pytest.approx(4.4, abs=0.3)
    with pytest.raises(InputError, match="colour"):
        build_network("blend_classifier", {"colour": 1})
