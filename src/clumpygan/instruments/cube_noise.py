"""Noise of cubes: how neighbouring voxels are correlated, measured and drawn.

Pipelines resample: they spread each detector pixel over neighbouring voxels, which then share its
noise. The variance extension (STAT) knows the variance of single voxels alone. In MUSE's UDF mosaic
it is right about that: data / sqrt(STAT) has a standard deviation of 1.01, so chi^2 per voxel of a
perfect model is 1. But a sum of many voxels is noisier than STAT says: 1.22 times for an aperture
in one channel, 1.17 times along the spectrum, 1.42 times for both, the square roots of the sums of
`MUSE_CORRELATION`. The errors of smooth parameters from a plain chi^2 fit are too small by as much,
and chi^2 itself scatters 6 % more than its degrees of freedom say.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from clumpygan.errors import InputError
from clumpygan.instruments.correlation import pair_correlation, source_free

_FEWEST_SPAXELS = 100
_CLIP = 5.0
_MAD_TO_SIGMA = 1.4826


def neighbour_correlation(spatial: float, spectral: float) -> NDArray[np.float64]:
    """Correlation of voxels that share edges, and none of farther ones.

    Parameters
    ----------
    spatial : float
        With the neighbour along x or y, 0 to 0.25; 0 on the diagonal.
    spectral : float
        With the next channel, 0 to 0.5; times `spatial` for the neighbours there.

    Returns
    -------
    numpy.ndarray
        Shape (3, 3, 3): (v, y, x), 1 in the middle.

    Raises
    ------
    InputError
        If no noise can be correlated like that: its power spectrum would be negative.
    """
    if not (0 <= spatial <= 0.25 and 0 <= spectral <= 0.5):
        raise InputError(
            f"correlations of {spatial} in space and {spectral} along the spectrum: expected 0 to "
            "0.25 and 0 to 0.5"
        )
    plane = np.array([[0, spatial, 0], [spatial, 1, spatial], [0, spatial, 0]])
    return np.asarray(np.multiply.outer([spectral, 1.0, spectral], plane))


MUSE_CORRELATION: NDArray[np.float64] = neighbour_correlation(0.12, 0.18)
"""Correlation of the voxels of MUSE's UDF mosaic (24 exposures, drizzled at several angles).

Measured by `measure_cube_noise` in 30x30 spaxels and 500 channels of it, 4750-5375 Angstrom: with
the neighbour along x 0.119, along y 0.117, on the diagonal -0.005, farther away within 0.006 of 0;
with the next channel 0.179, with the neighbours along x or y there 0.021 (the product of the two,
0.021), with the second channel -0.002; statistical errors 0.002. A single exposure is much alike
(Abell 478, 15 minutes, one resampling, 7000-7100 Angstrom): 0.13, 0.15, 0.02, next channel 0.15,
errors 0.005.
"""


@dataclass(frozen=True, eq=False)
class CubeNoise:
    """What was measured of a cube's noise.

    Attributes
    ----------
    scale : float
        Standard deviation of data / sqrt(variance): 1 where the variance extension is right.
    correlation : numpy.ndarray
        Shape (2 a + 1, 2 b + 1, 2 c + 1): coefficients at lags (v, y, x), 1 in the middle.
    """

    scale: float
    correlation: NDArray[np.float64]


def measure_cube_noise(
    data: ArrayLike,
    variance: ArrayLike,
    *,
    mask: NDArray[np.bool_] | None = None,
    lags: tuple[int, int, int] = (2, 3, 3),
) -> CubeNoise:
    """Measure the noise of a real cube in its source-free spaxels.

    Spaxels with a source in the mean over the channels are left out; each spaxel's median spectrum
    level and each channel's median are subtracted; values beyond 5 sigma are left out.

    Parameters
    ----------
    data, variance : array_like
        Shape (v, y, x).
    mask : numpy.ndarray, optional
        Shape (v, y, x) or (y, x), True for voxels not to be used.
    lags : tuple of int
        Largest lags along (v, y, x).

    Returns
    -------
    CubeNoise
        Scale of the variance, and correlation.

    Raises
    ------
    InputError
        If the shapes don't agree, or fewer than 100 spaxels are free of sources.
    """
    values, spread = (np.asarray(a, dtype=np.float64) for a in (data, variance))
    if values.ndim != 3 or values.shape != spread.shape:
        raise InputError(
            f"data of shape {values.shape} and variance of shape {spread.shape}: expected the same "
            "(v, y, x) for both"
        )
    good = np.isfinite(values) & np.isfinite(spread) & (spread > 0)
    if mask is not None:
        good &= ~np.broadcast_to(np.asarray(mask, dtype=bool), good.shape)
    residual = np.where(good, values, 0.0) / np.sqrt(np.where(good, spread, 1.0))
    count = good.sum(axis=0)
    free = source_free(residual.sum(axis=0) / np.maximum(count, 1), count == 0)
    if free.sum() < _FEWEST_SPAXELS:
        raise InputError(
            f"only {int(free.sum())} spaxels are free of sources, expected {_FEWEST_SPAXELS} or "
            "more to measure the noise: give a larger cube"
        )
    noise = _levelled(np.where(good & free, residual, np.nan))
    with np.errstate(invalid="ignore"):
        usable = np.abs(noise) < _CLIP * _MAD_TO_SIGMA * np.nanmedian(np.abs(noise))
    noise = np.where(usable, noise, 0.0)
    scale = float(np.sqrt((noise**2).sum() / usable.sum()))
    return CubeNoise(scale, pair_correlation(noise, usable, lags))


def _levelled(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise with the medians of its spaxels, then of its channels, subtracted; NaN stay."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice", category=RuntimeWarning)
        noise = noise - np.nanmedian(noise, axis=0)
        return np.asarray(noise - np.nanmedian(noise, axis=(1, 2))[:, None, None])


def draw_cube_noise(
    generator: np.random.Generator,
    shape: tuple[int, ...],
    sigma: ArrayLike,
    correlation: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Draw Gaussian noise for cubes.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
        (..., v, y, x).
    sigma : array_like
        Standard deviation of a voxel: one number, (v,) for one per channel, or any array that
        broadcasts to `shape`.
    correlation : numpy.ndarray, optional
        Coefficients at lags (v, y, x), odd sides, 1 in the middle, as `MUSE_CORRELATION`;
        independent voxels by default. Where sigma varies, voxels keep these coefficients.

    Returns
    -------
    numpy.ndarray
        Shape `shape`, float32, in the unit of sigma. Its variance extension is `sigma ** 2`.

    Raises
    ------
    InputError
        If sigma isn't finite and >= 0 or doesn't fit the shape, or the table isn't a correlation.
    """
    level = _fitting(sigma, shape)
    if correlation is None:
        return generator.standard_normal(shape, dtype=np.float32) * level
    _check_correlation(correlation)
    # Padded by the largest lag, so that opposite faces of the cube aren't neighbours.
    padded = tuple(
        fft.next_fast_len(n + side // 2, real=True)
        for n, side in zip(shape[-3:], correlation.shape, strict=True)
    )
    table = np.ascontiguousarray(correlation, dtype=np.float64)
    amplitude = _amplitude(table.tobytes(), table.shape, padded)
    white = generator.standard_normal((*shape[:-3], *padded), dtype=np.float32)
    axes = (-3, -2, -1)
    noise = fft.irfftn(fft.rfftn(white, axes=axes) * amplitude, padded, axes=axes)
    depth, height, width = shape[-3:]
    unit: NDArray[np.float32] = noise[..., :depth, :height, :width]
    return unit * level


def _fitting(sigma: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Sigma as an array that broadcasts to the shape of the cubes."""
    level = np.asarray(sigma, dtype=np.float32)
    if not (np.isfinite(level).all() and (level >= 0).all()):
        raise InputError("sigma of the noise: expected finite numbers, none below 0")
    if level.ndim == 1:
        level = level[:, None, None]
    try:
        fits = np.broadcast_shapes(level.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits or len(shape) < 3:
        raise InputError(
            f"sigma of shape {np.shape(sigma)} for noise of shape {tuple(shape)}: expected one "
            "number, one per channel (v,), or one per voxel of (..., v, y, x)"
        )
    return level


def _check_correlation(correlation: NDArray[np.float64]) -> None:
    sides = correlation.shape
    if len(sides) != 3 or not all(side % 2 for side in sides):
        raise InputError(f"noise correlation of shape {sides}, expected 3-D with odd sides")
    centre = float(correlation[tuple(side // 2 for side in sides)])
    if not abs(centre - 1) < 1e-6:
        raise InputError(f"noise correlation of {centre:g} at lag 0, expected 1")


@lru_cache(maxsize=8)
def _amplitude(
    correlation: bytes, sides: tuple[int, ...], padded: tuple[int, ...]
) -> NDArray[np.float32]:
    """Root of the power spectrum, kept: it takes longer than the noise of a small cube."""
    table = np.frombuffer(correlation).reshape(sides)
    return np.asarray(np.sqrt(_power(table, padded)), dtype=np.float32)


def _power(correlation: NDArray[np.float64], padded: tuple[int, ...]) -> NDArray[np.float64]:
    """Power spectrum (v, y, x half) of unit variance on a padded, periodic grid."""
    sides = correlation.shape
    if any(side > n for side, n in zip(sides, padded, strict=True)):
        raise InputError(
            f"noise correlation of shape {sides} for cubes padded to {padded}: expected lags that "
            "the cubes hold"
        )
    table = np.zeros(padded)
    table[tuple(slice(side) for side in sides)] = correlation
    table = np.roll(table, [-(side // 2) for side in sides], axis=(0, 1, 2))
    # A measured table is noisy: where its power falls below 0, the rest is scaled to unit variance.
    power = np.maximum(fft.fftn(table).real, 0)
    return np.asarray((power / power.mean())[..., : padded[2] // 2 + 1])
