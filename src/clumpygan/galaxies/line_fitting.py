"""Gaussian lines fitted to every spectrum of a cube at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from clumpygan.galaxies.measured_cube import MeasuredCube

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
    parameters : ndarray (n, 3)
        Flux of all lines together, velocity and standard deviation in km/s.
    covariance : ndarray (n, 3, 3)
        Inverse of the curvature of chi^2 / 2; infinite on the diagonal where a parameter is at a
        limit or isn't constrained.
    """

    parameters: FloatArray
    covariance: FloatArray


class LineModel:
    """Lines of one velocity and one width, with known separations and flux ratios.

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
    """

    def __init__(self, cube: MeasuredCube, lines: Lines, channel_response: bool) -> None:
        self.offsets = np.array([offset for offset, _ in lines])
        self.ratios = np.array([ratio for _, ratio in lines])
        self.ratios /= self.ratios.sum()
        self.response = channel_response
        self.velocities, self.edges, self.widths = cube.velocities, cube.edges, cube.widths

    def __call__(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the spectra (v, n) of parameters (n, 3), and their derivatives (3, v, n)."""
        flux, velocity, width = parameters.T
        points = self.edges if self.response else self.velocities
        shape = (len(self.velocities), len(flux))
        profile, by_velocity, by_width = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for offset, ratio in zip(self.offsets, self.ratios, strict=True):
            z = (points[:, None] - velocity - offset) / width
            density = ratio * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * width)
            if self.response:
                profile += ratio * np.diff(ndtr(z), axis=0)
                by_velocity -= np.diff(density, axis=0)
                by_width -= np.diff(z * density, axis=0)
            else:
                value = density * self.widths[:, None]
                profile += value
                by_velocity += value * z / width
                by_width += value * (z**2 - 1) / width
        return flux * profile, np.stack([profile, flux * by_velocity, flux * by_width])


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
    fits = [
        _fit(model, data[:, part], weights[:, part], _limits(model, signal[:, part]))
        for part in _chunks(data.shape[1])
    ]
    parameters = [fit.parameters for fit in fits] or [np.empty((0, 3))]
    covariance = [fit.covariance for fit in fits] or [np.empty((0, 3, 3))]
    return LineFits(np.concatenate(parameters), np.concatenate(covariance))


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


def _fit(model: LineModel, data: FloatArray, weights: FloatArray, limits: FloatArray) -> LineFits:
    """Follow chi^2 of all spectra down, each with a damping of its own."""
    parameters = np.clip(_start(model, data, weights, limits), *limits)
    damping = np.full(len(parameters), _DAMPING)
    going = np.arange(len(parameters))
    for _ in range(_ITERATIONS):
        here, observed, weight = parameters[going], data[:, going], weights[:, going]
        spectra, slopes = model(here)
        residual = observed - spectra
        chi = (weight * residual**2).sum(axis=0)
        curvature, scale = _scaled_curvature(slopes, weight)
        curvature += damping[going, None, None] * np.eye(3)
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
    """Return J^T W J with ones on its diagonal, and the scales (n, 3) of the parameters.

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
    """Return the covariance (n, 3, 3); parameters at a limit are taken as known."""
    slopes = model(parameters)[1]
    slopes *= ((parameters > limits[0]) & (parameters < limits[1])).T[:, None]
    curvature, scale = _scaled_curvature(slopes, weights)
    # As good as singular (a width that two channels can't tell): let it come out as huge errors.
    np.einsum("naa->na", curvature)[...] += 1e-12
    covariance = np.linalg.inv(curvature) * scale[:, :, None] * scale[:, None, :]
    np.einsum("naa->na", covariance)[scale == 0] = np.inf
    return np.asarray(covariance)
