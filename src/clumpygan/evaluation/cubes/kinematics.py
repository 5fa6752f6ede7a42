"""How galaxies move: rotation over dispersion, irregular motions, departures from a smooth disk."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.evaluation.cubes.kinemetry import ORDER, Ellipses, amplitudes, harmonics
from clumpygan.evaluation.cubes.line_maps import FloatArray, LineMaps

SMOOTHING = 1.5
"""Sigma in pixels of the Gaussian that leaves the large-scale part of residuals."""

LEAST_SPAXELS = 12
"""Galaxies with fewer known velocities have no kinematics: NaN."""

DEFINITIONS: dict[str, str] = {
    "rotation_over_dispersion": "half of the difference of the 95th and the 5th percentile of the"
    " velocities, over the flux-weighted mean dispersion; neither is corrected for the PSF",
    "k5_over_k1": "log10 of the fifth harmonic of the velocities over the first, mean over ellipses"
    " (Krajnovic et al. 2006)",
    "velocity_asymmetry": "log10 of the mean over ellipses of (k2 + k3 + k4 + k5) / (4 B1)"
    " (Shapiro et al. 2008, ApJ 682, 231)",
    "dispersion_asymmetry": "log10 of the mean over ellipses of (k1 + ... + k5) / (5 B1), the k"
    " being those of the dispersions and B1 that of the velocities (the same)",
    "kinematic_misalignment": "degrees between the first harmonic of the velocities, mean over"
    " ellipses, and the position angle that was asked for",
    "velocity_residual": "rms difference in km/s of the velocities and those of the smooth disk of"
    " the same parameters, less its noise; sign kept where noise exceeds it",
    "velocity_residual_large": "the same of residuals smoothed by 1.5 pixels, noise included",
    "dispersion_excess": "flux-weighted mean dispersion over that of the smooth disk",
}
"""One line on each feature."""

FEATURES: tuple[str, ...] = tuple(DEFINITIONS)
"""Names of the columns of `kinematic_features`."""


def kinematic_features(maps: LineMaps, smooth: LineMaps, ellipses: Ellipses) -> FloatArray:
    """Measure `FEATURES` of many galaxies.

    Parameters
    ----------
    maps : LineMaps
        Of the galaxies.
    smooth : LineMaps
        Of the smooth disks of the same parameters, without noise; best known wherever the galaxies
        are.
    ellipses : Ellipses
        How the disks lie, as they were asked for.

    Returns
    -------
    numpy.ndarray, (N, F), float64
        NaN where too little is known.
    """
    velocity = harmonics(maps.velocity, ellipses)
    dispersion = harmonics(maps.dispersion, ellipses)
    rows = []
    for place in range(len(maps)):
        residual = maps.velocity[place] - smooth.velocity[place]
        known = np.isfinite(residual)
        if known.sum() < LEAST_SPAXELS:
            rows.append(np.full(len(FEATURES), np.nan))
            continue
        weights = np.where(np.isfinite(maps.dispersion[place]), maps.flux[place].clip(0.0), 0.0)
        broad = _weighted(maps.dispersion[place], weights)
        plain = _weighted(smooth.dispersion[place], weights)
        low, high = np.nanpercentile(maps.velocity[place], (5, 95))
        rows.append(
            np.array(
                [
                    0.5 * (high - low) / max(broad, 1e-3),
                    *_irregularity(velocity[place], dispersion[place]),
                    _rms(residual[known], maps.velocity_error[place][known]),
                    _large_scale_rms(residual, known),
                    broad / max(plain, 1e-3),
                ]
            )
        )
    return np.array(rows)


def velocity_residuals(maps: LineMaps, smooth: LineMaps) -> FloatArray:
    """Return velocities less those of the smooth disks, over their errors, (N, y, x); 0 unknown."""
    residual = (maps.velocity - smooth.velocity) / maps.velocity_error
    return np.where(np.isfinite(residual), residual, 0.0)


def _irregularity(velocity: FloatArray, dispersion: FloatArray) -> list[float]:
    """Return k5 / k1, both asymmetries (logarithms) and the misalignment."""
    if not len(velocity):
        return [np.nan] * 4
    k = amplitudes(velocity)
    first = np.abs(velocity[:, 1, 1]).clip(1e-3)
    uneven = k[:, 2:].sum(axis=1) / (ORDER - 1) / first
    both = min(len(velocity), len(dispersion))
    ragged = np.nan
    if both:
        ragged = float((amplitudes(dispersion[:both])[:, 1:].sum(axis=1) / ORDER / first[:both])
                       .mean())  # fmt: skip
    angle = np.degrees(np.arctan2(velocity[:, 0, 1].sum(), velocity[:, 1, 1].sum()))
    return [
        float(np.log10((k[:, 5] / k[:, 1].clip(1e-3)).mean())),
        float(np.log10(uneven.mean())),
        float(np.log10(ragged)),
        abs(float(angle)),
    ]


def _weighted(values: FloatArray, weights: FloatArray) -> float:
    good = np.isfinite(values) & (weights > 0)
    total = weights[good].sum()
    return float((values[good] * weights[good]).sum() / total) if total > 0 else np.nan


def _rms(residual: FloatArray, error: FloatArray) -> float:
    """Return the rms without what the errors add, negative where they explain more than all."""
    square = float(np.mean(np.square(residual) - np.square(error)))
    return float(np.copysign(np.sqrt(abs(square)), square))


def _large_scale_rms(residual: FloatArray, known: NDArray[np.bool_]) -> float:
    weight = gaussian_filter(known.astype(np.float64), SMOOTHING)
    smooth = gaussian_filter(np.where(known, residual, 0.0), SMOOTHING)[known] / weight[known]
    return float(np.sqrt(np.mean(np.square(smooth))))
