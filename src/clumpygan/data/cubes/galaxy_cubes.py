"""Cubes of clumpy galaxies in batches, each with its parameters and its smooth disk."""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from clumpygan.data.augment import turned_cube, turned_parameters
from clumpygan.data.cubes.frame import CubeFrame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.data.cubes.galaxy_cube_sample import (
    GalaxyCubes,
    GalaxyCubeSettings,
    frame_of,
    open_galaxy_cubes,
)
from clumpygan.data.cubes.measured_cubes import (
    MeasuredCubeDataset,
    MeasuredCubes,
    read_measured_cubes,
    split_rows,
)
from clumpygan.data.cubes.settings import noise_generator, plain
from clumpygan.data.stream import StreamDataModule
from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS
from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.instruments.uneven_noise import UnevenNoise, sky_pattern
from clumpygan.settings import check_rising, setting

Item = dict[str, np.ndarray]

_FLUX = tuple(CUBE_CONDITIONS).index("flux")


class Galaxies(Protocol):
    """Galaxies of a split, rendered, read or mapped into memory."""

    def __len__(self) -> int: ...

    def galaxy(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a cube (v, y, x) whose brightest voxel is 1, its smooth disk, its conditions."""


@dataclass(frozen=True)
class UnevenPairs:
    """Draws two cubes of noise of the same depth and sky lines.

    Attributes
    ----------
    noise : UnevenNoise
    settings : GalaxyCubeSettings
        The instrument of their frame looks at the sky, at a wavelength that is drawn.
    """

    noise: UnevenNoise
    settings: GalaxyCubeSettings

    def __call__(
        self,
        generator: np.random.Generator,
        shape: tuple[int, int, int],
        correlation: np.ndarray | None,
    ) -> np.ndarray:
        """Return noise (2, v, y, x), float32."""
        frame = frame_of(self.settings)
        channels = sky_pattern(generator, frame.instrument, shape[0], frame.axis.step)
        sigma = self.noise.draw_sigma(generator, shape, channels)
        return np.stack([self.noise.draw(generator, sigma, channels, correlation) for _ in "ab"])


class GalaxyCubeDataset(Dataset[Item]):
    """Cubes with everything random about them drawn from (seed, split, index, turn).

    Item (turn, index): the noise, the S/N and the orientation depend on `turn`, which counts passes
    over the data. A plain index is turn 0, in the orientation of the sample.

    Parameters
    ----------
    cubes : GalaxyCubes or CubeDataset
    signal_to_noise : (float, float)
        Range from which the brightest voxel over sigma is drawn, uniformly in its logarithm.
    correlation : ndarray, optional
        Of the noise in neighbouring voxels.
    split : str
    seed : int
    augment : bool
        Turn the sky by multiples of 90 degrees and mirror it at random, with the parameters: what
        results is a galaxy of the same population, and nothing leaks.
    uneven : UnevenPairs, optional
        Draws the noise; it is the same everywhere without.
    """

    def __init__(
        self,
        cubes: Galaxies,
        *,
        signal_to_noise: tuple[float, float],
        correlation: np.ndarray | None,
        split: str,
        seed: int,
        augment: bool,
        uneven: UnevenPairs | None = None,
    ) -> None:
        self.cubes, self.signal_to_noise, self.correlation = cubes, signal_to_noise, correlation
        self.uneven = uneven
        self.split, self.seed, self.augment = split, seed, augment

    def __len__(self) -> int:
        return len(self.cubes)

    def __getitem__(self, item: int | tuple[int, int]) -> Item:
        """Return an item of a batch.

        Returns
        -------
        dict of ndarray, float32
            `cube` (1, v, y, x) without noise and `smooth` (1, v, y, x), the smooth disk, both in
            units of the noise per voxel; `parameters` (K,), in physical units, the flux in that of
            the cube; `signal_to_noise` () of the brightest voxel; `noise` and `second_noise`
            (1, v, y, x), independent, of unit variance; of a usual voxel where it is uneven.
        """
        turn, index = item if isinstance(item, tuple) else (0, item)
        generator = noise_generator(self.seed, self.split, index, turn)
        ratio = np.float32(np.exp(generator.uniform(*np.log(self.signal_to_noise))))
        *arrays, parameters = self.cubes.galaxy(index)
        parameters[_FLUX] *= ratio
        cube, smooth = (ratio * np.asarray(one, dtype=np.float32)[None] for one in arrays)
        if self.uneven is None:
            pair = draw_cube_noise(generator, (2, *cube.shape), 1.0, self.correlation)
        else:
            pair = self.uneven(generator, cube.shape[1:], self.correlation)[:, None]
        noise, second = pair
        quarters, mirror = int(generator.integers(4)), bool(generator.integers(2))
        if self.augment and isinstance(item, tuple):
            cube, smooth = (turned_cube(one, quarters, mirror) for one in (cube, smooth))
            parameters = turned_parameters(parameters, quarters, mirror)
        return {
            "cube": cube,
            "smooth": smooth,
            "parameters": parameters,
            "signal_to_noise": ratio,
            "noise": noise,
            "second_noise": second,
        }


@dataclass(frozen=True)
class GalaxyCubeDataSettings(StreamSettings):
    """What cubes of clumpy galaxies are served."""

    train_size: int = setting(12_288, "galaxies to train on", least=1)
    val_size: int = setting(512, "galaxies held out, for validation", least=1)
    batch_size: int = setting(16, "cubes of a batch in each process", least=1)
    images_per_epoch: int = setting(
        4096, "cubes, over all processes, between two validations", least=1
    )
    root: Path | None = setting(None, "folder of real cubes, FITS files, in place of rendered ones")
    table: Path | None = setting(
        None, "of the parameters of real cubes; null: results.ecsv in their folder"
    )
    measured_seeing: float | None = setting(
        None, "FWHM of the PSF of real cubes, where the table doesn't say; null: the sharpest of"
        " the rendered ones", "arcsec", above=0,
    )  # fmt: skip
    cache: Path = setting(Path("cache"), "folder of the rendered samples")
    galaxies: GalaxyCubeSettings = setting(
        default_factory=GalaxyCubeSettings, help="what is rendered; of real cubes the frame holds"
    )
    signal_to_noise: tuple[float, float] = setting(
        (5.0, 30.0), "brightest voxel over the noise of a voxel, log-uniform", above=0
    )
    noise: Literal["even", "uneven"] = setting(
        "even", "the same in all voxels; or with sky lines, if those of the instrument are known,"
        " and what is left of them, another depth here and there, spikes (`uneven`)",
    )  # fmt: skip
    uneven: UnevenNoise = setting(
        default_factory=UnevenNoise, help="how uneven the noise is, if it is so"
    )
    augment: bool = setting(
        True, "turn galaxies by 90 degrees and mirror them at random, parameters included"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "signal_to_noise")
        if self.noise == "even" and self.uneven != UnevenNoise():
            raise InputError(
                "`data.uneven` goes with data.noise=uneven: leave it out, or choose that"
            )
        if self.noise == "uneven" and self.root is not None:
            raise InputError("`data.noise`: real cubes have their own; leave it out")
        if self.root is None and (self.table is not None or self.measured_seeing is not None):
            raise InputError(
                "`data.table` and `data.measured_seeing` are of real cubes: give `data.root`, "
                "their folder"
            )


class GalaxyCubeDataModule(StreamDataModule):
    """Serve cubes of clumpy, turbulent galaxies, and what they would be if they were smooth.

    See `GalaxyCubeDataSettings`. Rendered galaxies are kept in `cache`. Real cubes (see
    `read_measured_cubes`) are split by their names.
    """

    Settings = GalaxyCubeDataSettings

    def build(self) -> None:
        """Make the frame."""
        self.settings: GalaxyCubeSettings = self.config.galaxies
        self.frame: CubeFrame = frame_of(self.settings)
        # Of real cubes there is no more than of any disk.
        self.condition_names: tuple[str, ...] = (
            self.settings.condition_names if self.config.root is None else tuple(CUBE_CONDITIONS)
        )
        self._measured: MeasuredCubes | None = None
        instrument = self.frame.instrument
        if self.config.noise == "uneven" and (instrument is None or instrument.sky is None):
            whose = "no instrument" if instrument is None else instrument.name
            warnings.warn(
                f"`data.noise` of uneven: the sky lines of {whose} aren't known, there are none",
                InputWarning,
                stacklevel=2,
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (v, y, x) of the cubes."""
        return self.settings.frame.shape

    @property
    def signal_to_noise(self) -> tuple[float, float]:
        """Range of the brightest voxel over the noise of a voxel."""
        low, high = self.config.signal_to_noise
        return low, high

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        if self.config.root is None:
            for split in self.splits(self.stage):
                self._sample(split)

    def make_dataset(self, split: str) -> "GalaxyCubeDataset | MeasuredCubeDataset":
        """Return the cubes of a split: "train", "val" or "test"."""
        common: dict[str, Any] = {
            "correlation": self.frame.correlation,
            "split": split,
            "seed": self.seed,
            "augment": self.config.augment and split == "train",
        }
        if self.config.root is not None:
            return MeasuredCubeDataset(self._read(split), **common)
        uneven = None
        if self.config.noise == "uneven":
            uneven = UnevenPairs(self.config.uneven, self.settings)
        return GalaxyCubeDataset(
            self._sample(split), signal_to_noise=self.signal_to_noise, uneven=uneven, **common
        )

    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch as it is: cubes come complete."""
        return batch

    def describe(self) -> dict[str, Any]:
        """Return what must be known of the cubes to use a network trained on them."""
        found = self._sample("val") if self.config.root is None else self._read("val")
        frame, ratios = self.settings.frame, self.signal_to_noise
        return described(frame, ratios, self.condition_names, found.conditions)

    def _read(self, split: str) -> MeasuredCubes:
        """Return the real cubes of a split."""
        config = self.config
        if self._measured is None:
            self._measured = read_measured_cubes(
                config.root, self.frame, table=config.table, seeing=config.measured_seeing
            )
        return split_rows(self._measured, self.seed, split)

    def _sample(self, split: str) -> GalaxyCubes:
        count = self.config.size_of(split)
        return open_galaxy_cubes(self.config.cache, self.settings, count, self.seed, split)


def described(
    frame: FrameSettings,
    signal_to_noise: tuple[float, float],
    names: tuple[str, ...],
    conditions: np.ndarray,
) -> dict[str, Any]:
    """Return what a card says of cubes that networks were trained on.

    Parameters
    ----------
    frame : FrameSettings
    signal_to_noise : (float, float)
    names : tuple of str
        Of the conditions.
    conditions : ndarray of shape (n, K)
        Of galaxies that are held out.
    """
    low, high = conditions.min(0), conditions.max(0)
    return {
        "frame": plain(asdict(frame)),
        "condition_names": list(names),
        "ranges": {
            name: [round(float(low[i]), 4), round(float(high[i]), 4)]
            for i, name in enumerate(names)
            if name != "flux"
        },
        "signal_to_noise": list(signal_to_noise),
    }
