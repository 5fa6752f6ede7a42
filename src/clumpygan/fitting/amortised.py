"""Amortised inference: a trained network draws from the posterior of a cube that it is shown.

The answer takes milliseconds, and is as good as the training. Corrected, each draw is weighted with
likelihood times prior over the density it was drawn from (importance sampling; Dax et al. 2023,
Phys. Rev. Lett. 130, 171403): exact whatever the network is like, if enough draws keep a weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.likelihood import NoiseSettings
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.orientation import Orientation
from clumpygan.fitting.posterior_domain import PosteriorDomain
from clumpygan.fitting.starting_values import look_at

FloatArray = NDArray[np.float64]

UNEVEN = 0.15
"""Scatter of the noise over the cube, relative to its mean, from which on it isn't uniform."""

MASKED = 0.01
"""Share of voxels that may be unknown; the network takes them for empty."""

__STANDS_OUT = 2.0

_STANDS_OUT = 2.0

FEWEST_DRAWS = 500
"""Without correction, where fewer are asked for: quantiles take them, and they cost nothing."""


class PosteriorNetwork(Protocol):
    """Draws from the posteriors of cubes; `networks.posterior.PosteriorNetwork` is one."""

    def draw(
        self, cube: Tensor, conditions: Tensor, count: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return coordinates (B, count, n) and their log density (B, count) for cubes (B, v, y, x)
        in units of their noise, and conditions (B, c).
        """  # noqa: D205


@dataclass(frozen=True, eq=False)
class View:
    """A cube as the network sees it.

    Attributes
    ----------
    cube : ndarray (v, y, x), float32
        In units of the noise, in the canonical orientation.
    conditions : ndarray (c,), float32
    orientation : Orientation
    sigma : float
        Unit of the cube, in flux.
    middle : dict of str to float
        Place of the middle of what is seen in the whole cube: `offset_x`, `offset_y` (arcsec),
        `systemic_velocity` (km/s).
    """

    cube: NDArray[np.float32]
    conditions: NDArray[np.float32]
    orientation: Orientation
    sigma: float
    middle: Mapping[str, float]

    @property
    def signal_to_noise(self) -> float:
        """About that of the whole galaxy, from the voxels that stand out."""
        bright = self.cube[self.cube > _STANDS_OUT].astype(np.float64)
        return float(np.sqrt(max((bright**2 - 1).sum(), 0.0)))


@dataclass(frozen=True, eq=False)
class AmortisedPosterior:
    """A trained network, and what it was trained on.

    Attributes
    ----------
    network : PosteriorNetwork
    domain : PosteriorDomain
    name : str
        Of the checkpoint.

    Examples
    --------
    >>> network, card = load_checkpoint("disk_posterior", ("disk_posterior",))
    >>> posterior = AmortisedPosterior.of(network, card)
    >>> fitter = DiskFitter(instrument=frame, sampler=SamplerSettings("amortised"),
    ...                     posterior=posterior)
    """

    network: PosteriorNetwork
    domain: PosteriorDomain
    name: str = "disk_posterior"

    @classmethod
    def of(
        cls, network: PosteriorNetwork, card: Mapping[str, Any], name: str = "disk_posterior"
    ) -> "AmortisedPosterior":
        """Build from a checkpoint, whose card says what it was trained on.

        Raises
        ------
        InputError
            If it doesn't.
        """
        try:
            domain = card["images"]["domain"]
        except (KeyError, TypeError) as error:
            raise InputError(
                f"the card of {name} doesn't say what it was trained on: expected images.domain"
            ) from error
        return cls(network, PosteriorDomain.from_dict(domain), name)

    def view(self, observation: Observation, noise: NoiseSettings | None = None) -> View:
        """Prepare a cube for the network.

        Raises
        ------
        InputError
            If the cube isn't like those that the network was trained on, in one line.
        """
        try:
            self.domain.check_frame(observation.frame)
            return self._view(observation, noise or NoiseSettings())
        except InputError as error:
            raise InputError(f"{error}: use another method, or train for it") from error

    def samples(
        self,
        observations: Sequence[Observation],
        count: int = FEWEST_DRAWS,
        *,
        seed: int = 0,
        noise: NoiseSettings | None = None,
    ) -> FloatArray:
        """Draw from the posteriors of many cubes at once, without correction.

        Parameters
        ----------
        observations : sequence of Observation
            As `DiskFitter.observe` returns them.
        count : int
            Draws for each.
        seed : int
        noise : NoiseSettings, optional

        Returns
        -------
        ndarray (B, count, n), float64
            Values of the parameters `domain.coordinates.names`, the flux in that of the cubes,
            position angles between 0 and 360.

        Raises
        ------
        InputError
            If a cube isn't like those that the network was trained on.
        """
        views = [self.view(one, noise) for one in observations]
        u, _ = self.draw(views, count, torch.Generator().manual_seed(seed))
        values = np.stack([self.values(one, view) for one, view in zip(u, views, strict=True)])
        angle = self.domain.coordinates.names.index("position_angle")
        values[..., angle] %= 360.0
        return values

    @torch.no_grad()
    def draw(
        self, views: Sequence[View], count: int, generator: torch.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Return coordinates (B, count, n) of the domain, and their log density (B, count)."""
        cubes = torch.from_numpy(np.stack([view.cube for view in views]))
        conditions = torch.from_numpy(np.stack([view.conditions for view in views]))
        u, log_density = self.network.draw(cubes, conditions, count, generator)
        return u.double().numpy(), log_density.double().numpy()

    def values(self, u: FloatArray, view: View) -> FloatArray:
        """Return the values (..., n) of free parameters of the whole cube, as it is observed."""
        names = self.domain.coordinates.names
        values = view.orientation.turn_values_back(names, self.domain.coordinates.values(u))
        values[..., names.index("flux")] *= view.sigma
        for name, shift in view.middle.items():
            values[..., names.index(name)] += shift
        return values

    def log_proposal(
        self, u: FloatArray, log_density: FloatArray, view: View, coordinates: Coordinates
    ) -> tuple[FloatArray, FloatArray]:
        """Return draws in the coordinates of a fit, and the density they were drawn from there.

        Parameters
        ----------
        u : ndarray (S, n)
            Coordinates of the domain.
        log_density : ndarray (S,)
        view : View
        coordinates : Coordinates
            Of the fit.

        Returns
        -------
        coordinates : ndarray (S, n)
        log_density : ndarray (S,)
            -infinity where the fit's prior has nothing.
        """
        known = self.domain.coordinates
        values = self.values(u, view)
        own = coordinates.coordinates(coordinates.with_values(values))
        # Angles to where the fit's prior is.
        placed = coordinates.values(own)
        answer = log_density - np.log(view.sigma)
        for k, (trained, prior) in enumerate(zip(known.priors, coordinates.priors, strict=True)):
            answer = answer + trained.log_density(trained.value(u[:, k])) + 0.5 * u[:, k] ** 2
            row = coordinates.model.table[coordinates.places[k]]
            value = placed[:, k] if row.period is not None else values[:, k]
            answer = answer - prior.log_density(value) - 0.5 * own[:, k] ** 2
        return own, np.where(np.isfinite(answer), answer, np.inf)

    def _view(self, observation: Observation, noise: NoiseSettings) -> View:
        frame, domain = observation.frame, self.domain
        grid = frame.grid
        part, middle = self._part(observation)
        valid, data = observation.valid[part], observation.data[part]
        if (unknown := 1 - float(valid.mean())) > MASKED:
            raise InputError(
                f"{100 * unknown:.0f} % of the voxels are masked or unknown; the trained posterior "
                f"knows cubes with at most {100 * MASKED:.0f} %"
            )
        sigma = np.sqrt(observation.variance[part][valid])
        if (scatter := float(sigma.std() / sigma.mean())) > UNEVEN:
            raise InputError(
                f"the noise varies by {100 * scatter:.0f} % over the cube; the trained posterior "
                f"knows noise that is the same everywhere, to {100 * UNEVEN:.0f} %"
            )
        inflation = dict(zip(domain.ranges, domain.measured(frame), strict=True))["noise_inflation"]
        unit = float(np.median(sigma)) * noise.scale * inflation
        cube = (data / unit).astype(np.float32)
        if grid.edges[0, 0] > grid.edges[0, -1]:
            cube = cube[::-1]
        if domain.brightest is not None and cube.max() > 1.1 * domain.brightest[1] + 4:
            raise InputError(
                f"its brightest voxel is {cube.max():.0f} times the noise; the trained posterior "
                f"knows galaxies up to {domain.brightest[1]:.0f} times"
            )
        orientation = Orientation.of(cube)
        return View(
            np.ascontiguousarray(orientation.turn(cube), dtype=np.float32),
            domain.conditions(frame).astype(np.float32),
            orientation,
            unit,
            middle,
        )

    def _part(self, observation: Observation) -> tuple[tuple[slice, ...], dict[str, float]]:
        """Return the part of a cube, around the galaxy, that the network sees, and its middle."""
        grid, shape = observation.frame.grid, self.domain.shape
        centre = [0.5 * (n - 1) for n in grid.shape]
        if grid.shape != shape:
            look = look_at(observation)
            channel = int(np.argmin(np.abs(grid.centres[0] - look.velocity)))
            found = (channel, *(centre[1 + k] + p / grid.pixel_scale
                                for k, p in enumerate((look.y, look.x))))  # fmt: skip
        else:
            found = tuple(centre)
        starts = [
            int(np.clip(round(place - 0.5 * (m - 1)), 0, n - m))
            for place, n, m in zip(found, grid.shape, shape, strict=True)
        ]
        part = tuple(slice(start, start + m) for start, m in zip(starts, shape, strict=True))
        away = [
            start + 0.5 * (m - 1) - middle
            for start, m, middle in zip(starts, shape, centre, strict=True)
        ]
        edges = grid.edges[0, starts[0] : starts[0] + shape[0] + 1]
        return part, {
            "offset_x": away[2] * grid.pixel_scale,
            "offset_y": away[1] * grid.pixel_scale,
            "systemic_velocity": 0.5 * float(edges[0] + edges[-1]),
        }
