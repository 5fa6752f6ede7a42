"""Other galaxies and stars around a galaxy, as many as there are on the sky."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.galaxies.images.density import population_density

MAXIMUM_NEIGHBOURS = 8
"""More are found in 3 of 10,000 fields."""

NEIGHBOUR_FIELD = 3.4
"""Half of the side in arcsec of the square in which neighbours are drawn: a stamp's."""

CLOSEST_NEIGHBOUR = 0.15
"""Arcsec; nearer ones are seen as one galaxy, and are structure."""

NEIGHBOUR_MAGNITUDES = (18.0, 19.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0, 26.5)
NEIGHBOUR_DENSITY = (
    0.00023, 0.00044, 0.00096, 0.00183, 0.00333, 0.00613, 0.01026, 0.01371, 0.0075
)  # fmt: skip
"""Sources per square arcsec between these H: the 3D-HST catalogue of COSMOS (208 square arcmin)."""

STAR_SHARE = (0.6, 0.34, 0.21, 0.12, 0.09, 0.05, 0.04, 0.03, 0.03)
"""Share of stars among them: sources of the same catalogue smaller than 0.05 arcsec, at H > 23 as
many for each magnitude as at 23, because there most of such sources are faint galaxies."""

STAR_RADIUS, STAR_INDEX = 1e-3, 0.5
"""Half-light radius in arcsec and Sersic index of a star: a point, whatever the PSF."""

COMPETING = 1.0
"""Arcsec within which there is no brighter neighbour: it would be the galaxy, and this one its
neighbour."""

_ORDER = ("flux", "x", "y", "half_light_radius", "sersic_index", "axis_ratio", "position_angle")


def draw_neighbours(
    generator: np.random.Generator, magnitude: float, max_redshift: float
) -> dict[str, Any]:
    """Draw the sources in the field of a galaxy.

    Their number is that of the sky, their positions are random, their shapes those of the galaxies
    of their magnitude.

    Parameters
    ----------
    generator : numpy.random.Generator
    magnitude : float
        H of the galaxy.
    max_redshift : float
        Of the galaxies.

    Returns
    -------
    dict
        `neighbour_count`, and arrays of length `MAXIMUM_NEIGHBOURS` in nJy, arcsec and degrees.
    """
    area = (2.0 * NEIGHBOUR_FIELD) ** 2
    expected = np.array(NEIGHBOUR_DENSITY) * area
    number = min(int(generator.poisson(expected.sum())), MAXIMUM_NEIGHBOURS)
    rows: list[tuple[float, ...]] = []
    for _ in range(number):
        x, y = generator.uniform(-NEIGHBOUR_FIELD, NEIGHBOUR_FIELD, 2)
        level = generator.random() * expected.sum()
        which = min(int(np.searchsorted(np.cumsum(expected), level)), len(expected) - 1)
        low, high = NEIGHBOUR_MAGNITUDES[which : which + 2]
        brightness = float(generator.uniform(low, high))
        star = generator.random() < STAR_SHARE[which]
        angle = generator.uniform(0.0, 180.0)
        distance = float(np.hypot(x, y))
        competes = distance < COMPETING and brightness < magnitude
        if competes or distance < CLOSEST_NEIGHBOUR:
            continue
        flux = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - brightness))
        if star:
            shape = (STAR_RADIUS, STAR_INDEX, 1.0)
        else:
            drawn = population_density().draw(generator, brightness, max_redshift=max_redshift)
            index = float(np.round(drawn.sersic_index, 1))
            shape = (drawn.half_light_radius, index, drawn.axis_ratio)
        rows.append((flux, float(x), float(y), *shape, float(angle)))
    columns: NDArray[np.float64] = np.zeros((len(_ORDER), MAXIMUM_NEIGHBOURS))
    # what isn't there has a shape that can be drawn
    columns[3:6] = 1.0
    if rows:
        columns[:, : len(rows)] = np.array(rows).T
    found = {f"neighbour_{name}": column for name, column in zip(_ORDER, columns, strict=True)}
    return {"neighbour_count": len(rows), **found}
