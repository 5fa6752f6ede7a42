import numpy as np
import pytest

from clumpygan.galaxies.images.clumps import (
    MAXIMUM_CLUMPS,
    clumpy_probability,
    draw_clumps,
)
from clumpygan.galaxies.images.streams import (
    ARM_INNER_RADIUS,
    ARM_OUTER_RADIUS,
    arm_points,
)


def many(very_clumpy, radius=0.5, n=1500, redshift=1.0):
    generator = np.random.default_rng(3)
    return [
        draw_clumps(generator, redshift=redshift, half_light_radius=radius, very_clumpy=very_clumpy)
        for _ in range(n)
    ]


def test_clumpy_probability_is_guo_et_al_2015():
    assert clumpy_probability(9.0, 0.5) == clumpy_probability(9.0, 2.5) == pytest.approx(0.60)
    assert clumpy_probability(10.2, 0.5) == pytest.approx(0.40)
    assert clumpy_probability(11.0, 0.5) == pytest.approx(0.15)
    assert clumpy_probability(10.2, 3.0) == clumpy_probability(11.0, 3.0) == pytest.approx(0.55)


def test_numbers_and_light_are_those_of_soto_et_al_2017():
    clumps = many(very_clumpy=False)
    contrast = np.interp(1.0, [0.5, 2.0], [0.25, 0.4])
    ultraviolet = np.array([c.flux.sum() for c in clumps]) / contrast
    assert ultraviolet.mean() == pytest.approx(0.19, abs=0.015)
    bright = [np.sum(c.flux / contrast > 0.08) for c in clumps]
    hosts = [n for n in bright if n]
    assert 1.2 < np.mean(hosts) < 2.2
    assert max(len(c.flux) for c in clumps) <= MAXIMUM_CLUMPS


def test_luminosity_function_falls_as_the_square():
    """Of dN/dL ~ L^-2 between 1 and 5, (1 - 1/2) / (1 - 1/5) = 62.5 % are below 2.

    In pairs of clumps the ratio of the fainter to the brighter one is compared with
    that of all pairs of quantiles of the law.
    """
    pairs = np.array([c.flux for c in many(very_clumpy=False, n=4000) if c.flux.size == 2])
    ratios = pairs.min(axis=1) / pairs.max(axis=1)
    quantiles = 1.0 / (1.0 - 0.8 * (np.arange(1000) + 0.5) / 1000)
    expected = np.minimum.outer(quantiles, quantiles) / np.maximum.outer(quantiles, quantiles)
    assert ratios.min() >= 0.2
    for percent in (25, 50, 75):
        assert np.percentile(ratios, percent) == pytest.approx(
            np.percentile(expected, percent), abs=0.025
        )


def test_faint_clumps_outnumber_bright_ones():
    """Of three clumps the middle one is nearer to the faintest than to the brightest."""
    triples = np.array([c.flux for c in many(very_clumpy=False, n=3000) if c.flux.size == 3])
    low, middle, high = np.sort(triples, axis=1).T
    assert np.mean(middle**2 < low * high) > 0.54


def test_clump_clusters_have_many_bright_clumps():
    clumps = many(very_clumpy=True, n=300)
    assert min(len(c.flux) for c in clumps) == 4
    assert 0.15 < np.mean([c.flux.sum() for c in clumps]) < 0.2


def test_a_common_clump_has_two_percent_of_the_light():
    """COSMOS-Web (arXiv 2506.13881), near infrared."""
    each = np.concatenate([c.flux for c in many(very_clumpy=False)])
    assert np.median(each) == pytest.approx(0.02, abs=0.005)


def test_clumps_are_off_the_nucleus_and_near_the_resolution():
    for clumps in many(very_clumpy=True, n=200):
        radius = 0.5 * np.hypot(clumps.x, clumps.y)
        assert radius.min() >= 0.2 - 1e-12
        assert radius.max() <= 0.5 * 2.2 + 1e-12
        assert clumps.size.min() >= 0.05
        assert clumps.size.max() <= 0.15


def test_clumps_stand_out_less_at_low_redshift():
    near, far = (many(very_clumpy=True, n=200, redshift=z) for z in (0.5, 2.0))
    ratio = np.mean([c.flux.sum() for c in near]) / np.mean([c.flux.sum() for c in far])
    assert ratio == pytest.approx(0.25 / 0.40, rel=1e-6)


def test_arms_are_logarithmic_spirals():
    flux, x, y = arm_points(2, 20.0, 30.0)
    half = flux.size // 2
    assert flux.sum() == pytest.approx(1.0)
    assert np.all(flux > 0.0)
    radius, angle = np.hypot(x, y)[:half], np.unwrap(np.arctan2(y, x)[:half])
    assert radius[[0, -1]] == pytest.approx([ARM_INNER_RADIUS, ARM_OUTER_RADIUS])
    assert np.degrees(angle[0]) == pytest.approx(30.0)
    slope = np.diff(np.log(radius)) / np.diff(angle)
    np.testing.assert_allclose(slope, np.tan(np.radians(20.0)))
    np.testing.assert_allclose(x[half:], -x[:half], atol=1e-12)
