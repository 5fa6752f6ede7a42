"""Draws where the model leaves more than noise, with what it gets wrong in their spread.

The likelihood of independent noise is too narrow then by a factor s, so narrow in bright cubes that
the steps of the renderer are larger than it. It is drawn from one whose sigma is s times as large,
rendered s times as roughly; what is left of the widening is linear.
"""

from dataclasses import replace

import numpy as np

from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.sampling.posterior import draw_laplace, draw_posterior
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.target import Target
from clumpygan.galaxies.rendering.cube import CubeRenderer

ROUGHEST = 1e-2
"""Accuracy of the rendered cubes, over their peak, at least."""


def draw_with_misfit(
    target: Target,
    optimum: Optimum,
    misfit: Misfit,
    sampler: SamplerSettings,
    generator: np.random.Generator,
) -> tuple[Draws, int]:
    """Draw from a posterior whose errors include what the model gets wrong.

    Parameters
    ----------
    target : Target
    optimum : Optimum
    misfit : Misfit
    sampler : SamplerSettings
    generator : numpy.random.Generator

    Returns
    -------
    Draws
        Their evidence is that of independent noise, so that models can be compared, whatever each
        of them leaves; where the likelihood was tempered, by the Laplace approximation.
    int
        Cubes that were rendered beside those of the target.
    """
    scale, own = misfit.tempering, target.renderer
    likelihood = target.likelihood.tempered(scale) if scale > 1 else None
    if likelihood is None or not isinstance(own, CubeRenderer):
        draws = draw_posterior(target, optimum, sampler, generator)
        return misfit.widened(draws, optimum.covariance), 0
    accuracy = max(own.accuracy, min(scale * own.accuracy, ROUGHEST))
    wide = Target(
        target.coordinates,
        likelihood,
        CubeRenderer(own.grid, own.model, likelihood.observation.frame.transfer, accuracy),
    )
    middle = tempered(optimum, wide, scale)
    draws = draw_posterior(wide, middle, sampler, generator)
    evidence = None
    if draws.log_evidence is not None:
        evidence = draw_laplace(optimum, generator, 1).log_evidence
    return replace(misfit.widened(draws, middle.covariance), log_evidence=evidence), (
        wide.evaluations
    )


def tempered(optimum: Optimum, target: Target, scale: float) -> Optimum:
    """Return an optimum as it is in a target whose sigma is larger by a factor.

    The prior, which moves it then, hardly does where a likelihood says as much.
    """
    residuals = target.residuals(optimum.coordinates)
    prior = np.eye(optimum.coordinates.size)
    return replace(
        optimum,
        residuals=residuals,
        log_density=target.log_density(optimum.coordinates, residuals),
        hessian=(optimum.hessian - prior) / scale**2 + prior,
        gain=optimum.gain / scale**2,
        jacobian=None,
    )
