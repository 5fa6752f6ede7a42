"""The variance of a cube, whichever way a file has it, and the voxels without an observation."""

import math
import warnings

import numpy as np
from astropy.io.fits import Header
from astropy.units import Unit, UnitBase

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.hdus import NoiseKind
from clumpygan.io.cubes.units import noise_factor

_POWER = {"variance": 2, "sigma": 1, "inverse variance": -2}
_SMALLEST, _LARGEST = 1e-12, 1e12


def as_variance(
    noise: np.ndarray, kind: NoiseKind, header: Header, unit: UnitBase | None
) -> np.ndarray:
    """Return the variance in the squared unit of the data.

    Parameters
    ----------
    noise : numpy.ndarray
        As in the file; values of 0 or below stay so, NaN stays NaN.
    kind : str
        What the file holds.
    header : astropy.io.fits.Header
        Of the noise.
    unit : astropy.units.UnitBase or None
        Of the data.
    """
    factor = noise_factor(str(header.get("BUNIT", "")), unit, _POWER[kind])
    if kind == "variance" and factor == 1:
        return noise
    noise = noise.astype(np.float64) * factor
    if kind == "sigma":
        return np.where(noise > 0, noise**2, noise)
    if kind == "inverse variance":
        return np.divide(1.0, noise, out=np.full_like(noise, np.nan), where=noise > 0)
    return noise


def find_mask(
    data: np.ndarray, variance: np.ndarray | None, flags: np.ndarray | None, name: str
) -> np.ndarray:
    """Return where there is no observation, and say what is odd about it.

    Parameters
    ----------
    data, variance : numpy.ndarray
        (v, y, x); masked where not finite, or where the variance isn't positive.
    flags : numpy.ndarray, optional
        (v, y, x); masked where not 0.
    name : str
        What to call the file in a message.

    Raises
    ------
    InputError
        If no voxel is left.
    """
    mask: np.ndarray = ~np.isfinite(data)
    if mask.all():
        raise InputError(f"{name}: all voxels are NaN; expected an observation")
    blank = mask.all(axis=(1, 2))
    if blank.any():
        _warn(f"{name}: {blank.sum()} of {len(blank)} channels are all NaN; they are masked")
    if flags is not None:
        mask = mask | (flags != 0)
        if mask.all():
            raise InputError(f"{name}: all voxels are flagged or NaN; expected an observation")
    if variance is None:
        return mask
    for what, bad in (("NaN", np.isnan(variance)), ("zero or negative", variance <= 0)):
        count, valid = int((bad & ~mask).sum()), int((~mask).sum())
        if count and count == valid:
            raise InputError(
                f"{name}: the variance is {what} wherever there are data; expected positive values"
            )
        if count:
            _warn(f"{name}: the variance is {what} in {count} voxels with data; they are masked")
        mask = mask | bad
    mask = mask | np.isinf(variance)
    if mask.all():
        raise InputError(f"{name}: no voxel has both data and a variance; expected some")
    return mask


def for_float32(
    data: np.ndarray, variance: np.ndarray | None, mask: np.ndarray, unit: UnitBase | None
) -> tuple[np.ndarray, np.ndarray | None, UnitBase | None]:
    """Return data and variance as float32, in a unit in which the variance fits.

    Fluxes of 1e-20 erg/s/cm2 have variances that float32 doesn't know from 0: then the unit takes
    a power of ten as its factor. Masked voxels have data 0 and an infinite variance.
    """
    valid = ~mask
    if variance is not None:
        typical = float(np.sqrt(np.median(variance[valid])))
    else:
        typical = float(np.abs(data[valid]).max())
    if typical > 0 and not _SMALLEST < typical < _LARGEST:
        factor = 10.0 ** math.floor(math.log10(typical))
        unit = Unit(factor) if unit is None else Unit(factor * unit)
        data = data.astype(np.float64) / factor
        variance = None if variance is None else variance.astype(np.float64) / factor / factor
    scaled = data.astype(np.float32)
    scaled[mask] = 0.0
    if variance is None:
        return scaled, None, unit
    variance = variance.astype(np.float32)
    variance[mask] = np.inf
    return scaled, variance, unit


def _warn(message: str) -> None:
    warnings.warn(message, InputWarning, stacklevel=4)
