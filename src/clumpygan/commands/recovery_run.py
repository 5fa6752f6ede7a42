"""Recover one scene with the network and with Richardson-Lucy, and measure both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clumpygan.commands.recovery_result import Recovery
from clumpygan.constants import NANOJANSKY_ZERO_POINT, PIXEL_AREA_RATIO
from clumpygan.evaluation import fidelity
from clumpygan.evaluation.baselines import richardson_lucy
from clumpygan.instruments import ObservationOperator

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Scene

RICHARDSON_LUCY_ITERATIONS = 500
"""Near the best for galaxies of any magnitude, with a pedestal of 100 sigma."""


def recover_scene(
    scene: Scene, resolver: Any, *, samples: int, seed: int, compare: bool, device: str
) -> Recovery:
    """Recover `scene`.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    resolver : SuperResolver
        The trained network.
    samples : int
        How many samples of the posterior.
    seed : int
        Of the samples.
    compare : bool
        Whether Richardson-Lucy is run too.
    device : str
        Where the tensors go.

    Returns
    -------
    Recovery
        Images and measurements.
    """
    observed = torch.from_numpy(scene.observed).to(device)[None, None]
    sigma = torch.tensor([scene.sigma], dtype=torch.float32, device=device)
    mask = torch.from_numpy(scene.observed_mask).to(device)[None, None]
    recovered = resolver.recover(
        observed, sigma, scene.psf, samples=samples, seed=seed,
        mask=mask if scene.observed_mask.any() else None,
    )  # fmt: skip
    operator = ObservationOperator().to(device)
    transfer = scene.psf(operator.frequencies(scene.observed.shape, device))
    images = {"network": recovered.best, "sample": recovered.samples[0]}
    if compare:
        count = RICHARDSON_LUCY_ITERATIONS
        snapshots = richardson_lucy(observed, sigma, transfer, operator, iterations=(count,))
        images["richardson_lucy"] = snapshots[count]
    seen = {name: _array(operator(image, transfer)) for name, image in images.items()}
    arrays = {name: _array(image) for name, image in images.items()}
    return Recovery(
        best=arrays["network"],
        error=_array(recovered.error),
        sample=arrays["sample"],
        richardson_lucy=arrays.get("richardson_lucy"),
        residual=(scene.observed - seen["network"]) / scene.sigma,
        count=samples,
        metrics={name: measure(scene, arrays[name], seen[name]) for name in arrays},
    )


def measure(scene: Scene, image: np.ndarray, seen: np.ndarray) -> dict[str, float | None]:
    """Measure a recovered image, against the HST image where there is one.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    image : numpy.ndarray
        (Y, X), recovered.
    seen : numpy.ndarray
        (y, x), the same as HSC would see it.

    Returns
    -------
    dict
        chi2 (mean squared residual in sigma over the pixels with data), half_light_radius
        [arcsec], magnitude (AB in r = 1"), and, against the HST image, psnr and psnr_limit [dB],
        nrmse, ssim, magnitude_error, flux_error_percent, half_light_radius_error_percent,
        centroid_shift [arcsec]; definitions in `clumpygan.evaluation.fidelity`. None where a
        number isn't defined.
    """
    image = np.where(scene.reference_mask, 0, image)
    truth = None if scene.reference is None else np.where(scene.reference_mask, 0, scene.reference)
    nucleus = fidelity.nucleus_of(image if truth is None else truth)
    residual = ((scene.observed - seen) / scene.sigma)[~scene.observed_mask]
    flux = float(fidelity.aperture_flux(image, nucleus, fidelity.PHOTOMETRY_RADIUS))
    numbers = {
        "chi2": float(np.mean(np.square(residual))),
        "half_light_radius": fidelity.half_light_radius(image, nucleus),
        "magnitude": _magnitude(flux) if scene.unit == "nJy" else None,
    }
    if truth is not None:
        numbers |= _against(truth, image, nucleus, scene)
    return {name: _finite(value) for name, value in numbers.items()}


def _against(
    truth: np.ndarray, image: np.ndarray, nucleus: tuple[float, float], scene: Scene
) -> dict[str, float | None]:
    """Measure a recovered image against the truth (or a noisy image of it)."""
    dm = fidelity.magnitude_difference(image, truth, nucleus)
    radius = fidelity.half_light_radius(image, nucleus)
    true_radius = fidelity.half_light_radius(truth, nucleus)
    limit = None
    if scene.reference_sigma > 0:
        limit = 20 * np.log10(float(truth.max()) / scene.reference_sigma)
    return {
        "psnr": fidelity.psnr(image, truth),
        "psnr_limit": limit,
        "nrmse": fidelity.nrmse(image, truth),
        "ssim": fidelity.ssim_asinh(image, truth, scene.sigma / PIXEL_AREA_RATIO),
        "magnitude_error": dm,
        "flux_error_percent": 100 * (10 ** (-0.4 * dm) - 1),
        "half_light_radius_error_percent": 100 * (radius / true_radius - 1),
        "centroid_shift": fidelity.centroid_shift(image, truth, nucleus),
    }


def _magnitude(flux: float) -> float | None:
    return NANOJANSKY_ZERO_POINT - 2.5 * np.log10(flux) if flux > 0 else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach()[0, 0].cpu().numpy()
