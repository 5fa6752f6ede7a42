"""The opponent of the super-resolution generators."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK, DownsamplingBlock, convolution, resample


class SuperResolutionDiscriminator(nn.Module):
    """Score how well fine images go with the observed one: higher is more real.

    A convolutional network without normalisation that sees the stretched fine image, its
    unsharp mask (where clumps live) and the stretched observed image, and gives a map of scores,
    one for each patch of 8 x 8 fine pixels.

    Parameters
    ----------
    channels : int
        Features at full resolution; they grow by half at every halving.
    """

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        widths = [channels, channels * 3 // 2, channels * 9 // 4, channels * 3]
        self.enter = convolution(3, channels)
        self.blocks = nn.Sequential(
            *(DownsamplingBlock(inner, outer) for inner, outer in pairwise(widths))
        )
        self.leave = convolution(widths[-1], 1)

    def forward(self, stretched: Tensor, observed: Tensor) -> Tensor:
        """Return the scores (B, 1, Y / 8, X / 8).

        Parameters
        ----------
        stretched : Tensor (B, 1, Y, X)
            Fine image in units of the noise, stretched; Y and X at least 8.
        observed : Tensor (B, 1, y, x)
            Observed image in units of the noise, stretched.
        """
        context = resample(observed, (stretched.shape[-2], stretched.shape[-1]))
        sharp = stretched - functional.avg_pool2d(stretched, 5, 1, 2, count_include_pad=False)
        features = self.enter(torch.cat([stretched, 2 * sharp, context], 1))
        scores: Tensor = self.leave(functional.leaky_relu(self.blocks(features), LEAK))
        # Scores are compared and averaged: in single precision also under autocast.
        return scores.float()
