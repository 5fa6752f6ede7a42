"""Vectors from which fits start."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.starting_values import Look

FloatArray = NDArray[np.float64]

INCLINATIONS = (35.0, 60.0, 78.0)
"""Degrees from which fits start, besides that of the axis ratio: with the maximum velocity it is
the parameter that a poor start gets stuck in. The near side needs none of its own: of a transparent
disk both look the same."""

_ALIKE = 8.0
"""Degrees of inclination between starts."""

_FARTHEST = 2.5
"""Of the prior's standard deviations: starts beyond are brought here, away from bounds."""


def starting_vectors(
    look: Look, coordinates: Coordinates, given: Mapping[str, float]
) -> list[FloatArray]:
    """Return parameter vectors (P,) to start from, the likeliest first.

    Parameters
    ----------
    look : Look
        What the moment maps say.
    coordinates : Coordinates
    given : mapping of str to float
        Values that a user wants to start from.
    """
    inclinations: list[float | None] = [None]
    if "inclination" in coordinates.names and "inclination" not in given:
        inclinations += [i for i in INCLINATIONS if abs(i - look.inclination) > _ALIKE]
    return [starting_vector(coordinates, look.values(i) | dict(given)) for i in inclinations]


def starting_vector(coordinates: Coordinates, values: Mapping[str, float]) -> FloatArray:
    """Return the vector (P,) of values; free parameters without one have their default.

    Or the middle of their prior, if the default is elsewhere.
    """
    vector, model = coordinates.base.copy(), coordinates.model
    for name, prior in zip(coordinates.names, coordinates.priors, strict=True):
        place = model.index(name)
        default = model.table[place].default
        inside = abs(float(prior.coordinate(default))) < _FARTHEST
        vector[place] = values.get(name, default if inside else float(prior.value(0.0)))
    return vector


def away_from_bounds(coordinates: Coordinates, vector: FloatArray) -> FloatArray:
    """Return the coordinates (n,) of a vector (P,), not too far from the middle of the prior."""
    return np.clip(coordinates.coordinates(vector), -_FARTHEST, _FARTHEST)
