"""A sample of clumpy, turbulent galaxies' cubes on disk, each beside its smooth disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clumpygan.data.array_set import cached_arrays
from clumpygan.data.cubes.frame import CubeFrame, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings, accuracy_setting
from clumpygan.data.cubes.settings import MOST_DRAWS, Range, galaxy_generator, parameter_ranges
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks, smooth_vectors
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, SEEING
from clumpygan.galaxies.disks.disk_maps import DiskMaps
from clumpygan.instruments.spread import blur_beyond
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
    disks : ClumpyDisks
    parameters : tuple of (name, low, high)
        Parameters that aren't drawn from the priors of the table, but uniformly from these.
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
    disks: ClumpyDisks = field(default_factory=ClumpyDisks)
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
        known = self.disks.model
        for name, low, high in self.parameters:
            row = known.table[known.index(name)]
            if row.check(low) > row.check(high):
                raise InputError(f"{name} from {low:g} to {high:g}: expected the lower end first")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GalaxyCubeSettings":
        """Build from nested mappings of plain numbers, as in a YAML file."""
        return from_mapping(cls, values)

    def can_render(self, vector: np.ndarray) -> bool:
        """Tell whether a galaxy (P,) and its smooth disk can be rendered."""
        clumpy, smooth = (one.compiled for one in _renderers(self))
        plain = smooth_vectors(vector[None], self.disks.model)[0]
        return clumpy.can_render(vector) and smooth.can_render(plain)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Name -> (low, high) of `parameters`."""
        return {name: (low, high) for name, low, high in self.parameters}

    @property
    def name(self) -> str:
        """Name that differs for every combination of settings."""
        text = json.dumps(asdict(self), sort_keys=True)
        return sha256(text.encode()).hexdigest()[:10]

    def draw(self, seed: int, split: str, index: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Draw one galaxy: its vector (P,), its maps (3, N, N) and its seeing in arcsec."""
        generator = galaxy_generator(seed, split, index)
        for _ in range(MOST_DRAWS):
            vector, maps = self.disks.draw(generator, self.ranges)
            if self.can_render(vector):
                break
        return vector, maps, float(generator.uniform(*self.seeing))


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
    names: tuple[str, ...] = tuple(CUBE_CONDITIONS)

    def __len__(self) -> int:
        return len(self.cubes)

    def galaxy(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cube (v, y, x), its smooth disk and its conditions (K,)."""
        conditions = np.array(self.conditions[index], dtype=np.float32)
        return self.cubes[index], self.smooth[index], conditions


@lru_cache(maxsize=4)
def frame_of(settings: GalaxyCubeSettings) -> CubeFrame:
    """Return the frame of a sample, with the sharpest seeing."""
    return make_frame(settings.frame)


@lru_cache(maxsize=4)
def _renderers(settings: GalaxyCubeSettings) -> tuple[TorchCubeRenderer, TorchCubeRenderer]:
    frame = frame_of(settings)
    models = settings.disks.model, DiskModel()
    clumpy, smooth = (
        TorchCubeRenderer(frame.grid, model, frame.transfer, settings.accuracy) for model in models
    )
    return clumpy, smooth


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
        In physical units, in the order of `CUBE_CONDITIONS`.
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
    names = tuple(CUBE_CONDITIONS)
    for place, row in enumerate(np.asarray(conditions, dtype=np.float64)):
        told = dict(zip(names, row.tolist(), strict=True))
        seeing = told.pop(SEEING)
        ranges = settings.ranges | {name: (value, value) for name, value in told.items()}
        for other in range(count):
            generator = galaxy_generator(seed, f"realisation {other}", place)
            drawn.append((*settings.disks.draw(generator, ranges), seeing))
    found = _render(settings, drawn)
    flux = np.repeat(conditions[:, names.index("flux")], count)
    scale = flux / found["conditions"][:, names.index("flux")]
    cubes = found["cubes"].astype(np.float32) * scale[:, None, None, None].astype(np.float32)
    return np.asarray(cubes.reshape(len(conditions), count, *cubes.shape[1:]))


@torch.no_grad()
def _render(
    settings: GalaxyCubeSettings, drawn: Sequence[tuple[np.ndarray, np.ndarray, float]]
) -> dict[str, np.ndarray]:
    """Render galaxies (vector, maps, seeing): the arrays of `GalaxyCubes`."""
    frame, model = frame_of(settings), settings.disks.model
    vectors, maps, seeing = (np.stack(parts) for parts in zip(*drawn, strict=True))
    plain = smooth_vectors(vectors, model)
    blur = torch.from_numpy(blur_beyond(seeing, frame.psf_fwhm or 0.0)).float()
    clumpy, smooth = _renderers(settings)
    found: dict[str, list[np.ndarray]] = {"cubes": [], "smooth": []}
    # One by one: a batch is sampled as finely as the most demanding of its galaxies.
    for i in range(len(drawn)):
        one = slice(i, i + 1)
        light, velocity, dispersion = torch.from_numpy(maps[one]).unbind(1)
        departures = DiskMaps(light, velocity, dispersion, settings.disks.turbulence.extent)
        vector, disk = (torch.from_numpy(v[one]).float() for v in (vectors, plain))
        found["cubes"].append(clumpy(vector, maps=departures, blur=blur[one])[0, 0].numpy())
        found["smooth"].append(smooth(disk, blur=blur[one])[0, 0].numpy())
    cubes, disks = (np.stack(found[name]) for name in ("cubes", "smooth"))
    peak = cubes.max((1, 2, 3), keepdims=True)
    conditions = np.stack(
        [seeing if name == SEEING else vectors[:, model.index(name)] for name in CUBE_CONDITIONS],
        1,
    )
    conditions[:, tuple(CUBE_CONDITIONS).index("flux")] /= peak[:, 0, 0, 0]
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
            "conditions": ((len(CUBE_CONDITIONS),), np.float32),
        },
        count,
        partial(render_galaxies, settings, seed, split),
        chunk=CHUNK,
        label=f"rendering {split}",
        card=asdict(settings),
        workers=workers,
    )
    return GalaxyCubes(arrays["cubes"], arrays["smooth"], arrays["conditions"])
