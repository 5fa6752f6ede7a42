"""How like true velocity cubes generated ones are: classifiers, distributions, clumps, motions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.cube_clumps import difference_noise
from clumpygan.evaluation.cubes.cube_sets import CubeSet, Looks, flux_maps, look_at, quantities
from clumpygan.evaluation.cubes.kinematics import velocity_residuals
from clumpygan.evaluation.cubes.line_maps import CubeAxes, FloatArray
from clumpygan.evaluation.cubes.map_statistics import STATISTICS
from clumpygan.evaluation.realism.frechet import frechet_extrapolated, scale_of
from clumpygan.evaluation.realism.image_statistics import image_features
from clumpygan.evaluation.realism.neighbours import Neighbours, nearest_neighbours, novelty
from clumpygan.evaluation.realism.pixel_classifier import cube_classifier, pixel_classifier
from clumpygan.evaluation.realism.realism import (
    SMALLEST_SET,
    Clock,
    Number,
    Progress,
    Streams,
)
from clumpygan.evaluation.realism.two_sample import Accuracy, feature_classifier, ks_distances

CLASSIFIERS: tuple[str, ...] = tuple(
    f"{shown}_{kind}" for shown in ("cube", "flux", "velocity") for kind in ("network", "trees")
)
"""What each of the classifiers sees, and what it is."""

_BOOTSTRAPS = 300
_PEAK = 20.0
_KINEMATIC_STATISTICS = tuple(name for name in STATISTICS if name.startswith(("shift", "width")))


@dataclass
class CubeRealism:
    """Everything that was measured.

    Attributes
    ----------
    numbers : dict
        Candidate -> test -> {"value", "error"} or {"value", "p_value"}: the accuracies of
        `CLASSIFIERS` and of the `strongest` of them, `frechet` of the statistics, the KS distances
        of clumps, with a training set `novelty_ratio` and `close_share`, and `diversity_flux` and
        `diversity_velocity` if they are measured.
    strongest : dict
        Candidate -> which classifier that is.
    ks : dict
        Candidate -> quantity -> {"value", "p_value"}.
    medians : dict
        Set -> quantity -> {"value", "error"}.
    conditional_fidelity : dict
        Candidate -> parameter -> statistic -> {"value", "error"}.
    sizes : dict
        Set -> number of galaxies.
    looks : dict
        Set -> Looks.
    neighbours : dict
        Set -> nearest flux maps of the training set; empty without one.
    doubtful_fits : int
        Fits that say of themselves that they aren't to be relied on, of all sets together.
    seconds : dict
        Stage -> seconds.
    """

    numbers: dict[str, dict[str, Number]] = field(default_factory=dict)
    strongest: dict[str, str] = field(default_factory=dict)
    ks: dict[str, dict[str, Number]] = field(default_factory=dict)
    medians: dict[str, dict[str, Number]] = field(default_factory=dict)
    conditional_fidelity: dict[str, dict[str, dict[str, Number]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    looks: dict[str, Looks] = field(default_factory=dict)
    neighbours: dict[str, Neighbours] = field(default_factory=dict)
    doubtful_fits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as nested dictionaries for JSON."""
        return {
            "sizes": self.sizes,
            "tests": self.numbers,
            "strongest_classifier": self.strongest,
            "conditional_fidelity": self.conditional_fidelity,
            "doubtful_fits": self.doubtful_fits,
            "ks": self.ks,
            "medians": self.medians,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


def measure_cubes(
    reference: CubeSet,
    candidates: Sequence[CubeSet],
    axes: CubeAxes,
    noise: NDArray[np.floating],
    *,
    generator: np.random.Generator,
    training: NDArray[np.floating] | None = None,
    epochs: int = 16,
    device: str = "cpu",
    report: Callable[[str], object] = lambda stage: None,
    progress: Progress = lambda done, of, stage: None,
) -> CubeRealism:
    """Compare sets of cubes with held-out true ones.

    Parameters
    ----------
    reference : CubeSet
        Held-out true galaxies.
    candidates : sequence of CubeSet
        Of other parameters of the same population. Other true ones among them show what equal
        distributions give.
    axes : CubeAxes
    noise : numpy.ndarray, (M, v, y, x)
        As it is in the cubes.
    generator : numpy.random.Generator
        For folds, networks and bootstraps.
    training : numpy.ndarray, (T, y, x), optional
        Flux maps that the generator learnt from, without noise, to look for copies.
    epochs : int
        Times that the networks among the classifiers see the galaxies; 0 leaves the networks out.
    device : str
        Of these.
    report : callable, optional
        Told the name of each stage as it begins.
    progress : callable, optional
        Called with how many more epochs of a classifier are done, of how many, and its name.

    Returns
    -------
    CubeRealism

    Raises
    ------
    InputError
        If a set has fewer than 20 galaxies, cubes of another shape than the reference's, or NaN.
    """
    sets = {one.name: one for one in (reference, *candidates)}
    for one in sets.values():
        _check(one, reference)
    result = CubeRealism(sizes={name: len(one) for name, one in sets.items()})
    clock = Clock(result.seconds, report)
    streams = Streams(int(generator.integers(2**63)))
    with clock("maps, motions and clumps"):
        spread = difference_noise(noise)
        result.looks = {name: look_at(one, axes, spread) for name, one in sets.items()}
        for name, look in result.looks.items():
            result.medians[name] = _medians(look, streams(name, "medians"))
    looked = result.looks[reference.name]
    for one in candidates:
        result.ks[one.name] = _ks(result.looks[one.name], looked)
        result.numbers[one.name] = _tests(
            result.looks[one.name], looked, result.ks[one.name], streams(one.name, "frechet")
        )
    for one in candidates:
        with clock(f"classifiers of {one.name}"):
            found = _classify(
                one, result.looks[one.name], reference, looked, streams, epochs, device, progress
            )
            best = max(found, key=lambda name: found[name].value)
            result.strongest[one.name] = best
            result.numbers[one.name] |= {name: f._asdict() for name, f in found.items()}
            result.numbers[one.name]["strongest"] = found[best]._asdict()
    if training is not None:
        with clock("nearest neighbours"):
            _compare_with_training(result, sets, reference.name, training, streams)
    return result


def scaled_to_peak(maps: NDArray[np.floating]) -> FloatArray:
    """Return flux maps (N, y, x) of the same peak: galaxies are alike whatever their brightness."""
    return np.asarray(_PEAK * maps / maps.max(axis=(1, 2), keepdims=True), dtype=np.float64)


def _check(one: CubeSet, reference: CubeSet) -> None:
    shape = reference.observed.shape[1:]
    if one.observed.shape[1:] != shape:
        raise InputError(
            f"the {one.name} cubes have shape {one.observed.shape[1:]}: expected {shape}, as the "
            f"{reference.name}"
        )
    if len(one) < SMALLEST_SET:
        raise InputError(
            f"{len(one)} {one.name} cubes are too few to compare: expected {SMALLEST_SET} or more"
        )
    if not np.isfinite(one.observed).all():
        raise InputError(f"{one.name}: cubes hold NaN or infinity; leave those out")


def _ks(made: Looks, real: Looks) -> dict[str, Number]:
    both = [
        quantities(one) | {name: one.statistics[:, i] for i, name in enumerate(STATISTICS)}
        for one in (made, real)
    ]
    found: dict[str, Number] = {}
    for name in both[0]:
        (test,) = ks_distances(both[0][name][:, None], both[1][name][:, None])
        found[name] = {"value": _finite(test.statistic), "p_value": _finite(test.p_value)}
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _medians(look: Looks, generator: np.random.Generator) -> dict[str, Number]:
    """Return medians with bootstrapped errors; of numbers of clumps, which are few, means."""
    found: dict[str, Number] = {}
    for name, values in quantities(look).items():
        known = values[np.isfinite(values)]
        typical = np.mean if name.endswith("clump_number") else np.median
        number: Number = {"value": None, "error": None}
        if known.size:
            again = known[generator.integers(known.size, size=(_BOOTSTRAPS, known.size))]
            number = {
                "value": float(typical(known)),
                "error": float(typical(again, axis=1).std()),
            }
        found[name] = number
    return found


def _tests(
    made: Looks, real: Looks, ks: Mapping[str, Number], generator: np.random.Generator
) -> dict[str, Number]:
    scale = scale_of(real.statistics)
    names = ("clump_number", "clump_light", "clump_radius", "observed clump_number")
    return {
        "frechet": frechet_extrapolated(
            made.statistics, real.statistics, generator, scale
        )._asdict(),
        **{f"ks {name}": ks[name] for name in names},
        "largest_ks": max((ks[name] for name in STATISTICS), key=lambda one: one["value"] or 0.0),
    }


def _classify(
    one: CubeSet,
    look: Looks,
    reference: CubeSet,
    looked: Looks,
    streams: Streams,
    epochs: int,
    device: str,
    progress: Progress,
) -> dict[str, Accuracy]:
    """Return the accuracies of all classifiers; each sees what departs from the smooth disks."""
    pairs = ((one, look), (reference, looked))
    found: dict[str, Accuracy] = {}

    def training(what: str) -> Callable[[int, int], object]:
        return lambda done, of: progress(done, of, f"network on {what} of {one.name}")

    if epochs:
        made, real = ((s.observed - s.smooth)[:, None] for s, _ in pairs)
        found["cube_network"] = cube_classifier(
            made, real, streams(one.name, "cubes"), epochs=epochs, device=device,
            progress=training("cubes"),
        )  # fmt: skip
        for shown, maps in (
            ("flux", [flux_maps(s.observed - s.smooth) for s, _ in pairs]),
            ("velocity", [velocity_residuals(seen.observed, seen.smooth) for _, seen in pairs]),
        ):
            found[f"{shown}_network"] = pixel_classifier(
                maps[0], maps[1], streams(one.name, shown), epochs=epochs, device=device, kept=1.0,
                progress=training(f"{shown} maps"),
            )  # fmt: skip
    for shown, tables in (
        ("cube", [_table_of_cubes(s, seen) for s, seen in pairs]),
        ("flux", [_table_of_fluxes(s, seen) for s, seen in pairs]),
        ("velocity", [_table_of_velocities(seen) for _, seen in pairs]),
    ):
        found[f"{shown}_trees"] = feature_classifier(
            tables[0], tables[1], streams(one.name, f"{shown} trees")
        )
    return {name: found[name] for name in CLASSIFIERS if name in found}


def _table_of_cubes(one: CubeSet, look: Looks) -> FloatArray:
    """Everything that is measured of the observed cube, beside its parameters."""
    return np.column_stack(
        [
            _table_of_fluxes(one, look),
            look.statistics,
            look.kinematics_observed,
            look.clumps_observed.number,
            look.clumps_observed.light,
            *one.conditions.values(),
        ]
    )


def _table_of_fluxes(one: CubeSet, look: Looks) -> FloatArray:
    light = [i for i, name in enumerate(STATISTICS) if name not in _KINEMATIC_STATISTICS]
    return np.column_stack([image_features(one.flux), look.statistics[:, light]])


def _table_of_velocities(look: Looks) -> FloatArray:
    shift = [i for i, name in enumerate(STATISTICS) if name in _KINEMATIC_STATISTICS]
    return np.column_stack([look.kinematics_observed, look.statistics[:, shift]])


def _compare_with_training(
    result: CubeRealism,
    sets: Mapping[str, CubeSet],
    reference: str,
    training: NDArray[np.floating],
    streams: Streams,
) -> None:
    """Compare flux maps, without noise where they are known so: noise would hide copies."""
    known = scaled_to_peak(training)
    for name, one in sets.items():
        maps = one.flux if one.clean is None else flux_maps(one.clean)
        result.neighbours[name] = nearest_neighbours(scaled_to_peak(maps), known)
    for name, tests in result.numbers.items():
        found = novelty(
            result.neighbours[name], result.neighbours[reference], streams(name, "novelty")
        )
        tests["novelty_ratio"] = {"value": found.ratio, "error": found.ratio_error}
        tests["close_share"] = {"value": found.close_share, "error": found.close_error}
