"""Noise: its level from a published depth, its correlation, and what an observation makes of it.

Stationary noise is described by its covariance or by its power spectrum. Power is
P(k) = sum over d of C(d) exp(-2 pi i k d), the mean of |FFT|^2 divided by the number of pixels, in
nJy^2: white noise of sigma per pixel has P = sigma^2 at every frequency. Power lives on the grid
of `ObservationOperator.frequencies`.
"""

from dataclasses import dataclass, field
from math import pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError


def sky_sigma(depth_magnitude: float, aperture_radius: float, pixel_scale: float) -> float:
    """Noise per pixel from a 5-sigma depth.

    Parameters
    ----------
    depth_magnitude : float
        AB magnitude that is 5 sigma of the sky in the aperture.
    aperture_radius : float
        arcsec.
    pixel_scale : float
        arcsec per pixel.

    Returns
    -------
    float
        sigma = f(m) / 5 / sqrt(pi r^2 / p^2) in nJy per pixel, for uncorrelated pixels.

    Raises
    ------
    InputError
        If the radius or the pixel scale isn't positive.
    """
    flux = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - depth_magnitude))
    return float(flux / 5 / _aperture_pixels(aperture_radius, pixel_scale) ** 0.5)


@dataclass(frozen=True)
class NoiseModel:
    """Stationary Gaussian noise of an image.

    Attributes
    ----------
    sigma : float
        Standard deviation of a pixel, nJy.
    pixel_scale : float
        arcsec per pixel.
    correlation : numpy.ndarray
        Correlation coefficients at lags in pixels, shape (2 n + 1, 2 m + 1), 1 in the middle;
        a single 1 (white) by default.
    """

    sigma: float
    pixel_scale: float
    correlation: NDArray[np.float64] = field(default_factory=lambda: np.ones((1, 1)))

    def __post_init__(self) -> None:
        shape = self.correlation.shape
        if len(shape) != 2 or shape[0] % 2 == 0 or shape[1] % 2 == 0:
            raise InputError(f"noise correlation of shape {shape}, expected 2-D with odd sides")
        centre = float(self.correlation[shape[0] // 2, shape[1] // 2])
        if abs(centre - 1) > 1e-6:
            raise InputError(f"noise correlation of {centre:g} at lag 0, expected 1")
        if not (self.sigma >= 0 and self.pixel_scale > 0):
            raise InputError(
                f"noise sigma {self.sigma} and pixel scale {self.pixel_scale}: expected nJy >= 0 "
                "and arcsec > 0"
            )

    @property
    def white_sigma(self) -> float:
        """Sigma per pixel of the white noise that is as strong in large apertures, nJy."""
        return float(self.sigma * max(float(self.correlation.sum()), 0.0) ** 0.5)

    def power(self, frequencies: tuple[Tensor, Tensor]) -> Tensor:
        """Power spectrum at any frequencies.

        Parameters
        ----------
        frequencies : tuple of torch.Tensor
            (ky, kx), shapes (Ky, 1) and (1, Kx), cycles per arcsec.

        Returns
        -------
        torch.Tensor
            Shape (Ky, Kx), float32, nJy^2, not negative, on the device of the frequencies.
        """
        ky, kx = (k.double() for k in frequencies)
        table = torch.from_numpy(np.ascontiguousarray(self.correlation)).to(ky.device)
        lags = [torch.arange(n, device=ky.device) - n // 2 for n in table.shape]
        phase = [2j * pi * self.pixel_scale * lag for lag in lags]
        rows = torch.exp(-ky * phase[0][None, :])
        columns = torch.exp(-phase[1][:, None] * kx)
        power = (rows @ table.to(rows.dtype) @ columns).real
        return (self.sigma**2 * power).clamp_min(0).float()

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw noise on the model's own pixels.

        Parameters
        ----------
        shape : tuple of int
            (..., y, x).
        generator : torch.Generator
            Source of randomness; its device is the device of the result.

        Returns
        -------
        torch.Tensor
            Shape `shape`, float32, nJy per pixel.
        """
        padded = [n + c for n, c in zip(shape[-2:], self.correlation.shape, strict=True)]
        ky = torch.fft.fftfreq(padded[0], self.pixel_scale, device=generator.device)
        kx = torch.fft.rfftfreq(padded[1], self.pixel_scale, device=generator.device)
        power = self.power((ky[:, None], kx[None, :]))
        return _filtered(power, shape, padded[1], generator)


def noise_at_depth(
    depth_magnitude: float,
    aperture_radius: float,
    pixel_scale: float,
    correlation: NDArray[np.float64] | None = None,
) -> NoiseModel:
    """Noise of a survey from its 5-sigma depth in an aperture and the correlation of its pixels.

    Parameters
    ----------
    depth_magnitude, aperture_radius, pixel_scale : float
        As in `sky_sigma`.
    correlation : numpy.ndarray, optional
        As in `NoiseModel`; white by default.

    Returns
    -------
    NoiseModel
        The flux in the aperture has a standard deviation of a fifth of the depth. Without
        correlation this is `sky_sigma`.

    Raises
    ------
    InputError
        As `sky_sigma` and `NoiseModel`.
    """
    white = sky_sigma(depth_magnitude, aperture_radius, pixel_scale)
    if correlation is None:
        return NoiseModel(white, pixel_scale)
    unit = NoiseModel(1.0, pixel_scale, correlation)
    side = 2 * int(2 * aperture_radius / pixel_scale + max(correlation.shape)) + 2
    ky = torch.fft.fftfreq(side, pixel_scale, dtype=torch.float64)
    kx = torch.fft.rfftfreq(side, pixel_scale, dtype=torch.float64)
    power = unit.power((ky[:, None], kx[None, :]))
    excess = _aperture_mean_power(power, aperture_radius, pixel_scale)
    return NoiseModel(white / excess**0.5, pixel_scale, correlation)


def carried_noise_power(fine_power: Tensor, transfer: Tensor, area_ratio: float) -> Tensor:
    """Return the power of the noise that a sharp stamp carries through the operator.

    Parameters
    ----------
    fine_power : torch.Tensor
        Shape (Ky, Kx) or (B, Ky, Kx): power of the stamp's noise (`NoiseModel.power`), nJy^2 per
        target pixel.
    transfer : torch.Tensor
        As in `ObservationOperator.forward`.
    area_ratio : float
        Target pixels in the area of an observed one, `GridPair.area_ratio`.

    Returns
    -------
    torch.Tensor
        ``area_ratio |T|^2 P`` in nJy^2 per observed pixel, which holds so many independent pixels.
    """
    return area_ratio * transfer.abs() ** 2 * fine_power


def missing_noise_power(target_power: Tensor, carried_power: Tensor) -> Tensor:
    """Power of the noise still to be added, so that noise already there isn't added twice.

    Parameters
    ----------
    target_power, carried_power : torch.Tensor
        Power of the survey to be imitated and of the noise already carried, nJy^2.

    Returns
    -------
    torch.Tensor
        max(target - carried, 0): where more is carried than wanted nothing can be done, and
        `effective_depth` of carried + missing says what it costs.
    """
    return (target_power - carried_power).clamp_min(0)


def shared_noise_power(
    sigma: Tensor, excess: Tensor, frequencies: tuple[Tensor, Tensor], pixel_scale: float
) -> Tensor:
    """Return the power of noise that direct neighbours share, as warped coadds have it.

    Warping makes of white noise that of a drizzled mosaic (`drizzled_correlation` of drops smaller
    than a pixel): along each axis direct neighbours have the correlation (e - 1) / 2, and no others
    any. With e the excess of noise in apertures,

    P(k) = (sigma / e)^2 (1 + (e - 1) cos 2 pi ky p) (1 + (e - 1) cos 2 pi kx p).

    Parameters
    ----------
    sigma : torch.Tensor
        Shape (B,): noise per pixel of the white noise that is as strong in apertures, nJy. A pixel
        scatters by sigma / e.
    excess : torch.Tensor
        Shape (B,), e: 1 for white noise, to 1.5 where drops are as large as pixels.
    frequencies : tuple of torch.Tensor
        (ky, kx), shapes (Ky, 1) and (1, Kx), cycles per arcsec.
    pixel_scale : float
        p, arcsec.

    Returns
    -------
    torch.Tensor
        Shape (B, Ky, Kx), float32, nJy^2.
    """
    share = (excess - 1)[:, None, None]
    rows, columns = (1 + share * torch.cos(2 * pi * k * pixel_scale) for k in frequencies)
    return ((sigma / excess).square()[:, None, None] * rows * columns).float()


def draw_noise(power: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw noise of a given power spectrum.

    Parameters
    ----------
    power : torch.Tensor
        Shape (Ky, Kx) or (B, Ky, Kx), nJy^2, on `ObservationOperator.frequencies` of a stamp of
        the wanted shape.
    shape : tuple of int
        (..., y, x), or (B, C, y, x) with a power spectrum per image.
    generator : torch.Generator
        Source of randomness; its device must be that of `power`.

    Returns
    -------
    torch.Tensor
        Shape `shape`, dtype of `power`, nJy per pixel.
    """
    # The margin is even in total, so the padded width is as odd as the stamp's.
    width = 2 * (power.shape[-1] - 1) + shape[-1] % 2
    return _filtered(power.unsqueeze(1) if power.ndim == 3 else power, shape, width, generator)


def effective_depth(total_power: Tensor, pixel_scale: float, aperture_radius: float = 1.0) -> float:
    """Return the 5-sigma depth in a circular aperture, from the covariance of the pixels.

    Parameters
    ----------
    total_power : torch.Tensor
        Shape (Ky, Kx), nJy^2, on a padded grid of `pixel_scale`.
    pixel_scale : float
        arcsec per pixel.
    aperture_radius : float
        arcsec.

    Returns
    -------
    float
        AB magnitude; for white noise the inverse of `sky_sigma`.

    Raises
    ------
    InputError
        If the radius or the pixel scale isn't positive.
    """
    mean = _aperture_mean_power(total_power, aperture_radius, pixel_scale)
    sigma = (mean * _aperture_pixels(aperture_radius, pixel_scale)) ** 0.5
    return float(NANOJANSKY_ZERO_POINT - 2.5 * np.log10(5 * sigma))


def _aperture_pixels(radius: float, pixel_scale: float) -> float:
    if not (radius > 0 and pixel_scale > 0):
        raise InputError(
            f"aperture radius {radius} and pixel scale {pixel_scale}: expected arcsec > 0"
        )
    return float(pi * radius**2 / pixel_scale**2)


def _aperture_mean_power(power: Tensor, radius: float, pixel_scale: float) -> float:
    """Variance of the flux in an aperture, divided by its number of pixels."""
    rows, columns = power.shape
    width = rows if columns == rows // 2 + 1 else 2 * (columns - 1)
    y, x = (np.arange(n) - (n - 1) / 2 for n in (rows, width))
    inside = np.hypot(y[:, None], x[None, :]) * pixel_scale
    # Pixels on the rim count in part, as wide as the rim runs through them.
    aperture = np.clip((radius - inside) / pixel_scale + 0.5, 0, 1)
    window = np.abs(np.fft.rfft2(aperture)) ** 2
    twice = np.where((np.arange(columns) == 0) | (2 * np.arange(columns) == width), 1.0, 2.0)
    weight = window * twice
    return float((power.double().cpu().numpy() * weight).sum() / weight.sum())


def _filtered(
    power: Tensor, shape: tuple[int, ...], width: int, generator: torch.Generator
) -> Tensor:
    rows = power.shape[-2]
    white = torch.randn(
        (*shape[:-2], rows, width), generator=generator, dtype=power.dtype, device=power.device
    )
    noise: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * power.sqrt(), s=(rows, width))
    return noise[..., : shape[-2], : shape[-1]]
