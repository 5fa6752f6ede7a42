"""Point spread functions: measured arrays, GalSim objects and their transfer functions.

A PSF is effective here: it contains the pixel response of its own instrument, as measured ones
do. A transfer function is the Fourier transform of a PSF of unit flux, 1 at frequency 0;
frequencies are in cycles per arcsec.
"""

import warnings
from functools import lru_cache
from math import pi

import galsim
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.fft import next_fast_len
from scipy.special import j0
from torch import Tensor
from torch.nn import functional

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments.observe import transfer_ratio

_SUM_TOLERANCE = 0.01
_CENTRE_TOLERANCE = 0.1

LEAST_PASSED = 0.01
"""Transfer of a PSF at which `within_band` leaves half. Of 140 synthetic galaxies the best factors
of the modes of recovered images, at transfers of 0.028, 0.013, 0.005 and 0.0016, are 1.0 to 1.2,
0.6 to 0.8, 0.15 to 0.3 and 0 to 0.07, by magnitude; this makes 0.89, 0.64, 0.22 and 0.02."""

_EDGE = 16
"""Pixels that are mirrored beyond each edge, so that filters don't carry one edge to the other."""

_AT_ONCE = 16  # images, which fit into caches: a third of the time of a hundred


def normalise_psf(array: ArrayLike, *, name: str = "PSF") -> NDArray[np.float64]:
    """Give a PSF image unit sum and put its centroid on the middle of the array.

    The centroid is taken in a Gaussian window that follows it (as SExtractor's XWIN_IMAGE), so
    that noise in the wings doesn't drag it; the image is moved by a Fourier shift.

    Parameters
    ----------
    array : array_like
        Shape (y, x), any unit.
    name : str
        What messages call it, for example its file name.

    Returns
    -------
    numpy.ndarray
        Shape (y, x), float64, sum 1, centroid at ((y - 1) / 2, (x - 1) / 2).

    Raises
    ------
    InputError
        If the array isn't two-dimensional, has values that aren't finite, or no positive sum.

    Warns
    -----
    InputWarning
        If the sum was off by more than 1 % or the centroid by more than 0.1 pixel.
    """
    psf = np.asarray(array, dtype=np.float64)
    if psf.ndim != 2 or min(psf.shape) < 3:
        raise InputError(
            f"{name} has shape {psf.shape}, expected a 2-D image of at least 3x3 pixels: "
            "give a file or plane with one PSF"
        )
    if not np.isfinite(psf).all():
        raise InputError(f"{name} has values that aren't finite: expected a PSF without NaN")
    total = float(psf.sum())
    if total <= 0:
        raise InputError(f"{name} sums to {total:.3g}, expected a positive sum: is it a PSF?")
    psf = psf / total
    dy, dx = _windowed_offset(psf, name)
    complaints = []
    if abs(total - 1) > _SUM_TOLERANCE:
        complaints.append(f"sums to {total:.4g} instead of 1")
    if np.hypot(dy, dx) > _CENTRE_TOLERANCE:
        complaints.append(f"is off-centre by ({dx:+.2f}, {dy:+.2f}) pixels in (x, y)")
    if complaints:
        warnings.warn(
            f"{name} {' and '.join(complaints)}: normalised and centred",
            InputWarning,
            stacklevel=2,
        )
    return psf if np.hypot(dy, dx) < 1e-4 else _shifted(psf, -dy, -dx)


def pixel_psf(array: ArrayLike, pixel_scale: float, *, name: str = "PSF") -> galsim.GSObject:
    """Make a GalSim object of a measured PSF.

    Parameters
    ----------
    array : array_like
        Shape (y, x); normalised and centred by `normalise_psf`.
    pixel_scale : float
        arcsec per pixel.
    name : str
        What messages call it.

    Returns
    -------
    galsim.InterpolatedImage
        Of unit flux, interpolated with the quintic kernel (Bernstein & Gruen 2014).

    Raises
    ------
    InputError
        If the array is no PSF or the pixel scale isn't positive.
    """
    if not pixel_scale > 0:
        raise InputError(f"the pixel scale of {name} is {pixel_scale}, expected arcsec > 0")
    image = galsim.Image(normalise_psf(array, name=name), scale=float(pixel_scale))
    return galsim.InterpolatedImage(image, x_interpolant="quintic", flux=1.0)


@lru_cache(maxsize=32)
def fwhm_of(psf: galsim.GSObject) -> float:
    """Full width at half maximum of a PSF, azimuthally averaged; of the last ones it is kept.

    The profile is the Hankel transform of the transfer function, so that pixels and noise in the
    wings don't matter.

    Parameters
    ----------
    psf : galsim.GSObject
        Taken as it is: the pixel response is part of it.

    Returns
    -------
    float
        arcsec, to about 0.2 %.

    Raises
    ------
    InputError
        If the profile never falls to half of its centre.
    """
    guess = 0.44 / _half_frequency(psf)
    # Copies of the PSF, 12 FWHM away, are the price of a finite step in frequency.
    step, highest = 1 / (12 * guess), psf.maxk / (2 * pi)
    half = min(int(highest / step) + 1, 400)
    grid = galsim.Image(galsim.BoundsI(-half, half, -half, half), dtype=complex)
    values = psf.drawKImage(grid, scale=2 * pi * step).array.real
    frequency = step * np.hypot(*(np.indices(values.shape) - half))
    radius = np.linspace(0, 2 * guess, 161)
    profile: list[float] = []
    for r in radius:
        profile.append(float((values * j0(2 * pi * frequency * r)).sum()))
        if profile[-1] < profile[0] / 2:
            break
    last = len(profile) - 1
    if profile[0] <= 0 or profile[last] >= profile[0] / 2:
        raise InputError("the PSF has no half maximum around its centre: is it a PSF?")
    part = (profile[last - 1] - profile[0] / 2) / (profile[last - 1] - profile[last])
    return float(2 * (radius[last - 1] + part * (radius[last] - radius[last - 1])))


def _half_frequency(psf: galsim.GSObject) -> float:
    """Frequency, cycles per arcsec, at which the transfer function first falls to one half."""
    for k in psf.maxk * np.geomspace(1e-3, 1, 100):
        if abs(psf.kValue(float(k), 0.0)) < 0.5 * psf.flux:
            return float(k / (2 * pi))
    raise InputError("the transfer function of the PSF doesn't fall to one half: is it a PSF?")


def galsim_transfer(psf: galsim.GSObject, frequencies: tuple[Tensor, Tensor]) -> Tensor:
    """Transfer function of any GalSim object.

    Parameters
    ----------
    psf : galsim.GSObject
        Centred; its flux is divided out.
    frequencies : tuple of torch.Tensor
        (ky, kx) of `ObservationOperator.frequencies`: uniform grids in FFT order.

    Returns
    -------
    torch.Tensor
        Shape (Ky, Kx), complex64, on the device of the frequencies.
    """
    ky, kx = (k.flatten().cpu().double().numpy() for k in frequencies)
    step_y, step_x = float(ky[1] - ky[0]), float(kx[1] - kx[0])
    # drawKImage knows square cells only: a profile stretched along x has its cells stretched back.
    stretch = step_x / step_y
    square = psf.transform(stretch, 0, 0, 1) / (stretch * psf.flux)
    half = len(ky) // 2 + 1
    bounds = galsim.BoundsI(-len(kx), len(kx), -half, half)
    grid = galsim.Image(bounds, dtype=complex)
    values = square.drawKImage(grid, scale=2 * pi * step_y).array
    rows = np.rint(ky / step_y).astype(int) + half
    columns = np.rint(kx / step_x).astype(int) + len(kx)
    transfer = torch.from_numpy(values[np.ix_(rows, columns)].astype(np.complex64))
    return transfer.to(frequencies[0].device)


def radial_transfer(psf: galsim.GSObject, frequencies: ArrayLike) -> NDArray[np.float64]:
    """Return the transfer function of a PSF, averaged over position angles.

    Parameters
    ----------
    psf : galsim.GSObject
        Centred; its flux is divided out.
    frequencies : array_like
        Cycles per arcsec.
    """
    k = 2 * pi * np.asarray(frequencies, dtype=np.float64)
    angles = pi * np.arange(8) / 8
    values = [
        [psf.kValue(one * np.cos(angle), one * np.sin(angle)).real for angle in angles] for one in k
    ]
    return np.asarray(np.mean(values, axis=1) / psf.flux)


def within_band(images: Tensor, psf: galsim.GSObject, pixel_scale: float) -> Tensor:
    """Take out of images what is finer than their PSF lets through.

    Each mode is multiplied by T^2 / (T^2 + 0.01^2), with T the transfer function of the PSF: the
    Wiener filter where errors are that part of the light of a point in all modes.

    Parameters
    ----------
    images : Tensor (..., Y, X)
        More than 16 pixels on each side.
    psf : galsim.GSObject
        Round, or nearly so: its transfer function is averaged over position angles.
    pixel_scale : float
        Arcsec per pixel.

    Returns
    -------
    Tensor (..., Y, X)
        Of the same dtype, on the same device. Flux is kept, but for that near the edges.
    """
    rows, columns = images.shape[-2:]
    # Mirrored to a size that is quick to transform.
    below, right = (next_fast_len(n + 2 * _EDGE, real=True) - n - _EDGE for n in (rows, columns))
    shape = (rows + _EDGE + below, columns + _EDGE + right)
    passed = _passed(psf, shape, pixel_scale).to(images)
    kept = []
    for some in torch.split(images.reshape(-1, 1, rows, columns), _AT_ONCE):
        wide = functional.pad(some, (_EDGE, right, _EDGE, below), mode="reflect")
        filtered = torch.fft.irfft2(torch.fft.rfft2(wide) * passed, s=shape)
        kept.append(filtered[..., _EDGE : _EDGE + rows, _EDGE : _EDGE + columns])
    return torch.cat(kept).reshape(images.shape)


@lru_cache(maxsize=16)
def _passed(psf: galsim.GSObject, shape: tuple[int, int], pixel_scale: float) -> Tensor:
    """Return the factors of `within_band`, (Y, X / 2 + 1), float32."""
    ky, kx = np.fft.fftfreq(shape[0], pixel_scale), np.fft.rfftfreq(shape[1], pixel_scale)
    radii = np.hypot(ky[:, None], kx)
    grid = np.linspace(0, radii.max(), 512)
    transfer = np.interp(radii, grid, radial_transfer(psf, grid)) ** 2
    return torch.from_numpy((transfer / (transfer + LEAST_PASSED**2)).astype(np.float32))


def matching_transfer(
    wide: galsim.GSObject, narrow: galsim.GSObject, frequencies: tuple[Tensor, Tensor]
) -> Tensor:
    """Return the transfer function that turns images of a narrow PSF into those of a wide one.

    Parameters
    ----------
    wide, narrow : galsim.GSObject
        Effective PSFs of the observed and of the target image, of HSC and of HST.
    frequencies : tuple of torch.Tensor
        (ky, kx) of `ObservationOperator.frequencies`.

    Returns
    -------
    torch.Tensor
        Shape (Ky, Kx), complex64: what `ObservationOperator` takes.

    Raises
    ------
    InputError
        If the PSF of the observed image is the sharper one; the message gives both FWHM.
    """
    widths = fwhm_of(wide), fwhm_of(narrow)
    if widths[0] <= widths[1]:
        raise InputError(
            f'the PSF of the observed image (FWHM {widths[0]:.3f}") is sharper than that of the '
            f'target (FWHM {widths[1]:.3f}"): check the two PSFs, their order and pixel scales'
        )
    return transfer_ratio(
        galsim_transfer(wide, frequencies), galsim_transfer(narrow, frequencies), frequencies
    )


def _windowed_offset(psf: NDArray[np.float64], name: str) -> tuple[float, float]:
    """Centroid (y, x) minus the middle of the array, in pixels."""
    y, x = np.indices(psf.shape, dtype=float)
    smooth = psf + sum(np.roll(psf, s, a) for s in (-1, 1) for a in (0, 1)) / 2
    cy, cx = (float(i) for i in np.unravel_index(int(smooth.argmax()), psf.shape))
    # The window is as wide as the disk that holds the pixels above half maximum.
    width = max(1.0, 2 * float(np.sqrt((smooth > smooth.max() / 2).sum() / pi)) / 1.18)
    for _ in range(100):
        window = psf * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        total = window.sum()
        if total <= 0:
            raise InputError(f"{name} has no peak that could be centred: is it a PSF?")
        # The factor 2 undoes the pull of the window towards its own centre (Bertin & Arnouts).
        step_y = 2 * float((window * (y - cy)).sum() / total)
        step_x = 2 * float((window * (x - cx)).sum() / total)
        cy, cx = cy + step_y, cx + step_x
        if np.hypot(step_y, step_x) < 1e-6:
            break
    return cy - (psf.shape[0] - 1) / 2, cx - (psf.shape[1] - 1) / 2


def _shifted(psf: NDArray[np.float64], dy: float, dx: float) -> NDArray[np.float64]:
    """Image moved by (dy, dx) pixels by a Fourier shift, in an array padded against wrapping."""
    shape = tuple(2 * n + 1 for n in psf.shape)
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    modes = np.fft.rfft2(psf, shape) * np.exp(-2j * pi * (ky * dy + kx * dx))
    moved = np.fft.irfft2(modes, shape)[: psf.shape[0], : psf.shape[1]]
    result: NDArray[np.float64] = moved / moved.sum()
    return result
