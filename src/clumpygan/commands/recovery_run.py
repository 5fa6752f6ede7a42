"""Recover one scene with the network and with Richardson-Lucy, and measure both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from clumpygan.commands.recovery_scene import Recovery
from clumpygan.constants import NANOJANSKY_ZERO_POINT, PIXEL_AREA_RATIO
from clumpygan.evaluation import fidelity
from clumpygan.evaluation.baselines import richardson_lucy
from clumpygan.instruments import ObservationOperator

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Scene

RICHARDSON_LUCY_ITERATIONS = 500
"""Near the best for galaxies of any magnitude, with a pedestal of 100 sigma."""

_SMOOTHING = 1.5  # HST pixels
_STANDS_OUT = 5.0


def recover_scene(
    scene: Scene, resolver: Any, *, samples: int, seed: int, compare: bool
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

    Returns
    -------
    Recovery
        Images and measurements.
    """
    observed = torch.from_numpy(scene.observed)[None, None]
    sigma = torch.tensor([scene.sigma], dtype=torch.float32)
    recovered = resolver.recover(observed, sigma, scene.psf, samples=samples, seed=seed)
    operator = ObservationOperator()
    transfer = scene.psf(operator.frequencies(scene.observed.shape))
    images = {"network": recovered.best, "sample": recovered.samples[0]}
    if compare:
        count = RICHARDSON_LUCY_ITERATIONS
        snapshots = richardson_lucy(observed, sigma, transfer, operator, iterations=(count,))
        images["richardson_lucy"] = snapshots[count]
    seen = {name: _array(operator(image, transfer)) for name, image in images.items()}
    arrays = {name: _array(image) for name, image in images.items()}
    nucleus = find_nucleus(scene, arrays["network"])
    return Recovery(
        best=arrays["network"],
        error=_array(recovered.error),
        sample=arrays["sample"],
        richardson_lucy=arrays.get("richardson_lucy"),
        residual=(scene.observed - seen["network"]) / scene.sigma,
        count=len(recovered.samples),
        nucleus=nucleus,
        metrics={name: measure(scene, arrays[name], seen[name], nucleus) for name in arrays},
    )


def add_measured_magnitude(scene: Scene, recovery: Recovery) -> None:
    """Measure the magnitude of a galaxy without a catalogue: in r = 1", HST's image if there is."""
    if scene.magnitude is not None or scene.unit != "nJy":
        return
    image = recovery.best if scene.reference is None else scene.reference
    mask = scene.recovered_mask if scene.reference is None else scene.reference_mask
    light = np.where(mask, 0, image)
    flux = fidelity.aperture_flux(light, recovery.nucleus, fidelity.PHOTOMETRY_RADIUS)
    scene.magnitude = _magnitude(float(flux))
    band = scene.reference_name.removeprefix("HST").strip()
    scene.magnitude_name = f'{"H" if band == "F160W" else band or "AB mag"} (2")'


def find_nucleus(scene: Scene, recovered: np.ndarray) -> tuple[float, float]:
    """Return (y, x) in HST pixels of the galaxy to be measured.

    The peak to which the light rises from the brightest pixel within 1" of the centre, if that
    stands out by 5 sigma of the HSC image (in the HST image, or the recovered one where there is
    none, smoothed by 1.5 pixels); else the brightest of the stamp.
    """
    image, mask = recovered, scene.recovered_mask
    if scene.reference is not None:
        image, mask = scene.reference, scene.reference_mask
    smooth = gaussian_filter(np.where(mask, 0, image).astype(np.float64), _SMOOTHING)
    row, column = (int(position) for position in fidelity.nucleus_of(smooth))
    if smooth[row, column] < _STANDS_OUT * scene.sigma / PIXEL_AREA_RATIO:
        row, column = (int(i) for i in np.unravel_index(int(np.argmax(smooth)), smooth.shape))
    while True:
        top, left = max(row - 1, 0), max(column - 1, 0)
        around = smooth[top : row + 2, left : column + 2]
        up, right = divmod(int(np.argmax(around)), around.shape[1])
        if around[up, right] <= smooth[row, column]:
            return float(row), float(column)
        row, column = top + up, left + right


def measure(
    scene: Scene, image: np.ndarray, seen: np.ndarray, nucleus: tuple[float, float]
) -> dict[str, float | None]:
    """Measure a recovered image, against the HST image where there is one.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    image : numpy.ndarray
        (Y, X), recovered.
    seen : numpy.ndarray
        (y, x), the same as HSC would see it.
    nucleus : tuple of float
        (y, x) in HST pixels, around which light is counted.

    Returns
    -------
    dict
        chi2 (mean squared residual in sigma over the pixels with data), half_light_radius
        [arcsec], magnitude (AB in r = 1"), and, against the HST image, psnr and psnr_limit [dB],
        nrmse, ssim, magnitude_error, flux_error_percent, half_light_radius_error_percent,
        centroid_shift [arcsec]; definitions in `clumpygan.evaluation.fidelity`. None where a
        number isn't defined.
    """
    missing = scene.recovered_mask | scene.reference_mask
    image = np.where(missing, 0, image)
    truth = None if scene.reference is None else np.where(missing, 0, scene.reference)
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
