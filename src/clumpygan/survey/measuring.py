"""What is measured of the samples of a galaxy, all of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.blends import (
    CONTRAST,
    blend_probability,
    find_centres,
    split_image,
)
from clumpygan.evaluation.recovery.clumps import (
    NUCLEUS_RADIUS,
    clump_peaks,
    sharpened,
)
from clumpygan.evaluation.recovery.intervals import Crowding, Widening, brightness_of, predict
from clumpygan.evaluation.recovery.quantities import RADII, WHOLE_FLUX
from clumpygan.survey.columns import APERTURES, MEASURED, P_CLUMPS

Images = NDArray[np.float32]
Sharp = NDArray[np.float64]

_SHAPE_WEIGHT = 0.5
"""Arcsec, of the Gaussian weight of the moments, as of `quantities`."""

_SMOOTHING = 1.5
"""Pixels, of the image in which the isophote is drawn."""

_MEDIAN_AND_ENDS = ("", "_low", "_high")


def measure_samples(
    samples: Images,
    best: Images,
    sigma: float,
    pixel_scale: float,
    widening: Widening | None = None,
    blend_contrast: float = CONTRAST,
    sharp: Sharp | None = None,
    crowding: Crowding | None = None,
) -> dict[str, float]:
    """Measure the samples of a galaxy in the middle of its stamp.

    Quantities are those of `clumpygan.evaluation.recovery.quantities`, around the same nucleus in
    all samples; the number of sources and the probabilities of clumps are of the peaks of each
    sample within the isophote of one sigma, that of a blend is `blends.blend_probability`.

    Parameters
    ----------
    samples : ndarray (S, Y, X)
        nJy per pixel.
    best : ndarray (Y, X)
        Their mean.
    sigma : float
        Depth of the observation per pixel of them.
    pixel_scale : float
        Arcsec.
    widening : Widening, optional
        Of the intervals, by the network's card; as the samples scatter by default.
    blend_contrast : float
        From which on a sample shows two galaxies, by the network's card.
    sharp : ndarray (S, Y, X), optional
        Their `clumps.sharpened`, where that is known already.
    crowding : Crowding, optional
        By how much intervals are wider where samples show two galaxies, by the network's card.

    Returns
    -------
    dict
        Name of the column -> value.
    """
    widening, crowding = widening or Widening(), crowding or Crowding()
    nucleus = fidelity.nucleus_of(best, pixel_scale)
    values = _values(samples, nucleus, pixel_scale)
    inside = isophote(best, nucleus, sigma)
    sharp = sharpened(samples) if sharp is None else sharp
    counts, off = count_peaks(sharp, sigma, nucleus, inside, pixel_scale)
    values["sources"] = counts.astype(np.float64)
    contrast = [split_image(one, sigma, pixel_scale).contrast for one in samples]
    p_blend = float(blend_probability(np.array(contrast), blend_contrast))
    crowded = float(crowding.of(p_blend))
    found: dict[str, float] = {}
    brightness = brightness_of(float(values[WHOLE_FLUX].mean()))
    for name in (one for one in MEASURED if one != "magnitude"):
        factors = crowded * widening.of(name, brightness), widening.shift_of(name, brightness)
        said = told(values[name], *factors)
        found |= dict(zip((name + end for end in _MEDIAN_AND_ENDS), said, strict=True))
    fluxes = [found[APERTURES[-1] + end] for end in ("", "_high", "_low")]
    found |= {
        "magnitude" + end: magnitude(flux)
        for end, flux in zip(_MEDIAN_AND_ENDS, fluxes, strict=True)
    }
    found["p_blend"] = p_blend
    found["blend_gain"] = find_centres(best, sigma, pixel_scale).contrast
    found |= {name: float((off >= int(name[-1])).mean()) for name in P_CLUMPS}
    return found


def told(
    values: NDArray[np.float64], factor: float = 1.0, shift: float = 0.0
) -> tuple[float, float, float]:
    """Return median of the samples and the ends of the interval that holds 68 % of the truths.

    The interval is about their mean, `factor` times as wide as they scatter. Both are moved by
    `shift`, in units of half of the width without the factor.
    """
    if not np.isfinite(values).all():
        return (np.nan,) * 3
    moved, low, high = predict(values).interval(factor, shift)
    return float(np.median(values)) + moved, low, high


def magnitude(flux: float) -> float:
    """Return the AB magnitude of a flux in nJy; NaN where it isn't positive."""
    return float(NANOJANSKY_ZERO_POINT - 2.5 * np.log10(flux)) if flux > 0 else np.nan


def isophote(best: Images, nucleus: fidelity.Position, sigma: float) -> NDArray[np.bool_]:
    """Return the pixels above one sigma that hang together with the nucleus."""
    bright = gaussian_filter(best.astype(np.float64), _SMOOTHING) > sigma
    place = int(nucleus[0]), int(nucleus[1])
    bright[place] = True
    regions, _ = label(bright)
    return np.asarray(regions == regions[place])


def count_peaks(
    sharp: Sharp,
    sigma: float,
    nucleus: fidelity.Position,
    inside: NDArray[np.bool_],
    pixel_scale: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many peaks each sample has within the isophote, and how many off the nucleus.

    Peaks are those of `clumps.find_peaks`, of the samples' differences of Gaussians (S, Y, X).
    """
    peaks = clump_peaks(sharp, sigma) & inside
    rows, columns = np.indices(inside.shape)
    away = np.hypot(rows - nucleus[0], columns - nucleus[1]) * pixel_scale > NUCLEUS_RADIUS
    off = (peaks & away).sum(axis=(1, 2))
    middle = (peaks & ~away).any(axis=(1, 2))
    return off + middle, off


def _values(
    samples: Images, nucleus: fidelity.Position, pixel_scale: float
) -> dict[str, NDArray[np.float64]]:
    """Return apertures, radii of light, concentration and ellipticity of all samples, (S,) each."""
    rows, columns = np.indices(samples.shape[1:])
    y, x = rows - nucleus[0], columns - nucleus[1]
    distance = np.hypot(y, x) * pixel_scale
    steps = np.arange(0, fidelity.GROWTH_RADIUS + pixel_scale / 4, pixel_scale / 2)
    radii = np.concatenate([RADII, steps])
    near = distance <= radii.max() + pixel_scale
    light = samples[:, near].astype(np.float64)
    weight = np.clip((radii[:, None] - distance[near]) / pixel_scale + 0.5, 0.0, 1.0)
    sums = light @ weight.T
    found: dict[str, NDArray[np.float64]] = {name: sums[:, i] for i, name in enumerate(APERTURES)}
    growth = sums[:, len(RADII) :]
    growth[:, 0] = 0.0
    holding = np.array([_radii(curve, steps) for curve in growth])
    found["half_light_radius"] = holding[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(holding[:, 0] > 0, holding[:, 0], np.nan)
        found["concentration"] = 5 * np.log10(holding[:, 2] / inner)
    found["ellipticity"] = _ellipticity(samples, y, x, distance)
    return found


def _radii(growth: NDArray[np.float64], radii: NDArray[np.float64]) -> list[float]:
    """Return the radii that hold 20, 50 and 80 % of the light: `fidelity.radii_of_light`."""
    if growth[-1] <= 0:
        return [np.nan] * 3
    inside = growth / growth[-1]
    after = [int(np.argmax(inside >= share)) for share in (0.2, 0.5, 0.8)]
    return [
        float(np.interp(share, inside[i - 1 : i + 1], radii[i - 1 : i + 1]))
        for share, i in zip((0.2, 0.5, 0.8), after, strict=True)
    ]


def _ellipticity(samples: Images, y: Any, x: Any, distance: Any) -> NDArray[np.float64]:
    weight = np.exp(-0.5 * np.square(distance / _SHAPE_WEIGHT))
    basis = np.stack([weight * y * y, weight * x * x, weight * x * y]).reshape(3, -1)
    yy, xx, xy = (samples.reshape(len(samples), -1).astype(np.float64) @ basis.T).T
    trace = yy + xx
    size = np.hypot(xx - yy, 2 * xy)
    return np.asarray(np.where(trace > 0, size / np.where(trace > 0, trace, 1), np.nan))
