"""Recoveries without a network: bicubic, Wiener and Richardson-Lucy.

All take a batch `observed (B, 1, y, x)` in nJy per observed pixel and return `(B, 1, Y, X)` in nJy
per target pixel, on the grids of the operator, on the device and in the dtype of their input.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from clumpygan.instruments.observe import ObservationOperator

RICHARDSON_LUCY_ITERATIONS = (10, 20, 40, 70, 120, 200, 300, 400, 500, 650, 800, 1000)
"""Iterations at which Richardson-Lucy is looked at."""

PEDESTAL = 100.0
"""What is added to the image before Richardson-Lucy iterates, in sigma."""

_START_FLOOR = 0.0005  # sigma per target pixel: where an estimate starts at zero it stays zero
_START_SCALE = 0.25  # arcsec, scale length of the disk from which Richardson-Lucy may start
_PRIOR_SCALE = 0.2  # arcsec, scale length of the disk that the Wiener filter expects
_FAINTEST_SIGNAL = 10.0  # S/N that the Wiener filter takes a galaxy to have at least


def bicubic(observed: Tensor, operator: ObservationOperator) -> Tensor:
    """Return the observed image on the target's grid by bicubic interpolation, flux conserved.

    Parameters
    ----------
    observed : Tensor, (B, 1, y, x)
        Observed images in nJy per pixel.
    operator : ObservationOperator
        Knows the target's grid that belongs to (y, x).

    Returns
    -------
    Tensor, (B, 1, Y, X)
        In nJy per target pixel.
    """
    shape = operator.fine_shape((observed.shape[-2], observed.shape[-1]))
    return interpolate(observed, size=shape, mode="bicubic") / operator.grid.area_ratio


def wiener(
    observed: Tensor, sigma: Tensor, transfer: Tensor, operator: ObservationOperator
) -> Tensor:
    r"""Return the Wiener deconvolution T* Y / (|T|^2 + N / S).

    N = n sigma^2 is the power of white noise in n pixels. The signal S is that of an exponential
    disk of the observed flux F and scale length h = 0.2",

    .. math:: S(k) = F^2 (1 + (2 \pi k h)^2)^{-3},

    with F not below 10 times its own noise, so that a galaxy lost in the noise doesn't become a
    flat image.

    Parameters
    ----------
    observed : Tensor, (B, 1, y, x)
        Observed images in nJy per pixel.
    sigma : Tensor, (B,)
        Sky noise in nJy per observed pixel.
    transfer : Tensor, (B, Ky, Kx)
        Ratio of the transfer functions on `operator.frequencies`.
    operator : ObservationOperator
        From the target to the observed image.

    Returns
    -------
    Tensor, (B, 1, Y, X)
        In nJy per target pixel.
    """
    sides = (observed.shape[-2], observed.shape[-1])
    ky, kx = operator.frequencies(sides, device=observed.device)
    squared = (2 * torch.pi * _PRIOR_SCALE) ** 2 * (ky**2 + kx**2)
    shape = (1 + squared).to(observed.dtype) ** -3
    pixels = observed.shape[-2] * observed.shape[-1]
    flux = torch.maximum(
        _aperture_flux(observed, operator.grid.observed_scale), _FAINTEST_SIGNAL * sigma
    )
    noise_to_signal = pixels * (sigma / flux)[:, None, None] ** 2 / shape
    return operator.wiener(observed, transfer, noise_to_signal)


def richardson_lucy(
    observed: Tensor,
    sigma: Tensor,
    transfer: Tensor,
    operator: ObservationOperator,
    *,
    iterations: Sequence[int] = RICHARDSON_LUCY_ITERATIONS,
    start: Tensor | None = None,
    weight: Tensor | None = None,
) -> dict[int, Tensor]:
    r"""Return Richardson-Lucy's estimate after each of the numbers of iterations.

    With the operator A and a pedestal b = 100 sigma,

    .. math:: x \leftarrow \frac{x}{A^T 1} A^T \frac{y + b}{A x + b},

    started from a flat, faint image. The pedestal keeps the negative half of the sky noise, which a
    plain Richardson-Lucy clips at zero; it makes the noise of the counts nearly uniform, as that
    of the sky is, and costs iterations. Started from the (bicubic) data themselves, it would keep
    their noise wherever it has no reason to change it, and be much worse below 24 mag.

    Parameters
    ----------
    observed : Tensor, (B, 1, y, x)
        Observed images in nJy per pixel.
    sigma : Tensor, (B,)
        Sky noise in nJy per observed pixel.
    transfer : Tensor, (B, Ky, Kx)
        Ratio of the transfer functions on `operator.frequencies`.
    operator : ObservationOperator
        From the target to the observed image.
    iterations : sequence of int
        Numbers of iterations.
    start : Tensor, (B, 1, Y, X), optional
        What to start from, in nJy per target pixel; pixels below 0.0005 sigma are raised to that,
        for what is zero stays zero. By default flat, at a tenth of the mean of the observed
        image: fainter starts are slower, brighter ones leave more noise beside the galaxy.

    weight : Tensor, (B, 1, y, x), optional
        Of the observed pixels: sigma squared over the variance of each; 0 where nothing is known.

    Returns
    -------
    dict of int to Tensor (B, 1, Y, X)
        In nJy per target pixel, by number of iterations.

    References
    ----------
    Richardson 1972, JOSA 62, 55; Lucy 1974, AJ 79, 745, equation 15; the known background b as in
    Snyder et al. 1993, JOSA A 10, 1014.
    """
    unit = sigma[:, None, None, None]
    pedestal = PEDESTAL * unit
    data = (observed + pedestal).clamp_min(0)
    trust = torch.ones_like(observed) if weight is None else weight
    # Where no data reach an estimate fades.
    reach = operator.adjoint(trust, transfer).clamp_min(0.1 * float(trust[trust > 0].min()))
    if start is None:
        start = _faint(observed, unit, operator.grid.area_ratio).expand_as(reach)
    estimate = torch.maximum(start, _START_FLOOR * unit / operator.grid.area_ratio)
    snapshots: dict[int, Tensor] = {}
    for iteration in range(1, max(iterations) + 1):
        model = operator(estimate, transfer) + pedestal
        correction = operator.adjoint(trust * data / model.clamp_min(unit), transfer)
        # the ratio of transfer functions has weak negative lobes; a flux stays positive
        estimate = estimate * correction.div_(reach).clamp_min_(0)
        if iteration in iterations:
            snapshots[iteration] = estimate
    return snapshots


def expected_disk(observed: Tensor, sigma: Tensor, operator: ObservationOperator) -> Tensor:
    """Return a round exponential disk of the observed flux at the centre of the stamp.

    A start for Richardson-Lucy that knows what a galaxy looks like: scale length 0.25", flux that
    observed within 1.5" (at least 5 sigma).

    Parameters
    ----------
    observed : Tensor, (B, 1, y, x)
        Observed images in nJy per pixel.
    sigma : Tensor, (B,)
        Sky noise in nJy per observed pixel.
    operator : ObservationOperator
        Knows the target's grid that belongs to (y, x).

    Returns
    -------
    Tensor, (B, 1, Y, X)
        In nJy per target pixel.
    """
    shape = operator.fine_shape((observed.shape[-2], observed.shape[-1]))
    profile = torch.exp(-_radius(shape, operator.grid.target_scale, observed) / _START_SCALE)
    flux = torch.maximum(_aperture_flux(observed, operator.grid.observed_scale), 5 * sigma)
    return flux[:, None, None, None] * profile / profile.sum()


def _faint(observed: Tensor, unit: Tensor, area_ratio: float) -> Tensor:
    """Return a tenth of the stamps' mean (B, 1, 1, 1) per target pixel (of 0.02 sigma at least)."""
    mean = observed.mean((1, 2, 3), keepdim=True)
    return 0.1 * torch.maximum(mean, 0.02 * unit) / area_ratio


def _radius(shape: tuple[int, int], pixel_scale: float, like: Tensor) -> Tensor:
    """Return the distance (y, x) of each pixel from the centre in arcsec."""
    y, x = (
        torch.arange(length, device=like.device, dtype=like.dtype) - (length - 1) / 2
        for length in shape
    )
    return torch.hypot(y[:, None], x[None, :]) * pixel_scale


def _aperture_flux(observed: Tensor, pixel_scale: float, radius: float = 1.5) -> Tensor:
    """Return the flux (B,) in a circle of `radius` arcsec around the centre of the stamps."""
    shape = (observed.shape[-2], observed.shape[-1])
    inside = _radius(shape, pixel_scale, observed) <= radius
    return (observed[:, 0] * inside).flatten(1).sum(1)
