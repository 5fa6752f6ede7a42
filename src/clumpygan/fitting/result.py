"""What a fit has found: parameters with error bars, diagnostics, model and residual cubes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.draws import Draws
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.optimize import Optimum
from clumpygan.galaxies.parameters import DiskParameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

ONE_SIGMA = (0.15865525393145707, 0.8413447460685429)
"""Shares of the posterior below the ends of a 68 % interval."""

_AT_BOUND = 0.16
"""Share of the draws next to a bound, above which a parameter ran into it."""


INFINITE_K = 1000.0
"""Stands for an infinite Pareto k in files: neither FITS nor JSON knows infinity."""


@dataclass(frozen=True, eq=False)
class FitResult:
    """The result of a fit.

    Attributes
    ----------
    table : astropy.table.Table
        A row for each free parameter: `name`, `unit`, `median`, `lower` and `upper` (68 %
        interval), `best` (most probable, in the coordinates of the fit), `mean`, `deviation`,
        `effective` (draws), `r_hat` (NaN unless there are chains), `at_bound`, `prior`.
    samples : astropy.table.Table
        Draws from the posterior, of equal weight, a column for each free parameter.
    values : dict of str to float
        Most probable values of all parameters, free or not.
    observation : Observation
        What was fitted.
    model_cube : ndarray (v, y, x), float32
        Of the most probable values.
    chi_squared : float
        Of that model, over the variance handed in.
    degrees_of_freedom : int
    log_evidence : float or None
        Of the model, relative to no line at all. Differences between models of the same cube are
        logarithms of Bayes factors.
    signal_to_noise : float
        Of the model cube as a whole.
    pareto_k : float or None
        See `Draws`.
    evaluations : int
        Cubes that were rendered.
    seconds : dict of str to float
        CPU time of "start", "optimum" and "posterior".
    problems : tuple of str
        Why the result isn't to be relied on; empty if it is.
    settings : dict
        All that is needed to repeat the fit, as plain numbers and words.
    optimum : Optimum
    draws : Draws
    coordinates : Coordinates
    """

    table: Table
    samples: Table
    values: dict[str, float]
    observation: Observation
    model_cube: NDArray[np.float32]
    chi_squared: float
    degrees_of_freedom: int
    log_evidence: float | None
    signal_to_noise: float
    pareto_k: float | None
    evaluations: int
    seconds: dict[str, float]
    problems: tuple[str, ...]
    settings: dict[str, Any]
    optimum: Optimum
    draws: Draws
    coordinates: Coordinates

    @property
    def converged(self) -> bool:
        """Whether nothing is wrong with the fit."""
        return not self.problems

    @property
    def reduced_chi_squared(self) -> float:
        """Chi^2 per degree of freedom."""
        return self.chi_squared / max(self.degrees_of_freedom, 1)

    @property
    def residual_cube(self) -> FloatArray:
        """Data minus model (v, y, x); NaN where nothing is known."""
        residual = self.observation.data - self.model_cube
        return np.where(self.observation.valid, residual, np.nan)

    @property
    def galaxy(self) -> DiskParameters:
        """The most probable galaxy."""
        return DiskParameters.from_dict(self.values, self.coordinates.model)

    def plot(self, title: str = "", truth: Mapping[str, float] | None = None) -> "Figure":
        """Draw data, model and residual, slit, spectrum and posterior on one page.

        Parameters
        ----------
        title : str
        truth : mapping of str to float, optional
            Values of a mock, drawn into the corner plot.

        Returns
        -------
        matplotlib.figure.Figure
            `figure.savefig("fit.png")` writes it.
        """
        from clumpygan.fitting.picture import fit_figure

        return fit_figure(self, title=title, truth=truth)

    def summary(self) -> dict[str, Any]:
        """Return everything but cubes and samples, as plain numbers and words for JSON."""
        rows = [
            {name: plain_value(row[name]) for name in self.table.colnames} for row in self.table
        ]
        return {
            "parameters": rows,
            "values": self.values,
            "chi_squared": self.chi_squared,
            "degrees_of_freedom": self.degrees_of_freedom,
            "reduced_chi_squared": self.reduced_chi_squared,
            "log_evidence": self.log_evidence,
            "signal_to_noise": self.signal_to_noise,
            "pareto_k": None if self.pareto_k is None else min(self.pareto_k, INFINITE_K),
            "drawn_by": self.draws.method,
            "efficiency": self.draws.efficiency,
            "evaluations": self.evaluations,
            "cpu_seconds": self.seconds,
            "converged": self.converged,
            "problems": list(self.problems),
            "variance_estimated": self.observation.estimated,
            "flux_unit": self.observation.flux_unit,
            "settings": self.settings,
        }


def tabulate(
    coordinates: Coordinates,
    optimum: Optimum,
    draws: Draws,
    generator: np.random.Generator,
    units: Mapping[str, str],
) -> tuple[Table, Table]:
    """Return the tables of parameters and of samples.

    Angles are given between 0 and their period, as medians; their intervals and samples go with
    them, and may reach beyond.

    Parameters
    ----------
    coordinates : Coordinates
    optimum : Optimum
    draws : Draws
    generator : numpy.random.Generator
        For samples of equal weight.
    units : mapping of str to str
        In place of those of the table of parameters.
    """
    rows = [coordinates.model.table[place] for place in coordinates.places]
    values = coordinates.values(draws.coordinates)
    best = coordinates.values(optimum.coordinates)
    samples = coordinates.values(draws.equally_weighted(generator))
    median, lower, upper = draws.quantiles(values, (0.5, *ONE_SIGMA))
    at_bound = draws.weights @ coordinates.at_bounds(values, 0.5 * (upper - lower)) > _AT_BOUND
    mean = draws.weights @ values
    deviation = np.sqrt(draws.weights @ (values - mean) ** 2)
    for k, row in enumerate(rows):
        if row.period is not None:
            turn = row.period * np.floor(median[k] / row.period)
            for array in (median, lower, upper, best, mean):
                array[k] -= turn
            samples[:, k] -= turn
    table = Table(
        {
            "name": list(coordinates.names),
            "unit": [units.get(row.name, row.unit) for row in rows],
            "median": median,
            "lower": lower,
            "upper": upper,
            "best": best,
            "mean": mean,
            "deviation": deviation,
            "effective": draws.effective,
            "r_hat": np.full(len(rows), np.nan) if draws.r_hat is None else draws.r_hat,
            "at_bound": at_bound,
            "prior": [str(prior) for prior in coordinates.priors],
        }
    )
    return table, Table({name: samples[:, k] for k, name in enumerate(coordinates.names)})


def problems_of(table: Table, optimum: Optimum, draws: Draws) -> tuple[str, ...]:
    """Return why a fit isn't to be relied on, one line each."""
    problems = []
    if not optimum.converged:
        problems.append(
            f"the optimum wasn't reached in {optimum.steps} steps: the next would gain "
            f"{optimum.gain:.2g} in log density"
        )
    problems += draws.problems
    problems += [
        f"{row['name']} ran into its bound: {row['prior']}" for row in table if row["at_bound"]
    ]
    return tuple(problems)


def plain_value(value: Any) -> Any:
    """Return an entry of a table as JSON has it: None for NaN and infinity."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
