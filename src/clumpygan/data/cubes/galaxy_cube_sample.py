"""A sample of clumpy, turbulent galaxies' cubes on disk, each beside its smooth disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clumpygan.data.array_set import cached_arrays
from clumpygan.data.cubes.frame import CubeFrame
from clumpygan.data.cubes.frame_settings import FrameSettings, accuracy_setting
from clumpygan.data.cubes.galaxy_rendering import (
    DrawnGalaxy,
    GalaxyRenderer,
    galaxy_renderer,
    of_clumpy_disk,
    of_gas_disk,
)
from clumpygan.data.cubes.settings import Range, draw_renderable, galaxy_generator, parameter_ranges
from clumpygan.errors import InputError
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks
from clumpygan.galaxies.disks.cube_conditions import SEEING, condition_names
from clumpygan.galaxies.gas.population import GasDisks, Ranges, check_ranges
from clumpygan.settings import check, check_rising, from_mapping, setting

_CARD = "card.json"

CHUNK = 64
"""Galaxies rendered between two notes of the progress."""


@dataclass(frozen=True)
class GalaxyCubeSettings:
    """What the cubes of clumpy galaxies are.

    Attributes
    ----------
    frame : FrameSettings
        Voxels, lines, instrument; its seeing is the sharpest one.
    seeing : (float, float)
        FWHM of the PSF in arcsec: uniform. Each galaxy is blurred by a Gaussian beyond the
        sharpest PSF of the frame, as much as its own seeing asks for in quadrature.
    population : str
        "clumpy_disks": parameters drawn one by one, clumps, arms and turbulence on top (`disks`).
        "gas_disks": galaxies whose sizes, motions and lines follow from their masses, of H II
        regions and diffuse gas (`gas`).
    disks : ClumpyDisks
    gas : GasDisks
    parameters : tuple of (name, low, high)
        Parameters that aren't drawn from the priors of the table, but uniformly from these; of gas
        disks those are drawn that are within, see `GasDisks.draw`.
    accuracy : float
        Of the renderer, over the largest voxel.

    Raises
    ------
    InputError
        If a value is unknown or out of range.
    """

    frame: FrameSettings = field(
        default_factory=lambda: FrameSettings(shape=(24, 24, 24), instrument="muse_wfm")
    )
    seeing: tuple[float, float] = setting((0.5, 0.8), "FWHM of the PSF, uniform", "arcsec", above=0)
    population: Literal["clumpy_disks", "gas_disks"] = setting(
        "clumpy_disks", "disks with clumps, or gas disks that follow from mass and redshift"
    )
    disks: ClumpyDisks = field(default_factory=ClumpyDisks)
    gas: GasDisks = field(default_factory=GasDisks)
    parameters: tuple[Range, ...] = (
        ("half_light_radius", 0.5, 1.1),
        ("bulge_fraction", 0.0, 0.0),
    )
    accuracy: float = accuracy_setting(1e-2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", parameter_ranges(self.parameters))
        check(self)
        check_rising(self, "seeing")
        if self.frame.seeing not in (None, self.seeing[0]):
            raise InputError("frame.seeing: leave it out, the sharpest of `seeing` is taken")
        object.__setattr__(self, "frame", replace(self.frame, seeing=self.seeing[0]))
        if min(self.frame.shape) < 8 or any(side % 8 for side in self.frame.shape):
            raise InputError(
                f"frame.shape is {self.frame.shape}; expected multiples of 8, as discriminators "
                "halve cubes three times"
            )
        if self.population == "clumpy_disks" and self.gas != GasDisks():
            raise InputError(
                "`gas` goes with the population gas_disks: leave it out, or choose that"
            )
        if self.population == "gas_disks":
            if self.disks != ClumpyDisks():
                raise InputError(
                    "`disks` goes with the population clumpy_disks: leave it out, or choose that"
                )
            check_ranges(self.ranges)
        known = self.disks.model
        for name, low, high in self.parameters:
            if self.population == "gas_disks" and name not in known.names:
                continue  # of gas, and checked
            row = known.table[known.index(name)]
            if row.check(low) > row.check(high):
                raise InputError(f"{name} from {low:g} to {high:g}: expected the lower end first")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GalaxyCubeSettings":
        """Build from nested mappings of plain numbers, as in a YAML file."""
        return from_mapping(cls, values)

    @property
    def renderer(self) -> GalaxyRenderer:
        """What renders these galaxies."""
        return galaxy_renderer(self.frame, self.disks, self.accuracy)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Name -> (low, high) of `parameters`."""
        return {name: (low, high) for name, low, high in self.parameters}

    @property
    def condition_names(self) -> tuple[str, ...]:
        """What is known of these galaxies, in the order of `GalaxyCubes.conditions`."""
        return condition_names(self.population)

    @property
    def name(self) -> str:
        """Name that differs for every combination of settings."""
        text = json.dumps(asdict(self), sort_keys=True)
        if self.population == "gas_disks":
            text += str(self.condition_names)
        return sha256(text.encode()).hexdigest()[:10]

    def draw(self, seed: int, split: str, index: int) -> DrawnGalaxy:
        """Draw one galaxy: it depends on (seed, split, index) alone."""
        generator = galaxy_generator(seed, split, index)
        galaxy = draw_renderable(
            partial(self.draw_any, generator, self.ranges), self.renderer.can_render
        )
        return galaxy._replace(seeing=float(generator.uniform(*self.seeing)))

    def draw_any(self, generator: np.random.Generator, ranges: Ranges) -> DrawnGalaxy:
        """Draw a galaxy in the sharpest seeing, whether or not it can be rendered."""
        sharpest = self.seeing[0]
        if self.population == "gas_disks":
            lines = self.renderer.frame.lines
            return of_gas_disk(self.gas.draw(generator, ranges, lines), sharpest)
        return of_clumpy_disk(*self.disks.draw(generator, ranges), sharpest, self.disks)


@dataclass(frozen=True, eq=False)
class GalaxyCubes:
    """A sample opened for reading; arrays are memory-mapped.

    Attributes
    ----------
    cubes, smooth : ndarray of shape (n, v, y, x), float16
        Noiseless galaxies, whose brightest voxel is 1, and their smooth disks in the same unit.
    conditions : ndarray of shape (n, K), float32
        Parameters in physical units; the flux in units of the brightest voxel.
    names : tuple of str
        Of the conditions.
    """

    cubes: np.ndarray
    smooth: np.ndarray
    conditions: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.cubes)

    def galaxy(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cube (v, y, x), its smooth disk and its conditions (K,)."""
        conditions = np.array(self.conditions[index], dtype=np.float32)
        return self.cubes[index], self.smooth[index], conditions


def frame_of(settings: GalaxyCubeSettings) -> CubeFrame:
    """Return the frame of a sample, with the sharpest seeing."""
    return settings.renderer.frame


def render_galaxies(
    settings: GalaxyCubeSettings, seed: int, split: str, first: int, last: int
) -> dict[str, np.ndarray]:
    """Render galaxies first .. last - 1: the arrays of `GalaxyCubes`."""
    return _render(settings, [settings.draw(seed, split, index) for index in range(first, last)])


def render_realisations(
    settings: GalaxyCubeSettings, conditions: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """Render other galaxies of given conditions: other clumps, arms, warps and turbulence.

    Parameters
    ----------
    settings : GalaxyCubeSettings
    conditions : ndarray of shape (n, K)
        In physical units, in the order of `settings.condition_names`.
    count : int
        Galaxies of each.
    seed : int
        Galaxy j of conditions i depends on (seed, i, j) alone.

    Returns
    -------
    ndarray of shape (n, count, v, y, x), float32
        Without noise, in the unit of the flux.
    """
    drawn = []
    names = settings.condition_names
    for place, row in enumerate(np.asarray(conditions, dtype=np.float64)):
        told = dict(zip(names, row.tolist(), strict=True))
        seeing = told.pop(SEEING)
        ranges = settings.ranges | {name: (value, value) for name, value in told.items()}
        for other in range(count):
            generator = galaxy_generator(seed, f"realisation {other}", place)
            drawn.append(settings.draw_any(generator, ranges)._replace(seeing=seeing))
    found = _render(settings, drawn)
    flux = np.repeat(conditions[:, names.index("flux")], count)
    scale = flux / found["conditions"][:, names.index("flux")]
    cubes = found["cubes"].astype(np.float32) * scale[:, None, None, None].astype(np.float32)
    return np.asarray(cubes.reshape(len(conditions), count, *cubes.shape[1:]))


def _render(settings: GalaxyCubeSettings, drawn: Sequence[DrawnGalaxy]) -> dict[str, np.ndarray]:
    """Render galaxies: the arrays of `GalaxyCubes`."""
    # One by one: a batch is sampled as finely as the most demanding of its galaxies.
    pairs = [settings.renderer(one) for one in drawn]
    cubes, disks = (np.stack(parts) for parts in zip(*pairs, strict=True))
    names = settings.condition_names
    peak = cubes.max((1, 2, 3), keepdims=True)
    known = [one.conditions for one in drawn]
    conditions = np.array([[one[name] for name in names] for one in known])
    conditions[:, names.index("flux")] /= peak[:, 0, 0, 0]
    return {
        "cubes": (cubes / peak).astype(np.float16),
        "smooth": (disks / peak).astype(np.float16),
        "conditions": conditions.astype(np.float32),
    }


def is_rendered(
    folder: Path, settings: GalaxyCubeSettings, count: int, seed: int, split: str
) -> bool:
    """Tell whether a sample is there, whole."""
    return (_home(folder, settings, count, seed, split) / _CARD).exists()


def _home(folder: Path, settings: GalaxyCubeSettings, count: int, seed: int, split: str) -> Path:
    return Path(folder) / f"cubes-{split}-{count}-{seed}-{settings.name}"


def open_galaxy_cubes(
    folder: Path,
    settings: GalaxyCubeSettings,
    count: int,
    seed: int,
    split: str,
    workers: int | None = None,
) -> GalaxyCubes:
    """Open a sample, rendering what is missing of it first.

    Parameters
    ----------
    folder : Path
        Where samples are kept; the sample gets a folder of its own in it.
    settings : GalaxyCubeSettings
    count, seed : int
    split : str
        "train", "val" or "test": other galaxies in each.
    workers : int, optional
        Processes that render; as many as there are cores by default.

    Raises
    ------
    InputError
        If a finished sample has been damaged.
    """
    shape = settings.frame.shape
    arrays = cached_arrays(
        _home(folder, settings, count, seed, split),
        {
            "cubes": (shape, np.float16),
            "smooth": (shape, np.float16),
            "conditions": ((len(settings.condition_names),), np.float32),
        },
        count,
        partial(render_galaxies, settings, seed, split),
        chunk=CHUNK,
        label=f"rendering {split}",
        card=asdict(settings),
        workers=workers,
    )
    names = settings.condition_names
    return GalaxyCubes(arrays["cubes"], arrays["smooth"], arrays["conditions"], names)
