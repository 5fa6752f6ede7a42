"""How samples are drawn doesn't depend on how many are computed at a time."""

import pytest
import torch

from clumpygan.gan.checkpoint import build_network
from clumpygan.networks import sampling
from clumpygan.recovery.resolver import SuperResolver

SMALL = {
    "channels": 4, "blocks": [1, 1], "fine_channels": 4, "fine_blocks": 1, "noise_channels": 2,
}  # fmt: skip


@pytest.fixture
def draw():
    """Draw samples of two images of 30 x 40 pixels, by a network whose weights aren't silent."""
    torch.manual_seed(2)
    network = build_network("super_resolution", SMALL).requires_grad_(False)
    for weights in network.parameters():
        weights.add_(0.05 * torch.randn(weights.shape))
    resolver = SuperResolver(network, {})
    observed = 5 * torch.randn(1, 2, 1, 30, 40)
    ky, kx = resolver.operator.frequencies((30, 40))
    transfer = torch.exp(-(ky**2 + 2 * kx**2)).expand(2, -1, -1).to(torch.complex64)

    def call(samples=6, **how):
        generators = [torch.Generator().manual_seed(7 + i) for i in range(2)]
        return resolver.sampler.draw(observed, torch.ones(2), transfer, generators, samples, **how)

    return call


def test_samples_are_the_same_however_many_are_computed_at_a_time(draw, monkeypatch):
    samples = draw(samples=16)
    assert samples.shape == (16, 2, 1, 84, 112)
    assert (samples[0] - samples[1]).abs().max() > 0.1
    monkeypatch.setitem(sampling._PIXELS_AT_ONCE, "cpu", 1)
    torch.testing.assert_close(draw(samples=16), samples, atol=1e-4, rtol=1e-4)


def test_the_first_of_each_pair_alone(draw):
    both, first = draw(), draw(pairs=False)
    assert first.shape == (3, 2, 1, 84, 112)
    torch.testing.assert_close(first, both[::2], atol=1e-4, rtol=1e-4)
