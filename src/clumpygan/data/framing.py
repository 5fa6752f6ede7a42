"""How an image lies in its frame."""

import numpy as np


def centred(image: np.ndarray, size: int, fill: float = 0.0) -> np.ndarray:
    """Crop or pad every axis to `size`, keeping the middle (to half a pixel) in the middle.

    Parameters
    ----------
    image : numpy.ndarray
    size : int
    fill : float
        Value of the pixels that the image doesn't have.

    Returns
    -------
    numpy.ndarray
        float32, `size` long in every axis.
    """
    result = np.full((size,) * image.ndim, fill, np.float32)
    source, target = [], []
    for length in image.shape:
        kept = min(length, size)
        start, place = (length - kept) // 2, (size - kept) // 2
        source.append(slice(start, start + kept))
        target.append(slice(place, place + kept))
    result[tuple(target)] = image[tuple(source)]
    return result


def turned(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Turn and mirror an image (y, x) at random: one of the eight of the dihedral group."""
    image = np.rot90(image, generator.integers(4))
    return image[:, ::-1] if generator.integers(2) else image
