"""What a set of mock cubes depends on, and how the galaxies in it are drawn."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from clumpygan.data.cube_frame import CubeFrame, FrameSettings, make_frame
from clumpygan.errors import InputError
from clumpygan.galaxies import CubeRenderer, DiskModel

_GALAXY, _NOISE = 0, 1
"""First numbers of the keys of random streams, so that no two of them are the same."""

Range = tuple[str, float, float]


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

    frame: FrameSettings = field(default_factory=FrameSettings)
    model: DiskModel = field(default_factory=DiskModel)
    parameters: tuple[Range, ...] = ()
    accuracy: float = 1e-3

    def __post_init__(self) -> None:
        warped = self.model.warped
        for name, *ends in self.parameters:
            row = self.model.table[self.model.index(name)]
            low, high = (row.check(end) for end in ends)
            if low > high:
                raise InputError(f"{name} from {low:g} to {high:g}: expected the lower end first")
            warped |= name.startswith("warp_") and bool(low or high)
        names = [name for name, *_ in self.parameters]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"{twice[0]} is given twice; expected one value or range")
        order = sorted(self.parameters, key=lambda row: self.model.index(row[0]))
        object.__setattr__(self, "parameters", tuple(order))
        object.__setattr__(self, "model", replace(self.model, warped=warped))

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
        given = dict(values)
        ranges = given.pop("parameters", {})
        parts = {
            "frame": build_settings(FrameSettings, given.pop("frame", {})),
            "model": build_settings(DiskModel, given.pop("model", {})),
            "parameters": parameter_ranges(ranges),
        }
        return build_settings(cls, given | parts)

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
        vector = self.model.draw(generator, 1)[0]
        for name, low, high in self.parameters:
            vector[self.model.index(name)] = generator.uniform(low, high) if low < high else low
        return vector


@lru_cache(maxsize=4)
def frame_for(settings: CubeSettings) -> CubeFrame:
    """Return the frame of a set, made once in each process."""
    return make_frame(settings.frame)


@lru_cache(maxsize=4)
def renderer_for(settings: CubeSettings, threads: int = 1) -> CubeRenderer:
    """Return the compiled renderer of a set, made once in each process."""
    frame = frame_for(settings)
    return CubeRenderer(frame.grid, settings.model, frame.transfer, settings.accuracy, threads)


def galaxy_generator(seed: int, split: str, index: int) -> np.random.Generator:
    """Return the source of randomness of one galaxy's parameters."""
    return np.random.default_rng([_GALAXY, seed, zlib.crc32(split.encode()), index])


def noise_generator(seed: int, split: str, index: int, turn: int) -> np.random.Generator:
    """Return the source of randomness of the noise of one galaxy in one pass over the data."""
    return np.random.default_rng([_NOISE, seed, zlib.crc32(split.encode()), index, turn])


def build_settings(kind: type, given: Mapping[str, Any]) -> Any:
    """Build a dataclass from a mapping, with tuples for lists.

    Raises
    ------
    InputError
        If it has no such field, or a value is out of range; the message lists the fields.
    """
    known = [one.name for one in fields(kind)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(f"unknown setting {', '.join(unknown)}: expected {', '.join(known)}")
    return kind(**{name: _frozen(value) for name, value in given.items()})


def parameter_ranges(ranges: Mapping[str, Any]) -> tuple[Range, ...]:
    """Return (name, low, high) of a mapping from names to numbers or to pairs of them."""
    return tuple(_range(name, value) for name, value in ranges.items())


def _range(name: str, value: Any) -> Range:
    ends = value if isinstance(value, list | tuple) else (value, value)
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        raise InputError(f"{name} is {value!r}; expected a number, or the two ends of a range")
    return name, float(ends[0]), float(ends[1])


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list | tuple) else value


def plain(value: Any) -> Any:
    """Return nested dicts and lists, with lists for tuples."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
