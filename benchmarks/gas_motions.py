"""Which irregularity of gas disks sets which statistic of their velocity maps.

    python benchmarks/gas_motions.py --real galaxies.csv [--n 120] [--seed 11]

As `evaluate.py kinematics --real galaxies.csv --checkpoint none` measures them; each row is the
population without one of its parts, the last without any: disks that only rotate. Per statistic it
prints the Kolmogorov-Smirnov distance from the first set of the table, and the median.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from clumpygan.assessment.kinematics import _measured, made_fields
from clumpygan.assessment.progress import silent
from clumpygan.assessment.real_fields import read_fields
from clumpygan.assessment.settings import KinematicsSettings
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


def statistics(
    settings: KinematicsSettings, changes: dict[str, Change], disks: dict[str, Any]
) -> Any:
    """Return the statistics (N, F) of the maps of a population without some parts."""
    with ExitStack() as stack:
        for name, change in changes.items():
            draw = getattr(population, name)

            def changed(*given: Any, draw: Any = draw, change: Change = change) -> Any:
                return change(draw(*given))

            stack.enter_context(mock.patch.object(population, name, changed))
        kind = population.GasDisks
        stack.enter_context(mock.patch.object(true_cubes, "GasDisks", return_value=kind(**disks)))
        fields, _ = made_fields(settings, {"population": "gas_disks"})
    return _measured("gas disks", fields, settings=settings, progress=silent).statistics


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="table of observed galaxies")
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    settings = KinematicsSettings(real=options.real, n=options.n, seed=options.seed)
    name, fields = next(iter(read_fields(options.real).items()))
    real = _measured(name, fields, settings=settings, progress=silent).statistics
    every = {key: change for part in PARTS.values() for key, change in part.items()}
    rows = [("", {}, {})]
    rows += [(f"without {name}", changes, {}) for name, changes in PARTS.items()]
    rows += [(f"without {name}", {}, disks) for name, disks in DISKS.items()]
    rows.append(("rotation alone", every, EVERYTHING))
    print(f"{'':56s}" + "".join(f"{one:>16s}" for one in STATISTICS))
    middle = np.nanmedian(real, axis=0)
    print(f"{f'{name} ({len(real)})':56s}"
          + "".join(f"{middle[place]:16.2f}" for place in STATISTICS.values()))  # fmt: skip
    for text, changes, disks in rows:
        found = statistics(settings, changes, disks)
        tests, middle = ks_distances(found, real), np.nanmedian(found, axis=0)
        cells = (f"{tests[i][0]:.2f} ({middle[i]:.2f})" for i in STATISTICS.values())
        label = f"gas disks {text} ({len(found)})"
        print(f"{label:56s}" + "".join(f"{cell:>16s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
