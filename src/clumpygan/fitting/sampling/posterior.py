"""Draws from the posterior by the method asked for, and the Laplace approximation."""

import math

import numpy as np
from numpy.typing import NDArray

from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.sampling.importance import draw_importance
from clumpygan.fitting.settings import SamplerSettings
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_LAPLACE_DRAWS = 2000


def draw_posterior(
    target: Target,
    optimum: Optimum,
    settings: SamplerSettings,
    generator: np.random.Generator,
) -> Draws:
    """Draw from a posterior, by the method of the settings.

    Parameters
    ----------
    target : Target
    optimum : Optimum
    settings : SamplerSettings
    generator : numpy.random.Generator

    Raises
    ------
    InputError
        If the method needs a package that isn't installed.
    """
    if settings.method == "laplace":
        return draw_laplace(optimum, generator)
    if settings.method == "importance":
        return draw_importance(target, optimum, settings, generator)
    from clumpygan.fitting.sampling.nuts import draw_nuts

    return draw_nuts(target, optimum, settings, generator)


def draw_laplace(
    optimum: Optimum, generator: np.random.Generator, count: int = _LAPLACE_DRAWS
) -> Draws:
    """Draw from the Gaussian whose mode and curvature are those of the posterior.

    Its evidence is log Z = log p + n / 2 log(2 pi) - log det(H) / 2, p and H being the density and
    the Hessian of -log p at the optimum (MacKay 2003, equation 27.4).
    """
    n = optimum.coordinates.size
    root = np.linalg.cholesky(optimum.covariance)
    evidence = optimum.log_density + 0.5 * n * math.log(2 * math.pi)
    evidence -= 0.5 * float(np.linalg.slogdet(optimum.hessian)[1])
    return Draws(
        "laplace",
        optimum.coordinates + generator.standard_normal((count, n)) @ root.T,
        np.full(count, 1 / count),
        np.full(n, float(count)),
        evidence,
    )
