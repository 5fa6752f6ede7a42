"""Pairs of galaxies that overlap on the sky, and single ones, whose every light is known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift

from clumpygan.evaluation.recovery.observations import SeenGalaxies
from clumpygan.galaxies import StampRenderer, draw_population, without_neighbours
from clumpygan.galaxies.images.overlaps import BLENDED_MAGNITUDES, Layout
from clumpygan.instruments import SurveyPair

KINDS = ("pair", "single", "other")
"""What galaxy i is, by i modulo 3: a pair, a single one, or another by which to set thresholds."""


FEWEST_REAL = len(KINDS) + 1
"""Images of `RealBlends`: one of each kind, and two of which a pair is made."""


@dataclass(frozen=True)
class Pair:
    """Two galaxies, the brighter one first; the second of a single galaxy has no light.

    Attributes
    ----------
    images : ndarray (2, Y, X), float32
        Each of them alone, sharp, nJy per pixel.
    places : ndarray (2, 2)
        (y, x) of each in pixels.
    magnitude : float
        Of the brighter one.
    ratio, separation : float
        Of fluxes, and in arcsec.
    """

    images: NDArray[np.float32]
    places: NDArray[np.float64]
    magnitude: float
    ratio: float
    separation: float


class BlendedGalaxies(SeenGalaxies):
    """Pairs and single galaxies, see `KINDS`; each depends on (seed, index) alone."""

    def kind(self, index: int) -> str:
        """Return which of `KINDS` a galaxy is."""
        return KINDS[index % len(KINDS)]

    def pair(self, index: int) -> Pair:
        """Return the two galaxies of an index, or the one."""
        generator = np.random.default_rng([self.seed, crc32(b"blend"), index])
        return self._drawn(index, generator)

    @abstractmethod
    def _drawn(self, index: int, generator: np.random.Generator) -> Pair: ...

    def sharp(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the images (B, Y, X), nJy per pixel, and the AB magnitudes (B,)."""
        pairs = [self.pair(index) for index in indices]
        images = np.stack([pair.images.sum(0) for pair in pairs])
        return images, np.array([pair.magnitude for pair in pairs])

    def _places(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        grid = self.operator.grid
        return (grid.stamp - 1) / 2 + offsets / grid.target_scale


class SyntheticBlends(BlendedGalaxies):
    """Of the synthetic population, without other sources around; the fainter one is at any z < 2.

    Parameters are those of `SeenGalaxies`; the seed is that of the population (split "blend") too.
    """

    def __init__(self, *, seed: int, pair: SurveyPair | None = None) -> None:
        super().__init__(seed=seed, pair=pair)
        grid = self.operator.grid
        self._renderer = StampRenderer(
            size=grid.stamp, pixel_scale=grid.target_scale, psf=self._sharp_psf
        )

    def _drawn(self, index: int, generator: np.random.Generator) -> Pair:
        low, high = BLENDED_MAGNITUDES
        first, magnitude = self._galaxy("blend", index, low, high)
        if self.kind(index) != "pair":
            offsets = np.array([[first["offset_y"], first["offset_x"]]] * 2)
            image = self._renderer.render(first)
            alone = np.stack([image, np.zeros_like(image)])
            return Pair(alone, self._places(offsets), magnitude, np.inf, np.nan)
        layout = Layout.draw(generator)
        faint = magnitude + 2.5 * float(np.log10(layout.ratio))
        second, _ = self._galaxy("blend second", index, faint - 1e-3, faint + 1e-3)
        second["flux"] = first["flux"] / layout.ratio
        for galaxy, (y, x) in zip((first, second), layout.offsets, strict=True):
            galaxy["offset_y"], galaxy["offset_x"] = y, x
        images = np.stack([self._renderer.render(one) for one in (first, second)])
        return Pair(
            images, self._places(layout.offsets), magnitude, layout.ratio, layout.separation
        )

    def _galaxy(
        self, split: str, index: int, low: float, high: float
    ) -> tuple[dict[str, Any], float]:
        table = without_neighbours(
            draw_population(
                [index], seed=self.seed, split=split, min_magnitude=low, max_magnitude=high
            )
        )
        row = {name: table[name][0] for name in table.colnames}
        return row, float(row["h_magnitude"])


class RealBlends(BlendedGalaxies):
    """Of given images of isolated galaxies, added together.

    Each of `KINDS` has a third of the images of its own, so that thresholds are set by other
    galaxies than those that are counted. The fainter one of a pair is another galaxy, dimmed to the
    flux ratio; galaxies are shifted by whole pixels.

    Parameters
    ----------
    images : ndarray (N, Y, X)
        At least `FEWEST_REAL`; sharp, nearly noiseless, nJy per pixel of the target, galaxies in
        the middle.
    magnitudes : ndarray (N,)
        AB.
    seed, pair
        As of `SeenGalaxies`.
    """

    def __init__(
        self,
        images: NDArray[np.float32],
        magnitudes: NDArray[np.float64],
        *,
        seed: int,
        pair: SurveyPair | None = None,
    ) -> None:
        super().__init__(seed=seed, pair=pair)
        self.images, self.magnitudes = images, magnitudes

    def _drawn(self, index: int, generator: np.random.Generator) -> Pair:
        kinds = len(KINDS)
        own = np.arange(index % kinds, len(self.images), kinds)
        place = index // kinds % len(own)
        number = int(own[place])
        first, magnitude = self.images[number], float(self.magnitudes[number])
        if self.kind(index) != "pair":
            alone = np.stack([first, np.zeros_like(first)])
            return Pair(alone, self._places(np.zeros((2, 2))), magnitude, np.inf, np.nan)
        layout = Layout.draw(generator)
        drawn = int(generator.integers(len(own) - 1))
        other = int(own[drawn + (drawn >= place)])
        dimmed = 10 ** (0.4 * (float(self.magnitudes[other]) - magnitude)) / layout.ratio
        pixels = np.rint(layout.offsets / self.operator.grid.target_scale)
        images = np.stack(
            [
                shift(one, tuple(step), order=0)
                for one, step in zip((first, self.images[other] * dimmed), pixels, strict=True)
            ]
        ).astype(np.float32)
        offsets = pixels * self.operator.grid.target_scale
        apart = float(np.hypot(*(offsets[1] - offsets[0])))
        return Pair(images, self._places(offsets), magnitude, layout.ratio, apart)
