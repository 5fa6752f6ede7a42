"""Fit a rotating disk to a velocity map."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.cube_observation import mean_width
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.initial_guess import InitialGuess, away_from_bounds, starting_vectors
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.maps.misfit import correlation_of, measure_map_misfit
from clumpygan.fitting.maps.observation import BinnedRenderer, MapObservation, observe_map
from clumpygan.fitting.maps.result import MapFitResult
from clumpygan.fitting.maps.verdict import detect_rotation, judge_map
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.optimize import find_optimum
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.fitting.result import tabulate
from clumpygan.fitting.sampling.posterior import draw_posterior
from clumpygan.fitting.settings import SamplerSettings, check_for_maps
from clumpygan.fitting.target import Target
from clumpygan.galaxies.measuring.position_velocity import velocity_gradient
from clumpygan.galaxies.rendering.velocity_field import VelocityFieldRenderer
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.velocity_map import VelocityMap
from clumpygan.settings import plain

FloatArray = NDArray[np.float64]

_ANY_WAVELENGTH = 7000.0
_INCLINATION = 55.0
"""Degrees from which a fit starts: velocities alone hardly tell before."""

_OF_LIGHT = ("flux", "half_light_radius", "velocity_dispersion", "sersic_index", "ring_width")
"""Parameters that a velocity map doesn't measure."""


class MapFitter(DiskFitter):
    """Fits rotating disks of one model to velocity maps.

    Parameters are those of `DiskFitter`, of which lines, redshift and line spread have no use
    here. Free by default are the centre, the systemic velocity, inclination, position angle and
    what the rotation curve needs. The light that velocities are weighted with is that of a map of
    the flux, or of an exponential disk of half the size of the map.
    """

    def observe(
        self, cube: Any, variance: ArrayLike | None = None, *, mask: ArrayLike | None = None
    ) -> Observation:
        """Check a `VelocityMap`, without a fit; a variance (y, x) is in place of its own."""
        if not isinstance(cube, VelocityMap):
            raise InputError(
                f"a {type(cube).__name__} isn't a velocity map; expected a path, or a VelocityMap "
                "as read_velocity_map returns it"
            )
        error = cube.error if variance is None else np.sqrt(np.asarray(variance, np.float64))
        if mask is not None:
            error = np.where(np.asarray(mask, dtype=bool), np.inf, error)
        psf = self.psf
        if psf is None and self.psf_fwhm is not None:
            psf = GaussianPSF(self.psf_fwhm)
        if psf is None:
            return observe_map(replace(cube, error=error))
        return observe_map(
            replace(cube, error=error),
            partial(psf.transfer, wavelength=_ANY_WAVELENGTH),
            mean_width(psf, _ANY_WAVELENGTH),
        )

    def fit_observation(self, observation: Observation, *, seed: int = 0) -> MapFitResult:
        """Fit what `observe` has prepared."""
        if not isinstance(observation, MapObservation):
            raise InputError("a cube isn't a velocity map; leave `map` out")
        check_for_maps([self.model.light, self.model.curve])
        clock = [time.process_time()]
        generator = np.random.default_rng(seed)
        guess = guess_from_map(observation)
        grid = observation.frame.grid
        choices = self._choices_of(guess)
        coordinates = Coordinates.of(self.model, choices, grid, 1.0)
        vectors = starting_vectors(guess, coordinates, self.starts)
        coordinates = coordinates.centred(vectors[0])
        starts = [away_from_bounds(coordinates, vector) for vector in vectors]
        renderer = VelocityFieldRenderer(
            grid.shape[1:], grid.pixel_scale, self.model, observation.frame.transfer,
            observation.frame.psf_fwhm, observation.light,
        )  # fmt: skip
        likelihood = Likelihood(observation.binned(), self.noise)
        bins = BinnedRenderer(renderer, observation)
        target = Target(coordinates, likelihood, bins)
        clock.append(time.process_time())
        optimum = find_optimum(target, starts)
        clock.append(time.process_time())
        correlated = correlation_of(
            observation, optimum.residuals.astype(np.float64), coordinates.count
        )
        detection = detect_rotation(target, optimum, correlated)
        sampler = self.sampler if detection.certain else SamplerSettings("laplace")
        draws = draw_posterior(target, optimum, sampler, generator)
        misfit = measure_map_misfit(observation, optimum, correlated)
        draws = misfit.widened(draws, optimum.covariance, generator)
        optimum = replace(optimum, jacobian=None)
        clock.append(time.process_time())
        table, samples = tabulate(coordinates, optimum, draws, generator, {})
        vector = coordinates.vectors(optimum.coordinates)
        best = dict(zip(self.model.names, vector.tolist(), strict=True))
        for name, value in zip(table["name"], table["best"], strict=True):
            best[str(name)] = float(value)
        binned = target.cube(optimum.coordinates)
        field = renderer(vector)[0]
        verdict = judge_map(
            table, best, optimum, draws, detection, correlated, misfit, observation,
            bins.spread(binned),
            wanted=self.sampler.wanted,
        )  # fmt: skip
        return MapFitResult(
            table=table,
            samples=samples,
            values=best,
            observation=observation,
            model_cube=field[None].astype(np.float32),
            chi_squared=likelihood.chi_squared(binned),
            degrees_of_freedom=likelihood.count - coordinates.count,
            log_evidence=draws.log_evidence,
            signal_to_noise=likelihood.signal_to_noise(binned),
            pareto_k=draws.pareto_k,
            evaluations=target.evaluations,
            seconds=dict(
                zip(("start", "optimum", "posterior"), np.diff(clock).tolist(), strict=True)
            ),
            verdict=verdict,
            settings=self._map_settings(observation, coordinates, seed),
            optimum=optimum,
            draws=draws,
            coordinates=coordinates,
            binned_field=bins.spread(binned),
        )

    def _choices_of(self, guess: InitialGuess) -> ParameterChoices:
        """Return the choices, with what a map doesn't measure fixed unless it is asked for."""
        chosen = self.choices
        asked = {*chosen.free, *chosen.fixed, *chosen.tied, *chosen.priors}
        values = {**guess.values(), "sersic_index": 1.0}
        known = set(self.model.names)
        more = {name: values[name] for name in _OF_LIGHT if name in known and name not in asked}
        fixed: Mapping[str, float] = {**more, **chosen.fixed}
        return replace(chosen, fixed=fixed)

    def _map_settings(
        self, observation: MapObservation, coordinates: Coordinates, seed: int
    ) -> dict[str, Any]:
        """Return all that is needed to repeat the fit, as plain numbers and words."""
        return {
            "model": plain(asdict(self.model)),
            **coordinates.told(),
            "starts": dict(self.starts),
            "noise": asdict(self.noise),
            "sampler": asdict(self.sampler),
            "seed": seed,
            "shape": list(observation.data.shape[1:]),
            "bins": len(observation.places()[0]),
            "pixel_scale_arcsec": observation.frame.grid.pixel_scale,
            "psf_fwhm_arcsec": observation.frame.psf_fwhm,
            "light": "model" if observation.light is None else "map",
        }


def guess_from_map(observation: MapObservation) -> InitialGuess:
    """Return a first guess of the parameters from a velocity map."""
    known, grid = observation.valid[0], observation.frame.grid
    rows, columns = (one.astype(np.float64) for one in np.nonzero(known))
    x = np.asarray((columns - 0.5 * (grid.shape[2] - 1)) * grid.pixel_scale)
    y = np.asarray((rows - 0.5 * (grid.shape[1] - 1)) * grid.pixel_scale)
    velocity, weight = observation.data[0][known], 1 / observation.variance[0][known]
    light = np.ones(len(x)) if observation.light is None else observation.light[known]
    light = light if light.sum() > 0 else np.ones(len(x))
    centre_x, centre_y = float(np.average(x, weights=light)), float(np.average(y, weights=light))
    angle, _ = velocity_gradient(x - centre_x, y - centre_y, velocity, weight)
    low, high = np.percentile(velocity, [5, 95])
    return InitialGuess(
        flux=1.0,
        x=centre_x,
        y=centre_y,
        velocity=float(np.median(velocity)),
        radius=0.5 * float(np.sqrt(len(x) / np.pi)) * grid.pixel_scale,
        inclination=_INCLINATION,
        position_angle=angle,
        rotation=max(0.5 * float(high - low), 1.0),
        dispersion=50.0,
    )
