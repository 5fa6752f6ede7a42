"""How galaxies move, beside observed ones: sets read or made, matched, measured and compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.real_fields import read_cube_folder, read_fields
from clumpygan.assessment.settings import NOTHING, KinematicsSettings
from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.field_statistics import STATISTICS, UNITS, field_statistics
from clumpygan.evaluation.cubes.line_maps import CubeAxes, line_maps
from clumpygan.evaluation.cubes.velocity_fields import VelocityField, match_field
from clumpygan.evaluation.realism.two_sample import Test, ks_distances
from clumpygan.galaxies.disks.cube_conditions import SEEING
from clumpygan.generation.cubes import generate_cubes
from clumpygan.generation.settings import NETWORK

FloatArray = NDArray[np.float64]

POPULATIONS = ("clumpy_disks", "gas_disks")
"""Of the truth that networks learn from."""

HALVINGS = 25
"""Random halves of an observed set whose mean distance is the floor."""

FEWEST = 4
"""Galaxies that a set has to have to be compared."""

PAIRS = (
    ("half_light_radius", "maximum_velocity"),
    ("flux", "maximum_velocity"),
)
"""Parameters of made galaxies whose logarithms are correlated."""


@dataclass(frozen=True, eq=False)
class FieldSet:
    """Matched maps of a set, and what was measured of them.

    Attributes
    ----------
    name : str
    observed : bool
        Whether they are of observed galaxies.
    given : int
        Maps before those that are too coarse or too noisy were left out.
    fields : list of VelocityField
        Matched.
    statistics : ndarray (N, F)
        `field_statistics.STATISTICS`.
    correlations : dict of str to float
        Of `PAIRS` of parameters, where they are known.
    """

    name: str
    observed: bool
    given: int
    fields: list[VelocityField]
    statistics: FloatArray
    correlations: dict[str, float]

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(frozen=True, eq=False)
class KinematicsReport:
    """What was compared, and what came out.

    Attributes
    ----------
    settings : KinematicsSettings
    sets : list of FieldSet
        Observed ones first.
    distances : dict
        Observed set -> other set -> `Test` of each statistic; under its own name the floor.
    seconds : float
    """

    settings: KinematicsSettings
    sets: list[FieldSet]
    distances: dict[str, dict[str, list[Test]]]
    seconds: float

    def __str__(self) -> str:
        """Return the tables as text."""
        lines = [
            f"matched: radius of {self.settings.resolution:g} beams, velocities known to 1 / "
            f"{self.settings.signal_to_noise:g} of their amplitude"
        ]
        lines += [f"  {one.name}: {len(one)} of {one.given} galaxies" for one in self.sets]
        for reference, found in self.distances.items():
            lines += ["", f"Kolmogorov-Smirnov distance from {reference}"]
            lines.append(f"{'':28s}" + "".join(f"{name[:16]:>18s}" for name in found))
            for place, name in enumerate(STATISTICS):
                row = "".join(_cell(tests[place]) for tests in found.values())
                lines.append(f"{name:28s}{row}")
        for one in self.sets:
            for pair, value in one.correlations.items():
                lines.append(f"{one.name}: log {pair}: correlation {value:.2f}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, their definitions and the settings for JSON."""
        return {
            "settings": asdict(self.settings),
            "definitions": {name: f"[{unit}] {text}" if unit else text
                            for name, (unit, text) in UNITS.items()},
            "sets": {
                one.name: {
                    "observed": one.observed,
                    "galaxies": one.given,
                    "matched": len(one),
                    "correlations": one.correlations,
                    "percentiles_16_50_84": {
                        name: None if np.isnan(column).all() else np.nanpercentile(
                            column, (16, 50, 84)).tolist()
                        for name, column in zip(STATISTICS, one.statistics.T, strict=True)
                    },
                }
                for one in self.sets
            },
            "ks_distances": {
                reference: {
                    name: {
                        statistic: None if np.isnan(test.statistic) else test._asdict()
                        for statistic, test in zip(STATISTICS, tests, strict=True)
                    }
                    for name, tests in found.items()
                }
                for reference, found in self.distances.items()
            },
            "floor": "of an observed set from itself: mean of random halves",
            "seconds": round(self.seconds, 1),
        }  # fmt: skip


def _cell(test: Test) -> str:
    return f"{'-':>18s}" if np.isnan(test.statistic) else f"{test.statistic:18.2f}"


def compare_kinematics(
    settings: KinematicsSettings | None = None,
    *,
    progress: Progress = silent,
    report: Callable[[str], object] = lambda stage: None,
    **given: Any,
) -> KinematicsReport:
    """Compare how galaxies move with how observed ones do.

    Parameters
    ----------
    settings : KinematicsSettings, optional
    progress : callable, optional
        Called with how many galaxies more are done, of how many, and the stage.
    report : callable, optional
        Told the name of each stage as it begins.
    **given
        Settings by their names, in place of `settings`.

    Returns
    -------
    KinematicsReport

    Raises
    ------
    InputError
        If a file can't be read, or of a set hardly a map can be matched.
    """
    begin = time.perf_counter()
    settings = settings or KinematicsSettings(**given)
    report("galaxies")
    measured = partial(_measured, settings=settings, progress=progress)
    # What can be wrong first: it takes less time than what is made.
    sets, further = [], []
    if settings.real is not None:
        for name, own in read_fields(settings.real, progress).items():
            sets.append(measured(name, own, observed=True))
    if settings.cubes is not None:
        own = read_cube_folder(settings.cubes, progress)
        further.append(measured(f"cubes of {settings.cubes.name}", own))
    makers: list[dict[str, Any]] = [{"population": name} for name in POPULATIONS]
    if settings.checkpoint != NOTHING:
        makers.append({"population": NETWORK, "checkpoint": settings.checkpoint})
    for choice in makers:
        fields, correlations = made_fields(settings, choice, progress)
        name = Path(choice.get("checkpoint", choice["population"])).stem
        sets.append(measured(name, fields, correlations=correlations))
    sets += further
    return KinematicsReport(
        settings, sets, _distances(sets, settings.seed), time.perf_counter() - begin
    )


def made_fields(
    settings: KinematicsSettings, choice: dict[str, Any], progress: Progress = silent
) -> tuple[list[VelocityField], dict[str, float]]:
    """Make cubes, and measure their maps as those of observed cubes.

    Parameters
    ----------
    settings : KinematicsSettings
    choice : dict
        Of `CubesSettings`: who makes them.
    progress : callable, optional

    Returns
    -------
    fields : list of VelocityField
    correlations : dict of str to float
        Of the logarithms of `PAIRS` of parameters.
    """
    stage = str(choice.get("checkpoint", choice["population"]))
    made = generate_cubes(
        settings.n,
        seed=settings.seed,
        signal_to_noise=settings.cube_signal_to_noise,
        device=settings.device,
        progress=partial(_made, progress, settings.n, f"making {stage}"),
        **choice,
    )
    assert made.variance is not None
    axes = CubeAxes.of(made.frame)
    maps = line_maps(made.cubes / np.sqrt(made.variance), axes, noisy=True)
    seeing = np.asarray(made.table[SEEING], dtype=np.float64) / axes.pixel_scale
    fields = [
        VelocityField(
            f"{stage} {i}", maps.velocity[i], maps.velocity_error[i], float(seeing[i]),
            np.where(maps.mask[i], maps.flux[i], np.nan), maps.dispersion[i],
        )
        for i in range(len(maps))
    ]  # fmt: skip
    correlations = {}
    for one, other in PAIRS:
        values = np.log10([np.asarray(made.table[name], dtype=np.float64) for name in (one, other)])
        correlations[f"{one}, {other}"] = float(np.corrcoef(values)[0, 1])
    return fields, correlations


def _made(progress: Progress, count: int, stage: str, done: int) -> None:
    progress(done, count, stage)


def _measured(
    name: str,
    fields: list[VelocityField],
    *,
    settings: KinematicsSettings,
    progress: Progress,
    observed: bool = False,
    correlations: dict[str, float] | None = None,
) -> FieldSet:
    """Match and measure the maps of a set."""
    matched, rows = [], []
    for place, field in enumerate(fields):
        generator = np.random.default_rng((settings.seed, place))
        one = match_field(field, settings.resolution, settings.signal_to_noise, generator)
        progress(1, len(fields), f"measuring {name}")
        if one is not None:
            matched.append(one)
            rows.append(field_statistics(one))
    if len(matched) < FEWEST:
        raise InputError(
            f"{name}: {len(matched)} of {len(fields)} maps can be matched, expected {FEWEST} or "
            f"more; lower `resolution` ({settings.resolution:g}) or `signal_to_noise` "
            f"({settings.signal_to_noise:g})"
        )
    return FieldSet(name, observed, len(fields), matched, np.array(rows), correlations or {})


def _distances(sets: list[FieldSet], seed: int) -> dict[str, dict[str, list[Test]]]:
    """Return the distances of all sets from the observed ones, or else from the last population."""
    references = [one for one in sets if one.observed]
    references = references or [one for one in sets if one.name == POPULATIONS[-1]]
    found: dict[str, dict[str, list[Test]]] = {}
    for reference in references:
        rows = {
            other.name: ks_distances(other.statistics, reference.statistics)
            for other in sets
            if other is not reference
        }
        found[reference.name] = {reference.name: _floor(reference.statistics, seed)} | rows
    return found


def _floor(statistics: FloatArray, seed: int) -> list[Test]:
    """Return the mean distances of random halves."""
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(HALVINGS):
        order = generator.permutation(len(statistics))
        half = len(order) // 2
        values.append(ks_distances(statistics[order[:half]], statistics[order[half:]]))
    return [
        Test(float(np.mean([one[i].statistic for one in values])),
             float(np.mean([one[i].p_value for one in values])))
        for i in range(statistics.shape[1])
    ]  # fmt: skip
