"""The DCGAN as published: Radford, Metz & Chintala (2016, arXiv:1511.06434)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from clumpygan.networks.blocks import LEAK, unstretch
from clumpygan.networks.stamp_shapes import Noise, resolutions, widths


class PublishedGenerator(nn.Module):
    """The DCGAN of Radford et al. (2016): transposed convolutions with batch normalisation.

    Conditions, where there are any, are appended to z. The hyperbolic tangent at its end reaches
    the brightest pixels of a stretched stamp.

    Parameters
    ----------
    size, latent_dim, channels, largest, conditions : int
        As for `ResidualGenerator`.
    amplitude : float
        Largest stretched value.
    """

    def __init__(
        self,
        size: int,
        latent_dim: int,
        channels: int,
        largest: int,
        conditions: int,
        amplitude: float,
    ) -> None:
        super().__init__()
        sides = resolutions(size)
        depths = widths(len(sides) - 1, channels, largest)
        self.latent_dim, self.amplitude = latent_dim, amplitude
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent_dim + conditions, depths[0], sides[0], bias=False)
        ]
        for inputs, outputs in pairwise((*depths, 1)):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=outputs == 1))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise_as_published)

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Return nothing: z is all that is random in it."""
        return ()

    def forward(self, z: Tensor, conditions: Tensor | None = None, noise: Noise = ()) -> Tensor:
        """Return images (B, 1, N, N) in units of the noise, as `ResidualGenerator` does."""
        told = z if conditions is None else torch.cat([z, conditions], 1)
        stretched = self.layers(told[:, :, None, None]).float()
        return unstretch(self.amplitude * torch.tanh(stretched))


class PublishedDiscriminator(nn.Module):
    """The discriminator of Radford et al. (2016): strided convolutions, batch normalisation.

    Batch normalisation ties the images of a batch together, so gradient penalties, which are of
    one image, don't go with it. Conditions are planes beside the image (Mirza & Osindero 2014).

    Parameters
    ----------
    size, channels, largest, conditions : int
        As for `ResidualGenerator`.
    """

    def __init__(self, size: int, channels: int, largest: int, conditions: int) -> None:
        super().__init__()
        sides = resolutions(size)
        depths = widths(len(sides) - 1, channels, largest)[::-1]
        layers: list[nn.Module] = [
            nn.Conv2d(1 + conditions, depths[0], 4, 2, 1),
            nn.LeakyReLU(LEAK, inplace=True),
        ]
        for inputs, outputs in pairwise(depths):
            layers += [
                nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
        layers.append(nn.Conv2d(depths[-1], 1, sides[0]))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise_as_published)

    def forward(self, stretched: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return the scores (B, 1), as `ResidualDiscriminator` does."""
        planes = [stretched]
        if conditions is not None:
            planes.append(
                conditions[:, :, None, None].to(stretched).expand(-1, -1, *stretched.shape[-2:])
            )
        scores: Tensor = self.layers(torch.cat(planes, 1))
        return scores.flatten(1).float()


def _initialise_as_published(layer: nn.Module) -> None:
    """Draw weights from normal distributions of width 0.02 (Radford et al. 2016, section 4)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)
