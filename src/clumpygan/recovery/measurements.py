"""What is measured on a recovered image: fluxes, sizes, and how far it is from the sharp one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.metrics import magnitude_of, measure_one
from clumpygan.evaluation.recovery.recovered import Judge, Recovered
from clumpygan.gan.gan_settings import MOST_MISSING, SEEN_BLEND
from clumpygan.recovery.bad_pixels import fill_masked
from clumpygan.recovery.scene import stamp_around

if TYPE_CHECKING:
    from collections.abc import Callable

    from clumpygan.gan.blend_odds import BlendOdds
    from clumpygan.recovery.scene import Scene

_SMOOTHING = 1.5  # pixels of the target
_STANDS_OUT = 5.0  # sigma of the observed image
_CENTRINGS = 3
_FARTHEST_MIDDLE = 0.7  # arcsec: blends are 1.2" wide at most, the middle of two as bright 0.6" off


def find_nucleus(scene: Scene, recovered: np.ndarray) -> tuple[float, float]:
    """Return (y, x) in pixels of the galaxy to be measured.

    The peak to which the light rises from the brightest pixel within 1" of the centre, if that
    stands out by 5 sigma of the observed image (in the sharp image, or the recovered one where
    there is none, smoothed by 1.5 pixels); else the brightest of the stamp.
    """
    image, mask = recovered, scene.recovered_mask
    if scene.reference is not None:
        image, mask = scene.reference, scene.reference_mask
    smooth = gaussian_filter(np.where(mask, 0, image).astype(np.float64), _SMOOTHING)
    row, column = (
        int(position) for position in fidelity.nucleus_of(smooth, scene.grid.target_scale)
    )
    if smooth[row, column] < _STANDS_OUT * scene.sigma / scene.grid.area_ratio:
        row, column = (int(i) for i in np.unravel_index(int(np.argmax(smooth)), smooth.shape))
    while True:
        top, left = max(row - 1, 0), max(column - 1, 0)
        around = smooth[top : row + 2, left : column + 2]
        up, right = divmod(int(np.argmax(around)), around.shape[1])
        if not around[up, right] > smooth[row, column]:  # also where something is NaN
            return float(row), float(column)
        row, column = top + up, left + right


def measured_magnitude(
    scene: Scene, best: np.ndarray, nucleus: tuple[float, float]
) -> tuple[float | None, str]:
    """Return the AB magnitude of a galaxy, and what it is called.

    That of the catalogue where there is one; else it is measured within r = 1", in the sharp image
    if there is one, in the recovered image otherwise. None where fluxes are in counts.
    """
    if scene.magnitude is not None or scene.unit != "nJy":
        return scene.magnitude, scene.magnitude_name
    image = best if scene.reference is None else scene.reference
    mask = scene.recovered_mask if scene.reference is None else scene.reference_mask
    light = np.where(mask, 0, image)
    flux = fidelity.aperture_flux(
        light, nucleus, fidelity.PHOTOMETRY_RADIUS, scene.grid.target_scale
    )
    band = scene.reference_name.removeprefix(scene.pair.target.short_name).strip()
    magnitude = magnitude_of(float(flux))
    return magnitude if np.isfinite(
        magnitude
    ) else None, f'{"H" if band == "F160W" else band or "AB mag"} (2")'


def measure(
    scene: Scene, image: np.ndarray, seen: np.ndarray, nucleus: tuple[float, float]
) -> dict[str, float | None]:
    """Measure a recovered image, against the sharp image where there is one.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    image : numpy.ndarray
        (Y, X), recovered.
    seen : numpy.ndarray
        (y, x), the same, observed again.
    nucleus : tuple of float
        (y, x) in pixels, around which light is counted.

    Returns
    -------
    dict
        The numbers of `clumpygan.evaluation.recovery.metrics.METRICS` that are told of single
        galaxies, None where one isn't defined; chi2 is over all pixels with data.
    """
    missing = scene.recovered_mask | scene.reference_mask
    return measure_one(
        Recovered(
            np.where(missing, 0, image),
            scene.sigma / scene.grid.area_ratio,
            truth=None if scene.reference is None else np.where(missing, 0, scene.reference),
            truth_sigma=scene.reference_sigma,
            judge=Judge(scene.reference, scene.reference_sigma, ~missing)
            if scene.reference is not None and scene.reference_apart
            else None,
            residual=((scene.observed - seen) / scene.noise)[~scene.observed_mask],
            around=nucleus,
            unit=scene.unit,
            pixel_scale=scene.grid.target_scale,
        )
    )


def blend_odds_at(
    odds: BlendOdds, scene: Scene, recovered: np.ndarray, nucleus: tuple[float, float]
) -> float | None:
    """Return the ln of the odds that a galaxy is two, see `BlendOdds.of`.

    None where too much of it has no data, see `blend_odds_of_stamp`.

    Parameters
    ----------
    odds : BlendOdds
        For images of the survey of the scene.
    scene : Scene
        The galaxy.
    recovered : numpy.ndarray
        (Y, X): where the middle of its light is looked for.
    nucleus : tuple of float
        (y, x) in pixels of the recovered image.
    """
    grid, middle = scene.grid, nucleus
    light = np.where(scene.recovered_mask, 0, recovered)
    for _ in range(_CENTRINGS):
        found = fidelity.centroid(light, middle, grid.target_scale)
        away = np.hypot(*np.subtract(found, nucleus)) * grid.target_scale
        # False also where there is no light.
        if not away < _FARTHEST_MIDDLE:
            break
        middle = found
    side = grid.stamp * grid.coarse_block // grid.fine_block
    y, x = map(grid.observed_place, middle)
    inside, outside = stamp_around(scene.observed.shape, y, x, side)
    mask = scene.observed_mask[inside] | outside
    noise = np.broadcast_to(scene.noise, scene.observed.shape)[inside][~mask]
    return blend_odds_of_stamp(
        odds,
        scene.observed[inside],
        mask,
        float(np.median(noise)) if noise.size else scene.sigma,
        scene.shared_noise,
        scene.psf,
    )


def blend_odds_of_stamp(
    odds: BlendOdds,
    data: np.ndarray,
    mask: np.ndarray,
    noise: float,
    shared_noise: float,
    transfer: Callable[[tuple[torch.Tensor, torch.Tensor]], torch.Tensor],
) -> float | None:
    """Return the ln of the odds that the galaxy in the middle of a stamp (y, x) is two.

    None where more than `MOST_MISSING` pixels within `SEEN_BLEND` of the middle have no data.

    Parameters
    ----------
    odds : BlendOdds
    data : numpy.ndarray
        (y, x); what it has in masked pixels doesn't matter.
    mask : numpy.ndarray
        (y, x), True where there are no data.
    noise : float
        Of a pixel, in the unit of the data.
    shared_noise : float
        By how much noise in apertures exceeds that of white noise.
    transfer : callable
        Gives the ratio of the transfer functions on a frequency grid.
    """
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in mask.shape)
    away = np.hypot(rows[:, None], columns) * odds.pair.grid.observed_scale
    if (mask & (away < SEEN_BLEND)).sum() > MOST_MISSING:
        return None
    observed, missing = (torch.from_numpy(one)[None, None] for one in (data, mask))
    sigma = torch.tensor([noise], dtype=torch.float32)
    # What stands in for missing pixels is the same always, whatever else is recovered.
    filled = fill_masked(observed, sigma, missing, [torch.Generator().manual_seed(0)])
    return float(odds.of(filled, shared_noise * sigma, transfer))
