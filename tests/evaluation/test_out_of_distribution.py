"""Galaxies unlike a population are told from those of it, whatever the unit of the image."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.observed_features import FEATURES, observed_features
from clumpygan.evaluation.recovery.out_of_distribution import Likeness, TrainingPopulation

SCALE, FWHM, SIDE = 0.168, 0.65, 40


def galaxy(random: np.random.Generator, flux: float, width: float | None = None, side: int = SIDE):
    """Draw a round Gaussian source in white noise of one unit."""
    rows, columns = np.indices((side, side))
    width = width or random.uniform(1.8, 3.5)
    y, x = (side - 1) / 2 + random.uniform(-0.5, 0.5, 2)
    shape = np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / width**2)
    return flux * shape / (2 * np.pi * width**2) + random.standard_normal(rows.shape)


def features(image: np.ndarray, **more: object):
    return observed_features(image, 1.0, FWHM, SCALE, **more)


@pytest.fixture(scope="module")
def population() -> TrainingPopulation:
    random = np.random.default_rng(1)
    rows = [features(galaxy(random, 10 ** random.uniform(2, 4))) for _ in range(1500)]
    return TrainingPopulation.measured(*(np.array(column) for column in zip(*rows, strict=True)))


def shares(population: TrainingPopulation, rows: list) -> np.ndarray:
    return np.array([population.likeness(*one).probability for one in rows])


def test_one_in_a_hundred_of_the_population_is_unusual(population) -> None:
    random = np.random.default_rng(2)
    found = shares(
        population, [features(galaxy(random, 10 ** random.uniform(2, 4))) for _ in range(600)]
    )
    for share in (0.5, 0.1, 0.02):
        assert (found < share).mean() == pytest.approx(share, abs=0.02 + 0.1 * share)
    assert (found < 0.01).mean() < 0.035


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda image, random: galaxy(random, 3000, 1.0), "sharper"),
        (lambda image, random: galaxy(random, 1e6), "brighter"),
        (lambda image, random: np.minimum(image, 0.4 * image.max()), "a flat top"),
        (lambda image, random: image - 20 * np.eye(SIDE)[::-1][:, :1] * (np.arange(SIDE) > 30),
         "darker spot"),
        (lambda image, random: image + np.roll(galaxy(random, 9e4, 1.6), 14, 0), "light around"),
        (lambda image, random: galaxy(random, 3000, 9.0), "more light around it"),
    ],
)  # fmt: skip
def test_what_is_unlike_is_said(population, spoil, reason) -> None:
    random = np.random.default_rng(3)
    rows = [features(spoil(galaxy(random, 3000), random)) for _ in range(20)]
    found = [population.likeness(*one) for one in rows]
    assert np.mean([one.unusual for one in found]) > 0.9
    assert sum(reason in one.reason for one in found) > 10
    assert all("unlike the galaxies" in str(one) and one.reason in str(one) for one in found)


def test_noise_is_unlike_galaxies(population) -> None:
    random = np.random.default_rng(4)
    found = [population.likeness(*features(random.standard_normal((SIDE, SIDE))))
             for _ in range(20)]  # fmt: skip
    assert np.mean([one.unusual for one in found]) > 0.9


def test_neither_units_nor_the_size_of_the_image_matter() -> None:
    random = np.random.default_rng(5)
    image = galaxy(random, 3000, side=121)
    bright, found = features(image[40:81, 40:81])
    for other in (observed_features(1e3 * image, 1e3, FWHM, SCALE),
                  features(image, around=(60.0, 60.0)),
                  observed_features(image, np.ones(image.shape), FWHM, SCALE)):  # fmt: skip
        assert other[0] == pytest.approx(bright)
        np.testing.assert_allclose(other[1], found, rtol=1e-6)
    # What is masked doesn't count.
    mask = np.zeros((41, 41), bool)
    mask[3:6, 3:6] = True
    spoilt = image[40:81, 40:81] + 1e6 * mask
    assert features(spoilt)[1][list(FEATURES).index("neighbours")] > 10
    _, masked = features(spoilt, mask=mask)
    np.testing.assert_allclose(masked, found, atol=0.3)


def test_a_card_keeps_what_is_usual(population) -> None:
    again = TrainingPopulation.from_card({"population": population.to_dict()})
    random = np.random.default_rng(6)
    rows = [features(galaxy(random, 10 ** random.uniform(2, 4))) for _ in range(50)]
    assert shares(again, rows) == pytest.approx(shares(population, rows), abs=0.02)
    assert TrainingPopulation.from_card({}) is None


@pytest.mark.parametrize(
    "change",
    [{"knots": [1, 2]}, {"knots": None}, {"middle": {}}, {"covariance": 3}, {"distances": "far"}],
)
def test_damaged_cards_are_refused(population, change) -> None:
    with pytest.raises(InputError, match="the card's section 'population'"):
        TrainingPopulation.from_card({"population": population.to_dict() | change})
    with pytest.raises(InputError, match="the card's section 'population'"):
        TrainingPopulation.from_card({"population": 3})


def test_few_galaxies_say_nothing_of_what_is_usual() -> None:
    with pytest.raises(InputError, match="3 galaxies: expected 500"):
        TrainingPopulation.measured(np.zeros(3), np.zeros((3, len(FEATURES))))


def test_what_is_rarer_than_is_known_isnt_a_number() -> None:
    assert "0.1 % or fewer" in str(Likeness(0.001, "brighter"))
    assert "0.1 % or fewer" in str(Likeness(0.0014, "brighter"))
    assert "0.2 %" in str(Likeness(0.0018, "brighter"))
    assert "0.6 %" in str(Likeness(0.006, "brighter"))
    assert Likeness(0.006, "brighter").to_dict()["unusual"] is True
