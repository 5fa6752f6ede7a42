"""How galaxies move, beside observed ones: sets read or made, matched, measured and compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstwo

from clumpygan.assessment.made_fields import made_fields
from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.real_fields import read_cube_folder, read_fields
from clumpygan.assessment.settings import NOTHING, KinematicsSettings
from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.field_statistics import STATISTICS, UNITS, field_statistics
from clumpygan.evaluation.cubes.seen_fields import SeenField
from clumpygan.evaluation.cubes.velocity_fields import VelocityField, match_field
from clumpygan.evaluation.realism.two_sample import ks_distances
from clumpygan.generation.settings import NETWORK

FloatArray = NDArray[np.float64]

POPULATIONS = ("clumpy_disks", "gas_disks")
"""Of the truth that networks learn from."""

FEWEST = 4
"""Galaxies that a set has to have to be compared."""


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
    unmatched, fields : list of VelocityField
        Those that weren't, as they came and matched.
    statistics : ndarray (N, F)
        `field_statistics.STATISTICS`.
    correlations : dict of str to float
        Of `made_fields.PAIRS` of parameters, where they are known.
    """

    name: str
    observed: bool
    given: int
    unmatched: list[VelocityField]
    fields: list[VelocityField]
    statistics: FloatArray
    correlations: dict[str, float]

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def counts(self) -> list[int]:
        """Maps of which each statistic is known."""
        return [int(known) for known in np.isfinite(self.statistics).sum(axis=0)]


class Distance(NamedTuple):
    """How far a statistic of a set is from that of a reference, Kolmogorov-Smirnov.

    Attributes
    ----------
    statistic, p_value : float
        Of the test; NaN where one of the two sets has none.
    floor : float
        Distance that half of the pairs of equal sets of as many galaxies exceed.
    galaxies, of_reference : int
        Of which the statistic is known.
    """

    statistic: float
    p_value: float
    floor: float
    galaxies: int
    of_reference: int


@dataclass(frozen=True, eq=False)
class KinematicsReport:
    """What was compared, and what came out.

    Attributes
    ----------
    settings : KinematicsSettings
    sets : list of FieldSet
        Observed ones first.
    distances : dict
        Observed set -> other set -> `Distance` of each statistic.
    seconds : float
    """

    settings: KinematicsSettings
    sets: list[FieldSet]
    distances: dict[str, dict[str, list[Distance]]]
    seconds: float

    def __str__(self) -> str:
        """Return the tables as text."""
        lines = [
            f"matched: radius of {self.settings.resolution:g} beams, velocities known to 1 / "
            f"{self.settings.signal_to_noise:g} of their amplitude"
        ]
        if self.settings.seen_as is not None:
            lines.append(f"made galaxies are seen as {self.settings.seen_as}")
        lines += [f"  {one.name}: {len(one)} of {one.given} galaxies" for one in self.sets]
        for reference, found in self.distances.items():
            lines += [
                "",
                f"Kolmogorov-Smirnov distance from {reference} (that of equal sets of as "
                "many galaxies; galaxies)",
            ]
            lines.append(f"{'':28s}" + "".join(f"{name[:18]:>20s}" for name in found))
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
                    "measured": dict(zip(STATISTICS, one.counts, strict=True)),
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
            "floor": "distance that half of the pairs of equal sets of as many galaxies exceed",
            "seconds": round(self.seconds, 1),
        }  # fmt: skip


def _cell(test: Distance) -> str:
    if np.isnan(test.statistic):
        return f"{'-':>20s}"
    words = f"{test.statistic:.2f} ({test.floor:.2f}; {test.galaxies})"
    return f"{words:>20s}"


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
        If a file can't be read, two sets have one name, or of a set hardly a map can be matched.
    """
    begin = time.perf_counter()
    settings = settings or KinematicsSettings(**given)
    report("galaxies")
    measured = partial(measure_fields, settings=settings, progress=progress)
    # What can be wrong first: it takes less time than what is made.
    observed = {} if settings.real is None else read_fields(settings.real, progress)
    makers: dict[str, dict[str, Any]] = {name: {"population": name} for name in POPULATIONS}
    if settings.checkpoint != NOTHING:
        network = {"population": NETWORK, "checkpoint": settings.checkpoint}
        name = Path(settings.checkpoint).stem
        _check_new(name, makers, f"checkpoint {settings.checkpoint}")
        makers[name] = network
    names = [*makers] + ([] if settings.cubes is None else [f"cubes of {settings.cubes.name}"])
    for name in observed:
        _check_new(name, names, f"{settings.real}: a set")
    if settings.seen_as not in (None, *observed):
        raise InputError(
            f"`seen_as` is {settings.seen_as}; expected one of the sets of `real`, "
            f"{', '.join(observed) or 'of which there are none: give its table'}"
        )
    sets = [measured(name, own, observed=True) for name, own in observed.items()]
    further = []
    if settings.cubes is not None:
        own = read_cube_folder(settings.cubes, progress)
        further.append(measured(names[-1], own))
    places = [SeenField.of(field) for one in sets if one.name == settings.seen_as
              for field in one.unmatched]  # fmt: skip
    for name, choice in makers.items():
        fields, correlations = made_fields(settings, choice, places, progress)
        sets.append(measured(name, fields, correlations=correlations))
    sets += further
    return KinematicsReport(settings, sets, _distances(sets), time.perf_counter() - begin)


def _check_new(name: str, names: Collection[str], whose: str) -> None:
    """Refuse a second set of a name: results are told by it."""
    if name in names:
        raise InputError(
            f"{whose} is named {name}, as another set is; expected a name that isn't any of "
            f"{', '.join(names)}: rename it"
        )


def measure_fields(
    name: str,
    fields: list[VelocityField],
    *,
    settings: KinematicsSettings,
    progress: Progress = silent,
    observed: bool = False,
    correlations: dict[str, float] | None = None,
) -> FieldSet:
    """Match and measure the maps of a set.

    Parameters
    ----------
    name : str
    fields : list of VelocityField
    settings : KinematicsSettings
    progress : callable, optional
    observed : bool
        Whether they are of observed galaxies.
    correlations : dict of str to float, optional
        See `made_fields`.

    Raises
    ------
    InputError
        If hardly a map can be matched.
    """
    unmatched, matched, rows = [], [], []
    for place, field in enumerate(fields):
        generator = np.random.default_rng((settings.seed, place))
        one = match_field(field, settings.resolution, settings.signal_to_noise, generator)
        progress(1, len(fields), f"measuring {name}")
        if one is not None:
            unmatched.append(field)
            matched.append(one)
            rows.append(field_statistics(one))
    if len(matched) < FEWEST:
        raise InputError(
            f"{name}: {len(matched)} of {len(fields)} maps can be matched, expected {FEWEST} or "
            f"more; lower `resolution` ({settings.resolution:g}) or `signal_to_noise` "
            f"({settings.signal_to_noise:g})"
        )
    return FieldSet(
        name, observed, len(fields), unmatched, matched, np.array(rows), correlations or {}
    )


def _distances(sets: list[FieldSet]) -> dict[str, dict[str, list[Distance]]]:
    """Return the distances of all sets from the observed ones, or else from the last population."""
    references = [one for one in sets if one.observed]
    references = references or [one for one in sets if one.name == POPULATIONS[-1]]
    return {
        reference.name: {
            other.name: _distance(other, reference) for other in sets if other is not reference
        }
        for reference in references
    }


def _distance(other: FieldSet, reference: FieldSet) -> list[Distance]:
    tests = ks_distances(other.statistics, reference.statistics)
    counts = zip(other.counts, reference.counts, strict=True)
    return [
        Distance(*test, equal_distance(*count), *count)
        for test, count in zip(tests, counts, strict=True)
    ]


def equal_distance(a: int, b: int) -> float:
    """Return the Kolmogorov-Smirnov distance that half of all pairs from one distribution exceed.

    Whatever that distribution is: its p-value, with a b / (a + b) for the number of galaxies
    (Press et al. 2007, Numerical Recipes, sect. 14.3), is 0.5.

    Parameters
    ----------
    a, b : int
        Galaxies of the two sets; NaN without any.
    """
    if not (a and b):
        return float("nan")
    return float(kstwo.median(max(round(a * b / (a + b)), 1)))
