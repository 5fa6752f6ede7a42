"""The galaxies by which blends are assessed, recovered and measured a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.assessment.blend_settings import BlendSettings
from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import blends
from clumpygan.evaluation.recovery.baselines import richardson_lucy
from clumpygan.evaluation.recovery.blended_galaxies import (
    FEWEST_REAL,
    KINDS,
    MAGNITUDES,
    BlendedGalaxies,
    Pair,
    RealBlends,
    SyntheticBlends,
)
from clumpygan.evaluation.recovery.blends import Split, split_image
from clumpygan.recovery.resolver import SuperResolver

RICHARDSON_LUCY_ITERATIONS = 500
"""As `recover.py` takes: near the best for galaxies of any magnitude."""

_ISOLATED = 4
"""Real galaxies looked at for each pair: a third of them are isolated and bright enough."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What a method shows of N galaxies.

    Attributes
    ----------
    contrast : ndarray (N,)
        Share of the light that the second part has, see `Split`.
    dm : ndarray (N, 2)
        Magnitude of brighter and fainter galaxy less the true one; NaN unless both are found.
    away : ndarray (N, 2)
        Arcsec between peak and galaxy; NaN likewise.
    """

    contrast: FloatArray
    dm: FloatArray
    away: FloatArray


@dataclass(frozen=True)
class Outcomes:
    """What was found of N galaxies.

    Attributes
    ----------
    kind : ndarray (N,)
        Place in `KINDS`.
    magnitude, separation, flux_ratio : ndarray (N,)
        Of pairs; the magnitude also of single galaxies.
    seen : dict
        Method, but for samples -> what it shows.
    samples : Seen
        The same of each sample: (N, S) and (N, S, 2).
    """

    kind: NDArray[np.int64]
    magnitude: FloatArray
    separation: FloatArray
    flux_ratio: FloatArray
    seen: dict[str, Seen]
    samples: Seen


@dataclass(frozen=True)
class BlendBench:
    """Galaxies, and the network that recovers them.

    Attributes
    ----------
    galaxies : BlendedGalaxies
    resolver : SuperResolver
    settings : BlendSettings
    """

    galaxies: BlendedGalaxies
    resolver: SuperResolver
    settings: BlendSettings

    def measure(self, indices: Sequence[int]) -> Outcomes:
        """Recover galaxies, and measure them with every method."""
        pairs = [self.galaxies.pair(index) for index in indices]
        images, sigma = self._images(indices)
        fine, coarse = self.resolver.grid.target_scale, self.resolver.grid.observed_scale
        seen = {
            name: self._seen(
                found,
                pairs,
                *((sigma, coarse) if name == "hsc" else (sigma / self._area_ratio, fine)),
            )
            for name, found in images.items()
            if name != "samples"
        }
        each = [self._seen(one, pairs, sigma / self._area_ratio, fine) for one in images["samples"]]
        samples = Seen(*(np.stack([getattr(one, name) for one in each], 1)
                         for name in ("contrast", "dm", "away")))  # fmt: skip
        return Outcomes(
            np.array([KINDS.index(self.galaxies.kind(index)) for index in indices]),
            np.array([pair.magnitude for pair in pairs]),
            np.array([pair.separation for pair in pairs]),
            np.array([pair.ratio for pair in pairs]),
            seen,
            samples,
        )

    @property
    def _area_ratio(self) -> float:
        return self.resolver.grid.area_ratio

    def _images(self, indices: Sequence[int]) -> tuple[dict[str, NDArray[np.float32]], float]:
        """Return the images of each method (N, y, x), of samples (S, N, y, x), and the noise."""
        batch = self.galaxies.batch(indices)
        state = np.random.SeedSequence([self.settings.seed, indices[0]]).generate_state(1)
        operator, count = self.resolver.operator, RICHARDSON_LUCY_ITERATIONS
        shape = (batch.observed.shape[-2], batch.observed.shape[-1])
        with torch.inference_mode():
            found = self.resolver.recover(
                batch.observed, batch.sigma, batch.psf, samples=self.settings.samples,
                seed=int(state[0]) % 2**31,
            )  # fmt: skip
            transfer = batch.psf(operator.frequencies(shape))
            classical = richardson_lucy(
                batch.observed, batch.sigma, transfer, operator, iterations=(count,)
            )
        images = {"hst": batch.truth, "hsc": batch.observed, "richardson_lucy": classical[count],
                  "network": found.best, "sample": found.samples[0]}  # fmt: skip
        arrays = {name: image[:, 0].numpy() for name, image in images.items()}
        return arrays | {"samples": found.samples[:, :, 0].numpy()}, float(batch.sigma[0])

    def _seen(
        self,
        images: NDArray[np.float32],
        pairs: Sequence[Pair],
        sigma: float,
        pixel_scale: float,
    ) -> Seen:
        splits = [split_image(image, sigma, pixel_scale) for image in images]
        components = [
            self._components(*one, pixel_scale) for one in zip(images, pairs, splits, strict=True)
        ]
        return Seen(
            np.array([one.contrast for one in splits]),
            np.array([dm for dm, _ in components]),
            np.array([away for _, away in components]),
        )

    def _components(
        self, image: NDArray[np.float32], pair: Pair, split: Split, pixel_scale: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return magnitudes less the true ones and distances in arcsec, NaN unless both are found.

        Whatever its pixels, an image has the middle of the sharp one.
        """
        lost = np.full(2, np.nan)
        if not np.isfinite(pair.separation):
            return lost, lost
        fine = self.resolver.grid.target_scale
        sharp_middle, middle = (
            (np.array(one.shape[-2:], np.float64) - 1) / 2 for one in (pair.images, image)
        )
        truths = middle + (pair.places - sharp_middle) * fine / pixel_scale
        places = blends.match_two(split.places, truths, 0.5 * pair.separation / pixel_scale)
        if places is None:
            return lost, lost
        fluxes = np.array(blends.share_light(image, places, pixel_scale))
        true = np.array(
            [blends.flux_within(one, place, fine)
             for one, place in zip(pair.images, pair.places, strict=True)]
        )  # fmt: skip
        if not ((fluxes > 0) & (true > 0)).all():
            return lost, lost
        away = np.linalg.norm(places - truths, axis=1) * pixel_scale
        return -2.5 * np.log10(fluxes / true), np.asarray(away)


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Join the outcomes of several batches, in their order."""

    def seen(found: Sequence[Seen]) -> Seen:
        return Seen(*(np.concatenate([getattr(one, name) for one in found])
                      for name in ("contrast", "dm", "away")))  # fmt: skip

    return Outcomes(
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.magnitude for part in parts]),
        np.concatenate([part.separation for part in parts]),
        np.concatenate([part.flux_ratio for part in parts]),
        {name: seen([part.seen[name] for part in parts]) for name in parts[0].seen},
        seen([part.samples for part in parts]),
    )


@lru_cache(maxsize=1)
def blend_bench(settings: BlendSettings) -> BlendBench:
    """Return galaxies and network, kept from one batch to the next.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint or recipe.
    """
    resolver = SuperResolver.from_checkpoint(settings.checkpoint)
    if settings.real is None:
        return BlendBench(
            SyntheticBlends(seed=settings.seed, pair=resolver.pair), resolver, settings
        )
    found = open_real(
        settings.cache, settings.real, Camera.of(resolver.pair), "test", _ISOLATED * settings.n,
        settings.seed, workers=settings.workers,
    )  # fmt: skip
    magnitude = np.asarray(found.table["h_magnitude"], np.float64)
    alone = np.array([not str(name).strip() for name in found.table["neighbour"]])
    low, high = MAGNITUDES
    rows = np.flatnonzero(alone & (magnitude >= low) & (magnitude < high))
    if len(rows) < FEWEST_REAL:
        raise InputError(
            f"{settings.real}: {len(rows)} isolated galaxies of {low:g} < H < {high:g} in its test"
            f" split; expected {FEWEST_REAL} or more"
        )
    images = np.asarray(found.images[rows], np.float32)
    galaxies = RealBlends(images, magnitude[rows], seed=settings.seed, pair=resolver.pair)
    return BlendBench(galaxies, resolver, settings)


def measure_unit(settings: BlendSettings, indices: range) -> Outcomes:
    """Recover and measure galaxies of those numbers."""
    return blend_bench(settings).measure(indices)
