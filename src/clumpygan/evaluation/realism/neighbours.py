"""Does a generator copy? The nearest images of the training set, in any orientation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError

ORIENTATIONS = 8
"""Quarter turns and mirror images: what training does to its images, so a copy may be any."""

CLOSE_SHARE = 0.01
"""Share of held-out images that are called close to their nearest training image."""

_BOOTSTRAPS = 200
_ROWS = 128


@dataclass(frozen=True)
class Neighbours:
    """The nearest training image of each image.

    Attributes
    ----------
    distance : numpy.ndarray, (N,)
        Euclidean distance of the stretched, binned images.
    index : numpy.ndarray, (N,)
        Number of the training image.
    orientation : numpy.ndarray, (N,)
        0 to 7: the image in this orientation (`oriented`) is nearest.
    """

    distance: NDArray[np.float64]
    index: NDArray[np.int64]
    orientation: NDArray[np.int64]


class Novelty(NamedTuple):
    """How far images are from the training set, compared with held-out real ones.

    Attributes
    ----------
    ratio, ratio_error : float
        Median distance over that of held-out images: 1 is as new as these, copies are below.
    close_share, close_error : float
        Share of images nearer than the nearest 1 % of the held-out ones: 0.01 is as new as these.
    """

    ratio: float
    ratio_error: float
    close_share: float
    close_error: float


def oriented(image: NDArray[np.floating], orientation: int) -> NDArray[np.floating]:
    """Return an image (..., y, x) turned by `orientation` % 4 quarters, mirrored from 4 on."""
    turned = np.rot90(image, orientation % 4, axes=(-2, -1))
    return turned[..., ::-1] if orientation >= 4 else turned


def nearest_neighbours(images: NDArray[np.floating], training: NDArray[np.floating]) -> Neighbours:
    """Find the nearest training image of every image among all orientations.

    Images are cut to the middle three quarters, binned 2 x 2 (which halves the noise) and stretched
    by asinh(x / 2), so that neither the noise of the sky nor the brightest nuclei decide.

    Parameters
    ----------
    images, training : numpy.ndarray, (N, y, x) and (M, y, x)
        Square stamps of one size, in units of the noise per pixel.

    Returns
    -------
    Neighbours

    Raises
    ------
    InputError
        If the stamps aren't square or differ in size, or one of the sets is empty.
    """
    distance, index, orientation = [], [], []
    for cost in _squared_distances(images, training):
        known = cost.shape[2]
        flat = cost.reshape(len(cost), -1)
        best = flat.argmin(axis=1)
        least = np.take_along_axis(flat, best[:, None], 1)[:, 0]
        distance.append(np.sqrt(np.maximum(least, 0.0)))
        orientation.append(best // known)
        index.append(best % known)
    return Neighbours(*(np.concatenate(one) for one in (distance, index, orientation)))


def nearest_of(
    images: NDArray[np.floating], training: NDArray[np.floating], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest few training images of every image, each in its nearest orientation.

    Parameters
    ----------
    images, training : numpy.ndarray, (N, y, x) and (M, y, x)
        As `nearest_neighbours` takes them.
    count : int
        How many, at most M.

    Returns
    -------
    distance : numpy.ndarray, (N, count)
        Rising, as in `Neighbours`.
    index : numpy.ndarray, (N, count)
        Numbers of the training images.

    Raises
    ------
    InputError
        As `nearest_neighbours`.
    """
    distance, index = [], []
    for cost in _squared_distances(images, training):
        nearest = cost.min(axis=1)
        few = np.argpartition(nearest, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(nearest, few, 1)
        order = values.argsort(axis=1)
        index.append(np.take_along_axis(few, order, 1))
        distance.append(np.sqrt(np.maximum(np.take_along_axis(values, order, 1), 0.0)))
    return np.concatenate(distance).astype(np.float64), np.concatenate(index)


def _squared_distances(
    images: NDArray[np.floating], training: NDArray[np.floating]
) -> Iterator[NDArray[np.floating]]:
    """Yield squared distances (n, 8, M) of some images, in all orientations, to all others."""
    shapes = {images.shape[1:], training.shape[1:]}
    if len(shapes) > 1 or images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise InputError(
            f"images of {images.shape[1:]} and training images of {training.shape[1:]} pixels: "
            "expected square stamps of one size"
        )
    if not (len(images) and len(training)):
        raise InputError(f"{len(images)} images and {len(training)} training images: none to find")
    known = _stretched(training).reshape(len(training), -1)
    squares = np.square(known).sum(axis=1)
    for start in range(0, len(images), _ROWS):
        part = images[start : start + _ROWS]
        turned = np.stack([_stretched(oriented(part, o)) for o in range(ORIENTATIONS)], axis=1)
        flat = turned.reshape(len(part) * ORIENTATIONS, -1)
        cost = squares - 2.0 * (flat @ known.T) + np.square(flat).sum(axis=1)[:, None]
        yield cost.reshape(len(part), ORIENTATIONS, -1)


def novelty(images: Neighbours, held_out: Neighbours, generator: np.random.Generator) -> Novelty:
    """Compare the distances of images to the training set with those of held-out real images.

    Parameters
    ----------
    images, held_out : Neighbours
        Of the same training set.
    generator : numpy.random.Generator
        For the bootstrapped errors.

    Returns
    -------
    Novelty
    """
    limit = float(np.quantile(held_out.distance, CLOSE_SHARE))
    ratio, share = _compared(images.distance, held_out.distance, limit)
    again = np.array(
        [
            _compared(
                generator.choice(images.distance, images.distance.size),
                generator.choice(held_out.distance, held_out.distance.size),
                limit,
            )
            for _ in range(_BOOTSTRAPS)
        ]
    )
    errors = again.std(axis=0)
    # one image more than there are, or no image below the limit would be no error
    least = np.sqrt(CLOSE_SHARE * (1 - CLOSE_SHARE) / images.distance.size)
    return Novelty(ratio, float(errors[0]), share, float(max(errors[1], least)))


def _compared(
    distance: NDArray[np.float64], held_out: NDArray[np.float64], limit: float
) -> tuple[float, float]:
    ratio = np.median(distance) / max(float(np.median(held_out)), 1e-12)
    return float(ratio), float((distance < limit).mean())


def _stretched(images: NDArray[np.floating]) -> NDArray[np.float32]:
    """Middle three quarters, binned 2 x 2, asinh(x / 2)."""
    side = images.shape[1]
    kept = (side - 2 * (side // 8)) // 2
    start = (side - 2 * kept) // 2
    middle = np.asarray(images[:, start : start + 2 * kept, start : start + 2 * kept], np.float32)
    binned = middle.reshape(len(images), kept, 2, kept, 2).mean(axis=(2, 4))
    return np.asarray(np.arcsinh(binned / 2.0))
