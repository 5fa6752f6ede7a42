"""Precision and recall of a generator: whether what it makes is real, and all that there is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.frechet import Features, Scale, scale_of
from clumpygan.evaluation.realism.two_sample import squared_distances

NEIGHBOURS = 3
"""Neighbours that a ball around a galaxy reaches, as in the paper."""

_ROWS = 1000


class Share(NamedTuple):
    """A share of galaxies and its standard error (binomial)."""

    value: float
    error: float


class PrecisionRecall(NamedTuple):
    """Precision: share of candidates among real ones; recall: share of real ones among them."""

    precision: Share
    recall: Share


def precision_and_recall(
    candidates: Features,
    reference: Features,
    scale: Scale | None = None,
    neighbours: int = NEIGHBOURS,
) -> PrecisionRecall:
    """Return improved precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991, eqs. 1-2).

    Each set is surrounded by balls around its galaxies that reach their third nearest neighbour in
    it. Precision is the share of candidates inside a ball of the reference, recall the share of the
    reference inside a ball of the candidates. Both depend on the numbers of galaxies, and are well
    below 1 for equal distributions in many dimensions: compare with another half of the real ones.

    Parameters
    ----------
    candidates, reference : numpy.ndarray, (N, F) and (M, F)
    scale : Scale, optional
        By which both are standardised; that of the reference by default.
    neighbours : int
        Which neighbour the balls reach.

    Returns
    -------
    PrecisionRecall

    Raises
    ------
    InputError
        If a set has no more galaxies than `neighbours`.
    """
    if min(len(candidates), len(reference)) <= neighbours:
        raise InputError(
            f"sets of {len(candidates)} and {len(reference)} galaxies: expected more than "
            f"{neighbours} in each"
        )
    mean, scatter = scale_of(reference) if scale is None else scale
    made, real = ((np.asarray(one) - mean) / scatter for one in (candidates, reference))
    return PrecisionRecall(_inside(made, real, neighbours), _inside(real, made, neighbours))


def _inside(points: Features, centres: Features, neighbours: int) -> Share:
    """Share of points inside a ball around one of the centres."""
    radii = _ball_radii(centres, neighbours)
    inside = np.concatenate(
        [
            (squared_distances(points[i : i + _ROWS], centres) <= radii).any(axis=1)
            for i in range(0, len(points), _ROWS)
        ]
    )
    share = float(inside.mean())
    smooth = (inside.sum() + 0.5) / (inside.size + 1)
    return Share(share, float(np.sqrt(smooth * (1 - smooth) / inside.size)))


def _ball_radii(centres: Features, neighbours: int) -> NDArray[np.float64]:
    """Squared distance of each centre to its nearest neighbours' last."""
    parts = []
    for start in range(0, len(centres), _ROWS):
        squares = squared_distances(centres[start : start + _ROWS], centres)
        # place 0 is the galaxy itself
        parts.append(np.partition(squares, neighbours, axis=1)[:, neighbours])
    return np.concatenate(parts)
