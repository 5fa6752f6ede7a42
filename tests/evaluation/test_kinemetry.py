"""Harmonics of fields whose expansion is known."""

import numpy as np
import pytest

from clumpygan.evaluation.cubes.kinemetry import THICKNESS, Ellipses, amplitudes, harmonics
from clumpygan.galaxies.geometry import apparent_axis_ratio

SIDE = 33


def field(function, inclination=60.0, position_angle=130.0, x0=16.3, y0=15.6):
    """Return a map of function(radius in pixels, azimuth in the disk), and where the disk lies."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    x, y = x - x0, y - y0
    sine, cosine = np.sin(np.radians(position_angle)), np.cos(np.radians(position_angle))
    along, across = -sine * x + cosine * y, (-cosine * x - sine * y)
    across = across / apparent_axis_ratio(inclination, THICKNESS)
    image = function(np.hypot(along, across), np.arctan2(across, along))
    ellipses = Ellipses(*(np.array([v]) for v in (x0, y0, inclination, position_angle)))
    return image[None], ellipses


def test_regular_rotation_is_the_first_cosine():
    (found,) = harmonics(*field(lambda r, psi: 20.0 + 100.0 * np.cos(psi)))
    assert len(found) > 5
    outer = found[2:]
    np.testing.assert_allclose(outer[:, 0, 0], 20.0, atol=1.0)
    np.testing.assert_allclose(outer[:, 1, 1], 100.0, rtol=0.03)
    others = amplitudes(outer)[:, 2:]
    assert others.max() < 4.0


@pytest.mark.parametrize("order", [2, 3, 5])
def test_each_harmonic_comes_back(order):
    def wavy(r, psi):
        return 100.0 * np.cos(psi) + 15.0 * np.sin(order * psi)

    (found,) = harmonics(*field(wavy, inclination=35.0))
    outer = found[5:]
    np.testing.assert_allclose(outer[:, 0, order], 15.0, atol=1.5)
    np.testing.assert_allclose(amplitudes(outer)[:, order], 15.0, atol=1.5)


def test_another_position_angle_turns_cosine_into_sine():
    image, ellipses = field(lambda r, psi: 100.0 * np.cos(psi), inclination=0.0)
    turned = ellipses._replace(position_angle=ellipses.position_angle - 90.0)
    (found,) = harmonics(image, turned)
    np.testing.assert_allclose(found[3:, 0, 1], 100.0, rtol=0.03)
    np.testing.assert_allclose(found[3:, 1, 1], 0.0, atol=2.0)


def test_ellipses_end_where_the_map_does():
    image, ellipses = field(lambda r, psi: np.where(r < 8.0, np.cos(psi), np.nan), 30.0)
    (found,) = harmonics(image, ellipses)
    assert 5 <= len(found) <= 7
    (none,) = harmonics(np.full_like(image, np.nan), ellipses)
    assert none.shape == (0, 2, 6)
