"""How real generated galaxies look: every test of the realism table, for several sets of stamps."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.coverage import precision_and_recall
from clumpygan.evaluation.frechet import (
    Features,
    Scale,
    frechet_distance,
    frechet_extrapolated,
    scale_of,
    with_outliers_pulled_in,
)
from clumpygan.evaluation.image_statistics import FEATURES, SMALLEST_SIDE, image_features
from clumpygan.evaluation.morphology import Morphology, measure_morphology
from clumpygan.evaluation.neighbours import Neighbours, nearest_neighbours, novelty
from clumpygan.evaluation.two_sample import feature_classifier, ks_distances, mmd

REFERENCE = "reference"
"""Name of the set that all others are compared with."""

SMALLEST_SET = 20
"""Fewer galaxies than this have no distribution to speak of."""

Number = dict[str, float | None]
"""`value` with its `error`, or its `p_value`; None where there is nothing to measure."""

Images = NDArray[np.floating]


@dataclass
class Realism:
    """Everything that was measured.

    Attributes
    ----------
    numbers : dict
        Candidate -> test -> {"value", "error"} or {"value", "p_value"}: `frechet` (extrapolated to
        infinite number) and `frechet_at_n`, `mmd`, `feature_classifier`, `pixel_classifier`,
        `precision`, `recall`, `largest_ks`; with morphology `frechet_morphology`; with a training
        set `novelty_ratio` and `close_share`.
    ks : dict
        Candidate -> feature -> {"value", "p_value"} of the Kolmogorov-Smirnov distance; features of
        statmorph are called "statmorph NAME".
    sizes : dict
        Set -> number of stamps.
    features : dict
        Set -> (N, F) of `image_statistics.FEATURES`.
    morphology : dict
        Set -> Morphology of the first stamps of it; empty if it wasn't measured.
    neighbours : dict
        Set -> Neighbours in the training set; empty without one.
    seconds : dict
        Stage -> seconds it took, all sets together.
    """

    numbers: dict[str, dict[str, Number]] = field(default_factory=dict)
    ks: dict[str, dict[str, Number]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    features: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    morphology: dict[str, Morphology] = field(default_factory=dict)
    neighbours: dict[str, Neighbours] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as nested dictionaries for JSON."""
        return {
            "sizes": self.sizes,
            "tests": self.numbers,
            "ks": self.ks,
            "morphology": {
                name: {"stamps": len(one.flags), "measured": one.measured}
                for name, one in self.morphology.items()
            },
            "medians": {
                name: dict(zip(FEATURES, np.median(table, axis=0).tolist(), strict=True))
                for name, table in self.features.items()
            },
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes
    ----------
    morphology : int
        Stamps of each set that statmorph measures; 0 leaves it out.
    pixel_epochs : int
        Times the pixel classifier sees its images; 0 leaves it out.
    workers : int
        Processes of statmorph.
    device : str
        Of the pixel classifier.
    """

    morphology: int = 300
    pixel_epochs: int = 16
    workers: int = 1
    device: str = "cpu"


def measure_realism(
    reference: Images,
    candidates: Mapping[str, Images],
    *,
    generator: np.random.Generator,
    training: Images | None = None,
    psf: NDArray[np.floating] | None = None,
    effort: Effort | None = None,
    report: Callable[[str], object] = lambda stage: None,
) -> Realism:
    """Compare sets of stamps with held-out real ones, in every way.

    Parameters
    ----------
    reference : numpy.ndarray, (N, y, x)
        Held-out real stamps, in units of the noise per pixel.
    candidates : mapping
        Name -> stamps (M, y, x) with noise like the reference's. Another half of the real ones
        among them shows what equal distributions give.
    generator : numpy.random.Generator
        For permutations, folds and networks.
    training : numpy.ndarray, (T, y, x), optional
        What the generator learnt from, to look for copies.
    psf : numpy.ndarray, (y, x), optional
        For statmorph's Sersic fits.
    effort : Effort, optional
    report : callable, optional
        Told the name of each stage as it begins.

    Returns
    -------
    Realism

    Raises
    ------
    InputError
        If a set has fewer than 20 stamps, other sides than the reference's, or NaN; if statmorph is
        asked for and missing.
    """
    effort = effort or Effort()
    sets = {REFERENCE: reference, **candidates}
    for name, images in sets.items():
        check_stamps(images, name, reference.shape[1:])
    if training is not None:
        check_stamps(training, "training", reference.shape[1:])
    result = Realism(sizes={name: len(images) for name, images in sets.items()})
    clock = Clock(result.seconds, report)
    with clock("features"):
        result.features = {name: image_features(images) for name, images in sets.items()}
    scale = scale_of(result.features[REFERENCE])
    streams = Streams(int(generator.integers(2**63)))
    with clock("tests on features"):
        for name in candidates:
            result.numbers[name], result.ks[name] = _feature_tests(
                result.features[name], result.features[REFERENCE], scale, partial(streams, name)
            )
    if effort.pixel_epochs:
        with clock("pixel classifier"):
            from clumpygan.evaluation.pixel_classifier import pixel_classifier

            for name, images in candidates.items():
                found = pixel_classifier(
                    images,
                    reference,
                    streams(name, "pixels"),
                    epochs=effort.pixel_epochs,
                    device=effort.device,
                )
                result.numbers[name]["pixel_classifier"] = found._asdict()
    if effort.morphology:
        with clock("morphology"):
            for name, images in sets.items():
                result.morphology[name] = measure_morphology(
                    images[: effort.morphology], psf, workers=effort.workers
                )
            _compare_morphology(result, streams)
    if training is not None:
        with clock("nearest neighbours"):
            for name, images in sets.items():
                result.neighbours[name] = nearest_neighbours(images, training)
            _compare_novelty(result, streams)
    return result


@dataclass(frozen=True)
class Streams:
    """Random streams, one for each test of each set: what else is compared changes nothing."""

    seed: int

    def __call__(self, name: str, test: str) -> np.random.Generator:
        """Return the stream of a test of a set."""
        return np.random.default_rng([self.seed, crc32(f"{test} of {name}".encode())])


def check_stamps(images: Images, name: str, sides: tuple[int, ...]) -> None:
    """Refuse stamps that can't be compared.

    Parameters
    ----------
    images : numpy.ndarray
    name : str
        What they are called in the message.
    sides : tuple of int
        Expected (y, x).

    Raises
    ------
    InputError
        If they aren't (N, y, x) of these sides, are fewer than 20, or hold NaN.
    """
    if images.ndim != 3 or images.shape[1:] != sides or min(sides) < SMALLEST_SIDE:
        raise InputError(
            f"the {name} stamps have shape {images.shape}: expected (N, {sides[0]}, {sides[1]}) as "
            f"the reference, with sides of {SMALLEST_SIDE} pixels or more"
        )
    if len(images) < SMALLEST_SET:
        raise InputError(
            f"{len(images)} {name} stamps are too few to compare: expected {SMALLEST_SET} or more"
        )
    finite = np.isfinite(images).all(axis=(1, 2))
    if not finite.all():
        raise InputError(
            f"{int((~finite).sum())} of {len(images)} {name} stamps hold NaN or infinity, the first"
            f" is number {int(np.argmin(finite))}: leave them out or fill their pixels"
        )


def _feature_tests(
    made: Features, real: Features, scale: Scale, stream: Callable[[str], np.random.Generator]
) -> tuple[dict[str, Number], dict[str, Number]]:
    tests = ks_distances(made, real)
    ks = {
        name: {"value": test.statistic, "p_value": test.p_value}
        for name, test in zip(FEATURES, tests, strict=True)
    }
    frechet = frechet_extrapolated(made, real, stream("frechet"), scale)
    discrepancy = mmd(made, real, stream("mmd"), scale)
    coverage = precision_and_recall(made, real, scale)
    numbers: dict[str, Number] = {
        "frechet": frechet._asdict(),
        "frechet_at_n": {"value": frechet_distance(made, real, scale), "error": None},
        "mmd": {"value": discrepancy.statistic, "p_value": discrepancy.p_value},
        "feature_classifier": feature_classifier(made, real, stream("classifier"))._asdict(),
        "precision": coverage.precision._asdict(),
        "recall": coverage.recall._asdict(),
        "largest_ks": max(ks.values(), key=lambda one: one["value"] or 0.0),
    }
    return numbers, ks


def _compare_morphology(result: Realism, streams: Streams) -> None:
    """Add the distances of statmorph's numbers; a galaxy with NaN counts in none of Frechet's.

    On faint stamps statmorph's numbers may be anything: for Frechet's distance outliers of the
    reference's distribution are pulled in.
    """
    real = result.morphology[REFERENCE]
    for name in result.numbers:
        made = result.morphology[name]
        tests = ks_distances(made.table, real.table)
        for quantity, test in zip(real.values, tests, strict=True):
            result.ks[name][f"statmorph {quantity}"] = {
                "value": _finite(test.statistic),
                "p_value": _finite(test.p_value),
            }
        whole = [one[np.isfinite(one).all(axis=1)] for one in (made.table, real.table)]
        number: Number = {"value": None, "error": None}
        if min(map(len, whole)) >= SMALLEST_SET:
            tame = [with_outliers_pulled_in(one, whole[1]) for one in whole]
            number = frechet_extrapolated(*tame, streams(name, "morphology"))._asdict()
        result.numbers[name]["frechet_morphology"] = number


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _compare_novelty(result: Realism, streams: Streams) -> None:
    for name, tests in result.numbers.items():
        found = novelty(
            result.neighbours[name], result.neighbours[REFERENCE], streams(name, "novelty")
        )
        tests["novelty_ratio"] = {"value": found.ratio, "error": found.ratio_error}
        tests["close_share"] = {"value": found.close_share, "error": found.close_error}


@dataclass(frozen=True)
class Clock:
    """Notes how long each stage takes."""

    seconds: dict[str, float]
    report: Callable[[str], object]

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Report the stage, and note how long what is done in the context takes."""
        self.report(stage)
        begin = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - begin
