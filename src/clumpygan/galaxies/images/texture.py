"""Light that is uneven in the plane of the disk: turbulence, flocculent arms, lanes of dust.

The smooth disk is drawn analytically; what the structure adds to it and takes from it is sampled on
a grid on the sky that is fine enough for the PSF. The two sum to the light of the disk.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from clumpygan.galaxies.geometry import Matrix
from clumpygan.galaxies.images.profiles import sersic_surface_brightness

REACH = 3.2
"""Half-light radii of the disk at which structure has faded."""

SMALLEST_WAVE = 0.22
"""Wavelength, in half-light radii, below which there is no turbulence."""

_TILE, _TILE_SIDE = 64, 2.0 * REACH + 0.4
_LANE_LENGTH = 1.2
"""Half-light radii: Gaussian sigma of lanes of dust along the major axis."""

_CORE = 0.15
_MOST_SAMPLES = 200

FloatArray = NDArray[np.float64]


class Map(NamedTuple):
    """Light on a grid of the sky: nJy in each sample, and where they are in arcsec.

    `values` is (y, x); `x` and `y` are relative to the centre of the galaxy.
    """

    values: FloatArray
    x: FloatArray
    y: FloatArray


def is_textured(galaxy: Mapping[str, Any]) -> bool:
    """Say whether the disk of a galaxy is uneven."""
    names = ("turbulence", "lopsidedness", "dust_depth")
    return any(galaxy.get(name, 0.0) > 0.0 for name in names)


@lru_cache(maxsize=64)
def turbulence(seed: int, slope: float) -> FloatArray:
    """Draw a Gaussian random field with the power spectrum k^slope, mean 0 and variance 1.

    Parameters
    ----------
    seed : int
    slope : float
        Of the power spectrum in two dimensions; -8/3 is Kolmogorov's, of a thin layer.

    Returns
    -------
    ndarray of shape (64, 64), float64
        7 half-light radii on a side, periodic.
    """
    generator = np.random.default_rng([seed, _TILE])
    amplitude = _amplitudes(slope)
    white = generator.standard_normal((2, *amplitude.shape), dtype=np.float32)
    field = scipy.fft.irfft2((white[0] + 1j * white[1]) * amplitude, s=(_TILE, _TILE))
    result: FloatArray = (field / field.std()).astype(np.float64)
    return result


@lru_cache(maxsize=64)
def _amplitudes(slope: float) -> NDArray[np.float32]:
    """Amplitudes of the waves of the tile."""
    k = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)) * _TILE
    k[0, 0] = 1.0
    amplitude = k ** (0.5 * slope) * (k < _TILE_SIDE / SMALLEST_WAVE)
    # waves as long as the disk are its lopsidedness and its profile
    amplitude[k < 2.0] = 0.0
    return np.asarray(amplitude, dtype=np.float32)


def modulation(galaxy: Mapping[str, Any], u: FloatArray, v: FloatArray) -> FloatArray:
    """Return the factor by which structure changes the light of the disk.

    Parameters
    ----------
    galaxy : mapping
        The columns of `clumpygan.galaxies.COLUMNS`.
    u, v : ndarray of one shape
        In the plane of the disk along its major and minor axis, in half-light radii.

    Returns
    -------
    ndarray of that shape
        Positive; 1 on average for turbulence, and beyond `REACH`.
    """
    radius = np.maximum(np.hypot(u, v), 1e-6)
    fade = radius**2 / (radius**2 + _CORE**2) * np.clip(2.0 - 2.0 * radius / REACH, 0.0, 1.0)
    factor = np.ones_like(radius)
    strength = galaxy.get("turbulence", 0.0)
    if strength > 0.0:
        # differential rotation winds up what is turbulent: flocculent arms
        turn = -np.log(np.maximum(radius, 0.1)) * galaxy["turbulence_winding"]
        cosine, sine = np.cos(turn), np.sin(turn)
        step = _TILE / _TILE_SIDE
        place = ((u * sine + v * cosine) * step, (u * cosine - v * sine) * step)
        field = turbulence(int(galaxy["turbulence_seed"]), float(galaxy["turbulence_slope"]))
        waves = map_coordinates(field, place, order=1, mode="grid-wrap")
        factor *= np.exp(strength * fade * waves - 0.5 * (strength * fade) ** 2)
    if galaxy.get("lopsidedness", 0.0) > 0.0:
        angle = np.radians(galaxy["lopsidedness_angle"])
        side = (u * np.cos(angle) + v * np.sin(angle)) / radius
        factor *= 1.0 + galaxy["lopsidedness"] * fade * np.minimum(radius, 1.0) * side
    if galaxy.get("dust_depth", 0.0) > 0.0:
        factor *= lane_transmission(
            u, v, galaxy["dust_depth"], galaxy["dust_offset"], galaxy["dust_width"]
        )
    return factor


def lane_transmission(
    u: FloatArray, v: FloatArray, depth: float, offset: float, width: float
) -> FloatArray:
    """Return the share of the light that passes a lane of dust along the major axis.

    Parameters
    ----------
    u, v : ndarray of one shape
        In the plane of the disk along its major and minor axis, in half-light radii.
    depth : float
        Optical depth in the middle of the lane.
    offset, width : float
        Of the lane along the minor axis, and its Gaussian sigma, in half-light radii.

    Returns
    -------
    ndarray of that shape
    """
    across = (v - offset) / width
    return np.asarray(np.exp(-depth * np.exp(-0.5 * (across**2 + (u / _LANE_LENGTH) ** 2))))


def texture_map(galaxy: Mapping[str, Any], to_sky: Matrix, light: float, finest_step: float) -> Map:
    """Sample what the structure of a disk adds to the smooth one; it sums to 0.

    Parameters
    ----------
    galaxy : mapping
        The columns of `clumpygan.galaxies.COLUMNS`.
    to_sky : ndarray of shape (2, 2)
        From the plane of the disk, in half-light radii, to arcsec.
    light : float
        Of the disk, nJy.
    finest_step : float
        Arcsec between samples, coarser for disks larger than 200 of them.

    Returns
    -------
    Map
    """
    half = REACH * np.sqrt(np.square(to_sky).sum(axis=1))
    step = max(finest_step, 2.0 * float(half.max()) / _MOST_SAMPLES)
    x, y = (step * np.arange(-np.ceil(h / step), np.ceil(h / step) + 1.0) for h in half)
    inverse = np.linalg.inv(to_sky)
    u = inverse[0, 0] * x + inverse[0, 1] * y[:, None]
    v = inverse[1, 0] * x + inverse[1, 1] * y[:, None]
    inside = u**2 + v**2 < REACH**2
    u, v = u[inside], v[inside]
    disk = sersic_surface_brightness(np.hypot(u, v), galaxy["disk_sersic_index"])
    disk *= light * step**2 / abs(np.linalg.det(to_sky))
    uneven = disk * modulation(galaxy, u, v)
    values = np.zeros(inside.shape)
    values[inside] = uneven * (disk.sum() / uneven.sum()) - disk
    return Map(values, x, y)
