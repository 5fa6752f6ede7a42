"""The half-light radius of a profile and its map: radii that are known, and sums over pixels."""

import numpy as np
import pytest
from scipy.special import gammaincinv

from clumpygan.galaxies.disks.light_radius import (
    RADII,
    clumps_within,
    growth_curves,
    half_light_radii,
    points_within,
    radii_of,
    sersic_indices,
)  # fmt: skip


def on_pixels(size, extent, function):
    """Return a map (N, N) of a function of the radius."""
    places = extent * ((2 * np.arange(size) + 1) / size - 1)
    return function(np.hypot(*np.meshgrid(places, places)))


def test_a_flat_map_changes_nothing():
    indices = np.array([0.4, 1.0, 2.5, 5.0])
    found = half_light_radii(np.full((4, 6, 6), 3.0), indices, 3.0)
    np.testing.assert_allclose(found, 1.0, rtol=1e-3)
    # And where no light is left, which draws far out in a posterior may come to.
    np.testing.assert_allclose(half_light_radii(np.zeros((4, 6, 6)), indices, 3.0), found)


@pytest.mark.parametrize("radius", [0.8, 1.2])
def test_a_map_that_makes_another_profile_has_its_radius(radius):
    b = 1.6783469900166605
    light = on_pixels(80, 8.0, lambda r: np.exp(-b * r * (1 / radius - 1)))
    np.testing.assert_allclose(half_light_radii(light[None], [1.0], 8.0), radius, rtol=5e-3)


def test_lumps_beside_the_centre_count_by_their_distance_from_it():
    generator = np.random.default_rng(3)
    factors = generator.gamma(0.5, 2.0, (12, 12)) * on_pixels(12, 2.5, np.square)
    found = half_light_radii(factors[None], [1.3], 2.5)[0]
    # By the sum over a fine grid.
    axis = np.arange(-14.99, 15, 0.02)
    x, y = np.meshgrid(axis, axis)
    places = [np.clip(0.5 * (one / 2.5 + 1) * 12 - 0.5, 0, 11) for one in (y, x)]
    low = [np.minimum(one.astype(int), 10) for one in places]
    part = [one - first for one, first in zip(places, low, strict=True)]
    factor = sum(
        factors[low[0] + down, low[1] + right]
        * np.abs(1 - down - part[0])
        * np.abs(1 - right - part[1])
        for down in (0, 1)
        for right in (0, 1)
    )
    radius = np.hypot(x, y)
    light = factor * np.exp(-gammaincinv(2.6, 0.5) * radius ** (1 / 1.3))
    assert light[radius < found].sum() / light.sum() == pytest.approx(0.5, abs=2e-3)
    assert abs(found - 1) > 0.05


def test_the_index_is_that_of_a_profile_whatever_its_radius():
    indices = np.array([0.3, 0.77, 1.0, 2.5, 7.0])
    curves = growth_curves(np.ones((5, 4, 4)), indices, 3.0)
    np.testing.assert_allclose(sersic_indices(curves), indices, rtol=2e-3)
    larger = np.stack([np.interp(RADII / 1.7, RADII, one) for one in curves])
    np.testing.assert_allclose(radii_of(larger), 1.7, rtol=5e-3)
    np.testing.assert_allclose(sersic_indices(larger), indices, rtol=2e-2)


def test_light_in_the_centre_raises_the_index_and_a_hole_lowers_it():
    (disk,) = growth_curves(np.ones((1, 4, 4)), [1.0], 3.0)
    clump = clumps_within(np.array([0.0]), np.array([0.0]), np.array([0.2]))[0]
    (hollow,) = growth_curves(on_pixels(40, 3.0, lambda r: np.minimum(r, 1.0))[None], [1.0], 3.0)
    more, less = sersic_indices([0.8 * disk + 0.2 * clump, hollow])
    assert more > 1.3
    assert less < 0.8


def test_points_grow_as_their_profile():
    """An exponential disk of rings of points, and its curve of growth."""
    edges = np.linspace(0, 12, 4001)
    radii = 0.5 * (edges[1:] + edges[:-1])
    flux = radii * np.exp(-gammaincinv(2.0, 0.5) * radii)
    order = np.random.default_rng(1).permutation(radii.size)
    (expected,) = growth_curves(np.ones((1, 4, 4)), [1.0], 3.0)
    np.testing.assert_allclose(points_within(radii[order], flux[order]), expected, atol=2e-3)
