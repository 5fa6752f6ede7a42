"""Fit a disk to a cube."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.binning import binned, bins_of
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.cube_observation import observe_cube
from clumpygan.fitting.goodness.misfit import Misfit, measure_misfit
from clumpygan.fitting.goodness.noise import NoiseCheck, check_noise
from clumpygan.fitting.goodness.psf_width import shifts_of, told_of_psf
from clumpygan.fitting.goodness.remains import remains_of
from clumpygan.fitting.goodness.verdict import Detection, detect, judge
from clumpygan.fitting.initial_guess import (
    away_from_bounds,
    check_identification,
    guess_parameters,
    starting_vectors,
)
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.line_ratios import with_known_ratios
from clumpygan.fitting.observation import Frame, Observation, observe
from clumpygan.fitting.optimize import Optimum, find_optimum
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.fitting.priors import FitPrior
from clumpygan.fitting.result import FitResult, tabulate, unbinned
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.sampling.posterior import draw_posterior
from clumpygan.fitting.settings import NoiseSettings, SamplerSettings
from clumpygan.fitting.structure.distance import with_scale
from clumpygan.fitting.structure.light_map import MapLikelihood, MappedLight, drawn_radii
from clumpygan.fitting.structure.staged import fit_light, fit_rings, vector_with_clumps
from clumpygan.fitting.structure.thickness import was_wrong, with_free_thickness
from clumpygan.fitting.target import Target
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.emission_lines import rest_wavelengths, with_fainter
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.instruments.line_spread import LSF
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spread import PSF
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.velocity_map import VelocityMap
from clumpygan.settings import plain

FloatArray = NDArray[np.float64]

ROUGHEST = 1e-2
"""Accuracy of the rendered cubes, over their peak, at least."""

FINE = 1e-4
"""Greatest accuracy of the rendered cubes, over their peak."""

_ERROR = 0.5
"""Accuracy times the S/N of the whole cube. Optima are then within 3 % of the error of a parameter
of those at a hundred times the accuracy."""

_FINER = 5.0
"""Times finer is the accuracy with which an optimum that wasn't reached is tried again."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What is fitted: a cube whose noise was looked at, and the CPU seconds when that began."""

    observation: Observation
    noise: NoiseCheck
    clock: list[float]


class DiskFitter:
    """Fits disks of one model to cubes.

    Parameters
    ----------
    model : DiskModel, optional
        The choices of the model: rotation curve, light, clumps.
    instrument : Spectrograph or Frame, optional
        Who observed. A spectrograph gives PSF, LSF and correlation of the noise to cubes that were
        read from files, whose headers give the grid. A frame (`ObservedFrame`, or
        `data.cube_frame.CubeFrame`) has grid and PSF, for arrays.
    free, fixed, tied, priors
        See `ParameterChoices`.
    starts : mapping of str to float, optional
        Starting values, in place of those from the moment maps.
    noise : NoiseSettings, optional
    sampler : SamplerSettings, optional
    lines, redshift, psf_fwhm, line_spread, psf, lsf
        For cubes of files: see `observe_cube`.
    accuracy : float, optional
        Of the rendered cubes over their peak; by default as the S/N asks for.
    distance : float, optional
        Mpc, for masses; by default that of the redshift.
    bins : bool
        Whether pixels and channels of large cubes are summed where next to nothing is lost.

    Examples
    --------
    >>> fitter = DiskFitter(DiskModel(), MUSE_WFM, lines=["halpha"])  # doctest: +SKIP
    >>> result = fitter.fit(read_cube("cube.fits"))  # doctest: +SKIP
    >>> result.table["name", "median", "lower", "upper"]  # doctest: +SKIP
    """

    def __init__(
        self,
        model: DiskModel | None = None,
        instrument: Spectrograph | Frame | None = None,
        *,
        free: Sequence[str] = (),
        fixed: Mapping[str, float] | None = None,
        tied: Mapping[str, str] | None = None,
        priors: Mapping[str, str | FitPrior] | None = None,
        starts: Mapping[str, float] | None = None,
        noise: NoiseSettings | None = None,
        sampler: SamplerSettings | None = None,
        lines: Sequence[str | float] | None = None,
        redshift: float | None = None,
        psf_fwhm: float | None = None,
        line_spread: float | None = None,
        psf: PSF | None = None,
        lsf: LSF | None = None,
        accuracy: float | None = None,
        distance: float | None = None,
        bins: bool = True,
    ) -> None:
        lines = with_fainter(lines) if lines else None
        self.model = _with_lines(model or DiskModel(), instrument, lines)
        self.instrument = instrument
        choices = ParameterChoices(tuple(free), fixed or {}, tied or {}, priors or {})
        self.choices = with_known_ratios(choices, rest_wavelengths(lines)) if lines else choices
        self.choices.free_names(self.model, 1)
        self.starts = dict(starts or {})
        for name, value in self.starts.items():
            self.model.table[self.model.index(name)].check(value)
        self.noise, self.sampler = noise or NoiseSettings(), sampler or SamplerSettings()
        self.lines, self.redshift = lines, redshift
        self.psf_fwhm, self.line_spread = psf_fwhm, line_spread
        self.psf, self.lsf = psf, lsf
        self.accuracy, self.distance, self.bins = accuracy, distance, bins
        self.mapped: MappedLight | None = None

    def fit(
        self,
        cube: Cube | ArrayLike,
        variance: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        seed: int = 0,
    ) -> FitResult:
        """Fit one cube.

        Parameters
        ----------
        cube : Cube or array_like (v, y, x)
            Of a file (`read_cube`), or flux per voxel on the grid of the frame.
        variance : array_like, optional
            Of the data; by default that of the cube, or else it is estimated from the sides of
            the field, with an `InputWarning`.
        mask : array_like, optional
            True for voxels that aren't to be used: (v, y, x), (y, x) or (v,).
        seed : int
            Of the draws.

        Returns
        -------
        FitResult
            Its `verdict` says whether it is to be relied on.

        Raises
        ------
        InputError
            If the cube can't be fitted: no line, no voxels, a PSF wider than the field, settings
            that contradict each other.
        """
        observation = self.observe(cube, variance, mask=mask)
        return self.fit_observation(observation, seed=seed)

    def observe(
        self,
        cube: Cube | VelocityMap | ArrayLike,
        variance: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> Observation:
        """Check a cube and its noise, without a fit; see `fit`."""
        if isinstance(cube, VelocityMap):
            raise InputError(f"{cube.path} is a velocity map; expected a cube, or `map`")
        if isinstance(cube, Cube):
            if self.instrument is not None and not isinstance(self.instrument, Spectrograph):
                raise InputError(
                    "a cube of a file and a frame, which is for arrays; expected a spectrograph or "
                    "no instrument"
                )
            return observe_cube(
                cube,
                self.instrument,
                lines=self.lines,
                redshift=self.redshift,
                psf_fwhm=self.psf_fwhm,
                line_spread=self.line_spread,
                psf=self.psf,
                lsf=self.lsf,
                mask=mask,
                variance=variance,
            )
        if self.instrument is None or isinstance(self.instrument, Spectrograph):
            raise InputError(
                "an array has no grid: give a frame (ObservedFrame) in place of the instrument, or "
                "a cube as read_cube returns it"
            )
        return observe(cube, variance, self.instrument, mask=mask)

    def fit_observation(self, observation: Observation, *, seed: int = 0) -> FitResult:
        """Fit what `observe` has prepared; see `fit`."""
        clock, whole = [time.process_time()], observation
        bins = bins_of(whole) if self.bins else (1, 1)
        observation = binned(whole, *bins)
        noise = check_noise(observation)
        if self.noise.scale is None:
            observation, whole = noise.corrected(observation), noise.corrected(whole, bins[1])
        seen = Seen(observation, noise, clock)
        staged = fit_rings if self.model.curve == "rings" else fit_light
        found = staged(self, seen, seed)
        return found if bins == (1, 1) else unbinned(found, whole, bins)

    def fit_whole(self, seen: "Seen", seed: int) -> FitResult:
        """Fit a model of which nothing is left to be chosen."""
        observation, noise, clock = seen.observation, seen.noise, [*seen.clock]
        generator = np.random.default_rng(seed)
        grid = observation.frame.grid
        guess = guess_parameters(observation)
        said = {*self.starts, *self.choices.fixed, *self.choices.priors, *self.choices.tied}
        if "systemic_velocity" not in said:
            check_identification(guess, observation)
        choices = with_scale(self.choices, self.model, observation, self.redshift, self.distance)
        coordinates = Coordinates.of(self.model, choices, grid, guess.flux)
        vectors = starting_vectors(guess, coordinates, self.starts)
        if self.model.clumps and not all(name.startswith("clump_") for name in coordinates.names):
            vectors = [vector_with_clumps(self, observation, coordinates, seed)]
        coordinates = coordinates.centred(vectors[0])
        starts = [away_from_bounds(coordinates, vector) for vector in vectors]
        clock.append(time.process_time())
        likelihood = Likelihood(observation, self.noise)
        if self.mapped is not None:
            likelihood = MapLikelihood(observation, self.noise, mapped=self.mapped)
        accuracy = self.accuracy or self._accuracy(likelihood, coordinates.vectors(starts[0]))
        target = self._target(coordinates, likelihood, accuracy)
        (optimum, misfit), evaluations = _settled(target, starts, noise), 0
        if not optimum.converged and self.accuracy is None and accuracy > FINE:
            # The sampling of the cubes changes in steps, which can hide the way.
            accuracy, evaluations = max(accuracy / _FINER, FINE), target.evaluations
            target = self._target(coordinates, likelihood, accuracy)
            optimum, misfit = _settled(target, [optimum.coordinates], noise)
        freed = with_free_thickness(choices, target, optimum)
        if freed is not None:
            vector = target.coordinates.vectors(optimum.coordinates)
            coordinates = Coordinates.of(self.model, freed, grid, guess.flux).centred(vector)
            thick = self._target(coordinates, likelihood, accuracy)
            found, left = _settled(thick, [coordinates.coordinates(vector)], noise)
            if found.converged and was_wrong(misfit, left):
                target, thick, optimum, misfit = thick, target, found, left
            evaluations += thick.evaluations
        clock.append(time.process_time())
        detection = detect(target, optimum, noise)
        # Noise alone has a posterior of many hills, of which nobody wants draws, and no misfit.
        sampler = self.sampler if detection.certain else SamplerSettings("laplace")
        misfit = misfit if detection.certain else Misfit()
        shifts = shifts_of(target, optimum) if detection.certain else {}
        if misfit.rules and sampler.method == "importance":
            # The likelihood of independent noise says nothing of the shape of wider errors.
            sampler = replace(sampler, method="laplace")
        draws = draw_posterior(target, optimum, sampler, generator)
        draws = misfit.widened(draws, optimum.covariance, generator)
        radii = drawn_radii(target, optimum, draws, generator)
        optimum = replace(optimum, jacobian=None)
        clock.append(time.process_time())
        known = noise, detection, misfit
        result = self._result(
            target, optimum, draws, radii, known, generator, clock, evaluations, accuracy, seed
        )
        told = told_of_psf(shifts, result.table)
        verdict = replace(result.verdict, remarks=(*result.verdict.remarks, *told))
        return replace(result, verdict=verdict)

    def _result(
        self,
        target: Target,
        optimum: Optimum,
        draws: Draws,
        radii: FloatArray | None,
        found: tuple[NoiseCheck, Detection, Misfit],
        generator: np.random.Generator,
        clock: Sequence[float],
        evaluations: int,
        accuracy: float,
        seed: int,
    ) -> FitResult:
        coordinates, likelihood = target.coordinates, target.likelihood
        observation = likelihood.observation
        table, samples = tabulate(
            coordinates, optimum, draws, generator,
            {"flux": observation.flux_unit or "flux units"},
            {} if radii is None else {"half_light_radius": radii},
        )  # fmt: skip
        vector = coordinates.vectors(optimum.coordinates)
        best = dict(zip(self.model.names, vector.tolist(), strict=True))
        for name, value in zip(table["name"], table["best"], strict=True):
            best[str(name)] = float(value)
        cube = likelihood.completed(target.cube(optimum.coordinates))
        seconds = np.diff(clock).tolist()
        noise, detection, misfit = found
        verdict = judge(
            table,
            best,
            optimum,
            draws,
            detection,
            remains_of(observation, cube, noise),
            noise,
            misfit,
            corrected=self.noise.scale is None,
            velocities=observation.frame.grid.centres[0],
            continuum="continuum" in coordinates.names,
            wanted=self.sampler.wanted,
        )
        return FitResult(
            table=table,
            samples=samples,
            values=best,
            observation=observation,
            model_cube=cube,
            chi_squared=likelihood.chi_squared(cube),
            degrees_of_freedom=likelihood.count - coordinates.count,
            log_evidence=draws.log_evidence,
            signal_to_noise=likelihood.signal_to_noise(cube),
            pareto_k=draws.pareto_k,
            evaluations=evaluations + target.evaluations,
            seconds=dict(zip(("start", "optimum", "posterior"), seconds, strict=True)),
            verdict=verdict,
            settings=self._settings(observation, coordinates, accuracy, seed),
            optimum=optimum,
            draws=draws,
            coordinates=coordinates,
        )

    def _target(self, coordinates: Coordinates, likelihood: Likelihood, accuracy: float) -> Target:
        frame = likelihood.observation.frame
        renderer = CubeRenderer(frame.grid, self.model, frame.transfer, accuracy)
        return Target(coordinates, likelihood, renderer)

    def _accuracy(self, likelihood: Likelihood, vector: FloatArray) -> float:
        """Return the accuracy of the renderer that the S/N of the cube asks for."""
        data = likelihood.observation.data
        # That of the first guess, and no less than what is seen in the data.
        frame = likelihood.observation.frame
        cube = CubeRenderer(frame.grid, self.model, frame.transfer, ROUGHEST)(vector[None])[0]
        scale = float((cube * data)[likelihood.observation.valid].sum() / np.square(cube).sum())
        signal = likelihood.signal_to_noise(cube * np.float32(max(scale, 1e-3)))
        return float(np.clip(_ERROR / max(signal, 1e-9), FINE, ROUGHEST))

    def _settings(
        self, observation: Observation, coordinates: Coordinates, accuracy: float, seed: int
    ) -> dict[str, Any]:
        """Return all that is needed to repeat the fit, as plain numbers and words."""
        grid = observation.frame.grid
        return {
            "model": plain(asdict(self.model)),
            **coordinates.told(),
            "starts": dict(self.starts),
            "noise": asdict(self.noise),
            "sampler": asdict(self.sampler),
            "accuracy": accuracy,
            "seed": seed,
            "binned": [1, 1],
            "shape": list(grid.shape),
            "pixel_scale_arcsec": grid.pixel_scale,
            "channel_width_km_s": grid.channel_width,
            "line_spread_km_s": list(grid.line_spread),
            "line_fluxes": list(grid.line_fluxes),
            "pixel_response": grid.pixel_response,
            "channel_response": grid.channel_response,
            "psf_fwhm_arcsec": observation.frame.psf_fwhm,
            "instrument": getattr(self.instrument, "name", None),
            "lines": None if self.lines is None else list(self.lines),
            "redshift": self.redshift,
            "distance_mpc": self.distance,
        }


def _settled(
    target: Target, starts: Sequence[FloatArray], noise: NoiseCheck
) -> tuple[Optimum, Misfit]:
    """Return the optimum, as near as its errors ask for, and what the model gets wrong there."""
    optimum = find_optimum(target, starts)
    misfit = measure_misfit(target, optimum, noise)
    return misfit.settled(optimum), misfit


def _with_lines(
    model: DiskModel,
    instrument: Spectrograph | Frame | None,
    lines: Sequence[str | float] | None,
) -> DiskModel:
    """Return the model with a ratio for every line beyond the second."""
    count = 1
    if lines is not None:
        count = len(rest_wavelengths(lines))
    elif instrument is not None and not isinstance(instrument, Spectrograph):
        count = len(instrument.grid.edges)
    return replace(model, extra_lines=max(count - 2, 0))
