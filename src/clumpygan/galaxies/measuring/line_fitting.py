"""Gaussian lines fitted to every spectrum of a cube at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from clumpygan.galaxies.measuring.measured_cube import MeasuredCube

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Lines = tuple[tuple[float, float], ...]

_CHUNK = 4096  # spectra fitted together, to bound the memory
_ITERATIONS = 100
_TOLERANCE = 1e-6  # relative change of chi^2 at which a fit has converged
_NARROWEST, _WIDEST = 0.2, 0.5  # of a channel, and of the whole axis: limits of the line's sigma
_TRIAL_WIDTHS = (0.7, 1.5, 3.0, 6.0)  # sigma in channels of the lines that are tried at first
_DAMPING, _SOFTER, _HARDER, _HARDEST = 1e-3, 0.2, 5.0, 1e10
_SOFTEST = 1e-12  # less is lost in rounding, and steps along what the data don't tell with it


@dataclass(frozen=True, eq=False)
class LineFits:
    """Best-fitting Gaussians of n spectra.

    Attributes
    ----------
    parameters : ndarray (n, p)
        Flux of all lines together (or of each group of them), velocity and standard deviation in
        km/s.
    covariance : ndarray (n, p, p)
        Inverse of the curvature of chi^2 / 2; infinite on the diagonal where a parameter is at a
        limit or isn't constrained.
    """

    parameters: FloatArray
    covariance: FloatArray


class LineModel:
    """Lines of one velocity and one width, with known separations and flux ratios.

    Ratios are known within groups of lines; each group has a flux of its own.

    `F sum_k r_k [Phi((e_(i+1) - v - d_k) / s) - Phi((e_i - v - d_k) / s)]` is the flux in channel
    i between its edges e_i, or, without the channels' response, the Gaussian's value at the
    channel's centre times its width.

    Parameters
    ----------
    cube : MeasuredCube
        For its channels.
    lines : tuple of (float, float)
        Offset d_k in km/s and relative flux r_k of every line.
    channel_response : bool
        Whether the line is integrated over the channels.
    groups : sequence of int, optional
        Of which group every line is, counted from 0; by default all are of one.
    """

    def __init__(
        self,
        cube: MeasuredCube,
        lines: Lines,
        channel_response: bool,
        groups: Sequence[int] | None = None,
    ) -> None:
        self.offsets = np.array([offset for offset, _ in lines])
        self.ratios = np.array([ratio for _, ratio in lines])
        self.groups = np.zeros(len(lines), dtype=int) if groups is None else np.array(groups)
        self.ratios /= np.bincount(self.groups, self.ratios)[self.groups]
        self.fluxes = int(self.groups.max()) + 1
        self.response = channel_response
        self.velocities, self.edges, self.widths = cube.velocities, cube.edges, cube.widths

    def __call__(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the spectra (v, n) of parameters (n, p), and their derivatives (p, v, n)."""
        *fluxes, velocity, width = parameters.T
        points = self.edges if self.response else self.velocities
        slopes = np.zeros((self.fluxes + 2, len(self.velocities), len(parameters)))
        spectra = np.zeros(slopes.shape[1:])
        for offset, ratio, group in zip(self.offsets, self.ratios, self.groups, strict=True):
            flux = fluxes[group]
            z = (points[:, None] - velocity - offset) / width
            density = ratio * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * width)
            if self.response:
                profile = ratio * np.diff(ndtr(z), axis=0)
                slopes[-2] -= flux * np.diff(density, axis=0)
                slopes[-1] -= flux * np.diff(z * density, axis=0)
            else:
                profile = density * self.widths[:, None]
                slopes[-2] += flux * profile * z / width
                slopes[-1] += flux * profile * (z**2 - 1) / width
            slopes[group] += profile
            spectra += flux * profile
        return spectra, slopes


def fit_lines(
    cube: MeasuredCube, voxels: BoolArray, lines: Lines, channel_response: bool
) -> LineFits:
    """Fit the lines to the spectra that hold signal, by least squares.

    Every spectrum starts from the best of a grid of velocities and widths, each with its best
    flux, and is followed by Levenberg-Marquardt steps, in numpy, thousands of spectra at a time.

    Parameters
    ----------
    cube : MeasuredCube
        Weighted by its variance if it has one, else all voxels alike.
    voxels : ndarray (v, y, x) of bool
        Where signal is. Spectra without any aren't fitted; in the others all channels count, but
        no line may leave the range of velocities that holds signal: on noise the best of all
        Gaussians is often a far one.
    lines : tuple of (float, float)
        Offset in km/s and relative flux of every line.
    channel_response : bool
        As for `LineModel`.

    Returns
    -------
    LineFits
        In the order of `cube.data[:, voxels.any(axis=0)]`.
    """
    model = LineModel(cube, lines, channel_response)
    spaxels = voxels.any(axis=0)
    data, signal = cube.data[:, spaxels], voxels[:, spaxels]
    weights = cube.valid[:, spaxels].astype(np.float64)
    if cube.variance is not None:
        weights /= cube.variance[:, spaxels]
    fits = []
    for part in _chunks(data.shape[1]):
        limits = _limits(model, signal[:, part])
        start = _start(model, data[:, part], weights[:, part], limits)
        fits.append(_fit(model, data[:, part], weights[:, part], limits, start))
    parameters = [fit.parameters for fit in fits] or [np.empty((0, 3))]
    covariance = [fit.covariance for fit in fits] or [np.empty((0, 3, 3))]
    return LineFits(np.concatenate(parameters), np.concatenate(covariance))


def follow_lines(
    cube: MeasuredCube,
    spaxels: BoolArray,
    lines: Lines,
    channel_response: bool,
    *,
    start: FloatArray,
    reach: float,
    narrowest: float = 0.0,
    groups: Sequence[int] | None = None,
) -> LineFits:
    """Fit the lines to spectra of which it is known about where the lines are.

    Only channels within `reach` of where a line starts count, and no line gets farther away: what
    else is in a spectrum (other lines, residuals of the sky) can't be taken for them.

    Parameters
    ----------
    cube : MeasuredCube
        Weighted by its variance if it has one, else all voxels alike.
    spaxels : ndarray (y, x) of bool
        Whose spectra are fitted.
    lines, channel_response, groups
        As for `LineModel`.
    start : ndarray (2, y, x)
        Velocity and standard deviation in km/s to start from; the fluxes that fit best with them
        are found.
    reach : float
        km/s from the start, beyond three standard deviations of the line.
    narrowest : float
        Least standard deviation, km/s: narrower ones are spikes of noise.

    Returns
    -------
    LineFits
        In the order of `cube.data[:, spaxels]`.
    """
    model = LineModel(cube, lines, channel_response, groups)
    data, weights = cube.data[:, spaxels], cube.valid[:, spaxels].astype(np.float64)
    if cube.variance is not None:
        weights /= cube.variance[:, spaxels]
    channel, span = float(np.median(model.widths)), float(np.ptp(model.edges))
    velocity = start[0][spaxels]
    width = np.clip(start[1][spaxels], _NARROWEST * channel, max(_WIDEST * span, channel))
    far = 3 * width + reach
    apart = np.abs(model.velocities[:, None, None] - velocity[:, None] - model.offsets).min(axis=2)
    weights *= apart <= far
    limits = np.empty((2, len(velocity), model.fluxes + 2))
    limits[0], limits[1] = -np.inf, np.inf
    limits[:, :, -2] = velocity - reach, velocity + reach
    limits[0, :, -1] = max(_NARROWEST * channel, narrowest)
    limits[1, :, -1] = np.maximum(width + reach, limits[0, :, -1] + channel)
    fits = []
    for part in _chunks(len(velocity)):
        first = np.zeros((len(velocity[part]), model.fluxes + 2))
        first[:, -2], first[:, -1] = velocity[part], width[part]
        first[:, : model.fluxes] = _best_fluxes(model, first, data[:, part], weights[:, part])
        fits.append(_fit(model, data[:, part], weights[:, part], limits[:, part], first))
    parameters = [fit.parameters for fit in fits] or [np.empty((0, model.fluxes + 2))]
    covariance = [fit.covariance for fit in fits] or [np.empty((0, *2 * [model.fluxes + 2]))]
    return LineFits(np.concatenate(parameters), np.concatenate(covariance))


def _best_fluxes(
    model: LineModel, parameters: FloatArray, data: FloatArray, weights: FloatArray
) -> FloatArray:
    """Return the fluxes (n, groups) that fit best with the velocities and widths as they are."""
    profiles = model(parameters)[1][: model.fluxes]
    curvature, scale = _scaled_curvature(profiles, weights)
    np.einsum("naa->na", curvature)[...] += 1e-9
    gradient = np.einsum("avn,vn->na", profiles, weights * data) * scale
    return np.asarray(np.linalg.solve(curvature, gradient[..., None])[..., 0] * scale)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(first, first + _CHUNK) for first in range(0, count, _CHUNK))


def _limits(model: LineModel, signal: BoolArray) -> FloatArray:
    """Return lower and upper limits (2, n, 3) of the parameters of spectra with signal (v, n)."""
    first = model.edges[np.argmax(signal, axis=0)]
    last = model.edges[len(signal) - np.argmax(signal[::-1], axis=0)]
    limits = np.empty((2, signal.shape[1], 3))
    limits[:, :, 0] = np.array([[-np.inf], [np.inf]])
    limits[0, :, 1] = first - max(model.offsets.max(), 0)
    limits[1, :, 1] = last - min(model.offsets.min(), 0)
    channel, span = float(np.median(model.widths)), float(np.ptp(model.edges))
    limits[:, :, 2] = np.array([[_NARROWEST * channel], [max(_WIDEST * span, channel)]])
    return limits


def _start(
    model: LineModel, data: FloatArray, weights: FloatArray, limits: FloatArray
) -> FloatArray:
    """Return the parameters (n, 3) of largest likelihood on a grid, among fluxes above 0."""
    channel = float(np.median(model.widths))
    trials = np.array(
        [(1.0, v, width * channel) for width in _TRIAL_WIDTHS for v in model.velocities]
    )
    templates = model(trials)[0]
    product = templates.T @ (weights * data)
    norm: FloatArray = (templates**2).T @ weights
    flux = np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)
    allowed = (trials[:, 1, None] >= limits[0, :, 1]) & (trials[:, 1, None] <= limits[1, :, 1])
    gain = np.where(allowed, np.where(flux > 0, flux * product, 0.0), -1.0)
    best = np.argmax(gain, axis=0)
    start: FloatArray = trials[best]
    start[:, 0] = flux[best, np.arange(len(best))]
    return start


def _fit(
    model: LineModel,
    data: FloatArray,
    weights: FloatArray,
    limits: FloatArray,
    start: FloatArray,
) -> LineFits:
    """Follow chi^2 of all spectra down, each with a damping of its own."""
    parameters = np.clip(start, *limits)
    damping = np.full(len(parameters), _DAMPING)
    going = np.arange(len(parameters))
    for _ in range(_ITERATIONS):
        here, observed, weight = parameters[going], data[:, going], weights[:, going]
        spectra, slopes = model(here)
        residual = observed - spectra
        chi = (weight * residual**2).sum(axis=0)
        curvature, scale = _scaled_curvature(slopes, weight)
        curvature += damping[going, None, None] * np.eye(len(slopes))
        gradient = np.einsum("avn,vn->na", slopes, weight * residual) * scale
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0] * scale
        there = np.clip(here + step, *limits[:, going])
        new = (weight * (observed - model(there)[0]) ** 2).sum(axis=0)
        better = new <= chi
        parameters[going[better]] = there[better]
        damping[going] *= np.where(better, _SOFTER, _HARDER)
        damping[going] = np.maximum(damping[going], _SOFTEST)
        done = np.abs(chi - new) <= _TOLERANCE * chi
        going = going[~done & (damping[going] < _HARDEST)]
        if not going.size:
            break
    return LineFits(parameters, _covariance(model, parameters, weights, limits))


def _scaled_curvature(slopes: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return J^T W J with ones on its diagonal, and the scales (n, p) of the parameters.

    Parameters that don't change the spectrum have scale 0.
    """
    curvature = np.einsum("avn,bvn->nab", slopes * weights, slopes)
    diagonal: FloatArray = np.einsum("naa->na", curvature)
    scale = np.zeros_like(diagonal)
    np.divide(1.0, np.sqrt(diagonal), out=scale, where=diagonal > 0)
    curvature = curvature * scale[:, :, None] * scale[:, None, :]
    np.einsum("naa->na", curvature)[...] = 1.0
    return np.asarray(curvature), scale


def _covariance(
    model: LineModel, parameters: FloatArray, weights: FloatArray, limits: FloatArray
) -> FloatArray:
    """Return the covariance (n, p, p); parameters at a limit are taken as known."""
    slopes = model(parameters)[1]
    slopes *= ((parameters > limits[0]) & (parameters < limits[1])).T[:, None]
    curvature, scale = _scaled_curvature(slopes, weights)
    # As good as singular (a width that two channels can't tell): let it come out as huge errors.
    np.einsum("naa->na", curvature)[...] += 1e-12
    covariance = np.linalg.inv(curvature) * scale[:, :, None] * scale[:, None, :]
    np.einsum("naa->na", covariance)[scale == 0] = np.inf
    return np.asarray(covariance)
