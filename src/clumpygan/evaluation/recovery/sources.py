"""Sources and clumps of a recovered galaxy: which there are, how surely, how bright, how large."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.clumps import (
    MATCHING_RADIUS,
    NUCLEUS_RADIUS,
    POINT_SOURCE_SHARE,
    peaks_of,
    sharpened,
)

RAREST = 0.1
"""Share of the samples in which a source has to be, at least, to be listed."""

_SIZE_RADIUS = 0.3
"""Arcsec, within which the light of a source counts for its size."""

_LEVELS = (0.16, 0.5, 0.84)

Interval = tuple[float, float, float]
"""Lower end of the 68 % interval, median, upper end."""


@dataclass(frozen=True)
class Source:
    """What samples show at one place.

    Attributes
    ----------
    y, x : tuple of float
        Position in pixels, median and 68 % interval, over the samples that have it.
    flux : tuple of float
        As a point source has it that stands out as sharply, in the unit of the image.
    half_light_radius : tuple of float
        Arcsec, of the light within 0.3" around it; NaN where that isn't positive.
    probability : float
        Share of the samples that have it.
    nucleus : bool
        Whether it is that of the galaxy.
    """

    y: Interval
    x: Interval
    flux: Interval
    half_light_radius: Interval
    probability: float
    nucleus: bool


def find_sources(
    samples: Sequence[NDArray[np.floating]] | NDArray[np.floating],
    sigma: float,
    nucleus: fidelity.Position,
    pixel_scale: float,
    sharp: NDArray[np.float64] | None = None,
    neighbourhood: int | None = None,
) -> list[Source]:
    """Find the sources that samples of a posterior show, most probable first.

    Each sample has its own peaks (`find_peaks`). Where most samples have one within 0.15" of each
    other is a source; their peaks there are taken away, and so on.

    Parameters
    ----------
    samples : array (S, Y, X)
    sigma : float
        Depth of the observation per pixel of a sample, in its unit.
    nucleus : tuple of float
        (y, x) of the galaxy, in pixels.
    pixel_scale : float
        Arcsec.
    sharp : array (S, Y, X), optional
        Their `clumps.sharpened`, where that is known already.
    neighbourhood : int, optional
        Pixels within which the highest peak counts, `reach` of `find_peaks`.

    Returns
    -------
    list of Source
    """
    if sharp is None:
        sharp = sharpened(np.asarray(samples))
    found = peaks_of(sharp, sigma, neighbourhood)
    reach = MATCHING_RADIUS / pixel_scale
    sources = []
    while any(len(peaks) for peaks in found):
        members = _most_common(found, reach)
        if len(members) < RAREST * len(samples):
            break
        for number, place in members.items():
            found[number] = np.delete(found[number], place[0], axis=0)
        places = {number: place[1] for number, place in members.items()}
        away = np.hypot(*(np.median(list(places.values()), axis=0) - np.asarray(nucleus)))
        sources.append(
            _measured(
                samples, sharp, places, pixel_scale, bool(away * pixel_scale < NUCLEUS_RADIUS)
            )
        )
    return sources


def _most_common(
    found: list[NDArray[np.float64]], reach: float
) -> dict[int, tuple[int, NDArray[np.float64]]]:
    """Return sample -> (which of its peaks, (y, x)) of the place that most samples have."""
    best: dict[int, tuple[int, NDArray[np.float64]]] = {}
    closeness = np.inf
    for centre in np.concatenate([peaks for peaks in found if len(peaks)]):
        members, total = {}, 0.0
        for number, peaks in enumerate(found):
            if not len(peaks):
                continue
            away = np.hypot(*(peaks - centre).T)
            nearest = int(np.argmin(away))
            if away[nearest] <= reach:
                members[number] = (nearest, peaks[nearest])
                total += float(away[nearest])
        if (-len(members), total) < (-len(best), closeness):
            best, closeness = members, total
    return best


def _measured(
    samples: Sequence[NDArray[np.floating]] | NDArray[np.floating],
    sharp: NDArray[np.float64],
    places: dict[int, NDArray[np.float64]],
    pixel_scale: float,
    nucleus: bool,
) -> Source:
    fluxes, sizes = [], []
    for number, (row, column) in places.items():
        fluxes.append(float(sharp[number, int(row), int(column)]) / POINT_SOURCE_SHARE)
        sizes.append(_size(samples[number], (row, column), pixel_scale))
    positions = np.array(list(places.values()))
    return Source(
        _interval(positions[:, 0]),
        _interval(positions[:, 1]),
        _interval(np.array(fluxes)),
        _interval(np.array(sizes)),
        len(places) / len(samples),
        nucleus,
    )


def _size(image: NDArray[np.floating], centre: fidelity.Position, pixel_scale: float) -> float:
    radii = np.arange(0, _SIZE_RADIUS + pixel_scale / 8, pixel_scale / 4)
    growth = fidelity.aperture_flux(image, centre, radii, pixel_scale)
    growth[0] = 0.0
    share = np.maximum.accumulate(growth / growth[-1]) if growth[-1] > 0 else growth
    return float(np.interp(0.5, share, radii)) if growth[-1] > 0 else float("nan")


def _interval(values: NDArray[np.float64]) -> Interval:
    known = values[np.isfinite(values)]
    if not known.size:
        return (np.nan,) * 3
    low, middle, high = np.quantile(known, _LEVELS, method="median_unbiased")
    return float(low), float(middle), float(high)
