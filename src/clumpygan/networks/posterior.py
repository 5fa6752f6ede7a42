"""A network that draws from the posterior of a disk's parameters when it is shown the cube.

Neural posterior estimation (Papamakarios & Murray 2016, arXiv:1605.06376; Greenberg et al. 2019,
arXiv:1905.07488): a conditional normalising flow, trained by maximum likelihood on simulated pairs
of parameters and cubes. The flow is made of the transforms of zuko.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from zuko.distributions import DiagNormal
from zuko.flows import Flow, MaskedAutoregressiveTransform, UnconditionalDistribution
from zuko.nn import MaskedLinear
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

from clumpygan.networks.blocks import convolution

_STRETCH = 3.0
"""Sigma up to which voxels are seen in proportion, and in their logarithm from there."""

_THRESHOLD = 2.0
"""Sigma above which a voxel counts in the moments."""

_MOMENTS, _MAPS = 10, 5


class PosteriorNetwork(nn.Module):
    """A conditional density of coordinates, given a cube and with what it was observed.

    The channels of the cube and its moment maps are channels of 2-D convolutions; what they find,
    the spectrum, the moments of the cube and the conditions make the context of the flow. Of the
    flow's transforms the first is affine, which is all there is to a Gaussian posterior, and the
    others are rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032) in coupling layers,
    which draw fast.

    Parameters
    ----------
    shape : tuple of int
        (v, y, x) of the cubes.
    parameters : int
        Number n of coordinates.
    conditions : int
        Number of conditions.
    channels : sequence of int
        Features of the convolutions, at full, half and quarter resolution.
    features : int
        Length of the context.
    hidden : int
        Width of the networks of the flow.
    splines : int
        Number of coupling layers.
    bins : int
        Of the splines.
    """

    def __init__(
        self,
        shape: Sequence[int],
        parameters: int,
        conditions: int,
        channels: Sequence[int] = (40, 64, 48),
        features: int = 128,
        hidden: int = 128,
        splines: int = 4,
        bins: int = 8,
    ) -> None:
        super().__init__()
        depth, height, width = shape
        full, half, quarter = channels
        self.shape, self.parameters_count = (depth, height, width), parameters
        self.convolutions = nn.Sequential(
            convolution(depth + _MAPS, full), nn.SiLU(),
            convolution(full, half, stride=2), nn.SiLU(),
            convolution(half, half), nn.SiLU(),
            convolution(half, quarter, stride=2), nn.SiLU(),
            nn.Flatten(),
        )  # fmt: skip
        found = quarter * math.ceil(height / 4) * math.ceil(width / 4)
        inputs = found + depth + _MOMENTS + conditions
        # What is seen in channels and pixels means different things to different instruments:
        # products with the conditions are within reach of one layer.
        self.gains = nn.ModuleList(_gain(conditions, size) for size in (_MAPS, inputs))
        self.context = nn.Sequential(
            nn.Linear(inputs, 2 * features), nn.SiLU(),
            nn.Linear(2 * features, features), nn.SiLU(),
        )  # fmt: skip
        transforms = [
            MaskedAutoregressiveTransform(
                parameters,
                features,
                univariate=MonotonicAffineTransform,
                shapes=[(), ()],
                hidden_features=(hidden,),
                activation=nn.SiLU,
            )
        ]
        for layer in range(splines):
            shuffle = torch.randperm(parameters, generator=torch.Generator().manual_seed(layer))
            transforms.append(
                MaskedAutoregressiveTransform(
                    parameters,
                    features,
                    passes=2,
                    order=shuffle,
                    univariate=MonotonicRQSTransform,
                    shapes=[(bins,), (bins,), (bins - 1,)],
                    hidden_features=(hidden, hidden),
                    activation=nn.SiLU,
                )
            )
        base = UnconditionalDistribution(
            DiagNormal, torch.zeros(parameters), torch.ones(parameters), buffer=True
        )
        self.flow = Flow(transforms, base)
        for module in self.flow.modules():
            if isinstance(module, MaskedLinear):
                # They follow from the arguments, and would double the size of a checkpoint.
                module.register_buffer("mask", module.mask, persistent=False)

    def forward(self, cube: Tensor, conditions: Tensor) -> Tensor:
        """Return the context (B, features) of cubes (B, v, y, x), in units of their noise, and
        conditions (B, c).
        """  # noqa: D205
        maps, spectrum = _views(cube)
        maps = maps * (1 + self.gains[0](conditions))[:, :, None, None]
        seen = torch.cat([torch.asinh(cube / _STRETCH), maps], dim=1)
        parts = [self.convolutions(seen), spectrum, _moments(cube), conditions]
        everything = torch.cat(parts, dim=1)
        context: Tensor = self.context(everything * (1 + self.gains[1](conditions)))
        return context

    def log_density(self, coordinates: Tensor, cube: Tensor, conditions: Tensor) -> Tensor:
        """Return the log density (B,) of coordinates (B, n)."""
        density: Tensor = self.flow(self(cube, conditions)).log_prob(coordinates)
        return density

    def draw(
        self, cube: Tensor, conditions: Tensor, count: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw from the posteriors of cubes.

        Parameters
        ----------
        cube : Tensor (B, v, y, x)
            In units of their noise.
        conditions : Tensor (B, c)
        count : int
            Draws for each cube.
        generator : torch.Generator
            On the device of the cubes.

        Returns
        -------
        coordinates : Tensor (B, count, n)
        log_density : Tensor (B, count)
        """
        standard = torch.randn(
            (len(cube), count, self.parameters_count), generator=generator, device=cube.device
        )
        flow = self.flow(self(cube, conditions)[:, None])
        coordinates, stretch = flow.transform.inv.call_and_ladj(standard)
        log_normal = -0.5 * (standard**2 + math.log(2 * math.pi)).sum(-1)
        return coordinates, log_normal - stretch


def _gain(conditions: int, size: int) -> nn.Linear:
    """Return a layer that is zero until it has been trained."""
    layer = nn.Linear(conditions, size)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _views(cube: Tensor) -> tuple[Tensor, Tensor]:
    """Return maps (B, 5, y, x) of flux, velocity, width, peak and significance, and the spectrum
    (B, v) of where the flux is.

    They are what stands out of the noise in 3 x 3 pixels; what the threshold takes away is the
    same for all cubes, and up to the network to make up for.
    """  # noqa: D205
    smooth = 3 * functional.avg_pool2d(cube, 3, 1, 1)
    weight = torch.relu(smooth - _THRESHOLD)
    total = weight.sum(1)
    v = torch.linspace(-1.0, 1.0, cube.shape[1], device=cube.device, dtype=cube.dtype)
    share = weight / (total + 1.0)[:, None]
    velocity = torch.einsum("bvyx,v->byx", share, v)
    away = (v[:, None, None] - velocity[:, None]) ** 2
    width = torch.sqrt((share * away).sum(1) + 1e-4)
    peak = smooth.amax(1)
    maps = [
        0.3 * torch.log1p(total),
        4 * velocity,
        8 * width,
        torch.asinh(peak / _STRETCH) - 1.0,
        total / (total + 4.0),
    ]
    light = total / (total.sum((1, 2), keepdim=True) + 1.0)
    spectrum = torch.einsum("bvyx,byx->bv", smooth, light)
    return torch.stack(maps, dim=1), torch.asinh(spectrum / _STRETCH)


def _moments(cube: Tensor) -> Tensor:
    """Return flux, centre, widths and gradients (B, 10) of what stands out of the noise."""
    weight = torch.relu(cube - _THRESHOLD)
    total = weight.sum((1, 2, 3))
    share = weight / (total[:, None, None, None] + 1.0)
    axes = [
        torch.linspace(-1.0, 1.0, length, device=cube.device, dtype=cube.dtype)
        for length in cube.shape[1:]
    ]
    plane_yx, plane_vx, plane_vy = share.sum(1), share.sum(2), share.sum(3)
    profiles = [plane_vx.sum(2), plane_yx.sum(2), plane_yx.sum(1)]
    means = [(one * axis).sum(1) for one, axis in zip(profiles, axes, strict=True)]
    squares = [(one * axis**2).sum(1) for one, axis in zip(profiles, axes, strict=True)]
    v, y, x = axes
    products = [
        torch.einsum("bij,i,j->b", plane_vy, v, y),
        torch.einsum("bij,i,j->b", plane_vx, v, x),
        torch.einsum("bij,i,j->b", plane_yx, y, x),
    ]
    scaled = [4 * one for one in means] + [8 * one for one in (*squares, *products)]
    return torch.stack([0.3 * torch.log1p(total) - 1.0, *scaled], dim=1)
