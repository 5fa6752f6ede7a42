"""The errors to be expected of a fit, without one: the Fisher matrix of a galaxy that is known."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.observation import observe
from clumpygan.fitting.structure.distance import with_scale
from clumpygan.fitting.target import Target
from clumpygan.galaxies.disks.parameters import DiskParameters
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.instruments.spectrograph import Spectrograph

FloatArray = NDArray[np.float64]

_ACCURACY = 1e-4


def expected_covariance(
    fitter: DiskFitter, galaxy: DiskParameters, signal_to_noise: float
) -> tuple[tuple[str, ...], FloatArray]:
    """Return the covariance of the free parameters that a fit of a galaxy will have.

    The inverse of the Fisher matrix, the priors included as if they were normal around the truth
    (Tegmark, Taylor & Heavens 1997, ApJ 480, 22, equation 15): right where the posterior is close
    to normal, and the least there can be of an unbiased estimate without priors.

    Parameters
    ----------
    fitter : DiskFitter
        Whose instrument is a frame.
    galaxy : DiskParameters
        Of the fitter's model.
    signal_to_noise : float
        Of the brightest voxel, in noise that is the same everywhere.

    Returns
    -------
    names : tuple of str
    covariance : ndarray (n, n)
        In the units of the parameters.

    Raises
    ------
    InputError
        If the fitter has no frame, or the S/N isn't above 0.
    """
    if fitter.instrument is None or isinstance(fitter.instrument, Spectrograph):
        raise InputError("a forecast needs a grid: give the fitter a frame (ObservedFrame)")
    if not 0 < signal_to_noise < np.inf:
        raise InputError(f"signal_to_noise is {signal_to_noise:g}; expected a number above 0")
    frame = fitter.instrument
    renderer = CubeRenderer(frame.grid, fitter.model, frame.transfer, _ACCURACY)
    vector = galaxy.to_vector()
    clean = renderer(vector[None])[0]
    observation = observe(clean, (float(clean.max()) / signal_to_noise) ** 2, frame)
    choices = with_scale(
        fitter.choices, fitter.model, observation, fitter.redshift, fitter.distance
    )
    coordinates = Coordinates.of(fitter.model, choices, frame.grid, galaxy.flux)
    coordinates = coordinates.centred(vector)
    target = Target(coordinates, Likelihood(observation, fitter.noise), renderer)
    u = coordinates.coordinates(vector)
    residuals = target.residuals(u)
    hessian = np.eye(u.size)
    # The steps of the derivatives follow from the first, rough ones.
    for inverse_widths in (None, "known"):
        scale = None if inverse_widths is None else np.sqrt(np.diag(hessian))
        jacobian = target.jacobian(u, residuals, scale, central=True)
        _, hessian = target.curvature(u, residuals, jacobian)
    units = np.eye(len(vector))[coordinates.places]
    slopes = np.stack([coordinates.gradient(u, unit) for unit in units])
    return coordinates.names, slopes @ np.linalg.inv(hessian) @ slopes.T


def shear_along(position_angle: float, g1: FloatArray, g2: FloatArray) -> tuple[FloatArray, ...]:
    """Return the shear along the major axis of a disk, and that at 45 degrees to it.

    Parameters
    ----------
    position_angle : float
        Of the major axis, degrees from +y towards -x.
    g1, g2 : ndarray
        As in GalSim: along +x, and at 45 degrees from +x towards +y.
    """
    twice = 2 * np.radians(position_angle)
    return -(g1 * np.cos(twice) + g2 * np.sin(twice)), g1 * np.sin(twice) - g2 * np.cos(twice)


def shear_errors(
    names: tuple[str, ...], covariance: FloatArray, position_angle: float
) -> Mapping[str, float]:
    """Return the errors of the shear `along` the major axis, `across` it, and their rms `mean`."""
    places = [names.index("g1"), names.index("g2")]
    turn = np.stack(shear_along(position_angle, *np.eye(2)))
    own = turn @ covariance[np.ix_(places, places)] @ turn.T
    along, across = np.sqrt(np.diag(own)).tolist()
    return {"along": along, "across": across, "mean": float(np.sqrt(np.trace(own) / 2))}
