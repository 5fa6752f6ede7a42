"""The super-resolution generator: observed images in, sharp images out.

The generator unrolls the inversion of a known observation:

1. a Wiener deconvolution of the observed image is the base;
2. a residual network on the coarse grid corrects it;
3. the corrected image is observed again, and what is left over (in units of the noise) goes,
   with the features, the base and random noise, through a second residual network and a short
   one on the fine grid, which make one sample of the posterior;
4. a regularised step along the remaining residual, whose trust the network predicts from the
   flux and the point spread function, ends it with an image that agrees with the data. Each
   sample is led to the data plus a draw of their noise of its own: were all led to the same data,
   sums over many pixels would hardly differ among them (the rule of Hoffman & Ribak 1991 for
   constrained realisations).

Everything inside is in units of the observed noise and asinh-compressed; no image is scaled by
its own maximum, so that fluxes survive.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import (
    LEAK,
    PROFILE_FREQUENCIES,
    ConditionalResidualBlock,
    convolution,
    resample,
    silent_convolution,
    stretch,
    transfer_profile,
    unstretch,
)

WIENER_TURNOVER, WIENER_SLOPE = 0.5, 2.0
"""Prior power of a galaxy, F^2 / (1 + (k / turnover)^2)^slope, with the turnover in cycles/arcsec:
an exponential disk of 0.3 arcsec scale length has 0.53 and 3, clumps make it shallower."""

LEAST_TRUST = 30.0
"""Largest exponent of the regularisation of the last step: data count for nothing long before, and
beyond 88 it would overflow, with gradients that are no numbers."""

LEAST_ERROR = 0.05
"""Relative error of large scales, of which the last step takes convolutions to be capable at least.
What they err by grows with the galaxy, the noise of its data doesn't: of galaxies brighter than
22 mag, without it, recoveries hold 0.9 % too little in 1.5 arcsec, six times their errors."""

LARGE_SCALES = 0.8
"""Frequency, cycles/arcsec, at which that error has fallen to exp(-1/2): of smaller scales it lets
the sky beside bright galaxies follow the noise of its data."""

BRIGHTEST = 363.08
"""Flux in nJy, over 100, of the brightest galaxy that blocks are told of: 20 mag (AB)."""


class Grids(Protocol):
    """The pixels of the fine and of the coarse image; handed in with the operator."""

    @property
    def fine_block(self) -> int:
        """Return how many fine pixels are as wide as `coarse_block` coarse ones."""

    @property
    def coarse_block(self) -> int:
        """Return how many coarse pixels are as wide as `fine_block` fine ones."""

    @property
    def ratio(self) -> float:
        """Return the quotient of the two."""

    @property
    def area_ratio(self) -> float:
        """Return its square."""


class Observation(Protocol):
    """The linear operator that observes a fine image on the coarse grid; handed in."""

    @property
    def grid(self) -> Grids:
        """Return the two grids."""

    def frequencies(
        self, coarse_shape: tuple[int, int], device: torch.device | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return (ky, kx) in cycles/arcsec of the grid on which transfer functions are given."""

    def fine_shape(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        """Return the shape of the fine image with the same field of view."""

    def __call__(self, image: Tensor, transfer: Tensor) -> Tensor:
        """Observe (B, 1, Y, X) as (B, 1, y, x)."""

    def wiener(self, coarse: Tensor, transfer: Tensor, noise_to_signal: Tensor) -> Tensor:
        """Return the regularised inverse (B, 1, Y, X) of (B, 1, y, x)."""


class Crop(NamedTuple):
    """A window of the coarse grid on which the convolutions run, in blocks of the two grids.

    Training on the part of a stamp that holds the galaxy costs a quarter; the observation always
    sees the whole stamp.
    """

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Tensor, pixels_per_block: int) -> Tensor:
        """Return the window of an image with that many pixels per block and axis."""
        n = pixels_per_block
        rows = slice(self.top * n, (self.top + self.height) * n)
        columns = slice(self.left * n, (self.left + self.width) * n)
        return image[..., rows, columns]

    def paste(self, part: Tensor, whole: Tensor, pixels_per_block: int) -> Tensor:
        """Return `whole` with the window replaced by `part`, differentiable in both."""
        n = pixels_per_block
        right = whole.shape[-1] - (self.left + self.width) * n
        below = whole.shape[-2] - (self.top + self.height) * n
        change = part - self.of(whole, n)
        return whole + functional.pad(change, (self.left * n, right, self.top * n, below))


class SampleNoise(NamedTuple):
    """What distinguishes two samples of one posterior: images of white Gaussian noise.

    Attributes
    ----------
    coarse : Tensor (B, C, y, x)
        Random input of the network on the coarse grid, of the crop if there is one.
    fine : Tensor (B, 1, Y, X)
        The same on the fine grid.
    data : Tensor (B, 1, y, x)
        Another draw of the noise of the data, in units of it, of the whole stamp.
    """

    coarse: Tensor
    fine: Tensor
    data: Tensor

    def opposite(self) -> "SampleNoise":
        """Return the antithetic noise: the mean of a pair has no first-order scatter."""
        return self.mapped(torch.neg)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "SampleNoise":
        """Return the noise with each of its images changed: the rows of some of a batch, say."""
        return SampleNoise(*(change(image) for image in self))


class SuperResolutionGenerator(nn.Module):
    """Sample the fine image behind an observed one.

    Parameters
    ----------
    observation : Observation
        The operator, as a module (its buffers, if any, are not part of the checkpoint).
    channels : int
        Features on the coarse grid.
    blocks : tuple of int
        Residual blocks before and after the first look at the residual.
    fine_channels, fine_blocks : int
        Features and residual blocks on the fine grid.
    noise_channels : int
        Channels of the random input on the coarse grid (one more on the fine grid).
    noise_amplitude : float
        Standard deviation of the random input. The layers that take it start silent, late in the
        training, at low learning rates: a large input lets them grow as fast as they must.
    depth_range : tuple of float
        log10 of the noise per coarse pixel, in nJy, that blocks are told at least and at most, as
        in training; the flux is told up to that of 20 mag at the lower limit.
    """

    observation: Observation
    width_argument = "channels"

    def __init__(
        self,
        observation: Observation,
        channels: int = 48,
        blocks: tuple[int, int] = (6, 6),
        fine_channels: int = 16,
        fine_blocks: int = 2,
        noise_channels: int = 8,
        noise_amplitude: float = 3.0,
        depth_range: tuple[float, float] = (0.0, 0.7),
    ) -> None:
        super().__init__()
        self.observation, self.grid = observation, observation.grid
        self.depth_range = depth_range
        self.largest_flux = round(math.asinh(BRIGHTEST / 10 ** depth_range[0]) / 3, 1)
        # Features are shuffled onto the sky in at least as many sub-pixels per coarse pixel and
        # axis as there are fine pixels in it (3 for 2.8), so that resampling loses nothing.
        self.subpixels = math.ceil(self.grid.ratio)
        self.noise_channels, self.noise_amplitude = noise_channels, noise_amplitude
        conditions = len(PROFILE_FREQUENCIES) + 2
        shuffled = self.subpixels**2

        self.embed = nn.Sequential(
            nn.Linear(conditions, channels), nn.LeakyReLU(LEAK), nn.Linear(channels, channels)
        )
        self.enter = convolution(1 + shuffled, channels)
        self.first = nn.ModuleList(
            ConditionalResidualBlock(channels, channels) for _ in range(blocks[0])
        )
        self.estimate = silent_convolution(channels, shuffled)
        self.look = convolution(1 + shuffled, channels)
        self.noise = silent_convolution(noise_channels, channels)
        self.second = nn.ModuleList(
            ConditionalResidualBlock(channels, channels, noise_channels) for _ in range(blocks[1])
        )
        self.spread = convolution(channels, shuffled * fine_channels, 1)
        self.fine_enter = convolution(fine_channels + 2, fine_channels)
        self.fine = nn.ModuleList(
            ConditionalResidualBlock(fine_channels, channels, 1) for _ in range(fine_blocks)
        )
        self.leave = silent_convolution(fine_channels, 1)
        self.trust = nn.Linear(channels, 2)
        nn.init.zeros_(self.trust.weight)
        with torch.no_grad():
            self.trust.bias.copy_(torch.tensor([2.0, 1.0]))

    def draw_noise(
        self,
        batch: int,
        coarse_shape: tuple[int, int],
        generator: torch.Generator,
        crop: Crop | None = None,
    ) -> SampleNoise:
        """Draw the random input of `batch` samples on the generator's device.

        Parameters
        ----------
        batch : int
        coarse_shape : tuple of int
            (y, x) of the coarse grid.
        generator : torch.Generator
        crop : Crop, optional
            As in `forward`.

        Returns
        -------
        SampleNoise
            Tensors (batch, noise_channels, y, x) and (batch, 1, Y, X), of the crop if there is
            one, of standard deviation `noise_amplitude`, and (batch, 1, y, x) of 1; float32.
        """
        block, device = self.grid.coarse_block, generator.device
        window = coarse_shape if crop is None else (crop.height * block, crop.width * block)
        coarse, fine, data = (
            torch.randn(batch, *shape, generator=generator, device=device)
            for shape in (
                (self.noise_channels, *window),
                (1, *self._fine(window)),
                (1, *coarse_shape),
            )
        )
        return SampleNoise(self.noise_amplitude * coarse, self.noise_amplitude * fine, data)

    def forward(
        self,
        observed: Tensor,
        sigma: Tensor,
        transfer: Tensor,
        noises: tuple[SampleNoise | None, ...] = (None,),
        crop: Crop | None = None,
        *,
        whole: bool = False,
    ) -> tuple[Tensor, ...]:
        """Return one sample of the fine image for each random input.

        Parameters
        ----------
        observed : Tensor (B, 1, y, x)
            Flux per coarse pixel; y and x multiples of the grid's coarse block.
        sigma : Tensor (B,)
            Noise per coarse pixel, in the same unit.
        transfer : Tensor (B, Ky, Kx)
            Ratio of the optical transfer functions, on the grid of `observation.frequencies`.
        noises : tuple of SampleNoise or None
            None makes the deterministic estimate.
        crop : Crop, optional
            Window in which the convolutions run; the rest of the stamp stays the Wiener base.
        whole : bool
            Return the whole stamp, not the crop alone.

        Returns
        -------
        tuple of Tensor (B, 1, Y, X)
            Flux per fine pixel, on the crop if there is one, unless `whole`.
        """
        shape = (observed.shape[-2], observed.shape[-1])
        fine, coarse = self.grid.fine_block, self.grid.coarse_block
        window = crop or Crop(0, 0, shape[0] // coarse, shape[1] // coarse)
        unit = sigma[:, None, None, None]
        data = observed / unit
        base = self._base(data, transfer)
        condition = self.embed(self._conditions(data, sigma, transfer))
        regularisation = self._regularisation(data, condition)

        visible = stretch(window.of(data, coarse))
        foundation = stretch(window.of(base, fine) * self.grid.area_ratio)
        features = self.enter(torch.cat([visible, self._shuffle(foundation)], 1))
        for block in self.first:
            features = block(features, condition)
        estimate = foundation + self._unshuffle(self.estimate(features))
        residual = window.of(
            data - self.observation(self._paste(base, estimate, window), transfer), coarse
        )
        features = features + self.look(torch.cat([stretch(residual), self._shuffle(estimate)], 1))
        shown = Crop(0, 0, shape[0] // coarse, shape[1] // coarse) if whole else window
        return tuple(
            unit
            * shown.of(
                self._consistent(
                    self._paste(
                        base, self._sample(features, foundation, estimate, condition, noise), window
                    ),
                    data if noise is None else data + noise.data,
                    transfer,
                    regularisation,
                ),
                fine,
            )
            for noise in noises
        )

    def _sample(
        self,
        features: Tensor,
        foundation: Tensor,
        estimate: Tensor,
        condition: Tensor,
        noise: SampleNoise | None,
    ) -> Tensor:
        """Return the stretched fine image (B, 1, Y, X) for one random input."""
        coarse, fine = (noise.coarse, noise.fine) if noise is not None else (None, None)
        if coarse is not None:
            features = features + self.noise(coarse)
        for block in self.second:
            features = block(features, condition, coarse)
        details = self._unshuffle(self.spread(features))
        hidden = functional.leaky_relu(
            self.fine_enter(torch.cat([details, foundation, estimate], 1)), LEAK, inplace=True
        )
        for block in self.fine:
            hidden = block(hidden, condition, fine)
        result: Tensor = estimate + self.leave(hidden)
        return result

    def _consistent(
        self, image: Tensor, data: Tensor, transfer: Tensor, regularisation: Tensor
    ) -> Tensor:
        """Take one regularised step towards the data: x + W (y - A x)."""
        residual = data - self.observation(image, transfer)
        return image + self.observation.wiener(residual, transfer, regularisation)

    def _regularisation(self, data: Tensor, condition: Tensor) -> Tensor:
        """Return lambda (B, Ky, Kx) of the last step.

        The gain of each mode is |T|^2 / (|T|^2 + lambda), the best one if the error of x had a
        power 1 / lambda times the noise's. That power is what is predicted, falling with
        frequency, and `LEAST_ERROR` of the galaxy's amplitude on `LARGE_SCALES`.
        """
        level, slope = self.trust(condition)[:, :, None, None].unbind(1)
        squared = self._squared_frequency(data)
        fall = (level + functional.softplus(slope) * squared).clamp(max=LEAST_TRUST)
        least = LEAST_ERROR**2 * torch.exp(-squared / LARGE_SCALES**2)
        return 1 / (torch.exp(-fall) + least / self._noise_to_signal(data))

    def _base(self, data: Tensor, transfer: Tensor) -> Tensor:
        """Return the Wiener deconvolution (B, 1, Y, X) of data in units of their noise."""
        return self.observation.wiener(data, transfer, self._noise_to_signal(data))

    def _noise_to_signal(self, data: Tensor) -> Tensor:
        """Return the power (B, Ky, Kx) of the noise over that of a galaxy of the flux of `data`."""
        pixels = data.shape[-2] * data.shape[-1]
        flux = data.flatten(1).sum(1).clamp_min(2 * math.sqrt(pixels))
        prior = (1 + self._squared_frequency(data) / WIENER_TURNOVER**2) ** WIENER_SLOPE
        return prior * (pixels / flux.square())[:, None, None]

    def _conditions(self, data: Tensor, sigma: Tensor, transfer: Tensor) -> Tensor:
        """Return what is told to every block: PSF, depth and flux, each of order one."""
        rings = transfer_profile(transfer, self._squared_frequency(data).sqrt())
        flux = torch.asinh(data.flatten(1).sum(1) / 100) / 3
        depth = sigma.log10().clamp(*self.depth_range)
        return torch.stack([*rings, depth, flux.clamp(max=self.largest_flux)], 1)

    def _squared_frequency(self, data: Tensor) -> Tensor:
        """Return k^2 in (cycles/arcsec)^2 on the grid of the transfer functions."""
        shape = (data.shape[-2], data.shape[-1])
        ky, kx = self.observation.frequencies(shape, data.device)
        return (ky**2 + kx**2).to(data.dtype)

    def _paste(self, base: Tensor, stretched: Tensor, window: Crop) -> Tensor:
        """Return the base with its window replaced by a stretched image, in flux per pixel."""
        image = unstretch(stretched.clamp(-20, 20)) / self.grid.area_ratio
        return window.paste(image, base, self.grid.fine_block)

    def _fine(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        rows, columns = (n * self.grid.fine_block // self.grid.coarse_block for n in coarse_shape)
        return rows, columns

    def _shuffle(self, image: Tensor) -> Tensor:
        """Bring a fine image (B, C, Y, X) to the coarse grid as (B, n^2 C, y, x)."""
        rows, columns = (
            n * self.grid.coarse_block // self.grid.fine_block * self.subpixels
            for n in image.shape[-2:]
        )
        return functional.pixel_unshuffle(resample(image, (rows, columns)), self.subpixels)

    def _unshuffle(self, features: Tensor) -> Tensor:
        """Bring coarse features (B, n^2 C, y, x) to the fine grid as (B, C, Y, X)."""
        shape = self._fine((features.shape[-2], features.shape[-1]))
        return resample(functional.pixel_shuffle(features, self.subpixels), shape)
