"""Which irregularity of gas disks sets which statistic of their velocity maps.

    python benchmarks/gas_motions.py --real galaxies.csv [--n 120] [--seed 11] [--white] [--ends]

As `evaluate.py kinematics --real galaxies.csv --checkpoint none --seen-as SET` measures them, SET
being the first of the table, or with `--white` without `--seen-as`. Each row is the population
without one of its parts, the last two without any: disks that only rotate, the very last
with curves that turn over as early as those of bulges. `--ends` leaves out the rows
between. Per statistic it prints the Kolmogorov-Smirnov distance from that set, and the median; the
first row is of half of the set from the other half.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from clumpygan.assessment.kinematics import equal_distance, measure_fields
from clumpygan.assessment.made_fields import made_fields
from clumpygan.assessment.real_fields import read_fields
from clumpygan.assessment.settings import KinematicsSettings
from clumpygan.evaluation.cubes.seen_fields import SeenField
from clumpygan.evaluation.realism.two_sample import ks_distances
from clumpygan.galaxies.disks.turbulence import Turbulence
from clumpygan.galaxies.gas import population
from clumpygan.galaxies.gas.structure import Structure
from clumpygan.generation import true_cubes

STATISTICS = {"k5 / k1": 0, "asymmetry": 1, "twist": 3, "residual": 4}
"""Those that stars have, and their columns."""

Change = Callable[[Any], Any]

# What draws a part, and what becomes of a drawn one; random numbers stay those of the others.
PARTS: dict[str, dict[str, Change]] = {
    "flows along arms and bars": {
        "draw_motions": lambda one: replace(one, bar_flow=0.0, arm_flow=0.0)
    },
    "companions": {"_draw_companion": lambda one: one._replace(flux=0.0)},
    "outflows": {"_draw_outflow": lambda one: one._replace(fraction=0.0)},
    "giant clumps": {"_draw_giants": lambda one: one._replace(flux=0 * one.flux)},
    "arms, bars, rings, holes, dust": {"draw_structure": lambda one: Structure()},
}
DISKS: dict[str, dict[str, Any]] = {
    "turbulent velocities": {"turbulence": Turbulence(light=0.5, velocity=0.0)},
    "warps": {"warp_inclination": 0.0, "warp_position_angle": 0.0},
}
EVERYTHING = {
    "turbulence": Turbulence(light=0.0, velocity=0.0, dispersion=0.0),
    "warp_inclination": 0.0,
    "warp_position_angle": 0.0,
}
EARLY = 0.03
"""Arcsec: radius at which the curves of the last row turn over, a twentieth of the half-light
radius; a tenth to a half elsewhere."""


@dataclass(frozen=True)
class Row:
    """A population: what is changed of the parts, the disks and the choice of galaxies."""

    text: str
    parts: dict[str, Change] = field(default_factory=dict)
    disks: dict[str, Any] = field(default_factory=dict)
    choice: dict[str, Any] = field(default_factory=dict)


def rows_of_table() -> list[Row]:
    """Return the populations, whole, without one part each, and without any."""
    every = {key: change for part in PARTS.values() for key, change in part.items()}
    return [
        Row("gas disks"),
        *(Row(f"without {name}", changes) for name, changes in PARTS.items()),
        *(Row(f"without {name}", {}, disks) for name, disks in DISKS.items()),
        Row("rotation alone", every, EVERYTHING),
        Row("rotation alone, early turnover", every, EVERYTHING, {"turnover_radius": EARLY}),
    ]


def statistics(settings: KinematicsSettings, row: Row, places: list[SeenField]) -> Any:
    """Return the statistics (N, F) of the maps of a population."""
    with ExitStack() as stack:
        for name, change in row.parts.items():
            draw = getattr(population, name)

            def changed(*given: Any, draw: Any = draw, change: Change = change) -> Any:
                return change(draw(*given))

            stack.enter_context(mock.patch.object(population, name, changed))
        disks = population.GasDisks(**row.disks)
        stack.enter_context(mock.patch.object(true_cubes, "GasDisks", return_value=disks))
        choice = {"population": "gas_disks", **row.choice}
        fields, _ = made_fields(settings, choice, places)
    return measure_fields("gas disks", fields, settings=settings).statistics


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="table of observed galaxies")
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--white", action="store_true", help="noise of made galaxies is white")
    parser.add_argument("--ends", action="store_true", help="whole populations and rotation alone")
    options = parser.parse_args()
    settings = KinematicsSettings(real=options.real, n=options.n, seed=options.seed)
    name, fields = next(iter(read_fields(options.real).items()))
    found = measure_fields(name, fields, settings=settings)
    real = found.statistics
    places = [] if options.white else [SeenField.of(one) for one in found.unmatched]
    print(f"{'':44s}{'floor':>8s}" + "".join(f"{one:>16s}" for one in STATISTICS))
    show(f"{name}, one half from the other", real[::2], real[1::2])
    for row in rows_of_table():
        if not options.ends or row.text.startswith(("gas", "rotation")):
            show(row.text, statistics(settings, row, places), real)


def show(text: str, found: Any, real: Any) -> None:
    """Print the distances of a set and its medians."""
    places = list(STATISTICS.values())
    tests = ks_distances(found[:, places], real[:, places])
    middle = np.nanmedian(found[:, places], axis=0)
    cells = (f"{test[0]:.2f} ({value:.2f})" for test, value in zip(tests, middle, strict=True))
    floor = equal_distance(len(found), len(real))
    print(f"{f'{text} ({len(found)})':44s}{floor:8.2f}"
          + "".join(f"{cell:>16s}" for cell in cells), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
