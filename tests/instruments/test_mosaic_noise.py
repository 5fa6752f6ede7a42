"""The noise of mosaics: of few exposures, that differs from place to place, and beside an edge."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from clumpygan.instruments import (
    HST_WFC3_F160W,
    NoiseModel,
    drizzled_correlation,
    estimate_noise,
    small_scale_noise,
)
from clumpygan.instruments.correlation import source_free
from tests.recovery.examples import galaxy

SCALE, DETECTOR, DROP = 0.06, 0.1283, 0.8
SEEDS = range(6)
MANY_DITHERS = drizzled_correlation(SCALE, DETECTOR, DROP)
PSF = HST_WFC3_F160W.psf()


def shared_with_drops(side: int, shift: float) -> np.ndarray:
    """Return the length of each drop in each pixel along an axis (side, drops), in DETECTOR."""
    pixel = SCALE / DETECTOR
    start = np.arange(side)[:, None] * pixel
    drop = np.arange(-2, int(side * pixel) + 2) + 0.5 + shift - DROP / 2
    return np.clip(np.minimum(start + pixel, drop + DROP) - np.maximum(start, drop), 0, None)


def drizzled(side: int, exposures: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return white noise of some exposures drizzled together, where there is none, and its rms."""
    rng = np.random.default_rng(seed)
    total, weight, squares = (np.zeros((side, side)) for _ in range(3))
    for _ in range(exposures):
        rows, columns = (shared_with_drops(side, shift) for shift in rng.uniform(size=2))
        pixels = rng.normal(size=(rows.shape[1], columns.shape[1]))
        total += rows @ pixels @ columns.T
        weight += np.outer(rows.sum(axis=1), columns.sum(axis=1))
        squares += np.outer((rows**2).sum(axis=1), (columns**2).sum(axis=1))
    empty = weight == 0
    weight[empty] = np.inf
    return total / weight, empty, float(np.sqrt((squares / weight**2)[~empty].mean()))


@pytest.mark.parametrize(("exposures", "error"), [(2, 0.15), (3, 0.1), (30, 0.05)])
def test_few_exposures_have_their_noise_by_differences(exposures: int, error: float) -> None:
    found, correlated = [], []
    for seed in SEEDS:
        data, empty, rms = drizzled(96, exposures, seed)
        noise = small_scale_noise(data, SCALE, empty, DROP * DETECTOR / SCALE)
        found.append(noise.sigma / rms)
        correlated.append(noise.white_sigma / rms)
    assert np.mean(found) == pytest.approx(1, rel=error)
    # What large apertures see, of any number of exposures.
    white = NoiseModel(1.0, SCALE, MANY_DITHERS).white_sigma
    assert np.mean(correlated) == pytest.approx(white, rel=error)


def observed(noise_map: np.ndarray, empty: np.ndarray, seed: int) -> np.ndarray:
    """Return a galaxy behind drizzled noise of such sigma."""
    even = NoiseModel(1.0, SCALE, MANY_DITHERS).draw(
        empty.shape, torch.Generator().manual_seed(seed)
    )
    return np.where(empty, 0.0, light(len(empty)) * noise_map.min() + noise_map * even.numpy())


@cache
def light(side: int) -> np.ndarray:
    return galaxy((side, side), SCALE, PSF, 4e4, 0.0)


UNEVEN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rises": lambda x: 1 + 2 * x,
    "rises by powers": lambda x: 4**x,
    "edge in the middle": lambda x: np.where(x > 0.5, 3.0, 1.0),
    "edge to the left": lambda x: np.where(x > 0.3, 3.0, 1.0),
}


@pytest.mark.parametrize("border", [False, True], ids=["whole", "border"])
@pytest.mark.parametrize("kind", UNEVEN)
def test_noise_that_differs_is_that_of_a_typical_pixel(kind: str, border: bool) -> None:
    y, x = np.mgrid[:112, :112] / 111
    noise_map = UNEVEN[kind](x)
    # The mosaic ends along a slanted line, as detectors are turned.
    empty = (x + 0.4 * y > 1.1) & border
    typical = np.median(noise_map[~empty])
    found = [estimate_noise(observed(noise_map, empty, s), SCALE, empty) for s in SEEDS]
    error = 0.09 if kind.startswith("rises") else 0.16
    assert np.mean([one.sigma for one in found]) == pytest.approx(typical, rel=error)
    along = np.mean([one.correlation[5, 5:8] for one in found], axis=0)
    np.testing.assert_allclose(along, MANY_DITHERS[2, 2:5], atol=0.06)


@pytest.mark.parametrize("highest", [1.0, 3.0])
def test_dead_pixels_do_not_count_as_noise_nearby(highest: float) -> None:
    noise_map = np.broadcast_to(np.linspace(1, highest, 112), (112, 112))
    found = []
    for seed in SEEDS:
        data = observed(noise_map, np.zeros(noise_map.shape, bool), seed)
        data[np.random.default_rng(seed).uniform(size=data.shape) < 0.0005] = -600.0
        found.append(estimate_noise(data, SCALE).sigma)
    assert np.mean(found) == pytest.approx((1 + highest) / 2, rel=0.09)


@pytest.mark.parametrize("side", [64, 112])
def test_noise_that_is_the_same_everywhere_is_left_as_it_is(side: int) -> None:
    whole = np.zeros((side, side), bool)
    for seed in SEEDS:
        data = observed(np.ones(whole.shape), whole, seed)
        sky = data[source_free(data, whole)]
        scatter = 1.4826 * np.median(np.abs(sky - np.median(sky)))
        assert estimate_noise(data, SCALE).sigma == pytest.approx(scatter, rel=1e-12)
