"""Maps of flux, velocity and dispersion of many cubes, as they were observed or without noise."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.moments import moments
from clumpygan.galaxies.rendering.grid import CubeGrid

FAINTEST_SHARE = 0.1
"""Of the brightest spaxel: fainter ones of cubes without noise are left out of the maps."""

Cubes = NDArray[np.floating]
FloatArray = NDArray[np.float64]


class Frame(Protocol):
    """Where a cube was observed."""

    @property
    def grid(self) -> CubeGrid:
        """The voxels."""

    @property
    def velocities(self) -> FloatArray:
        """Centres of the channels (v,) in km/s."""


@dataclass(frozen=True, eq=False)
class CubeAxes:
    """What has to be known of the voxels to measure cubes.

    Attributes
    ----------
    velocities : numpy.ndarray, (v,)
        Centres of the channels in km/s.
    pixel_scale : float
        Arcsec.
    line_spread : float
        Standard deviation of the line spread function in km/s.
    channel_response : bool
        Whether the width of the channels comes on top of it.
    """

    velocities: FloatArray
    pixel_scale: float
    line_spread: float = 0.0
    channel_response: bool = True

    @classmethod
    def of(cls, frame: Frame) -> "CubeAxes":
        """Return those of a frame (`data.cube_frame.CubeFrame`) of one line."""
        grid = frame.grid
        spread = float(np.mean(grid.line_spread))
        return cls(frame.velocities, grid.pixel_scale, spread, grid.channel_response)


@dataclass(frozen=True, eq=False)
class LineMaps:
    """Maps (N, y, x), float64, of many cubes; velocity and dispersion are NaN where unknown.

    Attributes
    ----------
    flux : numpy.ndarray
        Sum over all channels, whatever the mask, in the unit of the cubes.
    velocity, dispersion : numpy.ndarray
        In km/s, see `clumpygan.galaxies.measuring.moments`.
    velocity_error : numpy.ndarray
        One sigma in km/s; 0 for cubes without noise, NaN where the velocity is.
    """

    flux: FloatArray
    velocity: FloatArray
    dispersion: FloatArray
    velocity_error: FloatArray

    def __len__(self) -> int:
        return len(self.flux)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the velocity is known, (N, y, x)."""
        return np.isfinite(self.velocity)


def line_maps(
    cubes: Cubes, axes: CubeAxes, *, noisy: bool, faintest: float = FAINTEST_SHARE
) -> LineMaps:
    """Measure the maps of many cubes.

    Parameters
    ----------
    cubes : numpy.ndarray, (N, v, y, x)
        In units of the noise of a voxel, without continuum.
    axes : CubeAxes
    noisy : bool
        Whether they hold noise of unit variance: then spaxels count where the line stands out of it
        (`galaxies.signal_mask`, S/N of the flux 3 at least).
    faintest : float
        Without noise spaxels count that have this share of the flux of the brightest.

    Returns
    -------
    LineMaps

    Raises
    ------
    InputError
        If the shapes don't fit together.
    """
    if cubes.ndim != 4 or cubes.shape[1] != len(axes.velocities):
        raise InputError(
            f"cubes of shape {cubes.shape}: expected (N, {len(axes.velocities)}, y, x), as many "
            "channels as there are velocities"
        )
    flux = cubes.sum(axis=1, dtype=np.float64)
    velocity, dispersion, error = (np.full(flux.shape, np.nan) for _ in range(3))
    variance = np.ones(len(axes.velocities)) if noisy else None
    for place, cube in enumerate(cubes):
        found = moments(
            cube,
            axes.velocities,
            variance=variance,
            line_spread=axes.line_spread,
            channel_response=axes.channel_response,
        )
        bright = found.mask if noisy else found.mask & (flux[place] >= faintest * flux[place].max())
        velocity[place] = np.where(bright, found.velocity, np.nan)
        dispersion[place] = np.where(bright, found.dispersion, np.nan)
        known = found.velocity_error if noisy else np.zeros_like(found.velocity)
        error[place] = np.where(bright, known, np.nan)
    return LineMaps(flux, velocity, dispersion, error)
