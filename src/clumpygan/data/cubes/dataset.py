"""Mock cubes one by one: rendered or read, with noise, each from (seed, split, index, turn)."""

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from clumpygan.data.cubes.settings import (
    CubeSettings,
    frame_for,
    noise_generator,
    renderer_for,
    smooth_renderer_for,
)
from clumpygan.data.cubes.store import CubeSet
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, SEEING
from clumpygan.instruments.cube_noise import draw_cube_noise

Item = dict[str, np.ndarray]

_FLUX = tuple(CUBE_CONDITIONS).index("flux")


class CubeDataset(Dataset[Item]):
    """Cubes with their parameters and noise.

    Item (turn, index): the galaxy depends on (seed, split, index), the noise on `turn` too, which
    counts passes over the data. A plain index is turn 0.

    Parameters
    ----------
    settings : CubeSettings
    split : str
    seed : int
    size : int
        Number of galaxies.
    signal_to_noise : (float, float), optional
        Range from which the brightest voxel over sigma is drawn, uniformly in its logarithm; None
        for cubes without noise.
    correlated : bool
        Whether neighbouring voxels share noise as those of the instrument do.
    cubes : CubeSet, optional
        Read from here instead of being rendered.
    rows : sequence of int, optional
        The rows of that set, one for each index.
    rendered : bool
        False for parameters and noise alone: the device renders.
    """

    def __init__(
        self,
        settings: CubeSettings,
        *,
        split: str,
        seed: int,
        size: int,
        signal_to_noise: tuple[float, float] | None = None,
        correlated: bool = True,
        cubes: CubeSet | None = None,
        rows: Sequence[int] | None = None,
        rendered: bool = True,
    ) -> None:
        self.settings, self.split, self.seed, self.size = settings, split, seed, size
        self.signal_to_noise, self.correlated = signal_to_noise, correlated
        self.cubes, self.rows, self.rendered = cubes, rows, rendered

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, item: int | tuple[int, int]) -> Item:
        """Return an item of a batch.

        Returns
        -------
        dict of ndarray, float32
            `cube` (1, v, y, x), `parameters` (P,) and `sigma` () of the noise in the cube. If the
            device renders: `parameters`, `noise` (1, v, y, x) of unit variance, and
            `signal_to_noise` ().
        """
        turn, index = item if isinstance(item, tuple) else (0, item)
        vector, cube = self._galaxy(index)
        noise, ratio = self._noise(index, turn)
        parameters = vector.astype(np.float32)
        if cube is None:
            told = np.asarray(ratio)
            return {"parameters": parameters, "noise": noise, "signal_to_noise": told}
        sigma = cube.max() / ratio
        return {"cube": cube + sigma * noise, "parameters": parameters, "sigma": sigma}

    def galaxy(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a cube (v, y, x) whose brightest voxel is 1, its smooth disk, its conditions."""
        vector, cube = self._galaxy(index)
        if cube is None:
            raise InputError("galaxies that the device renders have no cubes here")
        conditions = self.conditions_of(vector)
        # That of the conditions alone, which is what networks can know.
        smooth = smooth_renderer_for(self.settings)(_smooth_vector(conditions))
        peak = float(cube.max())
        conditions[_FLUX] /= peak
        return cube[0] / peak, smooth[0] / peak, conditions

    def conditions(self) -> np.ndarray:
        """Return the conditions (n, K) of all galaxies, without their fluxes in any unit."""
        return np.stack([self.conditions_of(self._vector(index)) for index in range(self.size)])

    def conditions_of(self, vector: np.ndarray) -> np.ndarray:
        """Return the conditions (K,) of a parameter vector, in the order of `CUBE_CONDITIONS`."""
        told = dict(zip(self.settings.model.names, vector, strict=True))
        told[SEEING] = frame_for(self.settings).psf_fwhm or 0.0
        return np.array([told[name] for name in CUBE_CONDITIONS], dtype=np.float32)

    def _vector(self, index: int) -> np.ndarray:
        if self.cubes is None:
            return np.asarray(self.settings.draw(self.seed, self.split, [index])[0])
        return np.asarray(self.cubes.parameters[self._row(index)])

    def _row(self, index: int) -> int:
        return index if self.rows is None else self.rows[index]

    def _galaxy(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the parameter vector and the noiseless cube (1, v, y, x)."""
        vector = self._vector(index)
        if self.cubes is not None:
            return vector, np.array(self.cubes.cubes[self._row(index)])[None]
        return vector, renderer_for(self.settings)(vector) if self.rendered else None

    def _noise(self, index: int, turn: int) -> tuple[np.ndarray, np.float32]:
        """Return noise of unit variance (1, v, y, x), and peak over sigma: infinite without any."""
        shape = (1, *self.settings.frame.shape)
        if self.signal_to_noise is None:
            return np.zeros(shape, np.float32), np.float32(np.inf)
        generator = noise_generator(self.seed, self.split, index, turn)
        ratio = np.exp(generator.uniform(*np.log(self.signal_to_noise)))
        correlation = frame_for(self.settings).correlation if self.correlated else None
        return draw_cube_noise(generator, shape, 1.0, correlation), np.float32(ratio)


def _smooth_vector(conditions: np.ndarray) -> np.ndarray:
    """Return the parameter vector (1, P) of the smooth disk of conditions (K,)."""
    told = dict(zip(CUBE_CONDITIONS, conditions.tolist(), strict=True))
    rows = DiskModel().table
    return np.array([[told.get(row.name, row.default) for row in rows]])
