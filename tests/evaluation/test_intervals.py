"""Intervals from few samples hold the truth as often as they say, whatever the samples."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.intervals import (
    ONE_SIGMA,
    SHARES,
    Crowding,
    Widening,
    predict,
)

DRAWS = 20_000


@pytest.mark.parametrize("count", [4, 8, 16, 64])
@pytest.mark.parametrize("antithetic", [True, False])
def test_intervals_hold_the_truth_as_often_as_they_say(count, antithetic):
    generator = np.random.default_rng([count, antithetic])
    centre = generator.normal(0, 3, DRAWS)
    truth = centre + generator.normal(0, 1, DRAWS)
    noise = generator.normal(0, 1, (count, DRAWS))
    if antithetic:
        noise[1::2] = -noise[0::2]
    found = predict(centre + noise)
    for share in (ONE_SIGMA, 0.95):
        held = np.abs(truth - found.mean) < found.half_width(share)
        # Of two independent pairs no more is known than that it isn't too small.
        tolerance = 0.03 if count == 4 and not antithetic else 0.012
        assert held.mean() == pytest.approx(share, abs=tolerance)


def test_the_plain_scatter_of_few_samples_is_too_small():
    """What this is for: one standard deviation of four antithetic samples holds 58 %."""
    generator = np.random.default_rng(1)
    half = generator.normal(0, 1, (2, DRAWS))
    samples = np.stack([half[0], -half[0], half[1], -half[1]])
    held = np.abs(generator.normal(0, 1, DRAWS)) < samples.std(0)
    assert held.mean() < 0.6
    assert predict(samples).half_width().mean() > 1.2 * samples.std(0).mean()


def test_samples_that_agree_have_no_error():
    found = predict(np.full((4, 3), 2.0))
    assert found.mean.tolist() == [2.0] * 3
    assert found.half_width().tolist() == [0.0] * 3
    assert predict(np.array([[1.0], [3.0]])).half_width(0.5)[0] == pytest.approx(1.0)


def test_widening_is_split_conformal():
    generator = np.random.default_rng(0)
    bright = np.full(3000, 21.0)
    apart = np.abs(generator.standard_t(5, (3000, 2)))
    apart[:50] = np.nan  # not defined there
    found = Widening.measured({"flux": apart, "other": apart}, bright)
    for share in SHARES:
        expected = np.nanquantile(apart[:, SHARES.index(share)], share)
        assert found.of("flux", 21.3, share) == pytest.approx(expected, rel=0.02)
    # Where it isn't known how bright, or no galaxy was as faint: the factor of all.
    assert (
        found.of("flux", float("nan")) == found.of("flux", 25.5) == found.factors["flux"]["all"][0]
    )
    assert found.of("another", 21.0) == 1
    assert Widening.from_card({"widening": found.to_dict()}) == found
    assert Widening.from_card({}) == Widening()


def test_intervals_are_moved_where_the_mean_is_wrong_on_average():
    generator = np.random.default_rng(2)
    brightness = np.repeat([21.0, 23.0], 2000)
    bias = np.where(brightness < 22, 0.8, 0.0)[:, None]
    apart = generator.normal(bias, 1.0, (4000, 2))
    found = Widening.measured({"flux": apart, "count": np.abs(apart)}, brightness, ["flux"])
    assert found.shift_of("flux", 21.0) == pytest.approx(0.8, abs=0.1)
    assert found.shift_of("flux", 23.0) == 0  # within its error
    # Where it isn't known how bright: that of all.
    assert found.shift_of("flux", float("nan")) == pytest.approx(0.4, abs=0.1)
    assert found.shift_of("count", 21.0) == found.shift_of("another", 21.0) == 0
    assert set(found.shifts) == {"flux"}
    for share in SHARES:
        away = np.abs(apart[:2000, SHARES.index(share)] - found.shift_of("flux", 21.0, share))
        assert (away < found.of("flux", 21.0, share)).mean() == pytest.approx(share, abs=0.01)
    # Without it they would have to be wider.
    still = Widening.measured({"flux": apart}, brightness)
    assert still.of("flux", 21.0) > 1.2 * found.of("flux", 21.0)
    assert Widening.from_card(found.sections()) == found
    # Factors of another measurement come with shifts of their own.
    other = found.replaced_by(Widening({"flux": {"all": (1.5,)}}))
    assert other.shift_of("flux", 21.0) == 0
    assert found.replaced_by(Widening({"x": {"all": (1.5,)}})).shifts == found.shifts


def test_damaged_shifts_are_refused():
    widening = {"flux": {"all": [1.0, 1.0]}}
    for shift in ({"flux": {"all": [1.0]}}, {"flux": {"all": [11.0, 0.0]}}, [1], {"flux": 2}):
        with pytest.raises(InputError, match=r"'shift' isn't .* shifts from -10 to 10, 2 of them"):
            Widening.from_card({"widening": widening, "shift": shift})


def test_few_galaxies_and_samples_of_one_mind_widen_nothing():
    few = np.ones((99, 2))
    certain = np.full((200, 2), np.inf)
    found = Widening.measured({"few": few}, np.full(99, 21.0))
    assert found == Widening()
    assert Widening.measured({"sources": certain}, np.full(200, 21.0)) == Widening()


@pytest.mark.parametrize(
    "section",
    [
        [1], {"flux": 2}, {"flux": {"all": [1, "x"]}}, {"f": {"all": [99.0]}}, {"f": {"all": []}},
        {"f": {"all": [1.0] * 3}},
    ],
)  # fmt: skip
def test_a_damaged_section_is_refused(section):
    for name in ("widening", "survey_widening"):
        with pytest.raises(InputError, match=f"'{name}'"):
            Widening.from_card({name: section}, name)


def test_one_factor_is_enough_for_surveys_alone():
    section = {"flux": {"all": [1.2]}}
    found = Widening.from_card({"survey_widening": section}, "survey_widening")
    assert found.of("flux", 21.0) == 1.2
    with pytest.raises(InputError, match="to 10, 2 of them"):
        Widening.from_card({"widening": section})


def test_crowded_galaxies_have_a_factor_of_their_own():
    random = np.random.default_rng(5)
    crowded = np.arange(4000) % 4 == 0
    apart = {name: np.abs(random.normal(size=4000)) * np.where(crowded, 1.6, 1.0) for name in "ab"}
    apart["a"][0] = np.nan
    found = Crowding.measured(apart, crowded, 0.1)
    assert found.factor == pytest.approx(1.6, abs=0.08)
    assert found.of([0.0, 0.1, 0.11, 1.0]).tolist() == [1, 1, found.factor, found.factor]
    assert Crowding.from_card({"survey_crowding": found.to_dict()}) == found
    # Of a few galaxies nothing is said, and a card that says nothing changes nothing.
    few = np.arange(4000) < 99
    assert Crowding.measured(apart, few, 0.1) == Crowding() == Crowding.from_card({})
    assert Crowding().of([0.0, 1.0]).tolist() == [1, 1]


@pytest.mark.parametrize(
    "section",
    [[1], {"factor": 2}, {"p_blend": 2, "factor": 1}, {"p_blend": 0.1, "factor": float("nan")}],
)
def test_a_damaged_factor_of_crowded_galaxies_is_refused(section):
    with pytest.raises(InputError, match="'survey_crowding'"):
        Crowding.from_card({"survey_crowding": section})
