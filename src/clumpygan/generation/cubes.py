"""Velocity cubes of galaxies from a trained network: what `generate.py cubes` makes."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.data.cubes.frame import CubeFrame
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.disks.cube_conditions import GAS_CONDITIONS
from clumpygan.gan.cubes import BATCH, UntrainedError
from clumpygan.generation.cube_files import GIVEN, CubeFiles
from clumpygan.generation.cube_maker import PER_PAGE, CubeMaker, MadeCube
from clumpygan.generation.network_cubes import NetworkCubeMaker
from clumpygan.generation.settings import (
    CUBE_NETWORKS,
    NETWORK,
    CubesSettings,
    names_of,
    sort_choices,
)
from clumpygan.generation.true_cubes import TrueCubeMaker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clumpygan.galaxies import CubeGrid

Progress = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class GeneratedCubes:
    """Cubes of galaxies, and what was asked for.

    Attributes
    ----------
    cubes : ndarray (n, v, y, x), float32
        With noise, if there is any; 1e-20 erg s-1 cm-2 Angstrom-1 with an instrument.
    variance : ndarray (n, v, y, x) or None
    table : Table
        Parameters of each cube.
    frame : CubeFrame
        Spectral axis, PSF and instrument.
    seed : int
    """

    cubes: NDArray[np.float32]
    variance: NDArray[np.float32] | None
    table: Table
    frame: CubeFrame
    seed: int
    _maker: CubeMaker
    _made: list[MadeCube]

    @property
    def grid(self) -> CubeGrid:
        """Voxels, for the renderers."""
        return self.frame.grid

    def plot(self) -> Figure:
        """Return the first of the `pages`."""
        return next(self.pages())

    def pages(self) -> Iterator[Figure]:
        """Draw all galaxies, a row each: maps, channels, slit and spectrum, six on a page."""
        for first in range(0, len(self.cubes), PER_PAGE):
            cubes = [(one.data, one.variance) for one in self._made[first : first + PER_PAGE]]
            yield self._maker.page(self.seed, first, len(self.cubes), cubes)

    def write(self, path: str | Path) -> None:
        """Write one cube to a file; of several, the table, and each cube into a folder beside."""
        files = CubeFiles(self._maker, Path(path), len(self.cubes), self.seed, GIVEN)
        for cube in self._made:
            files.write(cube)
        files.write_table()


def generate_cubes(
    n: int = 16, *, progress: Progress = lambda done: None, **choices: Any
) -> GeneratedCubes:
    """Generate velocity cubes of clumpy galaxies of given parameters, from a trained network.

    Parameters
    ----------
    n : int
        Number of galaxies.
    progress : callable, optional
        Called with the number of cubes of each batch.
    **choices
        Ranges (LOW, HIGH), or numbers, of what the network is told of a galaxy (`inclination`,
        `maximum_velocity`, `seeing`, ...), and fields of `CubesSettings` (`seed`, `checkpoint`,
        `signal_to_noise`, `shape`, ...).

    Returns
    -------
    GeneratedCubes

    Raises
    ------
    InputError
        For an unknown name, or values that the training didn't see.

    Examples
    --------
    >>> bool(generate_cubes(2, inclination=(40, 70), seed=1).table["inclination"].max() <= 70)
    True
    """
    maker = _maker(n, choices)
    wanted = maker.settings
    seed = secrets.randbelow(2**31) if wanted.seed is None else wanted.seed
    made: list[MadeCube] = []
    for begin in range(0, wanted.n, BATCH):
        made += maker.make(seed, range(begin, min(begin + BATCH, wanted.n)))
        progress(len(made) - begin)
    variances = [cube.variance for cube in made if cube.variance is not None]
    return GeneratedCubes(
        cubes=np.stack([cube.data for cube in made]),
        variance=np.stack(variances) if variances else None,
        table=maker.table(seed, wanted.n),
        frame=maker.frame,
        seed=seed,
        _maker=maker,
        _made=made,
    )


def write_cubes(
    output: str | Path, n: int = 16, *, progress: Progress = lambda done: None, **choices: Any
) -> CubeFiles:
    """Generate velocity cubes into files, one at a time; what is there already stays.

    Parameters
    ----------
    output : str or Path
        The cube, or the table of several, whose cubes go to a folder of its name.
    n, progress, **choices
        See `generate_cubes`.

    Returns
    -------
    CubeFiles
        What was written.

    Raises
    ------
    InputError
        As `generate_cubes`, or if the folder holds cubes of other settings.
    """
    files = CubeFiles.prepare(_maker(n, choices), output)
    files.make(files.missing(), progress)
    files.write_table()
    return files


def _maker(n: int, choices: Mapping[str, Any]) -> CubeMaker:
    own, conditions = sort_choices(choices, names_of(CubesSettings), GAS_CONDITIONS)
    return cube_maker(CubesSettings(n=n, **own), conditions)


def cube_maker(settings: CubesSettings, conditions: Mapping[str, Any]) -> CubeMaker:
    """Return what makes the cubes that are asked for: a network, or a population.

    Raises
    ------
    InputError
        For values that there are none of.
    """
    if settings.population != NETWORK:
        return TrueCubeMaker.of(settings, conditions)
    names = CUBE_NETWORKS if settings.checkpoint is None else (settings.checkpoint,)
    for name in names[:-1]:
        with suppress(UntrainedError):
            return NetworkCubeMaker.of(replace(settings, checkpoint=name), conditions)
    try:
        return NetworkCubeMaker.of(replace(settings, checkpoint=names[-1]), conditions)
    except UntrainedError as problem:
        for name in set(CUBE_NETWORKS) - set(names):
            if _has_seen(replace(settings, checkpoint=name), conditions):
                raise UntrainedError(f"{problem}; `checkpoint` {name} has seen it") from None
        raise


def _has_seen(settings: CubesSettings, conditions: Mapping[str, Any]) -> bool:
    """Return whether a network was trained on what is asked for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            NetworkCubeMaker.of(settings, conditions)
    except InputError:
        return False
    return True
