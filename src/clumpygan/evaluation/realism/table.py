"""The realism table in words: what each test means, and its numbers as text."""

from collections.abc import Mapping, Sequence

from clumpygan.evaluation.realism.image_statistics import DEFINITIONS, NAMES
from clumpygan.evaluation.realism.realism import Number, Realism

Rows = list[tuple[str, list[str]]]
"""A heading and a cell for each set, line by line."""

TESTS: dict[str, tuple[str, str]] = {
    "frechet": (
        "Frechet distance",
        "How far the distributions of the features are apart, in squared standard deviations, "
        "extrapolated to infinitely many galaxies: 0 is equal.",
    ),
    "frechet_at_n": (
        "Frechet distance at N",
        "The same without the extrapolation: with so few galaxies even equal distributions are not "
        "at 0, compare with the floor.",
    ),
    "wasserstein": (
        "mean Wasserstein distance",
        "Area between the cumulative distributions of a feature, in standard deviations of the "
        "reference, mean over those of morphology and of the power spectrum, as Holzschuh et al. "
        "(2022) compare galaxies; equal sets aren't at 0 either, compare with the floor.",
    ),
    "largest_ks": (
        "largest KS distance",
        "The feature whose distribution differs most: largest distance of the cumulative curves, "
        "0 is equal, 1 is no overlap.",
    ),
    "mmd": (
        "MMD^2",
        "Maximum mean discrepancy of the features, about 0 for equal distributions, and how often "
        "equal ones give as much (p).",
    ),
    "feature_classifier": (
        "classifier, features",
        "Share of galaxies whose set boosted trees tell right by the features: 0.5 is "
        "indistinguishable.",
    ),
    "pixel_classifier": (
        "classifier, pixels",
        "The same for a small convolutional network that sees the images: 0.5 is "
        "indistinguishable.",
    ),
    "precision": (
        "precision",
        "Share of these galaxies that lie among the real ones in feature space.",
    ),
    "recall": (
        "recall",
        "Share of the real galaxies that lie among these: low if kinds of galaxies are missing.",
    ),
    "novelty_ratio": (
        "distance to training",
        "Median distance to the nearest training image, in units of that of held-out real ones: "
        "copies are below 1.",
    ),
    "close_share": (
        "suspiciously close",
        "Share nearer to a training image than the nearest 1 % of held-out real ones: 0.01 is no "
        "copying.",
    ),
}
"""Test -> heading and explanation, in the order of the table."""

DISTANCES = "Wasserstein distance of each statistic of morphology, in its standard deviations"
"""Title of their table."""

_DIGITS = {"mmd": 4}
"""Behind the point, of tests that haven't three."""


def cell(number: Number | None, digits: int = 3) -> str:
    """Return a number with its error or p-value, "-" where there is none."""
    if number is None or number["value"] is None:
        return "-"
    text = f"{number['value']:.{digits}f}"
    if number.get("error") is not None:
        return f"{text} +- {number['error']:.{digits}f}"
    if number.get("p_value") is not None:
        return f"{text} (p {_probability(number['p_value'])})"
    return text


def _probability(value: float | None) -> str:
    return "< 0.001" if value is None or value < 0.001 else f"{value:.3f}"


def tests_made(
    words: Mapping[str, tuple[str, str]], numbers: Mapping[str, Mapping[str, Number]]
) -> list[str]:
    """Return the names of the tests that were made, in the order of the table."""
    return [name for name in words if any(name in tests for tests in numbers.values())]


def rows_of_tests(
    words: Mapping[str, tuple[str, str]], numbers: Mapping[str, Mapping[str, Number]]
) -> Rows:
    """Return heading of each test that was made, and a cell for each candidate.

    Parameters
    ----------
    words : mapping
        Test -> heading and explanation, in the order of the table.
    numbers : mapping
        Candidate -> test -> number.
    """
    return [
        (
            words[name][0],
            [cell(tests.get(name), _DIGITS.get(name, 3)) for tests in numbers.values()],
        )
        for name in tests_made(words, numbers)
    ]


def text_block(title: str, names: Sequence[str], lines: Rows) -> list[str]:
    """Return lines of text: a title, unless it is empty, the names of sets, and rows of cells."""
    cells = [names, *(one for _, one in lines)]
    width = 2 + max(len(one) for line in cells for one in line)
    first = 2 + max(len(heading) for heading, _ in lines)
    return [
        *([title] if title else []),
        " " * first + "".join(f"{name:>{width}}" for name in names),
        *(
            f"{heading:<{first}}" + "".join(f"{one:>{width}}" for one in line)
            for heading, line in lines
        ),
    ]


def ks_rows(result: Realism) -> Rows:
    """Return the Kolmogorov-Smirnov distances: each feature, and a cell for each candidate."""
    features = list(next(iter(result.ks.values())))
    return [
        (NAMES[name], [cell(distances.get(name)) for distances in result.ks.values()])
        for name in features
    ]


def distance_rows(result: Realism) -> Rows:
    """Return the Wasserstein distances of which the mean is a test: a cell for each candidate."""
    features = list(next(iter(result.distances.values())))
    return [
        (NAMES[name], [cell(distances[name]) for distances in result.distances.values()])
        for name in features
    ]


def magnitude_rows(result: Realism) -> Rows:
    """Return what is compared in each range of magnitudes, and a cell for each candidate."""
    return [
        (
            f"H = {label}, {heading}",
            [cell(found.get(name, {}).get(test), digits) for name in result.numbers],
        )
        for label, found in result.by_magnitude.items()
        for test, heading, digits in (
            ("number", "galaxies", 0),
            ("wasserstein", "mean Wasserstein distance", 3),
            ("feature_classifier", "classifier, features", 3),
        )
    ]


def glossary() -> list[tuple[str, str]]:
    """Return name, with its unit, and definition of every feature."""
    return [(NAMES[name], text) for name, text in DEFINITIONS.items()]


def text_table(result: Realism) -> str:
    """Return all tables as text, and how many galaxies there are."""
    names = list(result.numbers)
    lines = text_block("", names, rows_of_tests(TESTS, result.numbers))
    by_magnitude = magnitude_rows(result)
    if by_magnitude:
        lines += ["", *text_block("By magnitude (H, AB)", names, by_magnitude)]
    lines += ["", *text_block(DISTANCES, names, distance_rows(result))]
    title = "Kolmogorov-Smirnov distance of each feature"
    lines += ["", *text_block(title, names, ks_rows(result))]
    counts = ", ".join(f"{name} {number}" for name, number in result.sizes.items())
    lines += ["", f"stamps: {counts}"]
    return "\n".join(lines)
