"""Building blocks of the networks that see cubes."""

from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK


class PointwiseConvolution3d(nn.Conv3d):
    """A convolution of one voxel, as the product of matrices that it is.

    The gradient of the gradient of a convolution of this kind in half precision ends the process
    on some CPUs: oneDNN's kernels, 24 channels of 16 x 16^3 voxels.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return features (B, outputs, v, y, x) of features (B, inputs, v, y, x)."""
        product: Tensor = self.weight.flatten(1) @ features.flatten(2)
        if self.bias is not None:
            product = product + self.bias[:, None].to(product.dtype)
        return product.reshape(*product.shape[:2], *features.shape[2:])


def convolution_3d(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, gain: float = 1.0
) -> nn.Conv3d:
    """Return a convolution that keeps the size (up to its stride), He-initialised times `gain`."""
    kind = PointwiseConvolution3d if kernel == stride == 1 else nn.Conv3d
    layer = kind(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2)
    nn.init.kaiming_normal_(layer.weight, a=LEAK)
    layer.weight.data.mul_(gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class ConditionalResidualBlock3d(nn.Module):
    """Two convolutions beside a skip, modulated by a condition and by noise.

    As `blocks.ConditionalResidualBlock`, in three dimensions: a feature-wise linear modulation of
    the hidden features (Perez et al. 2018, FiLM); the branch starts silent.
    """

    def __init__(self, channels: int, conditions: int) -> None:
        super().__init__()
        self.first = convolution_3d(channels, channels)
        self.second = convolution_3d(channels, channels, gain=0.0)
        self.modulation = nn.Linear(conditions, 2 * channels)
        self.noise = convolution_3d(1, channels, 1, gain=0.0)

    def forward(self, features: Tensor, condition: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the features (B, C, v, y, x) after the block.

        Parameters
        ----------
        features : Tensor (B, C, v, y, x)
        condition : Tensor (B, conditions)
        noise : Tensor (B, 1, v, y, x), optional
        """
        scale, shift = self.modulation(condition)[:, :, None, None, None].chunk(2, dim=1)
        hidden = self.first(features) * (1 + scale) + shift
        if noise is not None:
            hidden = hidden + self.noise(noise)
        result: Tensor = features + self.second(functional.leaky_relu(hidden, LEAK))
        return result


class DownsamplingBlock3d(nn.Module):
    """A residual block that halves a cube; no normalisation (see `blocks.DownsamplingBlock`)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = convolution_3d(inputs, inputs)
        self.second = convolution_3d(inputs, outputs)
        self.skip = convolution_3d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features (B, outputs, v / 2, y / 2, x / 2) of features (B, inputs, v, y, x)."""
        hidden = functional.leaky_relu(self.first(functional.leaky_relu(features, LEAK)), LEAK)
        # A convolution of one voxel commutes with the mean, and costs an eighth after it.
        beside = self.skip(functional.avg_pool3d(features, 2))
        halved: Tensor = (functional.avg_pool3d(self.second(hidden), 2) + beside) * 0.5**0.5
        return halved
