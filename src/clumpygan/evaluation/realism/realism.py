"""How real generated galaxies look: every test of the realism table, for several sets of stamps."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.frechet import (
    Features,
    Scale,
    frechet_distance,
    frechet_extrapolated,
    scale_of,
)
from clumpygan.evaluation.realism.image_statistics import (
    FEATURES,
    MORPHOLOGY,
    SMALLEST_SIDE,
    image_features,
)
from clumpygan.evaluation.realism.neighbours import Neighbours, nearest_neighbours, novelty
from clumpygan.evaluation.realism.precision_recall import precision_and_recall
from clumpygan.evaluation.realism.two_sample import (
    Accuracy,
    feature_classifier,
    ks_distances,
    mean_wasserstein,
    mmd,
    wasserstein_distances,
)

REFERENCE = "reference"
"""Name of the set that all others are compared with."""

SMALLEST_SET = 20
"""Fewer galaxies than this have no distribution to speak of."""

MAGNITUDE_EDGES = (18, 20, 22, 24, 25, 26, 28)
"""Of the ranges in which sets are compared."""

_LOOKS = [FEATURES.index(name) for name in MORPHOLOGY]

Number = dict[str, float | None]
"""`value` with its `error`, or its `p_value`; None where there is nothing to measure."""

Images = NDArray[np.floating]
Progress = Callable[[int, int, str], object]
"""Told how many more are done, of how many, and the name of the stage."""


@dataclass
class Realism:
    """Everything that was measured.

    Attributes
    ----------
    numbers : dict
        Candidate -> test -> {"value", "error"} or {"value", "p_value"}: `frechet` (extrapolated to
        infinite number) and `frechet_at_n`, `wasserstein` (mean over the morphology), `mmd`,
        `feature_classifier`, `pixel_classifier`, `precision`, `recall`, `largest_ks`; with a
        training set also `novelty_ratio` and `close_share`.
    ks : dict
        Candidate -> feature -> {"value", "p_value"} of the Kolmogorov-Smirnov distance.
    distances : dict
        Candidate -> statistic of `MORPHOLOGY` -> {"value", "error"} of its Wasserstein distance, in
        standard deviations of the reference.
    by_magnitude : dict
        Range of magnitudes, as "22-24" -> candidate -> `number` of its galaxies, `wasserstein` and
        `feature_classifier`; of sets whose magnitudes are known.
    sizes : dict
        Set -> number of stamps.
    features : dict
        Set -> (N, F) of `image_statistics.FEATURES`.
    neighbours : dict
        Set -> Neighbours in the training set; empty without one.
    seconds : dict
        Stage -> seconds it took, all sets together.
    """

    numbers: dict[str, dict[str, Number]] = field(default_factory=dict)
    ks: dict[str, dict[str, Number]] = field(default_factory=dict)
    distances: dict[str, dict[str, Number]] = field(default_factory=dict)
    by_magnitude: dict[str, dict[str, dict[str, Number]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    features: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    neighbours: dict[str, Neighbours] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as nested dictionaries for JSON."""
        return {
            "sizes": self.sizes,
            "tests": self.numbers,
            "ks": self.ks,
            "wasserstein": self.distances,
            "by_magnitude": self.by_magnitude,
            "medians": {
                name: dict(zip(FEATURES, np.median(table, axis=0).tolist(), strict=True))
                for name, table in self.features.items()
            },
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


def measure_realism(
    reference: Images,
    candidates: Mapping[str, Images],
    *,
    generator: np.random.Generator,
    training: Images | None = None,
    magnitudes: Mapping[str, NDArray[np.floating]] | None = None,
    pixel_epochs: int = 16,
    device: str = "cpu",
    report: Callable[[str], object] = lambda stage: None,
    progress: Progress = lambda done, of, stage: None,
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
    magnitudes : mapping, optional
        Name of a set, or `REFERENCE` -> AB magnitudes (M,) of its galaxies: those sets are compared
        in ranges of magnitude, too.
    pixel_epochs : int
        Times the pixel classifier sees its images; 0 leaves it out.
    device : str
        Of the pixel classifier.
    report : callable, optional
        Told the name of each stage as it begins.
    progress : callable, optional
        Called with how many more epochs of a classifier are done, of how many, and its name.

    Returns
    -------
    Realism

    Raises
    ------
    InputError
        If a set has fewer than 20 stamps, other sides than the reference's, or NaN.
    """
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
            made, real = result.features[name], result.features[REFERENCE]
            result.numbers[name], result.ks[name] = _feature_tests(
                made, real, scale, partial(streams, name)
            )
            apart = wasserstein_distances(made[:, _LOOKS], real[:, _LOOKS]).tolist()
            result.distances[name] = {
                one: {"value": value, "error": None}
                for one, value in zip(MORPHOLOGY, apart, strict=True)
            }
        _compare_by_magnitude(result, magnitudes or {}, streams)
    if pixel_epochs:
        with clock("pixel classifier"):
            from clumpygan.evaluation.realism.pixel_classifier import pixel_classifier

            for name, images in candidates.items():
                found = pixel_classifier(
                    images,
                    reference,
                    streams(name, "pixels"),
                    epochs=pixel_epochs,
                    device=device,
                    progress=partial(_tell, progress, f"pixel classifier of {name}"),
                )
                result.numbers[name]["pixel_classifier"] = found._asdict()
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
    ks: dict[str, Number] = {
        name: {"value": test.statistic, "p_value": test.p_value}
        for name, test in zip(FEATURES, tests, strict=True)
    }
    frechet = frechet_extrapolated(made, real, stream("frechet"), scale)
    discrepancy = mmd(made, real, stream("mmd"), scale)
    shares = precision_and_recall(made, real, scale)
    apart = _morphology(made, real, stream("wasserstein"))
    numbers: dict[str, Number] = {
        "frechet": frechet._asdict(),
        "wasserstein": apart._asdict(),
        "frechet_at_n": {"value": frechet_distance(made, real, scale), "error": None},
        "mmd": {"value": discrepancy.statistic, "p_value": discrepancy.p_value},
        "feature_classifier": feature_classifier(made, real, stream("classifier"))._asdict(),
        "precision": shares.precision._asdict(),
        "recall": shares.recall._asdict(),
        "largest_ks": max(ks.values(), key=lambda one: one["value"] or 0.0),
    }
    return numbers, ks


def _morphology(made: Features, real: Features, generator: np.random.Generator) -> Accuracy:
    """Return the mean Wasserstein distance of the morphology."""
    return mean_wasserstein(made[:, _LOOKS], real[:, _LOOKS], generator)


def _compare_by_magnitude(
    result: Realism, magnitudes: Mapping[str, NDArray[np.floating]], streams: Streams
) -> None:
    if REFERENCE not in magnitudes:
        return
    for low, high in pairwise(MAGNITUDE_EDGES):
        label = f"{low}-{high}"
        rows = {name: (low <= values) & (values < high) for name, values in magnitudes.items()}
        real = result.features[REFERENCE][rows[REFERENCE]]
        found: dict[str, dict[str, Number]] = {}
        for name in result.numbers:
            if name not in rows or min(rows[name].sum(), len(real)) < SMALLEST_SET:
                continue
            made = result.features[name][rows[name]]
            streamed = partial(streams, name)
            apart = _morphology(made, real, streamed(f"wasserstein at {label}"))
            accuracy = feature_classifier(made, real, streamed(f"classifier at {label}"))
            found[name] = {
                "number": {"value": len(made), "error": None},
                "wasserstein": apart._asdict(),
                "feature_classifier": accuracy._asdict(),
            }
        if found:
            result.by_magnitude[label] = found


def _tell(progress: Progress, stage: str, done: int, of: int) -> None:
    progress(done, of, stage)


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
