"""How far samples of recovered images scatter: corrected by scale and brightness where it's wrong.

A network may know well where a galaxy's light is, and badly how well it knows. What its samples
differ by is then taken apart into scales, and each scale made stronger or weaker by a gain that
depends on the brightness at that place, as ensembles of weather forecasts are (Gneiting et al.
2005, Mon. Weather Rev. 133, 1098). The mean of the samples stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from clumpygan.errors import InputError

WIDTHS = (0.06, 0.15, 0.36)
"""Standard deviations of the Gaussian filters between the scales, arcsec."""

LEVELS = (0.05, 0.17, 0.35, 0.7, 1.4, 2.8, 5.6, 11.0, 22.0, 45.0, 90.0)
"""Brightnesses at which gains are given, in units of the observation's noise in a fine pixel."""

GAINS = np.exp(np.linspace(np.log(0.3), np.log(5.0), 58))
"""Gains that are tried, 5 % apart."""

FEWEST_PIXELS = 1000
"""Pixels of a brightness, at least, for gains of their own."""

_REACH = 4
"""Standard deviations after which a Gaussian filter ends."""

_ROWS = 128
"""Rows that are filtered at once: a filter is a matrix, of which only a band isn't zero."""

_STRIDE = 2
"""Every such pixel is compared: neighbours say nearly the same."""


@dataclass(frozen=True)
class SampleSpread:
    """Gains of the deviations of samples from their mean.

    Attributes
    ----------
    gains : tuple
        For each scale, from below the first of `widths` to above the last, a gain for each of
        `levels`; interpolated in the logarithm of the brightness. Empty: nothing is changed.
    widths : tuple of float
        Of the filters between the scales, arcsec.
    levels : tuple of float
        Brightness of the mean of the samples, smoothed by the first filter, in units of the
        noise of the observation in a fine pixel.
    """

    gains: tuple[tuple[float, ...], ...] = ()
    widths: tuple[float, ...] = WIDTHS
    levels: tuple[float, ...] = LEVELS

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> SampleSpread:
        """Read the section "spread" of a network's card, where there is one.

        Raises
        ------
        InputError
            If it isn't as `to_dict` makes it.
        """
        section = card.get("spread")
        if not section:
            return cls()
        try:
            gains, widths, levels = (section[name] for name in ("gains", "widths", "levels"))
            found = cls(
                tuple(tuple(float(one) for one in row) for row in gains),
                tuple(float(one) for one in widths),
                tuple(float(one) for one in levels),
            )
            found._check()
        except (KeyError, TypeError, ValueError) as problem:
            raise InputError(
                "the card's section 'spread' isn't 'widths' (arcsec, 0.01 to 10) and 'levels' that"
                " rise, and 'gains' from 0.1 to 10, a row for each scale and a number for each"
                " level: leave it out"
            ) from problem
        return found

    def _check(self) -> None:
        rising = all(
            np.isfinite(row).all() and (np.diff(row) > 0).all() and min(row) >= 0.01
            for row in (self.widths, self.levels)
        )
        fit = len(self.gains) == len(self.widths) + 1 and all(
            len(row) == len(self.levels) and all(0.1 <= one <= 10 for one in row)
            for row in self.gains
        )
        if not (rising and fit and max(self.widths) <= 10):
            raise ValueError(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the section of a card."""
        return {
            "widths": list(self.widths),
            "levels": list(self.levels),
            "gains": [list(row) for row in self.gains],
        }

    def corrected(self, samples: Tensor, noise: Tensor, pixel_scale: float) -> Tensor:
        """Return samples that scatter as far as truths do.

        Parameters
        ----------
        samples : Tensor (S, B, 1, Y, X)
        noise : Tensor (B,)
            Of the observation in a fine pixel, in the unit of the samples.
        pixel_scale : float
            Arcsec per fine pixel.

        Returns
        -------
        Tensor (S, B, 1, Y, X)
            Of the same mean over S.
        """
        if not self.gains:
            return samples
        mean = samples.mean(0)
        apart = samples - mean
        gains = self._gains(mean, noise, pixel_scale)
        result = mean + gains[0] * apart
        for width, finer, coarser in zip(self.widths, gains[:-1], gains[1:], strict=True):
            result += (coarser - finer) * smoothed(apart, width / pixel_scale)
        return result

    def _gains(self, mean: Tensor, noise: Tensor, pixel_scale: float) -> list[Tensor]:
        """Return a gain for each pixel (B, 1, Y, X), scale by scale."""
        knots = torch.tensor(self.levels, dtype=mean.dtype, device=mean.device).log()
        seen = smoothed(mean, self.widths[0] / pixel_scale) / noise.to(mean)[:, None, None, None]
        seen = seen.clamp(self.levels[0], self.levels[-1]).log().contiguous()
        place = torch.bucketize(seen, knots).clamp(1, len(self.levels) - 1)
        share = (seen - knots[place - 1]) / (knots[place] - knots[place - 1])
        rows = (torch.tensor(row, dtype=mean.dtype, device=mean.device) for row in self.gains)
        return [torch.lerp(row[place - 1], row[place], share) for row in rows]


def scales(
    images: Tensor, pixel_scale: float, widths: Sequence[float] = WIDTHS
) -> tuple[Tensor, ...]:
    """Take images (..., Y, X) apart into scales that add up to them, the finest first."""
    smooth = [images, *(smoothed(images, width / pixel_scale) for width in widths)]
    return (*(fine - coarse for fine, coarse in pairwise(smooth)), smooth[-1])


def smoothed(images: Tensor, width: float) -> Tensor:
    """Return images (..., Y, X) smoothed by a Gaussian, whose weights at the edges add up to 1.

    Parameters
    ----------
    images : Tensor (..., Y, X)
    width : float
        Standard deviation in pixels.
    """
    along = _along_rows(images, width)
    return _along_rows(along.transpose(-2, -1), width).transpose(-2, -1)


def _along_rows(images: Tensor, width: float) -> Tensor:
    size = images.shape[-1]
    reach = int(np.ceil(_REACH * width))
    parts = []
    for first in range(0, size, _ROWS):
        last = min(first + _ROWS, size)
        low, high = max(first - reach, 0), min(last + reach, size)
        weights = _weights(first - low, last - low, high - low, width).to(images)
        parts.append(images[..., low:high] @ weights)
    return torch.cat(parts, -1)


@lru_cache(maxsize=32)
def _weights(first: int, last: int, size: int, width: float) -> Tensor:
    """Return the columns first to last of a Gaussian filter of so many pixels."""
    apart = torch.arange(size)[:, None] - torch.arange(first, last)
    weights = torch.exp(-0.5 * (apart / width) ** 2) * (abs(apart) <= np.ceil(_REACH * width))
    normalised: Tensor = weights / weights.sum(0)
    return normalised


class SpreadScores:
    """Scores of each gain, added up over galaxies whose truth is known.

    Each scale of the truth's deviation from the mean is held against a normal distribution, of
    the scatter of the samples times the gain, by the continuous ranked probability score (Gneiting
    & Raftery 2007, JASA 102, 359, eq. 21). It is least for the right scatter, and few galaxies that
    nobody expected, missed neighbours say, don't decide it, as they would of a mean square.

    Parameters
    ----------
    pixel_scale : float
        Arcsec per fine pixel.
    """

    def __init__(self, pixel_scale: float) -> None:
        self.pixel_scale = pixel_scale
        shape = (len(WIDTHS) + 1, len(LEVELS))
        self.total = np.zeros((*shape, len(GAINS)))
        self.pixels = np.zeros(shape, np.int64)

    def add(self, samples: Tensor, truth: Tensor, noise: float) -> None:
        """Count one galaxy.

        Parameters
        ----------
        samples : Tensor (S, Y, X)
        truth : Tensor (Y, X)
        noise : float
            Of the observation in a fine pixel, in the same unit.
        """
        mean = samples.mean(0)
        missed = scales((truth - mean) / noise, self.pixel_scale)
        apart = scales((samples - mean) / noise, self.pixel_scale)
        seen = smoothed(mean, WIDTHS[0] / self.pixel_scale) / noise
        # The nearest of the levels, as a ratio.
        edges = np.sqrt(np.multiply(LEVELS[1:], LEVELS[:-1]))
        place = np.digitize(seen[::_STRIDE, ::_STRIDE].cpu().numpy(), edges).ravel()
        for scale, (one, others) in enumerate(zip(missed, apart, strict=True)):
            error = one[::_STRIDE, ::_STRIDE].cpu().numpy().ravel().astype(np.float64)
            spread = others[:, ::_STRIDE, ::_STRIDE].square().mean(0).sqrt()
            width = spread.cpu().numpy().ravel().astype(np.float64)
            known = width > 0
            for i, gain in enumerate(GAINS):
                score = ranked_probability_score(error[known], gain * width[known])
                self.total[scale, :, i] += np.bincount(place[known], score, len(LEVELS))
            self.pixels[scale] += np.bincount(place[known], minlength=len(LEVELS))

    def __add__(self, other: SpreadScores) -> SpreadScores:
        """Return the scores of both."""
        both = SpreadScores(self.pixel_scale)
        both.total = self.total + other.total
        both.pixels = self.pixels + other.pixels
        return both

    @property
    def best(self) -> SampleSpread:
        """The gains with the least scores; 1 at brightnesses of which too little was seen."""
        gains = np.where(self.pixels < FEWEST_PIXELS, 1.0, GAINS[self.total.argmin(-1)])
        return SampleSpread(tuple(tuple(round(float(one), 3) for one in row) for row in gains))


def ranked_probability_score(
    error: NDArray[np.float64], width: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the continuous ranked probability score of normal distributions.

    Parameters
    ----------
    error : ndarray
        Truth less mean.
    width : ndarray
        Standard deviation, positive.

    Returns
    -------
    ndarray
        In the unit of both: Gneiting & Raftery (2007), eq. 21, with its sign changed.
    """
    z = error / width
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return np.asarray(width * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))
