"""Fits in stages: a simpler model first, which says where to look for more structure."""

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.initial_guess import starting_vector
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.structure.clump_positions import clump_positions
from clumpygan.fitting.structure.light_map import flat_map, map_light, map_pixels, of_all_light
from clumpygan.fitting.structure.rings import (
    NOT_OF_RINGS,
    PARAMETRIC,
    ring_radii,
    ring_table,
    ring_values,
)
from clumpygan.galaxies.disks.parameters import DiskModel

if TYPE_CHECKING:
    from clumpygan.fitting.fitter import DiskFitter, Seen
    from clumpygan.fitting.result import FitResult

_ROUNDS = 2
"""Fits with a map of light before the last: at the second map parameters have come to rest."""


def vector_with_clumps(
    fitter: "DiskFitter", observation: Observation, coordinates: Coordinates, seed: int
) -> NDArray[np.float64]:
    """Return the optimum of a disk without clumps, with clumps where it leaves something."""
    model = fitter.model
    smooth = _simpler(fitter, observation, replace(model, clumps=0), "clump_")
    found = smooth.fit_observation(observation, seed=seed)
    values = found.galaxy.to_vector()
    places = clump_positions(observation, found.model_cube, values, smooth.model, model.clumps)
    return starting_vector(coordinates, found.values | places | fitter.starts)


def fit_rings(fitter: "DiskFitter", seen: "Seen", seed: int) -> "FitResult":
    """Fit a parametric curve, which says where rings can be, and rings from there."""
    light = "sersic" if fitter.model.light == "map" else fitter.model.light
    simple = replace(fitter.model, curve=PARAMETRIC, ring_radii=(), light=light, light_map=None)
    first = _simpler(fitter, seen.observation, simple, "ring_")
    smooth = first.fit_observation(seen.observation, seed=seed)
    radii = fitter.model.ring_radii or ring_radii(smooth)
    own = copy(fitter)
    own.model = replace(fitter.model, ring_radii=radii)
    choices = fitter.choices.without(NOT_OF_RINGS)
    level = {"velocity_dispersion": smooth.values["velocity_dispersion"]}
    own.choices = replace(choices, fixed={**choices.fixed, **level})
    own.starts = smooth.values | ring_values(smooth.galaxy, radii) | fitter.starts
    found = fit_light(own, seen, seed)
    return replace(found, rings=ring_table(found, smooth))


def fit_light(fitter: "DiskFitter", seen: "Seen", seed: int) -> "FitResult":
    """Fit a model whose curve is known; of the light "map" a Sersic profile first.

    The map is found at its parameters, all of them are fitted with the map integrated over, and
    again with the map that belongs to what was found.
    """
    model, observation = fitter.model, seen.observation
    if model.light != "map" or model.light_map is not None:
        return fitter.fit_whole(seen, seed)
    own = copy(fitter)
    own.model, own.sampler = replace(model, light="sersic"), SamplerSettings("laplace")
    found = own.fit_whole(seen, seed)
    departure = found.verdict.departure
    frame = observation.frame
    pixels = map_pixels(
        observation.data.size, frame.psf_fwhm or frame.grid.pixel_scale,
        found.values["half_light_radius"],
    )  # fmt: skip
    light_map, likelihood = flat_map(pixels), Likelihood(observation, fitter.noise)
    for sampler in (*[SamplerSettings("laplace")] * _ROUNDS, fitter.sampler):
        vector, accuracy = found.galaxy.to_vector(), found.settings["accuracy"]
        mapped = map_light(likelihood, model, vector, light_map, accuracy)
        below = light_map.radius * found.values["half_light_radius"]
        light_map = mapped.light_map
        if "half_light_radius" in found.coordinates.names:
            light_map = of_all_light(light_map, found.values["sersic_index"])
        own.mapped = replace(mapped, departure=departure, light_map=light_map)
        own.model, own.sampler = replace(model, light_map=light_map), sampler
        own.starts = found.values | {"half_light_radius": below / light_map.radius} | fitter.starts
        found = own.fit_whole(seen, seed)
    return found


def _simpler(
    fitter: "DiskFitter", observation: Observation, model: DiskModel, left_out: str
) -> "DiskFitter":
    """Return a fitter of a simpler model, without parameters whose names begin so."""
    names = [name for name in fitter.model.names if name.startswith(left_out)]
    own = copy(fitter)
    own.model, own.instrument = model, observation.frame
    own.choices = fitter.choices.without(names)
    own.starts = {name: value for name, value in fitter.starts.items() if name not in names}
    own.sampler = SamplerSettings("laplace")
    return own
