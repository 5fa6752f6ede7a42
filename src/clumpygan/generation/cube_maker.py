"""Cubes of drawn parameters from a trained network, with noise, one batch at a time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan import __version__
from clumpygan.data.cubes.frame import CubeFrame, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.data.cubes.settings import (
    CubeSettings,
    galaxy_generator,
    noise_generator,
    parameter_ranges,
    plain,
)
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, SEEING
from clumpygan.galaxies.disks.disk_model import HEIGHT_OF_RADIUS, DiskModel
from clumpygan.gan.checkpoint import weights_digest
from clumpygan.gan.cubes import CubeGenerator
from clumpygan.generation.settings import (
    TYPICAL_FLUX,
    CubesSettings,
)
from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.io.cubes.writing import write_cube
from clumpygan.settings import Span, ends_of, from_mapping, told_span

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_SPLIT = "generated"

PER_PAGE = 6
"""Galaxies on a page of pictures."""

Drawn = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Data and variance of a cube."""

SHEAR = ("g1", "g2")
"""Parameters that are 0 unless they are asked for."""

_FRAME_NAMES = ("shape", "pixel_scale", "channel_width", "instrument", "redshift")


@dataclass(frozen=True, eq=False)
class MadeCube:
    """One cube.

    Attributes
    ----------
    index : int
    data : ndarray (v, y, x), float32
        With noise, if there is any.
    variance : ndarray (v, y, x) or None
    parameters : ndarray (K,)
    signal_to_noise : float
    """

    index: int
    data: NDArray[np.float32]
    variance: NDArray[np.float32] | None
    parameters: NDArray[np.float64]
    signal_to_noise: float


@dataclass(frozen=True, eq=False)
class CubeMaker:
    """Draws parameters, and makes the cubes that go with them.

    Attributes
    ----------
    generator : CubeGenerator
    frame : CubeFrame
    population : CubeSettings
        From which parameters are drawn.
    seeing, flux : (float, float)
        Ranges of what isn't drawn there; the flux is a factor of the drawn one if `drawn_flux`.
    drawn_flux : bool
    thickness_given : bool
        Whether the scale height is drawn from a range that was given, and doesn't follow the
        half-light radius.
    settings : CubesSettings
    depends : dict
        All that the cubes depend on but for the seed, as plain numbers and words.
    """

    generator: CubeGenerator
    frame: CubeFrame
    population: CubeSettings
    seeing: Span
    flux: Span
    drawn_flux: bool
    thickness_given: bool
    settings: CubesSettings
    depends: dict[str, Any]

    @classmethod
    def of(cls, settings: CubesSettings, conditions: Mapping[str, Span | float]) -> CubeMaker:
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
        generator = CubeGenerator.load(settings.checkpoint, settings.device)
        wanted, seen = ends_of(settings.signal_to_noise), generator.signal_to_noise
        if not seen[0] <= wanted[0] <= wanted[1] <= seen[1]:
            warnings.warn(
                f"`signal_to_noise` {told_span(wanted)}: the network has seen {told_span(seen)}",
                InputWarning,
                stacklevel=3,
            )
        given = {
            name: generator.check(name, *_ends(name, conditions[name]))
            for name in CUBE_CONDITIONS
            if name in conditions
        }
        chosen = _frame(settings, generator)
        frame = make_frame(chosen)
        # What nobody asks for would be a hidden error of everything that is measured on the cubes.
        unseen = {name: [0.0, 0.0] for name in SHEAR}
        ranges = unseen | {
            name: list(ends) for name, ends in given.items() if name not in (SEEING, "flux")
        }
        typical = TYPICAL_FLUX if chosen.instrument else 1.0
        return cls(
            generator=generator,
            frame=frame,
            population=CubeSettings(
                chosen, DiskModel(), parameter_ranges({**generator.population, **ranges})
            ),
            seeing=given.get(SEEING, generator.ranges.get(SEEING, (frame.psf_fwhm or 0.0,) * 2)),
            flux=given.get("flux", (typical, typical)),
            drawn_flux="flux" not in given,
            thickness_given="scale_height" in given,
            settings=settings,
            depends={
                "program": f"clumpygan {__version__}",
                "checkpoint": Path(settings.checkpoint).name,
                # Another network may have the same name.
                "weights": weights_digest(settings.checkpoint),
                "conditions": {name: list(ends) for name, ends in given.items()},
                "signal_to_noise": list(wanted),
                "frame": plain(asdict(chosen)),
                "galaxies": "sheared and as thick as asked for",
                "smooth": settings.smooth,
                "noiseless": settings.noiseless,
            },
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What the generator is told of a galaxy."""
        return self.generator.names

    @property
    def unit(self) -> str | None:
        """Unit of the data as FITS writes it; None for flux units per voxel."""
        return None if self.frame.instrument is None else "1e-20 erg/s/cm2/Angstrom"

    def parameters(
        self, seed: int, indices: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw the conditions (n, K), in the order of the generator, and the S/N (n,)."""
        vectors = self.population.draw(seed, _SPLIT, indices)
        model = self.population.model
        table = np.empty((len(indices), len(self.names)))
        ratios = np.empty(len(indices))
        span = ends_of(self.settings.signal_to_noise)
        for row, index in enumerate(indices):
            random = galaxy_generator(seed, f"{_SPLIT} seeing", index)
            seeing, flux = random.uniform(*self.seeing), random.uniform(*self.flux)
            ratios[row] = np.exp(random.uniform(*np.log(span)))
            if self.drawn_flux:
                flux *= vectors[row, model.index("flux")]
            own = {SEEING: seeing, "flux": flux}
            if not self.thickness_given:
                radius = float(vectors[row, model.index("half_light_radius")])
                own["scale_height"] = self._height_of(radius)
            table[row] = [
                own[name] if name in own else vectors[row, model.index(name)] for name in self.names
            ]
        return table, ratios

    def _height_of(self, radius: float) -> float:
        """Return the scale height of a disk as thick as fits take it, as far as it was trained."""
        low, high = self.generator.ranges.get("scale_height", (0.0, np.inf))
        return float(np.clip(HEIGHT_OF_RADIUS[DiskModel().vertical] * radius, low, high))

    def make(self, seed: int, indices: Sequence[int]) -> list[MadeCube]:
        """Make cubes, with noise if it is wanted: cube i depends on (seed, i) alone."""
        parameters, ratios = self.parameters(seed, indices)
        cubes = self._cubes(seed, parameters, ratios, indices)
        return [
            self._observed(seed, *one)
            for one in zip(indices, cubes, parameters, ratios.tolist(), strict=True)
        ]

    def table(self, seed: int, count: int) -> Table:
        """Return the parameters of the first cubes, with units."""
        parameters, ratios = self.parameters(seed, range(count))
        table = Table(parameters, names=self.names)
        for name in self.names:
            table[name].unit = CUBE_CONDITIONS[name].unit.replace("flux units", "") or None
        table["signal_to_noise"] = ratios
        table.meta = {
            "SEED": seed,
            "NETWORK": self.depends["checkpoint"],
            "WEIGHTS": self.depends["weights"][:16],
        }
        return table

    def write(self, path: Path, seed: int, cube: MadeCube) -> None:
        """Write a cube to a FITS file, with its parameters in the header."""
        frame, instrument = self.frame, self.frame.instrument
        values: dict[str, float | str] = dict(
            zip(self.names, map(float, cube.parameters), strict=True)
        )
        seeing = values.pop(SEEING, frame.psf_fwhm or 0.0)
        write_cube(
            path,
            cube.data,
            axis=frame.axis,
            pixel_scale=frame.grid.pixel_scale,
            variance=cube.variance,
            unit=self.unit,
            parameters=values
            | {
                "instrument": "none" if instrument is None else instrument.name,
                "redshift": frame.redshift,
                "psf_fwhm": seeing,
                "line_spread": frame.grid.line_spread[0] if instrument is None else 0.0,
                "pixel_response": float(frame.grid.pixel_response),
                "signal_to_noise": "none" if self.settings.noiseless else cube.signal_to_noise,
                "network": "none" if self.settings.smooth else self.depends["checkpoint"],
                "weights": "none" if self.settings.smooth else self.depends["weights"][:16],
                "galaxy": float(cube.index),
            }
            | {f"rest_wavelength_{n}": line for n, line in enumerate(frame.lines, 1)},
            comments={name: c.unit for name, c in CUBE_CONDITIONS.items() if c.unit}
            | {"psf_fwhm": "arcsec", "line_spread": "km/s"},
            seed=seed,
        )

    def page(self, seed: int, first: int, count: int, cubes: Sequence[Drawn]) -> Figure:
        """Return a figure of some cubes, a row each.

        Parameters
        ----------
        seed, first : int
            The first of them is galaxy `first` of this seed.
        count : int
            Of all cubes, for the number of the page.
        cubes : sequence of (ndarray (v, y, x), ndarray (v, y, x) or None)
            Data and variance.
        """
        from clumpygan.plots.cube_rows import cubes_page

        number, pages = first // PER_PAGE + 1, -(-count // PER_PAGE)
        remark = f"page {number} of {pages}" if pages > 1 else ""
        return cubes_page(self, seed, first, cubes, remark)

    def _cubes(
        self, seed: int, parameters: np.ndarray, ratios: np.ndarray, indices: Sequence[int]
    ) -> NDArray[np.float32]:
        """Return noiseless cubes in the unit of the flux."""
        place = self.names.index("flux")
        told, flux = parameters.copy(), parameters[:, place]
        told[:, place] = 1.0
        smooth = np.concatenate(
            [self.generator.smooth(row[None], self._frame_of(row)) for row in told]
        )
        if self.settings.smooth:
            cubes: NDArray[np.float32] = smooth * flux[:, None, None, None]
            return cubes
        # The networks know the flux in units of the noise.
        told[:, place] = ratios / smooth.max(axis=(1, 2, 3))
        cubes = np.concatenate(
            [
                self.generator.cubes(row[None], seed, self._frame_of(row), [index])
                for row, index in zip(told, indices, strict=True)
            ]
        )
        return np.asarray(cubes * (flux / told[:, place])[:, None, None, None])

    def _frame_of(self, row: NDArray[np.float64]) -> CubeFrame:
        """Return the frame in a galaxy's own seeing.

        The trainings blur the PSF of the sharpest one by a Gaussian instead, whose wings are
        fainter than those that the same FWHM has in the instrument's cubes.
        """
        return self.frame.with_seeing(float(row[self.names.index(SEEING)]))

    def _observed(
        self, seed: int, index: int, cube: np.ndarray, row: np.ndarray, ratio: float
    ) -> MadeCube:
        frame = self.frame
        data = (cube if frame.instrument is None else cube / frame.axis.step).astype(np.float32)
        variance = None
        if not self.settings.noiseless:
            sigma = float(data.max()) / ratio
            random = noise_generator(seed, _SPLIT, index, 0)
            data = data + draw_cube_noise(random, data.shape, sigma, frame.correlation)
            variance = np.full(data.shape, sigma**2, dtype=np.float32)
        return MadeCube(index, data, variance, row, ratio)


def _ends(name: str, value: Any) -> Span:
    ends = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        raise InputError(f"`{name}` is {value!r}: expected a number, or LOW and HIGH")
    return float(ends[0]), float(ends[1])


def _frame(wanted: CubesSettings, generator: CubeGenerator) -> FrameSettings:
    """Return the frame that is asked for: that of the training, but for what is given."""
    trained: FrameSettings = from_mapping(FrameSettings, generator.frame)
    given: dict[str, Any] = {
        name: value for name in _FRAME_NAMES if (value := getattr(wanted, name)) is not None
    }
    if wanted.line is not None:
        given["lines"] = tuple(name.strip() for name in wanted.line.split(","))
    if "instrument" in given:
        # What the training's instrument has isn't what another one has.
        given = {"pixel_scale": None, "channel_width": None} | given
    settings = replace(trained, **given)
    if generator.shape is not None and settings != trained:
        changed = ", ".join(f"`{'line' if name == 'lines' else name}`" for name in given)
        raise InputError(
            f"{changed}: {generator.name} makes cubes of shape {tuple(generator.shape)} on the grid"
            " of its training alone; leave it out, or take `checkpoint` cube_gan"
        )
    return settings
