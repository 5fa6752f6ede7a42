"""Images and cubes of the same population: turned and mirrored, cropped or padded to a size."""

import numpy as np

from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS

_PLACES = {name: place for place, name in enumerate(CUBE_CONDITIONS)}


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
    image = np.rot90(image, int(generator.integers(4)))
    return image[:, ::-1] if generator.integers(2) else image


def turned_cube(cube: np.ndarray, quarters: int, mirror: bool) -> np.ndarray:
    """Turn a cube (..., v, y, x) by quarters of a turn from +x to +y, then mirror it: x to -x.

    Position angles grow by 90 degrees with each quarter. Velocities stay, so that arms still trail,
    winds still come towards us and lines have their order.
    """
    cube = np.rot90(cube, quarters, axes=(-1, -2))
    return np.ascontiguousarray(cube[..., ::-1] if mirror else cube)


def turned_parameters(parameters: np.ndarray, quarters: int, mirror: bool) -> np.ndarray:
    """Return the conditions (K,) of a galaxy that `turned_cube` has turned."""
    result = parameters.copy()
    x, y = result[_PLACES["offset_x"]], result[_PLACES["offset_y"]]
    for _ in range(quarters):
        x, y = -y, x
    angle = result[_PLACES["position_angle"]] + 90.0 * quarters
    result[_PLACES["offset_x"]], result[_PLACES["offset_y"]] = -x if mirror else x, y
    result[_PLACES["position_angle"]] = (-angle if mirror else angle) % 360.0
    for name in ("g1", "g2"):
        # Shear is of spin 2.
        result[_PLACES[name]] *= (-1) ** quarters
    if mirror:
        result[_PLACES["g2"]] *= -1
    return result
