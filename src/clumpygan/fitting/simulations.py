"""Cubes from which a posterior is learnt: drawn from the priors, rendered, with noise, turned."""

import zlib
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.observation import ObservedFrame
from clumpygan.fitting.orientation import Orientation
from clumpygan.fitting.posterior_domain import PosteriorDomain
from clumpygan.galaxies.cube import CubeRenderer
from clumpygan.instruments.cube_noise import draw_cube_noise

FloatArray = NDArray[np.float64]

_KEY = 5
_LOOKED_AT = 400


class Simulator:
    """Draws cubes of a domain: number i of a split depends on (seed, split, i) alone.

    Parameters
    ----------
    domain : PosteriorDomain
    seed : int
    """

    def __init__(self, domain: PosteriorDomain, seed: int) -> None:
        self.domain, self.seed = domain, seed

    def generator(self, split: str, index: int) -> np.random.Generator:
        """Return the source of randomness of one cube."""
        return np.random.default_rng([_KEY, self.seed, zlib.crc32(split.encode()), index])

    def mock(self, split: str, index: int) -> tuple[ObservedFrame, FloatArray, NDArray[np.float32]]:
        """Return frame, values (n,) of the free parameters, and cube (v, y, x).

        The flux is in units of the noise of a voxel; where the noise is correlated, of that which
        independent voxels would have for sums of many to be as noisy.
        """
        generator = self.generator(split, index)
        frame, vector, cube = self._galaxy(generator)
        correlation = frame.correlation
        sigma = 1.0 if correlation is None else float(correlation.sum()) ** -0.5
        noise = draw_cube_noise(generator, cube.shape, sigma, correlation)
        return frame, vector[self.domain.coordinates.places], np.asarray(cube + noise)

    def item(self, split: str, index: int) -> dict[str, NDArray[np.float32]]:
        """Return what is learnt from: a cube in the canonical orientation.

        Returns
        -------
        dict of ndarray, float32
            `cube` (v, y, x), `coordinates` (n,) of `domain.coordinates`, `conditions` (c,).
        """
        frame, values, cube = self.mock(split, index)
        orientation = Orientation.of(cube)
        coordinates = self.domain.coordinates
        turned = orientation.turn_values(coordinates.names, values)
        u = coordinates.coordinates(coordinates.with_values(turned))
        return {
            "cube": np.ascontiguousarray(orientation.turn(cube), dtype=np.float32),
            "coordinates": u.astype(np.float32),
            "conditions": self.domain.conditions(frame).astype(np.float32),
        }

    @cached_property
    def description(self) -> dict[str, Any]:
        """What must be known to use a network trained on these cubes, as plain words.

        `parameters`: names, in the order of the coordinates; `domain`: what `PosteriorDomain`
        takes, with the S/N of the brightest voxels of some hundred cubes.
        """
        peaks = [
            float(self._galaxy(self.generator("description", index))[2].max())
            for index in range(_LOOKED_AT)
        ]
        low, high = np.percentile(peaks, [1, 99])
        brightest = [round(float(low), 2), round(float(high), 1)]
        return {
            "parameters": list(self.domain.coordinates.names),
            "domain": self.domain.to_dict() | {"brightest": brightest},
        }

    def _galaxy(
        self, generator: np.random.Generator
    ) -> tuple[ObservedFrame, FloatArray, NDArray[np.float32]]:
        domain = self.domain
        frame = domain.draw_frame(generator)
        vector = domain.coordinates.vectors(generator.standard_normal(domain.coordinates.count))
        renderer = CubeRenderer(frame.grid, domain.model, frame.transfer, domain.accuracy)
        return frame, vector, renderer(vector[None])[0]


def build_simulator(settings: dict[str, Any], seed: int) -> Simulator:
    """Build from plain numbers and words; see `PosteriorDomain`.

    Raises
    ------
    InputError
        If a value is out of range or unknown.
    """
    if "brightest" in settings:
        raise InputError("brightest is measured, not chosen: leave it out")
    return Simulator(PosteriorDomain.from_dict(settings), seed)
