"""The galaxies by which blends are assessed, recovered and measured a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from clumpygan.assessment.blend_settings import BlendSettings
from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import blends
from clumpygan.evaluation.recovery.baselines import richardson_lucy
from clumpygan.evaluation.recovery.blended_galaxies import (
    FEWEST_REAL,
    KINDS,
    BlendedGalaxies,
    Pair,
    RealBlends,
    SyntheticBlends,
)
from clumpygan.evaluation.recovery.blends import Split, find_centres, split_image
from clumpygan.evaluation.recovery.deblenders import (
    fit_pair,
    load_deblender,
    psf_image,
    split_by_sextractor,
)
from clumpygan.evaluation.recovery.observations import MoffatSeeing, Observations
from clumpygan.galaxies.images.overlaps import BLENDED_MAGNITUDES
from clumpygan.gan.blend_odds import BlendOdds, blend_odds_of
from clumpygan.recovery.resolver import SuperResolver

RICHARDSON_LUCY_ITERATIONS = 500
"""As `recover.py` takes: near the best for galaxies of any magnitude."""

_ISOLATED = 4
"""Real galaxies looked at for each pair: a third of them are isolated and bright enough."""

_PACKAGES = {"sextractor": "sep", "scarlet2": "scarlet2"}
"""Of `PEERS`."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What a method shows of N galaxies.

    Attributes
    ----------
    contrast : ndarray (N,)
        Share of the light that the second part has, see `Split`; of `find_centres` their gain,
        of scarlet2 the `score` of a `FittedPair`, of the classifier the probability of two where
        as many galaxies are two as one.
    dm : ndarray (N, 2)
        Magnitude of brighter and fainter galaxy less the true one; NaN unless both are found.
    away : ndarray (N, 2)
        Arcsec between peak and galaxy; NaN likewise.
    """

    contrast: FloatArray
    dm: FloatArray
    away: FloatArray

    @classmethod
    def of(
        cls, contrast: Sequence[float], components: Sequence[tuple[FloatArray, FloatArray]]
    ) -> Seen:
        """Return what is shown of galaxies one by one."""
        dm, away = zip(*components, strict=True)
        return cls(np.array(contrast), np.array(dm), np.array(away))


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
    classifier : BlendOdds or None
        None where the survey isn't that of its training.
    """

    galaxies: BlendedGalaxies
    resolver: SuperResolver
    settings: BlendSettings
    classifier: BlendOdds | None

    def measure(self, indices: Sequence[int]) -> Outcomes:
        """Recover galaxies, and measure them with every method."""
        pairs = [self.galaxies.pair(index) for index in indices]
        batch = self.galaxies.batch(indices)
        images, samples = self._recovered(batch, indices[0])
        sigma = float(batch.sigma[0])
        grid = self.resolver.grid
        survey, fine = (sigma, grid.observed_scale), (sigma / grid.area_ratio, grid.target_scale)
        seen = {
            name: self._seen(found, pairs, *(survey if name == "hsc" else fine))
            for name, found in images.items()
        }
        seen["centres"] = self._seen(images["network"], pairs, *fine, split=find_centres)
        if self.classifier is not None:
            odds = self.classifier.of(batch.observed, batch.sigma, batch.psf)
            nowhere = np.full((len(pairs), 2), np.nan)
            seen["classifier"] = Seen(odds.double().sigmoid().numpy(), nowhere, nowhere)
        if "sextractor" in self.settings.peers:
            for name, of in (("sextractor", "hsc"), ("sextractor_rl", "richardson_lucy")):
                depth = survey if of == "hsc" else fine
                seen[name] = self._seen(images[of], pairs, *depth, split=split_by_sextractor)
        if "scarlet2" in self.settings.peers:
            # What `SeenGalaxies` draws is seen through Moffat profiles.
            psf = cast(MoffatSeeing, batch.psf)
            seen["scarlet2"] = self._fitted(images["hsc"], pairs, sigma, psf)
        each = [self._seen(one, pairs, *fine) for one in samples]
        return Outcomes(
            np.array([KINDS.index(self.galaxies.kind(index)) for index in indices]),
            np.array([pair.magnitude for pair in pairs]),
            np.array([pair.separation for pair in pairs]),
            np.array([pair.ratio for pair in pairs]),
            seen,
            Seen(*(np.stack([getattr(one, name) for one in each], 1)
                   for name in ("contrast", "dm", "away"))),
        )  # fmt: skip

    def _recovered(
        self, batch: Observations, first: int
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Return the images (N, y, x) of each method, and of samples (S, N, y, x)."""
        state = np.random.SeedSequence([self.settings.seed, first]).generate_state(1)
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
        return arrays, found.samples[:, :, 0].numpy()

    def _seen(
        self,
        images: NDArray[np.float32],
        pairs: Sequence[Pair],
        sigma: float,
        pixel_scale: float,
        split: Callable[[NDArray[np.float32], float, float], Split] = split_image,
    ) -> Seen:
        """Measure what falls apart in images (N, y, x)."""
        splits = [split(image, sigma, pixel_scale) for image in images]
        return Seen.of(
            [one.contrast for one in splits],
            [self._components(
                pair, one.places, image.shape, pixel_scale,
                partial(blends.share_light, image, pixel_scale=pixel_scale))
             for image, pair, one in zip(images, pairs, splits, strict=True)],
        )  # fmt: skip

    def _fitted(
        self, images: NDArray[np.float32], pairs: Sequence[Pair], sigma: float, psf: MoffatSeeing
    ) -> Seen:
        """Measure pairs of sources that scarlet2 fits to the survey's images (N, y, x)."""
        scale = self.resolver.grid.observed_scale
        scores, components = [], []
        for image, pair, fwhm, beta in zip(images, pairs, psf.fwhm, psf.beta, strict=True):
            shape = self.galaxies.survey.psf(float(fwhm), float(beta))
            found = fit_pair(image, sigma, psf_image(shape, scale), scale)
            scores.append(found.score)
            components.append(
                self._components(pair, found.places, image.shape, scale, found.fluxes_at)
            )
        return Seen.of(scores, components)

    def _components(
        self,
        pair: Pair,
        found: FloatArray,
        shape: Sequence[int],
        pixel_scale: float,
        fluxes_at: Callable[[FloatArray], ArrayLike],
    ) -> tuple[FloatArray, FloatArray]:
        """Return magnitudes less the true ones and distances in arcsec, NaN unless both are found.

        Whatever its pixels, an image has the middle of the sharp one.
        """
        lost = np.full(2, np.nan)
        if not np.isfinite(pair.separation):
            return lost, lost
        fine = self.resolver.grid.target_scale
        sharp_middle, middle = (
            (np.array(one, np.float64) - 1) / 2 for one in (pair.images.shape[-2:], shape)
        )
        truths = middle + (pair.places - sharp_middle) * fine / pixel_scale
        places = blends.match_two(found, truths, 0.5 * pair.separation / pixel_scale)
        if places is None:
            return lost, lost
        fluxes = np.array(fluxes_at(places))
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
        For a missing or wrong checkpoint or recipe, or a deblender that isn't installed.
    """
    for peer in settings.peers:
        load_deblender(_PACKAGES[peer])
    resolver = SuperResolver.from_checkpoint(settings.checkpoint)
    classifier = blend_odds_of(settings.classifier, resolver.pair)
    if settings.real is None:
        made = SyntheticBlends(seed=settings.seed, pair=resolver.pair)
        return BlendBench(made, resolver, settings, classifier)
    found = open_real(
        settings.cache, settings.real, Camera.of(resolver.pair), "test", _ISOLATED * settings.n,
        settings.seed, workers=settings.workers,
    )  # fmt: skip
    magnitude = np.asarray(found.table["h_magnitude"], np.float64)
    alone = np.array([not str(name).strip() for name in found.table["neighbour"]])
    low, high = BLENDED_MAGNITUDES
    rows = np.flatnonzero(alone & (magnitude >= low) & (magnitude < high))
    if len(rows) < FEWEST_REAL:
        raise InputError(
            f"{settings.real}: {len(rows)} isolated galaxies of {low:g} < H < {high:g} in its test"
            f" split; expected {FEWEST_REAL} or more"
        )
    images = np.asarray(found.images[rows], np.float32)
    galaxies = RealBlends(images, magnitude[rows], seed=settings.seed, pair=resolver.pair)
    return BlendBench(galaxies, resolver, settings, classifier)


def measure_unit(settings: BlendSettings, indices: range) -> Outcomes:
    """Recover and measure galaxies of those numbers."""
    return blend_bench(settings).measure(indices)
