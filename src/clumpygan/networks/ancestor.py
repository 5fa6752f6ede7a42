"""The generator of 2022: three transposed convolutions between min-max scaled stamps.

The direct ancestor of the project (Hemmati et al. 2022, ApJ 941, 141) and the network to beat. It
is kept as it was, as far as it was published, so that benchmarks compare with the idea and not
with a straw man: the stamp is scaled by its own minimum and maximum, strided convolutions bring
it to a small grid, three transposed convolutions make the sharp image from there. Scaling by the
stamp's own range loses the flux; here the sharp image is scaled so that, observed again, it fits
the data best, which the original did not do.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK
from clumpygan.networks.super_resolution import Crop, Observation


class AncestorGenerator(nn.Module):
    """Map observed stamps to sharp ones by three transposed convolutions.

    Same signature as `SuperResolutionGenerator`, so that the same core trains it; it has no
    random input and always sees whole stamps.

    Parameters
    ----------
    observation : nn.Module
        The operator, for the scale of the result only.
    channels : int
        Features before the last transposed convolution; they double towards the small grid.
    """

    observation: Observation

    def __init__(self, observation: Observation, channels: int = 32) -> None:
        super().__init__()
        self.observation = observation
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 2 * channels, 4, 2, 1),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(2 * channels, 4 * channels, 4, 2, 1),
            nn.BatchNorm2d(4 * channels),
            nn.LeakyReLU(LEAK),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4 * channels, 2 * channels, 4, 2, 1),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def draw_noise(
        self,
        batch: int,
        coarse_shape: tuple[int, int],
        generator: torch.Generator,
        crop: Crop | None = None,
    ) -> None:
        """Return nothing: this generator has one answer."""

    def forward(
        self,
        observed: Tensor,
        sigma: Tensor,
        transfer: Tensor,
        noises: tuple[None, ...] = (None,),
        crop: Crop | None = None,
    ) -> tuple[Tensor, ...]:
        """Return the fine image (B, 1, Y, X), once for each entry of `noises`.

        Parameters are those of `SuperResolutionGenerator.forward`; `sigma` is not used.
        """
        lowest = observed.flatten(1).amin(1)[:, None, None, None]
        highest = observed.flatten(1).amax(1)[:, None, None, None]
        scaled = (observed - lowest) / (highest - lowest).clamp_min(1e-12)
        shape = self.observation.fine_shape((observed.shape[-2], observed.shape[-1]))
        # Half of the fine grid, on a multiple of 4: the network halves it twice and doubles it
        # three times.
        middle = [-(-side // 8) * 4 for side in shape]
        enlarged = functional.interpolate(scaled, middle, mode="bicubic", align_corners=False)
        shape_drawn = self.decoder(self.encoder(enlarged))
        sharp = functional.interpolate(
            shape_drawn.float(), shape, mode="bilinear", align_corners=False
        )
        again = self.observation(sharp, transfer)
        scale = (again * observed).flatten(1).sum(1) / again.square().flatten(1).sum(1)
        image = sharp * scale[:, None, None, None]
        image = crop.of(image, self.observation.grid.fine_block) if crop is not None else image
        return tuple(image for _ in noises)
