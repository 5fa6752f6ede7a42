"""The free parameters of a fit as unconstrained coordinates, whose prior is standard normal."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from scipy.special import ndtri

from clumpygan.errors import InputError
from clumpygan.fitting.parameter_choices import ParameterChoices, chosen_prior
from clumpygan.fitting.priors import FitPrior
from clumpygan.fitting.structure.halo_slope import SlopeLimit, priors_of_halos, slope_limit
from clumpygan.fitting.structure.rings import ring_mixing
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.grid import CubeGrid

FloatArray = NDArray[np.float64]

NEAR_BOUND = 0.01
"""Share of the prior next to a bound, in which a value counts as being at it."""

NEAR_BOUND_SIGMA = float(-ndtri(NEAR_BOUND))
"""Coordinate at which that begins."""


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The map from coordinates u (..., n), standard normal a priori, to parameter vectors (..., P).

    Attributes
    ----------
    model : DiskModel
    names : tuple of str
        Of the n free parameters.
    priors : tuple of FitPrior
        Of them; those of angles that were given none span one turn (see `centred`).
    base : ndarray (P,)
        Values of the parameters that aren't free.
    tied : tuple of (int, float, int)
        Place of a tied parameter, factor, and place of the one that it follows.
    mixing : ndarray (n, n), optional
        Lower triangular: the standard normal numbers of the priors are this times the coordinates,
        each of variance 1, some of them correlated. Without it they are the coordinates.
    """

    model: DiskModel
    names: tuple[str, ...]
    priors: tuple[FitPrior, ...]
    base: FloatArray
    tied: tuple[tuple[int, float, int], ...] = ()
    mixing: FloatArray | None = None

    @classmethod
    def of(
        cls, model: DiskModel, choices: ParameterChoices, grid: CubeGrid, flux: float
    ) -> "Coordinates":
        """Build from what a user chooses.

        Parameters
        ----------
        model : DiskModel
        choices : ParameterChoices
        grid : CubeGrid
            Of the cube, which bounds some of the priors.
        flux : float
            A first guess of the line's flux.

        Raises
        ------
        InputError
            If the choices contradict each other or the table of parameters.
        """
        names = choices.free_names(model, len(grid.edges))
        base = model.defaults()
        for name, value in choices.fixed.items():
            base[model.index(name)] = value
        ties = choices.ties(model, names)
        rows = (model.table[model.index(name)] for name in names)
        priors = tuple(chosen_prior(row, model, choices, grid, flux) for row in rows)
        priors = priors_of_halos(model, dict(zip(names, priors, strict=True)), base, ties)
        for prior in priors:
            if prior.follows in ties:
                raise InputError(
                    f"{prior.follows} is tied, and a prior follows it; expected it free or fixed"
                )
        return cls(
            model,
            names,
            priors,
            base,
            tuple((model.index(n), factor, model.index(s)) for n, (factor, s) in ties.items()),
            ring_mixing(model, names),
        )

    def told(self) -> dict[str, dict[str, Any]]:
        """Return the priors, fixed values and ties of all parameters, as numbers and words."""
        names, free = self.model.names, {*self.places, *(place for place, _, _ in self.tied)}
        return {
            "priors": {
                name: str(prior) for name, prior in zip(self.names, self.priors, strict=True)
            },
            "fixed": {
                name: float(self.base[place])
                for place, name in enumerate(names)
                if place not in free
            },
            "tied": {
                names[place]: f"{factor:.6g}*{names[source]}" for place, factor, source in self.tied
            },
        }

    @property
    def count(self) -> int:
        """How many parameters are free."""
        return len(self.names)

    @property
    def places(self) -> list[int]:
        """Where the free parameters are in a parameter vector."""
        return [self.model.index(name) for name in self.names]

    def centred(self, vector: ArrayLike) -> "Coordinates":
        """Return the same with flat priors of angles that span a turn around those of a vector.

        So nothing happens at 0 or 360 degrees.
        """
        values = np.asarray(vector, dtype=np.float64)
        priors = []
        for place, prior in zip(self.places, self.priors, strict=True):
            period = self.model.table[place].period
            if period is not None and prior.maximum - prior.minimum >= period:
                middle = float(values[place])
                if prior.kind == "uniform":
                    low, high = middle - 0.5 * period, middle + 0.5 * period
                    prior = replace(prior, minimum=low, maximum=high)
            priors.append(prior)
        return replace(self, priors=tuple(priors))

    def values(self, coordinates: ArrayLike) -> FloatArray:
        """Return the values (..., n) of the free parameters."""
        u = self._numbers(np.asarray(coordinates, dtype=np.float64))
        columns = [prior.value(u[..., k]) for k, prior in enumerate(self.priors)]
        values = np.stack(columns, axis=-1)
        for k, leader in self._followers():
            values[..., k] = self.priors[k].value(u[..., k], self._factor(k, leader, values))
        if self._limit is not None:
            values[..., self._limit.place] = self._limit.squeezed(values)
        return values

    def vectors(self, coordinates: ArrayLike) -> FloatArray:
        """Return the parameter vectors (..., P)."""
        return self.with_values(self.values(coordinates))

    def with_values(self, values: FloatArray) -> FloatArray:
        """Return the parameter vectors (..., P) of values (..., n) of the free parameters."""
        vectors = np.broadcast_to(self.base, (*values.shape[:-1], self.base.size)).copy()
        vectors[..., self.places] = values
        for place, factor, source in self.tied:
            row = self.model.table[place]
            vectors[..., place] = np.clip(factor * vectors[..., source], row.minimum, row.maximum)
        return vectors

    def coordinates(self, vectors: ArrayLike) -> FloatArray:
        """Return the coordinates (..., n) of parameter vectors (..., P): `vectors` inverted.

        Angles are taken by whole turns to where their prior is; what is beyond a bound comes to
        lie just inside.
        """
        given = np.asarray(vectors, dtype=np.float64)
        columns = []
        for place, prior in zip(self.places, self.priors, strict=True):
            value, period = given[..., place], self.model.table[place].period
            if period is not None:
                middle = 0.5 * (prior.minimum + prior.maximum)
                value = value - period * np.round((value - middle) / period)
            columns.append(prior.coordinate(value))
        numbers = np.stack(columns, axis=-1)
        if self._limit is not None:
            place = self._limit.place
            slopes = self._limit.widened(given[..., self.places])
            numbers[..., place] = self.priors[place].coordinate(slopes)
        for k, leader in self._followers():
            factor = self._factor(k, leader, given[..., self.places])
            numbers[..., k] = self.priors[k].coordinate(given[..., self.places[k]], factor)
        if self.mixing is None:
            return numbers
        flat = solve_triangular(self.mixing, numbers.reshape(-1, self.count).T, lower=True)
        return np.asarray(flat.T.reshape(numbers.shape))

    @property
    def _limit(self) -> SlopeLimit | None:
        return slope_limit(self.model, self.names, self.priors, self.base)

    def _followers(self) -> list[tuple[int, int | None]]:
        """Return which priors follow a parameter, and which free one, None if it is fixed."""
        names = self.names
        return [
            (k, names.index(prior.follows) if prior.follows in names else None)
            for k, prior in enumerate(self.priors)
            if prior.follows
        ]

    def _factor(self, k: int, leader: int | None, values: FloatArray) -> FloatArray:
        """Return what the median of a prior is multiplied with, at values (..., n)."""
        prior = self.priors[k]
        if leader is None:
            return prior.factor(self.base[self.model.index(prior.follows)])
        return prior.factor(values[..., leader])

    def _numbers(self, u: FloatArray) -> FloatArray:
        """Return the standard normal numbers (..., n) of the priors at coordinates (..., n)."""
        return u if self.mixing is None else u @ self.mixing.T

    def gradient(self, coordinates: FloatArray, of_vector: FloatArray) -> FloatArray:
        """Return the gradient (n,) in coordinates (n,), given the one (P,) in the vector."""
        total = of_vector.copy()
        for place, factor, source in self.tied:
            total[source] += factor * of_vector[place]
        numbers = self._numbers(coordinates)
        slopes = np.array(
            [prior.derivative(u) for prior, u in zip(self.priors, numbers, strict=True)]
        )
        values = self.values(coordinates) if self._followers() or self._limit else numbers
        if self._limit is not None:
            # First: its concentration may follow a mass.
            slope, followed = self._limit.place, self._limit.leader
            squeezed, of_concentration = self._limit.derivatives(values)
            slopes[slope] *= squeezed
            if followed is not None:
                total[self.places[followed]] += total[self.places[slope]] * of_concentration
        for k, leader in self._followers():
            moved = self._factor(k, leader, values)
            slopes[k], of_leader = self.priors[k].followed_derivatives(numbers[k], moved)
            if leader is not None:
                total[self.places[leader]] += total[self.places[k]] * of_leader
        of_numbers = np.asarray(total[self.places] * slopes)
        return of_numbers if self.mixing is None else self.mixing.T @ of_numbers

    def log_prior(self, coordinates: ArrayLike) -> FloatArray:
        """Return the logarithm of the prior density (...) of coordinates (..., n)."""
        u = np.asarray(coordinates, dtype=np.float64)
        return np.asarray(-0.5 * (u**2).sum(-1) - 0.5 * self.count * np.log(2 * np.pi))

    def at_bounds(self, values: FloatArray, errors: FloatArray) -> NDArray[np.int8]:
        """Return where values (..., n) lie next to a bound: -1 the lower one, 1 the upper, else 0.

        That is within `NEAR_BOUND` of the prior, and within half an error (n,) of the posterior:
        where a prior is wide, values near a bound may well be known not to be at it. The ends of a
        full turn are no bounds, nor is an inclination of 0 or 90 degrees.
        """
        answer = np.zeros(values.shape, dtype=np.int8)
        for k, (place, prior) in enumerate(zip(self.places, self.priors, strict=True)):
            period = self.model.table[place].period
            whole = period is not None and prior.maximum - prior.minimum >= 0.999 * period
            if whole or prior.kind in ("normal", "lognormal"):
                continue
            edge = prior.value(np.array([-1.0, 1.0]) * NEAR_BOUND_SIGMA)
            reach = 0.5 * errors[k]
            low = values[..., k] <= min(edge[0], prior.minimum + reach)
            high = values[..., k] >= max(edge[1], prior.maximum - reach)
            natural = prior.kind == "isotropic"
            if not (natural and prior.minimum == 0):
                answer[..., k] -= low
            if not (natural and prior.maximum == 90):
                answer[..., k] += high
        return answer
