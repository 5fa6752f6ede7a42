"""Disks whose thickness is a part of what isn't known: the scale height free, with a prior.

The thickness is tied to the half-light radius, for of a blurred or nearly face-on galaxy it can't
be told from the inclination. Of a well resolved disk nobody knows that tie so well: inclinations
are wrong by several of their errors if it is thicker or thinner.
"""

import math

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.fitting.priors import FitPrior
from clumpygan.fitting.target import Target
from clumpygan.galaxies.disks.disk_model import HEIGHT_SCATTER

FloatArray = NDArray[np.float64]

HEIGHT, RADIUS = "scale_height", "half_light_radius"

WIDTH = HEIGHT_SCATTER * math.log(10)
"""Of the prior of the logarithm of the scale height."""

_RESOLVED = 2.0
"""Half-light radius over the FWHM of the PSF, from which on a disk is well resolved: errors of less
resolved ones are wide enough."""

_GROWTH = 1.1
"""Factor of an error from which on it matters that the thickness isn't known."""

_SHIFT = 0.5
"""Standard deviations by which a parameter moves, from which on it does."""

_LEFT = 0.9
"""Share of what a tied disk gets wrong, below which it is the thickness that was wrong. Irregular
galaxies leave as much whatever the thickness is, and would be given any."""


def effect_of_thickness(target: Target, optimum: Optimum) -> tuple[FloatArray, FloatArray]:
    """Return what a free thickness would do to a fit in which it is tied, to first order.

    With a coordinate t = ln(h / h_0) / `WIDTH` that is standard normal a priori, the covariance C
    of the others becomes C + m m^T / S, and the optimum moves by m (d^T z) / S, where

        m = C J d,   S = 1 + d^T d - d^T J^T m,

    with the Jacobian J (n, N) of the whitened residuals z (N,), and their change d (N,) with t.

    Parameters
    ----------
    target : Target
    optimum : Optimum
        With its Jacobian.

    Returns
    -------
    growth, shift : ndarray (n,)
        Factors of the errors of the coordinates, and by how many of the old errors they move.
    """
    likelihood, model = target.likelihood, target.coordinates.model
    place, jacobian = model.index(HEIGHT), optimum.jacobian
    assert jacobian is not None
    vector, row = target.coordinates.vectors(optimum.coordinates), model.table[place]
    sides = np.stack([vector, vector])
    sides[:, place] = np.clip(vector[place] * np.exp([WIDTH, -WIDTH]), row.minimum, row.maximum)
    thicker, thinner = (likelihood.residuals(one) for one in target.renderer(sides))
    target.evaluations += len(sides)
    change = 0.5 * (thicker - thinner)
    weights, bend = likelihood.weights(optimum.residuals), likelihood.bend(optimum.residuals)
    weighted = change if weights is None else change * weights
    coupling = bend * (jacobian @ weighted).astype(np.float64)
    moved = optimum.covariance @ coupling
    # Rounding may leave less than the prior.
    left = max(1 + bend * float(np.dot(change, weighted)) - float(coupling @ moved), 1.0)
    moved = moved / np.sqrt(np.diag(optimum.covariance))
    shift = moved * float(np.dot(weighted, optimum.residuals)) / left
    return np.sqrt(1 + np.square(moved) / left), shift


def with_free_thickness(
    choices: ParameterChoices, target: Target, optimum: Optimum
) -> ParameterChoices | None:
    """Return the choices with a free scale height.

    None where the thickness is chosen, the galaxy isn't well resolved, its PSF not known, or it
    makes no difference. Its prior is lognormal around the tie, with the scatter of disks; the
    median goes with the half-light radius, in proportion near that of the optimum.
    """
    model = target.coordinates.model
    chosen = {*choices.free, *choices.priors, *choices.fixed, *choices.tied}
    blurred = target.likelihood.observation.frame.psf_fwhm
    if HEIGHT in chosen or not blurred or optimum.jacobian is None:
        return None
    radius = float(target.coordinates.vectors(optimum.coordinates)[model.index(RADIUS)])
    if radius < _RESOLVED * blurred:
        return None
    growth, shift = effect_of_thickness(target, optimum)
    if growth.max() < _GROWTH and np.abs(shift).max() < _SHIFT:
        return None
    row, (ratio, _) = model.table[model.index(HEIGHT)], choices.ties(model, ())[HEIGHT]
    prior = FitPrior(
        "lognormal", row.minimum, row.maximum, ratio * radius, WIDTH,
        follows=RADIUS, slope=1 / radius, pivot=radius,
    )  # fmt: skip
    return ParameterChoices(
        choices.free, choices.fixed, choices.tied, {**choices.priors, HEIGHT: prior}
    )


def was_wrong(tied: Misfit, free: Misfit) -> bool:
    """Return whether a free thickness is to be kept, by what fits leave with and without it."""
    return not free.rules or free.amplitude < _LEFT * tied.amplitude
