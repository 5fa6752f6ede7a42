"""How like true velocity cubes generated ones are: sets made or read, and compared in every way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.cubes.fits import FIXED, FitJob, fit_all
from clumpygan.assessment.cubes.sets import (
    Compared,
    build_sets,
    cubes_to_fit,
    load_generators,
    realisations,
    training_maps,
)
from clumpygan.assessment.cubes.settings import CubeRealismSettings
from clumpygan.assessment.progress import Progress, silent
from clumpygan.evaluation.cubes.conditional_fidelity import conditional_fidelity, departures
from clumpygan.evaluation.cubes.cube_realism import CubeRealism, measure_cubes
from clumpygan.evaluation.cubes.cube_realism_table import definitions, text_table
from clumpygan.evaluation.cubes.diversity import (
    diversity,
    flux_differences,
    velocity_differences,
)
from clumpygan.evaluation.cubes.line_maps import CubeAxes, FloatArray, line_maps


@dataclass(eq=False)
class CubeRealismReport:
    """What was compared, and what came out.

    Attributes
    ----------
    settings : CubeRealismSettings
    compared : Compared
    result : CubeRealism
    training : numpy.ndarray, (T, y, x), optional
        Flux maps of training galaxies, where copies were looked for.
    repeated : dict of str to numpy.ndarray, (G, R, v, y, x)
        Set -> R galaxies of each of G parameters; empty if their diversity wasn't asked for.
    departures : dict
        Set -> parameter -> fitted less asked (N,); empty if nothing was fitted.
    """

    settings: CubeRealismSettings
    compared: Compared
    result: CubeRealism
    training: NDArray[np.floating] | None = None
    repeated: dict[str, NDArray[np.floating]] = field(default_factory=dict)
    departures: dict[str, dict[str, FloatArray]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the tables as text."""
        return text_table(self.result)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, their definitions and the settings for JSON."""
        return {
            **self.result.as_dict(),
            "definitions": definitions(),
            "settings": asdict(self.settings) | {"fixed_in_fits": list(FIXED)},
        }

    def facts(self) -> dict[str, str]:
        """Return what was compared, line by line: name -> text."""
        compared = self.compared
        v, y, x = compared.data.shape
        low, high = compared.data.signal_to_noise
        made = "generated for the parameters and with the noise of the held-out truth"
        return {
            "reference": f"{len(compared.reference)} true galaxies that no training has seen",
            compared.floor.name: "as many others of the same population: the floor",
            **{one.name: made for one in compared.made},
            compared.smooth.name: "of the same parameters and noise, without any structure",
            "cubes": f"{v} channels, {y} x {x} pixels; brightest voxel {low:g} to {high:g} times "
            "the noise of a voxel",
            "seed": str(self.settings.seed),
        }

    @property
    def asked(self) -> dict[str, FloatArray]:
        """Parameters (N,) of the galaxies that were fitted."""
        return _first(self.compared.floor.conditions, self._fitted)

    @property
    def _fitted(self) -> int:
        return min(self.settings.fits or 0, len(self.compared.floor))

    def add_diversity(self) -> None:
        """Measure how galaxies of the same parameters differ."""
        begin = time.perf_counter()
        seed, axes = self.settings.seed, self.compared.axes
        made, true = realisations(self.compared, self.settings.groups or 0, seed)
        real = _differences(true, axes)
        for name, cubes in made.items():
            found = _differences(cubes, axes)
            for what, ours, theirs in zip(("flux", "velocity"), found, real, strict=True):
                number = diversity(ours, theirs, np.random.default_rng(seed))
                self.result.numbers[name][f"diversity_{what}"] = number._asdict()
        self.result.seconds["diversity"] = time.perf_counter() - begin
        self.repeated = {"truth": true} | {name: made[name] for name in self.compared.generators}

    def add_fits(self, progress: Progress = silent) -> None:
        """Measure what fits of disks say of the cubes."""
        begin = time.perf_counter()
        count, told = self._fitted, self.asked
        sets = cubes_to_fit(self.compared, count, self.settings.seed)
        frame = self.compared.data.settings.frame
        jobs = [
            FitJob(frame, cube, {name: float(values[i]) for name, values in told.items()})
            for cubes in sets.values()
            for i, cube in enumerate(cubes)
        ]
        fitted, self.result.doubtful_fits = fit_all(
            jobs,
            lambda done: progress(done, len(jobs), "fitting"),
            self.settings.workers,
            self.settings.cluster,
        )
        for place, name in enumerate(sets):
            part = slice(place * count, (place + 1) * count)
            own = {key: values[part] for key, values in fitted.items()}
            self.departures[name] = departures(told, own)
        true, *candidates = self.departures
        for name in candidates:
            found = conditional_fidelity(
                self.departures[name],
                self.departures[true],
                np.random.default_rng(self.settings.seed),
            )
            self.result.conditional_fidelity[name] = {
                parameter: {statistic: number._asdict() for statistic, number in vars(one).items()}
                for parameter, one in found.items()
            }
        self.result.seconds["fits"] = time.perf_counter() - begin


def cube_realism(
    settings: CubeRealismSettings | None = None,
    *,
    progress: Progress = silent,
    report: Callable[[str], object] = lambda stage: None,
    **given: Any,
) -> CubeRealismReport:
    """Compare generated velocity cubes with held-out true ones, in every way.

    Parameters
    ----------
    settings : CubeRealismSettings, optional
    progress : callable, optional
        Called with how many cubes were generated or fitted, of how many, and the name of the stage.
    report : callable, optional
        Told the name of each stage as it begins.
    **given
        Settings by their names, in place of `settings`.

    Returns
    -------
    CubeRealismReport

    Raises
    ------
    InputError
        If a generator can't be loaded or was trained on other data, or cubes can't be read.
    """
    settings = settings or CubeRealismSettings(**given)
    begin = time.perf_counter()
    generators = load_generators(settings)
    report("galaxies")
    compared = build_sets(settings, generators, progress)
    training = training_maps(settings, compared.data)
    spent = time.perf_counter() - begin
    result = measure_cubes(
        compared.reference,
        compared.candidates,
        compared.axes,
        compared.noise,
        generator=np.random.default_rng(settings.seed),
        training=training,
        epochs=settings.epochs,
        device=settings.device,
        report=report,
        progress=progress,
    )
    result.seconds = {"galaxies": spent, **result.seconds}
    found = CubeRealismReport(settings, compared, result, training)
    if settings.groups and settings.root is None:
        report("diversity")
        found.add_diversity()
    if settings.fits:
        report("fits")
        found.add_fits(progress)
    return found


def _first(values: dict[str, FloatArray], count: int) -> dict[str, FloatArray]:
    return {name: one[:count] for name, one in values.items()}


def _differences(cubes: NDArray[np.floating], axes: CubeAxes) -> tuple[FloatArray, FloatArray]:
    """Return how much light and velocities of cubes (G, R, v, y, x) of the same group differ."""
    maps = line_maps(cubes.reshape(-1, *cubes.shape[2:]), axes, noisy=False)
    flux, velocity = (
        one.reshape(*cubes.shape[:2], *one.shape[1:]) for one in (maps.flux, maps.velocity)
    )
    return flux_differences(flux), velocity_differences(velocity)
