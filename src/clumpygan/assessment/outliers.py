"""Which observed images are told to be unlike the galaxies that a network was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import galsim
import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.outlier_settings import OutlierSettings
from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.evaluation.recovery.observations import (
    GivenGalaxies,
    SeenGalaxies,
    SyntheticGalaxies,
)
from clumpygan.evaluation.recovery.observed_features import FEATURES, observed_features
from clumpygan.evaluation.recovery.out_of_distribution import (
    UNUSUAL,
    Likeness,
    TrainingPopulation,
)
from clumpygan.instruments import SurveyPair
from clumpygan.recovery.resolver import SuperResolver

_BATCH = 20

STARS = (18.0, 20.0, 21.0, 22.0, 24.0)
"""AB magnitudes of the stars that are tried."""

_SATURATED = 0.3
"""Of the peak of a star of 19 mag, above which its image is cut off."""

_SPIRALS = ((2.0, 18.0), (4.0, 18.0))
"""Half-light radius in arcsec and AB magnitude of the spirals: larger than a stamp."""

_KNOTS, _KNOT_LIGHT = 8, 0.2
"""Star-forming regions of a spiral, and their share of the light."""

_SLOPE = 1.5
"""Sigma of the noise, at the edges of a stamp whose sky slopes."""

Features = tuple[float, NDArray[np.float64]]


@dataclass(frozen=True)
class Outliers:
    """How many images of each kind are told to be unusual.

    Attributes
    ----------
    settings : OutlierSettings
    population : TrainingPopulation
    found : dict
        Kind -> how like the population its images are.
    """

    settings: OutlierSettings
    population: TrainingPopulation
    found: dict[str, list[Likeness]]

    def to_dict(self) -> dict[str, Any]:
        """Return sets -> numbers, definitions and settings."""
        settings = self.settings
        return {
            "sets": {name: _summary(rows) for name, rows in self.found.items()},
            "definitions": {
                "likeness": "share of the galaxies of the population that are as unlike the rest",
                "flagged": f"share of the images whose likeness is below {UNUSUAL:g}",
                **{name: one.definition for name, one in FEATURES.items()},
            },
            "settings": {
                "n": settings.n, "tried": settings.tried, "seed": settings.seed,
                "anew": settings.anew, "checkpoint": settings.checkpoint,
                "real": None if settings.real is None else str(settings.real),
            },
        }  # fmt: skip

    def __str__(self) -> str:
        """Return a line for each kind of image."""
        lines = [f"  {'':26}{'flagged':>8}{'likeness':>10}  most often by"]
        for name, rows in self.found.items():
            one = _summary(rows)
            lines.append(
                f"  {name:26}{one['flagged']:>8.2f}{one['median_likeness']:>10.3f}"
                f"  {one['differs_by'] or ''}"
            )
        return "\n".join(lines)


def _summary(rows: list[Likeness]) -> dict[str, Any]:
    flagged = [one for one in rows if one.unusual]
    most = Counter(one.reason for one in flagged).most_common(1)
    return {
        "n": len(rows),
        "flagged": len(flagged) / len(rows),
        "median_likeness": float(np.median([one.probability for one in rows])),
        "differs_by": most[0][0] if most else None,
    }


def measure_outliers(
    settings: OutlierSettings | None = None,
    *,
    progress: Callable[[int, int, str], object] = lambda done, of, stage: None,
    **given: Any,
) -> Outliers:
    """Say of galaxies, stars, noise and spoilt images how like the training's galaxies they are.

    Parameters
    ----------
    settings : OutlierSettings, optional
    progress : callable, optional
        Called with the images that were measured since the last call, all of them, and the kind.
    **given
        Settings by their names, in place of `settings`.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint or recipe.
    """
    settings = settings or OutlierSettings(**given)
    resolver = SuperResolver.from_checkpoint(settings.checkpoint)
    pair, population = resolver.pair, resolver.population
    kinds = _kinds(settings, pair)  # what is wrong with a recipe is said before all starts
    if population is None or settings.anew:
        rows = []
        for one in _of_galaxies(SyntheticGalaxies(seed=settings.seed, pair=pair), settings.n):
            rows.append(one)
            progress(1, settings.n, "population")
        population = TrainingPopulation.measured(
            np.array([one[0] for one in rows]), np.array([one[1] for one in rows])
        )
    found = {}
    for name, features in kinds.items():
        found[name] = [population.likeness(*one) for one in features]
        progress(1, 1, name)
    return Outliers(settings, population, found)


def _of_galaxies(galaxies: SeenGalaxies, count: int) -> Iterator[Features]:
    scale = galaxies.operator.grid.observed_scale
    for first in range(0, count, _BATCH):
        batch = galaxies.batch(range(first, min(first + _BATCH, count)))
        for image, sigma, fwhm in zip(batch.observed, batch.sigma, batch.psf.fwhm, strict=True):
            yield observed_features(image[0].numpy(), float(sigma), float(fwhm), scale)


def _kinds(settings: OutlierSettings, pair: SurveyPair) -> dict[str, Iterator[Features]]:
    """Return what is tried: others than those by which the population was measured."""
    held_out = SyntheticGalaxies(seed=settings.seed + 1, pair=pair)
    kinds = {"held-out galaxies": _of_galaxies(held_out, settings.tried)}
    if settings.real is not None:
        camera = Camera.of(pair)
        real = open_real(
            settings.cache, settings.real, camera, "test", settings.tried, settings.seed
        )
        magnitudes = np.asarray(real.table["h_magnitude"])
        seen = GivenGalaxies(real.images, magnitudes, seed=settings.seed, pair=pair)
        kinds["real galaxies"] = _of_galaxies(seen, settings.tried)
    drawn = partial(_drawn, settings, pair)
    for magnitude in STARS:
        kinds[f"stars of {magnitude:g} mag"] = drawn(
            f"star {magnitude:g}", partial(_star, magnitude)
        )
    kinds["saturated stars, 19 mag"] = drawn("saturated", _saturated)
    for radius, magnitude in _SPIRALS:
        kinds[f'spirals of {radius:g}", {magnitude:g} mag'] = drawn(
            f"spiral {radius}", partial(_spiral, radius, magnitude)
        )
    kinds["noise"] = drawn("noise", _nothing)
    kinds["sloping sky"] = drawn("slope", _sloping)
    return kinds


@dataclass(frozen=True)
class _Sky:
    pair: SurveyPair
    psf: galsim.GSObject
    random: np.random.Generator

    @property
    def side(self) -> int:
        return self.pair.grid.coarse_shape((self.pair.grid.stamp,) * 2)[0]

    def image(self, light: galsim.GSObject) -> NDArray[np.float64]:
        drawn = light.drawImage(
            nx=self.side, ny=self.side, scale=self.pair.grid.observed_scale, method="no_pixel",
            dtype=np.float64,
        )  # fmt: skip
        return np.asarray(drawn.array)


def _drawn(
    settings: OutlierSettings,
    pair: SurveyPair,
    name: str,
    draw: Callable[[_Sky], NDArray[np.float64]],
) -> Iterator[Features]:
    survey, scale = pair.survey, pair.grid.observed_scale
    for index in range(settings.tried):
        random = np.random.default_rng([settings.seed, crc32(name.encode()), index])
        fwhm = float(random.uniform(*survey.psf_fwhm_range))
        image = draw(_Sky(pair, survey.psf(fwhm=fwhm), random))
        noisy = image + survey.sky_sigma * random.standard_normal(image.shape)
        yield observed_features(noisy, survey.sky_sigma, fwhm, scale)


def _flux(magnitude: float) -> float:
    return float(10 ** (0.4 * (NANOJANSKY_ZERO_POINT - magnitude)))


def _star(magnitude: float, sky: _Sky) -> NDArray[np.float64]:
    half = sky.pair.grid.observed_scale / 2
    return sky.image(sky.psf.withFlux(_flux(magnitude)).shift(*sky.random.uniform(-half, half, 2)))


def _saturated(sky: _Sky) -> NDArray[np.float64]:
    image = _star(19.0, sky)
    return np.asarray(np.minimum(image, _SATURATED * image.max()))


def _spiral(radius: float, magnitude: float, sky: _Sky) -> NDArray[np.float64]:
    flux = _flux(magnitude)
    light = galsim.Exponential(half_light_radius=radius, flux=(1 - _KNOT_LIGHT) * flux)
    for _ in range(_KNOTS):
        knot = galsim.Gaussian(fwhm=0.3, flux=_KNOT_LIGHT * flux / _KNOTS)
        light += knot.shift(*sky.random.normal(0, 0.7 * radius, 2))
    tilted = light.shear(q=float(sky.random.uniform(0.4, 1)), beta=0 * galsim.degrees)
    return sky.image(galsim.Convolve(tilted, sky.psf))


def _nothing(sky: _Sky) -> NDArray[np.float64]:
    side = sky.side
    return np.zeros((side, side))


def _sloping(sky: _Sky) -> NDArray[np.float64]:
    slope = np.linspace(-_SLOPE, _SLOPE, sky.side) * sky.pair.survey.sky_sigma
    return _nothing(sky) + slope
