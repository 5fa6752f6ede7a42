"""Galaxies to be recovered whose truth is known: drawn, rendered as HST, observed as HSC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

import galsim
import numpy as np
import torch
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ImagingInstrument,
    ObservationOperator,
    galsim_transfer,
    moffat_transfer,
    transfer_ratio,
)

STAMP_SIZE = 112
"""Side of a synthetic stamp in HST pixels: 6.72 arcsec, or 40 HSC pixels."""

Frequencies = tuple[Tensor, Tensor]


class Psf(Protocol):
    """The PSF through which a batch is seen: its widths and its transfer over that of HST."""

    fwhm: Tensor

    def __call__(self, frequencies: Frequencies) -> Tensor:
        """Return HSC's over HST's transfer function (B, Ky, Kx) at (ky, kx) in cycles/arcsec."""


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
        return transfer_ratio(blurred, galsim_transfer(self.sharp, frequencies))


@dataclass(frozen=True)
class Observations:
    """A batch of B galaxies as HST and as HSC see them.

    Attributes
    ----------
    truth : Tensor, (B, 1, Y, X)
        The image to be recovered, in nJy per HST pixel.
    observed : Tensor, (B, 1, y, x)
        The noisy HSC image, in nJy per HSC pixel.
    sigma : Tensor, (B,)
        The sky noise of `observed`, in nJy per HSC pixel.
    psf : Psf
        The HSC PSF over that of `truth`.
    magnitude : numpy.ndarray, (B,)
        AB magnitudes, by which the table is divided.
    index : tuple of int
        Numbers of the galaxies in the sample.
    sharp_noisy : Tensor, (B, 1, Y, X) or None
        `truth` with the noise of a real HST image; None where `truth` is one.
    """

    truth: Tensor
    observed: Tensor
    sigma: Tensor
    psf: Psf
    magnitude: np.ndarray
    index: tuple[int, ...]
    sharp_noisy: Tensor | None = None


class SyntheticGalaxies:
    """Held-out galaxies of the synthetic population, each given by (seed, index) alone.

    The truth is noiseless; the HSC image has a random Moffat PSF and white noise.

    Parameters
    ----------
    seed : int
        Of the population (split "test") and of the observations.
    target : ImagingInstrument, default: HSC_WIDE_I
        Its depth, range of seeing and range of Moffat slopes are used.
    source : ImagingInstrument, default: HST_WFC3_F160W
        Its PSF and, for `Observations.sharp_noisy`, its depth are used.
    device : str, default: "cpu"
        Where the batches are made.

    Raises
    ------
    InputError
        If `source` hasn't the pixel scale of HST, or `target` not that of HSC.
    """

    def __init__(
        self,
        *,
        seed: int,
        target: ImagingInstrument = HSC_WIDE_I,
        source: ImagingInstrument = HST_WFC3_F160W,
        device: str = "cpu",
    ) -> None:
        ratio = target.pixel_scale / source.pixel_scale
        if not np.isclose(ratio, 14 / 5):
            raise InputError(
                f"{target.name} pixels are {ratio:.3g} times as wide as those of {source.name}, "
                "not 2.8 times: choose an hsc_wide_* instrument"
            )
        self.seed, self.target, self.source = seed, target, source
        self.device = torch.device(device)
        self.operator = ObservationOperator().to(self.device)
        self._sharp_psf = source.psf()
        self._renderer = StampRenderer(
            size=STAMP_SIZE, pixel_scale=source.pixel_scale, psf=self._sharp_psf
        )

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
        table = draw_population(list(indices), seed=self.seed, split="test")
        truth = torch.from_numpy(np.asarray(self._renderer.render_table(table)))[:, None]
        draws = [np.random.default_rng([self.seed, crc32(b"observe"), i]) for i in indices]
        psf = MoffatSeeing(
            self._uniform(draws, self.target.psf_fwhm_range),
            self._uniform(draws, self.target.moffat_beta_range),
            self._sharp_psf,
        )
        truth = truth.to(self.device)
        sigma = torch.full((len(indices),), self.target.sky_sigma, device=self.device)
        clean = self.operator(truth, psf(self.operator.frequencies(self._coarse, self.device)))
        return Observations(
            truth=truth,
            observed=clean + self.target.sky_sigma * self._white(draws, clean),
            sigma=sigma,
            psf=psf,
            magnitude=np.asarray(table["h_magnitude"], dtype=np.float64),
            index=tuple(indices),
            sharp_noisy=truth + self.source.sky_sigma * self._white(draws, truth),
        )

    @property
    def _coarse(self) -> tuple[int, int]:
        return (STAMP_SIZE * 5 // 14,) * 2

    def _uniform(self, draws: list[np.random.Generator], bounds: Sequence[float]) -> Tensor:
        values = [draw.uniform(*bounds) for draw in draws]
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def _white(self, draws: list[np.random.Generator], like: Tensor) -> Tensor:
        noise = np.stack([draw.standard_normal(like.shape[1:], dtype=np.float32) for draw in draws])
        return torch.from_numpy(noise).to(like.device)
