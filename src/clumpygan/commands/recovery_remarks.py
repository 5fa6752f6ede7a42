"""What a user should know of a scene before trusting its recovery: blank, empty, a star."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from clumpygan.commands.recovery_scene import shown_part
from clumpygan.constants import HSC_PIXEL_SCALE, HST_PIXEL_SCALE
from clumpygan.evaluation.fidelity import half_light_radius

if TYPE_CHECKING:
    import galsim

    from clumpygan.commands.recovery_scene import Recovery, Scene

_FWHM_TO_SIGMA = 1 / 2.3548
_DETECTION = 5.0
_STAR_EXCESS = 1.15
_STAR_SIGNAL = 20.0
_PSF_SIZE = 61
_LEAST_MASKED = 0.01
_BAD_FIT = 1.5
_NEAR_EDGE = 0.4  # arcsec


def remarks_on_fit(recovery: Recovery) -> list[str]:
    """Return a sentence if the recovered image doesn't agree with the data."""
    misfit = recovery.metrics["network"]["chi2"]
    if misfit is None or misfit < _BAD_FIT:
        return []
    return [
        f"the recovered image doesn't fit the HSC image (chi^2 {misfit:.1f} per pixel): a galaxy"
        " brighter or sharper than those the network was trained on, or a wrong PSF or noise"
    ]


def remarks_on_data(scene: Scene, nucleus: tuple[float, float]) -> list[str]:
    """Return one sentence each for missing data, an empty stamp and a probable star.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    nucleus : tuple of float
        (y, x) in HST pixels of what is to be measured.
    """
    remarks = []
    masked = float(scene.observed_mask[shown_part(scene.observed_mask)].mean())
    if masked > _LEAST_MASKED:
        remarks.append(f"{100 * masked:.0f} % of the field has no data (grey)")
    signal = _peak_signal(scene)
    if signal < _DETECTION:
        remarks.append(
            f"nothing stands out of the noise of the HSC image (peak {signal:.1f} sigma after"
            " smoothing by the seeing): what is recovered is prior, not galaxy"
        )
        return remarks
    if _distance_to_edge(scene, nucleus) < _NEAR_EDGE:
        remarks.append(
            "the source touches the edge of the data: flux and size are those of the part inside"
        )
    if scene.reference is not None and signal > _STAR_SIGNAL:
        remarks += _star(scene, nucleus)
    return remarks


def _distance_to_edge(scene: Scene, nucleus: tuple[float, float]) -> float:
    """Return how far the source is from the next pixel without data, in arcsec."""
    missing = np.pad(scene.reference_mask | scene.recovered_mask, 1, constant_values=True)
    distance = distance_transform_edt(~missing)[1:-1, 1:-1]
    return float(distance[int(nucleus[0]), int(nucleus[1])]) * HST_PIXEL_SCALE


def _peak_signal(scene: Scene) -> float:
    """Return the S/N of the brightest point of the HSC image smoothed by a Gaussian like the PSF.

    White noise of sigma per pixel smoothed by a Gaussian of width s has sigma / (2 sqrt(pi) s).
    """
    width = scene.seeing * _FWHM_TO_SIGMA / HSC_PIXEL_SCALE
    smooth = gaussian_filter(scene.observed.astype(np.float64), width)
    noise = scene.sigma / (2 * np.sqrt(np.pi) * width)
    return float(smooth[~scene.observed_mask].max() / noise)


def _star(scene: Scene, nucleus: tuple[float, float]) -> list[str]:
    """Say so if the source is hardly wider than the PSF of the HST image."""
    assert scene.reference is not None
    size = half_light_radius(scene.reference, nucleus)
    point = _half_light_radius_of(scene.psf.sharp)
    if not size < _STAR_EXCESS * point:
        return []
    return [
        f'the source is as compact as the PSF (half-light radius {size:.2f}", PSF {point:.2f}"):'
        " a star, or a galaxy too small to be resolved; the network knows galaxies only"
    ]


def _half_light_radius_of(psf: galsim.GSObject) -> float:
    image = psf.drawImage(
        nx=_PSF_SIZE, ny=_PSF_SIZE, scale=HST_PIXEL_SCALE, method="no_pixel", dtype=np.float64
    ).array
    return half_light_radius(image, ((_PSF_SIZE - 1) / 2, (_PSF_SIZE - 1) / 2))
