"""From numbers per galaxy to the table: per method, column and magnitude bin, with errors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clumpygan.evaluation.recovery.measure import SNAPSHOT, Records
from clumpygan.evaluation.recovery.metrics import COLUMNS, Column

MAGNITUDE_BINS: dict[str, tuple[float, float]] = {
    "all": (-np.inf, np.inf),
    "20-22": (20.0, 22.0),
    "22-24": (22.0, 24.0),
    "24-25": (24.0, 25.0),
    "25-26": (25.0, 26.0),
}
"""Name -> (lowest, highest) AB magnitude; the lower limit belongs to the bin."""

BOOTSTRAPS = 200
"""Resampled samples of galaxies from which the standard error of a table entry is taken."""

Numbers = Mapping[str, np.ndarray]
Table = dict[str, dict[str, dict[str, float | None]]]
"""Method -> column -> bin -> value (None where the bin has nothing to measure)."""


def in_bin(magnitude: np.ndarray, name: str) -> np.ndarray:
    """Return which galaxies (N,) bool belong to the magnitude bin `name`."""
    lowest, highest = MAGNITUDE_BINS[name]
    return (magnitude >= lowest) & (magnitude < highest)


def bin_of(magnitude: float) -> str:
    """Return the narrowest bin that holds a magnitude."""
    value = np.asarray([magnitude])
    return next((name for name in list(MAGNITUDE_BINS)[1:] if in_bin(value, name)[0]), "all")


def summarise(
    records: Records, magnitude: np.ndarray, rng: np.random.Generator
) -> tuple[Table, Table]:
    """Reduce the numbers per galaxy to the table and its standard errors.

    Parameters
    ----------
    records : dict
        Method -> number -> array over N galaxies.
    magnitude : numpy.ndarray, (N,)
        AB magnitudes.
    rng : numpy.random.Generator
        For the bootstrap over galaxies, 200 times.

    Returns
    -------
    values, uncertainties : dict
        Method -> column -> bin -> value and its bootstrapped standard error; None where there is
        nothing to measure (an empty bin, a bin without clumps).
    """
    values: Table = {}
    uncertainties: Table = {}
    for method, numbers in records.items():
        values[method], uncertainties[method] = {}, {}
        for name, (metric, column) in COLUMNS.items():
            if metric.name not in numbers:
                continue
            values[method][name], uncertainties[method][name] = {}, {}
            for bin_name in MAGNITUDE_BINS:
                members = np.flatnonzero(in_bin(magnitude, bin_name))
                value, error = _entry(column, numbers[metric.name], members, rng)
                values[method][name][bin_name] = value
                uncertainties[method][name][bin_name] = error
    return values, uncertainties


def _entry(
    column: Column, numbers: np.ndarray, members: np.ndarray, rng: np.random.Generator
) -> tuple[float | None, float | None]:
    # a galaxy without a value (no pixel to cover) doesn't count
    axes = tuple(range(1, numbers.ndim))
    members = members[np.isfinite(numbers[members]).all(axis=axes)]
    if not members.size:
        return None, None
    value = float(column.reduce(numbers[members][None])[0])
    again = rng.choice(members, (BOOTSTRAPS, members.size))
    draws = column.reduce(numbers[again])
    draws = draws[np.isfinite(draws)]
    error = float(draws.std()) if draws.size and members.size > 1 else None
    return (value if np.isfinite(value) else None), error


@dataclass(frozen=True)
class Choice:
    """How many iterations were best.

    Attributes
    ----------
    iterations : dict
        Bin -> number of iterations with the lowest median NRMSE.
    nrmse : dict
        Bin -> number of iterations (as text) -> median NRMSE.
    """

    iterations: dict[str, int]
    nrmse: dict[str, dict[str, float]]


def choose_iterations(records: Records, magnitude: np.ndarray) -> tuple[Records, dict[str, Choice]]:
    """Replace the snapshots of each iterative method by the best one of each magnitude bin.

    The best number of iterations is that with the lowest median NRMSE against the truth in the
    bin: an oracle in favour of Richardson-Lucy, which no observer has. Galaxies outside all bins
    take the best one of the whole sample.

    Parameters
    ----------
    records : dict
        Some methods are named "NAME@N"; they are joined to "NAME".
    magnitude : numpy.ndarray, (N,)
        AB magnitudes.

    Returns
    -------
    records : dict
        All methods, in their order.
    choices : dict
        Name of the iterative method -> Choice.
    """
    families: dict[str, dict[int, Numbers]] = {}
    joined: Records = {}
    for name, numbers in records.items():
        family, sign, iteration = name.partition(SNAPSHOT)
        joined[family] = numbers
        if sign:
            families.setdefault(family, {})[int(iteration)] = numbers
    choices: dict[str, Choice] = {}
    for family, snapshots in families.items():
        joined[family], choices[family] = _best_snapshots(snapshots, magnitude)
    return joined, choices


def _best_snapshots(
    snapshots: Mapping[int, Numbers], magnitude: np.ndarray
) -> tuple[dict[str, np.ndarray], Choice]:
    choice = Choice({}, {})
    chosen = np.zeros(len(magnitude), dtype=int)
    for bin_name in MAGNITUDE_BINS:  # "all" comes first, the finer bins overrule it
        members = in_bin(magnitude, bin_name)
        if not members.any():
            continue
        curve = {n: float(np.median(snapshots[n]["nrmse"][members])) for n in snapshots}
        choice.iterations[bin_name] = min(curve, key=lambda n: curve[n])
        choice.nrmse[bin_name] = {str(n): value for n, value in curve.items()}
        chosen[members] = choice.iterations[bin_name]
    first = next(iter(snapshots.values()))
    best = {
        number: np.stack([snapshots[n][number][i] for i, n in enumerate(chosen)])
        for number in first
    }
    return best, choice


def text_table(values: Table, counts: Mapping[str, int]) -> str:
    """Return the table as text, one block per magnitude bin that has galaxies.

    Parameters
    ----------
    values : dict
        Method -> column -> bin -> value.
    counts : mapping
        Bin -> number of galaxies.

    Returns
    -------
    str
    """
    headings = [column.heading or name for name, (_, column) in COLUMNS.items()]
    lines: list[str] = []
    for bin_name, number in counts.items():
        if not number:
            continue
        lines += [""] * bool(lines) + [f"magnitude {bin_name}: {number} galaxies"]
        lines.append(" " * 21 + "".join(f"{heading:>10}" for heading in headings))
        for method, columns in values.items():
            cells = [
                _cell(columns.get(name, {}).get(bin_name), column.digits)
                for name, (_, column) in COLUMNS.items()
            ]
            lines.append(f"{method:<21}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
