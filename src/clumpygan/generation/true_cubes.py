"""Cubes of galaxies of a population, without a network: the truth that networks learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clumpygan.data.cubes.galaxy_cube_sample import GalaxyCubeSettings
from clumpygan.data.cubes.galaxy_rendering import (
    DrawnGalaxy,
    GalaxyRenderer,
    of_clumpy_disk,
    of_gas_disk,
)
from clumpygan.data.cubes.settings import draw_renderable, galaxy_generator
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks
from clumpygan.galaxies.disks.cube_conditions import GAS_CONDITIONS, SEEING, condition_names
from clumpygan.galaxies.gas.population import GasDisks
from clumpygan.gan.cubes import BATCH
from clumpygan.generation.cube_maker import (
    SPLIT,
    CubeMaker,
    depends_on,
    frame_given,
    given_ranges,
    of_disks,
    own_seeing,
)
from clumpygan.generation.settings import TYPICAL_FLUX, CubesSettings
from clumpygan.settings import Span, ends_of

_ACCURACY = 3e-3
_USUAL = GalaxyCubeSettings()

_KEPT = BATCH
"""Galaxies that are kept as they were drawn: those of a batch."""


@dataclass(frozen=True, eq=False)
class TrueCubeMaker(CubeMaker):
    """Renders galaxies of a population.

    Attributes
    ----------
    frame, settings, depends
        See `CubeMaker`.
    renderer : GalaxyRenderer
    ranges : dict
        Parameters of the disks that are wanted.
    seeing : (float, float)
        Arcsec.
    flux : (float, float) or None
        In place of that of the population.
    """

    renderer: GalaxyRenderer
    ranges: dict[str, Span]
    seeing: Span
    flux: Span | None
    _recent: dict[tuple[int, int], DrawnGalaxy] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: CubesSettings, conditions: Mapping[str, Span | float]) -> TrueCubeMaker:
        """Check what is asked for.

        Parameters
        ----------
        settings : CubesSettings
        conditions : mapping
            Name of a parameter, or "seeing" -> range or number.

        Raises
        ------
        InputError
            If a value is out of range, there is no such frame, or the population has none such.
        """
        usual, _ = frame_given(settings, _USUAL.frame)
        given = given_ranges(conditions)
        known = condition_names(settings.population)
        for name, ends in given.items():
            if name not in known:
                raise InputError(
                    f"`{name}` isn't known of {settings.population}: expected some of "
                    f"{', '.join(known)}; or take `population` gas_disks"
                )
            if ends[0] > ends[1]:
                raise InputError(f"`{name}` from {ends[0]:g} to {ends[1]:g}: the lower end first")
            for end in ends:
                GAS_CONDITIONS[name].row.check(end)
        seeing = given.get(SEEING, _USUAL.seeing)
        if SEEING not in given and usual.instrument not in (None, _USUAL.frame.instrument):
            seeing = (own_seeing(usual),) * 2
        chosen = replace(usual, seeing=seeing[0])
        renderer = GalaxyRenderer(chosen, ClumpyDisks(), _ACCURACY)
        maker = cls(
            frame=renderer.frame,
            settings=settings,
            depends=depends_on(settings, given, chosen) | {"population": settings.population},
            renderer=renderer,
            ranges=of_disks(given),
            seeing=seeing,
            flux=given.get("flux"),
        )
        maker._galaxy(0, 0)  # refused before there are files
        return maker

    @property
    def names(self) -> tuple[str, ...]:
        """All conditions that networks are told."""
        return condition_names(self.settings.population)

    @property
    def origin(self) -> dict[str, str]:
        """Name of the population."""
        return {"population": self.settings.population}

    def parameters(
        self, seed: int, indices: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw the conditions (n, K), in the order of `names`, and the S/N (n,)."""
        span = np.log(ends_of(self.settings.signal_to_noise))
        rows, ratios = [], []
        for index in indices:
            galaxy = self._galaxy(seed, index)
            random = galaxy_generator(seed, f"{SPLIT} noise", index)
            ratios.append(np.exp(random.uniform(*span)))
            own = {SEEING: galaxy.seeing, "flux": self._flux(galaxy, random)}
            known = galaxy.conditions | own
            rows.append([known[name] for name in self.names])
        return np.array(rows), np.array(ratios)

    def cubes(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float32]:
        """Return noiseless cubes (n, v, y, x) in the unit of the flux."""
        place, made = DiskModel().index("flux"), []
        for row, index in zip(parameters, indices, strict=True):
            galaxy = self._galaxy(seed, index)
            cube = self.renderer(galaxy)[int(self.settings.smooth)]
            made.append(cube * (row[self.names.index("flux")] / galaxy.smooth[place]))
        return np.stack(made).astype(np.float32)

    def growth_curves(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float64]:
        """Return the shares (n, rings) of the galaxies' light: see `CubeMaker.growth_curves`."""
        galaxies = (self._galaxy(seed, index) for index in indices)
        return np.array([self.renderer.growth_curve(galaxy) for galaxy in galaxies])

    def _galaxy(self, seed: int, index: int) -> DrawnGalaxy:
        """Return a galaxy; the last of them are kept, as cubes are asked for after parameters."""
        key = (seed, index)
        if key not in self._recent:
            while len(self._recent) >= _KEPT:
                del self._recent[next(iter(self._recent))]
            self._recent[key] = self._draw(seed, index)
        return self._recent[key]

    def _draw(self, seed: int, index: int) -> DrawnGalaxy:
        """Draw one galaxy, again and again until it is one that can be rendered."""
        generator = galaxy_generator(seed, SPLIT, index)
        seeing = float(generator.uniform(*self.seeing))
        return draw_renderable(partial(self._draw_any, generator, seeing), self.renderer.can_render)

    def _draw_any(self, generator: np.random.Generator, seeing: float) -> DrawnGalaxy:
        if self.settings.population == "gas_disks":
            return of_gas_disk(GasDisks().draw(generator, self.ranges, self.frame.lines), seeing)
        disks = self.renderer.disks
        return of_clumpy_disk(*disks.draw(generator, self.ranges), seeing, disks)

    def _flux(self, galaxy: DrawnGalaxy, random: np.random.Generator) -> float:
        """Return the flux that is asked for, or that of the population."""
        if self.flux is not None:
            return float(random.uniform(*self.flux))
        drawn = float(galaxy.smooth[DiskModel().index("flux")])
        scaled = galaxy.gas is not None or self.frame.instrument is None
        return drawn if scaled else TYPICAL_FLUX * drawn
