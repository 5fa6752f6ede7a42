"""One galaxy of an image by itself: its sky taken off, neighbours removed, wings completed."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SHARES = (0.2, 0.5, 0.8)
"""Of the light, whose radii are measured."""

_SMOOTHING = 1.5
"""Pixels (sigma) by which an image is smoothed before its sources are found."""

_THRESHOLD = 2.0
"""Sigma of the smoothed sky above which a pixel belongs to a source."""

_SMALLEST = 80
"""Pixels of a galaxy, at least."""

_STRUCTURE = 4.0
"""By how many times the scatter of a sky may exceed the noise from one pixel to the next."""

_OUTER = 0.6
"""From this share of its extent on a profile tells how it goes on."""


@dataclass(frozen=True)
class Isolated:
    """A galaxy by itself.

    Attributes
    ----------
    image : ndarray (y, x), float32
        Fluxes, 0 far from the galaxy; in the middle of the array.
    sigma : float
        Noise of a pixel in the same unit.
    radii : tuple of float
        Pixels, along the major axis, that hold 20, 50 and 80 % of the light as observed.
    """

    image: NDArray[np.float32]
    sigma: float
    radii: tuple[float, float, float]

    @property
    def half_light_radius(self) -> float:
        """Pixels, along the major axis, of the light as observed."""
        return self.radii[1]

    @property
    def flux(self) -> float:
        """Sum of the pixels."""
        return float(self.image.sum(dtype=np.float64))


def isolate(image: NDArray[np.floating]) -> Isolated | None:
    """Take the galaxy nearest to the centre out of an image.

    Pixels of a neighbour that touches the galaxy are replaced by those on the opposite side of it.
    Beyond the pixels that stand out, the galaxy goes on as an exponential of its elliptical
    radius, as its outer profile does: a cut rim would be learnt as a property of galaxies.

    Parameters
    ----------
    image : array (y, x)
        Not finite where there are no data.

    Returns
    -------
    Isolated or None
        None if there is no galaxy in the middle, or it reaches the edge of the data.
    """
    data = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    sky, sigma = _sky(data)
    data = np.where(data != 0, data - sky, 0.0)
    smooth = ndimage.gaussian_filter(data, _SMOOTHING)
    # Of white noise that is smoothed by a Gaussian.
    level = _THRESHOLD * sigma / (2 * np.sqrt(np.pi) * _SMOOTHING)
    labels, count = ndimage.label(smooth > max(level, 1e-3 * float(smooth.max())))
    if not count:
        return None
    middle = (np.array(data.shape) - 1) / 2
    places = np.argwhere(labels > 0)
    nearest = places[np.argmin(np.square(places - middle).sum(1))]
    if np.hypot(*(nearest - middle)) > 0.1 * min(data.shape):
        return None
    # Where the sky has been set to 0, smoothed light reaches beyond what there is of it.
    own = ndimage.binary_fill_holes(labels == labels[tuple(nearest)]) & (data != 0)
    edges = np.concatenate(
        [own[:2].ravel(), own[-2:].ravel(), own[:, :2].ravel(), own[:, -2:].ravel()]
    )
    if own.sum() < _SMALLEST or edges.any() or _filled_by_light(data, sigma):
        return None
    own, other, core = _without_neighbours(smooth, own)
    light = np.where(own, data, 0.0)
    # What a neighbour hides on one side would move the centre of the whole.
    light[other] = _opposite(light, _moments(np.where(core, data, 0.0))[0])[other]
    centre, shape = _moments(light)
    radius = _elliptical_radius(data.shape, centre, shape)
    whole = _completed(light, own | other, radius)
    if whole.sum() <= 0:
        return None
    if not sigma:
        sigma = _grain(data, own)
    return Isolated(_centred(whole, centre).astype(np.float32), sigma, _radii(whole, radius))


def _sky(data: NDArray[np.float64]) -> tuple[float, float]:
    """Return level and noise of the pixels with data, by clipping at 2.5 sigma; 0 of blank sky."""
    pixels = data[data != 0]
    if pixels.size < 0.5 * data.size:
        # What surrounds the galaxy has been set to 0.
        return 0.0, 0.0
    for _ in range(20):
        level, sigma = (
            float(np.median(pixels)),
            1.4826 * float(np.median(np.abs(pixels - np.median(pixels)))),
        )
        kept = pixels[np.abs(pixels - level) < 2.5 * sigma]
        if kept.size in (0, pixels.size):
            break
        pixels = kept
    return level, sigma


def _filled_by_light(data: NDArray[np.float64], sigma: float) -> bool:
    """Whether what was taken for noise of the sky is light of a galaxy that fills the image."""
    steps = np.diff(data, axis=0)
    steps = steps[(data[1:] != 0) & (data[:-1] != 0)]
    noise = 1.4826 * float(np.median(np.abs(steps))) / 2**0.5 if steps.size else 0.0
    return bool(sigma > _STRUCTURE * noise)


def _grain(data: NDArray[np.float64], own: NDArray[np.bool_]) -> float:
    """Return the noise of a pixel where there is no sky: of the galaxy's faint part, at most.

    What is left of it beside its smoothed light; structure of the galaxy counts as noise.
    """
    faint = own & (data < np.percentile(data[own], 40))
    sharp = data - ndimage.gaussian_filter(data, 1.0)
    # White noise keeps 1 - 2 w + s of its variance, with the middle weight w of the filter, and
    # the sum s of its squared weights.
    kept = 1 - 2 / (2 * np.pi) + 1 / (4 * np.pi)
    inner = faint & ndimage.binary_erosion(own, iterations=3)
    values = sharp[inner if inner.any() else faint]
    return float(1.4826 * np.median(np.abs(values - np.median(values))) / kept**0.5)


def _without_neighbours(
    smooth: NDArray[np.float64], own: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the pixels of the galaxy, those of neighbours that touch it, and its bright core.

    A neighbour is an island at a tenth of the highest smoothed surface brightness, other than the
    one in the middle, and farther from it than it is large.
    """
    inner, count = ndimage.label(own & (smooth > 0.1 * smooth[own].max()))
    if count < 2:
        return own, np.zeros_like(own), own
    middle = (np.array(own.shape) - 1) / 2
    places = np.argwhere(inner > 0)
    main = int(inner[tuple(places[np.argmin(np.square(places - middle).sum(1))])])
    distance = [ndimage.distance_transform_edt(inner != i + 1) for i in range(count)]
    nearest = 1 + np.argmin(distance, axis=0)
    # Clumps of the galaxy itself are islands as well: only what is as far as it is large goes.
    extent = np.sqrt((inner == main).sum() / np.pi)
    other = np.zeros_like(own)
    for i in range(1, count + 1):
        if i != main and distance[main - 1][inner == i].min() > 1.5 * extent:
            other |= own & (nearest == i)
    return own & ~other, other, inner == main


def _moments(light: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre (y, x) and the second moments (2, 2) of the positive light."""
    weights = light.clip(0)
    places = np.indices(light.shape).reshape(2, -1).astype(np.float64)
    total = weights.sum()
    centre = places @ weights.ravel() / total
    offsets = places - centre[:, None]
    return centre, (offsets * weights.ravel()) @ offsets.T / total


def _elliptical_radius(
    shape: tuple[int, ...], centre: NDArray[np.float64], moments: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the radius along the major axis (y, x) of the ellipse through each pixel."""
    values, vectors = np.linalg.eigh(moments)
    ratio = float(np.sqrt(max(values[0], 0.02 * values[1]) / values[1]))
    offsets = np.indices(shape) - centre[:, None, None]
    minor, major = np.einsum("iyx,ij->jyx", offsets, vectors)
    return np.asarray(np.hypot(major, minor / ratio))


def _opposite(light: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light turned by half a circle around a centre."""
    return np.asarray(
        ndimage.affine_transform(light, -np.eye(2), offset=2 * centre, order=1, mode="constant")
    )


def _completed(
    light: NDArray[np.float64], own: NDArray[np.bool_], radius: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the light with its wings, beyond the galaxy's own pixels, as an exponential."""
    extent = float(np.percentile(radius[own], 90))
    rings = np.linspace(_OUTER * extent, extent, 6)
    radii, levels = [], []
    for low, high in pairwise(rings):
        inside = own & (radius >= low) & (radius < high)
        if inside.sum() >= 8 and (level := float(np.mean(light[inside]))) > 0:
            radii.append((low + high) / 2)
            levels.append(np.log(level))
    if len(radii) < 3:
        return light
    slope, level = np.polyfit(radii, levels, 1)
    # Not flatter than a disk whose light falls by e over half of the extent.
    slope = min(float(slope), -2 / extent)
    wings = np.exp(np.mean(levels) + slope * (radius - np.mean(radii)))
    # Where the own pixels end the wings begin, at most as bright as the faintest of those.
    rim = own & ~ndimage.binary_erosion(own, iterations=2)
    wings = np.minimum(wings, max(float(np.median(light[rim])), 0.0))
    return np.where(own, light, wings)


def _radii(light: NDArray[np.float64], radius: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the elliptical radii that hold 20, 50 and 80 % of the light."""
    order = np.argsort(radius, axis=None)
    growth = np.cumsum(light.ravel()[order])
    inner, half, outer = np.searchsorted(growth, np.array(SHARES) * growth[-1])
    sorted_radii = radius.ravel()[order]
    return float(sorted_radii[inner]), float(sorted_radii[half]), float(sorted_radii[outer])


def _centred(light: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light padded with zeros so that its centre is in the middle, to half a pixel."""
    middle = (np.array(light.shape) - 1) / 2
    shift = np.rint(2 * (middle - centre)).astype(int)
    pads = [(max(s, 0), max(-s, 0)) for s in shift]
    return np.pad(light, pads)
