import json

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.image_statistics import FEATURES, NAMES
from clumpygan.evaluation.realism.realism import measure_realism
from clumpygan.evaluation.realism.table import TESTS, cell, text_table

SIDE, NUMBER = 32, 40


def galaxies(number: int, seed: int, size: float = 2.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - 15.5
    flux = 10 ** generator.uniform(2.0, 3.0, number)[:, None, None]
    galaxy = np.exp(-0.5 * (x**2 + y**2) / size**2) / (2 * np.pi * size**2)
    return flux * galaxy + generator.normal(size=(number, SIDE, SIDE))


@pytest.fixture(scope="module")
def sets() -> dict[str, np.ndarray]:
    return {"floor": galaxies(NUMBER, 1), "large": galaxies(NUMBER, 2, 4.0)}


@pytest.fixture(scope="module")
def result(sets):
    stages = []
    found = measure_realism(
        galaxies(NUMBER, 0),
        sets,
        generator=np.random.default_rng(5),
        training=galaxies(60, 3),
        pixel_epochs=1,
        report=stages.append,
    )
    assert stages == list(found.seconds)
    return found


def test_every_test_is_made_for_every_candidate(result):
    assert list(result.numbers) == ["floor", "large"]
    for tests in result.numbers.values():
        assert set(tests) == set(TESTS)
        assert all(np.isfinite(test["value"]) for test in tests.values())
    assert result.sizes == {"reference": NUMBER, "floor": NUMBER, "large": NUMBER}
    assert result.features["large"].shape == (NUMBER, len(FEATURES))
    assert list(result.ks["floor"]) == list(FEATURES)


def test_what_differs_is_seen_and_what_does_not_is_not(result):
    floor, large = result.numbers["floor"], result.numbers["large"]
    assert large["frechet"]["value"] > 5 * abs(floor["frechet"]["value"])
    assert large["feature_classifier"]["value"] > 0.9 > floor["feature_classifier"]["value"]
    assert large["largest_ks"]["value"] > 0.6 > floor["largest_ks"]["value"]
    assert large["mmd"]["p_value"] < 0.01 < floor["mmd"]["p_value"]
    assert result.ks["large"]["half_light_radius"]["value"] > 0.6
    apart = {name: one["half_light_radius"]["value"] for name, one in result.distances.items()}
    assert apart["large"] > 5 * apart["floor"]
    for name, distances in result.distances.items():
        mean = np.mean([one["value"] for one in distances.values()])
        assert mean == pytest.approx(result.numbers[name]["wasserstein"]["value"])


def test_the_result_is_json(result):
    found = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert found["tests"]["floor"]["recall"]["error"] > 0
    assert set(found["medians"]["reference"]) == set(FEATURES)


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_measured(sets, result):
    backwards = dict(reversed(sets.items()))
    again = measure_realism(
        galaxies(NUMBER, 0), backwards, generator=np.random.default_rng(5), pixel_epochs=0
    )
    for name, tests in again.numbers.items():
        assert "pixel_classifier" not in tests
        assert "novelty_ratio" not in tests
        for test, number in tests.items():
            assert number == result.numbers[name][test]


def test_copies_are_seen(sets):
    training = galaxies(60, 3)
    copies = training[:NUMBER] + 0.1 * np.random.default_rng(9).normal(size=(NUMBER, SIDE, SIDE))
    found = measure_realism(
        galaxies(NUMBER, 0),
        {"copies": copies},
        generator=np.random.default_rng(5),
        training=training,
        pixel_epochs=0,
    )
    assert found.numbers["copies"]["novelty_ratio"]["value"] < 0.5
    assert found.numbers["copies"]["close_share"]["value"] > 0.9


def test_the_table_has_a_row_for_each_test_and_feature(result):
    text = text_table(result)
    assert all(heading in text for heading, _ in TESTS.values())
    assert all(f"\n{NAMES[name]} " in text for name in FEATURES)
    assert "stamps: reference 40, floor 40, large 40" in text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        ({"value": None, "error": None}, "-"),
        ({"value": 0.51234, "error": 0.01}, "0.512 +- 0.010"),
        ({"value": 0.3, "p_value": 0.0004}, "0.300 (p < 0.001)"),
        ({"value": 0.3, "p_value": 0.25}, "0.300 (p 0.250)"),
        ({"value": 2.0, "error": None}, "2.000"),
    ],
)
def test_cells(number, text):
    assert cell(number) == text


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((40, 32, 40)),
            r"the made stamps have shape \(40, 32, 40\): expected \(N, 32, 32",
        ),
        (np.zeros((32, 32)), r"shape \(32, 32\)"),
        (np.zeros((19, SIDE, SIDE)), "19 made stamps are too few to compare: expected 20 or more"),
        (
            np.where(np.arange(40)[:, None, None] > 36, np.nan, galaxies(40, 1)),
            "3 of 40 made st.*37",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(images, message):
    with pytest.raises(InputError, match=message):
        measure_realism(
            galaxies(40, 0), {"made": images}, generator=np.random.default_rng(0), pixel_epochs=0
        )


def test_sets_of_known_magnitudes_are_compared_in_ranges(sets):
    """Bright galaxies as the reference's, faint ones twice as large."""
    bright, large = galaxies(NUMBER, 1), galaxies(NUMBER, 2, 4.0)
    mixed = np.concatenate([bright, large])
    magnitudes = np.repeat([21.0, 24.5], NUMBER)
    reference = np.concatenate([galaxies(NUMBER, 0), galaxies(NUMBER, 4)])
    known = {"reference": magnitudes, "mixed": magnitudes}
    found = measure_realism(
        reference, {"mixed": mixed, "floor": sets["floor"]}, pixel_epochs=0, magnitudes=known,
        generator=np.random.default_rng(5),
    )  # fmt: skip
    assert list(found.by_magnitude) == ["20-22", "24-25"]
    alike, different = (found.by_magnitude[label]["mixed"] for label in ("20-22", "24-25"))
    assert alike["number"]["value"] == NUMBER
    assert different["feature_classifier"]["value"] > 0.9 > alike["feature_classifier"]["value"]
    assert different["wasserstein"]["value"] > 2 * alike["wasserstein"]["value"]
    assert "floor" not in found.by_magnitude["20-22"]
    assert "H = 20-22, classifier" in text_table(found)
