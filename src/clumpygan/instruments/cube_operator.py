"""Observe a noiseless cube: its PSF and its line spread, by linear, differentiable operations."""

from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.instruments.line_spread import normalise_lsf
from clumpygan.instruments.spread import Transfer

_SMALLEST_MARGIN = 32
_REACH = 8.0
_NARROWEST = 1e-3

Edge = Literal["zero", "nearest"]


@overload
def convolve_cube(
    cube: Tensor,
    transfer: Transfer | None,
    pixel_scale: float,
    *,
    line_spread: ArrayLike | None = None,
    lsf: ArrayLike | None = None,
    edge: Edge = "zero",
    pixel_response: bool = False,
    channel_response: bool = False,
    margin: int | None = None,
) -> Tensor: ...
@overload
def convolve_cube(
    cube: NDArray[np.floating],
    transfer: Transfer | None,
    pixel_scale: float,
    *,
    line_spread: ArrayLike | None = None,
    lsf: ArrayLike | None = None,
    edge: Edge = "zero",
    pixel_response: bool = False,
    channel_response: bool = False,
    margin: int | None = None,
) -> NDArray[np.floating]: ...
def convolve_cube(
    cube: Tensor | NDArray[np.floating],
    transfer: Transfer | None,
    pixel_scale: float,
    *,
    line_spread: ArrayLike | None = None,
    lsf: ArrayLike | None = None,
    edge: Edge = "zero",
    pixel_response: bool = False,
    channel_response: bool = False,
    margin: int | None = None,
) -> Tensor | NDArray[np.floating]:
    """Convolve the channels of a cube with a PSF and its spectra with a line spread function.

    The cube is taken as well sampled: its own pixels and channels hold all there is. (A renderer
    convolves before it samples, and is exact for sharper models.)

    Parameters
    ----------
    cube : torch.Tensor or numpy.ndarray
        Shape (..., v, y, x).
    transfer : callable, optional
        Transfer function of the PSF, as `Spectrograph.transfer` gives it: frequencies (ky, kx) in
        cycles per arcsec to (Ky, Kx), or (v, Ky, Kx) for a PSF of its own in every channel.
    pixel_scale : float
        arcsec.
    line_spread : array_like, optional
        Standard deviation of a Gaussian LSF in channels: one number, or (v,) at each channel.
    lsf : array_like, optional
        Shape (odd,): any other LSF, sampled in channels; given unit sum.
    edge : {"zero", "nearest"}
        What lies beyond the first and last channel: nothing, as for a line inside the cube, or
        the same as in that channel, as for a continuum.
    pixel_response, channel_response : bool
        Integrate over pixels and channels besides: for cubes that hold values at the centres of
        their voxels, where PSF or LSF don't contain these responses. The latter with
        `line_spread` only.
    margin : int, optional
        Pixels of padding with zeros on one side of each spatial axis, which keep light from
        coming back at the opposite edge; as many as the longer side has, at least 32, by default.

    Returns
    -------
    torch.Tensor or numpy.ndarray
        Like `cube`: type, shape, dtype and device; float64 for integers.

    Raises
    ------
    InputError
        If the cube has fewer than three dimensions, or the PSF or LSF doesn't fit it.
    """
    if not isinstance(cube, Tensor):
        # A copy in native byte order: FITS data are big-endian and often read-only.
        kind = np.float32 if np.asarray(cube).dtype.itemsize <= 4 else np.float64
        given = torch.from_numpy(np.array(cube, dtype=kind))
    else:
        given = cube
    if given.ndim < 3:
        raise InputError(f"a cube of shape {tuple(given.shape)}: expected (..., v, y, x)")
    if line_spread is not None and lsf is not None:
        raise InputError("both a line spread and an LSF: expected one of them")
    result = given if given.dtype == torch.float64 else given.float()
    if transfer is not None or pixel_response:
        result = _blurred(result, transfer, pixel_scale, pixel_response, margin)
    channels = given.shape[-3]
    if line_spread is not None:
        weights = gaussian_weights(line_spread, channels, edge=edge, integrate=channel_response)
        result = _spread(result, weights)
    elif lsf is not None:
        result = _spread(result, sampled_weights(lsf, channels, edge=edge))
    return result.to(given.dtype) if isinstance(cube, Tensor) else result.numpy()


def gaussian_weights(
    sigma: ArrayLike, channels: int, *, edge: Edge = "zero", integrate: bool = False
) -> NDArray[np.float64]:
    """Matrix that spreads the flux of each channel like a Gaussian.

    Parameters
    ----------
    sigma : array_like
        Standard deviation in channels: one number, or (v,) for the flux of each channel.
    channels : int
        v.
    edge : {"zero", "nearest"}
        As in `convolve_cube`.
    integrate : bool
        Integrals of the Gaussian over channels, by the error function, instead of its values at
        their centres (which the response of the channels is then part of).

    Returns
    -------
    numpy.ndarray
        Shape (v to, v from): flux is kept but for what leaves the cube.

    Raises
    ------
    InputError
        If sigma is negative, not finite, or of another length than the spectrum.
    """
    width = np.asarray(sigma, dtype=np.float64)
    if width.ndim > 1 or (width.ndim == 1 and len(width) != channels):
        raise InputError(
            f"line_spread of shape {width.shape} for {channels} channels: expected one number or "
            f"({channels},)"
        )
    if not (np.isfinite(width).all() and (width >= 0).all()):
        raise InputError("line_spread: expected finite numbers of channels, none below 0")
    beyond = int(np.ceil(_REACH * width.max())) + 1
    scale = np.maximum(np.pad(np.broadcast_to(width, channels), beyond, mode="edge"), _NARROWEST)
    offset = _offsets(channels, beyond)
    if integrate:
        unit = 2**0.5 * scale
        weights = 0.5 * (erf((offset + 0.5) / unit) - erf((offset - 0.5) / unit))
    else:
        around = np.arange(-beyond, beyond + 1)[:, None]
        weights = np.exp(-0.5 * (offset / scale) ** 2)
        weights = weights / np.exp(-0.5 * (around / scale) ** 2).sum(axis=0)
    return _folded(weights, beyond, edge)


def sampled_weights(lsf: ArrayLike, channels: int, *, edge: Edge = "zero") -> NDArray[np.float64]:
    """Matrix that spreads the flux of each channel like a sampled LSF.

    Parameters
    ----------
    lsf : array_like
        Shape (odd,): samples in channels, the line in the middle; given unit sum.
    channels : int
        v.
    edge : {"zero", "nearest"}
        As in `convolve_cube`.

    Returns
    -------
    numpy.ndarray
        Shape (v to, v from).

    Raises
    ------
    InputError
        If it is no LSF, or has an even number of samples.
    """
    samples = normalise_lsf(lsf)
    half = len(samples) // 2
    if len(samples) % 2 == 0:
        raise InputError(
            f"LSF of {len(samples)} samples: expected an odd number, with the line in the middle"
        )
    place = np.clip(_offsets(channels, half) + half + 1, 0, 2 * half + 2).astype(int)
    return _folded(np.pad(samples, 1)[place], half, edge)


def _offsets(channels: int, beyond: int) -> NDArray[np.float64]:
    """Channels to each channel (rows) from each, and from those beyond both ends (columns)."""
    source = np.arange(-beyond, channels + beyond, dtype=np.float64)
    return np.asarray(np.arange(channels)[:, None] - source)


def _folded(weights: NDArray[np.float64], beyond: int, edge: Edge) -> NDArray[np.float64]:
    """Weights with what comes from beyond the ends left out, or put on the first and the last."""
    channels = weights.shape[0]
    inner = weights[:, beyond : beyond + channels].copy()
    if edge == "nearest":
        inner[:, 0] += weights[:, :beyond].sum(axis=1)
        inner[:, -1] += weights[:, beyond + channels :].sum(axis=1)
    return inner


def _spread(cube: Tensor, weights: NDArray[np.float64]) -> Tensor:
    matrix = torch.from_numpy(weights).to(cube)
    return (matrix @ cube.flatten(-2)).view(cube.shape)


def _blurred(
    cube: Tensor,
    transfer: Transfer | None,
    pixel_scale: float,
    pixel_response: bool,
    margin: int | None,
) -> Tensor:
    if not 0 < pixel_scale < np.inf:
        raise InputError(f"the pixel scale of the cube is {pixel_scale}, expected arcsec > 0")
    height, width = cube.shape[-2:]
    if margin is None:
        margin = max(height, width, _SMALLEST_MARGIN)
    padded = (height + margin, width + margin)
    ky = np.fft.fftfreq(padded[0], pixel_scale)[:, None]
    kx = np.fft.rfftfreq(padded[1], pixel_scale)[None, :]
    response = np.array(transfer(ky, kx)) if transfer is not None else np.ones((1, 1))
    grid, channels = (len(ky), kx.shape[1]), cube.shape[-3]
    if transfer is not None and response.shape not in (grid, (channels, *grid)):
        raise InputError(
            f"the transfer function of the PSF has shape {response.shape} on frequencies {grid}: "
            f"expected {grid}, or {(channels, *grid)} with one for each channel"
        )
    if pixel_response:
        response = response * np.sinc(ky * pixel_scale) * np.sinc(kx * pixel_scale)
    kind = torch.complex128 if cube.dtype == torch.float64 else torch.complex64
    factor = torch.from_numpy(response).to(device=cube.device, dtype=kind)
    blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(cube, s=padded) * factor, s=padded)
    return blurred[..., :height, :width]
