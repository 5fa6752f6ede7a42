"""Galaxies to be recovered whose truth is known: drawn, rendered sharp, observed by a survey."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

import galsim
import numpy as np
import torch
from torch import Tensor

from clumpygan.evaluation.recovery.recovered import Judge
from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.instruments import (
    ObservationOperator,
    SurveyPair,
    galsim_transfer,
    moffat_transfer,
    transfer_ratio,
)

Frequencies = tuple[Tensor, Tensor]


class Psf(Protocol):
    """The PSF through which a batch is seen: its widths, its transfer over the sharp one's."""

    @property
    def fwhm(self) -> Tensor:
        """Widths (B,) in arcsec."""

    def __call__(self, frequencies: Frequencies) -> Tensor:
        """Return the ratio of the transfer functions (B, Ky, Kx) at (ky, kx) in cycles/arcsec."""


@dataclass(frozen=True)
class MoffatSeeing:
    """Round Moffat seeing, one per galaxy, over the PSF that the sharp images have.

    Attributes
    ----------
    fwhm : Tensor, (B,)
        Width of the ground-based PSF, pixel included, in arcsec.
    beta : Tensor, (B,)
        Slope of the Moffat profile.
    sharp : galsim.GSObject
        PSF of the sharp images, pixel included.
    """

    fwhm: Tensor
    beta: Tensor
    sharp: galsim.GSObject

    def __call__(self, frequencies: Frequencies) -> Tensor:
        """Return the ratio of the transfer functions (B, Ky, Kx) at (ky, kx) in cycles/arcsec."""
        blurred = moffat_transfer(self.fwhm, self.beta, frequencies)
        return transfer_ratio(blurred, galsim_transfer(self.sharp, frequencies), frequencies)


@dataclass(frozen=True)
class Observations:
    """A batch of B galaxies, sharp and as a survey observes them.

    Attributes
    ----------
    truth : Tensor, (B, 1, Y, X)
        The image to be recovered, in nJy per target pixel.
    observed : Tensor, (B, 1, y, x)
        The noisy observed image, in nJy per observed pixel.
    sigma : Tensor, (B,)
        The sky noise of `observed`, in nJy per observed pixel.
    psf : Psf
        The PSF of `observed` over that of `truth`.
    magnitude : numpy.ndarray, (B,)
        AB magnitudes, by which the table is divided.
    index : tuple of int
        Numbers of the galaxies in the sample.
    sharp_noisy : Tensor, (B, 1, Y, X) or None
        `truth` with the noise of a real sharp image; None where `truth` is one.
    judges : tuple of Judge
        For each galaxy an image of the truth whose noise isn't that of the observed one; none
        where `truth` has no noise.
    """

    truth: Tensor
    observed: Tensor
    sigma: Tensor
    psf: Psf
    magnitude: np.ndarray
    index: tuple[int, ...]
    sharp_noisy: Tensor | None = None
    judges: tuple[Judge, ...] = ()


class SeenGalaxies(ABC):
    """Galaxies whose sharp images are known, each seen by a survey through (seed, index) alone.

    The truth is noiseless; the observed image has a random Moffat PSF and white noise.

    Parameters
    ----------
    seed : int
        Of the observations.
    pair : SurveyPair, optional
        Of the survey, its depth, range of seeing and range of Moffat slopes are used; of the
        target, its PSF and, for `Observations.sharp_noisy`, its depth. HSC and HST by default.
    device : str, default: "cpu"
        Where the batches are made.
    """

    def __init__(self, *, seed: int, pair: SurveyPair | None = None, device: str = "cpu") -> None:
        pair = pair or SurveyPair.of()
        self.seed, self.survey, self.target = seed, pair.survey, pair.target
        self.device = torch.device(device)
        self.operator = ObservationOperator(grid=pair.grid).to(self.device)
        self._sharp_psf = self.target.psf()

    @abstractmethod
    def sharp(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (B, Y, X), nJy per pixel, and the AB magnitudes (B,)."""

    def batch(self, indices: Sequence[int]) -> Observations:
        """Draw, render and observe the galaxies of the given numbers.

        Parameters
        ----------
        indices : sequence of int
            Numbers of the galaxies; the same number is the same galaxy in every batch.

        Returns
        -------
        Observations
        """
        images, magnitudes = self.sharp(indices)
        truth = torch.from_numpy(np.asarray(images))[:, None]
        draws = [np.random.default_rng([self.seed, crc32(b"observe"), i]) for i in indices]
        psf = MoffatSeeing(
            self._uniform(draws, self.survey.psf_fwhm_range),
            self._uniform(draws, self.survey.moffat_beta_range or ()),
            self._sharp_psf,
        )
        truth = truth.to(self.device)
        sigma = torch.full((len(indices),), self.survey.sky_sigma, device=self.device)
        clean = self.operator(truth, psf(self.operator.frequencies(self._coarse, self.device)))
        return Observations(
            truth=truth,
            observed=clean + self.survey.sky_sigma * self._white(draws, clean),
            sigma=sigma,
            psf=psf,
            magnitude=np.asarray(magnitudes, dtype=np.float64),
            index=tuple(indices),
            sharp_noisy=truth + self.target.sky_sigma * self._white(draws, truth),
        )

    @property
    def _coarse(self) -> tuple[int, int]:
        return self.operator.coarse_shape((self.operator.grid.stamp,) * 2)

    def _uniform(self, draws: list[np.random.Generator], bounds: Sequence[float]) -> Tensor:
        low, high = bounds
        values = [draw.uniform(low, high) for draw in draws]
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def _white(self, draws: list[np.random.Generator], like: Tensor) -> Tensor:
        noise = np.stack([draw.standard_normal(like.shape[1:], dtype=np.float32) for draw in draws])
        return torch.from_numpy(noise).to(like.device)


class SyntheticGalaxies(SeenGalaxies):
    """Held-out galaxies of the synthetic population, each given by (seed, index) alone.

    Parameters are those of `SeenGalaxies`; the seed is that of the population (split "test") too.
    """

    def __init__(self, *, seed: int, pair: SurveyPair | None = None, device: str = "cpu") -> None:
        super().__init__(seed=seed, pair=pair, device=device)
        self._renderer = StampRenderer(
            size=self.operator.grid.stamp,
            pixel_scale=self.operator.grid.target_scale,
            psf=self._sharp_psf,
        )

    def sharp(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (B, Y, X), nJy per pixel, and the AB magnitudes (B,)."""
        table = draw_population(list(indices), seed=self.seed, split="test")
        return self._renderer.render_table(table), np.asarray(table["h_magnitude"])


class GivenGalaxies(SeenGalaxies):
    """Galaxies of given images.

    Parameters
    ----------
    images : numpy.ndarray, (N, Y, X)
        Sharp, nearly noiseless, nJy per pixel of the target.
    magnitudes : numpy.ndarray, (N,)
        AB.
    seed, pair, device
        As of `SeenGalaxies`.
    """

    def __init__(
        self,
        images: np.ndarray,
        magnitudes: np.ndarray,
        *,
        seed: int,
        pair: SurveyPair | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__(seed=seed, pair=pair, device=device)
        self.images, self.magnitudes = images, magnitudes

    def sharp(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (B, Y, X), nJy per pixel, and the AB magnitudes (B,)."""
        chosen = list(indices)
        return np.asarray(self.images[chosen], np.float32), np.asarray(self.magnitudes[chosen])
