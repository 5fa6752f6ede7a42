"""Networks in bfloat16: as in float32 but for roundings, and where CPUs are quick with it."""

import copy

import pytest
import torch
from torch import nn

from clumpygan.networks.blocks import ConditionalResidualBlock
from clumpygan.survey.precision import in_bfloat16, multiplies_bfloat16

ROUNDING = 2**-8


def filled(module):
    """Give every weight a value, also those that training begins with at zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))
    return module


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.LeakyReLU())
        self.blocks = nn.ModuleList(ConditionalResidualBlock(6, 3, 2) for _ in range(2))
        self.condition = nn.Linear(3, 3)
        self.leave = nn.Conv2d(6, 1, 1)

    def forward(self, image, condition):
        features = self.enter(image)
        for block in self.blocks:
            features = block(features, self.condition(condition), image)
        return self.leave(features)


@torch.inference_mode()
def test_it_differs_by_roundings():
    network = filled(Network())
    half = in_bfloat16(copy.deepcopy(network)).to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(3, 2, 12, 10, generator=generator)
    condition = torch.randn(3, 3, generator=generator)
    exact, rounded = network(image, condition), half(image, condition)
    assert rounded.dtype == torch.float32
    apart = (rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert 0.05 * ROUNDING < apart < 5 * ROUNDING
    kinds = {name.rpartition(".")[0]: one.dtype for name, one in half.named_parameters()}
    linear = {name for name, kind in kinds.items() if kind == torch.float32}
    assert linear == {"condition", "blocks.0.modulation", "blocks.1.modulation"}


def test_a_block_wants_its_condition():
    half = in_bfloat16(nn.Sequential(ConditionalResidualBlock(4, 3)))
    with pytest.raises(ValueError, match="pass the condition"):
        half(torch.zeros(1, 4, 5, 5))


@pytest.mark.parametrize(
    ("tiles", "vectors", "quick"),
    [(True, True, True), (False, True, True), (False, False, False)],
)
def test_where_it_is_quick(monkeypatch, tiles, vectors, quick):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: vectors)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert multiplies_bfloat16() == quick
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not multiplies_bfloat16()
