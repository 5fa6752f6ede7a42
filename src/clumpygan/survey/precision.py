"""Trained networks whose convolutions multiply bfloat16: a fraction of the time on some CPUs."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK, ConditionalResidualBlock


def multiplies_bfloat16() -> bool:
    """Return whether this CPU has instructions for it: AMX, or AVX-512 BF16.

    Others do it too, in 2.5 to 5 times the time of float32.
    """
    used: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return used and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def in_bfloat16(network: nn.Module) -> nn.Module:
    """Change a trained network so that its 2-D convolutions multiply bfloat16, and return it.

    Weights are cast once. Products are added up in float32, and everything else, as Fourier
    transforms, stretches and linear layers, stays in float32; but within and between
    `ConditionalResidualBlock` features are bfloat16, as moving them costs as much as the products.
    Not for training: a mantissa of 8 bits loses small steps.
    """
    for name, module in list(network.named_children()):
        if type(module) is ConditionalResidualBlock:
            setattr(network, name, _Block(module))
        elif isinstance(module, nn.Conv2d):
            setattr(network, name, _Convolution(module))
        else:
            in_bfloat16(module)
    return network


class _Convolution(nn.Module):
    """A convolution of bfloat16, to float32."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer.bfloat16()

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.layer(_cast(image))
        return result.float()


class _Block(nn.Module):
    """What a trained `ConditionalResidualBlock` does, in bfloat16."""

    def __init__(self, block: ConditionalResidualBlock) -> None:
        super().__init__()
        self.first, self.second = block.first.bfloat16(), block.second.bfloat16()
        self.modulation = block.modulation
        self.noise = None if block.noise is None else block.noise.bfloat16()

    def forward(
        self, features: Tensor, condition: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        features = _cast(features)
        hidden = self.first(features)
        if self.modulation is not None:
            if condition is None:
                raise ValueError("this block was built with conditions: pass the condition")
            scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, dim=1)
            hidden = hidden.mul_(_along_rows(1 + scale, hidden)).add_(_along_rows(shift, hidden))
        if self.noise is not None and noise is not None:
            hidden = hidden.add_(self.noise(_cast(noise)))
        hidden = functional.leaky_relu(hidden, LEAK, inplace=True)
        result: Tensor = self.second(hidden).add_(features)
        return result


def _cast(image: Tensor) -> Tensor:
    """Return an image in bfloat16, its channels beside each other in memory."""
    return image.to(torch.bfloat16, memory_format=torch.channels_last)


def _along_rows(values: Tensor, features: Tensor) -> Tensor:
    """Return values (B, C, 1, 1) as one row of features (B, C, y, x), laid out alike.

    In bfloat16 sums with what is spread over a whole image take five times as long.
    """
    row = values.to(features.dtype).expand(-1, -1, 1, features.shape[-1])
    return row.contiguous(memory_format=torch.channels_last)
