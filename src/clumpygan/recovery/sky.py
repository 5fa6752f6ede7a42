"""A sky that was left in an image: measured away from sources, said, and subtracted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clumpygan.errors import InputError
from clumpygan.instruments.correlation import source_free

if TYPE_CHECKING:
    from clumpygan.io import Image

FEWEST_PIXELS = 400
"""Source-free pixels at least: fewer may all lie in the wings of a galaxy."""

NOTED, SUBTRACTED = 0.5, 2.5
"""Sigma per pixel: a sky above the first is noted, above the second taken off unless told else.

In HSC stamps of 6.7" whose sky is 0, wings of galaxies of H = 20-21 raise the level by 0.13 sigma
(median of 55; 95 % by less than 1.1, the largest by 1.8), of fainter ones by less than 0.7.
"""


_FLAT = 0.5
"""Sigma: as far the level of a quadrant may lie from that of all, and it is still a sky."""

_SCATTER = 1.5
"""Times the noise: as much pixels without source may scatter around a sky."""

_FEWEST_OF_QUADRANT = 40


@dataclass(frozen=True)
class Sky:
    """The level of the source-free pixels.

    Attributes
    ----------
    level : float
        Flux per pixel, in the unit of the image.
    sigmas : float
        The same in units of the noise of a pixel.
    flat : bool
        Whether it is the same on all sides, and scatters as noise does: a sky, and not the wings
        of a galaxy.
    """

    level: float
    sigmas: float
    flat: bool


def measure_sky(image: Image, sigma: float) -> Sky | None:
    """Measure the level of the pixels without source.

    Parameters
    ----------
    image : Image
    sigma : float
        Noise of a pixel, in the unit of the image.

    Returns
    -------
    Sky or None
        None where light fills the image.
    """
    data = image.data.astype(np.float64)
    if source_free(data, image.mask).sum() < FEWEST_PIXELS:
        return None
    free = source_free(data, image.mask, holes=True)
    # The mean of the middle half: a median of whole counts is off by up to half a count.
    ordered = np.sort(data[free])
    level = float(ordered[len(ordered) // 4 : -(len(ordered) // 4)].mean())
    halves = [np.array_split(np.arange(size), 2) for size in data.shape]
    quadrants = [
        float(np.median(data[np.ix_(rows, columns)][free[np.ix_(rows, columns)]]))
        for rows in halves[0]
        for columns in halves[1]
        if free[np.ix_(rows, columns)].sum() >= _FEWEST_OF_QUADRANT
    ]
    # A sky of many sigma may have a slope that is small beside itself.
    allowed = max(_FLAT * sigma, 0.05 * abs(level))
    flat = all(abs(one - level) < allowed for one in quadrants)
    # A galaxy in the middle that fills the field is as bright on all sides, but falls outwards.
    scatter = 1.4826 * float(np.median(np.abs(data[free] - level)))
    flat &= scatter < max(_SCATTER * sigma, 0.05 * abs(level))
    return Sky(level, level / sigma, flat)


def without_sky(
    image: Image, sigma: float, choice: str, unit: str
) -> tuple[Image, dict[str, Any], tuple[str, ...]]:
    """Return an image without its sky, what is known of it, and what is to be said.

    Parameters
    ----------
    image : Image
    sigma : float
        Noise of a pixel.
    choice : {"auto", "subtract", "keep"}
        "auto" subtracts a flat sky above `SUBTRACTED`.
    unit : str
        Of the image, for the words.

    Raises
    ------
    InputError
        If it is to be subtracted, but light fills the image.
    """
    sky = measure_sky(image, sigma)
    if sky is None:
        if choice == "subtract":
            raise InputError(
                f"{image.path}: light fills the image, its sky can't be measured: leave"
                " `background` as it is, or give a larger image"
            )
        return image, {"sky": None, "sky_subtracted": False}, ()
    off = choice == "subtract" or (choice == "auto" and sky.flat and abs(sky.sigmas) > SUBTRACTED)
    facts = {"sky": sky.level, "sky_sigmas": sky.sigmas, "sky_subtracted": off}
    words = f"the pixels without source have {sky.level:.3g} {unit}, {sky.sigmas:.2g} sigma"
    if off:
        data = np.where(image.mask, 0, image.data - np.float32(sky.level)).astype(np.float32)
        remark = f"{words}: a sky that was left in; it is subtracted (`background` keep leaves it)"
        return replace(image, data=data), facts, (remark,)
    if abs(sky.sigmas) > NOTED:
        what = "a sky that was left in" if sky.flat else "wings of a source, or a sky with a slope"
        return image, facts, (f"{words}: {what}; fluxes and sizes include it",)
    return image, facts, ()
