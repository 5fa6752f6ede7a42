"""How a parameter is declared: its name, unit, range, default, prior and meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from clumpygan.errors import InputError

# numpy is imported where it is needed: the flags of the programs are made from these.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prior:
    """How a parameter is drawn.

    Attributes
    ----------
    kind : str
        "fixed" (stays at its default), "uniform" or "log_uniform" between `low` and `high`,
        "normal" with mean `low` and standard deviation `high` (redrawn outside the range), or
        "isotropic": an angle whose cosine is uniform between those of `low` and `high` degrees.
    low, high : float
    """

    kind: Literal["fixed", "uniform", "log_uniform", "normal", "isotropic"] = "fixed"
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes
    ----------
    name, unit, description : str
    minimum, maximum : float
        Range, ends included.
    default : float
    prior : Prior
    period : float or None
        The value is the same after so many units.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    default: float
    prior: Prior
    description: str
    period: float | None = None

    def check(self, value: float) -> float:
        """Return the value as a float if it is in the range.

        Raises
        ------
        InputError
            If it isn't a number, isn't finite, or lies outside.
        """
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.name} is {value!r}; {self._expected()}") from error
        if not (self.minimum <= number <= self.maximum and math.isfinite(number)):
            raise InputError(f"{self.name} is {number:g}{self._unit()}; {self._expected()}")
        return number

    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _expected(self) -> str:
        return f"expected a number from {self.minimum:g} to {self.maximum:g}{self._unit()}"


def declare(
    default: float,
    unit: str,
    span: tuple[float, float],
    description: str,
    prior: Prior | None = None,
    period: float | None = None,
) -> Any:
    """Return a field of a dataclass together with its row of the table.

    Parameters
    ----------
    default : float
    unit : str
    span : tuple of float
        Smallest and largest value.
    description : str
    prior : Prior, optional
        Fixed at the default if left out.
    period : float, optional
    """
    row = (unit, *span, default, prior or Prior(), description, period)
    return field(default=default, metadata={"row": row})


def rows(kind: type) -> tuple[Parameter, ...]:
    """Return the table of a dataclass, in the order of its fields."""
    return tuple(Parameter(f.name, *f.metadata["row"]) for f in fields(kind) if f.metadata)


def draw(row: Parameter, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Draw values of one parameter, float64 of shape (count,), from its prior."""
    import numpy as np

    prior = row.prior
    if prior.kind == "fixed":
        return np.full(count, row.default)
    if prior.kind == "uniform":
        return generator.uniform(prior.low, prior.high, count)
    if prior.kind == "log_uniform":
        return np.exp(generator.uniform(np.log(prior.low), np.log(prior.high), count))
    if prior.kind == "isotropic":
        ends = np.cos(np.radians([prior.high, prior.low]))
        return np.degrees(np.arccos(generator.uniform(ends[0], ends[1], count)))
    values = generator.normal(prior.low, prior.high, count)
    while (outside := (values < row.minimum) | (values > row.maximum)).any():
        values[outside] = generator.normal(prior.low, prior.high, int(outside.sum()))
    return values
