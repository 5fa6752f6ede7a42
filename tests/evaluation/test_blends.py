"""Blends are told from single galaxies, and their light is shared between the two."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label, maximum_position

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import blends
from clumpygan.evaluation.recovery.blended_galaxies import KINDS, RealBlends, SyntheticBlends
from clumpygan.evaluation.recovery.blends import Recognition, split_image
from clumpygan.evaluation.recovery.splitting import best_split

SCALE, SIGMA = 0.06, 0.05


def source(y: float, x: float, flux: float = 100.0, width: float = 2.5, side: int = 112):
    rows, columns = np.indices((side, side))
    away = (rows - y) ** 2 + (columns - x) ** 2
    return flux * np.exp(-0.5 * away / width**2) / (2 * np.pi * width**2)


def test_two_parts_are_found_with_their_shares_of_the_light() -> None:
    one, two = source(52, 44), source(52, 65, flux=25)
    found = split_image(one + two, SIGMA / 100, SCALE)
    assert found.contrast == pytest.approx(0.2, abs=0.01)
    assert found.places.tolist() == [[52, 44], [52, 65]]
    # A fainter or nearer one has less, a clump hardly any; one alone has nothing.
    less = split_image(one + source(52, 54, flux=25), SIGMA / 100, SCALE).contrast
    clump = split_image(one * 5 + source(52, 53, flux=20, width=1.2), SIGMA / 100, SCALE).contrast
    assert 0 < less < found.contrast
    assert 0 < clump < 0.05
    alone = split_image(one, SIGMA / 100, SCALE)
    assert alone.contrast == 0
    assert np.isnan(alone.places).all()


def test_parts_are_those_that_dont_touch_above_a_level() -> None:
    """In one pass over the pixels, as if each level were looked at by itself."""
    random = np.random.default_rng(4)
    checked = 0
    for number in range(20):
        light = gaussian_filter(random.standard_normal((31, 37)), 1 + number / 10)
        levels = np.geomspace(0.05 * light.max(), 0.98 * light.max(), 32)
        expected, places = 0.0, (-1, -1)
        for level in levels:
            parts, count = label(light > level, np.ones((3, 3)))
            if count < 2:
                continue
            fluxes = np.bincount(parts.ravel(), light.ravel())
            fluxes[0] = -np.inf
            one, two = np.argsort(-fluxes)[:2]
            contrast = fluxes[two] / light[light > levels[0]].sum()
            if contrast > expected * (1 + 1e-12):
                peaks = maximum_position(light, parts, [one, two])
                expected, places = contrast, tuple(y * 37 + x for y, x in peaks)
        found, *where = best_split(light, levels)
        assert found == pytest.approx(expected, rel=1e-9)
        assert tuple(where) == places
        checked += expected > 0
    assert checked > 10
    alone = source(15, 15, side=31)
    assert best_split(alone, np.geomspace(1e-3, 1, 32)) == (0, -1, -1)


@pytest.mark.parametrize("card", [0.6, -0.1, "much", True, None, float("nan")])
def test_cards_that_say_no_contrast_are_refused(card: object) -> None:
    with pytest.raises(InputError, match="`blend_contrast` is"):
        blends.contrast_from_card({"blend_contrast": card})
    assert blends.contrast_from_card({}) == blends.CONTRAST
    assert blends.contrast_from_card({"blend_contrast": 0.03}) == 0.03


@pytest.mark.parametrize("side", [41, 112])
def test_what_is_beyond_the_middle_or_below_the_noise_is_no_part(side: int) -> None:
    middle, scale = (side - 1) / 2, SCALE * 112 / side
    width = 2.5 * side / 112
    main = source(middle, middle, width=width, side=side)
    far = source(middle, middle + 2.2 / scale, flux=50, width=width, side=side)
    assert split_image(main + far, SIGMA, scale).contrast == 0
    near = source(middle, middle + 1.2 / scale, flux=50, width=width, side=side)
    found = split_image(main + near, SIGMA, scale)
    assert found.contrast > 0.2
    assert found.places[1] == pytest.approx([middle, middle + 1.2 / scale], abs=0.51)
    assert split_image(main + near, 100, scale).contrast == 0


def test_thresholds_are_of_other_singles() -> None:
    random = np.random.default_rng(1)
    others, singles = random.exponential(1, (2, 1000))
    pairs = np.concatenate([np.full(300, 20.0), np.zeros(100)])
    found = Recognition(pairs, singles, others)
    assert (others > found.threshold).mean() == pytest.approx(0.01)
    assert found.at()["unrecognised"] == 0.25
    assert found.at()["false_splits"] == pytest.approx(0.01, abs=0.01)
    assert found.at()["false_splits"] != 0.01  # not by themselves
    rates = [one["false_splits"] for one in found.curve]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(0.4, abs=0.05)
    bins = found.by(np.arange(400.0), (0, 300, 400, 500))
    assert [one["unrecognised"] for one in bins.values()] == [0, 1, None]
    assert [one["n"] for one in bins.values()] == [300, 100, 0]
    # Nobody splits a galaxy in which nothing else stands, however many may be split.
    assert Recognition(np.zeros(9), np.zeros(9), np.zeros(9)).at(0.4)["false_splits"] == 0


def test_what_is_flagged_of_a_catalogue() -> None:
    random = np.random.default_rng(2)
    singles = random.uniform(0, 1, 10_000)
    assert blends.share_found(np.full(10, 2.0), singles) == 1
    # Who knows nothing finds as many as are flagged.
    assert blends.share_found(random.uniform(0, 1, 10_000), singles) == pytest.approx(0.1, abs=0.01)
    assert blends.share_found(np.zeros(0), singles) is None


@pytest.mark.parametrize("ratio", [1, 5])
def test_light_is_shared(ratio: float) -> None:
    one, two = source(55, 50), source(57, 62, flux=100 / ratio)
    places = np.array([[55.0, 50.0], [57.0, 62.0]])
    fluxes = blends.share_light(one + two, places, SCALE)
    assert fluxes == pytest.approx((100, 100 / ratio), rel=0.05)
    assert sum(fluxes) == pytest.approx(100 + 100 / ratio, rel=1e-3)
    assert blends.flux_within(one, places[0], SCALE) == pytest.approx(100, rel=1e-3)


def test_galaxies_are_matched_whichever_is_brighter() -> None:
    truths = np.array([[10.0, 10.0], [10.0, 20.0]])
    assert blends.match_two(truths + 1, truths, 3).tolist() == (truths + 1).tolist()
    assert blends.match_two(truths[::-1], truths, 3).tolist() == truths.tolist()
    assert blends.match_two(truths + 4, truths, 3) is None
    assert blends.match_two(np.array([[10.0, 10.0], [np.nan, np.nan]]), truths, 3) is None
    assert (
        blends.match_two(np.array([[10.0, 10.0], [11.0, 10.0]]), truths, 5) is None
    )  # both of one


def test_pairs_are_as_they_say() -> None:
    galaxies = SyntheticBlends(seed=5)
    grid = galaxies.operator.grid
    for index in (0, 3, 6):
        pair = galaxies.pair(index)
        fluxes = pair.images.sum((1, 2))
        assert pair.ratio == pytest.approx(fluxes[0] / fluxes[1], rel=0.15)  # wings leave the stamp
        apart = np.hypot(*(pair.places[0] - pair.places[1])) * grid.target_scale
        assert apart == pytest.approx(pair.separation)
        assert 20.5 <= pair.magnitude <= 24.5
        images, _ = galaxies.sharp([index, index + 1])
        assert np.array_equal(images[0], pair.images.sum(0))
        single = galaxies.pair(index + 1)
        assert not single.images[1].any()
        assert single.images[0].any()
        assert np.isnan(single.separation)
    assert [galaxies.kind(index) for index in range(4)] == [*KINDS, "pair"]
    assert not np.array_equal(galaxies.pair(0).images, galaxies.pair(3).images)


def test_given_galaxies_are_added_together() -> None:
    images = np.stack([source(55.5, 55.5, flux=flux, width=width) for flux, width in
                       ((100, 2), (40, 5), (10, 4), (80, 3), (60, 5), (20, 4), (50, 3))]
                      ).astype(np.float32)  # fmt: skip
    magnitudes = 31.4 - 2.5 * np.log10(images.sum((1, 2)))
    galaxies = RealBlends(images, magnitudes, seed=3)
    for index in (0, 3, 6):
        pair = galaxies.pair(index)
        one, two = pair.images.sum((1, 2))
        assert one / two == pytest.approx(pair.ratio, rel=1e-3)
        rows, columns = np.indices(images[0].shape)
        for image, place in zip(pair.images, pair.places, strict=True):
            centre = [float((axis * image).sum() / image.sum()) for axis in (rows, columns)]
            assert centre == pytest.approx(place, abs=0.02)
        # By whole pixels.
        apart = np.hypot(*(pair.places[0] - pair.places[1])) * 0.06
        assert apart == pytest.approx(pair.separation)
    assert np.array_equal(galaxies.pair(1).images[0], images[1])
    # Nothing that sets a threshold is counted, or in a pair.
    used = [{float(galaxies.pair(i).images[0].max()) for i in range(kind, 60, 3)}
            for kind in range(len(KINDS))]  # fmt: skip
    assert [len(one) for one in used] == [3, 2, 2]
    assert len(set.union(*used)) == len(images)
    widths = {round(float(image.sum() / image.max()), 1) for image in images[0::3]}
    seconds = [galaxies.pair(i).images[1] for i in range(0, 60, 3)]
    assert {round(float(one.sum() / one.max()), 1) for one in seconds} <= widths


def gaussian(y: float, x: float, width: float, flux: float, side: int = 112) -> np.ndarray:
    rows, columns = np.indices((side, side))
    away = ((rows - y) ** 2 + (columns - x) ** 2) / width**2
    return np.asarray(flux * np.exp(-0.5 * away) / (2 * np.pi * width**2))


def test_two_centres_stand_out_where_no_level_splits_them() -> None:
    noise = 1e-3 * np.random.default_rng(4).standard_normal((112, 112))
    pair = gaussian(52.0, 54.0, 3.5, 60.0) + gaussian(58.0, 60.0, 3.5, 30.0) + noise
    # A bulge in a disk, as bright, has one centre.
    single = gaussian(55.0, 56.0, 2.5, 40.0) + gaussian(55.0, 56.0, 7.0, 50.0) + noise
    found, alone = (blends.find_centres(one, 0.01, SCALE) for one in (pair, single))
    assert blends.split_image(pair, 0.01, SCALE).contrast < 0.01
    assert found.contrast > 0.02 > 5 * alone.contrast >= 0
    np.testing.assert_allclose(found.places, [[52, 54], [58, 60]], atol=0.7)
    # Per light, whatever the unit, and of whatever orientation.
    turned = blends.find_centres(1000 * pair.T, 10.0, SCALE)
    assert turned.contrast == pytest.approx(found.contrast, rel=1e-6)
    np.testing.assert_allclose(turned.places, found.places[:, ::-1], atol=1e-3)
    # What is far from the middle, apart from the brightest, or noise alone isn't looked at.
    far = pair + gaussian(56.0, 100.0, 2.0, 500.0)
    assert blends.find_centres(far, 0.01, SCALE).contrast == pytest.approx(found.contrast)
    apart = pair + gaussian(56.0, 76.0, 1.0, 2.0)
    assert blends.find_centres(apart, 0.01, SCALE).contrast == pytest.approx(
        found.contrast, rel=0.1
    )
    nothing = blends.find_centres(noise, 0.01, SCALE)
    assert nothing.contrast == 0
    assert np.isnan(nothing.places).all()
