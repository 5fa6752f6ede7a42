"""PSFs measured from the stars of a patch, on a grid of places."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.survey.patches import SurveyPatch

FEWEST_STARS = 8
"""Stars of a patch, at least, for a PSF."""

MOST_STARS = 25
"""Nearest stars of which the PSF of a place is made."""

STARS_A_PLACE = 12
"""Stars that a patch has for each place of the grid."""

MOST_PLACES = 4
"""On a side of the grid."""

_SIDE = 31
"""Pixels of the image on a side of a star, at the 0.168" of HSC: 5.2"."""

_SIGNAL = 50.0
"""S/N of a star within 1", at least."""

_WINDOW = 0.04
"""Relative width of the locus of stars."""

_CROWDED = 0.7
"""Of the sources in the fullest window, those in the locus at least: it is the smallest such one.
"""

_ALONE = 2.5
"""Arcsec, within which a star has no other peak."""

_BRIGHTER = 0.05
"""Of the star's peak, from which on that matters."""

Images = NDArray[np.float64]


class StarPsf(NamedTuple):
    """A PSF measured at a place of a patch.

    Attributes
    ----------
    image : ndarray (y, x), float32
        Of unit sum, in pixels of the patch.
    x, y : float
        Pixels of the patch.
    stars : int
        Of which it was made.
    error : float
        Relative error of its width, from the scatter of those of the stars.
    """

    image: NDArray[np.float32]
    x: float
    y: float
    stars: int
    error: float


def find_stars(
    patch: SurveyPatch, x: NDArray[np.float64], y: NDArray[np.float64], pixel_scale: float
) -> Table:
    """Find the stars among sources: bright, alone, unspoilt, and of the smallest common size.

    The size is that of a Gaussian-weighted second moment. Stars all have the same, and galaxies are
    larger: the locus is the narrow window of the smallest sizes that holds nearly as many sources
    as any.

    Parameters
    ----------
    patch : SurveyPatch
    x, y : ndarray (N,)
        Peaks in pixels.
    pixel_scale : float
        Arcsec.

    Returns
    -------
    Table
        `x`, `y` and `size` (pixels).
    """
    half = _SIDE // 2
    rows = []
    for column, row in zip(np.rint(x).astype(int), np.rint(y).astype(int), strict=True):
        inside = (half <= column < patch.shape[1] - half) and (half <= row < patch.shape[0] - half)
        if not inside:
            continue
        part = slice(row - half, row + half + 1), slice(column - half, column + half + 1)
        if patch.mask[part].any():
            continue
        found = _measured(patch.data[part].astype(np.float64), patch.sigma[part], pixel_scale)
        if found is not None:
            dy, dx, size = found
            rows.append((column + dx, row + dy, size))
    table = Table(np.array(rows).reshape(-1, 3), names=("x", "y", "size"))
    if len(table) < FEWEST_STARS:
        return table[:0]
    logs = np.sort(np.log(table["size"]))
    count = np.searchsorted(logs, logs + _WINDOW, side="right") - np.arange(len(logs))
    first = int(np.argmax(count >= _CROWDED * count.max()))
    low, high = logs[first], logs[first] + _WINDOW
    keep = (np.log(table["size"]) >= low) & (np.log(table["size"]) <= high)
    return table[keep]


def _measured(
    image: Images, sigma: NDArray[np.float32], pixel_scale: float
) -> tuple[float, float, float] | None:
    """Return offset and size of a source in the middle, None unless it could be a star."""
    half = _SIDE // 2
    rows, columns = np.indices(image.shape) - half
    away = np.hypot(rows, columns) * pixel_scale
    peak = float(image[half, half])
    within = away <= 1
    signal = float(image[within].sum() / np.sqrt(np.square(sigma[within]).sum()))
    if signal < _SIGNAL or image[half - 1 : half + 2, half - 1 : half + 2].max() > peak:
        return None
    if _has_neighbour(image, away, peak):
        return None
    dy = dx = 0.0
    width = 0.35 / pixel_scale
    for _ in range(20):
        weight = image * np.exp(-0.5 * ((rows - dy) ** 2 + (columns - dx) ** 2) / width**2)
        total = float(weight.sum())
        if total <= 0:
            return None
        dy, dx = float((weight * rows).sum() / total), float((weight * columns).sum() / total)
    square = float((weight * ((rows - dy) ** 2 + (columns - dx) ** 2)).sum() / total / 2)
    if square <= 0 or max(abs(dy), abs(dx)) > 1.5:
        return None
    return dy, dx, square**0.5


def _has_neighbour(image: Images, away: Images, peak: float) -> bool:
    from photutils.detection import find_peaks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is none
        found = find_peaks(image, _BRIGHTER * peak, box_size=5)
    if found is None:
        return False
    near = np.array([away[one["y_peak"], one["x_peak"]] for one in found])
    return bool(((near > 0) & (near < _ALONE)).any())


def measure_psfs(patch: SurveyPatch, stars: Table) -> list[StarPsf]:
    """Measure the PSF on a grid of places, each of the nearest stars (Anderson & King 2000).

    Pixels are those of the patch, which sample the PSF from the ground well enough: finer ones
    would need more stars than there are.

    Parameters
    ----------
    patch : SurveyPatch
    stars : Table
        Of `find_stars`.

    Returns
    -------
    list of StarPsf
        Empty where there are fewer than `FEWEST_STARS`; without the places whose stars make none.
    """
    if len(stars) < FEWEST_STARS:
        return []
    number = int(np.clip((len(stars) / STARS_A_PLACE) ** 0.5, 1, MOST_PLACES))
    found = []
    for row in range(number):
        for column in range(number):
            y, x = (
                (place + 0.5) * side / number - 0.5
                for place, side in zip((row, column), patch.shape, strict=True)
            )
            away = np.hypot(stars["x"] - x, stars["y"] - y)
            nearest = stars[np.argsort(np.asarray(away), kind="stable")[:MOST_STARS]]
            built = _built(patch, nearest, x, y)
            found += [] if built is None else [built]
    return found


def _built(patch: SurveyPatch, stars: Table, x: float, y: float) -> StarPsf | None:
    """Return the PSF that stars make, None where they can't be fitted or have no light."""
    from astropy.nddata import NDData, StdDevUncertainty
    from photutils.psf import EPSFBuilder, extract_stars

    around = NDData(patch.data.astype(np.float64), uncertainty=StdDevUncertainty(patch.sigma))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of single stars that aren't fitted
        cut = extract_stars(around, stars, size=_SIDE)
        try:
            model, _ = EPSFBuilder(
                oversampling=1, smoothing_kernel=None, maxiters=4, progress_bar=False
            )(cut)
        except ValueError:  # the fit of each star failed
            return None
    image = np.asarray(model.data, np.float64)
    if not (np.isfinite(image).all() and image.sum() > 0):
        return None
    sizes = np.asarray(stars["size"], np.float64)
    scatter = 1.4826 * np.median(np.abs(sizes - np.median(sizes))) / np.median(sizes)
    return StarPsf(
        (image / image.sum()).astype(np.float32), x, y, len(stars), float(scatter / len(sizes)**0.5)
    )  # fmt: skip
