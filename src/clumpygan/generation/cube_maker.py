"""Cubes of drawn parameters, with noise, one batch at a time, whatever makes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan import __version__
from clumpygan.data.cubes.frame import CubeFrame, make_frame, usual_line
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.data.cubes.settings import noise_generator, plain
from clumpygan.errors import InputError
from clumpygan.galaxies.disks.cube_conditions import CHEMISTRY, GAS_CONDITIONS, SEEING
from clumpygan.galaxies.disks.light_radius import radii_of, sersic_indices
from clumpygan.galaxies.gas.lines import line_strengths
from clumpygan.generation.settings import CubesSettings
from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.io.cubes.writing import write_cube
from clumpygan.settings import Span, ends_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SPLIT = "generated"
"""Part of the key with which galaxies are drawn."""

PER_PAGE = 6
"""Galaxies on a page of pictures."""

RADIUS, INDEX = "half_light_radius", "sersic_index"
"""Of the light of a galaxy."""

OF_DISK = "disk_"
"""Begins the names of those of the smooth disk below."""

Drawn = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Data and variance of a cube."""

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
    values : dict of str to float
        What is known of the galaxy: see `CubeMaker.values`.
    signal_to_noise : float
    """

    index: int
    data: NDArray[np.float32]
    variance: NDArray[np.float32] | None
    values: dict[str, float]
    signal_to_noise: float


@dataclass(frozen=True, eq=False)
class CubeMaker(ABC):
    """Draws parameters, and makes the cubes that go with them.

    Attributes
    ----------
    frame : CubeFrame
    settings : CubesSettings
    depends : dict
        All that the cubes depend on but for the seed, as plain numbers and words.
    """

    frame: CubeFrame
    settings: CubesSettings
    depends: dict[str, Any]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What is known of a galaxy."""

    @property
    @abstractmethod
    def origin(self) -> dict[str, str]:
        """Where the galaxies are from, for headers."""

    @abstractmethod
    def parameters(
        self, seed: int, indices: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw the conditions (n, K), in the order of `names`, and the S/N (n,)."""

    @abstractmethod
    def cubes(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float32]:
        """Return noiseless cubes (n, v, y, x) in the unit of the flux."""

    @abstractmethod
    def growth_curves(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> NDArray[np.float64] | None:
        """Return the shares (n, rings) of the galaxies' light within `RADII`, seen face-on.

        In half-light radii of their smooth disks; None if they aren't known.
        """

    def values(
        self,
        seed: int,
        parameters: NDArray[np.float64],
        ratios: NDArray[np.float64],
        indices: Sequence[int],
    ) -> dict[str, NDArray[np.float64]]:
        """Return what is known of galaxies (n,), by name, as tables and headers have it.

        Their conditions; of clumpy galaxies `half_light_radius` and `sersic_index` are those of
        their own light, which is what fits measure, and `disk_half_light_radius` and
        `disk_sersic_index` those of the smooth disk that was asked for. Where the first aren't
        known, they are those of the smooth disk.
        """
        values = dict(zip(self.names, parameters.T, strict=True))
        grown = None
        if not self.settings.smooth:
            grown = self.growth_curves(seed, parameters, ratios, indices)
        if grown is not None:
            own = {RADIUS: values[RADIUS] * radii_of(grown), INDEX: sersic_indices(grown)}
            values |= {f"{OF_DISK}{name}": values[name] for name in own} | own
        return values

    def lines(self, known: Mapping[str, float]) -> list[tuple[float, float]]:
        """Return offset in km/s from the first and relative flux of the lines of a galaxy.

        Parameters
        ----------
        known : mapping
            Its conditions; without those of the gas all lines are as strong.
        """
        strengths = [1.0] * len(self.frame.lines)
        if set(CHEMISTRY) <= known.keys():
            abundance, _, density = (np.array(known[name]) for name in CHEMISTRY)
            strengths = [float(one) for one in line_strengths(self.frame.lines, abundance, density)]
        return list(zip(self.frame.line_offsets, strengths, strict=True))

    @property
    def unit(self) -> str | None:
        """Unit of the data as FITS writes it; None for flux units per voxel."""
        return None if self.frame.instrument is None else "1e-20 erg/s/cm2/Angstrom"

    def make(self, seed: int, indices: Sequence[int]) -> list[MadeCube]:
        """Make cubes, with noise if it is wanted: cube i depends on (seed, i) alone."""
        parameters, ratios = self.parameters(seed, indices)
        cubes = self.cubes(seed, parameters, ratios, indices)
        known = self.values(seed, parameters, ratios, indices)
        values = [
            dict(zip(known, row, strict=True)) for row in np.transpose([*known.values()]).tolist()
        ]
        return [
            self._observed(seed, *one)
            for one in zip(indices, cubes, values, ratios.tolist(), strict=True)
        ]

    def table(self, seed: int, count: int) -> Table:
        """Return the parameters of the first cubes, with units."""
        parameters, ratios = self.parameters(seed, range(count))
        table = Table(self.values(seed, parameters, ratios, range(count)))
        for name in table.colnames:
            table[name].unit = _unit(name).replace("flux units", "") or None
        table["signal_to_noise"] = ratios
        table.meta = {
            "SEED": seed,
            **{name.upper()[:8]: value for name, value in self.origin.items()},
        }
        return table

    def write(self, path: Path, seed: int, cube: MadeCube) -> None:
        """Write a cube to a FITS file, with its parameters in the header."""
        frame, instrument = self.frame, self.frame.instrument
        values: dict[str, float | str] = dict(cube.values)
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
                **(dict.fromkeys(self.origin, "none") if self.settings.smooth else self.origin),
                "galaxy": float(cube.index),
            }
            | {f"rest_wavelength_{n}": line for n, line in enumerate(frame.lines, 1)},
            comments={name: _unit(name) for name in values if _unit(name)}
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

    def _observed(
        self, seed: int, index: int, cube: np.ndarray, values: dict[str, float], ratio: float
    ) -> MadeCube:
        frame = self.frame
        data = (cube if frame.instrument is None else cube / frame.axis.step).astype(np.float32)
        variance = None
        if not self.settings.noiseless:
            sigma = float(data.max()) / ratio
            random = noise_generator(seed, SPLIT, index, 0)
            data = data + draw_cube_noise(random, data.shape, sigma, frame.correlation)
            variance = np.full(data.shape, sigma**2, dtype=np.float32)
        return MadeCube(index, data, variance, values, ratio)


def _unit(name: str) -> str:
    return GAS_CONDITIONS[name.removeprefix(OF_DISK)].unit


def given_ranges(conditions: Mapping[str, Any]) -> dict[str, Span]:
    """Return the two ends of what is asked for, in the order of all conditions.

    Raises
    ------
    InputError
        If one of them isn't a number or two.
    """
    return {
        name: ends_given(name, conditions[name]) for name in GAS_CONDITIONS if name in conditions
    }


def depends_on(
    settings: CubesSettings, given: Mapping[str, Span], frame: FrameSettings
) -> dict[str, Any]:
    """Return what cubes depend on whatever makes them."""
    return {
        "program": f"clumpygan {__version__}",
        "conditions": {name: list(ends) for name, ends in given.items()},
        "signal_to_noise": list(ends_of(settings.signal_to_noise)),
        "frame": plain(asdict(frame)),
        "smooth": settings.smooth,
        "noiseless": settings.noiseless,
    }


def of_disks(given: Mapping[str, Span]) -> dict[str, Span]:
    """Return the ranges of parameters of disks, of which there is no shear unless asked for.

    It would be a hidden error of everything that is measured on the cubes.
    """
    none = {"g1": (0.0, 0.0), "g2": (0.0, 0.0)}
    return none | {name: ends for name, ends in given.items() if name not in (SEEING, "flux")}


def ends_given(name: str, value: Any) -> Span:
    """Return the two ends of a range, or of a number."""
    ends = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        raise InputError(f"`{name}` is {value!r}: expected a number, or LOW and HIGH")
    return float(ends[0]), float(ends[1])


def frame_given(wanted: CubesSettings, usual: FrameSettings) -> tuple[FrameSettings, list[str]]:
    """Return the usual frame, but for what is given, and the names of that."""
    given: dict[str, Any] = {
        name: value for name in _FRAME_NAMES if (value := getattr(wanted, name)) is not None
    }
    if wanted.line is not None:
        given["lines"] = tuple(name.strip() for name in wanted.line.split(","))
    if "instrument" in given:
        # What the training's instrument has isn't what another one has.
        given = {"pixel_scale": None, "channel_width": None} | given
    names = ["line" if name == "lines" else name for name in given]
    settings = replace(usual, **given)
    if settings.instrument not in (None, usual.instrument):
        if wanted.line is None:
            settings = replace(settings, lines=(usual_line(settings.instrument),))
        if wanted.shape is None:
            settings = replace(settings, shape=_as_wide(settings, usual))
    return settings, names


def _as_wide(settings: FrameSettings, usual: FrameSettings) -> tuple[int, int, int]:
    """Return the shape of a frame as wide as the usual one, in km/s and arcsec."""
    one = (1, 1, 1)
    own, other = (make_frame(replace(frame, shape=one)).grid for frame in (settings, usual))
    wide, across = own.channel_width / other.channel_width, own.pixel_scale / other.pixel_scale
    v, y, x = usual.shape
    return round(v / wide), round(y / across), round(x / across)


def own_seeing(frame: FrameSettings) -> float:
    """Return the FWHM of an instrument's own PSF at the lines, arcsec; 0 without one."""
    return make_frame(replace(frame, seeing=None)).psf_fwhm or 0.0
