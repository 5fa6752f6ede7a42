"""Transfer functions of Moffat PSFs in batches, on any device, from a table."""

from functools import lru_cache
from math import pi

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import gammaln, kve
from torch import Tensor

from clumpygan.errors import InputError

BETA_RANGE = (1.6, 8.0)
"""Moffat exponents that `moffat_transfer` has tabulated."""

_TABLE_SIZE, _TABLE_BETAS, _TABLE_END = 1024, 48, 6.0


def moffat_transfer(
    fwhm: Tensor,
    beta: Tensor,
    frequencies: tuple[Tensor, Tensor],
    g1: Tensor | None = None,
    g2: Tensor | None = None,
) -> Tensor:
    r"""Transfer function of elliptical Moffat PSFs.

    .. math:: T(k) = \frac{2^{1-\nu}}{\Gamma(\nu)} x^\nu K_\nu(x), \quad x = 2 \pi k r_d,
        \quad \nu = \beta - 1, \quad r_d = \mathrm{FWHM} / (2 \sqrt{2^{1/\beta} - 1})

    (the Fourier transform of Moffat 1969, equation 7; Trujillo et al. 2001, appendix). A shear
    acts on the frequencies, T(S k), with GalSim's area-preserving S. Interpolated from a table of
    the Bessel function to 1e-5.

    Parameters
    ----------
    fwhm, beta : torch.Tensor
        Shape (B,): width in arcsec before the shear, and exponent, 1.6 to 8.
    frequencies : tuple of torch.Tensor
        (ky, kx) in cycles per arcsec, broadcastable to (Ky, Kx).
    g1, g2 : torch.Tensor, optional
        Shape (B,): reduced shear as in GalSim.

    Returns
    -------
    torch.Tensor
        Shape (B, Ky, Kx), float32, on the device of `fwhm`.

    Raises
    ------
    InputError
        If an exponent is outside its range or a width isn't positive.
    """
    _check_moffat(fwhm, beta)
    ky, kx = (k.to(device=fwhm.device, dtype=torch.float32) for k in frequencies)
    zero = torch.zeros_like(fwhm)
    s1, s2 = (zero if g is None else g for g in (g1, g2))
    stretch = (1 - s1**2 - s2**2).rsqrt() * fwhm
    across, along, mixed = ((value * stretch)[:, None, None] for value in (1 + s1, 1 - s1, s2))
    squared = (across * kx + mixed * ky) ** 2 + (mixed * kx + along * ky) ** 2
    return _interpolate_rows(_moffat_rows(beta), squared.float() ** 0.25)


def precise_moffat_transfer(product: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Transfer function of a round Moffat PSF in double precision, to 1e-8.

    Parameters
    ----------
    product : numpy.ndarray
        Frequency times FWHM, any shape, not negative.
    beta : float
        Moffat exponent, 1.6 to 8.

    Returns
    -------
    numpy.ndarray
        Shape of `product`, float64: the function of `moffat_transfer`.

    Raises
    ------
    InputError
        If the exponent is outside its range.
    """
    _check_moffat(torch.ones(1), torch.tensor([beta]))
    root = np.sqrt(product)
    value: NDArray[np.float64] = np.where(
        product < _TABLE_END, _moffat_curve(beta)(np.minimum(root, _TABLE_END**0.5)), 0.0
    )
    return value


@lru_cache(maxsize=64)
def _moffat_curve(beta: float) -> CubicSpline:
    """Spline of the transfer function in the square root of k FWHM, as in `_moffat_table`."""
    root = np.linspace(0, _TABLE_END**0.5, 4 * _TABLE_SIZE)
    return CubicSpline(root, _exact_transfer(root**2, beta))


def _check_moffat(fwhm: Tensor, beta: Tensor) -> None:
    low, high = float(beta.min()), float(beta.max())
    if not (low >= BETA_RANGE[0] and high <= BETA_RANGE[1]):
        raise InputError(
            f"Moffat beta from {low:g} to {high:g}, expected {BETA_RANGE[0]:g} to "
            f"{BETA_RANGE[1]:g}: choose a beta inside that range"
        )
    if not float(fwhm.min()) > 0:
        raise InputError(f"Moffat FWHM {float(fwhm.min()):g}, expected arcsec > 0")


@lru_cache(maxsize=1)
def _moffat_table() -> NDArray[np.float64]:
    """Transfer functions, rows in 1 / beta, columns in the square root of k FWHM.

    The square root resolves the cusp at 0 that low exponents have; as a function of it T is even,
    which gives the column before the first. One row and two columns extend it at each end for the
    four-point interpolation.
    """
    inverse = _inverse_beta_start() + _inverse_beta_step() * np.arange(-1, _TABLE_BETAS + 1)
    beta = 1 / inverse[:, None]
    root = _root_step() * np.arange(-1, _TABLE_SIZE + 2)[None, :]
    return _exact_transfer(root**2, beta)


def _exact_transfer(
    product: NDArray[np.floating], beta: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Transfer function at a frequency times the FWHM, from the Bessel function itself."""
    nu = beta - 1
    x = np.maximum(2 * pi * product / (2 * np.sqrt(2 ** (1 / beta) - 1)), 1e-12)
    log_value = (1 - nu) * np.log(2) - gammaln(nu) + nu * np.log(x) + np.log(kve(nu, x)) - x
    value: NDArray[np.float64] = np.where(x > 1e-11, np.exp(log_value), 1.0)
    return value


def _root_step() -> float:
    return float(_TABLE_END**0.5 / (_TABLE_SIZE - 1))


def _inverse_beta_start() -> float:
    return 1 / BETA_RANGE[1]


def _inverse_beta_step() -> float:
    return (1 / BETA_RANGE[0] - 1 / BETA_RANGE[1]) / (_TABLE_BETAS - 1)


def _cubic_weights(part: Tensor) -> list[Tensor]:
    """Lagrange weights of the nodes -1, 0, 1, 2 at a position in 0..1."""
    minus, plus, far = part + 1, 1 - part, 2 - part
    return [
        -part * plus * far / 6,
        minus * plus * far / 2,
        minus * part * far / 2,
        -minus * part * plus / 6,
    ]


def _moffat_rows(beta: Tensor) -> Tensor:
    """Transfer functions of the given exponents, (B, columns of the table), float32."""
    table = torch.from_numpy(_moffat_table()).to(device=beta.device, dtype=torch.float32)
    position = (1 / beta.float() - _inverse_beta_start()) / _inverse_beta_step()
    node = position.floor().clamp(0, _TABLE_BETAS - 2)
    weights = _cubic_weights(position - node)
    first = node.long()
    return sum(
        (w[:, None] * table[first + i] for i, w in enumerate(weights)), torch.zeros_like(table[:1])
    )


def _interpolate_rows(rows: Tensor, root: Tensor) -> Tensor:
    """Value of row b at the square roots `root[b]` of k FWHM; 0 beyond the table."""
    position = (root / _root_step()).clamp(max=_TABLE_SIZE - 1.0)
    node = position.floor()
    weights = _cubic_weights(position - node)
    first = node.long().flatten(1)
    value = torch.zeros_like(root)
    for i, weight in enumerate(weights):
        value = value + weight * rows.gather(1, first + i).view_as(root)
    return value
