"""Fit a disk to a cube."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.amortised import AmortisedPosterior
from clumpygan.fitting.amortised_choices import check_choices, check_settings, coordinates_of
from clumpygan.fitting.amortised_draws import draw_amortised
from clumpygan.fitting.choices import ParameterChoices
from clumpygan.fitting.clump_starts import clump_starts
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.cube_observation import observe_cube
from clumpygan.fitting.draws import Draws
from clumpygan.fitting.likelihood import Likelihood, NoiseSettings
from clumpygan.fitting.observation import Frame, Observation, observe
from clumpygan.fitting.optimize import Optimum, find_optimum
from clumpygan.fitting.posterior import SamplerSettings, draw_posterior
from clumpygan.fitting.priors import FitPrior
from clumpygan.fitting.result import FitResult, problems_of, tabulate
from clumpygan.fitting.starting_values import look_at
from clumpygan.fitting.starts import away_from_bounds, starting_vector, starting_vectors
from clumpygan.fitting.target import Target
from clumpygan.galaxies.cube import CubeRenderer
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.galaxies.parameters import DiskModel
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.io.cubes import Cube

FloatArray = NDArray[np.float64]

ROUGH, FINE = 1e-2, 1e-4
"""Least and greatest accuracy of the rendered cubes, over their peak."""

_ERROR = 0.5
"""Accuracy times the S/N of the whole cube. Optima are then within 3 % of the error of a parameter
of those at a hundred times the accuracy."""

_FINER = 5.0
"""Times finer is the accuracy with which an optimum that wasn't reached is tried again."""


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
    lines, redshift, psf_fwhm, line_spread
        For cubes of files: see `observe_cube`.
    accuracy : float, optional
        Of the rendered cubes over their peak; by default as the S/N asks for.
    posterior : AmortisedPosterior, optional
        For the sampler's method "amortised". Its priors are those of the fit, but for those that
        are given.

    Examples
    --------
    >>> fitter = DiskFitter(DiskModel(), MUSE_WFM, lines=["halpha"], redshift=0.36)
    >>> result = fitter.fit(read_cube("cube.fits"))
    >>> result.table["name", "median", "lower", "upper"]
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
        accuracy: float | None = None,
        posterior: AmortisedPosterior | None = None,
    ) -> None:
        self.model = _with_lines(model or DiskModel(), instrument, lines)
        self.instrument = instrument
        self.choices = ParameterChoices(tuple(free), fixed or {}, tied or {}, priors or {})
        self.choices.free_names(self.model, 1)
        self.starts = dict(starts or {})
        for name, value in self.starts.items():
            self.model.table[self.model.index(name)].check(value)
        self.noise, self.sampler = noise or NoiseSettings(), sampler or SamplerSettings()
        self.lines, self.redshift = lines, redshift
        self.psf_fwhm, self.line_spread = psf_fwhm, line_spread
        self.accuracy, self.posterior = accuracy, posterior
        check_settings(posterior, self.sampler, self.choices, self.noise, bool(self.starts))
        if posterior is not None:
            check_choices(posterior, self.model, self.choices)

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
            Where `problems` aren't empty, it isn't to be relied on.

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
        cube: Cube | ArrayLike,
        variance: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> Observation:
        """Check a cube and its noise, without a fit; see `fit`."""
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
        if self.posterior is not None and self.sampler.method == "amortised":
            return self._amortised(self.posterior, observation, seed)
        clock = [time.process_time()]
        generator = np.random.default_rng(seed)
        grid = observation.frame.grid
        look = look_at(observation)
        coordinates = Coordinates.of(self.model, self.choices, grid, look.flux)
        vectors = starting_vectors(look, coordinates, self.starts)
        if self.model.clumps and not all(name.startswith("clump_") for name in coordinates.names):
            vectors = [self._with_clumps(observation, coordinates, seed)]
        coordinates = coordinates.centred(vectors[0])
        starts = [away_from_bounds(coordinates, vector) for vector in vectors]
        clock.append(time.process_time())
        likelihood = Likelihood(observation, self.noise)
        accuracy = self.accuracy or self._accuracy(likelihood, coordinates.vectors(starts[0]))
        target = self._target(coordinates, likelihood, accuracy)
        optimum = find_optimum(target, starts)
        evaluations = 0
        if not optimum.converged and self.accuracy is None and accuracy > FINE:
            # The sampling of the cubes changes in steps, which can hide the way.
            accuracy, evaluations = max(accuracy / _FINER, FINE), target.evaluations
            target = self._target(coordinates, likelihood, accuracy)
            optimum = find_optimum(target, [optimum.coordinates])
        clock.append(time.process_time())
        draws = draw_posterior(target, optimum, self.sampler, generator)
        clock.append(time.process_time())
        return self._result(target, optimum, draws, generator, clock, evaluations, accuracy, seed)

    def _amortised(
        self, posterior: AmortisedPosterior, observation: Observation, seed: int
    ) -> FitResult:
        """Let a trained network draw."""
        clock = [time.process_time()]
        generator = np.random.default_rng(seed)
        view = posterior.view(observation, self.noise)
        coordinates = coordinates_of(posterior, view, self.choices)
        accuracy = self.accuracy or _accuracy(view.signal_to_noise)
        target = self._target(coordinates, Likelihood(observation, self.noise), accuracy)
        clock.append(time.process_time())
        clock.append(time.process_time())
        draws, optimum = draw_amortised(
            posterior, view, target, generator, self.sampler.wanted, self.sampler.most,
            self.sampler.correct,
        )  # fmt: skip
        clock.append(time.process_time())
        return self._result(target, optimum, draws, generator, clock, 0, accuracy, seed)

    def _result(
        self,
        target: Target,
        optimum: Optimum,
        draws: Draws,
        generator: np.random.Generator,
        clock: Sequence[float],
        evaluations: int,
        accuracy: float,
        seed: int,
    ) -> FitResult:
        coordinates, likelihood = target.coordinates, target.likelihood
        observation = likelihood.observation
        table, samples = tabulate(
            coordinates, optimum, draws, generator, {"flux": observation.flux_unit or "flux units"}
        )
        vector = coordinates.vectors(optimum.coordinates)
        best = dict(zip(self.model.names, vector.tolist(), strict=True))
        for name, value in zip(table["name"], table["best"], strict=True):
            best[str(name)] = float(value)
        cube = target.cube(optimum.coordinates)
        seconds = np.diff(clock).tolist()
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
            problems=problems_of(table, optimum, draws),
            settings=self._settings(observation, coordinates, accuracy, seed),
            optimum=optimum,
            draws=draws,
            coordinates=coordinates,
        )

    def _target(self, coordinates: Coordinates, likelihood: Likelihood, accuracy: float) -> Target:
        frame = likelihood.observation.frame
        renderer = CubeRenderer(frame.grid, self.model, frame.transfer, accuracy)
        return Target(coordinates, likelihood, renderer)

    def _with_clumps(
        self, observation: Observation, coordinates: Coordinates, seed: int
    ) -> FloatArray:
        """Return the optimum of a disk without clumps, with clumps where it leaves something."""
        chosen = self.choices

        def smooth(names: Mapping[str, Any]) -> dict[str, Any]:
            return {n: value for n, value in names.items() if not n.startswith("clump_")}

        fitter = DiskFitter(
            replace(self.model, clumps=0),
            observation.frame,
            free=[name for name in chosen.free if not name.startswith("clump_")],
            fixed=smooth(chosen.fixed),
            tied=smooth(chosen.tied),
            priors=smooth(chosen.priors),
            starts=smooth(self.starts),
            noise=self.noise,
            sampler=SamplerSettings("laplace"),
            accuracy=self.accuracy,
        )
        found = fitter.fit_observation(observation, seed=seed)
        values = found.galaxy.to_vector()
        places = clump_starts(
            observation, found.model_cube, values, fitter.model, self.model.clumps
        )
        return starting_vector(coordinates, found.values | places | self.starts)

    def _accuracy(self, likelihood: Likelihood, vector: FloatArray) -> float:
        """Return the accuracy of the renderer that the S/N of the cube asks for."""
        data = likelihood.observation.data
        # That of the first guess, and no less than what is seen in the data.
        frame = likelihood.observation.frame
        cube = CubeRenderer(frame.grid, self.model, frame.transfer, ROUGH)(vector[None])[0]
        scale = float((cube * data)[likelihood.observation.valid].sum() / np.square(cube).sum())
        signal = likelihood.signal_to_noise(cube * np.float32(max(scale, 1e-3)))
        return _accuracy(signal)

    def _settings(
        self, observation: Observation, coordinates: Coordinates, accuracy: float, seed: int
    ) -> dict[str, Any]:
        """Return all that is needed to repeat the fit, as plain numbers and words."""
        grid = observation.frame.grid
        names = coordinates.model.names
        free = set(coordinates.places) | {place for place, _, _ in coordinates.tied}
        return {
            "model": _plain(asdict(self.model)),
            "priors": {
                name: str(prior)
                for name, prior in zip(coordinates.names, coordinates.priors, strict=True)
            },
            "fixed": {
                name: float(coordinates.base[place])
                for place, name in enumerate(names)
                if place not in free
            },
            "tied": {
                names[place]: f"{factor:.6g}*{names[source]}"
                for place, factor, source in coordinates.tied
            },
            "starts": dict(self.starts),
            "noise": asdict(self.noise),
            "sampler": asdict(self.sampler),
            "accuracy": accuracy,
            "seed": seed,
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
        }


def _accuracy(signal_to_noise: float) -> float:
    """Return the accuracy of the renderer that the S/N of a whole cube asks for."""
    return float(np.clip(_ERROR / max(signal_to_noise, 1e-9), FINE, ROUGH))


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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
