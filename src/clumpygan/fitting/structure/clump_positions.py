"""Where clumps may be: the peaks of what a smooth disk leaves."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.fitting.observation import Observation
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.points import sky_axes
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_OF_LINE = 0.02
"""Share of the peak of the model's spectrum above which residuals of channels are looked at."""

_FRACTIONS = (0.01, 0.4)
"""Shares of the light with which the fit of clumps begins."""

_FARTHEST = 3.0
"""Half-light radii from the centre within which clumps are looked for."""


def clump_positions(
    observation: Observation,
    model_cube: NDArray[np.floating],
    vector: FloatArray,
    model: DiskModel,
    count: int,
) -> dict[str, float]:
    """Return places and fluxes of clumps, the brightest first.

    Each is at the largest peak of the residual of the smooth model, seen by a matched filter of the
    width of the PSF; a point source of its flux is taken off before the next is looked for.

    Parameters
    ----------
    observation : Observation
    model_cube : ndarray (v, y, x)
        Of the smooth disk.
    vector : ndarray (P,)
        Its parameters.
    model : DiskModel
        The smooth one.
    count : int
        How many.

    Returns
    -------
    dict
        `clump_1_fraction`, `clump_1_x`, `clump_1_y`, and so on.
    """
    grid = observation.frame.grid
    line = model_cube.sum((1, 2))
    channels = line > _OF_LINE * line.max()
    known = observation.valid[channels]
    residual = np.where(known, observation.data[channels] - model_cube[channels], 0.0).sum(0)
    noise = np.where(known, observation.variance[channels], 0.0).sum(0)
    weight = np.divide(1.0, noise, out=np.zeros_like(noise), where=noise > 0)
    width = max((observation.frame.psf_fwhm or 0.0) / grid.pixel_scale / FWHM_PER_SIGMA, 0.5)
    y, x = np.indices(residual.shape, dtype=float)
    u, v = _in_plane(x, y, vector, model, grid.pixel_scale)
    outside = np.hypot(u, v) > _FARTHEST
    total = vector[model.index("flux")] * vector[model.index("magnification")]
    found: dict[str, float] = {}
    for number in range(1, count + 1):
        matched = ndimage.gaussian_filter(residual * weight, width, mode="constant")
        norm = ndimage.gaussian_filter(weight, width / np.sqrt(2), mode="constant")
        # The response of the filter to a point of flux 1 is the squared PSF, of this sum.
        flux = 4 * np.pi * width**2 * np.divide(
            matched, norm, out=np.zeros_like(matched), where=norm > 0
        )  # fmt: skip
        flux[outside] = -np.inf
        row, column = np.unravel_index(int(np.argmax(flux)), flux.shape)
        share = float(np.clip(flux[row, column] / total, *_FRACTIONS))
        name = f"clump_{number}_"
        found |= {
            f"{name}fraction": share,
            f"{name}x": float(u[row, column]),
            f"{name}y": float(v[row, column]),
        }
        point = np.exp(-0.5 * ((x - column) ** 2 + (y - row) ** 2) / width**2)
        residual = residual - share * total * point / point.sum()
    return found


def _in_plane(
    x: FloatArray, y: FloatArray, vector: FloatArray, model: DiskModel, pixel_scale: float
) -> tuple[FloatArray, FloatArray]:
    """Return where pixels are in the plane of the disk, in half-light radii along its axes."""
    rows, columns = x.shape
    right = (x - 0.5 * (columns - 1)) * pixel_scale - vector[model.index("offset_x")]
    up = (y - 0.5 * (rows - 1)) * pixel_scale - vector[model.index("offset_y")]
    major_x, major_y, minor_x, minor_y, *_ = sky_axes.py_func(vector, 0.0)
    # Edge-on, all depths of the disk are seen at once: the nearest to the major axis is as good.
    axes = np.array([[major_x, minor_x], [major_y, minor_y]])
    inverse = np.linalg.pinv(axes, rcond=0.15)
    u, v = np.einsum("ij,jyx->iyx", inverse, np.stack([right, up]))
    radius = vector[model.index("half_light_radius")]
    return u / radius, v / radius
