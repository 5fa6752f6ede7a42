"""The scatter of samples, corrected by scale and brightness: known errors of it are undone."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.ndimage import gaussian_filter

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.spread import (
    LEVELS,
    WIDTHS,
    SampleSpread,
    SpreadScores,
    ranked_probability_score,
    scales,
    smoothed,
)

PIXEL = 0.06


def gains(value):
    return SampleSpread(tuple((float(one),) * len(LEVELS) for one in value))


def noise_of(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(40, 57), (150, 300)])
def test_filters_are_gaussians_that_keep_what_is_constant(shape):
    image = noise_of(shape, 1).double()
    for width in (1.0, 2.5, 6.0):
        ours = smoothed(image, width).numpy()
        expected = gaussian_filter(image.numpy(), width, truncate=4, mode="constant")
        reach = int(np.ceil(4 * width))
        if all(n > 2 * reach for n in shape):
            inside = (slice(reach, -reach),) * 2
            assert ours[inside] == pytest.approx(expected[inside], abs=1e-6)
        assert smoothed(torch.ones(shape), width).numpy() == pytest.approx(1.0, abs=1e-5)


def test_scales_add_up():
    images = noise_of((3, 40, 50), 2)
    parts = scales(images, PIXEL)
    assert len(parts) == len(WIDTHS) + 1
    assert sum(parts).numpy() == pytest.approx(images.numpy(), abs=1e-5)
    # The finest scale has nearly all of white noise, the coarsest what is constant.
    assert parts[0].var() > 0.7 * images.var()
    assert scales(torch.ones(1, 40, 40), PIXEL)[-1].numpy() == pytest.approx(1, abs=1e-5)


def test_the_mean_stays_and_each_scale_has_its_gain():
    samples = 3 + noise_of((6, 2, 1, 60, 60), 3)
    level = torch.tensor([1.0, 2.0])
    apart = samples - samples.mean(0)
    same = gains((1, 1, 1, 1)).corrected(samples, level, PIXEL)
    assert same.numpy() == pytest.approx(samples.numpy(), abs=1e-5)
    assert SampleSpread().corrected(samples, level, PIXEL) is samples
    found = gains((2, 1, 1, 0.5)).corrected(samples, level, PIXEL)
    assert found.mean(0).numpy() == pytest.approx(samples.mean(0).numpy(), abs=1e-5)
    parts = scales(apart, PIXEL)
    expected = 2 * parts[0] + parts[1] + parts[2] + 0.5 * parts[3]
    assert (found - found.mean(0)).numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_gains_follow_the_brightness_between_the_levels():
    row = tuple(np.linspace(1, 3, len(LEVELS)).tolist())
    spread = SampleSpread((row,) * 4)
    # As bright as the geometric mean of two levels, and beyond the last one.
    for brightness, expected in (
        ((LEVELS[4] * LEVELS[5]) ** 0.5, (row[4] + row[5]) / 2), (1e6, row[-1]), (-1.0, row[0])
    ):  # fmt: skip
        samples = 5 * brightness + 0.01 * noise_of((4, 1, 1, 40, 40), 4).double()
        samples -= samples.mean(0) - 5 * brightness
        found = spread.corrected(samples, torch.tensor([5.0]), PIXEL)
        ratio = (found - found.mean(0)).std() / samples.std()
        assert float(ratio) == pytest.approx(expected, rel=2e-2)


def test_scores_are_those_of_normal_distributions():
    for error, width in ((0.3, 1.0), (-2.0, 0.5), (0.0, 3.0)):
        steps = integrate.quad(
            lambda x, error=error, width=width: (stats.norm.cdf(x / width) - (x >= error)) ** 2,
            -30, 30, points=[error], limit=200,
        )[0]  # fmt: skip
        ours = ranked_probability_score(np.array([error]), np.array([width]))
        assert ours[0] == pytest.approx(steps, rel=1e-5)


def test_samples_that_scatter_wrongly_are_found_out_and_mended():
    """Faint pixels scatter half of what they should, bright ones twice, large scales rightly."""
    size, wrong = 96, SampleSpread(((0.5,) * 6 + (2.0,) * 5,) * 3 + ((1.0,) * 11,))
    ramp = torch.linspace(-3.5, 4.8, size).exp().expand(size, size)

    def draw(count, seed):
        rough = noise_of((count, size, size), seed)
        return 0.05 * rough + 0.3 * smoothed(rough, 4.0) + 0.4 * smoothed(rough, 12.0)

    scores, level = SpreadScores(PIXEL), torch.ones(1)
    for seed in range(24):
        right = ramp + draw(16, 2 * seed)
        narrow = wrong.corrected(right[:, None, None], level, PIXEL)[:, 0, 0]
        one = SpreadScores(PIXEL)
        one.add(narrow, ramp + draw(1, 2 * seed + 1)[0], 1.0)
        scores = scores + one
    found = scores.best
    # Scales overlap, and the coarsest was right: what leaks of it lessens the gains of the others.
    for row in found.gains[:3]:
        assert all(1.4 < one < 2.3 for one in row[1:5])
        assert all(0.4 < one < 0.7 for one in row[7:10])
    mended = found.corrected(narrow[:, None, None], level, PIXEL)[:, 0, 0]
    ratio = (mended.std(0) / right.std(0)).mean(0)
    assert ratio[20:40].numpy() == pytest.approx(1.0, rel=0.15)
    assert ratio[70:85].numpy() == pytest.approx(1.0, rel=0.15)
    assert SampleSpread.from_card({"spread": found.to_dict()}) == found


def test_where_nothing_was_seen_nothing_changes():
    scores = SpreadScores(PIXEL)
    scores.add(noise_of((4, 40, 40), 1), noise_of((40, 40), 2), 1.0)
    assert all(one == 1.0 for row in scores.best.gains for one in row)
    assert SampleSpread.from_card({}) == SampleSpread()


@pytest.mark.parametrize(
    "change",
    [
        {"gains": [[1.0] * 11] * 3}, {"gains": [[1.0] * 10] * 4}, {"gains": [[99.0] * 11] * 4},
        {"gains": 3}, {"levels": [2.0, 1.0]}, {"levels": "x"}, {"widths": [0.1, 0.2, float("nan")]},
        {"widths": [0.1, 0.2, 1e9]}, {"widths": None},
    ],
)  # fmt: skip
def test_a_damaged_section_is_refused(change):
    whole = gains((1, 1, 1, 1)).to_dict()
    with pytest.raises(InputError, match="'spread'"):
        SampleSpread.from_card({"spread": whole | change})
    with pytest.raises(InputError, match="'spread'"):
        SampleSpread.from_card({"spread": [1]})
