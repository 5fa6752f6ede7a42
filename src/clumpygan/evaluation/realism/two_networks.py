"""Do generators remember? Two networks, trained on different galaxies of one population."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.realism.neighbours import nearest_of

NEIGHBOURS = 32
"""Training images that are kept of each galaxy: in any halving the nearest of one half is farther
away than all of them in one of 4e9 cases."""

_PERMUTATIONS = 999


@dataclass(frozen=True)
class TwoNetworks:
    """Whether galaxies are nearer to what their own network learnt from.

    Attributes
    ----------
    nearer : float
        By how much, as a share of the distance: mean of log(distance to the nearest training image
        of the other network / of the own one). What has learnt the population has 0, a copy
        infinity.
    own_share : float
        Share of galaxies that are nearer to the training images of their own network: 0.5 where
        none is remembered.
    p_value : float
        Probability of as large a `nearer` if it doesn't matter which network saw which image.
    galaxies, training : int
        Of each network.
    """

    nearer: float
    own_share: float
    p_value: float
    galaxies: int
    training: int

    def __str__(self) -> str:
        """Return the result as a line."""
        return (
            f"{self.galaxies} galaxies of each of two networks are nearer to the"
            f" {self.training} training images of their own one than to those of the other by"
            f" {100 * self.nearer:.2g} % of the distance, {100 * self.own_share:.0f} % of them;"
            f" p = {self.p_value:.2g}"
        )


def two_networks(
    galaxies: tuple[NDArray[np.floating], NDArray[np.floating]],
    training: tuple[NDArray[np.floating], NDArray[np.floating]],
    generator: np.random.Generator,
) -> TwoNetworks:
    """Compare galaxies of two networks with the training images of both.

    Networks that learnt the population don't depend on which galaxies of it they saw (Kadkhodaie et
    al. 2024, ICLR: two denoisers of disjoint sets agree). Two generators of a GAN have nothing in
    common that says which of their galaxies should agree; so each galaxy's distance to the nearest
    image of its own network's set is compared with that to the other's, as `nearest_neighbours`
    measures them. The null hypothesis is that it doesn't matter which image was in which set: the
    images are dealt out anew, 999 times. It holds for networks of different quality, too.

    Parameters
    ----------
    galaxies : two numpy.ndarray, (N, y, x)
        Noiseless stamps of the two networks in units of the noise per pixel.
    training : two numpy.ndarray, (M, y, x)
        What each learnt from, as many for both.
    generator : numpy.random.Generator
        For the permutations.

    Returns
    -------
    TwoNetworks

    Raises
    ------
    ValueError
        If one set of training images is larger than the other.
    InputError
        If stamps aren't square or differ in size, or one of the sets is empty.
    """
    count = len(training[0])
    if len(training[1]) != count:
        raise ValueError(f"{count} and {len(training[1])} training images: expected as many")
    pool = np.concatenate(training)
    found = [nearest_of(one, pool, min(NEIGHBOURS, len(pool))) for one in galaxies]
    logs = [np.log(np.maximum(distance, 1e-6)) for distance, _ in found]

    def margins(first: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the logs (2 N,) of other over own distance, if the first network saw `first`."""
        parts = []
        for sign, log, (_, index) in zip((1, -1), logs, found, strict=True):
            own = first[index]
            nearest = [_first(log, of) for of in (own, ~own)]
            parts.append(sign * (nearest[1] - nearest[0]))
        return np.concatenate(parts)

    labels = np.arange(2 * count) < count
    measured = margins(labels)
    dealt = [margins(generator.permutation(labels)).mean() for _ in range(_PERMUTATIONS)]
    beyond = sum(one >= measured.mean() for one in dealt)
    return TwoNetworks(
        nearer=float(measured.mean()),
        own_share=float((measured > 0).mean() + (measured == 0).mean() / 2),
        p_value=(1 + beyond) / (1 + _PERMUTATIONS),
        galaxies=len(galaxies[0]),
        training=count,
    )


def _first(logs: NDArray[np.float64], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the first of each row (N, k) that is wanted; the last where none is."""
    place = np.where(wanted.any(axis=1), wanted.argmax(axis=1), wanted.shape[1] - 1)
    return np.asarray(np.take_along_axis(logs, place[:, None], 1)[:, 0])
