"""Blends: whether two galaxies that overlap are told from one, and what is measured of each."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.clumps import smoothed
from clumpygan.evaluation.recovery.splitting import LEAST_SPREAD, best_split, fit_gaussians

FLOAT = NDArray[np.float64]

REGION = 1.5
"""Arcsec around the middle of the stamp, within which light is that of a blend."""

MOST_FALSE_SPLITS = 0.01
"""Share of single galaxies that may be taken for two."""

CONTRAST = 0.08
"""Of an image that shows two galaxies, where the network's card doesn't say."""

CURVE = (0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of false splits of which the curve tells."""

BLENDED_SHARE, FLAGGED_SHARE = 0.1, 0.1
"""Of a catalogue: galaxies that are unrecognised blends, and galaxies that are flagged."""

_LEVELS = 32
"""Between the faintest light and the peak, at equal ratios, as SExtractor takes them."""

_FAINTEST = 1.5
"""Sigma of the observation: light below it isn't looked at."""

_SMOOTHING = 1.0
"""Pixels, of the Gaussian by which images are smoothed first."""

_BELOW_PEAK = 0.98
"""Of the peak, the highest level."""

_OF_ONE_CENTRE = (0.4, 1.6)
"""Variances of two Gaussians of one centre over those of the light, with which a fit starts."""

_STARTING_SHARES, _STARTING_PLACES = (0.7, 0.3), (-0.4, 1.2)
"""Of two Gaussians, the light of each, and where along the major axis in units of its width."""


@dataclass(frozen=True)
class Split:
    """The two parts into which an image falls most evenly.

    Attributes
    ----------
    contrast : float
        Share of all light that the fainter one has; 0 where there is one part alone.
    places : ndarray (2, 2)
        (y, x) of the peaks of both in pixels, the brighter part first; NaN without a second one.
    """

    contrast: float
    places: FLOAT


def split_image(image: NDArray[np.floating], sigma: float, pixel_scale: float) -> Split:
    """Split an image into two parts as SExtractor deblends (Bertin & Arnouts 1996, section 6).

    Above each of a number of levels the smoothed image falls into parts that don't touch. The
    contrast is the share of the light that the second of them has, where it has most: what
    SExtractor compares with its DEBLEND_MINCONT.

    Parameters
    ----------
    image : ndarray (y, x)
        What is beyond 1.5" from its middle isn't looked at.
    sigma : float
        Depth of the observation per pixel of the image, in its unit.
    pixel_scale : float
        Arcsec.
    """
    light, corner = _around_middle(image, pixel_scale)
    light = light[corner[0] : -corner[0] or None, corner[1] : -corner[1] or None]
    low, top = _FAINTEST * sigma, float(light.max())
    lost = Split(0.0, np.full((2, 2), np.nan))
    if not top > low:
        return lost
    light = np.ascontiguousarray(light)
    levels = np.geomspace(low, max(_BELOW_PEAK * top, low), _LEVELS)
    contrast, first, second = best_split(light, levels)
    if second < 0:
        return lost
    peaks = np.stack(np.unravel_index([first, second], light.shape), axis=1)
    return Split(float(contrast), peaks.astype(np.float64) + corner)


def find_centres(image: NDArray[np.floating], sigma: float, pixel_scale: float) -> Split:
    """Ask whether the light around the middle has two centres or one, split or not.

    Two Gaussians are fitted to the light above 1.5 sigma that hangs together with the brightest
    pixel: once of one centre, as a bulge and a disk have it, and once each of its own, starting
    along the major axis with the brighter one on either side. Blends that no level splits stand out
    by how much better the latter describes them.

    Parameters
    ----------
    image : ndarray (y, x)
        Recovered; what is beyond 1.5" from its middle isn't looked at.
    sigma : float
        Depth of the observation per pixel of the image, in its unit.
    pixel_scale : float
        Arcsec.

    Returns
    -------
    Split
        Its contrast is the gain, not a share: the difference of the logarithms of both likelihoods,
        per light, at least 0. Its places are the centres.
    """
    light, _ = _around_middle(image, pixel_scale)
    parts, _ = label(light > _FAINTEST * sigma)
    peak = parts.flat[int(light.argmax())]
    lost = Split(0.0, np.full((2, 2), np.nan))
    if not peak:
        return lost
    places = np.argwhere(parts == peak).astype(np.float64)
    weight = light[parts == peak]
    weight /= weight.sum()
    middle = weight @ places
    places -= middle
    spread = (weight[:, None] * places).T @ places + LEAST_SPREAD * np.eye(2)
    widths, axes = np.linalg.eigh(spread)
    long = np.sqrt(widths[1]) * axes[:, 1]
    flat = spread[(0, 0, 1), (0, 1, 1)]
    one = fit_gaussians(weight, places, np.full(2, 0.5), np.zeros((2, 2)),
                        np.outer(_OF_ONE_CENTRE, flat), True)  # fmt: skip
    best, found = -np.inf, (np.zeros(2), np.zeros((2, 2)))
    for side in (1, -1):
        shares, centres = np.array(_STARTING_SHARES), np.outer(_STARTING_PLACES, side * long)
        two = fit_gaussians(weight, places, shares, centres, np.outer((0.5, 0.5), flat), False)
        if two > best:
            best, found = two, (shares, centres)
    shares, centres = found
    return Split(max(best - one, 0.0), centres[np.argsort(-shares, kind="stable")] + middle)


def _around_middle(
    image: NDArray[np.floating], pixel_scale: float
) -> tuple[FLOAT, NDArray[np.int64]]:
    """Return the smoothed image, 0 beyond `REGION`, and the corner (y, x) of what isn't."""
    light = smoothed(image, _SMOOTHING)
    beyond, corner = _region(*light.shape, REGION / pixel_scale)
    light[beyond] = 0
    return light, corner


@lru_cache(maxsize=16)
def _region(height: int, width: int, reach: float) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which pixels are farther from the middle than that, and the corner of the others."""
    middle = (np.array((height, width)) - 1) / 2
    rows, columns = np.indices((height, width))
    beyond = np.hypot(rows - middle[0], columns - middle[1]) > reach
    corner = np.maximum(np.floor(middle - reach).astype(np.int64), 0)
    for one in (beyond, corner):
        one.flags.writeable = False
    return np.asarray(beyond), np.asarray(corner)


def blend_probability(contrast: FLOAT, least: float) -> FLOAT:
    """Return P(blend), the share of the samples that show two galaxies.

    Parameters
    ----------
    contrast : ndarray (..., S)
        Of each sample, by `split_image`.
    least : float
        Contrast from which on it shows two: that of the network's card, see `contrast_from_card`.
    """
    return np.asarray((contrast > least).mean(-1))


def contrast_from_card(card: Mapping[str, Any]) -> float:
    """Return the contrast from which on a sample of a network shows two galaxies.

    At most `MOST_FALSE_SPLITS` of the samples of single galaxies exceed it, as `evaluate.py blends`
    finds; `CONTRAST` where the card has no `blend_contrast`.

    Raises
    ------
    InputError
        If it is no number from 0 to 0.5.
    """
    value = card.get("blend_contrast", CONTRAST)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 0.5:
        raise InputError(
            f"the card's `blend_contrast` is {value!r}: expected a number from 0 to 0.5, the share"
            " of the light that the fainter of two galaxies has at least"
        )
    return float(value)


def find_threshold(singles: FLOAT, most: float = MOST_FALSE_SPLITS) -> float:
    """Return the least score that at most a share of single galaxies exceeds; never below 0."""
    ordered = np.sort(singles)[::-1]
    return max(float(ordered[min(int(most * len(ordered)), len(ordered) - 1)]), 0.0)


@dataclass(frozen=True)
class Recognition:
    """How many blends a method recognises.

    Attributes
    ----------
    blends, singles, others : ndarray
        Scores of blends, of single galaxies, and of other single galaxies by which thresholds are
        set: whoever has more than the threshold is taken for two.
    """

    blends: FLOAT
    singles: FLOAT
    others: FLOAT

    @property
    def threshold(self) -> float:
        """Score that at most `MOST_FALSE_SPLITS` of the others exceed."""
        return find_threshold(self.others)

    def at(self, most: float = MOST_FALSE_SPLITS) -> dict[str, float]:
        """Return the shares `unrecognised` of the blends and `false_splits` of the singles."""
        threshold = find_threshold(self.others, most)
        return {
            "unrecognised": float((self.blends <= threshold).mean()),
            "false_splits": float((self.singles > threshold).mean()),
        }

    @property
    def curve(self) -> list[dict[str, float]]:
        """The same for each of `CURVE`."""
        return [self.at(most) for most in CURVE]

    def by(self, values: FLOAT, edges: Sequence[float]) -> dict[str, dict[str, float | int | None]]:
        """Return `n` and `unrecognised` of the blends with values between neighbouring edges."""
        lost = self.blends <= self.threshold
        found: dict[str, dict[str, float | int | None]] = {}
        for low, high in itertools.pairwise(edges):
            rows = (values >= low) & (values < high)
            share = float(lost[rows].mean()) if rows.any() else None
            found[f"{low:g}-{high:g}"] = {"n": int(rows.sum()), "unrecognised": share}
        return found


def share_found(blends: FLOAT, singles: FLOAT) -> float | None:
    """Return the share of the blends of a catalogue that is flagged.

    In the catalogue a share `BLENDED_SHARE` are such blends, the rest singles; those of the
    highest scores are flagged, `FLAGGED_SHARE` of all.
    """
    if not len(blends) or not len(singles):
        return None
    best = 0.0
    for threshold in np.unique(np.concatenate([blends, singles, [-1.0]])):
        found = float((blends > threshold).mean())
        wrong = float((singles > threshold).mean())
        if BLENDED_SHARE * found + (1 - BLENDED_SHARE) * wrong <= FLAGGED_SHARE:
            best = max(best, found)
    return best


def match_two(places: FLOAT, truths: FLOAT, reach: float) -> FLOAT | None:
    """Return the place of each of two galaxies, (2, 2); None unless each has a peak of its own.

    Parameters
    ----------
    places, truths : ndarray (2, 2)
        (y, x) in pixels.
    reach : float
        Pixels.
    """
    if not np.isfinite(places).all():
        return None
    away = np.linalg.norm(places[None] - truths[:, None], axis=2)
    straight = max(away[0, 0], away[1, 1])
    crossed = max(away[0, 1], away[1, 0])
    if min(straight, crossed) > reach:
        return None
    return places if straight <= crossed else places[::-1]


def share_light(
    image: NDArray[np.floating], places: FLOAT, pixel_scale: float
) -> tuple[float, float]:
    """Return the fluxes of two galaxies that overlap, in the unit of the image.

    The light of each pixel is shared by templates that are symmetric about each galaxy: the fainter
    of each pixel and the one opposite (Lupton 2001, the deblender of the SDSS). Light within 1.5"
    of a galaxy counts.

    Parameters
    ----------
    image : ndarray (y, x)
    places : ndarray (2, 2)
        (y, x) in pixels, of both.
    pixel_scale : float
        Arcsec.
    """
    light = np.clip(image.astype(np.float64), 0, None)
    rows, columns = np.indices(light.shape)
    templates = []
    for row, column in places:
        y, x = (np.rint(2 * place - grid).astype(int) for place, grid in
                ((row, rows), (column, columns)))  # fmt: skip
        inside = (y >= 0) & (y < light.shape[0]) & (x >= 0) & (x < light.shape[1])
        other = np.where(
            inside, light[y.clip(0, light.shape[0] - 1), x.clip(0, light.shape[1] - 1)], 0
        )
        near = np.hypot(rows - row, columns - column) * pixel_scale <= REGION
        templates.append(np.minimum(light, other) * near)
    total = templates[0] + templates[1]
    shared = np.divide(
        image, total, out=np.zeros(light.shape, np.float64), where=total > 0, dtype=np.float64
    )
    return float((templates[0] * shared).sum()), float((templates[1] * shared).sum())


def flux_within(image: NDArray[np.floating], place: FLOAT, pixel_scale: float) -> float:
    """Return the flux within 1.5" of a galaxy that is alone."""
    rows, columns = np.indices(image.shape)
    near = np.hypot(rows - place[0], columns - place[1]) * pixel_scale <= REGION
    return float(image[near].sum(dtype=np.float64))


def summary(values: Any) -> dict[str, float | int | None]:
    """Return `n`, `median` and `median_abs` of what is finite."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return {"n": 0, "median": None, "median_abs": None}
    return {
        "n": int(known.size),
        "median": float(np.median(known)),
        "median_abs": float(np.median(np.abs(known))),
    }
