"""What is fitted: a cube in flux per voxel, its noise, its grid, and the PSF it was seen with."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from astropy.units import UnitBase
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.measuring.signal_mask import noise_level
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.units import Beam

FloatArray = NDArray[np.float64]

_LARGEST_SIGNAL = 1e6
"""Signal-to-noise of a voxel beyond which data and variance can't belong together."""

_EDGE = 0.15
"""Share of the field on each side in which noise is looked for where there is no variance."""


class Frame(Protocol):
    """A grid, and with what it is seen; `data.cube_frame.CubeFrame` is one."""

    @property
    def grid(self) -> CubeGrid:
        """The voxels."""

    @property
    def transfer(self) -> Transfer | None:
        """Optical transfer function of the PSF."""

    @property
    def psf_fwhm(self) -> float | None:
        """Arcsec."""

    @property
    def correlation(self) -> NDArray[np.float64] | None:
        """Correlation of the noise in neighbouring voxels; None if they are independent."""


@dataclass(frozen=True, eq=False)
class ObservedFrame:
    """A frame: a grid, and with what it is seen.

    Attributes
    ----------
    grid : CubeGrid
    transfer : callable, optional
        Optical transfer function of the PSF.
    psf_fwhm : float, optional
        Arcsec.
    correlation : ndarray, optional
        Of the noise in neighbouring voxels, as `draw_cube_noise` takes it.
    """

    grid: CubeGrid
    transfer: Transfer | None = None
    psf_fwhm: float | None = None
    correlation: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class CubeLayout:
    """How the cube of a file is laid out: what is needed to write others like it.

    Attributes
    ----------
    axis, pixel_scale, wcs, unit, beam
        As those of `Cube`.
    per_voxel : float or ndarray (v, 1, 1)
        What data in that unit are multiplied with to be flux per voxel.
    """

    axis: SpectralAxis
    pixel_scale: float
    per_voxel: float | FloatArray = 1.0
    wcs: WCS | None = None
    unit: UnitBase | None = None
    beam: Beam | None = None


@dataclass(frozen=True, eq=False)
class Observation:
    """A cube to be fitted.

    Attributes
    ----------
    data : ndarray (v, y, x), float64
        Flux per voxel; 0 where the variance is infinite.
    variance : ndarray (v, y, x), float64
        Infinite where nothing is known.
    frame : Frame
    estimated : bool
        Whether the variance was estimated from the edges of the cube itself.
    flux_unit : str
        Of the line's flux.
    layout : CubeLayout, optional
        Of the file; without one, a cube on the grid of the frame is written.
    truth : dict of str to float
        Parameters of a mock, as far as they are known.
    """

    data: FloatArray
    variance: FloatArray
    frame: Frame
    estimated: bool = False
    flux_unit: str = ""
    layout: CubeLayout | None = None
    truth: Mapping[str, float] = field(default_factory=dict)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Voxels (v, y, x) of known flux."""
        return np.isfinite(self.variance)


def observe(
    data: ArrayLike,
    variance: ArrayLike | None,
    frame: Frame,
    *,
    mask: ArrayLike | None = None,
    flux_unit: str = "",
    name: str = "cube",
) -> Observation:
    """Check a cube and its noise.

    Parameters
    ----------
    data : array_like (v, y, x)
        Flux per voxel; NaN where unknown.
    variance : array_like (v, y, x), (v,) or a number, optional
        NaN, infinite, 0 or negative where unknown. Without it, it is estimated from the sides of
        the field, one number per channel, with an `InputWarning`.
    frame : Frame
    mask : array_like (v, y, x), (y, x) or (v,), optional
        True for voxels that aren't to be used.
    flux_unit : str
        Of the sum over voxels.
    name : str
        What messages call the cube.

    Raises
    ------
    InputError
        If shapes don't fit together, nothing is left to fit, or the PSF is wider than the field.
    """
    values = np.asarray(data, dtype=np.float64)
    shape = frame.grid.shape
    if values.shape != shape:
        raise InputError(f"{name}: shape {values.shape}; expected {shape}, that of the grid")
    width = frame.psf_fwhm
    field = frame.grid.pixel_scale * min(shape[1:])
    if width is not None and not width < field:
        raise InputError(
            f"{name}: the PSF is {width:.3g} arcsec wide, the field {field:.3g} arcsec; expected a "
            "PSF that fits into it"
        )
    known = np.isfinite(values)
    if not known.any():
        raise InputError(f"{name}: no voxel is a number; nothing to fit")
    if not values[known].any():
        raise InputError(f"{name}: all voxels are 0; nothing to fit")
    if mask is not None:
        known &= ~expanded(mask, shape, "mask", name).astype(bool)
    estimated = variance is None
    if variance is None:
        spread = np.broadcast_to(_noise_of_sides(values, known, name)[:, None, None], shape)
    else:
        spread = np.asarray(expanded(variance, shape, "variance", name), dtype=np.float64)
    known &= np.isfinite(spread) & (np.where(np.isfinite(spread), spread, 0.0) > 0)
    if not known.any():
        raise InputError(f"{name}: no voxel is left that has a variance and isn't masked")
    strongest = float(np.max(np.abs(values[known]) / np.sqrt(spread[known])))
    if strongest > _LARGEST_SIGNAL:
        raise InputError(
            f"{name}: a voxel is {strongest:.1e} times its noise, which none can be: give the "
            "variance of these data, or mask it"
        )
    return Observation(
        np.where(known, values, 0.0), np.where(known, spread, np.inf), frame, estimated, flux_unit
    )


def expanded(values: ArrayLike, shape: tuple[int, ...], what: str, name: str) -> np.ndarray:
    """Return a number, or an array (v, y, x), (y, x) or (v,), as one of a shape (v, y, x)."""
    array = np.asarray(values)
    if array.ndim == 1 and array.shape == shape[:1]:
        array = array[:, None, None]
    if array.ndim not in (0, 2, 3) or array.shape not in ((), shape, shape[1:], (shape[0], 1, 1)):
        raise InputError(
            f"{name}: {what} of shape {array.shape}; expected {shape}, {shape[1:]} or {shape[:1]}"
        )
    return np.broadcast_to(array, shape)


def _noise_of_sides(data: FloatArray, known: NDArray[np.bool_], name: str) -> FloatArray:
    """Return the variance (v,) from the voxels near the sides of the field, and warn."""
    _, rows, columns = data.shape
    deep = [max(1, round(_EDGE * n)) for n in (rows, columns)]
    side = np.ones((rows, columns), dtype=bool)
    side[deep[0] : rows - deep[0], deep[1] : columns - deep[1]] = False
    values = np.where(known & side, data, np.nan)
    level = noise_level(values)
    if not level > 0:
        raise InputError(
            f"{name}: no variance, and nothing below 0 at the sides of the field to estimate it "
            "from; give the variance"
        )
    channels = np.array([noise_level(channel) for channel in values])
    # A channel with few known voxels, or none, has the level of all.
    few = (np.isfinite(values) & (values < 0)).sum((1, 2)) < 20
    channels = np.where(few | (channels == 0), level, channels)
    warnings.warn(
        f"{name}: no variance; estimated from the sides of the field, {level:.3g} per voxel",
        InputWarning,
        stacklevel=3,
    )
    return np.asarray(channels**2)
