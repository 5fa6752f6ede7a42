"""All samples at once are measured as one by one."""

import numpy as np
import pytest

from clumpygan.evaluation.recovery.blends import (
    CONTRAST,
    blend_probability,
    find_centres,
    split_image,
)
from clumpygan.evaluation.recovery.clumps import find_peaks, sharpened
from clumpygan.evaluation.recovery.fidelity import nucleus_of
from clumpygan.evaluation.recovery.intervals import Crowding, Widening
from clumpygan.evaluation.recovery.quantities import QUANTITIES, Measured
from clumpygan.survey import measuring

SCALE, SIGMA = 0.06, 0.05


@pytest.fixture
def samples():
    """Two sources 0.5" apart, differently bright in each of six samples, with noise."""
    random = np.random.default_rng(3)
    y, x = np.indices((70, 70))
    images = []
    for number in range(6):
        main = 40 * np.exp(-0.5 * ((y - 34) ** 2 + (x - 33) ** 2) / 4)
        second = 4 * number * np.exp(-0.5 * ((y - 34) ** 2 + (x - 42) ** 2) / 3)
        halo = 3 * np.exp(-np.hypot(y - 34, x - 34) / 6)
        images.append(main + second + halo + 0.02 * random.standard_normal(y.shape))
    return np.array(images, np.float32)


def test_quantities_are_those_of_single_images(samples):
    nucleus = nucleus_of(samples.mean(0), SCALE)
    values = measuring._values(samples, nucleus, SCALE)
    assert len(values) == 8
    for name, found in values.items():
        alone = [QUANTITIES[name].measure(Measured(one, nucleus, SIGMA, SCALE)) for one in samples]
        np.testing.assert_allclose(found, alone, rtol=1e-6, err_msg=name)


def test_peaks_are_those_of_single_images(samples):
    everywhere = np.ones(samples.shape[1:], bool)
    counts, off = measuring.count_peaks(sharpened(samples), SIGMA, (34, 33), everywhere, SCALE)
    assert counts.tolist() == [len(find_peaks(one, SIGMA)) for one in samples]
    assert off[0] == 0
    assert off[-1] == 1
    np.testing.assert_allclose(sharpened(samples)[2], sharpened(samples[2]))


def test_a_blend_is_as_probable_as_samples_show_it(samples):
    found = measuring.measure_samples(samples, samples.mean(0), SIGMA, SCALE)
    shown = np.mean([len(find_peaks(one, SIGMA)) >= 2 for one in samples])
    assert 0.5 < shown < 1
    assert found["p_clumps_1"] == pytest.approx(shown)
    # By the rule of `evaluate.py blends`, of what the card says.
    contrast = np.array([split_image(one, SIGMA, SCALE).contrast for one in samples])
    assert found["p_blend"] == (contrast > CONTRAST).mean() == blend_probability(contrast, CONTRAST)
    assert 0 < found["p_blend"] < 1
    gain = find_centres(samples.mean(0), SIGMA, SCALE).contrast
    assert found["blend_gain"] == gain > 0
    strict = measuring.measure_samples(
        samples, samples.mean(0), SIGMA, SCALE, blend_contrast=float(np.sort(contrast)[-2])
    )
    assert strict["p_blend"] == pytest.approx(1 / 6)
    assert found["p_clumps_2"] == 0
    assert found["flux_0.6_low"] < found["flux_0.6"] < found["flux_0.6_high"]
    assert found["magnitude_low"] < found["magnitude"] < found["magnitude_high"]
    assert found["magnitude"] == pytest.approx(31.4 - 2.5 * np.log10(found["flux_1.5"]), abs=0.01)
    # What is beyond 1.5" isn't of the galaxy.
    y, x = np.indices(samples.shape[1:])
    apart = samples + np.float32(30) * np.exp(-0.5 * ((y - 60) ** 2 + (x - 8) ** 2) / 3)
    assert (
        measuring.measure_samples(apart, apart.mean(0), SIGMA, SCALE)["p_blend"] == found["p_blend"]
    )


def test_no_light_has_no_magnitude():
    found = measuring.measure_samples(
        np.full((4, 60, 60), -1, np.float32), np.full((60, 60), -1, np.float32), SIGMA, SCALE
    )
    assert np.isnan(found["magnitude"])
    assert np.isnan(found["half_light_radius"])


def test_intervals_are_widened_as_the_card_says(samples):
    plain = measuring.measure_samples(samples, samples.mean(0), SIGMA, SCALE)
    # The galaxy has 23.3 mag.
    card = Widening({"flux_1.5": {"all": (3.0, 1.0), "22-24": (2.0, 1.0)},
                     "half_light_radius": {"all": (0.5, 1.0), "20-22": (9.0, 9.0)}})  # fmt: skip
    found = measuring.measure_samples(samples, samples.mean(0), SIGMA, SCALE, card)
    for name, factor in (("flux_1.5", 2), ("half_light_radius", 0.5), ("flux_1", 1)):
        assert found[name] == plain[name]
        width, before = (one[f"{name}_high"] - one[f"{name}_low"] for one in (found, plain))
        assert width == pytest.approx(factor * before)
    assert found["magnitude_high"] - found["magnitude"] > (
        1.5 * (plain["magnitude_high"] - plain["magnitude"])
    )
    card = Widening({"flux_1": {"all": (1.0, 1.0)}}, {"flux_1": {"all": (0.5, 0.5)}})
    moved = measuring.measure_samples(samples, samples.mean(0), SIGMA, SCALE, card)
    by = (plain["flux_1_high"] - plain["flux_1_low"]) / 4
    for end in ("", "_low", "_high"):
        assert moved["flux_1" + end] == pytest.approx(plain["flux_1" + end] + by)
        assert moved["flux_0.6" + end] == plain["flux_0.6" + end]


def test_intervals_are_wider_where_samples_show_two(samples):
    plain = measuring.measure_samples(samples, samples.mean(0), SIGMA, SCALE)

    def measured(least):
        return measuring.measure_samples(
            samples, samples.mean(0), SIGMA, SCALE, crowding=Crowding(least, 1.5)
        )

    wide, same = measured(0.1), measured(plain["p_blend"])
    assert same == plain
    assert wide["p_blend"] == plain["p_blend"] > 0.1
    for name in ("flux_0.6", "half_light_radius", "ellipticity"):
        assert wide[name] == plain[name]
        width, before = (one[f"{name}_high"] - one[f"{name}_low"] for one in (wide, plain))
        assert width == pytest.approx(1.5 * before)
