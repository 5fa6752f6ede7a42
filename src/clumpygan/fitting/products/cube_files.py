"""Cubes of a fit as FITS files, in the unit and on the grid of the data."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.observation import CubeLayout
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.writing import write_cube

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult


def write_fit_cube(path: Path, result: "FitResult", cube: NDArray[np.floating]) -> None:
    """Write a cube (v, y, x), flux per voxel, on the grid of what was fitted.

    Parameters
    ----------
    path : Path
    result : FitResult
    cube : ndarray (v, y, x)
    """
    layout = result.observation.layout or _layout_of(result.observation.frame.grid)
    units = {row.name: row.unit for row in result.coordinates.model.table if row.unit}
    if result.observation.flux_unit:
        units["flux"] = result.observation.flux_unit
    write_cube(
        path,
        cube / layout.per_voxel,
        axis=layout.axis,
        pixel_scale=layout.pixel_scale,
        wcs=layout.wcs,
        unit=layout.unit,
        beam=layout.beam,
        parameters=result.values,
        comments=units,
    )


def _layout_of(grid: CubeGrid) -> CubeLayout:
    """Return the layout of a cube of velocities."""
    centres = grid.centres[0]
    axis = SpectralAxis("velocity", float(centres[0]), grid.channel_width, len(centres))
    return CubeLayout(axis, grid.pixel_scale)
