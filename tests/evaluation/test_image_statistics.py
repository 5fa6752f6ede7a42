import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.image_statistics import (
    DEFINITIONS,
    FEATURES,
    SMALLEST_SIDE,
    image_features,
)

SIDE = 64


def gaussian(
    flux: float, sigma: float, ratio: float = 1.0, centre: tuple[float, float] = (31.5, 31.5)
) -> np.ndarray:
    """A Gaussian galaxy; sigma along x, ratio times it along y."""
    y, x = np.mgrid[:SIDE, :SIDE]
    y, x = (y - centre[0]) / (ratio * sigma), (x - centre[1]) / sigma
    return flux * np.exp(-0.5 * (x**2 + y**2)) / (2 * np.pi * ratio * sigma**2)


def white(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(number, SIDE, SIDE))


def measured(images: np.ndarray) -> dict[str, np.ndarray]:
    images = images[None] if images.ndim == 2 else images
    return dict(zip(FEATURES, image_features(images).T, strict=True))


def test_features_have_definitions():
    assert tuple(DEFINITIONS) == FEATURES
    assert image_features(white(3)).shape == (3, len(FEATURES))
    assert image_features(white(3)).dtype == np.float64
    assert image_features(np.empty((0, 32, 32))).shape == (0, len(FEATURES))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, SIDE, SIDE)),
        np.ones((1, 24, 40)),
        np.full((1, SIDE, SIDE), 1e38, dtype=np.float32),
        np.full((1, SIDE, SIDE), -1e200),
        -white(2) * 1e6,
        white(5),
        gaussian(1e6, 0.3)[None],
        gaussian(1e9, 60.0)[None],
    ],
)
def test_features_are_always_finite(images):
    assert np.isfinite(image_features(images)).all()


def test_numbers_do_not_depend_on_the_other_stamps():
    images = white(70) + gaussian(2000.0, 3.0)
    together = image_features(images)
    np.testing.assert_allclose(together[66:], image_features(images[66:]), rtol=1e-4, atol=1e-4)
    assert together.std(axis=0).min() >= 0


def test_numbers_do_not_depend_on_orientation():
    image = (white(1, 4)[0] + gaussian(3000.0, 4.0, 0.5)).astype(np.float32)
    image += gaussian(400.0, 1.2, 1.0, (25.0, 38.0))
    turned = np.stack([image, np.rot90(image), image[::-1], image.T])
    features = image_features(turned)
    for other in features[1:]:
        np.testing.assert_allclose(other, features[0], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
@pytest.mark.parametrize("centre", [(31.5, 31.5), (32.3, 30.1)])
def test_a_round_gaussian_is_measured_right(sigma, centre):
    found = measured(gaussian(1e5, sigma, centre=centre) + 0.0)
    # 1.1774 sigma hold half the light; the pixel of the aperture's rim adds a little
    assert 10 ** found["half_light_radius"][0] == pytest.approx(1.1774 * sigma, rel=0.03)
    expected = 5 * np.log10(np.sqrt(np.log(5.0) / np.log(1.25)))
    assert found["concentration"][0] == pytest.approx(expected, abs=0.16)
    assert found["ellipticity"][0] < 0.01
    assert abs(found["asymmetry"][0]) < 0.03
    assert found["offset"][0] ** 2 == pytest.approx(
        np.hypot(centre[0] - 31.5, centre[1] - 31.5), abs=0.2
    )
    assert np.sinh(found["flux"][0]) * np.sqrt(np.pi) * 10 ** found["extent"][0] == pytest.approx(
        1e5, rel=0.02
    )


def test_ellipticity_is_that_of_the_moments_under_the_window():
    # a Gaussian of 4 and 2 pixels under a round window w: 1/s^2 -> 1/s^2 + 1/w^2
    found = measured(gaussian(1e5, 4.0, 0.5))
    window = np.clip(1.5 * 10 ** found["half_light_radius"][0], 2.5, 8.0)
    a, b = (1 / (1 / s**2 + 1 / window**2) for s in (4.0, 2.0))
    assert found["ellipticity"][0] == pytest.approx((a - b) / (a + b), abs=0.02)
    assert 10 ** found["size"][0] == pytest.approx(np.sqrt(a + b), rel=0.02)


def test_asymmetry_sees_a_lopsided_galaxy_through_noise():
    symmetric = white(40, 1) + gaussian(3000.0, 3.0)
    lopsided = symmetric + gaussian(800.0, 1.5, 1.0, (31.5, 37.5))
    even, odd = (measured(images)["asymmetry"] for images in (symmetric, lopsided))
    assert abs(even.mean()) < 0.1
    assert odd.mean() > even.mean() + 0.15


def test_smoothness_and_clumps_see_lumps_through_noise():
    disk = gaussian(4000.0, 6.0)
    lumps = sum(
        gaussian(500.0, 1.3, 1.0, place) for place in [(25.0, 31.0), (36.0, 39.0), (38.0, 26.0)]
    )
    noise = white(20, 2)
    smooth, clumpy = measured(noise + disk), measured(noise + disk + lumps)
    assert np.median(10 ** clumpy["clump_number"] - 1) == pytest.approx(3.0, abs=0.5)
    assert smooth["clump_number"].max() < np.log10(2.5)
    assert np.square(clumpy["clump_fraction"]).mean() == pytest.approx(1500 / 5500, rel=0.25)
    assert clumpy["smoothness"].mean() > smooth["smoothness"].mean() + 0.03


def test_gini_of_equal_pixels_is_nought_and_of_one_pixel_is_one():
    y, x = np.mgrid[:SIDE, :SIDE] - 31.5
    flat = np.where(np.hypot(x, y) < 18.0, 50.0, 0.0)
    point = np.zeros((SIDE, SIDE))
    point[31, 31] = 1e5
    assert measured(flat)["gini"][0] < 0.2
    assert measured(point)["gini"][0] > 0.5
    # the brightest fifth of the light of a point is nearer to the centre than that of a disk
    assert measured(point)["m20"][0] < measured(flat)["m20"][0]


def test_noise_is_described():
    plain = measured(white(60, 3))
    assert np.median(plain["noise_rms"]) == pytest.approx(0.0, abs=0.01)
    assert plain["noise_correlation"].mean() == pytest.approx(0.0, abs=0.01)
    for band in range(1, 5):
        mean = np.log10((10 ** plain[f"power_{band}"]).mean())
        assert mean == pytest.approx(0.0, abs=0.1)
    blurred = gaussian_filter(white(60, 3), (0, 1.0, 1.0))
    blurred /= blurred.std()
    correlated = measured(3.0 * blurred + 0.5)
    assert np.median(correlated["noise_rms"]) == pytest.approx(np.log10(3.0), abs=0.02)
    # neighbours of white noise blurred by sigma correlate by exp(-1 / 4 sigma^2)
    assert correlated["noise_correlation"].mean() == pytest.approx(np.exp(-0.25), abs=0.05)
    assert np.sinh(correlated["sky"]).mean() == pytest.approx(0.5, abs=0.1)
    assert correlated["power_4"].mean() < correlated["power_1"].mean() - 1.0


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match=r"\(64, 64\): expected \(N, y, x\)"):
        image_features(white(1)[0])
    with pytest.raises(InputError, match="at least 24 pixels"):
        image_features(np.zeros((2, 16, 64)))
    images = white(130)
    images[100, 3, 4] = np.nan
    with pytest.raises(InputError, match="image 100 holds NaN"):
        image_features(images)


def test_the_smallest_stamps_have_finite_features_too():
    stamps = np.random.default_rng(0).normal(size=(3, SMALLEST_SIDE, SMALLEST_SIDE))
    assert np.isfinite(image_features(stamps)).all()
