"""Real cubes of galaxies whose parameters have been measured, made ready to train on."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from astropy.table import Row, Table
from torch.utils.data import Dataset

from clumpygan.data.augment import turned_cube, turned_parameters
from clumpygan.data.cubes.frame import CubeFrame
from clumpygan.data.cubes.settings import noise_generator
from clumpygan.data.splits import split_of
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, SEEING
from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.instruments.spread import blur_beyond
from clumpygan.io.catalog import named_columns
from clumpygan.io.cubes.reading import Cube, read_cube
from clumpygan.io.cubes.spectral_axis import air_of
from clumpygan.io.tables import read_table

Item = dict[str, np.ndarray]

TABLE = "results.ecsv"
"""Of fit.py, in the folder of the cubes, unless another is named."""

NEEDED = (
    "half_light_radius", "inclination", "position_angle", "maximum_velocity", "velocity_dispersion",
)  # fmt: skip
"""Parameters that the table must have; what else it lacks is taken as the default."""

_WIDTHS = 0.05
"""By which share channels may differ from those of the frame."""


@dataclass(frozen=True, eq=False)
class MeasuredCubes:
    """Real cubes on one grid.

    Attributes
    ----------
    names : tuple of str
    cubes : ndarray of shape (n, v, y, x), float32
        With their noise, in units of its typical sigma; masked voxels hold the smooth disk.
    smooth : ndarray of shape (n, v, y, x), float32
        The smooth disk of the parameters, in the same unit.
    noise_scale : ndarray of shape (n, v, y, x), float32
        Noise of each voxel over the typical one; 0 where voxels are masked.
    conditions : ndarray of shape (n, K), float32
        In the order of `CUBE_CONDITIONS`, in physical units, the flux in that of the cubes.
    """

    names: tuple[str, ...]
    cubes: np.ndarray
    smooth: np.ndarray
    noise_scale: np.ndarray
    conditions: np.ndarray

    def part(self, rows: Sequence[int]) -> "MeasuredCubes":
        """Return some of them."""
        chosen = list(rows)
        return MeasuredCubes(
            tuple(self.names[i] for i in chosen),
            *(
                array[chosen]
                for array in (self.cubes, self.smooth, self.noise_scale, self.conditions)
            ),
        )


def read_measured_cubes(
    root: Path,
    frame: CubeFrame,
    *,
    table: Path | None = None,
    seeing: float | None = None,
    accuracy: float = 1e-2,
) -> MeasuredCubes:
    """Read the cubes of a table of parameters, cut out around the line and the galaxy.

    Parameters
    ----------
    root : Path
        Folder with the FITS files.
    frame : CubeFrame
        Voxels and PSF of the training; the instrument and the line of the cubes.
    table : Path, optional
        `results.ecsv` of fit.py, or any table that astropy reads, with the columns `file` or
        `name`, `redshift` (else that of the frame), the parameters, and `psf_fwhm` in arcsec; rows
        whose `status` isn't "good" are left out. By default `results.ecsv` in the folder.
    seeing : float, optional
        FWHM of the PSF in arcsec, where the table doesn't say.
    accuracy : float
        Of the smooth disks over their brightest voxel.

    Raises
    ------
    InputError
        If there is no table, it lacks parameters, or a cube can't be read, has another shape than
        the others, other voxels than the frame, no variance, or is too small.
    """
    path = table or root / TABLE
    rows = _read_table(path)
    renderer = TorchCubeRenderer(frame.grid, DiskModel(), frame.transfer, accuracy)
    found, shapes = [], {}
    for row in rows:
        file = _file_of(row, root, path)
        cube = read_cube(file)
        shapes[cube.data.shape] = file
        if len(shapes) > 1:
            (first, one), (second, other) = list(shapes.items())[:2]
            raise InputError(
                f"{one} has the shape {first} and {other} {second}: expected cubes of one shape; "
                "cut them alike"
            )
        found.append(_Galaxy(cube, row, frame, seeing, file).prepared(renderer))
    names = tuple(str(_file_of(row, root, path).stem) for row in rows)
    cubes, smooth, scale, conditions = (np.stack(parts) for parts in zip(*found, strict=True))
    return MeasuredCubes(names, cubes, smooth, scale, conditions)


def _read_table(path: Path) -> Table:
    if not path.is_file():
        raise InputError(
            f"no table of parameters {path}: measure the cubes with fit.py, or name a table with "
            "data.table"
        )
    rows = read_table(path, "table of parameters")
    missing = [name for name in NEEDED if name not in rows.colnames]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}: found {named_columns(rows.colnames)}"
        )
    if "status" in rows.colnames:
        rows = rows[[str(status) == "good" for status in rows["status"]]]
    if not len(rows):
        raise InputError(f"{path} has no row of a galaxy that was measured")
    return rows


def _file_of(row: Row, root: Path, table: Path) -> Path:
    for column in ("file", "name"):
        if column in row.colnames:
            given = Path(str(row[column]))
            for file in (root / given.name, root / f"{given.name}.fits"):
                if file.is_file():
                    return file
    raise InputError(f"{table}: no cube of the row {dict(row)} in {root}"[:200])


class _Galaxy:
    """One cube and its row of the table."""

    def __init__(
        self, cube: Cube, row: Row, frame: CubeFrame, seeing: float | None, file: Path
    ) -> None:
        self.cube, self.row, self.frame, self.file = cube, row, frame, file
        if cube.variance is None:
            raise InputError(f"{file} has no variance: expected an extension STAT or the like")
        if abs(cube.pixel_scale / frame.grid.pixel_scale - 1) > 0.01:
            raise InputError(
                f"{file} has pixels of {cube.pixel_scale:.4g} arcsec, those of the training are "
                f"{frame.grid.pixel_scale:.4g}: set data.galaxies.frame.pixel_scale"
            )
        self.values = {one.name: one.default for one in DiskModel().table}
        self.values |= {name: float(row[name]) for name in CUBE_CONDITIONS if name in row.colnames}
        fwhm = float(row["psf_fwhm"]) if "psf_fwhm" in row.colnames else seeing
        self.values[SEEING] = (frame.psf_fwhm or 0.0) if fwhm is None else fwhm
        if not np.isfinite(list(self.values.values())).all():
            raise InputError(f"{file}: parameters that aren't finite in the table; leave it out")

    def prepared(self, renderer: TorchCubeRenderer) -> tuple[np.ndarray, ...]:
        """Return cube, smooth disk, scale of the noise and conditions."""
        window = self._window()
        mask = self.cube.mask[window]
        data = self.cube.data[window].astype(np.float64)
        sigma = np.sqrt(self.cube.variance[window].astype(np.float64))  # type: ignore[index]
        if mask.all():
            raise InputError(f"{self.file} is masked where the galaxy and the line should be")
        typical = float(np.median(sigma[~mask]))
        model = DiskModel()
        vector = torch.tensor([[self.values[name] for name in model.names]])
        vector[:, model.index("flux")] = 1.0
        seeing = torch.tensor([self.values[SEEING]])
        with torch.no_grad():
            blur = blur_beyond(seeing, self.frame.psf_fwhm or 0.0)
            smooth = renderer(vector, blur=blur)[0, 0].double().numpy()
        # The unit of the table's flux may be any: the flux is the one that fits the data best.
        weight = np.where(mask, 0.0, 1 / np.square(np.where(mask, 1.0, sigma)))
        flux = float((weight * data * smooth).sum() / (weight * smooth**2).sum())
        if not flux > 0:
            raise InputError(f"{self.file}: there is no light where the parameters put the galaxy")
        self.values["flux"] = flux / typical
        smooth *= flux / typical
        scale = np.where(mask, 0.0, sigma / typical)
        return (
            np.where(mask, smooth, data / typical).astype(np.float32),
            smooth.astype(np.float32),
            scale.astype(np.float32),
            np.array([self.values[name] for name in CUBE_CONDITIONS], dtype=np.float32),
        )

    def _window(self) -> tuple[slice, slice, slice]:
        """Choose the voxels around line and galaxy, and refer the parameters to them."""
        shape, scale = self.frame.grid.shape, self.frame.grid.pixel_scale
        velocities = self._velocities()
        width = abs(float(np.median(np.diff(velocities))))
        if abs(width / self.frame.grid.channel_width - 1) > _WIDTHS:
            raise InputError(
                f"{self.file} has channels of {width:.1f} km/s, those of the training are "
                f"{self.frame.grid.channel_width:.1f}: set data.galaxies.frame (redshift, lines, "
                "channel_width), or train on cubes of one redshift at a time"
            )
        centres = [
            float(np.interp(0.0, velocities, np.arange(velocities.size))),
            (self.cube.data.shape[1] - 1) / 2 + self.values["offset_y"] / scale,
            (self.cube.data.shape[2] - 1) / 2 + self.values["offset_x"] / scale,
        ]
        starts = [
            int(np.clip(round(centre - (side - 1) / 2), 0, size - side)) if size >= side else -1
            for centre, side, size in zip(centres, shape, self.cube.data.shape, strict=True)
        ]
        if min(starts) < 0:
            raise InputError(
                f"{self.file} has {self.cube.data.shape} voxels; expected at least {shape}: lower "
                "data.grid.size"
            )
        middles = [start + (side - 1) / 2 for start, side in zip(starts, shape, strict=True)]
        middle = float(np.interp(middles[0], np.arange(velocities.size), velocities))
        self.values["systemic_velocity"] -= middle
        self.values["offset_y"] = (centres[1] - middles[1]) * scale
        self.values["offset_x"] = (centres[2] - middles[2]) * scale
        v, y, x = (slice(start, start + side) for start, side in zip(starts, shape, strict=True))
        return v, y, x

    def _velocities(self) -> np.ndarray:
        """Return the velocities of the channels in km/s, about the frame's first line."""
        axis = self.cube.axis
        redshift = self.frame.redshift
        if "redshift" in self.row.colnames:
            redshift = float(self.row["redshift"])
        line = self.frame.lines[0]
        rest = float(air_of(line)) if axis.kind == "wavelength" and axis.medium == "air" else line
        velocities = axis.velocities(rest, redshift)
        if not velocities.min() < 0 < velocities.max():
            raise InputError(
                f"{self.file}: the line isn't in its channels at redshift {redshift:g}; set "
                "data.galaxies.frame.redshift and lines, or a column redshift"
            )
        return velocities


class MeasuredCubeDataset(Dataset[Item]):
    """Real cubes; items as those of `GalaxyCubeDataset`.

    `cube` has its own noise, and `noise` is 0; `second_noise`, for generated cubes, is as strong in
    each voxel as that of the real one, and correlated.

    Parameters
    ----------
    cubes : MeasuredCubes
    correlation : ndarray, optional
    split : str
    seed : int
    augment : bool
        See `GalaxyCubeDataset`.
    """

    def __init__(
        self,
        cubes: MeasuredCubes,
        *,
        correlation: np.ndarray | None,
        split: str,
        seed: int,
        augment: bool,
    ) -> None:
        self.cubes, self.correlation = cubes, correlation
        self.split, self.seed, self.augment = split, seed, augment

    def __len__(self) -> int:
        return len(self.cubes.names)

    def __getitem__(self, item: int | tuple[int, int]) -> Item:
        """Return an item of a batch, as `GalaxyCubeDataset` does."""
        turn, index = item if isinstance(item, tuple) else (0, item)
        name = zlib.crc32(self.cubes.names[index].encode())
        generator = noise_generator(self.seed, self.split, name, turn)
        shape = self.cubes.cubes[index].shape
        drawn = draw_cube_noise(generator, shape, 1.0, self.correlation)
        arrays = [self.cubes.cubes[index], self.cubes.smooth[index]]
        arrays.append(drawn * self.cubes.noise_scale[index])
        parameters = self.cubes.conditions[index]
        quarters, mirror = int(generator.integers(4)), bool(generator.integers(2))
        if self.augment and isinstance(item, tuple):
            arrays = [turned_cube(one, quarters, mirror) for one in arrays]
            parameters = turned_parameters(parameters, quarters, mirror)
        cube, smooth, noise = (np.ascontiguousarray(one, dtype=np.float32)[None] for one in arrays)
        return {
            "cube": cube,
            "smooth": smooth,
            "parameters": parameters,
            "signal_to_noise": np.float32(smooth.max()),
            "noise": np.zeros_like(cube),
            "second_noise": noise,
        }


def split_rows(cubes: MeasuredCubes, seed: int, split: str) -> MeasuredCubes:
    """Return the cubes of a split, which depends on their names.

    Raises
    ------
    InputError
        If there are fewer than two, of which no statistics can be made.
    """
    rows = [i for i, name in enumerate(cubes.names) if split_of(name, seed) == split]
    if len(rows) < 2:
        raise InputError(
            f"{len(rows)} of the {len(cubes.names)} cubes are in the {split} set, a tenth of them "
            "on average (train: the most); expected 2 at least: more cubes, or another seed"
        )
    return cubes.part(rows)
