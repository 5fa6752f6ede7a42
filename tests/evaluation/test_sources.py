"""Sources of samples: their places, fluxes and how many samples have them."""

import galsim
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.clump_reliability import Clumps
from clumpygan.evaluation.recovery.sources import ClumpProbability, find_sources
from clumpygan.recovery.resolver import SuperResolver

SCALE = 0.06
PSF = galsim.Gaussian(fwhm=0.186)


def point(y, x, flux):
    """Return a point source at (y, x) pixels of a stamp of 112."""
    seen = (flux * PSF).shift((x - 55.5) * SCALE, (y - 55.5) * SCALE)
    return seen.drawImage(nx=112, ny=112, scale=SCALE, method="no_pixel").array.astype(float)


def samples(count=16, with_clump=12):
    """Return samples of a nucleus with a clump that some of them have, 0.9" away."""
    generator = np.random.default_rng(0)
    images = []
    for number in range(count):
        image = point(55, 56, 1000 * generator.normal(1, 0.05))
        if number < with_clump:
            dy, dx = generator.normal(0, 0.5, 2)
            image += point(70 + dy, 55 + dx, 200 * generator.normal(1, 0.1))
        images.append(image + generator.normal(0, 0.01, image.shape))
    return np.stack(images)


def test_sources_have_place_flux_and_probability():
    nucleus, clump = find_sources(samples(), 0.2, (55, 56), SCALE)
    assert nucleus.nucleus
    assert not clump.nucleus
    assert nucleus.probability == 1.0
    assert clump.probability == 0.75
    assert (clump.y[1], clump.x[1]) == pytest.approx((70, 55), abs=0.6)
    assert nucleus.flux[1] == pytest.approx(1000, rel=0.1)
    # A peak between four pixels is up to a quarter too low.
    assert clump.flux[1] == pytest.approx(190, rel=0.15)
    assert clump.flux[0] < clump.flux[1] < clump.flux[2]
    assert nucleus.half_light_radius[1] == pytest.approx(0.186 / 2, abs=0.02)


def test_a_source_of_one_sample_is_noise():
    assert len(find_sources(samples(with_clump=1), 0.2, (55, 56), SCALE)) == 1
    assert find_sources(np.zeros((4, 112, 112)), 0.2, (55, 56), SCALE) == []


def test_two_near_peaks_of_a_sample_are_two_sources():
    images = np.stack([point(50, 50, 500) + point(50, 54, 400) for _ in range(8)])
    found = find_sources(images, 0.2, (50, 50), SCALE)
    assert [one.probability for one in found] == [1.0, 1.0]
    assert sorted(round(one.x[1]) for one in found) == [50, 54]


def overconfident(count, draws, seed):
    """Return shares of so many samples, of clumps that are there less often than they say."""
    generator = np.random.default_rng(seed)
    said = generator.beta(0.6, 0.6, draws)
    real = generator.random(draws) < 0.92 * said**1.4
    share = generator.binomial(count, said) / count
    return share[share >= 0.1], real[share >= 0.1]


@pytest.mark.parametrize("count", [8, 16, 64])
def test_the_share_of_any_number_of_samples_becomes_a_probability(count):
    chance = ClumpProbability.measured(*overconfident(16, 20_000, seed=1), samples=16)
    share, real = overconfident(count, 20_000, seed=2)
    before = Clumps(share, real, int(real.sum()), share)
    after = Clumps(chance.of(share, count), real, int(real.sum()), share)
    assert before.calibration_error > 0.1
    assert after.calibration_error < 0.03
    assert 0 < chance.of(0, count) < chance.of(1, count) < 1


def test_what_is_known_of_clumps_is_a_section_of_the_card():
    chance = ClumpProbability.measured(*overconfident(16, 1000, seed=3), samples=16)
    assert ClumpProbability.from_card({"clump_probability": chance.to_dict()}) == chance
    assert ClumpProbability.from_card({}) == ClumpProbability()
    assert ClumpProbability.from_card({"clump_probability": {}}).of(0.3, 16) == 0.3
    for wrong in ({"rise": 1}, [1, 2, 3], {"rise": -1, "fall": 1, "shift": 0},
                  {"rise": 1, "fall": 1, "shift": float("nan")}):  # fmt: skip
        with pytest.raises(InputError, match="section 'clump_probability' isn't"):
            ClumpProbability.from_card({"clump_probability": wrong})


def test_few_clumps_say_nothing_of_their_probability():
    for share, real in (([0.5] * 99, [True, *[False] * 98]), ([0.5] * 200, [True] * 200)):
        assert ClumpProbability.measured(share, real, 16) == ClumpProbability()


def test_clumps_have_the_calibrated_probability_and_nuclei_their_share():
    chance = ClumpProbability(1.0, 1.0, -1.0)
    nucleus, clump = find_sources(samples(), 0.2, (55, 56), SCALE, chance=chance)
    assert (nucleus.share, nucleus.probability) == (1.0, 1.0)
    assert clump.share == 0.75
    # 12.5 of 17: odds of 2.78, divided by e.
    assert clump.probability == pytest.approx(0.5055, abs=1e-4)


def test_clumps_of_the_shipped_network_are_there_less_often_than_samples_show_them():
    chance = SuperResolver.from_checkpoint("super_resolution").clump_probability
    for share in (0.3, 0.5, 0.7, 1.0):
        assert 0 < chance.of(share, 16) < share
