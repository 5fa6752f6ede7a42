"""Cubes of drawn parameters from a trained network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clumpygan.data.cubes.frame import CubeFrame, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.data.cubes.galaxy_rendering import of_gas_disk
from clumpygan.data.cubes.settings import (
    CubeSettings,
    draw_renderable,
    frame_for,
    galaxy_generator,
    parameter_ranges,
    plain,
    renderer_for,
)
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.disks.cube_conditions import SEEING
from clumpygan.galaxies.disks.disk_model import HEIGHT_OF_RADIUS, DiskModel
from clumpygan.galaxies.gas.population import GasDisks
from clumpygan.gan.checkpoint import weights_digest
from clumpygan.gan.cubes import CubeGenerator
from clumpygan.generation.cube_maker import (
    SPLIT,
    CubeMaker,
    depends_on,
    frame_given,
    given_ranges,
    of_disks,
    own_seeing,
)
from clumpygan.generation.settings import CUBE_NETWORKS, TYPICAL_FLUX, CubesSettings
from clumpygan.settings import Span, ends_of, from_mapping


@dataclass(frozen=True)
class Disks:
    """Galaxies whose parameters are told to a network, from the priors or of gas.

    Attributes
    ----------
    settings : CubeSettings
        The frame; without `gas` also the ranges of what isn't drawn from the priors.
    gas : GasDisks or None
        In place of the priors: those are drawn that are within `ranges`.
    ranges : mapping of str to (float, float)
    """

    settings: CubeSettings
    gas: GasDisks | None = None
    ranges: Mapping[str, Span] = field(default_factory=dict)

    def draw(self, seed: int, index: int) -> dict[str, float]:
        """Return what is known of a galaxy, by name: it depends on (seed, index) alone."""
        if self.gas is None:
            vector = self.settings.draw(seed, SPLIT, [index])[0]
            return dict(zip(self.settings.model.names, vector.tolist(), strict=True))
        generator = galaxy_generator(seed, SPLIT, index)
        lines = frame_for(self.settings).lines
        renderer = renderer_for(self.settings)
        gas = self.gas
        drawn = draw_renderable(
            lambda: of_gas_disk(gas.draw(generator, self.ranges, lines), 0.0),
            lambda galaxy: renderer.can_render(galaxy.smooth),
        )
        return drawn.conditions


@dataclass(frozen=True, eq=False)
class NetworkCubeMaker(CubeMaker):
    """Makes cubes with a network.

    Attributes
    ----------
    frame, settings, depends
        See `CubeMaker`.
    generator : CubeGenerator
    population : Disks
        From which parameters are drawn.
    seeing, flux : (float, float)
        Ranges of what isn't drawn there; the flux is a factor of the drawn one if `drawn_flux`.
    drawn_flux : bool
    thickness_given : bool
        Whether the scale height is drawn from a range that was given, or with that of gas disks,
        and doesn't follow the half-light radius.
    """

    generator: CubeGenerator
    population: Disks
    seeing: Span
    flux: Span
    drawn_flux: bool
    thickness_given: bool
    _peaks: dict[tuple[int, int], float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, settings: CubesSettings, conditions: Mapping[str, Span | float]
    ) -> NetworkCubeMaker:
        """Load the network and check what is asked for.

        Parameters
        ----------
        settings : CubesSettings
        conditions : mapping
            Name of a parameter, or "seeing" -> range or number.

        Raises
        ------
        InputError
            If the network doesn't know a parameter or has not seen its values, or can't make such
            cubes.
        """
        name = settings.checkpoint or CUBE_NETWORKS[0]
        generator = CubeGenerator.load(name, settings.device)
        chosen = network_frame(settings, generator)
        given = {
            name: generator.check(name, *ends) for name, ends in given_ranges(conditions).items()
        }
        frame = make_frame(chosen)
        ranges = {name: list(ends) for name, ends in of_disks(given).items()}
        gas = generator.gas
        # That of gas disks is that of their star formation.
        typical = TYPICAL_FLUX if chosen.instrument and gas is None else 1.0
        told = parameter_ranges({**generator.population, **ranges})
        model = DiskModel()
        seeing = given.get(SEEING) or _usual_seeing(chosen, generator, frame.psf_fwhm)
        generator.check_noise(ends_of(settings.signal_to_noise), stacklevel=3)
        return cls(
            generator=generator,
            frame=frame,
            population=Disks(CubeSettings(chosen, model, told))
            if gas is None
            else Disks(
                CubeSettings(chosen, model), gas, {one: (low, high) for one, low, high in told}
            ),
            seeing=seeing,
            flux=given.get("flux", (typical, typical)),
            drawn_flux="flux" not in given,
            thickness_given="scale_height" in given or gas is not None,
            settings=settings,
            depends=depends_on(settings, given, chosen)
            | {
                "checkpoint": Path(name).name,
                # Another network may have the same name.
                "weights": weights_digest(name),
                "galaxies": "sheared and as thick as asked for"
                if gas is None
                else plain(asdict(gas)),
            },
        )

    @property
    def origin(self) -> dict[str, str]:
        """Name and digest of the network."""
        return {
            "network": self.depends["checkpoint"],
            "weights": self.depends["weights"][:16],
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What the generator is told of a galaxy."""
        return self.generator.names

    def parameters(
        self, seed: int, indices: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw the conditions (n, K), in the order of the generator, and the S/N (n,)."""
        table = np.empty((len(indices), len(self.names)))
        ratios = np.empty(len(indices))
        span = ends_of(self.settings.signal_to_noise)
        for row, index in enumerate(indices):
            known = self.population.draw(seed, index)
            random = galaxy_generator(seed, f"{SPLIT} seeing", index)
            seeing, flux = random.uniform(*self.seeing), random.uniform(*self.flux)
            ratios[row] = np.exp(random.uniform(*np.log(span)))
            if self.drawn_flux:
                flux *= known["flux"]
            known |= {SEEING: seeing, "flux": flux}
            if not self.thickness_given:
                known["scale_height"] = self._height_of(known["half_light_radius"])
            table[row] = [known[name] for name in self.names]
        return table, ratios

    def _height_of(self, radius: float) -> float:
        """Return the scale height of a disk as thick as fits take it, as far as it was trained."""
        low, high = self.generator.ranges.get("scale_height", (0.0, np.inf))
        return float(np.clip(HEIGHT_OF_RADIUS[DiskModel().vertical] * radius, low, high))

    def cubes(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float32]:
        """Return noiseless cubes (n, v, y, x) in the unit of the flux."""
        place = self.names.index("flux")
        flux = parameters[:, place]
        if self.settings.smooth:
            return np.asarray(self._smooth(parameters) * flux[:, None, None, None])
        told = self._as_told(seed, parameters, ratios, indices)
        cubes = np.concatenate(
            [
                self.generator.cubes(row[None], seed, self._frame_of(row), [index])
                for row, index in zip(told, indices, strict=True)
            ]
        )
        return np.asarray(cubes * (flux / told[:, place])[:, None, None, None])

    def growth_curves(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float64] | None:
        """Return the shares (n, rings) of the galaxies' light: see `CubeMaker.growth_curves`.

        None of networks that don't paint in the plane of the disk.
        """
        told = self._as_told(seed, parameters, ratios, indices)
        found = [
            self.generator.growth_curves(row[None], seed, [index])
            for row, index in zip(told, indices, strict=True)
        ]
        known = [one for one in found if one is not None]
        return np.concatenate(known) if len(known) == len(found) else None

    def _as_told(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float64]:
        """Return the conditions (n, K) with the flux in units of the noise, as networks know it."""
        told, place = parameters.copy(), self.names.index("flux")
        for row, ratio, index in zip(told, ratios, indices, strict=True):
            key = seed, index
            if key not in self._peaks:
                self._peaks[key] = float(self._smooth(row[None]).max())
            row[place] = ratio / self._peaks[key]
        return told

    def _smooth(self, parameters: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return cubes (n, v, y, x) of smooth disks of unit flux."""
        told = parameters.copy()
        told[:, self.names.index("flux")] = 1.0
        return np.concatenate(
            [self.generator.smooth(row[None], self._frame_of(row)) for row in told]
        )

    def _frame_of(self, row: NDArray[np.float64]) -> CubeFrame:
        """Return the frame in a galaxy's own seeing.

        The trainings blur the PSF of the sharpest one by a Gaussian instead, whose wings are
        fainter than those that the same FWHM has in the instrument's cubes.
        """
        return self.frame.with_seeing(float(row[self.names.index(SEEING)]))


def _usual_seeing(chosen: FrameSettings, generator: CubeGenerator, fwhm: float | None) -> Span:
    """Return the seeing that is drawn from: that of the training, or what another instrument has.

    If the training has seen it but for less than a pixel, the nearest that it has.

    Raises
    ------
    UntrainedError
        If it has not.
    """
    trained = generator.ranges.get(SEEING)
    if trained is None:
        return fwhm or 0.0, fwhm or 0.0
    if chosen.instrument is None or chosen.instrument == generator.frame.get("instrument"):
        return trained
    own = own_seeing(chosen)
    nearest = float(np.clip(own, *generator.limits(SEEING)))
    if abs(own - nearest) > make_frame(chosen).grid.pixel_scale:
        generator.check(SEEING, own, own)
    if own != nearest:
        warnings.warn(
            f"{chosen.instrument} has a seeing of {own:.2g} arcsec; cubes have {nearest:g}, the"
            f" nearest that {generator.name} was trained on",
            InputWarning,
            stacklevel=4,
        )
    return nearest, nearest


def network_frame(wanted: CubesSettings, generator: CubeGenerator) -> FrameSettings:
    """Return the frame that is asked for: that of the training, but for what is given."""
    trained: FrameSettings = from_mapping(FrameSettings, generator.frame)
    settings, given = frame_given(wanted, trained)
    if generator.shape is not None and settings != trained:
        changed = ", ".join(f"`{name}`" for name in given)
        raise InputError(
            f"{changed}: {generator.name} makes cubes of shape {tuple(generator.shape)} on the grid"
            " of its training alone; leave it out, or take `checkpoint` cube_gan"
        )
    return settings
