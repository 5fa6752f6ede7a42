"""Velocity maps as a fit takes them: spaxels that were binned together count once."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.errors import InputError
from clumpygan.fitting.observation import CubeLayout, Observation, ObservedFrame
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.galaxies.rendering.velocity_field import VelocityFieldRenderer
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.velocity_map import VelocityMap

FloatArray = NDArray[np.float64]

_FEWEST = 12
"""Independent velocities that a fit takes."""

_ROUNDED = 0.9
"""Share of velocities that are whole numbers, above which equal ones are no bins."""


@dataclass(frozen=True, eq=False)
class MapObservation(Observation):
    """A velocity map to be fitted; data and variance are (1, y, x).

    Attributes
    ----------
    bins : ndarray (y, x), int
        Number of the bin of each spaxel, -1 where nothing is known.
    light : ndarray (y, x), optional
        Flux.
    """

    bins: NDArray[np.intp] | None = None
    light: FloatArray | None = None

    @property
    def reference(self) -> float:
        """The median velocity, from which the fit counts."""
        return float(np.median(self.data[self.valid]))

    def binned(self) -> Observation:
        """Return the velocities (1, 1, bins), relative to the median, with their variances."""
        assert self.bins is not None
        known = self.bins >= 0
        _, first = np.unique(self.bins[known], return_index=True)
        values = self.data[0][known][first] - self.reference
        variance = self.variance[0][known][first]
        return replace(self.plain(), data=values[None, None], variance=variance[None, None])

    def plain(self) -> Observation:
        """Return the observation without bins and light."""
        return Observation(
            self.data, self.variance, self.frame, self.estimated, self.flux_unit, self.layout,
            self.truth,
        )  # fmt: skip

    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the spaxels (y, x) that the bins are nearest to with their middles (bins,)."""
        assert self.bins is not None
        count = int(self.bins.max()) + 1
        inside = self.bins >= 0
        rows, columns = np.nonzero(inside)
        size = np.bincount(self.bins[inside], minlength=count)
        y = np.bincount(self.bins[inside], rows, count) / size
        x = np.bincount(self.bins[inside], columns, count) / size
        return np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)


def observe_map(
    found: VelocityMap, psf: Transfer | None = None, psf_fwhm: float | None = None
) -> MapObservation:
    """Prepare a velocity map.

    Parameters
    ----------
    found : VelocityMap
    psf : Transfer, optional
        Optical transfer function.
    psf_fwhm : float, optional
        Arcsec.

    Raises
    ------
    InputError
        If there are too few velocities, or all are the same.
    """
    name = str(found.path) if found.path.name else "map"
    known = found.known
    values = found.velocity[known]
    bins = spatial_bins(found)
    count = int(bins.max()) + 1
    if count < _FEWEST:
        raise InputError(f"{name}: {count} independent velocities; expected {_FEWEST} or more")
    low, high = float(values.min()), float(values.max())
    if not high > low:
        raise InputError(f"{name}: all velocities are {low:g} km/s; expected a rotating galaxy")
    if psf_fwhm is not None and not psf_fwhm < found.pixel_scale * min(known.shape):
        raise InputError(
            f"{name}: the PSF is {psf_fwhm:.3g} arcsec wide, the field "
            f"{found.pixel_scale * min(known.shape):.3g} arcsec; expected a PSF that fits into it"
        )
    grid = CubeGrid((1, *known.shape), found.pixel_scale, np.array([[low, high]]))
    axis = SpectralAxis("velocity", 0.5 * (low + high), high - low, 1)
    return MapObservation(
        found.velocity[None],
        found.error[None] ** 2,
        ObservedFrame(grid, psf, psf_fwhm),
        layout=CubeLayout(axis, found.pixel_scale, wcs=found.wcs),
        bins=bins,
        light=found.light,
    )


def spatial_bins(found: VelocityMap) -> NDArray[np.intp]:
    """Return the number (y, x) of the bin of each spaxel; -1 where nothing is known.

    A bin is a group of spaxels that touch each other and have the same velocity and the same error
    to the last digit, as Voronoi binning leaves them. Where velocities are rounded to whole
    numbers, the same ones may be chance, and each spaxel is its own bin.
    """
    known = found.known
    numbers = np.full(known.shape, -1, dtype=np.intp)
    values = found.velocity[known]
    if (values == np.rint(values)).mean() > _ROUNDED:
        numbers[known] = np.arange(known.sum())
        return numbers
    pairs = np.stack([values, found.error[known]], axis=1)
    _, group = np.unique(pairs, axis=0, return_inverse=True)
    groups = np.full(known.shape, -1, dtype=np.intp)
    groups[known] = group.reshape(-1)
    sizes = np.bincount(groups[known])
    count = 0
    for number in np.flatnonzero(sizes > 1):
        labels, parts = ndimage.label(groups == number, np.ones((3, 3)))
        numbers[labels > 0] = labels[labels > 0] - 1 + count
        count += parts
    alone = known & (numbers < 0)
    numbers[alone] = count + np.arange(alone.sum())
    return numbers


class BinnedRenderer:
    """Renders what the bins of a velocity map see, (B, 1, 1, bins), relative to its median.

    Parameters
    ----------
    renderer : VelocityFieldRenderer
    observation : MapObservation
    """

    def __init__(self, renderer: VelocityFieldRenderer, observation: MapObservation) -> None:
        assert observation.bins is not None
        self.renderer, self.reference = renderer, observation.reference
        self._inside = observation.bins >= 0
        self._bins = observation.bins[self._inside]
        self._count = int(self._bins.max()) + 1

    def __call__(self, vectors: FloatArray) -> NDArray[np.float32]:
        """Return velocities (B, 1, 1, bins) of vectors (B, P)."""
        return np.stack([self._binned(vector) for vector in np.atleast_2d(vectors)])

    def spread(self, binned: NDArray[np.floating]) -> FloatArray:
        """Return velocities (y, x) in km/s of those of bins (1, 1, bins); NaN where none is."""
        image = np.full(self._inside.shape, np.nan)
        image[self._inside] = binned.reshape(-1)[self._bins] + self.reference
        return image

    def _binned(self, vector: FloatArray) -> NDArray[np.float32]:
        field, light = self.renderer.render(vector)
        weight = np.maximum(light[self._inside], 1e-300)
        total = np.bincount(self._bins, weight, self._count)
        moving = np.bincount(self._bins, weight * (field[self._inside] - self.reference),
                             self._count)  # fmt: skip
        return np.asarray((moving / total)[None, None], dtype=np.float32)
