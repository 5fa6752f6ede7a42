"""Growth curves of many stamps at once: centres, light within a radius, extents, radii of light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CENTRE_WINDOW = 6.0
"""Gaussian sigma in pixels of the window in which the centroid of the light is found."""

EDGE_SIGNIFICANCE = 3.0
"""A galaxy ends where a ring of one pixel is below this many sigma of its mean (white noise)."""

SMALLEST_EXTENT = 3
"""Pixels: even a stamp without a galaxy is measured within this radius."""

Images = NDArray[np.float32]


@dataclass(frozen=True)
class GrowthCurve:
    """Where the light of N stamps is.

    Attributes
    ----------
    centre : numpy.ndarray, (N, 2)
        Centroid (y, x) in pixels.
    radius : numpy.ndarray, (N, y, x)
        Distance of every pixel from it, in pixels.
    light : numpy.ndarray, (N, R + 1)
        Flux within 0, 1, ... R pixels, rims of pixels counted in part; R is half the stamp.
    area : numpy.ndarray, (N, R + 1)
        Pixels within these radii, those outside the stamp left out.
    extent : numpy.ndarray, (N,)
        Radius in pixels at which the galaxy sinks below the noise, 3 at least.
    """

    centre: NDArray[np.float64]
    radius: Images
    light: NDArray[np.float64]
    area: NDArray[np.float64]
    extent: NDArray[np.int64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Flux (N,) within the extent."""
        return np.take_along_axis(self.light, self.extent[:, None], 1)[:, 0]

    @property
    def covered(self) -> NDArray[np.float64]:
        """Pixels (N,) within the extent."""
        return np.take_along_axis(self.area, self.extent[:, None], 1)[:, 0]

    def radius_of_light(self, fraction: float) -> NDArray[np.float64]:
        """Return the radii (N,) in pixels that hold `fraction` of the light within the extent."""
        rings = np.arange(self.light.shape[1])
        inside = rings <= self.extent[:, None]
        light = np.maximum.accumulate(np.where(inside, self.light, 0.0), axis=1)
        wanted = fraction * np.maximum(self.total, 1e-6)
        reached = np.argmax((light >= wanted[:, None]) | (rings == self.extent[:, None]), axis=1)
        before = np.take_along_axis(light, np.maximum(reached - 1, 0)[:, None], 1)[:, 0]
        after = np.take_along_axis(light, reached[:, None], 1)[:, 0]
        part = (wanted - before) / np.maximum(after - before, 1e-6)
        return np.asarray(np.maximum(reached - 1, 0) + np.clip(part, 0.0, 1.0))


def grow(images: Images, centre: NDArray[np.float64]) -> GrowthCurve:
    """Measure the growth curves of stamps around their centres.

    Parameters
    ----------
    images : numpy.ndarray, (N, y, x)
        In units of the noise per pixel, without background.
    centre : numpy.ndarray, (N, 2)
        As from `centroid`.

    Returns
    -------
    GrowthCurve
    """
    number, height, width = images.shape
    y = (np.arange(height) - centre[:, :1]).astype(np.float32)
    x = (np.arange(width) - centre[:, 1:]).astype(np.float32)
    radius = np.sqrt(np.square(y)[:, :, None] + np.square(x)[:, None, :])
    rings = min(height, width) // 2 + 1
    # the rim of an aperture of radius R takes part of the pixels between R - 1/2 and R + 1/2
    place = radius + np.float32(0.5)
    ring = place.astype(np.int32)
    outer = place - ring
    np.minimum(ring, rings, out=ring)
    slot = (ring + (rings + 2) * np.arange(number, dtype=np.int32)[:, None, None]).ravel()
    slots = number * (rings + 2)

    def within(weights: Images) -> NDArray[np.float64]:
        late = (weights * outer).ravel()
        parts = np.bincount(slot, weights.ravel() - late, slots)
        parts[1:] += np.bincount(slot, late, slots)[:-1]
        return parts.reshape(number, -1).cumsum(axis=1)[:, :rings]

    light, area = within(images), within(np.ones_like(images))
    return GrowthCurve(centre, radius, light, area, _extent(light, area))


def _extent(light: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.int64]:
    step = np.maximum(np.diff(area, axis=1), 1e-6)
    significance = np.diff(light, axis=1) / np.sqrt(step)
    faint = significance < EDGE_SIGNIFICANCE
    faint[:, : SMALLEST_EXTENT - 1] = False
    last = light.shape[1] - 1
    return np.asarray(
        np.where(faint.any(axis=1), np.maximum(faint.argmax(axis=1), SMALLEST_EXTENT), last)
    )


def moments(
    images: Images, centre: NDArray[np.float64], window: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the moments (N, 3, 3) of stamps under round Gaussian windows.

    Entry [n, i, j] is the sum of weight * light * dy^i * dx^j.

    Parameters
    ----------
    images : numpy.ndarray, (N, y, x)
    centre : numpy.ndarray, (N, 2)
        (y, x) in pixels.
    window : numpy.ndarray, (N,)
        Gaussian sigma in pixels.
    """
    dy, dx = (
        np.arange(length) - centre[:, axis, None] for axis, length in enumerate(images.shape[1:])
    )
    powers = np.arange(3)[:, None, None]
    rows, columns = (
        (np.exp(-0.5 * np.square(d / window[:, None])) * d**powers).transpose(1, 2, 0)
        for d in (dy, dx)
    )
    half = images @ columns.astype(np.float32)
    return np.asarray(rows.transpose(0, 2, 1) @ half)


def centroid(images: Images, iterations: int = 3) -> NDArray[np.float64]:
    """Return the centroids (N, 2) of stamps under a window that follows them.

    Parameters
    ----------
    images : numpy.ndarray, (N, y, x)
        Not negative: the significant light alone. A stamp without any has its centre in the middle.
    iterations : int
        How often the window moves.
    """
    middle = (np.array(images.shape[1:]) - 1) / 2
    centre = np.tile(middle, (len(images), 1))
    reach = np.array(images.shape[1:]) / 4
    window = np.full(len(images), CENTRE_WINDOW)
    for _ in range(iterations):
        moment = moments(images, centre, window)
        light = moment[:, 0, 0]
        shift = np.stack([moment[:, 1, 0], moment[:, 0, 1]], axis=1)
        # half of the light of a Gaussian as wide as the window is lost to it: twice the shift
        centre += 1.5 * shift / np.maximum(light, 1e-3)[:, None]
        centre = np.clip(centre, middle - reach, middle + reach)
    return centre
