"""Galaxies as the maps of others were seen: through their PSF, spaxels, masks, bins and errors.

A made galaxy takes the place of an observed one. What then differs is how the two move, and no
longer what is assumed of the noise of the observed map when it is matched: the same is assumed of
both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from clumpygan.evaluation.cubes.velocity_fields import (
    LEAST_SPAXELS,
    FieldDisk,
    Smoothing,
    VelocityField,
    fit_disk,
)

FloatArray = NDArray[np.float64]

ALIKE = 8
"""Observed maps of the nearest axis ratios, of which a made galaxy gets one at random."""


@dataclass(frozen=True, eq=False)
class SeenField:
    """An observed map, in whose place others can be put.

    Attributes
    ----------
    field : VelocityField
        Not matched.
    disk : FieldDisk
    """

    field: VelocityField
    disk: FieldDisk

    @classmethod
    def of(cls, field: VelocityField) -> "SeenField":
        """Fit the disk of a map."""
        return cls(field, fit_disk(field))

    @property
    def beams(self) -> float:
        """FWHM of the PSF in the radius out to which it is known."""
        return self.disk.reach / self.field.fwhm

    @cached_property
    def bins(self) -> NDArray[np.intp]:
        """Number of the bin of each known spaxel (K,): those of one velocity share one."""
        values = self.field.velocity[self.field.known]
        return np.asarray(np.unique(values, return_inverse=True)[1])


def choose_seen(
    made: SeenField, observed: Sequence[SeenField], generator: np.random.Generator
) -> SeenField | None:
    """Choose in whose place a galaxy is put.

    At random of the `ALIKE` that are the nearest in apparent axis ratio: bins and edges follow the
    light. None that has more beams than the galaxy; None if all have.
    """
    coarse = [one for one in observed if one.beams <= made.beams]
    coarse.sort(key=lambda one: abs(one.disk.axis_ratio - made.disk.axis_ratio))
    return coarse[int(generator.integers(min(len(coarse), ALIKE)))] if coarse else None


def see_field(
    made: SeenField, observed: SeenField, generator: np.random.Generator
) -> VelocityField | None:
    """Put a galaxy in the place of an observed one.

    It is turned and scaled to the position angle, reach and amplitude of that one, blurred to
    its PSF, sampled on its spaxels where it is known, averaged within its bins, and given noise of
    its errors. Noise of neighbours correlates by exp(-d^2 / (4 s^2)), s being `noise_width`: in
    cubes of MaNGA by a Gaussian of sqrt(2) s = 1.92 spaxels (Westfall et al. 2019, AJ 158, 231,
    sect. 6.2), and as much in the maps made of them, as far as is known.

    Parameters
    ----------
    made : SeenField
        Without noise, with light, and of as many beams at least.
    observed : SeenField
    generator : numpy.random.Generator
        Of the noise.

    Returns
    -------
    VelocityField or None
        With the light, without noise, if the observed map has light. None if hardly a
        spaxel is left.

    Raises
    ------
    ValueError
        If the galaxy has fewer beams.
    """
    if made.beams < observed.beams:
        raise ValueError(f"{made.beams:.2f} beams; expected {observed.beams:.2f} or more")
    seen = observed.field
    scale = made.disk.reach / observed.disk.reach
    smoothed = Smoothing.of(made.field, scale * seen.fwhm)
    places = _places(seen.velocity.shape, made.disk, observed.disk, scale)
    blurred = np.where(smoothed.seen, smoothed(made.field.velocity), np.nan)
    velocity, light = (
        map_coordinates(image, places, order=1, cval=np.nan) for image in (blurred, smoothed.total)
    )
    # Bins lose what the galaxy doesn't cover.
    covered = np.isfinite(velocity[seen.known])
    known = seen.known & np.isfinite(velocity)
    if known.sum() < LEAST_SPAXELS:
        return None
    bins = np.unique(observed.bins[covered], return_inverse=True)[1]
    weight = light[known].clip(1e-12 * np.nanmax(light))
    mean = np.bincount(bins, weight * velocity[known]) / np.bincount(bins, weight)
    bare = VelocityField(seen.name, _spread(known, mean[bins]), seen.error, seen.fwhm)
    mean *= seen.amplitude / max(bare.amplitude, 1e-9)
    error = np.bincount(bins, seen.error[known]) / np.bincount(bins)
    mean += error * _noise_of_bins(known, bins, seen.noise_width, generator)
    return VelocityField(
        f"{made.field.name} as {seen.name}",
        _spread(known, mean[bins]),
        _spread(known, error[bins]),
        seen.fwhm,
        None if seen.light is None else np.where(known, light, np.nan),
        noise_width=seen.noise_width,
    )


def _places(
    shape: tuple[int, ...], made: FieldDisk, observed: FieldDisk, scale: float
) -> tuple[FloatArray, FloatArray]:
    """Return where (y, x) in the map of the made galaxy each spaxel of the observed one is."""
    y, x = np.indices(shape, dtype=np.float64)
    turn = np.radians(made.position_angle - observed.position_angle)
    dx, dy = scale * (x - observed.x), scale * (y - observed.y)
    return (
        made.y + np.sin(turn) * dx + np.cos(turn) * dy,
        made.x + np.cos(turn) * dx - np.sin(turn) * dy,
    )


def _spread(known: NDArray[np.bool_], values: FloatArray) -> FloatArray:
    """Return a map of the values of its known spaxels."""
    image = np.full(known.shape, np.nan)
    image[known] = values
    return image


def _noise_of_bins(
    known: NDArray[np.bool_],
    bins: NDArray[np.intp],
    width: float,
    generator: np.random.Generator,
) -> FloatArray:
    """Draw noise of unit variance for each bin: means of a map of correlated noise."""
    noise = gaussian_filter(generator.standard_normal(known.shape), width, mode="wrap")
    total = np.bincount(bins, noise[known])
    variance = np.empty(len(total))
    rows, columns = np.nonzero(known)
    order = np.argsort(bins, kind="stable")
    kernel = np.zeros(known.shape)
    kernel[known.shape[0] // 2, known.shape[1] // 2] = 1.0
    one = (gaussian_filter(kernel, width, mode="wrap") ** 2).sum()
    for place, members in enumerate(np.split(order, np.cumsum(np.bincount(bins))[:-1])):
        squares = sum(np.subtract.outer(at[members], at[members]) ** 2 for at in (rows, columns))
        variance[place] = one * np.exp(-squares / (4 * width**2)).sum()
    return np.asarray(total / np.sqrt(variance))
