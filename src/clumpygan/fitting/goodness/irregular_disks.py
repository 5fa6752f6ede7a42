"""How cubes change where a disk is as irregular as real ones: lumps, turbulence and warps.

The population of `galaxies.disks.clumpy_disks` says by how much disks depart from smooth ones. Here
its departures are random fields in the plane of the disk, of the logarithm of the light, of the
velocity along the line of sight and of the logarithm of the dispersion, and a warp; linear, and in
proportion to one number: the standard deviation of the logarithm of its light. Fields are sums of
the modes in which a disk varies most,

    epsilon(x) = s sum_j a_j B_j(x),  a_j ~ N(0, 1),

the eigenvectors of their covariance, weighted with the root of an exponential disk, so that its
wings have some, too (Karhunen 1947, Loeve 1948).
The light of a galaxy doesn't depend on where it is, so modes of the light leave its sum what it is.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_matrix, csr_matrix

from clumpygan.fitting.target import Target
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks
from clumpygan.galaxies.disks.light_radius import growth_curves, radii_of, sersic_indices
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.galaxies.rendering.points import sky_axes
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_MODES = (24, 14, 8)
"""Of the light, the velocity and the dispersion: finer ones hardly move a parameter."""

LUMPS, STREAMS, WARPS = range(3)
"""Kinds of modes: of light and dispersion, of velocity, twists and tilts."""

_SLOPE = 3.2
"""Of the power spectrum of the fields: arms, lopsidedness and clumps are larger lumps than those of
turbulence, with its 8/3."""

_SIDE, _EXTENT = 24, 3.0
"""Pixels of the modes, and half a side in half-light radii."""

_SCALE_LENGTHS = 1.678
"""Exponential scale lengths in a half-light radius."""

_ACCURACY = 0.03
"""Of the points by which the disk is represented."""

_STEEPEST = 80.0
"""Degrees of inclination up to which the plane of the disk is seen."""

_STEP = 0.1
"""Change of the light by which derivatives of radius and index are taken."""

_NARROWEST, _REACH = 0.5, 3.0
"""Least standard deviation of a line and a beam in voxels, and how far they reach in it."""


@dataclass(frozen=True, eq=False)
class Irregularities:
    """What a disk of which light varies by a factor e, one standard deviation, does in each mode.

    Attributes
    ----------
    cubes : ndarray (m, N), float32
        Changes of the model over sigma.
    radii : ndarray (m,)
        Changes of ln R, the radius of half of the light.
    indices : ndarray (m,)
        Changes of ln n, the Sersic index of the light.
    kinds : ndarray (m,) of int
        `LUMPS`, `STREAMS` or `WARPS`.
    """

    cubes: NDArray[np.float32]
    radii: FloatArray
    indices: FloatArray
    kinds: NDArray[np.intp]


def irregularities(
    target: Target, coordinates: FloatArray, part: tuple[slice, ...]
) -> Irregularities:
    """Return how irregular disks change a cube.

    Parameters
    ----------
    target : Target
        Of a `CubeRenderer`.
    coordinates : ndarray (n,)
        Of the smooth disk.
    part : tuple of slice
        Of the cube (v, y, x) that is wanted.
    """
    points = _Points.of(target, coordinates, part)
    population = ClumpyDisks()
    usual = population.turbulence
    per_light = 1 / usual.light
    light, stream, heat = (points.sampled(modes) for modes in _fields())
    light = light - (light @ points.share)[:, None]
    stream = stream * (usual.velocity * per_light) * points.dispersion
    heat = heat * (usual.dispersion * per_light) * points.dispersion**2
    cubes = [
        *(points.seen(one, (0, 0, 0)) for one in light),
        *(points.seen(one, (1, 0, 0)) for one in stream),
        *(points.seen(one, (2, 0, 0)) for one in heat),
    ]
    x, y = points.turned
    twist = np.radians(population.warp_position_angle * per_light) * points.radius
    cubes.append(points.seen(twist * x, (0, 0, 1)) + points.seen(twist * y, (0, 1, 0)))
    x, y, velocity = points.tilted
    tilt = np.radians(population.warp_inclination * per_light) * points.radius
    cubes.append(
        points.seen(tilt * x, (0, 0, 1))
        + points.seen(tilt * y, (0, 1, 0))
        + points.seen(tilt * velocity, (1, 0, 0))
    )
    radii, indices = np.zeros((2, len(cubes)))
    model, vector = target.coordinates.model, target.coordinates.vectors(coordinates)
    if model.light != "ring":
        own = _growths(float(vector[model.index("sersic_index")]))
        radii[: len(light)], indices[: len(light)] = own
    observation = target.likelihood.observation
    sigma = np.sqrt(observation.variance[part]) * target.likelihood.inflation
    found = np.empty((len(cubes), sigma.size), dtype=np.float32)
    for row, one in zip(found, cubes, strict=True):
        np.divide(one, sigma, out=row.reshape(sigma.shape), casting="same_kind")
    kinds = np.repeat([LUMPS, STREAMS, LUMPS, WARPS], [len(light), len(stream), len(heat), 2])
    return Irregularities(found, radii, indices, kinds)


@dataclass(frozen=True, eq=False)
class _Points:
    """Points of a disk, and how they are seen.

    Attributes
    ----------
    along, across : ndarray (P,)
        Half-light radii in the plane of the disk, along the major axis and 90 degrees further.
    flux, dispersion : ndarray (P,)
        Flux, and standard deviation of the line in channels.
    turned : (ndarray, ndarray)
        Changes of x and y in pixels per rad of position angle.
    tilted : (ndarray, ndarray, ndarray)
        Changes of x and y in pixels, and of the velocity in channels, per rad of inclination.
    spreading : csr_matrix (N, P)
        Shares of the points in voxels.
    shape : tuple of int
        Of the voxels (v, y, x).
    widths : (float, float, float)
        Standard deviations of what is seen of a point.
    """

    along: FloatArray
    across: FloatArray
    flux: FloatArray
    dispersion: FloatArray
    turned: tuple[FloatArray, FloatArray]
    tilted: tuple[FloatArray, FloatArray, FloatArray]
    spreading: csr_matrix
    shape: tuple[int, ...]
    widths: tuple[float, float, float]

    @classmethod
    def of(cls, target: Target, coordinates: FloatArray, part: tuple[slice, ...]) -> "_Points":
        """Sample a disk."""
        model, frame = target.coordinates.model, target.likelihood.observation.frame
        grid = frame.grid
        true = target.coordinates.vectors(coordinates)
        place = {name: model.index(name) for name in ("inclination", "offset_x", "offset_y",
                 "systemic_velocity", "half_light_radius")}  # fmt: skip
        # Points of a disk that is seen edge-on don't tell where in its plane they are.
        seen = true.copy()
        seen[place["inclination"]] = min(seen[place["inclination"]], _STEEPEST)
        renderer = CubeRenderer(grid, model, frame.transfer, _ACCURACY)
        _, frequency = renderer.sampling.plan(seen)
        groups = renderer.sampling.points(seen, frequency)
        x, y, flux = (np.concatenate([one[k].ravel() for one in groups]) for k in range(3))
        velocity, sigma = (
            np.concatenate([np.repeat(one[k], one[0].shape[1]) for one in groups]) for k in (3, 4)
        )
        centre = np.array([true[place["offset_x"]], true[place["offset_y"]]])
        to_sky = _plane_axes(seen)
        plane = np.linalg.solve(to_sky, np.stack([x, y]) - centre[:, None])
        angle, steep = (
            np.radians(true[place["inclination"]]),
            np.radians(seen[place["inclination"]]),
        )
        turning = velocity - true[place["systemic_velocity"]]
        turning = turning / max(np.sin(steep), 1e-3)
        velocity = true[place["systemic_velocity"]] + turning * np.sin(angle)
        offsets = _plane_axes(true) @ plane / grid.pixel_scale
        minor = to_sky[:, 1] / np.cos(steep)
        foreshortened = -np.sin(angle) * np.outer(minor, plane[1]) / grid.pixel_scale
        width = grid.channel_width
        line = np.hypot(sigma, np.average(grid.line_spread, weights=renderer.line_fluxes)) / width
        beam = (frame.psf_fwhm or 0.0) / grid.pixel_scale / FWHM_PER_SIGMA
        line = float(np.average(line, weights=flux))
        sharp = _beyond_spreading(beam, grid.pixel_response)
        widths = (_beyond_spreading(line, grid.channel_response), sharp, sharp)
        rises = 1.0 if grid.edges[0, -1] > grid.edges[0, 0] else -1.0
        middle = [0.5 * (side - 1) for side in grid.shape[1:]]
        sky = centre[:, None] / grid.pixel_scale + offsets
        spreading = sum(
            share * _spreading(
                (_channel(edges, velocity), sky[1] + middle[0], sky[0] + middle[1]), part
            )
            for share, edges in zip(renderer.line_shares(true), grid.edges, strict=True)
        )  # fmt: skip
        unit = true[place["half_light_radius"]]
        return cls(
            plane[0] / unit, plane[1] / unit, flux, sigma / width,
            (-offsets[1], offsets[0]),
            (foreshortened[0], foreshortened[1], rises * turning * np.cos(angle) / width),
            spreading, tuple(one.stop - one.start for one in part),
            widths,
        )  # fmt: skip

    @property
    def share(self) -> FloatArray:
        """Of each point (P,) in the flux."""
        return np.asarray(self.flux / self.flux.sum())

    @property
    def radius(self) -> FloatArray:
        """Half-light radii (P,) from the centre, no farther than the fields reach."""
        return np.minimum(np.hypot(self.along, self.across), _EXTENT)

    def sampled(self, modes: FloatArray) -> FloatArray:
        """Return values (m, P) of modes (m, N, N), the outermost going on beyond."""
        places = [0.5 * (one / _EXTENT + 1) * _SIDE - 0.5 for one in (self.across, self.along)]
        return np.stack(
            [ndimage.map_coordinates(one, places, order=1, mode="nearest") for one in modes]
        )

    def seen(self, change: FloatArray, order: tuple[int, int, int]) -> NDArray[np.float32]:
        """Return the cube (v, y, x) of changes (P,) of the light, or of a derivative of it."""
        voxels = (self.spreading @ (change * self.flux)).reshape(self.shape)
        return np.asarray(
            ndimage.gaussian_filter(
                voxels.astype(np.float32), self.widths, order=order, mode="constant",
                truncate=_REACH,
            )
        )  # fmt: skip


def _growths(index: float) -> FloatArray:
    """Return the changes (2, m) of ln R and ln n of a Sersic profile with the modes of its light.

    R being the radius of half of it, and n the index.
    """
    modes = _fields()[0]
    more, less = (
        growth_curves(1 + step * modes, np.full(len(modes), index), _EXTENT)
        for step in (_STEP, -_STEP)
    )
    return np.log([one(more) / one(less) for one in (radii_of, sersic_indices)]) / (2 * _STEP)


def _plane_axes(vector: FloatArray) -> FloatArray:
    """Return what the axes in the plane of the disk are on the sky: (2, 2), columns."""
    xx, xy, yx, yy, *_ = sky_axes(vector, 0.0)
    return np.array([[xx, yx], [xy, yy]])


def _beyond_spreading(width: float, response: bool) -> float:
    """Return the standard deviation, in voxels, that is seen on top of that of `_spreading`."""
    voxel = 1 / 12 if response else 0.0
    return float(np.sqrt(max(width**2 + voxel - 1 / 6, _NARROWEST**2)))


def _channel(edges: FloatArray, velocity: FloatArray) -> FloatArray:
    """Return the channels (P,), numbers from 0 on, of velocities (P,)."""
    middle, number = 0.5 * (edges[1:] + edges[:-1]), np.arange(len(edges) - 1.0)
    order = np.argsort(middle)
    found = np.interp(velocity, middle[order], number[order])
    outside = (velocity < edges.min()) | (velocity > edges.max())
    return np.where(outside, -10.0, found)


def _spreading(places: tuple[FloatArray, ...], part: tuple[slice, ...]) -> csr_matrix:
    """Return the shares (N, P) of points in the voxels around them, linear in each direction."""
    shape = [one.stop - one.start for one in part]
    moved = [place - one.start for place, one in zip(places, part, strict=True)]
    first = [np.floor(one).astype(int) for one in moved]
    rows, columns, shares = [], [], []
    for corner in np.ndindex(2, 2, 2):
        index = [low + step for low, step in zip(first, corner, strict=True)]
        share = np.prod(
            [1 - np.abs(one - where) for one, where in zip(moved, index, strict=True)], axis=0
        )
        inside = np.all(
            [(where >= 0) & (where < side) for where, side in zip(index, shape, strict=True)],
            axis=0,
        )
        rows.append(np.ravel_multi_index([where[inside] for where in index], shape))
        columns.append(np.flatnonzero(inside))
        shares.append(share[inside])
    told = (np.concatenate(shares), (np.concatenate(rows), np.concatenate(columns)))
    return coo_matrix(told, shape=(int(np.prod(shape)), len(places[0]))).tocsr()


@cache
def _fields() -> tuple[FloatArray, ...]:
    """Return the modes (m, N, N) of the fields of light, velocity and dispersion.

    Each is scaled by the standard deviation with which a field of variance 1 has it.
    """
    size = 2 * _SIDE
    k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    lowest = 1 / _SIDE
    power = np.where(k >= 0.999 * lowest, np.maximum(k, lowest) ** -_SLOPE, 0.0)
    correlation = np.fft.ifft2(power / power.sum()).real * size**2
    rows, columns = (one.ravel() for one in np.indices((_SIDE, _SIDE)))
    covariance = correlation[
        np.abs(np.subtract.outer(rows, rows)), np.abs(np.subtract.outer(columns, columns))
    ]
    places = _EXTENT * ((2 * np.arange(_SIDE) + 1) / _SIDE - 1)
    weight = np.exp(-0.25 * _SCALE_LENGTHS * np.hypot.outer(places, places)).ravel()
    values, vectors = np.linalg.eigh(weight[:, None] * covariance * weight)
    modes = (vectors * np.sqrt(np.maximum(values, 0)) / weight[:, None]).T[::-1]
    return tuple(modes[:count].reshape(count, _SIDE, _SIDE) for count in _MODES)
