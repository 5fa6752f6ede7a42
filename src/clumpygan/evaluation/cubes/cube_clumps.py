"""Clumps of observed disks: what stands out of the smooth disk, how many, how bright, how large."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.evaluation.recovery.clumps import (
    INNER_WIDTH,
    NOISE_THRESHOLD,
    OUTER_WIDTH,
    local_peaks,
)

LEAST_SHARE = 0.01
"""Of the galaxy's flux: fainter peaks aren't called clumps."""

_FWHM_TO_SIGMA = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
_HALF_LIGHT = np.sqrt(2.0 * np.log(2.0))

FloatArray = NDArray[np.float64]


class CubeClumps(NamedTuple):
    """The clumps of N galaxies.

    Attributes
    ----------
    number : numpy.ndarray, (N,)
        Of each galaxy.
    light : numpy.ndarray, (N,)
        Share of its flux in them, each taken for a point source.
    share, radius : numpy.ndarray, (M,)
        Of all clumps of all galaxies: share of the flux of their galaxy, and half-light radius in
        arcsec without PSF (0 where it is no wider than that, NaN where it can't be measured).
    """

    number: NDArray[np.integer]
    light: FloatArray
    share: FloatArray
    radius: FloatArray


def clumps_of_disks(
    flux: FloatArray,
    smooth: FloatArray,
    seeing: FloatArray,
    pixel_scale: float,
    sigma: float = 0.0,
) -> CubeClumps:
    """Find the clumps of disks in maps of their flux.

    The smooth disk of the same parameters is taken off. A clump is a peak of the difference of
    Gaussians of 1 and 4 pixels of the rest that is as high as a point source of 1 % of the galaxy's
    flux is under its PSF, and above five times its noise. The outermost 4 pixels are left out. The
    radius follows from the curvature at the peak, that of a Gaussian.

    Parameters
    ----------
    flux : numpy.ndarray, (N, y, x)
        Maps of the galaxies.
    smooth : numpy.ndarray, (N, y, x)
        Of the smooth disks of the same parameters and flux.
    seeing : numpy.ndarray, (N,)
        FWHM of the PSF in arcsec.
    pixel_scale : float
        Arcsec.
    sigma : float
        Standard deviation of the noise in the difference of Gaussians; 0 without noise.

    Returns
    -------
    CubeClumps
    """
    rest = np.asarray(flux - smooth, dtype=np.float64)
    fine, coarse = (gaussian_filter(rest, (0, w, w)) for w in (INNER_WIDTH, OUTER_WIDTH))
    total = smooth.sum(axis=(1, 2))
    psf = np.square(seeing * _FWHM_TO_SIGMA / pixel_scale)
    # peak of the difference for a point source of unit flux
    response = (1 / (psf + INNER_WIDTH**2) - 1 / (psf + OUTER_WIDTH**2)) / (2 * np.pi)
    sharp = fine - coarse
    least = np.maximum(LEAST_SHARE * total * response, NOISE_THRESHOLD * sigma)
    peaks = local_peaks(sharp, least[:, None, None])
    galaxy, y, x = np.nonzero(peaks)
    share = sharp[galaxy, y, x] / (response * total)[galaxy]
    width = _widths(sharp, galaxy, y, x) - psf[galaxy]
    radius = _HALF_LIGHT * pixel_scale * np.sqrt(width.clip(0.0))
    number = np.bincount(galaxy, minlength=len(flux))
    light = np.asarray(np.bincount(galaxy, share, minlength=len(flux)), dtype=np.float64)
    return CubeClumps(number, light, share, np.where(np.isnan(width), np.nan, radius))


def difference_noise(noise: NDArray[np.floating]) -> float:
    """Return the standard deviation that noise has in the difference of Gaussians of flux maps.

    Parameters
    ----------
    noise : numpy.ndarray, (N, v, y, x)
        As it is in the cubes, without galaxies.
    """
    maps = noise.sum(axis=1, dtype=np.float64)
    fine, coarse = (gaussian_filter(maps, (0, w, w)) for w in (INNER_WIDTH, OUTER_WIDTH))
    border = int(OUTER_WIDTH)
    return float((fine - coarse)[:, border:-border, border:-border].std())


def _widths(
    sharp: FloatArray, galaxy: NDArray[np.int64], y: NDArray[np.int64], x: NDArray[np.int64]
) -> FloatArray:
    """Return squared widths in pixels of the Gaussians that fall off from peaks as these do."""
    peak = sharp[galaxy, y, x]
    beside = [sharp[galaxy, y + dy, x + dx] for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    falls = sum(beside) / (4 * peak)
    squares = np.linspace(0.05, 12.0, 400)
    inner, outer = squares + INNER_WIDTH**2, squares + OUTER_WIDTH**2
    table = np.exp(-0.5 / inner) / inner - np.exp(-0.5 / outer) / outer
    table /= 1 / inner - 1 / outer
    found = np.interp(falls, table, squares)
    return np.where((falls >= table[0]) & (falls <= table[-1]), found, np.nan)
