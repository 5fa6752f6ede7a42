"""Draws where the model leaves more than noise, with what it gets wrong in their spread.

Importance sampling draws from the likelihood of independent noise, whose shape says nothing of
errors that are several times as wide: where they are, the Laplace approximation is widened.
"""

from dataclasses import replace

import numpy as np

from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.sampling.posterior import draw_posterior
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.target import Target


def draw_with_misfit(
    target: Target,
    optimum: Optimum,
    misfit: Misfit,
    sampler: SamplerSettings,
    generator: np.random.Generator,
) -> Draws:
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
        of them leaves.
    """
    if misfit.rules and sampler.method == "importance":
        sampler = replace(sampler, method="laplace")
    draws = draw_posterior(target, optimum, sampler, generator)
    return misfit.widened(draws, optimum.covariance, generator)
