"""What a set of mock cubes depends on, and how the galaxies in it are drawn."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from clumpygan.data.cubes.frame import CubeFrame, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings, accuracy_setting
from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError
from clumpygan.galaxies import CubeRenderer, DiskModel
from clumpygan.galaxies.disks.disk_table import WARP_PARAMETERS
from clumpygan.settings import check, check_rising, from_mapping, setting

_GALAXY, _NOISE = 0, 1
"""First numbers of the keys of random streams, so that no two of them are the same."""

_MOST_DRAWS = 100
"""Of a galaxy, until one can be rendered; by default 1 of 10,000 needs another."""

Range = tuple[str, float, float]

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class CubeSettings:
    """What the cubes of a set are.

    Attributes
    ----------
    frame : FrameSettings
        Voxels, lines, instrument.
    model : DiskModel
        The choices of the model.
    parameters : tuple of (name, low, high)
        Parameters that are not drawn from the priors of the table, but uniformly between `low` and
        `high`, or stay where these are equal.
    accuracy : float
        Largest error of a voxel over the largest voxel.

    Raises
    ------
    InputError
        If a parameter isn't one of the model, or its values are out of range.
    """

    frame: FrameSettings = field(default_factory=lambda: FrameSettings(instrument="muse_wfm"))
    model: DiskModel = field(default_factory=lambda: DiskModel(arms=2, clumps=4))
    parameters: tuple[Range, ...] = ()
    accuracy: float = accuracy_setting()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", parameter_ranges(self.parameters))
        check(self)
        warped, flows = self.model.warped, self.model.radial_flow
        for name, *ends in self.parameters:
            row = self.model.table[self.model.index(name)]
            low, high = (row.check(end) for end in ends)
            if low > high:
                raise InputError(f"{name} from {low:g} to {high:g}: expected the lower end first")
            warped |= name in WARP_PARAMETERS and bool(low or high)
            flows |= name == "radial_velocity" and bool(low or high)
        names = [name for name, *_ in self.parameters]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"{twice[0]} is given twice; expected one value or range")
        order = sorted(self.parameters, key=lambda row: self.model.index(row[0]))
        object.__setattr__(self, "parameters", tuple(order))
        object.__setattr__(self, "model", replace(self.model, warped=warped, radial_flow=flows))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "CubeSettings":
        """Build from nested mappings of plain numbers, as in a YAML file: `to_dict` inverted.

        `parameters` maps a name to a number or to a pair of them; what is left out of any mapping
        has its default.

        Raises
        ------
        InputError
            If a name is unknown or a value out of range.
        """
        return from_mapping(cls, values)

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts and lists of plain numbers."""
        values: dict[str, Any] = plain(asdict(self))
        values["parameters"] = {
            name: low if low == high else [low, high] for name, low, high in self.parameters
        }
        return values

    def draw(self, seed: int, split: str, indices: Iterable[int]) -> np.ndarray:
        """Draw parameter vectors: that of galaxy i depends on (seed, split, i) alone.

        Returns
        -------
        ndarray of shape (N, P), float64
            In the order of `model.names`.
        """
        return np.stack([self._draw(galaxy_generator(seed, split, i)) for i in indices])

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        """Draw one galaxy, again and again until it is one that can be rendered."""
        return draw_renderable(partial(self.draw_any, generator), renderer_for(self).can_render)

    def draw_any(self, generator: np.random.Generator) -> np.ndarray:
        """Draw a galaxy (P,), whether or not it can be rendered."""
        vector: np.ndarray = self.model.draw(generator, 1)[0]
        for name, low, high in self.parameters:
            vector[self.model.index(name)] = generator.uniform(low, high) if low < high else low
        return vector


@dataclass(frozen=True)
class CubeDataSettings(StreamSettings):
    """What velocity cubes are served."""

    train_size: int = setting(1_000_000, "galaxies to train on, at most", least=1)
    val_size: int = setting(256, "galaxies held out, for validation, at most", least=1)
    source: Literal["workers", "device", "prepared"] = setting(
        "workers", "who makes the cubes: the loader's processes, the training device, or"
        " prepare.py cubes, which has written them into `root`",
    )  # fmt: skip
    root: Path | None = setting(None, "folder of the prepared set, whose settings hold then")
    cubes: CubeSettings | None = setting(
        None, "what is rendered, and of which galaxies; not with a prepared set"
    )
    signal_to_noise: tuple[float, float] | None = setting(
        (3.0, 30.0), "brightest voxel over the noise of a voxel, log-uniform; null: no noise",
        above=0,
    )  # fmt: skip
    correlated_noise: bool = setting(
        True, "neighbouring voxels share noise as those of the instrument do"
    )
    batches: Literal["observed", "galaxies"] = setting(
        "observed", "a cube with its noise and all its parameters; or a galaxy and its smooth disk"
        " in units of the noise, with conditions, as GalaxyCubeDataModule serves them",
    )  # fmt: skip
    augment: bool = setting(
        True, "turn galaxies by 90 degrees and mirror them at random, parameters included"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "signal_to_noise")
        if self.root is not None and self.source == "workers":
            object.__setattr__(self, "source", "prepared")
        if (self.source == "prepared") != (self.root is not None):
            raise InputError(
                "`data.root` is the folder of a prepared set: give it with data.source=prepared "
                "and else not"
            )
        if self.root is not None and self.cubes is not None:
            raise InputError(
                f"the cubes of {self.root} are what they are: leave out the settings, "
                "data.cubes=null"
            )
        if self.batches == "galaxies" and (self.source == "device" or not self.signal_to_noise):
            raise InputError(
                "`data.batches` of galaxies need noise, and workers or a prepared set as "
                "`data.source`"
            )


def draw_renderable(draw: Callable[[], Drawn], can_render: Callable[[Drawn], bool]) -> Drawn:
    """Draw a galaxy, again and again until it is one that can be rendered.

    Parameters
    ----------
    draw : callable
        Returns another one each time.
    can_render : callable
        Whether one needs no finer a sampling than there is.
    """
    for _ in range(_MOST_DRAWS):
        galaxy = draw()
        if can_render(galaxy):
            break
    return galaxy


@lru_cache(maxsize=4)
def frame_for(settings: CubeSettings) -> CubeFrame:
    """Return the frame of a set, made once in each process."""
    return make_frame(settings.frame)


@lru_cache(maxsize=4)
def renderer_for(settings: CubeSettings, threads: int = 1) -> CubeRenderer:
    """Return the compiled renderer of a set, made once in each process."""
    frame = frame_for(settings)
    return CubeRenderer(frame.grid, settings.model, frame.transfer, settings.accuracy, threads)


@lru_cache(maxsize=4)
def smooth_renderer_for(settings: CubeSettings) -> CubeRenderer:
    """Return the compiled renderer of the smooth disks of a set."""
    frame = frame_for(settings)
    return CubeRenderer(frame.grid, DiskModel(), frame.transfer, settings.accuracy)


def galaxy_generator(seed: int, split: str, index: int) -> np.random.Generator:
    """Return the source of randomness of one galaxy's parameters."""
    return np.random.default_rng([_GALAXY, seed, zlib.crc32(split.encode()), index])


def noise_generator(seed: int, split: str, index: int, turn: int) -> np.random.Generator:
    """Return the source of randomness of the noise of one galaxy in one pass over the data."""
    return np.random.default_rng([_NOISE, seed, zlib.crc32(split.encode()), index, turn])


def parameter_ranges(ranges: Mapping[str, Any] | Sequence[Range]) -> tuple[Range, ...]:
    """Return (name, low, high) of a mapping from names to numbers or to pairs of them.

    Raises
    ------
    InputError
        If it is neither that nor a list of (name, low, high).
    """
    if isinstance(ranges, Mapping):
        return tuple(_range(name, value) for name, value in ranges.items())
    if isinstance(ranges, str) or not isinstance(ranges, Sequence):
        raise InputError(f"ranges are {ranges!r}: expected names, each with a number or two ends")
    return tuple(_named_range(one) for one in ranges)


def _named_range(one: Any) -> Range:
    match one:
        case [str(name), low, high]:
            return _range(name, (low, high))
    raise InputError(f"{one!r} in ranges: expected a name and the two ends of a range")


def _range(name: str, value: Any) -> Range:
    ends = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if not 1 <= len(ends) <= 2 or not all(isinstance(end, int | float) for end in ends):
        raise InputError(f"`{name}` is {value!r}: expected a number, or the two ends of a range")
    return name, float(ends[0]), float(ends[-1])


def plain(value: Any) -> Any:
    """Return nested dicts and lists, with lists for tuples."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
