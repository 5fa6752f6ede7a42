"""Sources and clumps of a recovered galaxy: which there are, how surely, how bright, how large."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.clumps import (
    MATCHING_RADIUS,
    NUCLEUS_RADIUS,
    POINT_SOURCE_SHARE,
    peaks_of,
    sharpened,
)

FEWEST_CLUMPS = 100
"""With which a probability can be calibrated."""

RAREST = 0.1
"""Share of the samples in which a source has to be, at least, to be listed."""

_SIZE_RADIUS = 0.3
"""Arcsec, within which the light of a source counts for its size."""

_LEVELS = (0.16, 0.5, 0.84)

Interval = tuple[float, float, float]
"""Lower end of the 68 % interval, median, upper end."""


@dataclass(frozen=True)
class ClumpProbability:
    """How probable it is that a clump is there which so many of the samples show.

    Beta calibration (Kull, Silva Filho & Flach 2017, PMLR 54, 623): of the share s of the samples,

        logit p = rise ln s - fall ln(1 - s) + shift,

    with s = (k + 1/2) / (S + 1) for k of S samples, for few samples know a share badly.

    Attributes
    ----------
    rise, fall, shift : float or None
        None: nothing is known of the network, p is k / S.
    """

    rise: float | None = None
    fall: float | None = None
    shift: float | None = None

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Self:
        """Read the section "clump_probability" of a network's card, where there is one.

        Raises
        ------
        InputError
            If it isn't as `to_dict` makes it.
        """
        section = card.get("clump_probability")
        if not section:
            return cls()
        try:
            rise, fall, shift = (float(section[name]) for name in ("rise", "fall", "shift"))
            if not (0 <= rise <= 100 and 0 <= fall <= 100 and abs(shift) <= 100):
                raise ValueError(section)
        except (KeyError, TypeError, ValueError) as problem:
            raise InputError(
                "the card's section 'clump_probability' isn't 'rise' and 'fall' from 0 to 100 and"
                " 'shift' from -100 to 100: leave it out"
            ) from problem
        return cls(rise, fall, shift)

    @classmethod
    def measured(cls, share: ArrayLike, real: ArrayLike, samples: int) -> Self:
        """Find the numbers of greatest likelihood.

        Parameters
        ----------
        share : array_like (M,)
            Of the samples, of each clump that they show.
        real : array_like (M,) of bool
            Whether it is there.
        samples : int
            How many there are.

        Returns
        -------
        ClumpProbability
            One that knows nothing, if there are fewer than `FEWEST_CLUMPS`, or all or none of them
            are there.
        """
        there = np.asarray(real, dtype=bool)
        if len(there) < FEWEST_CLUMPS or there.all() or not there.any():
            return cls()
        terms = _terms(share, samples)
        sign = np.where(there, 1.0, -1.0)

        def surprise(numbers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            logit = sign * (numbers @ terms)
            return -float(log_expit(logit).mean()), -(terms * sign * expit(-logit)).mean(1)

        best = minimize(
            surprise, (1.0, 1.0, 0.0), jac=True, bounds=[(0, 100), (0, 100), (-100, 100)]
        )
        return cls(*(round(float(one), 4) for one in best.x))

    def of(self, share: ArrayLike, samples: int) -> NDArray[np.float64]:
        """Return the probability that clumps are there, of the share of so many samples."""
        if self.rise is None or self.fall is None or self.shift is None:
            return np.asarray(share, dtype=np.float64)
        return np.asarray(expit((self.rise, self.fall, self.shift) @ _terms(share, samples)))

    def to_dict(self) -> dict[str, float]:
        """Return the section of a card, empty where nothing is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _terms(share: ArrayLike, samples: int) -> NDArray[np.float64]:
    """Return what rise, fall and shift are multiplied with, (3,) or (3, M)."""
    known = (np.asarray(share, dtype=np.float64) * samples + 0.5) / (samples + 1)
    return np.stack([np.log(known), -np.log1p(-known), np.ones_like(known)])


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
    share : float
        Of the samples that have it.
    probability : float
        That it is there; of a nucleus the share.
    nucleus : bool
        Whether it is that of the galaxy.
    """

    y: Interval
    x: Interval
    flux: Interval
    half_light_radius: Interval
    share: float
    probability: float
    nucleus: bool

    @property
    def columns(self) -> dict[str, float]:
        """What tables of sources tell of it beside its place, with the ends of intervals."""
        found: dict[str, float] = {}
        for name in ("flux", "half_light_radius"):
            low, middle, high = getattr(self, name)
            found |= {name: middle, f"{name}_low": low, f"{name}_high": high}
        return found | {
            "share": self.share, "probability": self.probability, "nucleus": self.nucleus
        }  # fmt: skip


def find_sources(
    samples: Sequence[NDArray[np.floating]] | NDArray[np.floating],
    sigma: float,
    nucleus: fidelity.Position,
    pixel_scale: float,
    sharp: NDArray[np.float64] | None = None,
    neighbourhood: int | None = None,
    chance: ClumpProbability | None = None,
) -> list[Source]:
    """Find the sources that samples of a posterior show, those of most samples first.

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
    chance : ClumpProbability, optional
        Of the network (`SuperResolver.clump_probability`); without it probabilities are shares.

    Returns
    -------
    list of Source
    """
    if sharp is None:
        sharp = sharpened(np.asarray(samples))
    chance = chance or ClumpProbability()
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
                samples,
                sharp,
                places,
                pixel_scale,
                chance,
                bool(away * pixel_scale < NUCLEUS_RADIUS),
            )
        )
    return sources


def _most_common(
    found: list[NDArray[np.float64]], reach: float
) -> dict[int, tuple[int, NDArray[np.float64]]]:
    """Return sample -> (which of its peaks, (y, x)) of the place that most samples have."""
    centres = np.concatenate(found)
    nearest = np.stack([_nearest(peaks, centres) for peaks in found if len(peaks)])
    near = nearest <= reach
    # One after another, whatever their number: what is as near must not depend on rounding.
    total = np.where(near, nearest, 0.0).cumsum(0)[-1]
    centre = centres[np.lexsort((total, -near.sum(0)))[0]]
    members = {}
    for number, peaks in enumerate(found):
        if not len(peaks):
            continue
        away = np.hypot(*(peaks - centre).T)
        place = int(np.argmin(away))
        if away[place] <= reach:
            members[number] = (place, peaks[place])
    return members


def _nearest(peaks: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each centre (M, 2) is from the nearest of the peaks (N, 2), (M,)."""
    return np.asarray(np.hypot(*(peaks[:, None] - centres).transpose(2, 0, 1)).min(0))


def _measured(
    samples: Sequence[NDArray[np.floating]] | NDArray[np.floating],
    sharp: NDArray[np.float64],
    places: dict[int, NDArray[np.float64]],
    pixel_scale: float,
    chance: ClumpProbability,
    nucleus: bool,
) -> Source:
    fluxes, sizes = [], []
    for number, (row, column) in places.items():
        fluxes.append(float(sharp[number, int(row), int(column)]) / POINT_SOURCE_SHARE)
        sizes.append(_size(samples[number], (row, column), pixel_scale))
    positions = np.array(list(places.values()))
    share = len(places) / len(samples)
    return Source(
        _interval(positions[:, 0]),
        _interval(positions[:, 1]),
        _interval(np.array(fluxes)),
        _interval(np.array(sizes)),
        share,
        share if nucleus else float(chance.of(share, len(samples))),
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
