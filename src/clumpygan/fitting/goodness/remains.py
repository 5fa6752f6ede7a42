"""What a model leaves of a cube: how much of the light, continuum, other sources, hot voxels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import chi2

from clumpygan.fitting.goodness.noise import NoiseCheck
from clumpygan.fitting.observation import Observation
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.signal_mask import signal_mask

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_SEEN = 1.0
"""Sigma of the model above which a voxel has signal."""

_BRIGHT = 0.3
"""Share of the model's peak above which it has signal, if nothing stands out."""

_HOT, _ALONE = 8.0, 0.2
"""Sigma of a hot voxel at least, and what its neighbours have of it at most: a PSF leaves more."""

_BODY = 0.2
"""Share of the peak of the model's map of flux above which a spaxel is the galaxy's."""

_OFF_LINE = 0.02
"""Share of the peak of the model's spectrum below which a channel is free of the line."""

_OUTSIDE = 0.05
"""Share of the peak of the map, or of the spectrum, below which light is somebody else's."""

_PEAK, _SADDLE = 0.2, 0.8
"""Shares of the highest peak of the map of flux that another one has at least, and of the lower of
two that lies between them at most."""

_APART = 1.5
"""Widths of the PSF between peaks that count."""

_FEWEST_CHANNELS = 3
_SURE = 6.0
"""S/N of a continuum, or of another source, that is told of."""

_NOTABLE = 0.03
"""Share of the line's peak, or of its flux, that a continuum, or another source, has at least."""


@dataclass(frozen=True)
class OtherLight:
    """Light that isn't the model's.

    Attributes
    ----------
    x, y : float
        Arcsec from the middle of the field.
    velocity : float
        km/s on the axis of the cube.
    share : float
        Of the flux of the model.
    signal_to_noise : float
    same_place : bool
        Whether it lies on the galaxy, at velocities where the model has nothing.
    """

    x: float
    y: float
    velocity: float
    share: float
    signal_to_noise: float
    same_place: bool


@dataclass(frozen=True, eq=False)
class Remains:
    """What a model leaves.

    Attributes
    ----------
    signal : ndarray (v, y, x), bool
        Where the model or the data have signal.
    chi_squared : float
        Mean square of the residuals there, in sigma.
    expected : float
        Its standard error, if the model is right.
    share : float
        Of the light there, as the root of the powers of residual and data without their noise.
    hot : tuple of ((int, int, int), float)
        Voxels (v, y, x) that stand alone, and their residuals in sigma; the worst first.
    continuum : float
        Level on the galaxy in channels without line, over the peak of the line there; 0 unless it
        is significant.
    others : tuple of OtherLight
        The brightest first.
    peaks : tuple of (float, float)
        Places (x, y) in arcsec from the middle of the field where the light of the data has a peak
        of its own, the highest first.
    cut : tuple of float
        Spectrum of the model in the first and last channel over its peak.
    negative : bool
        Whether a line in absorption stands out of the data.
    """

    signal: BoolArray
    chi_squared: float
    expected: float
    share: float
    hot: tuple[tuple[tuple[int, int, int], float], ...]
    continuum: float
    others: tuple[OtherLight, ...]
    peaks: tuple[tuple[float, float], ...]
    cut: tuple[float, float]
    negative: bool


def remains_of(observation: Observation, model: NDArray[np.floating], noise: NoiseCheck) -> Remains:
    """Look at what a model cube (v, y, x) leaves of the data.

    Parameters
    ----------
    observation : Observation
        With the variance that counts.
    model : ndarray (v, y, x)
    noise : NoiseCheck
    """
    valid, sigma = observation.valid, np.sqrt(np.where(observation.valid, observation.variance, 1))
    cube = np.asarray(model, dtype=np.float64)
    z = np.where(valid, (observation.data - cube) / sigma, 0.0)
    data_z = np.where(valid, observation.data / sigma, 0.0)
    hot = _hot_voxels(z, data_z)
    usable = valid.copy()
    for place, _ in hot:
        usable[place] = False
    signal = _signal(np.where(usable, data_z, np.nan), cube / sigma, usable)
    count = max(int(signal.sum()), 1)
    excess = float((z[signal] ** 2).sum() - count)
    power = float((data_z[signal] ** 2).sum() - count)
    shared = float((noise.correlation**2).sum())
    continuum = _continuum(observation, cube, usable, noise)
    others: tuple[OtherLight, ...] = ()
    if not continuum:
        others = _others(observation, cube, np.where(usable, z, np.nan), noise)
    line = cube.sum(axis=(1, 2))
    peak = max(float(line.max()), 1e-300)
    return Remains(
        signal,
        float((z[signal] ** 2).sum()) / count,
        float(np.sqrt(2 * shared / count)),
        float(np.sqrt(max(excess, 0.0) / max(power, 1.0))) if power > 0 else 1.0,
        hot,
        continuum,
        others,
        _peaks(observation, line, usable),
        (float(line[0]) / peak, float(line[-1]) / peak),
        bool(signal_mask(_measured(np.where(usable, -data_z, np.nan))).any()),
    )


def chance_of(gain: float, parameters: int, places: float) -> float:
    """Return how probable it is that noise alone lets a model gain so much chi^2.

    That of a chi^2 of as many degrees of freedom as there are free parameters, at any of the places
    that were searched (Bonferroni): an upper limit.

    Parameters
    ----------
    gain : float
        Chi^2 of no galaxy minus that of the model, in independent noise of the right size.
    parameters : int
    places : float
        Independent positions and velocities.
    """
    return float(min(places * chi2.sf(gain, parameters), 1.0))


def places_of(observation: Observation) -> float:
    """Return how many independent places a galaxy was looked for at: beams times channels."""
    grid = observation.frame.grid
    beam = max(1.0, 1.13 * ((observation.frame.psf_fwhm or 0.0) / grid.pixel_scale) ** 2)
    return float(max(observation.valid.sum() / beam, 1.0))


def _measured(z: FloatArray) -> MeasuredCube:
    return MeasuredCube.of(z, np.arange(len(z)), 1.0)


def _signal(data_z: FloatArray, model_z: FloatArray, usable: BoolArray) -> BoolArray:
    signal = signal_mask(_measured(data_z)) | (model_z > _SEEN)
    if not (model_z > _SEEN).any():
        signal |= model_z > _BRIGHT * float(model_z.max())
    return np.asarray(signal & usable)


def _hot_voxels(
    z: FloatArray, data_z: FloatArray
) -> tuple[tuple[tuple[int, int, int], float], ...]:
    """Return voxels of which their neighbours know nothing, the worst first."""
    around = ndimage.generate_binary_structure(3, 1)
    around[1, 1, 1] = False
    found: dict[tuple[int, int, int], float] = {}
    for values in (z, data_z):
        size = np.abs(values)
        neighbours = ndimage.maximum_filter(size, footprint=around, mode="constant")
        alone = (size > _HOT) & (neighbours < np.maximum(_ALONE * size, 0.5 * _HOT))
        for v, y, x in np.argwhere(alone).tolist():
            found[v, y, x] = float(values[v, y, x])
    return tuple(sorted(found.items(), key=lambda one: -abs(one[1])))


def _continuum(
    observation: Observation, cube: FloatArray, usable: BoolArray, noise: NoiseCheck
) -> float:
    """Return the level of the continuum over the peak of the line; 0 if it may be chance."""
    line, flux = cube.sum(axis=(1, 2)), cube.sum(axis=0)
    body = flux > _BODY * flux.max()
    off = line < _OFF_LINE * line.max()
    if off.sum() < _FEWEST_CHANNELS or not body.any():
        return 0.0
    spaxels = usable[:, body]
    left = np.where(spaxels, observation.data[:, body] - cube[:, body], 0.0).sum(axis=1)[off]
    spread = np.where(spaxels, observation.variance[:, body], 0.0).sum(axis=1)[off]
    # The median: another line is no continuum.
    level = float(np.median(left))
    pattern = np.zeros(cube.shape)
    pattern[np.ix_(off, *map(np.arange, cube.shape[1:]))] = body
    error = 1.25 * float(np.sqrt(spread.mean() / off.sum())) * noise.inflation(pattern)
    peak = float(cube[:, body].sum(axis=1).max())
    sure = abs(level) > _SURE * error and abs(level) > _NOTABLE * peak
    return level / max(peak, 1e-300) if sure else 0.0


def _others(
    observation: Observation, cube: FloatArray, z: FloatArray, noise: NoiseCheck
) -> tuple[OtherLight, ...]:
    """Return light that the model hasn't, and that isn't a part of what it has."""
    labels, _ = ndimage.label(signal_mask(_measured(z)), np.ones((3, 3, 3)))
    grid, flux = observation.frame.grid, cube.sum(axis=0)
    total, found = max(float(cube.sum()), 1e-300), []
    for number, where in enumerate(ndimage.find_objects(labels), 1):
        v, y, x = (index + part.start for index, part in zip(
            np.nonzero(labels[where] == number), where, strict=True))  # fmt: skip
        light = observation.data[v, y, x] - cube[v, y, x]
        pattern = np.zeros(cube.shape)
        pattern[v, y, x] = np.sqrt(observation.variance[v, y, x])
        error = float(np.sqrt(observation.variance[v, y, x].sum())) * noise.inflation(pattern)
        share, ratio = float(light.sum()) / total, float(light.sum()) / error
        if ratio < _SURE or share < _NOTABLE:
            continue
        weight = np.maximum(light, 0.0)
        outside = np.average(flux[y, x], weights=weight) < _OUTSIDE * flux.max()
        own = cube[:, np.unique(y), :][:, :, np.unique(x)].sum(axis=(1, 2))
        between = np.average(own[v], weights=weight) < _OUTSIDE * own.max()
        if outside or between:
            found.append(
                OtherLight(
                    float(np.average(x, weights=weight) - 0.5 * (cube.shape[2] - 1))
                    * grid.pixel_scale,
                    float(np.average(y, weights=weight) - 0.5 * (cube.shape[1] - 1))
                    * grid.pixel_scale,
                    float(np.average(grid.centres[0][v], weights=weight)),
                    share,
                    ratio,
                    bool(not outside),
                )
            )
    return tuple(sorted(found, key=lambda one: -one.share))


def _peaks(
    observation: Observation, line: FloatArray, usable: BoolArray
) -> tuple[tuple[float, float], ...]:
    """Return the peaks of the map of flux, over the channels of the line, that a dip parts."""
    grid, channels = observation.frame.grid, line > _OFF_LINE * line.max()
    used = usable[channels]
    flux = ndimage.gaussian_filter(np.where(used, observation.data[channels], 0.0).sum(0), 1.0)
    spread = np.where(used, observation.variance[channels], 0.0).sum(0)
    # A Gaussian of 1 pixel takes a variance of independent pixels down by 4 pi.
    noise = np.sqrt(ndimage.gaussian_filter(spread, 1.0) / (4 * np.pi))
    high = (flux == ndimage.maximum_filter(flux, 3)) & (flux > np.maximum(
        _PEAK * flux.max(), _SURE * noise))  # fmt: skip
    places = sorted(np.argwhere(high).tolist(), key=lambda place: -flux[tuple(place)])
    apart = _APART * max((observation.frame.psf_fwhm or 0.0) / grid.pixel_scale, 2.0)
    chosen: list[list[int]] = []
    for place in places:
        if all(_parted(flux, place, one, apart) for one in chosen):
            chosen.append(place)
    middle = [0.5 * (n - 1) for n in flux.shape]
    return tuple(
        ((x - middle[1]) * grid.pixel_scale, (y - middle[0]) * grid.pixel_scale) for y, x in chosen
    )


def _parted(flux: FloatArray, one: list[int], other: list[int], apart: float) -> bool:
    """Whether two peaks of a map are far from each other, and a dip is between them."""
    distance = float(np.hypot(one[0] - other[0], one[1] - other[1]))
    if distance < apart:
        return False
    steps = np.linspace(0, 1, int(2 * distance) + 2)
    path = [a + (b - a) * steps for a, b in zip(one, other, strict=True)]
    between = ndimage.map_coordinates(flux, path, order=1).min()
    return bool(between < _SADDLE * min(flux[tuple(one)], flux[tuple(other)]))
